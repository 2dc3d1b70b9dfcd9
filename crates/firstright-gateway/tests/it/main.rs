//! The plumbing over real loopback sockets: one binary, one module a question.

mod credentials;
mod listening;
mod malformed;
mod peers;
mod principals;
mod relaying;
mod roles;
mod sending;
mod serving_tls;
mod tls;
