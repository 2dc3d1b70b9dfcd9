//! One binary for everything that is tested through the public interface alone.

mod embedded;
mod golden;
mod hostile;
mod streams;
mod translated;
