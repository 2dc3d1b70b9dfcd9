//! The job plane: how does a placement that the core decided become a process, and what became of the process a fact?
//!
//! The core decides; nothing is decided here. One actor reads decisions, requests and exits, one at a time, and its
//! only powers are to start a lease's work, to stop it, and to say what it saw.
//!
//! In this release every provider's leases run on the embedded engine: a process on this machine stands in for the
//! provider's capacity. The rights, offers, leases and books are real; the accelerators are not.
//!
//! # Reading order
//! `job_file` (what a user asks for) → `board` (what is known of jobs, offers and leases) → `local` (the embedded
//! engine: start, watch, stop, adopt) → `meter` → `plane` (the actor).

pub mod board;
pub mod folder;
pub mod job_file;
pub mod plane;

mod local;
mod meter;

pub use plane::{
    Actor, Config, EngineKind, Log, Plane, Problem, ProblemKind, Reply, Said, StartError, start,
};
