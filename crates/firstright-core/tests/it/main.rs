//! What does the law do, seen from outside?
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod agreements;
mod scenarios;
