//! The core from outside: one binary for all that runs it through its public face.

mod scenarios;
