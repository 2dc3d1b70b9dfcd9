//! Who may wait, whose turn is it, and who may be turned away to make room? `docs/rights/choosing.md` from CH-16 on, and
//! what a holder that will have room soon is waited for. How much room there is, is not reckoned here.

use firstright_core::decision::Ground;
use firstright_core::title::Place;
use firstright_core::units::{SECOND, Span, Timestamp};
use firstright_core::workload::CallId;
use firstright_core::world::{Class, Tenant};

use crate::past::{CallPast, Past};
use crate::spec::{Check, must};

impl<'a> Past<'a> {
    fn tenant(&self, call: &CallPast<'_>) -> &'a Tenant {
        self.world.tenant(call.call.tenant)
    }

    fn waiting(&self) -> impl Iterator<Item = &CallPast<'a>> {
        self.calls.values().filter(|call| call.waits)
    }

    /// [CH-5] [FR-21] As long as its tenant lets it, for room or for the one that it would rather have.
    pub fn may_wait(&self, id: CallId, until: Timestamp, grounds: &[Ground]) -> Check {
        let call = &self.calls[&id];
        let tenant = self.tenant(call);
        let (most, patience) = (call.arrived.plus(tenant.max_wait), call.arrived.plus(tenant.spill_after));
        must(!call.waits, "it waits already")?;
        must(until == most.max(patience) && self.now < until, "it waits for another time")?;
        must(self.waiting().count() < self.world.limits.waiting as usize, "more wait than may")?; // [CH-17]
        let awaits = grounds.iter().find_map(|ground| match ground {
            Ground::Awaits(place, again) => Some((*place, *again)),
            _ => None,
        });
        let work = self.call(id, call.call.model)?;
        match awaits {
            Some((place, again)) => {
                must(self.now < again && again < patience, "room is not expected in time")?; // [CA-11]
                must(self.may(&work, place), "it waits for a place that may not serve")
            }
            None => must(self.now < most, "nobody has room, and it may not wait"),
        }
    }

    /// [CH-17] [CH-18] Those who wait are served in their order. Judged between calls that are decided alike but for their
    /// size; what came just now may find room that the others were not tried for yet.
    pub fn in_turn(&self, id: CallId, as_asked: bool, place: Place, grounds: &[Ground]) -> Check {
        let call = &self.calls[&id];
        if grounds.contains(&Ground::LastResort) {
            let work = self.call(id, call.call.model)?;
            let mut places = self.every_place().filter(|at| self.may(&work, *at));
            if self.down(place).is_some() {
                must(places.all(|at| self.down(at).is_some()), "others are not failing")?; // [CH-21]
                let since = self.places[&place].failures.last().copied().unwrap_or_default();
                must(self.now.since(since) >= Span(2 * SECOND), "it has not rested")?;
            } else {
                must(self.was_late(place), "it is neither failing nor slowed")?;
            }
        }
        if !call.waits || !as_asked {
            return Ok(());
        }
        let comes_first = |other: &&CallPast<'_>| {
            let (own, theirs) = (self.tenant(call), self.tenant(other));
            let plain = |one: &CallPast<'_>| {
                let free = one.call.region.is_none() && one.call.home.is_none() && one.call.key.is_none();
                free && one.failures.is_empty() && !one.call.trains && one.call.runs.is_none()
            };
            let patient = |one: &CallPast<'_>| self.now < one.arrived.plus(self.tenant(one).spill_after);
            let alike = plain(call) && plain(other) && other.call.model == call.call.model;
            let same = other.call.tenant == call.call.tenant && other.arrived < call.arrived;
            let higher = theirs.class < own.class
                && (&theirs.jurisdictions, &theirs.data_class, &theirs.labels)
                    == (&own.jurisdictions, &own.data_class, &own.labels);
            alike
                && patient(call) == patient(other)
                && other.need() <= call.need()
                && (same || self.all(higher))
        };
        must(!self.waiting().any(|other| comes_first(&other)), "another comes before it")
    }

    /// A higher class comes first where the law makes no difference between tenants.
    fn all(&self, higher: bool) -> bool {
        use firstright_core::clause::Clause;
        let named = self.world.entries().any(|(_, entry)| match &entry.clause {
            Clause::FirstRefusal(one) => !one.scope.tenants.is_empty() || !one.carve_outs.is_empty(),
            Clause::Exclusivity(one) => !one.scope.tenants.is_empty() || !one.exceptions.is_empty(),
            Clause::Assurance(one) => !one.scope.tenants.is_empty(),
            Clause::Commitment(one) => !one.scope.tenants.is_empty(),
            _ => false,
        });
        higher && !named
    }

    /// Was it turned away for the reason that is given?
    pub fn may_refuse(&self, id: CallId, grounds: &[Ground]) -> Check {
        let call = &self.calls[&id];
        let tenant = self.tenant(call);
        for ground in grounds {
            match ground {
                Ground::Shed(other) => {
                    let other = &self.calls[other];
                    let full = self.waiting().count() >= self.world.limits.waiting as usize;
                    must(call.waits && full && !other.waits, "there was room to wait")?;
                    must(self.tenant(other).class <= tenant.class, "a lower class comes before it")?; // [CH-17]
                    let last = self.waiting().map(|one| self.tenant(one).class).max();
                    must(last == Some(tenant.class), "another is of a lower class")?;
                }
                Ground::Crowded(class, open) => {
                    let now = self.calls.values().filter(|one| !one.ended).count() - 1;
                    let share = match class {
                        Class::Critical => 100,
                        Class::Standard => 95,
                        Class::Sheddable => 75,
                        Class::Batch => 50,
                    };
                    must(*class == tenant.class && *open as usize == now, "as many are not open")?;
                    must(now * 100 >= self.world.limits.open as usize * share, "there was room for it")?; // [CH-19]
                }
                Ground::Retries(made, _) => {
                    let own = || self.calls.values().filter(|one| one.call.tenant == call.call.tenant);
                    let recent = |at: Timestamp, within: u64| self.now.since(at) < Span(within * SECOND);
                    let retries = own().flat_map(|one| &one.retried).filter(|at| recent(**at, 120)).count();
                    let came = own().filter(|one| one.call.hedges.is_none() && recent(one.came, 110)).count();
                    must(retries <= *made as usize + 10, "other retries were made")?;
                    must((*made as usize + 1) * 10 > came && *made >= 10, "another may be made")?; // [CH-16]
                }
                _ => {}
            }
        }
        Ok(())
    }
}
