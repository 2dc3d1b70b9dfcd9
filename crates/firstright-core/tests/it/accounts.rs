//! What may an account's calls do, and what becomes of its money? Told anew from facts and decisions alone, and held
//! against what the broker decided and kept.

use std::collections::BTreeMap;

use firstright_core::account::{Account, AccountId, AccountKind, BudgetPeriod};
use firstright_core::decision::{Action, Refusal};
use firstright_core::fact::Fact;
use firstright_core::scope::{Glob, any};
use firstright_core::units::{Money, Timestamp};
use firstright_core::usage::{Tier, Usage};
use firstright_core::workload::{Call, CallId};
use firstright_core::world::Provider;
use firstright_core::{Broker, Known};

use crate::generate::Play;
use crate::past::Past;
use crate::spec::{Check, must};

/// An account as the last fact that had an effect left it.
pub struct AccountPast<'a> {
    pub account: &'a Account,
    pub closed: bool,
}

impl<'a> Past<'a> {
    fn account(&self, number: AccountId) -> Option<&AccountPast<'a>> {
        self.accounts.get((number.0 as usize).checked_sub(1)?)
    }

    fn named(&self, id: &str) -> Option<&AccountPast<'a>> {
        self.accounts.iter().find(|one| one.account.id == id)
    }

    /// [AC-1] The call's key and every account above it.
    fn above(&self, call: &Call) -> Vec<&AccountPast<'a>> {
        let mut chain: Vec<&AccountPast<'a>> =
            call.key.and_then(|key| self.account(key)).into_iter().collect();
        while let Some(parent) = chain.last().and_then(|one| one.account.parent.as_deref()) {
            chain.extend(self.named(parent));
        }
        chain
    }

    /// [AC-2] [AC-4] Does every one of them let the call in now?
    pub fn lets_in(&self, call: &Call) -> bool {
        let Some(key) = call.key else { return true };
        let open = |one: &&AccountPast<'_>| {
            let families = &one.account.families;
            !one.closed
                && one.account.until.is_none_or(|until| self.now < until)
                && (families.is_empty() || families.contains(&call.family))
        };
        let own = self.account(key).and_then(|own| own.account.tenant.as_deref());
        let tenant = own == Some(&self.world.tenant(call.tenant).id);
        let mut models = std::iter::once(call.model).chain(call.runs);
        let models = models.all(|model| self.lets_use(call, self.world.model(model)));
        tenant && self.above(call).iter().all(open) && models
    }

    /// [AC-2] May the call's key use the model?
    pub fn lets_use(&self, call: &Call, model: &str) -> bool {
        self.above(call).iter().all(|one| matches(&one.account.models, model))
    }

    /// [AC-3] May the call be served there?
    pub fn lets_serve(&self, call: &Call, provider: &Provider) -> bool {
        self.above(call).iter().all(|one| matches(&one.account.regions, &provider.region))
    }

    /// Is a decision about an account, or for an account's sake, lawful now?
    pub fn lawful_account(&self, action: &Action) -> Check {
        match (action, self.fact) {
            (Action::SetAccount { account: number }, Fact::AccountSet { account }) => {
                let parent = account.parent.as_deref().map(|id| self.named(id));
                let under = parent.is_none_or(|above| {
                    above.is_some_and(|above| !above.closed && above.account.kind < account.kind)
                });
                must(under, "it stands under nothing that it may stand under")?; // [AC-1]
                let known = self.world.tenants.iter().any(|one| Some(&one.id) == account.tenant.as_ref());
                must(
                    known == (account.kind == AccountKind::Key),
                    "a key without a tenant, or a tenant's team",
                )?;
                let Some(own) = self.account(*number) else {
                    return must(self.named(&account.id).is_none(), "an id that is given twice");
                };
                let (was, is) = (own.account, account);
                let same = (&was.id, was.kind, &was.parent, &was.tenant)
                    == (&is.id, is.kind, &is.parent, &is.tenant);
                must(same && !own.closed, "it has moved, or comes back") // [AC-1] [AC-4]
            }
            (Action::SetAccount { account }, Fact::KeyRotated { .. }) => {
                let own = self.account(*account);
                must(own.is_some_and(|own| !own.closed), "what is closed is drawn anew") // [AC-4]
            }
            (Action::CloseAccount { account }, _) => {
                must(self.account(*account).is_some_and(|own| !own.closed), "it is closed twice")
            }
            (Action::Refuse { call, refusal }, _) => {
                let call = &self.calls[call];
                match refusal {
                    Refusal::Denied { .. } => must(!call.let_in, "it may be let in"),
                    Refusal::Spent { .. } | Refusal::Unpriced { .. } | Refusal::Limited { .. } => {
                        must(call.let_in && call.call.key.is_some(), "nobody limits it, or it is not let in")
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    pub fn take_account(&mut self, action: &Action) {
        match (action, self.fact) {
            (Action::SetAccount { account: number }, Fact::AccountSet { account }) => {
                let fresh = AccountPast { account, closed: false };
                match self.accounts.get_mut(number.0 as usize - 1) {
                    Some(own) => *own = fresh,
                    None => self.accounts.push(fresh),
                }
            }
            (Action::CloseAccount { account }, _) => {
                if let Some(own) = self.accounts.get_mut(account.0 as usize - 1) {
                    own.closed = true;
                }
            }
            _ => {}
        }
    }
}

fn matches(list: &[String], name: &str) -> bool {
    let globs: Vec<Glob> = list.iter().cloned().map(Glob).collect();
    any(&globs, name)
}

/// What was let in and has not ended: its accounts, and what it holds of their money.
struct Held<'a> {
    call: &'a Call,
    arrived: Timestamp,
    chain: Vec<AccountId>,
    worst: Money,
    budgeted: bool,
}

/// What an account has spent by our own sums, and whether what happened since can only be within its budgets.
#[derive(Default)]
struct Tally {
    spent: BTreeMap<(BudgetPeriod, Timestamp), i128>,
    open: u32,
    strained: bool,
}

/// Do the sums come out, and does every hard budget hold at every moment?
pub fn sums(play: &Play) -> Check {
    let mut broker = Broker::new();
    let mut held: BTreeMap<CallId, Held<'_>> = BTreeMap::new();
    let mut tallies: BTreeMap<AccountId, Tally> = BTreeMap::new();
    for record in &play.records {
        let mut early = broker.clone();
        early.step(record.at, &Fact::Ticked);
        let decisions = broker.step(record.at, &record.fact);
        for decision in &decisions {
            match (&decision.action, &record.fact) {
                (
                    Action::Serve { call: id, .. } | Action::Queue { call: id, .. },
                    Fact::CallArrived(call),
                ) if *id == call.id && !held.contains_key(id) => {
                    let Some(own) = call.key.and_then(|key| broker.account(key)) else { continue };
                    let before = early.account(own.number).map_or(Money::ZERO, |known| known.reserved);
                    let (worst, chain) = (own.reserved.minus(before), own.chain.clone());
                    let mut above = broker.account_chain(own.number);
                    let budgeted = above.any(|known| known.account.budgets.iter().any(|budget| budget.hard));
                    for known in broker.account_chain(own.number) {
                        tallies.entry(known.number).or_default().open += 1;
                        // [AC-7] What is let in fits, whatever was spent before.
                        must(within(known, record.at), "a call was let in over a hard budget")?;
                    }
                    held.insert(*id, Held { call, arrived: record.at, chain, worst, budgeted });
                }
                (Action::Refuse { call, .. }, _) => drop(end(&mut held, &mut tallies, *call)),
                (Action::Settle { call, cost, .. }, Fact::CallSettled { usage, tier, ran, .. }) => {
                    let Some(one) = end(&mut held, &mut tallies, *call) else { continue };
                    let steady = play.world().next_change(one.arrived) > record.at;
                    let over = cost.is_some_and(|cost| cost > one.worst);
                    // [AC-6] What keeps to its bounds costs no more than was reserved.
                    let own = ran.is_none_or(|ran| ran == one.call.model);
                    let kept = one.budgeted && steady && own && bounded(usage, *tier, one.call);
                    must(!(kept && over), "it cost more than was reserved for it")?;
                    for number in &one.chain {
                        let tally = tallies.entry(*number).or_default();
                        tally.strained |= over;
                        for (_, period) in BudgetPeriod::ALL {
                            let sum = tally.spent.entry((period, period.start(record.at))).or_default();
                            *sum += cost.unwrap_or(one.worst).0; // [AC-9]
                        }
                    }
                }
                (Action::SetAccount { account }, _) => {
                    let known = broker.account(*account).expect("it was set");
                    tallies.entry(*account).or_default().strained |= !within(known, record.at);
                }
                _ => {}
            }
        }
        if let Fact::CallAbandoned { call } = &record.fact
            && broker.open_calls().all(|(open, _)| open.id != *call)
        {
            end(&mut held, &mut tallies, *call);
        }
        for known in broker.accounts() {
            balanced(known, tallies.entry(known.number).or_default(), record.at)?;
        }
    }
    Ok(())
}

fn end<'a>(
    held: &mut BTreeMap<CallId, Held<'a>>,
    tallies: &mut BTreeMap<AccountId, Tally>,
    call: CallId,
) -> Option<Held<'a>> {
    let one = held.remove(&call)?;
    for number in &one.chain {
        tallies.entry(*number).or_default().open -= 1;
    }
    Some(one)
}

/// Are what is spent and what is reserved within every hard budget?
fn within(known: &Known, at: Timestamp) -> bool {
    let mut hard = known.account.budgets.iter().filter(|budget| budget.hard);
    hard.all(|budget| known.committed(budget.period, at) <= budget.limit)
}

fn balanced(known: &Known, tally: &Tally, at: Timestamp) -> Check {
    must(known.open == tally.open, "its open calls are miscounted")?;
    must(known.reserved.0 >= 0 && (known.open > 0 || known.reserved.0 == 0), "something stays reserved")?;
    for (_, period) in BudgetPeriod::ALL {
        let own = tally.spent.get(&(period, period.start(at))).copied().unwrap_or(0);
        must(known.spent.within(period, at).0 == own, "what it has spent does not add up")?; // [AC-12]
    }
    must(tally.strained || within(known, at), "a hard budget does not hold") // [AC-7]
}

/// Does the usage keep to what the call said of itself?
fn bounded(usage: &Usage, tier: Tier, call: &Call) -> bool {
    let media = call.media;
    usage.all_input() <= call.input_most
        && usage.all_output() <= call.max_output
        && (media.audio || usage.audio_in + usage.audio_out == 0)
        && usage.images <= media.images
        && usage.audio_seconds <= media.audio_seconds
        && usage.characters <= media.characters
        && usage.trained == 0
        && usage.requests <= 1
        && [Tier::Default, call.tier].contains(&tier)
}
