//! The other world, seen from outside.

mod auditor;
#[path = "../../../firstright-core/tests/it/generate.rs"]
mod generate;
mod replay;
