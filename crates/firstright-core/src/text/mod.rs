//! How do people write the law down, and what is wrong with what they wrote?
//!
//! Reading returns a value and its diagnostics: every problem of a set of files is reported at once, each with its
//! place, and a world is made only if there is no error among them.

pub mod agreements;
pub mod diagnostic;
pub mod place;
pub mod scenario;

pub(crate) mod amend;
mod clauses;
pub(crate) mod scopes;
mod scenario_accounts;
mod scenario_args;
mod scenario_lines;
mod scenario_run;
mod sections;
mod shares;
mod suggest;
mod value;
mod walk;

pub use agreements::{read, read_placed};
pub use diagnostic::{Diagnostic, Severity};
pub use place::{Place, Positions, Spot};

pub(crate) use diagnostic::Problems;
