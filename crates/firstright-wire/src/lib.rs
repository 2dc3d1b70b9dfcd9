//! How do the providers speak, byte for byte?
//!
//! The languages: bytes in, bytes out. No runtime, no socket, no HTTP crate and nothing of ours. Within OpenAI's language
//! a body is never turned into a tree: [`openai::request::peek`] reads the fields that the gateway acts on and remembers where
//! they stand, [`openai::request::rewrite`] splices over those ranges, and every other byte survives. A reply is
//! read for its usage ([`openai::response::read`]), a stream is metered as it passes ([`openai::stream`]). Only where a
//! provider speaks another language are bodies taken apart ([`openai::chat`]) and said anew.
//!
//! What comes from a client or a provider is hostile until proven otherwise: nothing here panics on it, recurses
//! over it, or buffers more than the constant named beside the buffer.

pub mod anthropic;
pub mod auth;
pub mod azure;
pub mod bedrock;
pub mod gemini;
pub mod headers;
pub mod home;
mod json;
pub mod language;
pub mod oci;
pub mod openai;
pub mod operation;
pub mod sse;
pub mod usage;
