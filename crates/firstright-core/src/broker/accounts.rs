//! What becomes of accounts, and of what is reserved in them? A call takes its reservation when it arrives, and gives it
//! back with the decision that ends it, whichever fact led to that.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::Broker;
use crate::account::{Account, AccountId, AccountKind, AccountProblem, MAX_ACCOUNTS, MAX_ENTRIES, is_id};
use crate::accounts::{Accounts, Known, LIVE_DIGESTS, worst};
use crate::decision::{Action, Decision, Ground, Refusal};
use crate::fact::Fact;
use crate::units::{Money, Span, Timestamp};
use crate::usage::Usage;
use crate::workload::{Call, CallId};
use crate::world::{Digest, ModelId, World};

impl Broker {
    /// An account was made, or set anew.
    pub(super) fn account_set(&mut self, account: &Account, out: &mut Vec<Decision>) {
        let Some(state) = self.state.as_mut() else { return kept(out, AccountProblem::Tenant) };
        let known = state.accounts.by_id.get(&account.id).copied();
        let checked = check(&state.accounts, &state.world, account, known);
        let chain = match checked {
            Ok(chain) => chain,
            Err(problem) => return kept(out, problem),
        };
        let number = match known {
            Some(number) => {
                if let Some(known) = state.accounts.get_mut(number) {
                    known.closed = None;
                    known.set(account.clone());
                }
                number
            }
            None => {
                let number = u32::try_from(state.accounts.list.len()).unwrap_or(u32::MAX).saturating_add(1);
                let number = AccountId(number);
                let chain = core::iter::once(number).chain(chain).collect();
                state.accounts.list.push(Known::new(number, account.clone(), chain));
                state.accounts.by_id.insert(account.id.to_string(), number);
                number
            }
        };
        // Plans hold the regions that a key may use.
        self.plans.clear();
        out.push(Decision { action: Action::SetAccount { account: number }, grounds: vec![] });
    }

    /// A key was drawn anew. Two versions live at most: the new one, and the one before for a while.
    //= rights/accounts.md#AC-5
    pub(super) fn key_rotated(
        &mut self,
        at: Timestamp,
        id: &str,
        digest: Digest,
        grace: Span,
        out: &mut Vec<Decision>,
    ) {
        let Some(state) = self.state.as_mut() else { return kept(out, AccountProblem::Unknown) };
        let Some(number) = state.accounts.by_id.get(id).copied() else {
            return kept(out, AccountProblem::Unknown);
        };
        if digest_known(&state.accounts, digest) {
            return kept(out, AccountProblem::DigestKnown);
        }
        let Some(known) = state.accounts.get_mut(number) else { return kept(out, AccountProblem::Unknown) };
        if known.account.kind != AccountKind::Key {
            return kept(out, AccountProblem::Digest);
        }
        if known.closed.is_some() {
            return kept(out, AccountProblem::Closed);
        }
        let until = at.plus(grace);
        known.digests.iter_mut().for_each(|(_, end)| *end = until.min(*end));
        known.digests.insert(0, (digest, Timestamp::MAX));
        known.digests.truncate(LIVE_DIGESTS);
        out.push(Decision { action: Action::SetAccount { account: number }, grounds: vec![] });
    }

    /// An account was closed, which is for good.
    //= rights/accounts.md#AC-4
    pub(super) fn account_closed(&mut self, at: Timestamp, id: &str, out: &mut Vec<Decision>) {
        let Some(state) = self.state.as_mut() else { return kept(out, AccountProblem::Unknown) };
        let number = state.accounts.by_id.get(id).copied();
        let Some(known) = number.and_then(|number| state.accounts.get_mut(number)) else {
            return kept(out, AccountProblem::Unknown);
        };
        if known.closed.is_some() {
            return kept(out, AccountProblem::Closed);
        }
        known.closed = Some(at);
        known.digests.clear();
        let account = known.number;
        out.push(Decision { action: Action::CloseAccount { account }, grounds: vec![] });
    }

    /// Lets a call in, and reserves what it can cost, or says why not. The call is open.
    pub(super) fn admit(&mut self, at: Timestamp, call: &Call) -> Result<(), Refusal> {
        if call.key.is_none() {
            return Ok(());
        }
        let worst = self.worst(at, call);
        let Some(state) = self.state.as_mut() else { return Ok(()) };
        let Some(hold) = state.accounts.admit(&state.world, at, call, worst)? else { return Ok(()) };
        for number in &hold.chain {
            if let Some(known) = state.accounts.get_mut(*number) {
                known.take(at, &hold);
            }
        }
        state.accounts.holds.insert(call.id, hold);
        Ok(())
    }

    /// The most that the call can cost, with whichever model its tenant accepts.
    //= rights/accounts.md#AC-6
    fn worst(&mut self, at: Timestamp, call: &Call) -> Option<Money> {
        let state = self.state.as_ref()?;
        if !state.accounts.budgeted(call) {
            return Some(Money::ZERO);
        }
        let asked = state.world.model(call.model);
        let instead = state.world.tenant(call.tenant).substitutes.iter();
        let instead = instead.filter(|(glob, other)| {
            glob.matches(asked) && state.accounts.lets_use(call, state.world.model(*other))
        });
        let instead = instead.map(|(_, other)| *other);
        let models: Vec<ModelId> = core::iter::once(call.model).chain(instead).collect();
        let mut most = Money::ZERO;
        for model in models {
            most = most.max(worst(&self.plan(at, call.id, model), call)?);
        }
        Some(most)
    }

    /// Books and gives back what was reserved for calls that are not open any more, and tells of soft budgets.
    //= rights/accounts.md#AC-6
    pub(super) fn balance(&mut self, at: Timestamp, fact: &Fact, out: &mut [Decision]) {
        let Some(state) = self.state.as_mut() else { return };
        if state.accounts.holds.is_empty() {
            return;
        }
        if let Fact::CallAbandoned { call } = fact
            && !state.calls.contains_key(call)
        {
            give_back(&mut state.accounts, at, *call, None);
        }
        for decision in out {
            match &decision.action {
                Action::Settle { call, cost, .. } => {
                    let used = match fact {
                        Fact::CallSettled { call: own, usage, .. } if own == call => *usage,
                        _ => Usage::default(),
                    };
                    give_back(&mut state.accounts, at, *call, Some((*cost, used.tokens())));
                }
                Action::Refuse { call, .. } => give_back(&mut state.accounts, at, *call, None),
                Action::Serve { call, .. } | Action::Queue { call, .. } => {
                    let soft = state.accounts.holds.get_mut(call).map(|hold| core::mem::take(&mut hold.soft));
                    decision.grounds.extend(soft.into_iter().flatten().map(Ground::SoftBudget));
                }
                _ => {}
            }
        }
    }

    /// Every account, in the order of their numbers.
    pub fn accounts(&self) -> impl Iterator<Item = &Known> {
        self.state.iter().flat_map(|state| &state.accounts.list)
    }

    /// The account of this number.
    pub fn account(&self, number: AccountId) -> Option<&Known> {
        self.state.as_ref()?.accounts.get(number)
    }

    /// The account of this id.
    pub fn find_account(&self, id: &str) -> Option<&Known> {
        let accounts = &self.state.as_ref()?.accounts;
        accounts.get(*accounts.by_id.get(id)?)
    }

    /// An account and those above it, in order.
    pub fn account_chain(&self, number: AccountId) -> impl Iterator<Item = &Known> {
        self.state.iter().flat_map(move |state| state.accounts.chain(number))
    }
}

/// Gives back what was reserved for a call; with what it cost and used, if it was settled.
fn give_back(accounts: &mut Accounts, at: Timestamp, call: CallId, settled: Option<(Option<Money>, u64)>) {
    let Some(hold) = accounts.holds.remove(&call) else { return };
    for number in &hold.chain {
        let Some(known) = accounts.get_mut(*number) else { continue };
        known.give_back(&hold, settled.map_or(0, |(_, used)| used));
        if let Some((cost, _)) = settled {
            known.book(at, &hold, cost);
        }
    }
}

/// May the account be so? Then the accounts above it.
//= rights/accounts.md#AC-1
fn check(
    accounts: &Accounts,
    world: &World,
    account: &Account,
    known: Option<AccountId>,
) -> Result<Vec<AccountId>, AccountProblem> {
    if !is_id(&account.id) {
        return Err(AccountProblem::BadId);
    }
    let entries = [&account.models, &account.regions].map(Vec::len);
    let many = entries.into_iter().chain([account.budgets.len(), account.families.len()]);
    if many.max().unwrap_or(0) > MAX_ENTRIES || (known.is_none() && accounts.list.len() >= MAX_ACCOUNTS) {
        return Err(AccountProblem::TooMany);
    }
    let key = account.kind == AccountKind::Key;
    let tenant = account.tenant.as_ref().map(|id| world.find_tenant(id).is_some());
    if tenant != key.then_some(true) {
        return Err(AccountProblem::Tenant);
    }
    let own = known.and_then(|number| accounts.get(number));
    let keeps = own.is_some_and(|own| own.closed.is_none());
    if !key && account.digest.is_some() || key && account.digest.is_none() && !keeps {
        return Err(AccountProblem::Digest);
    }
    let others = accounts.list.iter().filter(|other| Some(other.number) != known);
    let mut taken = others.flat_map(|other| &other.digests).map(|(digest, _)| digest);
    if account.digest.is_some_and(|digest| taken.any(|other| *other == digest)) {
        return Err(AccountProblem::DigestKnown);
    }
    if let Some(own) = own {
        let was = &own.account;
        let same = (was.kind, &was.parent, &was.tenant, was.fixed);
        if same != (account.kind, &account.parent, &account.tenant, account.fixed) {
            return Err(AccountProblem::Moved);
        }
        // What the configuration closed by leaving it out it may open again by naming it.
        if own.closed.is_some() && !was.fixed {
            return Err(AccountProblem::Closed);
        }
        // A key of the book is drawn anew by its own fact alone; the configuration's is what stands there.
        if account.digest.is_some() && !was.fixed {
            return Err(AccountProblem::Digest);
        }
    }
    let Some(parent) = &account.parent else { return Ok(Vec::new()) };
    let above = accounts.by_id.get(parent).and_then(|number| accounts.get(*number));
    let open = |above: &&Known| accounts.chain(above.number).all(|known| known.closed.is_none());
    let above = above.filter(open).ok_or(AccountProblem::NoParent)?;
    if above.account.kind >= account.kind {
        return Err(AccountProblem::ParentKind);
    }
    Ok(above.chain.clone())
}

fn digest_known(accounts: &Accounts, digest: Digest) -> bool {
    accounts.list.iter().flat_map(|known| &known.digests).any(|(other, _)| *other == digest)
}

fn kept(out: &mut Vec<Decision>, problem: AccountProblem) {
    out.push(Decision { action: Action::KeepAccount { problem }, grounds: vec![] });
}
