//! Can it be operated: served over TLS, watched, changed while it runs, and stopped?

mod reload;
mod stopping;
mod telemetry;
mod tls;
