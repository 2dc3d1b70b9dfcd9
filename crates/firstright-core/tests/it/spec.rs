//! Which outcomes are lawful? An executable specification: given the world, what happened and what was decided so far,
//! is this decision one of those that the law allows? It is naive on purpose: nothing is cached, nothing is ranked by
//! price, and every question is answered by going through the whole past again.

use firstright_core::clause::{Act, Answering, CarveOut, Clause, FirstRefusal};
use firstright_core::decision::{Action, Ground};
use firstright_core::fact::{Fact, FailureKind, LeaseEnding, OfferId};
use firstright_core::scope::{Glob, Kinds, Scope};
use firstright_core::title::{Evidence, Place, Title};
use firstright_core::units::Span;
use firstright_core::workload::{CallId, Job, Purpose};
use firstright_core::world::{CapacityKind, ClauseId, PartyId, Tenant};

use crate::past::{Closed, Past};

/// What the law sees of a workload.
struct Subject<'a> {
    job: Option<&'a Job>,
    call: Option<CallId>,
    tenant: &'a Tenant,
    model: Option<&'a str>,
    region: Option<&'a str>,
    class: &'a str,
}

type Check = Result<(), String>;
fn must(holds: bool, what: &str) -> Check {
    if holds { Ok(()) } else { Err(what.to_string()) }
}
fn any(globs: &[Glob], name: &str) -> bool {
    globs.is_empty()
        || globs
            .iter()
            .any(|glob| glob.0.strip_suffix('*').map_or(glob.0 == name, |prefix| name.starts_with(prefix)))
}

impl<'a> Past<'a> {
    /// Is this decision, the `upto`-th of the last record, lawful?
    pub fn lawful(&self, action: &Action, grounds: &[Ground]) -> Check {
        match action {
            Action::Serve { call, deployment, model, reserved, title, .. } => {
                let asked = self.call(*call).ok_or("no such call arrived")?;
                let tenant = self.world.tenant(asked.tenant);
                let permitted = tenant.substitutes.iter().any(|(glob, other)| {
                    any(std::slice::from_ref(glob), self.world.model(asked.model)) && other == model
                });
                must(*model == asked.model || permitted, "a model that the tenant does not permit")?;
                must(
                    any(&tenant.models, self.world.model(asked.model)),
                    "a model that the tenant may not call",
                )?;
                must(*reserved == asked.input + asked.max_output, "another size is reserved")?;
                must(
                    self.serving(*call).is_none() && !self.ended(*call),
                    "the call is served or over already",
                )?;
                let place = Place::Deployment(*deployment);
                must(
                    !self
                        .failed_at(*call)
                        .iter()
                        .any(|(at, kind)| *at == place && *kind != FailureKind::Throttled),
                    "it failed there before",
                )?;
                let subject = Subject {
                    job: None,
                    call: Some(*call),
                    tenant,
                    model: Some(self.world.model(*model)),
                    region: asked.region.as_deref(),
                    class: &tenant.data_class,
                };
                self.may_serve(&subject, place)?;
                if let CapacityKind::Concurrent { limit } = self.world.deployment(*deployment).capacity {
                    must(self.open_at(place) < limit as usize, "more calls at once than it takes")?;
                }
                self.title(&subject, title, place)
            }
            Action::Queue { call, .. }
            | Action::Refuse { call, refusal: firstright_core::decision::Refusal::Capacity { .. } } => {
                let asked = self.call(*call).ok_or("no such call arrived")?;
                let tenant = self.world.tenant(asked.tenant);
                let subject = Subject {
                    job: None,
                    call: Some(*call),
                    tenant,
                    model: Some(self.world.model(asked.model)),
                    region: asked.region.as_deref(),
                    class: &tenant.data_class,
                };
                must(
                    !self
                        .places()
                        .any(|place| self.may_serve(&subject, place).is_ok() && self.surely_free(place)),
                    "a call waits while a place that may serve it is free",
                )
            }
            Action::Offer { job, holder, clause, terms, until, .. } => {
                let subject = self.of_job(self.job(*job).ok_or("no such job")?);
                let rights = self.rights(&subject, false);
                let at = rights
                    .iter()
                    .position(|(id, right)| id == clause && right.holder == *holder)
                    .ok_or("no such right is in force")?;
                must(
                    rights[at].1.answering == Answering::Within(Span(until.0 - self.now().0)),
                    "another window than the clause's",
                )?;
                must(terms.count > 0 && terms.count <= self.unplaced(*job), "more is offered than is left")?;
                must(
                    self.places().any(|place| {
                        self.provider(place).party == *holder && self.may_serve(&subject, place).is_ok()
                    }),
                    "the holder may not serve",
                )?;
                must(
                    self.offers(*job, None).iter().all(|offer| self.closing(*offer).is_some()),
                    "another offer is open for the job",
                )?;
                let again = grounds.iter().any(|ground| matches!(ground, Ground::BetterTerms(_)));
                must(
                    again || self.moved(*job) || !self.released(*job, *clause),
                    "the holder has released it already",
                )?;
                rights[..at].iter().try_for_each(|(id, right)| {
                    must(
                        right.answering == Answering::Standing
                            || self.carved(&subject, right)
                            || self.probation(&subject)
                            || subject.job.is_some_and(|job| job.budget.is_some())
                            || self.released(*job, *id)
                            || !self.places().any(|place| {
                                self.provider(place).party == right.holder
                                    && self.may_serve(&subject, place).is_ok()
                            }),
                        "an earlier right was passed over",
                    )
                })
            }
            Action::Dispatch { job, place, count, title, resumes, .. } => {
                if let Some(Ground::SameLease(before)) = grounds.first() {
                    let same = self.actions().any(|(one, _)| matches!(one, Action::Dispatch { lease, place: at, count: many, title: by, .. } if lease == before && at == place && many == count && by == title));
                    let ended = matches!(self.facts().last(), Some(Fact::LeaseEnded { lease, ending: LeaseEnding::Interrupted, .. }) if lease == before);
                    return must(
                        same && ended && *resumes == Some(*before) && !self.stopped(*job),
                        "it does not go on where it was",
                    );
                }
                let submitted = self.job(*job).ok_or("no such job")?;
                let left = self.unplaced(*job);
                must(*count > 0 && *count <= left, "more is placed than is left")?;
                let subject = self.of_job(submitted);
                self.may_serve(&subject, *place)?;
                let taken = title
                    .holds()
                    .and_then(|clause| self.offers(*job, Some(clause)).last().copied())
                    .and_then(|offer| self.closing(offer))
                    .and_then(|(_, closed)| match closed {
                        Closed::Taken(taken) => Some(taken),
                        _ => None,
                    });
                let within = title.holds().is_some_and(|clause| matches!(&self.world.clause(clause).clause, Clause::FirstRefusal(right) if right.answering != Answering::Standing));
                match taken.filter(|_| within) {
                    Some(taken) => must(taken == *count, "another count than the holder took")?,
                    None => {
                        must(!within, "a right with a window is used without an acceptance")?;
                        must(
                            *count == left
                                || (*count >= submitted.min_chunk && left - count >= submitted.min_chunk),
                            "a piece is smaller than the job allows",
                        )?;
                        must(
                            *count + self.leased(*place) <= self.pool(*place).1,
                            "more is leased than there is",
                        )?;
                    }
                }
                self.title(&subject, title, *place)
            }
            Action::Settle { call, .. } => must(!self.ended(*call), "a call has a second outcome"),
            Action::Finish { job, .. } => must(
                !self
                    .actions()
                    .any(|(one, _)| matches!(one, Action::Finish { job: other, .. } if other == job)),
                "a job is finished twice",
            ),
            _ => Ok(()),
        }
    }

    /// By this title, may this place serve? Every right before it is released, for a reason that the past bears out.
    fn title(&self, subject: &Subject<'a>, title: &Title, place: Place) -> Check {
        // An offer may outlive the term of its right.
        let ended = self.titled(subject, title, place, &self.rights(subject, true));
        ended.or_else(|_| self.titled(subject, title, place, &self.rights(subject, false)))
    }

    fn titled(
        &self,
        subject: &Subject<'a>,
        title: &Title,
        place: Place,
        rights: &[(ClauseId, &'a FirstRefusal)],
    ) -> Check {
        let released = title.releases();
        must(
            released.len() <= rights.len()
                && released.iter().zip(rights).all(|(one, (id, _))| one.clause() == *id),
            "the releases are not those of the rights in order",
        )?;
        match (title.holds(), rights.get(released.len())) {
            (Some(clause), Some((id, right))) => must(
                clause == *id && right.holder == self.provider(place).party,
                "it does not hold the right that it uses",
            )?,
            (None, None) => {}
            _ => return Err("a right before it is neither released nor its own".to_string()),
        }
        for (one, (id, right)) in released.iter().zip(rights) {
            must(!one.evidence().is_empty(), "a release without evidence")?;
            for evidence in one.evidence() {
                must(
                    self.borne_out(subject, *id, right, evidence),
                    &format!("the past does not bear out {evidence:?} of {}", self.world.cite(*id)),
                )?;
            }
            let whole = one.evidence().iter().any(|evidence| {
                matches!(
                    evidence,
                    Evidence::Declined { .. }
                        | Evidence::Silent { .. }
                        | Evidence::PartTaken { .. }
                        | Evidence::CarvedOut { .. }
                        | Evidence::Probation { .. }
                )
            });
            let named = |place: Place| {
                one.evidence().iter().any(|evidence| match evidence {
                    Evidence::Short { place: at, .. }
                    | Evidence::Failed { place: at, .. }
                    | Evidence::Down { place: at, .. }
                    | Evidence::Barred { place: at, .. } => *at == place,
                    Evidence::Lost { provider } => self.world.provider(*provider) == self.provider(place),
                    _ => false,
                })
            };
            must(
                whole
                    || right.answering == Answering::Standing
                    || !self.places().any(|at| {
                        self.provider(at).party == right.holder
                            && self.may_serve(subject, at).is_ok()
                            && !named(at)
                    }),
                "a holder that must be asked was not",
            )?;
            must(
                whole
                    || subject.job.is_some_and(|job| job.budget.is_some())
                    || self.places().all(|at| {
                        self.provider(at).party != right.holder
                            || self.may_serve(subject, at).is_err()
                            || named(at)
                    }),
                "a place of the holder could serve, and nothing is said of it",
            )?;
        }
        Ok(())
    }

    fn borne_out(
        &self,
        subject: &Subject<'a>,
        clause: ClauseId,
        right: &FirstRefusal,
        evidence: &Evidence,
    ) -> bool {
        let own = |place: Place| self.provider(place).party == right.holder;
        let closed = |offer: OfferId, as_said: &dyn Fn(Closed) -> bool| {
            subject.job.is_some_and(|job| {
                self.offers(job.id, Some(clause)).contains(&offer)
                    && self.closing(offer).is_some_and(|(_, how)| as_said(how))
            })
        };
        match evidence {
            Evidence::CarvedOut { which } => {
                right.carve_outs.get(usize::from(*which)).is_some_and(|one| self.carves(subject, one))
            }
            Evidence::Absent => !self.places().any(|place| own(place) && self.fits(subject, place)),
            Evidence::Barred { place, .. } => {
                own(*place)
                    && (self.may_serve(subject, *place).is_err()
                        || subject.job.is_some_and(|job| job.budget.is_some())
                        || !self.exclusives(subject, *place).is_empty())
            }
            Evidence::Short { place, need, free, .. } => {
                own(*place) && free < need && !self.surely_free(*place)
            }
            Evidence::Down { place, .. } => own(*place) && self.failing_since(*place).is_some(),
            Evidence::Failed { place, kind, .. } => {
                own(*place)
                    && subject.call.is_some_and(|call| self.failed_at(call).contains(&(*place, *kind)))
            }
            Evidence::Lost { provider } => {
                self.world.provider(*provider).party == right.holder
                    && subject.job.is_some_and(|job| {
                        self.lost(job.id)
                            .iter()
                            .any(|place| self.provider(*place) == self.world.provider(*provider))
                    })
            }
            Evidence::Probation { clause } => {
                matches!(&self.world.clause(*clause).clause, Clause::Assurance(rule) if rule.qualification.is_some() && self.covers(&rule.scope, subject))
            }
            Evidence::Declined { offer, .. } => closed(*offer, &|how| matches!(how, Closed::Declined)),
            Evidence::Silent { offer, .. } => closed(*offer, &|how| matches!(how, Closed::Silent)),
            Evidence::PartTaken { offer, count } => {
                closed(*offer, &|how| matches!(how, Closed::Taken(taken) if taken == *count))
            }
        }
    }

    fn covers(&self, scope: &Scope, s: &Subject<'_>) -> bool {
        let purpose = s.job.map_or("api", |job| job.purpose.word());
        let labels: Vec<&String> =
            s.tenant.labels.iter().chain(s.job.iter().flat_map(|job| &job.labels)).collect();
        let sized = scope.at_least.is_some() || scope.at_most.is_some() || !scope.accelerators.is_empty();
        (match scope.kinds {
            Kinds::Any => true,
            Kinds::Calls => s.job.is_none(),
            Kinds::Jobs => s.job.is_some(),
        }) && any(&scope.purposes, purpose)
            && any(&scope.tenants, &s.tenant.id)
            && any(&scope.data_classes, s.class)
            && (scope.models.is_empty() || s.model.is_some_and(|model| any(&scope.models, model)))
            && s.region.is_none_or(|region| any(&scope.regions, region))
            && scope
                .labels
                .iter()
                .all(|glob| labels.iter().any(|label| any(std::slice::from_ref(glob), label)))
            && s.job.map_or(!sized, |job| {
                (scope.at_least.unwrap_or(0)..=scope.at_most.unwrap_or(u32::MAX)).contains(&job.count)
                    && (job.accelerators.is_empty()
                        || job.accelerators.iter().any(|one| any(&scope.accelerators, one)))
            })
    }

    fn carved(&self, subject: &Subject<'_>, right: &FirstRefusal) -> bool {
        right.carve_outs.iter().any(|one| self.carves(subject, one))
    }

    fn carves(&self, subject: &Subject<'_>, one: &CarveOut) -> bool {
        match one {
            CarveOut::Scope(scope) => self.covers(scope, subject),
            // What is left to run is at most the whole; the auditor reckons it exactly.
            CarveOut::Emergency(_) => subject.job.is_some_and(|job| !self.lost(job.id).is_empty()),
        }
    }

    fn of_job(&self, job: &'a Job) -> Subject<'a> {
        let tenant = self.world.tenant(job.tenant);
        let class = if job.data_class.is_empty() { &tenant.data_class } else { &job.data_class };
        Subject {
            job: Some(job),
            call: None,
            tenant,
            model: job.model.as_deref(),
            region: job.region.as_deref(),
            class,
        }
    }

    /// The rights in the order of asking; with the one under which the job was last offered, if that ended since.
    fn rights(&self, subject: &Subject<'_>, offered: bool) -> Vec<(ClauseId, &'a FirstRefusal)> {
        let last = subject.job.filter(|_| offered).and_then(|job| self.last_right(job.id));
        let force: Vec<ClauseId> = self.in_force().map(|(id, _)| id).collect();
        let known = self.world.entries().filter(|(id, _)| force.contains(id) || last == Some(*id));
        let mut rights: Vec<(ClauseId, &FirstRefusal)> = known
            .filter_map(|(id, entry)| match &entry.clause {
                Clause::FirstRefusal(right) if self.covers(&right.scope, subject) => Some((id, right)),
                _ => None,
            })
            .collect();
        rights.sort_by_key(|(_, right)| right.rank);
        rights
    }

    /// May a clause keep providers on probation from such work?
    fn probation(&self, subject: &Subject<'_>) -> bool {
        self.in_force().any(|(_, clause)| {
            matches!(clause, Clause::Assurance(one) if one.qualification.is_some() && self.covers(&one.scope, subject))
        })
    }

    fn in_force(&self) -> impl Iterator<Item = (ClauseId, &'a Clause)> {
        let now = self.now();
        self.world
            .entries()
            .filter(move |(_, entry)| entry.from <= now && now < entry.until)
            .map(|(id, entry)| (id, &entry.clause))
    }

    /// Is it the kind of place that the workload needs?
    fn fits(&self, subject: &Subject<'_>, place: Place) -> bool {
        match (place, subject.job) {
            (Place::Deployment(id), None) => {
                Some(self.world.model(self.world.deployment(id).model)) == subject.model
            }
            (Place::Pool(..), Some(job)) => {
                job.accelerators.is_empty() || job.accelerators.iter().any(|one| one == self.pool(place).0)
            }
            _ => false,
        }
    }

    /// May the place serve, by every hard constraint?
    fn may_serve(&self, s: &Subject<'a>, place: Place) -> Check {
        self.admitted(s, place)?;
        self.exclusives(s, place).iter().try_for_each(|(party, outage)| {
            must(outage.is_some_and(|span| self.out(s, *party, span)), "exclusive to another")
        })
    }

    /// Have all of the party's places that could serve been down for so long?
    fn out(&self, s: &Subject<'a>, party: PartyId, span: Span) -> bool {
        let own: Vec<Place> = self
            .places()
            .filter(|place| {
                self.provider(*place).party == party
                    && self.admitted(s, *place).is_ok()
                    && self.exclusives(s, *place).iter().all(|(_, outage)| outage.is_some())
            })
            .collect();
        !own.is_empty()
            && own
                .iter()
                .all(|place| self.failing_since(*place).is_some_and(|since| self.now().since(since) >= span))
    }

    /// By every hard constraint but exclusivity?
    fn admitted(&self, s: &Subject<'a>, place: Place) -> Check {
        let provider = self.provider(place);
        must(self.fits(s, place), "it has no such capacity")?;
        must(s.region.is_none_or(|region| region == provider.region), "another region")?;
        must(any(&s.tenant.jurisdictions, &provider.jurisdiction), "another jurisdiction")?;
        must(
            s.class == "general" || provider.data_classes.iter().any(|class| class == s.class),
            "not approved for the data class",
        )?;
        let act = if s.job.is_some_and(|job| matches!(job.purpose, Purpose::Training | Purpose::FineTuning)) {
            Act::Train
        } else {
            Act::Serve
        };
        let licences = || {
            self.world.clauses.iter().filter_map(|entry| match &entry.clause {
                Clause::Licence(one) if s.model.is_some_and(|model| any(&one.models, model)) => {
                    Some((entry, one))
                }
                _ => None,
            })
        };
        let licensed = licences().any(|(entry, one)| {
            one.licensor == provider.party
                || (entry.from <= self.now()
                    && self.now() < entry.until
                    && one.licensee == provider.party
                    && one.acts.contains(&act)
                    && any(&one.regions, &provider.region))
        });
        must(licences().next().is_none() || licensed, "no licence")?;
        for (_, clause) in self.in_force() {
            let Clause::Assurance(one) = clause else { continue };
            let has = |wanted: &[String], offered: &[String]| wanted.iter().all(|one| offered.contains(one));
            must(
                !self.covers(&one.scope, s)
                    || (has(&one.certifications, &provider.certifications)
                        && any(&one.jurisdictions, &provider.jurisdiction)
                        && any(&one.regions, &provider.region)
                        && has(&one.encryption, &provider.encryption)
                        && (one.attestation.is_empty()
                            || one.attestation.iter().any(|kind| provider.attestation.contains(kind)))),
                "an assurance is lacking",
            )?;
        }
        must(
            !s.job.is_some_and(|job| self.lost(job.id).iter().any(|lost| self.provider(*lost) == provider)),
            "it lost the job",
        )
    }

    /// The exclusivities of others that bind: whose, and what outage suspends them.
    fn exclusives(&self, s: &Subject<'_>, place: Place) -> Vec<(PartyId, Option<Span>)> {
        let own = self.provider(place).party;
        let binding = self.in_force().filter_map(|(_, clause)| match clause {
            Clause::Exclusivity(one)
                if one.party != own
                    && self.covers(&one.scope, s)
                    && !one.exceptions.iter().any(|but| self.covers(but, s)) =>
            {
                Some((one.party, one.outage))
            }
            _ => None,
        });
        binding.collect()
    }
}
