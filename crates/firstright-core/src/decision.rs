//! What follows from a fact? Actions, each with its grounds: the reasons that determined it, not all that were weighed
//! (the rest can be recomputed: see [`crate::Broker::explain`]).

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::account::{AccountId, AccountProblem};
use crate::fact::{LeaseId, OfferId, Terms};
use crate::title::{Bar, Evidence, Place, Title};
use crate::units::{Money, Span, Timestamp};
use crate::workload::{CallId, JobId};
use crate::world::{Class, ClauseId, DeploymentId, ModelId, PartyId};

/// One action and why. The order of the variants of every type here is part of the journal's format: add at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What is to be done.
    pub action: Action,
    /// What determined it.
    pub grounds: Vec<Ground>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// The law is in force from here on.
    Enact,
    /// The new law was refused; the one before stays.
    KeepLaw {
        /// What is wrong with the new one.
        problem: String,
    },
    /// Nothing: the fact is on record, and has no effect.
    Note,
    /// Send the call to the deployment.
    Serve {
        /// Which call.
        call: CallId,
        /// The lease that this opens.
        lease: LeaseId,
        /// Where.
        deployment: DeploymentId,
        /// Which model: the one asked for, or a substitute that the tenant permits.
        model: ModelId,
        /// Tokens reserved.
        reserved: u64,
        /// By what title.
        title: Title,
    },
    /// Keep the call until there is room, or until then.
    Queue {
        /// Which call.
        call: CallId,
        /// Until when at most.
        until: Timestamp,
    },
    /// Refuse the call.
    Refuse {
        /// Which call.
        call: CallId,
        /// Why, as the caller may know it.
        refusal: Refusal,
    },
    /// The call's usage is booked.
    Settle {
        /// Which call.
        call: CallId,
        /// What the provider is owed; `None` is unpriced, never 0.
        cost: Option<Money>,
        /// What the tenant is charged; `None` is unpriced, never 0.
        charge: Option<Money>,
    },
    /// Put an offer to a holder.
    Offer {
        /// Which offer.
        offer: OfferId,
        /// For which job.
        job: JobId,
        /// To whom.
        holder: PartyId,
        /// By which right.
        clause: ClauseId,
        /// On which terms.
        terms: Terms,
        /// Its window's end.
        until: Timestamp,
    },
    /// Put a holder's counter to the operator.
    PutCounter {
        /// Which offer.
        offer: OfferId,
        /// The terms proposed.
        terms: Terms,
    },
    /// Take back an open offer: its job is gone.
    Withdraw {
        /// Which offer.
        offer: OfferId,
    },
    /// Start the job on the lease.
    Dispatch {
        /// Which job.
        job: JobId,
        /// The lease that this opens.
        lease: LeaseId,
        /// Where.
        place: Place,
        /// Accelerators.
        count: u32,
        /// Price of an accelerator-hour; `None` is unpriced.
        hour: Option<Money>,
        /// By what title.
        title: Title,
        /// The lease whose checkpoint it resumes from, if it ran before.
        resumes: Option<LeaseId>,
    },
    /// The job waits for room.
    Hold {
        /// Which job.
        job: JobId,
        /// Until when at most.
        until: Timestamp,
    },
    /// The job cannot be placed.
    RefuseJob {
        /// Which job.
        job: JobId,
        /// Why.
        refusal: Refusal,
    },
    /// Stop the lease's work.
    Cancel {
        /// Which lease.
        lease: LeaseId,
    },
    /// The lease's metering is booked.
    SettleLease {
        /// Which lease.
        lease: LeaseId,
        /// Accelerator-seconds.
        accelerator_seconds: u64,
        /// What the provider is owed; `None` is unpriced, never 0.
        cost: Option<Money>,
    },
    /// The job is done.
    Finish {
        /// Which job.
        job: JobId,
        /// Did all of it complete?
        completed: bool,
    },
    /// The account is as the fact says.
    SetAccount {
        /// Its number.
        account: AccountId,
    },
    /// The account lets no call in any more.
    CloseAccount {
        /// Its number.
        account: AccountId,
    },
    /// The fact about an account has no effect.
    KeepAccount {
        /// Why.
        problem: AccountProblem,
    },
}

/// Why a workload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Refusal {
    /// The tenant may not call this model.
    NotPermitted,
    /// Nobody serves this model or has such accelerators.
    NoProvider,
    /// Exclusivity or licence leaves nobody.
    Contract,
    /// Residency, region, data class or assurance leaves nobody.
    Compliance,
    /// Those who may serve have no room; try again after this.
    Capacity {
        /// When it is worth trying again.
        retry_after: Span,
    },
    /// Every attempt failed.
    Failed,
    /// The provider refused the request itself, and so would any other.
    Rejected,
    /// It would cost more than its budget everywhere.
    Budget,
    /// Its deadline passed.
    Deadline,
    /// Too many workloads are waiting or open.
    Overload,
    /// Those who may serve were asked, and let it pass.
    Declined,
    /// What the call continues lives at a provider that has no place for it.
    Home,
    /// The key, or an account above it, does not let the call in.
    Denied {
        /// Which of them.
        account: AccountId,
        /// Why.
        why: Denial,
    },
    /// A hard budget of the key, or of an account above it, leaves too little for the most that the call can cost.
    Spent {
        /// Whose.
        account: AccountId,
        /// When the budget begins anew; the end of time if it never does.
        until: Timestamp,
    },
    /// There is a hard budget, and a place that may serve has no price for the call.
    Unpriced {
        /// Whose budget.
        account: AccountId,
    },
    /// The key, or an account above it, calls too fast.
    Limited {
        /// Which limit.
        what: Limit,
        /// Whose.
        account: AccountId,
        /// When it is worth trying again; `None` if time alone does not help.
        retry_after: Option<Span>,
    },
    /// There is no second attempt beside the first, which goes on.
    Unhedged,
}

/// Why an account does not let a call in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Denial {
    /// There is none of this number.
    Unknown,
    /// It was closed, or is past its end.
    Closed,
    /// It is another tenant's.
    Tenant,
    /// It may not use the model.
    Model,
    /// It may not use this family of operations.
    Family,
}

/// Limits of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Limit {
    /// Calls a minute.
    Requests,
    /// Tokens a minute.
    Tokens,
    /// Calls at once.
    Concurrent,
}

/// A reason that determined an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ground {
    /// Unmet commitment is used first. [CO-2]
    Committed(ClauseId),
    /// Provisioned capacity is paid for already. [CH-2]
    Sunk,
    /// The cheapest of those that may serve and have room. [CH-3]
    Cheapest,
    /// The only one that may serve and has room.
    Only,
    /// The tenant permits this model instead of the one asked for. [CH-6]
    Substituted(ModelId),
    /// An exclusivity is suspended by an outage. [EX-4]
    Outage(ClauseId),
    /// A place that may not serve.
    Barred(Place, Bar),
    /// A place that may serve and did not: full, failing, or tried.
    Unavailable(Evidence),
    /// A right that must be asked.
    Asks(ClauseId),
    /// Asked again: the terms got better for a third party. [FR-16]
    BetterTerms(ClauseId),
    /// Asked again: the release ran out. [FR-13]
    ReleaseEnded(ClauseId),
    /// The holder took all of it. [FR-6]
    Accepted(OfferId),
    /// The holder took a part. [FR-9]
    AcceptedPart(OfferId),
    /// The holder was silent, and silence accepts. [FR-8]
    SilenceAccepts(OfferId),
    /// The operator agreed to the holder's counter. [FR-10]
    CounterAgreed(OfferId),
    /// The answer came after the window, or a second time. [FR-11]
    Late(OfferId),
    /// The answer came from somebody else than the holder. [FR-11]
    NotTheHolder(OfferId),
    /// The clause does not allow such an answer, or the part is too small. [FR-9] [FR-10]
    NotAllowed(ClauseId),
    /// The work goes on where it was: no new trigger. [FR-18]
    SameLease(LeaseId),
    /// The provider lost the lease: a new trigger. [FR-19]
    ProviderLost(LeaseId),
    /// The fact speaks of a workload, an offer or a lease that is not open.
    NotOpen,
    /// The job was cancelled by its owner.
    ByOwner,
    /// So many attempts were made that no more are.
    Attempts(u32),
    /// The provider served it with spare capacity of its own; it is booked at that capacity's price. [CA-8]
    NativeSpill,
    /// A soft budget is exceeded. [AC-8]
    SoftBudget(AccountId),
    /// The place that it waits for, and when that is expected to have room. [FR-21] [CH-20]
    Awaits(Place, Timestamp),
    /// A waiting call of this class or turn had to make room for another that comes first. [CH-17]
    Shed(CallId),
    /// So many calls are open, which is as many as are let in of this class. [CH-19]
    Crowded(Class, u32),
    /// The breaker of everybody who may serve it is open; this one failed longest ago. [CH-21]
    LastResort,
    /// So many retries were made, of so many calls of the tenant in two minutes, that no more are. [CH-16]
    Retries(u32, u32),
    /// It is a second attempt beside that call's. [CH-22]
    Hedges(CallId),
    /// Why there is no second attempt.
    Unhedged(Unhedged),
    /// This attempt failed, and that call's goes on. [CH-25]
    GoesOn(CallId),
}

/// Why a call is not hedged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unhedged {
    /// Its tenant does not ask for it. [CH-22]
    NotAsked,
    /// It is not being served, or the second attempt is not like it. [CH-22]
    Unlike,
    /// It was hedged before, or is a hedge itself. [CH-22]
    Twice,
    /// Its answer is not awaited for so long yet. [CH-22]
    Early,
    /// It continues or makes what lives at a provider. [CH-22]
    Lives,
    /// Others wait for room. [CH-23]
    OthersWait,
    /// A holder serves the first attempt, and has not released its right. [CH-24]
    Kept(ClauseId),
}
