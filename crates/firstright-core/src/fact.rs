//! What was observed? Facts are in the past tense, and carry sizes, names and ids: never a prompt, never a secret.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::units::{Money, Span, Timestamp};
use crate::usage::{Tier, Usage};
use crate::workload::{Call, CallId, Job, JobId};
use crate::world::{DeploymentId, Digest, ModelId, PartyId, ProviderId};

/// Something observed. The order of the variants is part of the journal's format: add at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// The law that holds from here on: names and texts of its files, so that the journal can be verified alone.
    Enacted {
        /// (name, text) of each file, in order.
        sources: Vec<(String, String)>,
    },
    /// Time passed: a deadline is due.
    Ticked,
    /// A call arrived.
    CallArrived(Call),
    /// An attempt at a provider failed before its first content byte.
    AttemptFailed {
        /// Which call.
        call: CallId,
        /// How.
        failure: Failure,
    },
    /// A call ended, and this is what it used.
    CallSettled {
        /// Which call.
        call: CallId,
        /// What it used.
        usage: Usage,
        /// The tier that served it.
        tier: Tier,
        /// Who says so.
        source: Source,
        /// How it ended.
        ending: Ending,
        /// From dialling to the first byte of the answer.
        first_byte: Span,
        /// What the answer's headers said of the deployment's capacity.
        observed: Option<Observation>,
        /// The model that it ran where it was served, if that is another than it was decided for: what is kept at a provider
        /// (a batch) names its model only there.
        ran: Option<ModelId>,
    },
    /// The caller went away while its call was queued or before it was served.
    CallAbandoned {
        /// Which call.
        call: CallId,
    },
    /// A deployment's capacity was observed outside a call.
    CapacityObserved {
        /// Which deployment.
        deployment: DeploymentId,
        /// What was seen.
        observation: Observation,
    },
    /// A job was submitted.
    JobSubmitted(Job),
    /// A party answered an offer.
    Answered {
        /// Which offer.
        offer: OfferId,
        /// Who answered.
        by: PartyId,
        /// What it said.
        answer: Answer,
    },
    /// The operator answered a holder's counter.
    CounterAnswered {
        /// Which offer.
        offer: OfferId,
        /// Did it agree?
        agreed: bool,
    },
    /// A third party quoted for a job, bona fide.
    Quoted {
        /// Which job.
        job: JobId,
        /// Who quoted.
        provider: ProviderId,
        /// Per accelerator-hour.
        hour: Money,
        /// Until when the quote is firm.
        until: Timestamp,
    },
    /// A provider declared how many accelerators of a kind it has free.
    PoolDeclared {
        /// Which provider.
        provider: ProviderId,
        /// Which kind.
        accelerator: String,
        /// How many are free now.
        free: u32,
    },
    /// A lease's work began to run in an engine.
    LeaseStarted {
        /// Which lease.
        lease: LeaseId,
        /// What the engine calls it, for example a process id.
        engine: String,
    },
    /// A lease was metered: so much since the last time.
    LeaseMetered {
        /// Which lease.
        lease: LeaseId,
        /// Accelerator-seconds.
        accelerator_seconds: u64,
    },
    /// A lease's work ended.
    LeaseEnded {
        /// Which lease.
        lease: LeaseId,
        /// How.
        ending: LeaseEnding,
        /// Accelerator-seconds since it was last metered.
        accelerator_seconds: u64,
    },
    /// The owner cancelled a job.
    JobCancelled {
        /// Which job.
        job: JobId,
    },
    /// An account was made, or set anew.
    AccountSet {
        /// As it is from here on.
        account: Account,
    },
    /// A key was drawn anew; the one before it lives on for a while.
    KeyRotated {
        /// The account's id.
        account: String,
        /// The SHA-256 of the new key.
        digest: Digest,
        /// How long the one before it lives on.
        grace: Span,
    },
    /// An account was closed: a key revoked, a team or an organisation shut with all below it.
    AccountClosed {
        /// Its id.
        account: String,
    },
    /// The first byte of a stream has not come after so long.
    AnswerAwaited {
        /// Which call.
        call: CallId,
        /// For how long since it was sent.
        waited: Span,
    },
}

/// The broker's number for an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OfferId(pub u64);

/// The broker's number for a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LeaseId(pub u64);

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Of which kind.
    pub kind: FailureKind,
    /// The HTTP status, or 0 if there was none.
    pub status: u16,
    /// How long the provider asked to wait, if it said so.
    pub retry_after: Option<Span>,
    /// SHA-256 over status and headers of the answer: the evidence that the counterparty can ask for.
    pub evidence: Digest,
}

/// Kinds of failed attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FailureKind {
    /// 429: a statement about capacity, not about health.
    Throttled,
    /// 5xx.
    ServerError,
    /// No connection, a broken one, or no valid answer.
    Unreachable,
    /// No first byte in time.
    TimedOut,
    /// Our credentials were refused: 401 or 403. Ours to mend: it says nothing of the provider's health.
    Unauthorised,
    /// The request itself was refused (4xx): no other provider is tried.
    Rejected,
    /// This deployment cannot take such a request, and another may: the prompt is too long for it, or its language
    /// cannot say it.
    Unsuitable,
}

impl FailureKind {
    /// Is it the provider's own failure, rather than want of room, our credentials, or the request?
    pub fn is_theirs(self) -> bool {
        matches!(self, FailureKind::ServerError | FailureKind::Unreachable | FailureKind::TimedOut)
    }
}

/// Who says what a call used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// The provider's own final usage.
    Provider,
    /// We counted what passed through.
    Counted,
    /// An estimate, because the process stopped between opening and settling; corrected by reconciliation.
    Estimate,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ending {
    /// Whole.
    Complete,
    /// The provider broke off after the first content byte.
    Cut,
    /// The caller went away.
    Abandoned,
    /// The gateway itself stopped; settled at restart.
    Lost,
}

/// What a provider's headers said of its capacity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The token limit in force for a minute.
    pub limit_tokens: Option<u64>,
    /// Tokens left in the minute.
    pub remaining_tokens: Option<u64>,
    /// The request limit in force for a minute.
    pub limit_requests: Option<u64>,
    /// Requests left in the minute.
    pub remaining_requests: Option<u64>,
    /// Utilisation of provisioned capacity in parts per million; may exceed 1,000,000.
    pub utilisation: Option<u32>,
    /// The provider itself served the call with pay-as-you-go capacity of its own, instead of the provisioned: Azure's
    /// spillover header, Vertex's `trafficType` `ON_DEMAND`.
    pub spilled: bool,
}

/// What a holder answers. Silence is an answer too, but nobody sends it: it is what a deadline says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It takes all.
    Accept,
    /// It takes nothing, and may say why.
    Decline(String),
    /// It takes so many accelerators.
    Partial(u32),
    /// It proposes other terms.
    Counter(Terms),
}

/// Terms of an offer, a quote or a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Accelerators.
    pub count: u32,
    /// Per accelerator-hour; `None` where no price is known.
    pub hour: Option<Money>,
    /// For how long.
    pub duration: Span,
}

/// How a lease's work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseEnding {
    /// With exit code 0.
    Completed,
    /// With another exit code, by its own doing.
    Failed(i32),
    /// Its process died (a signal, a node), but the provider still holds the lease.
    Interrupted,
    /// The provider lost or took back the capacity.
    Lost,
    /// It was cancelled.
    Cancelled,
}
