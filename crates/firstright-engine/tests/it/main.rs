//! The engine on real files.

mod journal;
