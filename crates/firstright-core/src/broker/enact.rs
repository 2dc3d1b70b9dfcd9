//! Which law holds? A new one takes over what is known of the old one's places, or is refused whole.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::Broker;
use crate::capacity::Capacity;
use crate::decision::{Action, Decision};
use crate::state::{PoolState, Standing, State};
use crate::text;
use crate::units::Timestamp;
use crate::world::{ClauseId, PartyId, ProviderId, World};

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
            Some(world) => match self.adopt(Arc::new(world)) {
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

    /// Puts a world in force. While workloads are open their places must exist in the new world in the same order:
    /// facts name them by number.
    pub(crate) fn adopt(&mut self, world: Arc<World>) -> Result<(), String> {
        let mut next = State::new(world);
        if let Some(state) = self.state.take() {
            let idle = state.calls.is_empty() && state.jobs.is_empty();
            if !idle && !extends(&state.world, &next.world) {
                self.state = Some(state);
                return Err("failed to enact: workloads are open, and the new law renumbers what they use"
                    .to_string());
            }
            carry_over(state, &mut next);
        }
        self.state = Some(next);
        self.plans = BTreeMap::new();
        self.plans_until = Timestamp(0);
        Ok(())
    }
}

/// Does the new world keep everything that facts name by number?
fn extends(old: &World, new: &World) -> bool {
    fn prefix<T, K: PartialEq>(old: &[T], new: &[T], key: impl Fn(&T) -> K) -> bool {
        old.len() <= new.len() && old.iter().zip(new).all(|(a, b)| key(a) == key(b))
    }
    prefix(&old.parties, &new.parties, |one| one.id.clone())
        && prefix(&old.providers, &new.providers, |one| (one.id.clone(), one.pools.len()))
        && prefix(&old.deployments, &new.deployments, |one| (one.id.clone(), one.model))
        && prefix(&old.tenants, &new.tenants, |one| one.id.clone())
        && prefix(&old.models, &new.models, Clone::clone)
        && prefix(&old.clauses, &new.clauses, |one| one.id.clone())
}

/// What is known of the old world's places, workloads and accounts goes on under the new one.
fn carry_over(old: State, next: &mut State) {
    for (place, deployment) in next.world.deployments.iter().enumerate() {
        let known = old.world.find_deployment(&deployment.id).and_then(|id| old.deployments.get(id.index()));
        let fresh = next.deployments.get_mut(place);
        if let (Some(known), Some(fresh)) = (known, fresh) {
            let same =
                core::mem::discriminant(&known.kind()) == core::mem::discriminant(&deployment.capacity);
            *fresh = if same {
                known.clone().under(deployment.capacity)
            } else {
                Capacity::new(deployment.capacity)
            };
        }
    }
    for (provider, id) in next.world.providers.iter().zip(0u16..) {
        let Some(before) = old.world.find_provider(&provider.id) else { continue };
        if let Some(fresh) = next.providers.get_mut(usize::from(id)) {
            *fresh = old.providers.get(before.index()).copied().unwrap_or(Standing::default());
        }
        for (pool, nth) in provider.pools.iter().zip(0u16..) {
            let known = old.pools.get(&(before, nth));
            if let Some(known) = known {
                let kept = PoolState { count: pool.count, ..known.clone() };
                next.pools.insert((ProviderId(id), nth), kept);
            }
        }
    }
    let clause = |id: ClauseId| {
        let cite = old.world.cite(id);
        next.world.entries().map(|(new, _)| new).find(|new| next.world.cite(*new) == cite)
    };
    let party = |id: PartyId| next.world.find_party(&old.world.party(id).id);
    next.ledger = old.ledger.under(clause, party);
    next.accounts = old.accounts;
    next.calls = old.calls;
    for (tenant, retries) in next.world.tenants.iter().zip(&mut next.retries) {
        let known = old.world.find_tenant(&tenant.id).and_then(|id| old.retries.get(id.index()));
        *retries = known.cloned().unwrap_or_default();
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
