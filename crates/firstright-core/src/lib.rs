#![no_std]
//! The law.
extern crate alloc;

pub mod check;
pub mod clause;
pub mod fact;
pub mod scope;
pub mod text;
pub mod units;
pub mod usage;
pub mod workload;
pub mod world;
