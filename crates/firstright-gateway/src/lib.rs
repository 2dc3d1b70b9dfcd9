//! The API plane: how does a request come in, go out to a provider, and its answer come back?
//!
//! `listen` takes requests from clients, `upstream` takes them to providers, `relay` brings the answer back.
//! No rule about who serves a request stands here.

mod chunked;
mod length;
pub mod listen;
pub mod relay;
pub mod upstream;
