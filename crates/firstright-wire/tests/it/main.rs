//! One binary for everything that is tested through the public interface alone.

mod golden;
mod hostile;
mod streams;
mod translated;
