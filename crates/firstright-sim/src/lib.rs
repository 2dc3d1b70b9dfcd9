//! What would the other side do? Models of the world that Firstright places work on.
//!
//! Everything here is pure: time comes in as nanoseconds, chance comes from a seed, and the same
//! inputs give the same outputs. Sockets and clocks belong to the binary.

pub mod rng;

pub mod cloud;

pub mod traces;
pub mod replay;
pub mod auditor;
pub mod shares;
