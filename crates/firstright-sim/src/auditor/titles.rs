//! May who serves serve? Nobody is barred, and every right before it was released by something on record.

use firstright_core::clause::FirstRefusal;
use firstright_core::fact::FailureKind;
use firstright_core::title::{Evidence, Place, Title};
use firstright_core::units::{Span, Timestamp};
use firstright_core::workload::Call;
use firstright_core::world::{ClauseId, DeploymentId, PartyId, World};

use super::calls::size;
use super::jobs::Job;
use super::law::Subject;
use super::room::Room;
use super::{Auditor, law, name};

/// What a title's evidence is judged against.
pub(super) enum Evidences<'a> {
    Call(&'a Call, &'a [(DeploymentId, FailureKind, Timestamp)]),
    Job(&'a Job),
}

impl Auditor {
    /// Every hard constraint, and every exclusivity that no outage suspends.
    pub(super) fn may_serve(
        &mut self,
        world: &World,
        subject: &Subject<'_>,
        place: Place,
        job: Option<&Job>,
    ) {
        if let Some(why) = law::barred(world, self.at, subject, place) {
            self.find(format!("{} serves and may not: {why}", name(world, place)));
        }
        for (party, outage) in law::exclusives(world, self.at, subject, place) {
            let out = outage.is_some_and(|span| self.is_out(world, subject, party, span));
            self.must(out, || format!("{} serves what is exclusive to another", name(world, place)));
        }
        let lost = job.is_some_and(|job| job.lost.contains(&law::provider_of(world, place)));
        self.must(!lost, || format!("{} gets a job back that it lost", name(world, place)));
    }

    /// Have all of the party's places that could serve been failing for so long?
    fn is_out(&self, world: &World, subject: &Subject<'_>, party: PartyId, span: Span) -> bool {
        let open = |place: &Place| {
            law::party_of(world, *place) == party
                && law::barred(world, self.at, subject, *place).is_none()
                && law::exclusives(world, self.at, subject, *place).iter().all(|(_, outage)| outage.is_some())
        };
        let own: Vec<Place> = law::places(world).into_iter().filter(open).collect();
        let out = |place: &Place| match place {
            Place::Deployment(id) => {
                self.rooms_of(*id).filter_map(Room::failing_since).any(|since| self.at.since(since) >= span)
            }
            Place::Pool(..) => false,
        };
        !own.is_empty() && own.iter().all(out)
    }

    /// By this title, may the place serve? Every right before it must be released by something on record.
    pub(super) fn title(
        &mut self,
        world: &World,
        subject: &Subject<'_>,
        place: Place,
        title: &Title,
        on: &Evidences<'_>,
    ) {
        // A right by which it was offered may have run out since, and a later one been asked in between.
        let offered: &[ClauseId] = match on {
            Evidences::Job(job) => &job.offered,
            Evidences::Call(..) => &[],
        };
        let wanted = |also| law::rights(world, self.at, subject, also);
        let ids = |rights: &[(ClauseId, &FirstRefusal)]| {
            let released = title.releases();
            let next = rights.get(released.len());
            let holds = match (title.holds(), next) {
                (Some(clause), Some((id, right))) => {
                    clause == *id && right.holder == law::party_of(world, place)
                }
                (None, None) => true,
                _ => false,
            };
            holds && released.iter().zip(rights).all(|(one, (id, _))| one.clause() == *id)
        };
        let mut readings = offered.iter().rev().copied().map(Some).chain([None]).map(wanted);
        let Some(rights) = readings.find(|rights| ids(rights)) else {
            return self
                .find(format!("{} is given work past a right that was not released", name(world, place)));
        };
        for (release, (id, right)) in title.releases().iter().zip(&rights) {
            self.must(!release.evidence().is_empty(), || {
                format!("{} is released without evidence", world.cite(*id))
            });
            for evidence in release.evidence() {
                if let Err(why) = self.borne_out(world, subject, *id, right, evidence, on) {
                    self.find(format!("{} is released by what is not on record: {why}", world.cite(*id)));
                }
            }
            self.all_accounted_for(world, subject, *id, right, release.evidence(), on);
        }
    }

    /// Every place of the holder that could serve must be spoken of, unless the holder itself released.
    fn all_accounted_for(
        &mut self,
        world: &World,
        subject: &Subject<'_>,
        id: ClauseId,
        right: &FirstRefusal,
        evidence: &[Evidence],
        on: &Evidences<'_>,
    ) {
        let by_itself = evidence.iter().any(|one| {
            matches!(
                one,
                Evidence::Declined { .. }
                    | Evidence::Silent { .. }
                    | Evidence::PartTaken { .. }
                    | Evidence::CarvedOut { .. }
                    | Evidence::Probation { .. }
            )
        });
        // What a job may cost bars places too, and is judged where it is placed.
        if by_itself || subject.job.is_some_and(|job| job.budget.is_some()) {
            return;
        }
        for place in law::places(world) {
            let lost =
                matches!(on, Evidences::Job(job) if job.lost.contains(&law::provider_of(world, place)));
            let could = law::party_of(world, place) == right.holder
                && !lost
                && law::barred(world, self.at, subject, place).is_none()
                && law::exclusives(world, self.at, subject, place).is_empty();
            let named = evidence.iter().any(|one| match one {
                Evidence::Short { place: at, .. }
                | Evidence::Down { place: at, .. }
                | Evidence::SetAside { place: at, .. }
                | Evidence::Slowed { place: at, .. }
                | Evidence::Failed { place: at, .. } => *at == place,
                _ => false,
            });
            self.must(!could || named, || {
                format!(
                    "{} could serve under {}, and nothing on record says why not",
                    name(world, place),
                    world.cite(id)
                )
            });
        }
    }

    fn borne_out(
        &self,
        world: &World,
        subject: &Subject<'_>,
        clause: ClauseId,
        right: &FirstRefusal,
        evidence: &Evidence,
        on: &Evidences<'_>,
    ) -> Result<(), String> {
        let own = |place: &Place| law::party_of(world, *place) == right.holder;
        let holds = match (evidence, on) {
            (Evidence::Short { place, need, free, .. }, Evidences::Job(job)) => {
                let known = self.free(world, *place);
                own(place) && free < need && *need <= u64::from(job.unplaced) && *free <= u64::from(known)
            }
            (
                Evidence::Short { place, .. }
                | Evidence::Down { place, .. }
                | Evidence::Slowed { place, .. }
                | Evidence::SetAside { place, .. }
                | Evidence::Failed { place, .. },
                _,
            ) => own(place) && self.stood_so(world, evidence, on),
            (Evidence::Lost { provider }, Evidences::Job(job)) => {
                world.provider(*provider).party == right.holder && job.was_lost_by(*provider)
            }
            (Evidence::Barred { place, .. }, _) => {
                own(place)
                    && (law::barred(world, self.at, subject, *place).is_some()
                        || !law::exclusives(world, self.at, subject, *place).is_empty()
                        || subject.job.is_some_and(|job| job.budget.is_some()))
            }
            (Evidence::Absent, _) => {
                !law::places(world).iter().any(|place| own(place) && law::suits(world, subject, *place))
            }
            (Evidence::Probation { .. }, _) => world
                .providers
                .iter()
                .any(|one| one.party == right.holder && law::probation(world, self.at, subject, &one.id)),
            (Evidence::CarvedOut { which }, on) => {
                let left = match on {
                    Evidences::Job(job) if !job.lost.is_empty() => Some(job.left),
                    _ => None,
                };
                right.carve_outs.get(usize::from(*which)).is_some_and(|one| law::carves(one, subject, left))
            }
            (
                Evidence::Declined { offer, .. }
                | Evidence::Silent { offer, .. }
                | Evidence::PartTaken { offer, .. },
                Evidences::Job(job),
            ) => self.closed_so(*offer, clause, job.id, evidence),
            _ => false,
        };
        if holds { Ok(()) } else { Err(format!("{evidence:?}")) }
    }

    /// Did a deployment stand as the evidence says?
    fn stood_so(&self, world: &World, evidence: &Evidence, on: &Evidences<'_>) -> bool {
        let room = |place: &Place, says: &dyn Fn(&Room) -> bool| match place {
            Place::Deployment(id) => self.rooms_of(*id).any(says),
            Place::Pool(..) => false,
        };
        match (evidence, on) {
            (Evidence::Short { place, need, free, observed_at }, Evidences::Call(call, _)) => {
                let size = *need == size(call) || *need == 1;
                let said = *observed_at <= self.at && free < need && size;
                let kept = self.kept(world, call.id);
                said && room(place, &|room| room.is_short(self.at, *need, kept))
            }
            (Evidence::Down { place, since, .. }, _) => {
                room(place, &|room| room.failing_since() == Some(*since))
            }
            (Evidence::Slowed { place, open, limit, .. }, _) => {
                limit <= open && room(place, &|room| room.slowed() == Some(i64::from(*open)))
            }
            (Evidence::SetAside { place, since }, _) => {
                room(place, &|room| room.refusing_since() == Some(*since))
            }
            (Evidence::Failed { place, kind, at, .. }, Evidences::Call(_, failed)) => {
                let same = |one: &(DeploymentId, FailureKind, Timestamp)| {
                    (Place::Deployment(one.0), one.1, one.2) == (*place, *kind, *at)
                };
                failed.iter().any(same)
            }
            _ => false,
        }
    }
}
