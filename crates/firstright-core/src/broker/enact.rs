//! Which law holds? A new one takes over what is known of the old one's places, or is refused whole.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::Broker;
use crate::decision::{Action, Decision};
use crate::state::{PoolState, State};
use crate::text;
use crate::units::Timestamp;
use crate::world::{Pool, World};

impl Broker {
    /// Reads the law and puts it in force, or says what is wrong with it.
    pub(super) fn enact(&mut self, at: Timestamp, sources: &[(String, String)], out: &mut Vec<Decision>) {
        let (world, diagnostics) = text::read(sources);
        let action = match world {
            None => Action::KeepLaw {
                problem: diagnostics
                    .first()
                    .map_or_else(|| "failed to read the law".to_string(), ToString::to_string),
            },
            Some(world) => match self.adopt(world) {
                Ok(()) => Action::Enact,
                Err(problem) => Action::KeepLaw { problem },
            },
        };
        let enacted = action == Action::Enact;
        out.push(Decision { action, grounds: vec![] });
        // The new law may let those serve who could not before.
        if enacted {
            self.serve_queue(at, out);
            self.serve_waiting(at, out);
        }
    }

    /// Puts a world in force, with the numbers that the one before it gave: see [`World::after`].
    pub(crate) fn adopt(&mut self, world: World) -> Result<(), String> {
        let next = match self.state.as_ref() {
            None => State::new(Arc::new(world)),
            Some(state) => {
                let world = world.after(&state.world);
                let world =
                    world.ok_or_else(|| "failed to enact: the book has no numbers left".to_string())?;
                pools_stay(state, &world)?;
                State::new(Arc::new(world))
            }
        };
        let before = self.state.replace(next);
        if let (Some(before), Some(next)) = (before, self.state.as_mut()) {
            carry_over(before, next);
        }
        self.plans = BTreeMap::new();
        self.plans_until = Timestamp(0);
        Ok(())
    }
}

/// Leases name a pool by its place among its provider's: while jobs are open what stands there must stay.
fn pools_stay(state: &State, next: &World) -> Result<(), String> {
    if state.jobs.is_empty() {
        return Ok(());
    }
    for (before, after) in state.world.providers.iter().zip(&next.providers) {
        let same =
            |(a, b): (&Pool, &Pool)| (&a.accelerator, &a.interconnect) == (&b.accelerator, &b.interconnect);
        let stay = before.pools.len() <= after.pools.len() && before.pools.iter().zip(&after.pools).all(same);
        if !stay {
            let id = &before.id;
            return Err(format!(
                "failed to enact: jobs are open, and the pools of `{id}` are others or in another order: add new ones \
                 behind the old ones"
            ));
        }
    }
    Ok(())
}

/// What is known of the old world's places, workloads and accounts goes on under the new one, which has kept its numbers.
fn carry_over(old: State, next: &mut State) {
    let places = next.world.deployments.iter().zip(old.deployments);
    for (fresh, (deployment, known)) in next.deployments.iter_mut().zip(places) {
        let same = core::mem::discriminant(&known.kind()) == core::mem::discriminant(&deployment.capacity);
        if same {
            *fresh = known.under(deployment.capacity);
        }
    }
    for (fresh, known) in next.providers.iter_mut().zip(&old.providers) {
        *fresh = *known;
    }
    for (place, fresh) in &mut next.pools {
        if let Some(known) = old.pools.get(place) {
            *fresh = PoolState { count: fresh.count, ..known.clone() };
        }
    }
    next.ledger = old.ledger;
    next.accounts = old.accounts;
    next.calls = old.calls;
    for (fresh, known) in next.retries.iter_mut().zip(old.retries) {
        *fresh = known;
    }
    next.queue = old.queue;
    next.jobs = old.jobs;
    next.waiting = old.waiting;
    next.offers = old.offers;
    next.leases = old.leases;
    next.deadlines = old.deadlines;
    next.look = old.look;
    next.next_offer = old.next_offer;
    next.next_lease = old.next_lease;
}
