//! How is a decision said in words? One renderer for log, header, command line and audit, so that no reason drifts into
//! prose of its own.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::clause::{Clause, Measure};
use crate::decision::{Action, Decision, Denial, Ground, Limit, Refusal, Unhedged};
use crate::fact::{FailureKind, Terms};
use crate::ledger::Account;
use crate::settle::{Line, What};
use crate::title::{Bar, Evidence, Place, Title};
use crate::units::{Money, Timestamp};
use crate::world::{ClauseId, World};

/// Several decisions, separated by semicolons.
pub fn decisions(world: &World, decisions: &[Decision]) -> String {
    let shown: Vec<String> = decisions.iter().map(|one| decision(world, one)).collect();
    if shown.is_empty() { "nothing".to_string() } else { shown.join("; ") }
}

/// One decision: the action, then its reasons after a colon.
pub fn decision(world: &World, decision: &Decision) -> String {
    let action = action(world, &decision.action);
    let reasons = reasons(world, decision);
    if reasons.is_empty() { action } else { format!("{action}: {}", reasons.join("; ")) }
}

/// The reasons of a decision: what its title rests on, then its grounds.
pub fn reasons(world: &World, decision: &Decision) -> Vec<String> {
    let title = match &decision.action {
        Action::Serve { title, .. } | Action::Dispatch { title, .. } => Some(title),
        _ => None,
    };
    let mut reasons = title.map(|title| title_reasons(world, title)).unwrap_or_default();
    reasons.extend(decision.grounds.iter().map(|one| ground(world, one)));
    reasons
}

/// What a title rests on: each release with its evidence, and the right that is used.
pub fn title_reasons(world: &World, title: &Title) -> Vec<String> {
    let mut reasons = Vec::new();
    for release in title.releases() {
        let by: Vec<String> = release.evidence().iter().map(|one| evidence(world, one)).collect();
        reasons.push(format!("{} released by {} [FR-20]", world.cite(release.clause()), by.join(", ")));
    }
    if let Some(clause) = title.holds() {
        reasons.push(format!("holder under {} [FR-1]", world.cite(clause)));
    }
    reasons
}

/// One line in the imperative.
pub fn action(world: &World, action: &Action) -> String {
    match action {
        Action::Enact => format!("enact {} agreements", world.agreements.len()),
        Action::KeepLaw { problem } => format!("keep the law: {problem}"),
        Action::Note => "note".to_string(),
        Action::Serve { call, deployment, model, .. } => {
            format!(
                "serve call {} at {} with {}",
                call.0,
                world.deployment(*deployment).id,
                world.model(*model)
            )
        }
        Action::Queue { call, until } => format!("queue call {} until {until}", call.0),
        Action::Refuse { call, refusal } => format!("refuse call {}: {}", call.0, self::refusal(refusal)),
        Action::Settle { call, cost, charge } => {
            format!("settle call {}: cost {}, charge {}", call.0, money(world, *cost), money(world, *charge))
        }
        Action::Offer { offer, job, holder, clause, terms, until } => format!(
            "offer {} to {} under {}: job {}, {} until {until}",
            offer.0,
            world.party(*holder).id,
            world.cite(*clause),
            job.0,
            self::terms(world, terms),
        ),
        Action::PutCounter { offer, terms } => {
            format!("put counter on offer {} to the operator: {}", offer.0, self::terms(world, terms))
        }
        Action::Withdraw { offer } => format!("withdraw offer {}", offer.0),
        Action::Dispatch { job, lease, place, count, hour, resumes, .. } => {
            let resumes = resumes.map_or(String::new(), |before| format!(", resuming lease {}", before.0));
            let place = self::place(world, *place);
            let hour = money(world, *hour);
            format!("dispatch job {} on lease {}: {count} of {place} at {hour}/h{resumes}", job.0, lease.0)
        }
        Action::Hold { job, until } if *until == Timestamp::MAX => format!("hold job {}", job.0),
        Action::Hold { job, until } => format!("hold job {} until {until}", job.0),
        Action::RefuseJob { job, refusal } => format!("refuse job {}: {}", job.0, self::refusal(refusal)),
        Action::Cancel { lease } => format!("cancel lease {}", lease.0),
        Action::SettleLease { lease, accelerator_seconds, cost } => {
            format!(
                "settle lease {}: {accelerator_seconds} accelerator-seconds, cost {}",
                lease.0,
                money(world, *cost)
            )
        }
        Action::Finish { job, completed: true } => format!("finish job {}", job.0),
        Action::Finish { job, completed: false } => format!("finish job {}, not completed", job.0),
        Action::SetAccount { account } => format!("set account {}", account.0),
        Action::CloseAccount { account } => format!("close account {}", account.0),
        Action::KeepAccount { problem } => format!("keep the accounts: {}", problem.word()),
    }
}

/// A refusal, completing "refused: …".
pub fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotPermitted => "the tenant may not use this model [TE-1]".to_string(),
        Refusal::NoProvider => "nobody has such capacity".to_string(),
        Refusal::Home => "where what it continues lives, nobody may serve it [HO-1]".to_string(),
        Refusal::Contract => "no party may serve it under the agreements".to_string(),
        Refusal::Compliance => "no compliant provider".to_string(),
        Refusal::Capacity { retry_after } => {
            format!("those who may serve it have no room; retry after {retry_after} [CH-7]")
        }
        Refusal::Failed => "every attempt failed".to_string(),
        Refusal::Rejected => "the provider refused the request itself".to_string(),
        Refusal::Budget => "it would cost more than its budget everywhere".to_string(),
        Refusal::Deadline => "its deadline passed [CH-14]".to_string(),
        Refusal::Unhedged => "it is not tried a second time".to_string(),
        Refusal::Declined => "those who may serve it let it pass [FR-7]".to_string(),
        Refusal::Overload => "too many workloads are open".to_string(),
        Refusal::Denied { account, why } => {
            let account = account.0;
            match why {
                Denial::Unknown => format!("there is no account {account} [AC-2]"),
                Denial::Closed => format!("account {account} is closed [AC-4]"),
                Denial::Tenant => format!("account {account} is another tenant's [AC-2]"),
                Denial::Model => format!("account {account} may not use the model [AC-2]"),
                Denial::Family => format!("account {account} may not use such operations [AC-2]"),
            }
        }
        Refusal::Spent { account, until: Timestamp::MAX } => {
            format!("the budget of account {} is spent [AC-7]", account.0)
        }
        Refusal::Spent { account, until } => {
            format!("the budget of account {} is spent until {until} [AC-7]", account.0)
        }
        Refusal::Unpriced { account } => {
            format!("account {} has a hard budget, and it has no price [AC-9]", account.0)
        }
        Refusal::Limited { what, account, retry_after } => {
            let what = match what {
                Limit::Requests => "calls a minute [AC-10]",
                Limit::Tokens => "tokens a minute [AC-10]",
                Limit::Concurrent => "calls at once [AC-11]",
            };
            let after = retry_after.map_or_else(String::new, |wait| format!("; retry after {wait}"));
            format!("account {} has no more {what}{after}", account.0)
        }
    }
}

/// A reason.
pub fn ground(world: &World, ground: &Ground) -> String {
    let cite = |clause| world.cite(clause);
    match ground {
        Ground::Committed(clause) => format!("{} is not met [CO-2]", cite(*clause)),
        Ground::Sunk => "provisioned capacity is paid for already [CH-2]".to_string(),
        Ground::Cheapest => "best price [CH-3]".to_string(),
        Ground::Only => "the only one with room [CH-1]".to_string(),
        Ground::Substituted(model) => {
            format!("instead of {}, as the tenant permits [CH-6]", world.model(*model))
        }
        Ground::Outage(clause) => format!("{} is suspended by an outage [EX-4]", cite(*clause)),
        Ground::Barred(place, bar) => {
            format!("{} may not: {}", self::place(world, *place), self::bar(world, bar))
        }
        Ground::Unavailable(evidence) => self::evidence(world, evidence),
        Ground::Asks(clause) => format!("{} must be asked [FR-5]", cite(*clause)),
        Ground::BetterTerms(clause) => {
            format!("{} again: better terms for a third party [FR-16]", cite(*clause))
        }
        Ground::ReleaseEnded(clause) => format!("{} again: the release ran out [FR-13]", cite(*clause)),
        Ground::Accepted(offer) => format!("offer {} was accepted [FR-6]", offer.0),
        Ground::AcceptedPart(offer) => format!("offer {} was accepted in part [FR-9]", offer.0),
        Ground::SilenceAccepts(offer) => format!("offer {}: silence accepts [FR-8]", offer.0),
        Ground::CounterAgreed(offer) => format!("offer {}: the counter was agreed [FR-10]", offer.0),
        Ground::Late(offer) => format!("offer {} is not open: late or a second answer [FR-11]", offer.0),
        Ground::NotTheHolder(offer) => format!("offer {} was not theirs to answer [FR-11]", offer.0),
        Ground::NotAllowed(clause) => {
            format!("{} does not allow such an answer [FR-9] [FR-10]", cite(*clause))
        }
        Ground::SameLease(lease) => format!("goes on where lease {} was [FR-18]", lease.0),
        Ground::ProviderLost(lease) => format!("the provider lost lease {} [FR-19]", lease.0),
        Ground::NotOpen => "nothing of that name is open".to_string(),
        Ground::ByOwner => "by its owner".to_string(),
        Ground::Attempts(count) => format!("{count} attempts were made [CH-11]"),
        Ground::SoftBudget(account) => format!("account {} is over a soft budget [AC-8]", account.0),
        Ground::Awaits(place, again) => {
            format!(
                "waits for {}, where room is expected at {again} [FR-21] [CH-20]",
                self::place(world, *place)
            )
        }
        Ground::Shed(call) => format!("call {} comes before it, and no more may wait [CH-17]", call.0),
        Ground::Crowded(class, open) => {
            format!("{open} calls are open, as many as let in a {} one [CH-19]", class.word())
        }
        Ground::LastResort => {
            "all who may serve it have been failing, or are slow or full [CH-21]".to_string()
        }
        Ground::Retries(retried, arrived) => {
            format!("{retried} retries were made for {arrived} calls in two minutes [CH-16]")
        }
        Ground::Hedges(call) => format!("beside call {} [CH-22]", call.0),
        Ground::GoesOn(call) => format!("call {} goes on [CH-25]", call.0),
        Ground::Unhedged(why) => unhedged(world, *why),
        Ground::NativeSpill => "the provider spilled it to its own pay-as-you-go capacity [CA-8]".to_string(),
    }
}

/// Why there is no second attempt.
fn unhedged(world: &World, why: Unhedged) -> String {
    match why {
        Unhedged::NotAsked => "its tenant does not ask for it [CH-22]".to_string(),
        Unhedged::Unlike => "no such call is being served [CH-22]".to_string(),
        Unhedged::Twice => "it was tried a second time already [CH-22]".to_string(),
        Unhedged::Early => "its answer is not late yet [CH-22]".to_string(),
        Unhedged::Lives => "it is about what lives at a provider [CH-22]".to_string(),
        Unhedged::OthersWait => "others wait for room [CH-23]".to_string(),
        Unhedged::Kept(clause) => {
            format!(
                "the holder under {} serves it, and nothing shows that it cannot [CH-24]",
                world.cite(clause)
            )
        }
    }
}

/// Why a holder does not serve.
pub fn evidence(world: &World, evidence: &Evidence) -> String {
    match evidence {
        Evidence::Short { place, need, free, observed_at } => {
            format!(
                "{} short ({free} of {need} free, as of {observed_at}) [FR-4]",
                self::place(world, *place)
            )
        }
        Evidence::Failed { place, kind, status, .. } => {
            let status = if *status == 0 { String::new() } else { format!(" ({status})") };
            format!("{} {}{status} [FR-4]", self::place(world, *place), failure(*kind))
        }
        Evidence::Down { place, since, failures } => {
            format!("{} down since {since} ({failures} failures) [FR-4]", self::place(world, *place))
        }
        Evidence::Slowed { place, percent, open, limit } => format!(
            "{} cannot handle the demand: first bytes at {percent} % of the usual time, {open} of {limit} calls in \
             flight [CA-12] [FR-4]",
            self::place(world, *place)
        ),
        Evidence::SetAside { place, since } => {
            format!("{} refuses our credentials since {since} [CA-10] [FR-4]", self::place(world, *place))
        }
        Evidence::Lost { provider } => {
            format!("{} lost the job's lease [FR-19]", world.provider(*provider).id)
        }
        Evidence::Probation { clause } => format!("probation under {} [AS-5]", world.cite(*clause)),
        Evidence::Barred { place, bar } => {
            format!("{} barred: {} [FR-17]", self::place(world, *place), self::bar(world, bar))
        }
        Evidence::Absent => "it has no such capacity [FR-17]".to_string(),
        Evidence::Declined { offer, .. } => format!("offer {} declined [FR-7]", offer.0),
        Evidence::Silent { offer, .. } => format!("offer {} unanswered at the window's end [FR-8]", offer.0),
        Evidence::PartTaken { offer, count } => format!("offer {} taken in part ({count}) [FR-9]", offer.0),
        Evidence::CarvedOut { which } => format!("carve-out {} [FR-14] [FR-15]", which.saturating_add(1)),
    }
}

/// A hard constraint.
pub fn bar(world: &World, bar: &Bar) -> String {
    match bar {
        Bar::Region => "the caller asks for another region [CH-8]".to_string(),
        Bar::Jurisdiction => "outside the tenant's jurisdictions [TE-2]".to_string(),
        Bar::DataClass => "not approved for the data class [AS-4]".to_string(),
        Bar::Licence(clause) => format!("no licence ({}) [LI-2]", world.cite(*clause)),
        Bar::Exclusive(clause) => format!("exclusive to another ({}) [EX-1]", world.cite(*clause)),
        Bar::Certification(clause) => format!("lacks a certification ({}) [AS-1]", world.cite(*clause)),
        Bar::Residency(clause) => format!("outside the residency ({}) [AS-2]", world.cite(*clause)),
        Bar::Attestation(clause) => format!("lacks attestation ({}) [AS-3]", world.cite(*clause)),
        Bar::Encryption(clause) => format!("lacks encryption ({}) [AS-3]", world.cite(*clause)),
        Bar::Accelerator => "another accelerator [CH-9]".to_string(),
        Bar::Interconnect => "another interconnect [CH-9]".to_string(),
        Bar::Budget => "over the budget [CH-12]".to_string(),
        Bar::Home => "what it continues lives elsewhere [HO-1]".to_string(),
        Bar::Runs => "it does not serve what is to run there [HO-2]".to_string(),
        Bar::KeyRegion => "outside the regions of the key [AC-3]".to_string(),
    }
}

/// A place by its name: a deployment's id, or `provider/accelerator`.
pub fn place(world: &World, place: Place) -> String {
    match place {
        Place::Deployment(id) => world.deployment(id).id.clone(),
        Place::Pool(id, nth) => {
            let provider = world.provider(id);
            let pool = provider.pools.get(usize::from(nth)).map_or("?", |pool| &pool.accelerator);
            format!("{}/{pool}", provider.id)
        }
    }
}

/// A line of a settlement: why, who owes whom how much, by which clause, for which days, and from what.
pub fn line(world: &World, line: &Line) -> String {
    let day = |at: Timestamp| at.to_string().split('T').next().map_or_else(String::new, ToString::to_string);
    let what = match line.what {
        What::Spend => "spend",
        What::RevenueShare => "revenue-share",
        What::Shortfall => "shortfall",
        What::Credit => "credit",
    };
    let under = line.clause.map_or_else(String::new, |clause| format!(" under {}", world.cite(clause)));
    let until = if line.until == Timestamp::MAX { "no end".to_string() } else { day(line.until) };
    let state = if line.closed { "closed" } else { "forecast" };
    let Account { gross, spend, drawn, good, calls, unpriced, .. } = line.account;
    let from = match line.what {
        What::Spend if unpriced > 0 => format!(", {unpriced} unpriced"),
        What::Spend => String::new(),
        What::RevenueShare => format!(", of gross {gross} and spend {spend}"),
        What::Shortfall => format!(", drawn {}", self::drawn(world, line.clause, drawn)),
        What::Credit => format!(", {good} of {calls} good, of spend {spend}"),
    };
    format!(
        "{what}: {} owes {} {} {}{under}, {} to {until}, {state}{from}",
        world.party(line.payer).id,
        world.party(line.payee).id,
        line.amount,
        world.currency,
        day(line.from),
    )
}

/// What counts toward a commitment, in its measure.
fn drawn(world: &World, clause: Option<ClauseId>, drawn: i128) -> String {
    let measure = clause.and_then(|id| match &world.clause(id).clause {
        Clause::Commitment(commitment) => Some((commitment.measure, commitment.amount)),
        _ => None,
    });
    match measure {
        Some((Measure::Money, amount)) => format!("{} of {}", Money(drawn), Money(amount)),
        Some((_, amount)) => format!("{drawn} of {amount}"),
        None => drawn.to_string(),
    }
}

/// Money with its currency, or `unpriced`.
pub fn money(world: &World, money: Option<Money>) -> String {
    money.map_or_else(|| "unpriced".to_string(), |money| format!("{money} {}", world.currency))
}

fn terms(world: &World, terms: &Terms) -> String {
    format!("{} accelerators for {} at {}/h", terms.count, terms.duration, money(world, terms.hour))
}

fn failure(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Throttled => "throttled it",
        FailureKind::ServerError => "failed",
        FailureKind::Unreachable => "could not be reached",
        FailureKind::TimedOut => "timed out",
        FailureKind::Unauthorised => "refused our credentials",
        FailureKind::Rejected => "refused the request",
        FailureKind::Unsuitable => "cannot take such a request",
    }
}
