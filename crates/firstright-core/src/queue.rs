//! Who waits, in what order, and for what? By class; within a class by start-time fair queueing, so that a tenant that
//! brings half of the calls makes nobody wait but itself; then by arrival. [CH-17] [CH-18]

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;

use crate::units::{Span, Timestamp};
use crate::workload::CallId;
use crate::world::{Class, DeploymentId, ModelId, TenantId};

/// Waiting calls looked at for what stands before another, so that a decision's work stays bounded. Beyond them a wait
/// is thought shorter than it is, and ends by the clock.
pub(crate) const MAX_LOOKED_AT: usize = 256;
/// Tokens are divided by a weight; so much finer, that little is lost.
const FINE: u64 = 1_024;

/// A call's place in the order. Lower is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    class: Class,
    /// The tenant's turn: how much it has been given before, by its weight.
    start: u64,
    number: u64,
}

/// A call that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub call: CallId,
    pub tenant: TenantId,
    pub model: ModelId,
    /// It is decided like every other of its tenant and model: nothing was tried for it, and nothing narrows where it may go.
    pub plain: bool,
    /// Tokens that it reserves.
    pub need: u64,
    pub since: Timestamp,
    /// When it is refused if nobody has had room.
    pub until: Timestamp,
    /// When it is spilled if the one that it would rather have has had none.
    pub patience: Timestamp,
    /// Where room for it is expected first, and when.
    pub awaits: Option<DeploymentId>,
    pub again: Timestamp,
}

/// What those before a call want of a deployment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ahead {
    pub tokens: u64,
    pub calls: u64,
    /// Of the tokens, those that are kept for calls that have been overtaken long enough.
    pub kept: u64,
}

/// The calls that wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    order: BTreeMap<Line, Waiting>,
    lines: BTreeMap<CallId, Line>,
    /// The start of whoever was served last, by class.
    clocks: BTreeMap<Class, u64>,
    /// Where a tenant's next call starts.
    finished: BTreeMap<(Class, TenantId), u64>,
    /// Calls that wait for each deployment first of all.
    awaited: BTreeMap<DeploymentId, u32>,
    arrivals: u64,
}

impl Waiting {
    /// It is overtaken for half of what it may wait; then what comes free where it waits is kept for it.
    //= rights/choosing.md#CH-18
    fn is_kept(&self, at: Timestamp) -> bool {
        at.since(self.since) >= Span(self.ends().since(self.since).0.div_euclid(2))
    }

    /// The longest that it may wait.
    pub fn ends(&self) -> Timestamp {
        self.until.max(self.patience)
    }
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn contains(&self, call: CallId) -> bool {
        self.lines.contains_key(&call)
    }

    /// Draws a place in the order for a call of so many tokens.
    //= rights/choosing.md#CH-17
    //= rights/choosing.md#CH-18
    pub fn draw(&mut self, class: Class, tenant: TenantId, need: u64, weight: u32) -> Line {
        if self.is_empty() {
            // Nobody waits: what was given before is forgotten.
            self.finished.clear();
            self.clocks.clear();
        }
        let clock = self.clocks.get(&class).copied().unwrap_or(0);
        let finished = self.finished.entry((class, tenant)).or_default();
        let start = clock.max(*finished);
        let turn = need.max(1).saturating_mul(FINE).div_euclid(u64::from(weight.max(1)));
        *finished = start.saturating_add(turn);
        self.arrivals = self.arrivals.saturating_add(1);
        Line { class, start, number: self.arrivals }
    }

    pub fn insert(&mut self, line: Line, waiting: Waiting) {
        self.count(waiting.awaits, 1);
        self.lines.insert(waiting.call, line);
        self.order.insert(line, waiting);
    }

    /// Room for it is expected elsewhere, or at another time.
    pub fn awaits(&mut self, call: CallId, place: Option<DeploymentId>, again: Timestamp) {
        let waiting = self.lines.get(&call).and_then(|line| self.order.get_mut(line));
        let Some(waiting) = waiting else { return };
        let before = core::mem::replace(&mut waiting.awaits, place);
        waiting.again = again;
        if before != place {
            self.count(before, -1);
            self.count(place, 1);
        }
    }

    /// Takes a call out; `served` if it was given room, which is its tenant's turn.
    pub fn remove(&mut self, call: CallId, served: bool) -> Option<Waiting> {
        let line = self.lines.remove(&call)?;
        let waiting = self.order.remove(&line)?;
        self.count(waiting.awaits, -1);
        if served {
            let first = self.order.keys().find(|other| other.class == line.class);
            let start = first.map_or(line.start, |first| line.start.min(first.start));
            let clock = self.clocks.entry(line.class).or_default();
            *clock = (*clock).max(start);
        }
        Some(waiting)
    }

    pub fn get(&self, call: CallId) -> Option<&Waiting> {
        self.lines.get(&call).and_then(|line| self.order.get(line))
    }

    /// In the order in which they are served.
    pub fn iter(&self) -> impl Iterator<Item = (&Line, &Waiting)> {
        self.order.iter()
    }

    /// The one that is shed first.
    pub fn last(&self) -> Option<(Line, Waiting)> {
        self.order.last_key_value().map(|(line, waiting)| (*line, *waiting))
    }

    /// Calls that wait for the deployment first of all.
    pub fn waiting_for(&self, place: DeploymentId) -> u32 {
        self.awaited.get(&place).copied().unwrap_or(0)
    }

    /// What those before the call want of the deployment.
    pub fn ahead(&self, at: Timestamp, line: Option<Line>, place: DeploymentId) -> Ahead {
        let mut ahead = Ahead::default();
        let Some(line) = line.filter(|_| self.waiting_for(place) > 0) else { return ahead };
        for (_, waiting) in self.order.range(..line).take(MAX_LOOKED_AT) {
            if waiting.awaits != Some(place) {
                continue;
            }
            ahead.tokens = ahead.tokens.saturating_add(waiting.need);
            ahead.calls = ahead.calls.saturating_add(1);
            if waiting.is_kept(at) {
                ahead.kept = ahead.kept.saturating_add(waiting.need);
            }
        }
        ahead
    }

    fn count(&mut self, place: Option<DeploymentId>, by: i32) {
        let Some(place) = place else { return };
        let many = self.awaited.entry(place).or_default();
        *many = many.saturating_add_signed(by);
    }
}

/// Those who wait of one class, for those who watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// Which class.
    pub class: Class,
    /// Calls that wait.
    pub waiting: u32,
    /// Tokens that they reserve.
    pub tokens: u64,
    /// Since when the first of them has waited.
    pub oldest: Option<Timestamp>,
    /// Tenants that they are of.
    pub tenants: u32,
}

impl Queue {
    /// Each class, the first served first.
    pub fn views(&self) -> [QueueView; 4] {
        Class::ALL.map(|class| {
            let mut view = QueueView { class, waiting: 0, tokens: 0, oldest: None, tenants: 0 };
            let mut tenants = BTreeSet::new();
            for (_, waiting) in self.order.iter().filter(|(line, _)| line.class == class) {
                view.waiting = view.waiting.saturating_add(1);
                view.tokens = view.tokens.saturating_add(waiting.need);
                view.oldest = Some(view.oldest.map_or(waiting.since, |oldest| oldest.min(waiting.since)));
                tenants.insert(waiting.tenant);
            }
            view.tenants = u32::try_from(tenants.len()).unwrap_or(u32::MAX);
            view
        })
    }
}

#[cfg(test)]
mod tests;
