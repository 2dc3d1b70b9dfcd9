//! Which connections does this thread hold, and which of them have used up their time?
//!
//! A timer per request would cost more than the budgets are worth: each connection notes in its [`Watch`] what it
//! waits for and since which tick, and one sweep a second looks at all of them.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::Limits;

/// A budget is kept to within one tick.
const TICK: Duration = Duration::from_secs(1);
/// At a drain a connection that has sent nothing yet gets this long: its request may be on the way.
const FRESH_GRACE_TICKS: u32 = 1;

/// At the cap, a connection that has not ended its head for so long may be closed for another: whoever is well sends it
/// at once.
const SLOW_HEAD_TICKS: u32 = 2;
/// At the cap so many connections are closed for others in one tick: each costs a look at all of them.
const MAX_CLOSED_FOR_OTHERS: u32 = 256;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Connected, no byte yet.
    Fresh,
    /// Between two requests.
    Idle,
    /// A part of a head is here.
    Head,
    /// A request is with its handler, or its answer is on the way out; the handler's budgets count.
    Serving,
}

/// What the sweep may know of a connection.
#[derive(Debug)]
pub(super) struct Watch {
    phase: Cell<Phase>,
    since: Cell<u32>,
    /// Since when the client has taken nothing of what we have for it.
    stalled: Cell<Option<u32>>,
    now: Rc<Cell<u32>>,
    draining: Rc<Cell<bool>>,
    waker: RefCell<Option<Waker>>,
}

impl Watch {
    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(self.now.get());
    }

    /// A byte of a head has come. Its budget runs from there, or on a new connection from the start: no later byte
    /// may renew it.
    pub(super) fn head_came(&self) {
        match self.phase.get() {
            Phase::Fresh => self.phase.set(Phase::Head),
            Phase::Idle => self.enter(Phase::Head),
            Phase::Head | Phase::Serving => {}
        }
    }

    pub(super) fn wrote(&self, ready: bool) {
        if ready {
            self.stalled.set(None);
        } else if self.stalled.get().is_none() {
            self.stalled.set(Some(self.now.get()));
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Notes whom to wake when a drain starts.
    pub(super) fn wake_by(&self, waker: &Waker) {
        let mut held = self.waker.borrow_mut();
        match &mut *held {
            Some(held) => held.clone_from(waker),
            None => *held = Some(waker.clone()),
        }
    }

    fn waited_ticks(&self) -> u32 {
        self.now.get().wrapping_sub(self.since.get())
    }
}

struct Entry {
    watch: Rc<Watch>,
    abort: Option<AbortHandle>,
}

/// The connections of one thread.
pub(super) struct Register {
    entries: RefCell<Vec<Option<Entry>>>,
    vacant: RefCell<Vec<usize>>,
    open: Cell<usize>,
    now: Rc<Cell<u32>>,
    draining: Rc<Cell<bool>>,
    emptied: Notify,
    /// Connections that were closed for others in this tick.
    closed_for_others: Cell<u32>,
    head_ticks: u32,
    idle_ticks: u32,
    stall_ticks: u32,
}

/// A connection's place in the register; dropped with the connection.
pub(super) struct Place {
    register: Rc<Register>,
    index: usize,
    pub(super) watch: Rc<Watch>,
}

impl Register {
    /// Starts the sweep, which ends with the register.
    pub(super) fn start(limits: &Limits) -> Rc<Self> {
        // Two instants less than a tick apart may lie on both sides of a tick.
        let ticks = |budget: Duration| u32::try_from(budget.as_secs()).unwrap_or(u32::MAX - 1) + 1;
        let register = Rc::new(Self {
            entries: RefCell::default(),
            vacant: RefCell::default(),
            open: Cell::new(0),
            now: Rc::default(),
            draining: Rc::default(),
            emptied: Notify::new(),
            closed_for_others: Cell::new(0),
            head_ticks: ticks(limits.head_timeout),
            idle_ticks: ticks(limits.idle_timeout),
            stall_ticks: ticks(limits.write_stall_timeout),
        });
        tokio::task::spawn_local(sweep_each_tick(Rc::downgrade(&register)));
        register
    }

    pub(super) fn enter(self: &Rc<Self>) -> Place {
        let watch = Rc::new(Watch {
            phase: Cell::new(Phase::Fresh),
            since: Cell::new(self.now.get()),
            stalled: Cell::new(None),
            now: self.now.clone(),
            draining: self.draining.clone(),
            waker: RefCell::new(None),
        });
        let entry = Some(Entry { watch: watch.clone(), abort: None });
        let mut entries = self.entries.borrow_mut();
        let index = match self.vacant.borrow_mut().pop() {
            Some(index) => {
                entries[index] = entry;
                index
            }
            None => {
                entries.push(entry);
                entries.len() - 1
            }
        };
        self.open.set(self.open.get() + 1);
        Place { register: self.clone(), index, watch }
    }

    /// Tells the register how to end the connection at `index`.
    pub(super) fn arm(&self, index: usize, abort: AbortHandle) {
        if let Some(Some(entry)) = self.entries.borrow_mut().get_mut(index) {
            entry.abort = Some(abort);
        }
    }

    /// Asks every connection to end with the request that it serves.
    pub(super) fn drain(&self) {
        self.draining.set(true);
        self.wake();
    }

    /// Lets every connection look at what it does; gives their number.
    pub(super) fn wake(&self) -> usize {
        for entry in self.entries.borrow().iter().flatten() {
            if let Some(waker) = entry.watch.waker.borrow_mut().take() {
                waker.wake();
            }
        }
        self.open.get()
    }

    /// Ends a connection for another's sake: the one that is slowest with its head, or else the one that has been without
    /// a request for the longest. False if all are at work.
    pub(super) fn make_room(&self) -> bool {
        if self.closed_for_others.get() >= MAX_CLOSED_FOR_OTHERS {
            return false;
        }
        let entries = self.entries.borrow();
        let of = |entry: &Entry| {
            let waited = entry.watch.waited_ticks();
            match entry.watch.phase.get() {
                Phase::Fresh | Phase::Head if waited >= SLOW_HEAD_TICKS => Some((true, waited)),
                Phase::Idle if waited > 0 => Some((false, waited)),
                _ => None,
            }
        };
        let ready = entries.iter().flatten().filter_map(|entry| Some((of(entry)?, entry)));
        let Some((_, entry)) = ready.max_by_key(|(rank, _)| *rank) else { return false };
        // It stays in the register until its task is dropped, and is not to be found again until then.
        entry.watch.enter(Phase::Serving);
        entry.end();
        self.closed_for_others.set(self.closed_for_others.get() + 1);
        true
    }

    /// Returns when no connection is left.
    pub(super) async fn empty(&self) {
        while self.open.get() > 0 {
            self.emptied.notified().await;
        }
    }

    /// Ends what is still open.
    pub(super) fn cut(&self) {
        self.entries.borrow().iter().flatten().for_each(Entry::end);
    }

    fn sweep(&self) {
        let draining = self.draining.get();
        for entry in self.entries.borrow().iter().flatten() {
            let watch = &entry.watch;
            let waited = watch.waited_ticks();
            let phase_over = match watch.phase.get() {
                Phase::Fresh => waited >= self.head_ticks || (draining && waited > FRESH_GRACE_TICKS),
                Phase::Head => waited >= self.head_ticks,
                Phase::Idle => waited >= self.idle_ticks,
                Phase::Serving => false,
            };
            let stalled =
                watch.stalled.get().is_some_and(|at| self.now.get().wrapping_sub(at) >= self.stall_ticks);
            if phase_over || stalled {
                entry.end();
            }
        }
    }
}

impl Entry {
    fn end(&self) {
        if let Some(abort) = &self.abort {
            abort.abort();
        }
    }
}

impl Place {
    pub(super) fn index(&self) -> usize {
        self.index
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let register = &self.register;
        register.entries.borrow_mut()[self.index] = None;
        register.vacant.borrow_mut().push(self.index);
        register.open.set(register.open.get() - 1);
        if register.open.get() == 0 {
            register.emptied.notify_one();
        }
    }
}

async fn sweep_each_tick(register: Weak<Register>) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(register) = register.upgrade() else { return };
        register.now.set(register.now.get().wrapping_add(1));
        register.closed_for_others.set(0);
        register.sweep();
    }
}
