//! The API plane: how does a request come in, go out to a provider, and its answer come back?
//!
//! `listen` takes requests from clients, `upstream` takes them to providers, `relay` brings the answer back.
//! No rule about who serves a request stands here.

pub mod handler;
mod hedge;
pub mod setup;
pub mod ready;
pub mod capacity;
pub mod telemetry;
pub mod keys;
pub mod endpoint;
pub mod homes;
mod asked;
mod form;
mod output;
mod call;
mod follow;
pub mod held;
mod idempotency;
mod socket;
mod spoken;
pub mod credential;
mod bound;
mod open_call;
mod keep;
mod attempt;
pub mod answer;
pub mod told;
mod refuse;
pub mod probe;

pub mod listen;
pub mod upstream;
pub mod relay;
mod chunked;
mod length;

pub use handler::Gateway;
pub use keep::Handled;
pub use ready::Readiness;
pub use setup::Setup;
pub use telemetry::Telemetry;
