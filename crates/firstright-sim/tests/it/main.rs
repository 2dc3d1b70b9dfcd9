//! The other world, seen from outside.

mod auditor;
#[expect(dead_code, reason = "the story that a play tells is read by the core's own properties")]
#[path = "../../../firstright-core/tests/it/generate.rs"]
mod generate;
mod replay;
