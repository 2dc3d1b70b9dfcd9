//! The binary's integration tests.

mod jobs;
