//! Who may serve? The hard constraints, one after the other: kind of place, region, jurisdiction, data class, licence,
//! assurance, exclusivity with its outages, and what probation leaves.

use firstright_core::clause::{Act, Clause, Licence};
use firstright_core::fact::FailureKind;
use firstright_core::scope::any;
use firstright_core::title::Place;
use firstright_core::units::{SECOND, Span, Timestamp};
use firstright_core::workload::{CallId, JobId, View};
use firstright_core::world::{ClauseId, Entry, ModelId, PartyId, ProviderId};

use crate::past::{CallPast, JobPast, Past, PlacePast};
use crate::spec::must;

/// A workload as the law sees it, and what became of it so far.
pub struct Work<'a> {
    pub view: View<'a>,
    pub call: Option<&'a CallPast<'a>>,
    pub job: Option<&'a JobPast<'a>>,
    /// Accelerators that are not placed yet; 1 for a call.
    pub left: u32,
}

impl Past<'_> {
    pub fn call(&self, id: CallId, model: ModelId) -> Result<Work<'_>, String> {
        let past = &self.calls[&id];
        must(past.serving.is_none() && !past.ended, "it is served, or had its one outcome")?;
        let view = View::of_call(self.world, past.call, model);
        Ok(Work { view, call: Some(past), job: None, left: 1 })
    }

    pub fn job(&self, id: JobId) -> Result<Work<'_>, String> {
        let past = &self.jobs[&id];
        must(past.unplaced > 0, "nothing of it is left to place")?;
        Ok(Work {
            view: View::of_job(self.world, past.job),
            call: None,
            job: Some(past),
            left: past.unplaced,
        })
    }

    /// Is it the kind of place that does such work?
    pub fn fits(&self, work: &Work<'_>, place: Place) -> bool {
        match place {
            Place::Deployment(id) => {
                let placed_by = work.view.kept.or(work.view.model);
                work.call.is_some() && placed_by == Some(self.world.model(self.world.deployment(id).model))
            }
            Place::Pool(..) => work.job.is_some(),
        }
    }

    pub fn places(&self, work: &Work<'_>, party: PartyId) -> Vec<Place> {
        let own = |place: &Place| self.provider(*place).party == party && self.fits(work, *place);
        self.every_place().filter(own).collect()
    }

    /// May the place serve, by the law and by what happened to this work?
    pub fn may(&self, work: &Work<'_>, place: Place) -> bool {
        let failed =
            |(_, at, kind): &(Timestamp, Place, FailureKind)| *at == place && *kind != FailureKind::Throttled;
        let tried = work.call.is_some_and(|call| call.failures.iter().any(failed)); // [CH-11]
        let lost = work.job.is_some_and(|job| job.lost.contains(&self.provider_id(place))); // [FR-19]
        self.fits(work, place) && !tried && !lost && self.admits(work, place)
    }

    /// Does no hard constraint bar it?
    pub fn admits(&self, work: &Work<'_>, place: Place) -> bool {
        let suspended = |(party, outage): &(PartyId, Option<Span>)| {
            let able = |at: &Place| {
                self.qualifies(work, *at) && self.exclusive(work, *at).iter().all(|one| one.1.is_some())
            };
            let own: Vec<Place> = self.places(work, *party).into_iter().filter(able).collect();
            let out = |at: &Place| {
                self.down(*at).zip(*outage).is_some_and(|(since, least)| self.now.since(since) >= least)
            };
            !own.is_empty() && own.iter().all(out) // [EX-4]
        };
        self.qualifies(work, place) && self.exclusive(work, place).iter().all(suspended) // [EX-5]
    }

    /// [EX-1] [EX-2] To whom else the work is exclusive, and what outage suspends that.
    pub fn exclusive(&self, work: &Work<'_>, place: Place) -> Vec<(PartyId, Option<Span>)> {
        let binding = self.world.in_force(self.now).filter_map(|(_, entry)| match &entry.clause {
            Clause::Exclusivity(one) if one.party != self.provider(place).party && one.binds(&work.view) => {
                Some((one.party, one.outage))
            }
            _ => None,
        });
        binding.collect()
    }

    /// Every hard constraint but exclusivity.
    pub fn qualifies(&self, work: &Work<'_>, place: Place) -> bool {
        let (provider, view) = (self.provider(place), &work.view);
        let tenant = self.world.tenants.iter().find(|one| one.id == view.tenant).expect("its tenant");
        let fit = work.job.is_none_or(|job| {
            let Place::Pool(_, nth) = place else { return false };
            let (pool, kinds) = (&provider.pools[usize::from(nth)], &job.job.accelerators);
            (kinds.is_empty() || kinds.contains(&pool.accelerator))
                && job.job.interconnect.as_ref().is_none_or(|one| *one == pool.interconnect)
        }); // [CH-9]
        let region = view.region.is_none_or(|region| region == provider.region); // [CH-8]
        let key = work.call.is_none_or(|call| self.lets_serve(call.call, provider)); // [AC-3]
        let home = view.home.is_none_or(|home| home == self.provider_id(place)); // [HO-1]
        let runs = view.kept.is_none_or(|_| {
            let mut own = self.world.deployments.iter().filter(|one| one.provider == self.provider_id(place));
            own.any(|one| Some(self.world.model(one.model)) == view.model)
        }); // [HO-2]
        let jurisdiction = any(&tenant.jurisdictions, &provider.jurisdiction); // [TE-2]
        let class =
            view.data_class == "general" || provider.data_classes.iter().any(|one| one == view.data_class); // [AS-4]
        let model = view.model.is_none_or(|model| {
            let mut governing = self.world.clauses.iter().filter_map(|entry| match &entry.clause {
                Clause::Licence(one) if any(&one.models, model) => Some((entry, one)),
                _ => None,
            });
            let licensed = |(entry, one): (&Entry, &Licence)| {
                let act = one.acts.contains(&Act::of(view)) && any(&one.regions, &provider.region);
                one.licensor == provider.party
                    || (entry.in_force(self.now) && one.licensee == provider.party && act)
            };
            governing.clone().next().is_none() || governing.any(licensed)
        }); // [LI-1] to [LI-5]
        let assured = self.world.in_force(self.now).all(|(_, entry)| match &entry.clause {
            Clause::Assurance(one) if one.scope.matches(view) => {
                one.certifications.iter().all(|wanted| provider.certifications.contains(wanted)) // [AS-1]
                    && any(&one.jurisdictions, &provider.jurisdiction) && any(&one.regions, &provider.region) // [AS-2]
                    && (one.attestation.is_empty() || one.attestation.iter().any(|kind| provider.attestation.contains(kind))) // [AS-3]
                    && one.encryption.iter().all(|wanted| provider.encryption.contains(wanted))
            }
            _ => true,
        });
        fit && region && key && home && runs && jurisdiction && class && model && assured
    }

    /// [AS-5] [AS-6] The qualification that the provider is under, and how much more it may be given.
    pub fn probation(&self, work: &Work<'_>, provider: ProviderId) -> Option<(ClauseId, u32)> {
        let (id, rule) = self.world.in_force(self.now).find_map(|(id, entry)| match &entry.clause {
            Clause::Assurance(one) if one.scope.matches(&work.view) => {
                let rule = one.qualification.as_ref()?;
                let named =
                    !rule.providers.is_empty() && any(&rule.providers, &self.world.provider(provider).id);
                named.then_some((id, rule))
            }
            _ => None,
        })?;
        let (calls, leased) = self.used(|at| self.provider_id(at) == provider);
        let most = if work.view.is_job {
            rule.accelerators.saturating_sub(leased)
        } else {
            rule.calls.saturating_sub(calls)
        };
        (self.good_runs.get(&provider).copied().unwrap_or(0) < rule.good_runs).then_some((id, most))
    }

    /// [CA-7] Since when it has been failing, if nothing may be sent there.
    pub fn down(&self, place: Place) -> Option<Timestamp> {
        self.resting(place, 5, |known| &known.failures)
    }

    /// [CA-10] Since when it has refused our credentials, if nothing may be sent there.
    pub fn set_aside(&self, place: Place) -> Option<Timestamp> {
        self.resting(place, 1, |known| &known.refusals)
    }

    fn resting(
        &self,
        place: Place,
        most: usize,
        of: impl Fn(&PlacePast) -> &Vec<Timestamp>,
    ) -> Option<Timestamp> {
        let known = self.places.get(&place).filter(|known| of(known).len() >= most)?;
        let pause = Span(((5 * SECOND) << (of(known).len() - most).min(6)).min(300 * SECOND));
        (known.asked || self.now < of(known).last()?.plus(pause)).then_some(of(known)[0])
    }
}
