//! Which clauses are out of time?

use alloc::format;

use crate::check::Check;
use crate::text::amend::ancestors;
use crate::units::Timestamp;
use crate::world::{Entry, World};

pub(super) fn terms(cx: &mut Check<'_, '_>) {
    let world = cx.world;
    for (id, entry) in world.entries() {
        let cite = world.cite(id);
        let amended = amended_by(world, entry);
        if entry.from >= entry.until {
            match amended {
                Some(by) => {
                    let help = format!("`{by}` replaces or removes it from {} on", entry.until);
                    let message = format!("`{cite}` can never apply: it is replaced before it begins");
                    cx.warn((id, "id"), "never-applies", message, help);
                }
                None => {
                    let help = format!("it would be in force from {} until {}", entry.from, entry.until);
                    let message = format!("`{cite}` can never apply: its term is empty");
                    cx.warn((id, "until"), "never-applies", message, help);
                }
            }
        } else if entry.until <= cx.at && amended.is_none() {
            let help = "renew it in an amendment, or leave it for the record";
            cx.warn((id, "until"), "expired", format!("`{cite}` ended at {}", entry.until), help);
        } else if entry.from > cx.at {
            let help = "nobody is bound by it until then";
            cx.warn((id, "from"), "not-yet", format!("`{cite}` begins at {}", entry.from), help);
        }
    }
}

/// The amendment that put an end to the clause, if one did.
fn amended_by<'w>(world: &'w World, entry: &Entry) -> Option<&'w str> {
    if entry.until == Timestamp::MAX {
        return None;
    }
    let amends = |other: crate::world::AgreementId| ancestors(world, other).contains(&entry.agreement);
    let replaced = world
        .entries()
        .map(|(_, other)| other)
        .find(|other| other.id == entry.id && other.from == entry.until && amends(other.agreement));
    let by = replaced.map(|other| world.agreement(other.agreement)).or_else(|| {
        // A clause that was removed ends when an agreement that amends it begins.
        let ended = world.agreements.iter().zip(0u16..);
        ended
            .filter(|(other, _)| other.from == entry.until)
            .find(|(_, place)| amends(crate::world::AgreementId(*place)))
            .map(|(other, _)| other)
    });
    by.map(|agreement| agreement.id.as_str())
}
