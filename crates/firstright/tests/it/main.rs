//! The binary's parts as a user meets them.

mod sandbox;
mod sdk;
