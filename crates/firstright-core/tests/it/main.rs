//! What does the law do, seen from outside?
#![expect(clippy::arithmetic_side_effects, reason = "a test that goes out of bounds fails, as it should")]

#[expect(clippy::indexing_slicing, reason = "a test that goes out of bounds fails, as it should")]
mod generate;
#[expect(clippy::indexing_slicing, reason = "a test that goes out of bounds fails, as it should")]
mod past;
#[expect(clippy::indexing_slicing, reason = "a test that goes out of bounds fails, as it should")]
mod properties;
#[expect(clippy::indexing_slicing, reason = "a test that goes out of bounds fails, as it should")]
mod spec;
