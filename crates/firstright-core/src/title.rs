//! By what title may a provider serve? As holder of the right, or because every holder before it has released.
//!
//! A [`Title`] can be had only from a [`Passage`], which goes through the rights in order and lets none be passed
//! without evidence. Every placement needs a title, so a placement away from a holder without its evidence cannot be
//! constructed.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::capacity::{Shortage, Why};
use crate::fact::{FailureKind, OfferId};
use crate::units::Timestamp;
use crate::world::{ClauseId, DeploymentId, Digest, PartyId, ProviderId};

/// Where work can be put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Place {
    /// A deployment, for calls.
    Deployment(DeploymentId),
    /// The n-th pool of a provider, for jobs.
    Pool(ProviderId, u16),
}

/// A right in the order of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    /// The first-refusal clause.
    pub clause: ClauseId,
    /// Whose it is.
    pub holder: PartyId,
}

/// Why a holder does not serve: what a right was released by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence {
    /// Its published capacity was short.
    Short {
        /// Where.
        place: Place,
        /// Tokens, calls or accelerators needed.
        need: u64,
        /// What was free.
        free: u64,
        /// When that was last known.
        observed_at: Timestamp,
    },
    /// It was tried, and failed or throttled this very call.
    Failed {
        /// Where.
        place: Place,
        /// How.
        kind: FailureKind,
        /// The HTTP status, or 0.
        status: u16,
        /// When.
        at: Timestamp,
        /// SHA-256 of the answer's status and headers.
        evidence: Digest,
    },
    /// It has been failing.
    Down {
        /// Where.
        place: Place,
        /// Since when.
        since: Timestamp,
        /// Failures in a row.
        failures: u32,
    },
    /// It lost this job's lease.
    Lost {
        /// Where.
        provider: ProviderId,
    },
    /// It is on probation and has all that probation allows.
    Probation {
        /// The assurance clause.
        clause: ClauseId,
    },
    /// A hard constraint keeps it from serving.
    Barred {
        /// Where.
        place: Place,
        /// Which constraint.
        bar: Bar,
    },
    /// It has no place for such work.
    Absent,
    /// It declined.
    Declined {
        /// Which offer.
        offer: OfferId,
        /// When.
        at: Timestamp,
    },
    /// It was silent until the window's end, and silence declines.
    Silent {
        /// Which offer.
        offer: OfferId,
        /// The window's end.
        until: Timestamp,
    },
    /// It took a part, and released the rest.
    PartTaken {
        /// Which offer.
        offer: OfferId,
        /// How many accelerators it took.
        count: u32,
    },
    /// The clause does not reach this workload.
    CarvedOut {
        /// The carve-out's place in the clause's list.
        which: u16,
    },
    /// It answers much later than usual, and has as many calls as it is given so long.
    Slowed {
        /// Where.
        place: Place,
        /// Recent first bytes in percent of the usual.
        percent: u32,
        /// Calls in flight.
        open: u32,
        /// Calls that it is given at once.
        limit: u32,
    },
    /// It refuses our credentials.
    SetAside {
        /// Where.
        place: Place,
        /// Since when.
        since: Timestamp,
    },
}

/// Which hard constraint keeps a place from serving a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Bar {
    /// The caller asked for another region.
    Region,
    /// The tenant's work may not run in this jurisdiction.
    Jurisdiction,
    /// The provider is not approved for the data class.
    DataClass,
    /// No licence in force lets it handle the model.
    Licence(ClauseId),
    /// Only another party may serve.
    Exclusive(ClauseId),
    /// It lacks a certification.
    Certification(ClauseId),
    /// It is outside the residency.
    Residency(ClauseId),
    /// It lacks attestation.
    Attestation(ClauseId),
    /// It lacks encryption.
    Encryption(ClauseId),
    /// It has no accelerator that will do.
    Accelerator,
    /// Its interconnect will not do.
    Interconnect,
    /// It would cost more than the job's budget.
    Budget,
    /// What the call continues lives at another provider.
    Home,
    /// The call's key may not be served in this region.
    KeyRegion,
    /// It has no deployment of the model that is to run where this is kept.
    Runs,
}

/// Rights that were released, each with its evidence, and the right that is used, if any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Title {
    holds: Option<ClauseId>,
    releases: Vec<Release>,
}

/// A right released, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    clause: ClauseId,
    evidence: Vec<Evidence>,
}

impl Title {
    /// The right under which the provider serves, if it serves as a holder.
    pub fn holds(&self) -> Option<ClauseId> {
        self.holds
    }

    /// The rights that came before, and what each was released by.
    pub fn releases(&self) -> &[Release] {
        &self.releases
    }
}

impl Release {
    /// Which first-refusal clause.
    pub fn clause(&self) -> ClauseId {
        self.clause
    }

    /// By what: at least one piece.
    pub fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }
}

impl Evidence {
    /// What [`crate::capacity::Capacity::room`] found.
    pub(crate) fn of_shortage(place: Place, shortage: &Shortage) -> Evidence {
        match shortage.why() {
            Why::Down { since, failures } => return Evidence::Down { place, since, failures },
            Why::SetAside { since } => return Evidence::SetAside { place, since },
            Why::Slowed { percent, open, limit } => return Evidence::Slowed { place, percent, open, limit },
            Why::Full => {}
        }
        Evidence::Short {
            place,
            need: shortage.need(),
            free: shortage.free(),
            observed_at: shortage.observed_at(),
        }
    }
}

/// A walk through the rights in order. [FR-1] [FR-2]
pub(crate) struct Passage<'a> {
    rights: &'a [Right],
    releases: Vec<Release>,
}

impl<'a> Passage<'a> {
    /// Before the first right.
    //= rights/first-refusal.md#FR-2
    pub(crate) fn new(rights: &'a [Right]) -> Passage<'a> {
        Passage { rights, releases: Vec::new() }
    }

    /// The right that stands in the way.
    pub(crate) fn next(&self) -> Option<Right> {
        self.rights.get(self.releases.len()).copied()
    }

    /// Passes the next right. Evidence must not be empty: a release without any is a bug.
    //= rights/first-refusal.md#FR-20
    pub(crate) fn release(&mut self, evidence: Vec<Evidence>) {
        assert!(!evidence.is_empty(), "a right was released without evidence");
        if let Some(right) = self.next() {
            self.releases.push(Release { clause: right.clause, evidence });
        }
    }

    /// The title of `party`: as holder of the next right, or because no right is left. `None` while another's right
    /// stands.
    //= rights/first-refusal.md#FR-1
    pub(crate) fn title(self, party: PartyId) -> Option<Title> {
        let holds = match self.next() {
            Some(right) if right.holder == party => Some(right.clause),
            Some(_) => return None,
            None => None,
        };
        Some(Title { holds, releases: self.releases })
    }

    /// Did this party let the work pass when it was asked? Then it is not given the work after all.
    pub(crate) fn declined(&self, party: PartyId) -> bool {
        self.let_pass().any(|(holder, _)| holder == party)
    }

    /// The holders that were asked and let the work pass, each with what it said.
    //= rights/first-refusal.md#FR-7
    pub(crate) fn let_pass(&self) -> impl Iterator<Item = (PartyId, &Evidence)> {
        let passed = |evidence: &&Evidence| {
            matches!(
                evidence,
                Evidence::Declined { .. } | Evidence::Silent { .. } | Evidence::PartTaken { .. }
            )
        };
        let walked = self.rights.iter().zip(&self.releases);
        walked.flat_map(move |(right, release)| {
            release.evidence.iter().filter(passed).map(|one| (right.holder, one))
        })
    }
}
