//! What is known of every account: who it is, what it has spent, what is reserved for it, and how fast it calls? Plain
//! values; only [`crate::Broker::step`] changes them.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::account::{Account, AccountId, BudgetPeriod, Limits};
use crate::decision::{Denial, Limit, Refusal};
use crate::plan::{Candidate, Plan};
use crate::scope::{Glob, any};
use crate::units::{MINUTE, Money, Span, Timestamp};
use crate::usage::Tier;
use crate::workload::{Call, CallId, Media};
use crate::world::{Digest, Rates, World};

/// Live versions of a key at most: the one in use and the one before it.
pub(crate) const LIVE_DIGESTS: usize = 2;

/// All accounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    /// In the order of their numbers, from 1.
    pub list: Vec<Known>,
    pub by_id: BTreeMap<String, AccountId>,
    /// What is reserved for each open call that came by a key of the book.
    pub holds: BTreeMap<CallId, Hold>,
}

/// An account, and what has become of it.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its number.
    pub number: AccountId,
    /// What it was set to.
    pub account: Account,
    /// Itself, and the accounts above it, in order.
    pub chain: Vec<AccountId>,
    /// The digests of its live keys, each until when, exclusive. The newest comes first.
    pub digests: Vec<(Digest, Timestamp)>,
    /// When it was closed.
    pub closed: Option<Timestamp>,
    /// What its calls have cost.
    pub spent: Spent,
    /// What its open calls can cost at most.
    pub reserved: Money,
    /// Its open calls.
    pub open: u32,
    /// Its calls that were settled.
    pub calls: u64,
    /// Of those, how many turned out unpriced.
    pub unpriced: u64,
    pub(crate) pace: Pace,
    pub(crate) models: Vec<Glob>,
    pub(crate) regions: Vec<Glob>,
}

/// What was spent, by the periods that budgets have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    day: (Timestamp, Money),
    month: (Timestamp, Money),
    total: Money,
}

/// How far ahead of an even flow an account is (the generic cell rate algorithm, in integers): the time at which its
/// bucket will be full again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    requests: Timestamp,
    tokens: Timestamp,
}

/// What is reserved for an open call.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    /// In which accounts.
    pub chain: Vec<AccountId>,
    /// The most that it can cost.
    pub worst: Money,
    /// Tokens that it took of each minute's.
    pub tokens: u64,
    /// Accounts with a soft budget that it exceeds.
    pub soft: Vec<AccountId>,
}

impl Accounts {
    /// The account of this number.
    pub fn get(&self, number: AccountId) -> Option<&Known> {
        self.list.get(index(number)?)
    }

    pub fn get_mut(&mut self, number: AccountId) -> Option<&mut Known> {
        self.list.get_mut(index(number)?)
    }

    /// An account and those above it.
    pub fn chain(&self, number: AccountId) -> impl Iterator<Item = &Known> {
        let chain = self.get(number).map_or(&[][..], |known| &known.chain);
        chain.iter().filter_map(|number| self.get(*number))
    }

    /// Does the call come by a key that may be served in some regions only?
    pub fn narrows(&self, call: &Call) -> bool {
        call.key.is_some_and(|key| self.chain(key).any(|known| !known.regions.is_empty()))
    }

    /// Takes out of the plan what stands in a region that the call's key may not use.
    //= rights/accounts.md#AC-3
    pub fn narrow(&self, world: &World, call: &Call, plan: &mut Plan) {
        let Some(key) = call.key else { return };
        let may = |one: &Candidate| {
            let region = &world.provider(one.provider).region;
            self.chain(key).all(|known| any(&known.regions, region))
        };
        plan.bar(|one| may(one), crate::title::Bar::KeyRegion);
    }

    /// May the call's key use the model?
    //= rights/accounts.md#AC-2
    pub fn lets_use(&self, call: &Call, model: &str) -> bool {
        call.key.is_none_or(|key| self.chain(key).all(|known| any(&known.models, model)))
    }

    /// Is the call let in, and what is reserved for it? `worst` is the most that it can cost; `None` if a place that may
    /// serve it has no price. Reads only.
    pub fn admit(
        &self,
        world: &World,
        at: Timestamp,
        call: &Call,
        worst: Option<Money>,
    ) -> Result<Option<Hold>, Refusal> {
        let Some(key) = call.key else { return Ok(None) };
        let denied = |account, why| Refusal::Denied { account, why };
        let Some(own) = self.get(key) else { return Err(denied(key, Denial::Unknown)) };
        //= rights/accounts.md#AC-2
        if own.account.tenant.as_deref() != Some(&world.tenant(call.tenant).id) {
            return Err(denied(key, Denial::Tenant));
        }
        for known in self.chain(key) {
            for model in core::iter::once(call.model).chain(call.runs) {
                known.permits(at, world.model(model), call).map_err(|why| denied(known.number, why))?;
            }
        }
        for known in self.chain(key) {
            known.affords(at, worst)?;
        }
        let tokens = call.input.saturating_add(call.max_output);
        let slow = self.chain(key).filter_map(|known| known.slow(at, tokens));
        if let Some(refusal) = slow.max_by_key(|(wait, _)| *wait).map(|(_, refusal)| refusal) {
            return Err(refusal);
        }
        let worst = worst.unwrap_or(Money::ZERO);
        let soft = self.chain(key).filter(|known| known.exceeds_soft(at, worst));
        let soft = soft.map(|known| known.number).collect();
        Ok(Some(Hold { chain: own.chain.clone(), worst, tokens, soft }))
    }

    /// Do budgets of the call's key or of an account above it ask what it can cost?
    pub fn budgeted(&self, call: &Call) -> bool {
        call.key.is_some_and(|key| self.chain(key).any(|known| !known.account.budgets.is_empty()))
    }
}

fn index(number: AccountId) -> Option<usize> {
    usize::try_from(number.0).ok()?.checked_sub(1)
}

impl Known {
    /// An account as it was set, without a past.
    pub(crate) fn new(number: AccountId, account: Account, chain: Vec<AccountId>) -> Known {
        let mut known = Known {
            number,
            account: Account::default(),
            chain,
            digests: Vec::new(),
            closed: None,
            spent: Spent::default(),
            reserved: Money::ZERO,
            open: 0,
            calls: 0,
            unpriced: 0,
            pace: Pace::default(),
            models: Vec::new(),
            regions: Vec::new(),
        };
        known.set(account);
        known
    }

    /// Sets it anew; its past stays.
    pub(crate) fn set(&mut self, account: Account) {
        let globs = |list: &[String]| list.iter().map(|text| Glob(text.clone())).collect();
        self.models = globs(&account.models);
        self.regions = globs(&account.regions);
        if let Some(digest) = account.digest {
            self.digests = Vec::from([(digest, Timestamp::MAX)]);
        }
        self.account = Account { digest: None, ..account };
    }

    /// Is it open, and not past its end? Those above it are not asked.
    pub fn is_live(&self, at: Timestamp) -> bool {
        self.closed.is_none() && self.account.until.is_none_or(|until| at < until)
    }

    /// May a call of this kind pass it?
    //= rights/accounts.md#AC-2
    //= rights/accounts.md#AC-4
    fn permits(&self, at: Timestamp, model: &str, call: &Call) -> Result<(), Denial> {
        let families = &self.account.families;
        if !self.is_live(at) {
            Err(Denial::Closed)
        } else if !any(&self.models, model) {
            Err(Denial::Model)
        } else if !families.is_empty() && !families.contains(&call.family) {
            Err(Denial::Family)
        } else {
            Ok(())
        }
    }

    /// Do its hard budgets leave room for so much more?
    //= rights/accounts.md#AC-7
    //= rights/accounts.md#AC-9
    fn affords(&self, at: Timestamp, worst: Option<Money>) -> Result<(), Refusal> {
        let account = self.number;
        for budget in self.account.budgets.iter().filter(|budget| budget.hard) {
            let worst = worst.ok_or(Refusal::Unpriced { account })?;
            if self.committed(budget.period, at).plus(worst) > budget.limit {
                return Err(Refusal::Spent { account, until: budget.period.end(at) });
            }
        }
        Ok(())
    }

    /// Would so much more exceed one of its soft budgets?
    //= rights/accounts.md#AC-8
    fn exceeds_soft(&self, at: Timestamp, more: Money) -> bool {
        let mut soft = self.account.budgets.iter().filter(|budget| !budget.hard);
        soft.any(|budget| self.committed(budget.period, at).plus(more) > budget.limit)
    }

    /// What is spent in the period that holds `at`, with what is reserved.
    pub fn committed(&self, period: BudgetPeriod, at: Timestamp) -> Money {
        self.spent.within(period, at).plus(self.reserved)
    }

    /// Does a limit keep one more call with so many tokens out, and for how long? The longest wait counts.
    //= rights/accounts.md#AC-10
    //= rights/accounts.md#AC-11
    fn slow(&self, at: Timestamp, tokens: u64) -> Option<(Option<Span>, Refusal)> {
        let Limits { requests_per_minute, tokens_per_minute, concurrent } = self.account.limits;
        let limited =
            |what, retry_after| (retry_after, Refusal::Limited { what, account: self.number, retry_after });
        let full = concurrent.is_some_and(|most| self.open >= most).then(|| limited(Limit::Concurrent, None));
        let requests = requests_per_minute.and_then(|most| wait(self.pace.requests, at, 1, most));
        let requests = requests.map(|wait| limited(Limit::Requests, wait));
        let tokens = tokens_per_minute.and_then(|most| wait(self.pace.tokens, at, tokens, most));
        let tokens = tokens.map(|wait| limited(Limit::Tokens, wait));
        [full, requests, tokens].into_iter().flatten().max_by_key(|(wait, _)| *wait)
    }

    /// Takes a call in.
    pub(crate) fn take(&mut self, at: Timestamp, hold: &Hold) {
        self.reserved = self.reserved.plus(hold.worst);
        self.open = self.open.saturating_add(1);
        let Limits { requests_per_minute, tokens_per_minute, .. } = self.account.limits;
        let ahead = |pace: Timestamp, many, most: Option<u64>| {
            most.map_or(pace, |most| pace.max(at).plus(flow(many, most)))
        };
        self.pace.requests = ahead(self.pace.requests, 1, requests_per_minute);
        self.pace.tokens = ahead(self.pace.tokens, hold.tokens, tokens_per_minute);
    }

    /// Gives back what was reserved for a call; `used` of its tokens stay taken.
    pub(crate) fn give_back(&mut self, hold: &Hold, used: u64) {
        self.reserved = self.reserved.minus(hold.worst);
        self.open = self.open.saturating_sub(1);
        let Some(most) = self.account.limits.tokens_per_minute else { return };
        let (taken, used) = (flow(hold.tokens, most).0, flow(used, most).0);
        self.pace.tokens = Timestamp(self.pace.tokens.0.saturating_sub(taken).saturating_add(used));
    }

    /// Books what a call cost.
    //= rights/accounts.md#AC-9
    //= rights/accounts.md#AC-12
    pub(crate) fn book(&mut self, at: Timestamp, hold: &Hold, cost: Option<Money>) {
        self.calls = self.calls.saturating_add(1);
        self.unpriced = self.unpriced.saturating_add(u64::from(cost.is_none()));
        self.spent.add(at, cost.unwrap_or(hold.worst));
    }
}

impl Spent {
    /// What was spent in the period that holds `at`.
    pub fn within(&self, period: BudgetPeriod, at: Timestamp) -> Money {
        let (start, sum) = match period {
            BudgetPeriod::Day => self.day,
            BudgetPeriod::Month => self.month,
            BudgetPeriod::Total => return self.total,
        };
        if start == period.start(at) { sum } else { Money::ZERO }
    }

    fn add(&mut self, at: Timestamp, sum: Money) {
        self.day = (BudgetPeriod::Day.start(at), self.within(BudgetPeriod::Day, at).plus(sum));
        self.month = (BudgetPeriod::Month.start(at), self.within(BudgetPeriod::Month, at).plus(sum));
        self.total = self.total.plus(sum);
    }
}

/// How long so many take to flow at so many a minute.
fn flow(many: u64, a_minute: u64) -> Span {
    let nanos = u128::from(many).saturating_mul(u128::from(MINUTE));
    let span = nanos.div_ceil(u128::from(a_minute.max(1)));
    Span(u64::try_from(span).unwrap_or(u64::MAX))
}

/// Must so many wait, and how long? A minute's worth may come at once; what is more than that passes when nothing of the
/// minute is taken. `Some(None)` waits for ever, because nothing at all is allowed.
fn wait(pace: Timestamp, at: Timestamp, many: u64, a_minute: u64) -> Option<Option<Span>> {
    if a_minute == 0 {
        return Some(None);
    }
    let beyond = flow(many, a_minute).0.min(MINUTE);
    let ready = pace.0.saturating_add(beyond).saturating_sub(MINUTE);
    (ready > at.0).then(|| Some(Span(ready.saturating_sub(at.0))))
}

/// The most that the call can cost at any of the plan's places; `None` if one of them has no price for it.
//= rights/accounts.md#AC-6
pub(crate) fn worst(plan: &Plan, call: &Call) -> Option<Money> {
    let mut worst = Money::ZERO;
    // Provisioned capacity is paid by the hour; what it spills natively goes to a place that is a candidate itself.
    for one in plan.candidates.iter().filter(|one| !one.sunk) {
        for tier in [call.tier, Tier::Default] {
            // Every band that the metered input can fall into: a lower one may be the dearer.
            let bands = one.rates.iter().filter(|band| band.tier == tier && band.from <= call.input_most);
            let mut any = false;
            for band in bands {
                any = true;
                worst = worst.max(most(call, &band.rates?)?);
            }
            if !any {
                return None;
            }
        }
    }
    Some(worst)
}

/// The most that the call can cost at these rates: all of its input at the dearest price of input, its longest output.
fn most(call: &Call, rates: &Rates) -> Option<Money> {
    let Media { audio, images, audio_seconds, characters } = call.media;
    let request = rates.request.unwrap_or(Money::ZERO);
    if rates.is_flat() {
        return Some(request);
    }
    let dearest = |needed: Option<Money>, others: [Option<Money>; 4]| {
        needed.map(|needed| others.into_iter().flatten().fold(needed, Money::max))
    };
    // A kind that the call may use and that has no price leaves the whole unpriced.
    let heard = if audio { rates.audio_input } else { rates.input };
    let spoken = if audio { rates.audio_output } else { rates.output };
    let written = [rates.cache_write, rates.cache_write_hour];
    let input = dearest(heard, [rates.input, rates.cached_input, written[0], written[1]]);
    let output = dearest(spoken, [rates.output, rates.reasoning, None, None]);
    let drawn = rates.image.or(output.map(|_| Money::ZERO));
    let output = output.or(rates.image.filter(|_| images > 0).map(|_| Money::ZERO));
    let parts = [
        (call.input_most, input, 1_000_000),
        (call.max_output, output, 1_000_000),
        (images, drawn, 1),
        (audio_seconds, rates.minute, 60),
        (characters, rates.character, 1_000_000),
    ];
    parts.into_iter().try_fold(request, |sum, (many, rate, per)| match (many, rate) {
        (0, _) => Some(sum),
        // Each kind of token is rounded by itself when it is settled, to the nearest: a nano-unit for each is enough.
        (many, Some(rate)) => Some(sum.plus(rate.for_quantity(many, per)).plus(Money(ROUNDING))),
        (_, None) => None,
    })
}

/// What the rounding of a call's kinds of usage can add to each part, in nano-units.
const ROUNDING: i128 = 4;
