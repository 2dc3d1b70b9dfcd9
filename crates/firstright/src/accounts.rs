//! How are organisations, teams and keys made and closed? Over the admin API of a running server, which puts each change
//! on record and has it take effect at once, and by the configuration, whose accounts are brought into the book when a
//! server starts or reads it again.

pub mod command;
mod desk;
mod show;
pub mod wire;

pub use desk::{Desk, Problem};
