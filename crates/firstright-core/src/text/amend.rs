//! Which clause holds when an agreement amends another? A child replaces the clauses of its ancestors that bear the same
//! id, removes those that it lists, and adds the rest. Nothing is deleted: what is replaced or removed ends when the
//! child's clause, or the child, begins.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::text::agreements::Draft;
use crate::text::place::Place;
use crate::text::sections::Head;
use crate::text::suggest::did_you_mean;
use crate::text::walk::Reader;
use crate::units::Timestamp;
use crate::world::{Agreement, AgreementId, ClauseId, World};

/// Makes agreements of the heads: finds the parents and takes from them the term and the parties that a child leaves
/// out. `None` if the parents do not make a tree.
pub(super) fn resolve<'t>(
    heads: Vec<Head<'t>>,
    r: &mut Reader<'_>,
    draft: &mut Draft,
) -> Option<Vec<Head<'t>>> {
    let mut parents: Vec<Option<AgreementId>> = Vec::new();
    for head in &heads {
        let parent = head.parent.as_ref().and_then(|(id, at)| {
            let found = heads.iter().find(|other| other.id == *id).map(|other| other.agreement);
            if found.is_none() {
                let names = heads.iter().map(|head| head.id.as_str());
                r.unknown(at, "unknown-agreement", format!("there is no agreement `{id}`"), id, names);
            }
            found
        });
        parents.push(parent);
    }
    let parent_of = |id: AgreementId| parents.get(id.index()).copied().flatten();
    let mut whole = true;
    for head in &heads {
        let lineage = core::iter::successors(parent_of(head.agreement), |id| parent_of(*id));
        // In a tree nobody has more ancestors than there are agreements.
        if lineage.take(heads.len().saturating_add(1)).any(|ancestor| ancestor == head.agreement) {
            let at = head.parent.as_ref().map_or(&head.spot.at, |(_, at)| at);
            r.error(at, "amendment-cycle", format!("`{}` amends itself through its parents", head.id));
            whole = false;
        }
    }
    if !whole {
        return None;
    }
    for head in &heads {
        let lineage = || core::iter::successors(Some(head.agreement), |id| parent_of(*id));
        let inherited = |id: AgreementId| heads.get(id.index());
        let parties = lineage().filter_map(inherited).map(|head| &head.parties).find(|list| !list.is_empty());
        let until = lineage().filter_map(inherited).find_map(|head| head.until);
        draft.world.agreements.push(Agreement {
            id: head.id.clone(),
            parties: parties.cloned().unwrap_or_default(),
            parent: parent_of(head.agreement),
            from: head.from,
            until: until.unwrap_or(Timestamp::MAX),
        });
    }
    Some(heads)
}

/// Ends every clause that an amendment replaces or removes. `removals` says what each agreement removes, `clauses_at`
/// where the id of each clause stands.
pub(super) fn apply(
    removals: &[(AgreementId, Vec<(String, Place)>)],
    clauses_at: &[(ClauseId, Place)],
    r: &mut Reader<'_>,
    draft: &mut Draft,
) {
    let mut cuts: Vec<Cut> = Vec::new();
    for (clause, at) in clauses_at {
        let Some(entry) = draft.world.clauses.get(clause.index()) else { continue };
        for amended in inherited(&draft.world, entry.agreement, &entry.id) {
            let old = draft.world.clause(amended);
            if old.clause.kind() != entry.clause.kind() {
                let (kind, id) = (old.clause.kind(), &entry.id);
                let help = "give it an id of its own, and name the old one in `removes`";
                r.error_help(
                    at,
                    "amends-other-kind",
                    format!("`{id}` would replace a clause of another kind, {kind}"),
                    help,
                );
            }
            cuts.push(Cut { amended, by: entry.agreement, from: entry.from, at: at.clone() });
        }
    }
    for (agreement, removes) in removals {
        for (id, at) in removes {
            let amended = inherited(&draft.world, *agreement, id);
            if amended.is_empty() {
                let message = format!("no parent has a clause `{id}`");
                let lineage = ancestors(&draft.world, *agreement);
                let known = draft.world.clauses.iter().filter(|entry| lineage.contains(&entry.agreement));
                let help = did_you_mean(id, known.map(|entry| entry.id.as_str()));
                match help {
                    Some(help) => r.error_help(at, "unknown-clause", message, help),
                    None => r.error(at, "unknown-clause", message),
                }
            }
            let from = draft.world.agreement(*agreement).from;
            let cut = |amended| Cut { amended, by: *agreement, from, at: at.clone() };
            cuts.extend(amended.into_iter().map(cut));
        }
    }
    note_rivals(&cuts, r, &draft.world);
    for cut in cuts {
        if let Some(entry) = draft.world.clauses.get_mut(cut.amended.index()) {
            entry.until = entry.until.min(cut.from);
        }
    }
}

/// The end that an amendment puts to a clause.
struct Cut {
    amended: ClauseId,
    by: AgreementId,
    from: Timestamp,
    at: Place,
}

/// Two amendments of one clause, neither of which amends the other, would both hold.
fn note_rivals(cuts: &[Cut], r: &mut Reader<'_>, world: &World) {
    for (place, cut) in cuts.iter().enumerate() {
        let rival = cuts.iter().take(place).find(|other| {
            let chained = || {
                ancestors(world, cut.by).contains(&other.by) || ancestors(world, other.by).contains(&cut.by)
            };
            other.amended == cut.amended && other.at != cut.at && !chained()
        });
        if let Some(rival) = rival {
            let (first, id) = (&world.agreement(rival.by).id, &world.clause(cut.amended).id);
            let message = format!("`{first}` replaces or removes `{id}` already");
            let help = format!("name `{first}` as the parent of this amendment, or change the clause once");
            r.error_help(&cut.at, "amended-twice", message, help);
        }
    }
}

/// The agreements that this one amends, nearest first.
pub(crate) fn ancestors(world: &World, id: AgreementId) -> Vec<AgreementId> {
    let parent_of = |id: AgreementId| world.agreements.get(id.index()).and_then(|agreement| agreement.parent);
    core::iter::successors(parent_of(id), |id| parent_of(*id)).take(world.agreements.len()).collect()
}

/// The clauses of that id in the agreement's ancestors.
fn inherited(world: &World, agreement: AgreementId, id: &str) -> Vec<ClauseId> {
    let lineage = ancestors(world, agreement);
    let named = world.entries().filter(|(_, entry)| entry.id == id && lineage.contains(&entry.agreement));
    named.map(|(clause, _)| clause).collect()
}
