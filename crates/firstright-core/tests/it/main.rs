//! What does the law do, seen from outside?
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that overflows or goes out of bounds fails, as it should"
)]

mod able;
mod accounts;
mod agreements;
mod beside;
mod brown;
mod format;
mod generate;
mod overload;
mod past;
mod properties;
mod said;
mod scenarios;
mod spec;
mod tamper;
mod turns;
