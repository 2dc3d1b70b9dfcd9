//! Does the law say what its authors meant? Reading finds what is no law at all; this finds two clauses that contradict
//! each other, a clause that can never apply, an expired term, a provider that nobody may use.
//!
//! Contradictions and missing signatures are errors, because no decision could honour both sides; the rest are warnings,
//! because a world may well be on its way.

mod conflicts;
mod duties;
mod eligible;
mod reach;
mod terms;

use alloc::string::String;
use alloc::vec::Vec;

use crate::text::{Diagnostic, Place, Positions, Problems, read_placed};
use crate::units::Timestamp;
use crate::world::{ClauseId, World};

/// The semantic problems of a world at a time, in the order of the files that it was read from. If `sources` are not
/// those files, the problems have no places.
pub fn check(world: &World, sources: &[(String, String)], at: Timestamp) -> Vec<Diagnostic> {
    let placed = read_placed(sources).0.filter(|(read, _)| read.digest == world.digest);
    let positions = placed.map(|(_, positions)| positions).unwrap_or_default();
    let mut cx = Check { world, at, positions, problems: Problems::new(sources) };
    terms::terms(&mut cx);
    conflicts::exclusivities(&mut cx);
    conflicts::prices(&mut cx);
    reach::clauses(&mut cx);
    duties::signatures(&mut cx);
    duties::capacity(&mut cx);
    duties::licences(&mut cx);
    duties::shares(&mut cx);
    duties::prices(&mut cx);
    eligible::providers(&mut cx);
    eligible::tenants(&mut cx);
    cx.problems.finish()
}

/// What every lint looks at, and where it notes what it finds.
struct Check<'w, 's> {
    world: &'w World,
    at: Timestamp,
    positions: Positions,
    problems: Problems<'s>,
}

impl Check<'_, '_> {
    fn error(
        &mut self,
        at: (ClauseId, &str),
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let place = self.positions.clause(at.0, at.1);
        self.problems.error_help(&place, code, message, help);
    }

    fn warn(
        &mut self,
        at: (ClauseId, &str),
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let place = self.positions.clause(at.0, at.1);
        self.problems.warn_help(&place, code, message, help);
    }

    fn warn_at(
        &mut self,
        place: Option<Place>,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.warn_help(&place.unwrap_or_default(), code, message, help);
    }
}
