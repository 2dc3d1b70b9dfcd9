//! How does each cloud want to be told who is calling?
//!
//! What is signed, word for word, and how a token is asked for and read. Keys are not here: a signature or a secret comes
//! in from the one who holds it, and goes out in the text that is sent.

pub mod aws;
pub mod base64;
pub mod date;
pub mod jwt;
pub mod oci;
pub mod sigv4;
pub mod token;
