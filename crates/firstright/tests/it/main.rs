//! The binary's parts as a user meets them.

mod dialects;
mod clients;
mod open_loop;
mod world;

mod conformance;
mod crash;
mod gateway;
mod importing;
mod inputs;
mod jobs;
mod reference;
mod providers;
mod operating;
mod sandbox;
mod sdk;
mod threats;
