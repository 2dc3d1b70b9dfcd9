//! The parts of the binary that tests and other commands call.

pub mod simulate;
