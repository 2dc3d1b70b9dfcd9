//! The parts of the binary that tests and other commands call.

pub mod config;
mod clock;
mod homes;

pub mod files;
pub mod serve;
pub mod operating;
pub mod reload;
pub mod admin;
pub mod jobs;
pub mod demo;
pub mod law;
pub mod trial;
pub mod record;
pub mod accounts;
pub mod keys;
pub mod init;
pub mod import;
pub mod providers;
pub mod sandbox;
pub mod simulate;
