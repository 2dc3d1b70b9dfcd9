//! What does the law do, seen from outside?
#![expect(clippy::arithmetic_side_effects, reason = "a test that goes out of bounds fails, as it should")]

mod generate;
mod past;
mod properties;
mod spec;
