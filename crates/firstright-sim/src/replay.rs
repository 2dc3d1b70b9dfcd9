//! What would the law have done with this trace? Feeds a trace through the broker by a loop of its own: providers are
//! models, time is the trace's, and the journal that comes out is a journal like any other.

mod calls;
mod day;
mod jobs;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use firstright_core::Broker;
use firstright_core::decision::{Action, Decision};
use firstright_core::fact::Fact;
use firstright_core::journal::{Chain, header};
use firstright_core::units::{DAY, Timestamp};
use firstright_core::world::World;

pub use calls::{CallRun, calls, calls_law};
pub use day::{Arrangement, day_law, provisioned};
pub use jobs::{JobRun, Policy, jobs, jobs_law};

/// When every trace begins: 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp(20_454 * DAY);
/// The book of every simulated journal.
const BOOK: [u8; 16] = *b"firstright-sim-0";

/// A book at play: the broker, its journal, and what is still to come.
struct Book<E> {
    broker: Broker,
    chain: Chain,
    journal: Vec<u8>,
    last: Timestamp,
    coming: BinaryHeap<Reverse<(Timestamp, u64, E)>>,
    drawn: u64,
}

impl<E: Ord> Book<E> {
    /// A book under this law, or what is wrong with the law.
    fn open(sources: Vec<(String, String)>) -> Result<Book<E>, String> {
        let head = header(BOOK);
        let chain = Chain::new(&head).map_err(|fault| fault.to_string())?;
        let (journal, last) = (head.to_vec(), Timestamp(START.0 - 1));
        let mut book =
            Book { broker: Broker::new(), chain, journal, last, coming: BinaryHeap::new(), drawn: 0 };
        let decisions = book.step(START, &Fact::Enacted { sources });
        match decisions.first().map(|one| &one.action) {
            Some(Action::KeepLaw { problem }) => Err(problem.clone()),
            _ => Ok(book),
        }
    }

    fn world(&self) -> &World {
        self.broker.world().expect("a book opens only under a law")
    }

    /// Takes a fact at that time, or just after the last one.
    fn step(&mut self, at: Timestamp, fact: &Fact) -> Vec<Decision> {
        let at = at.max(Timestamp(self.last.0 + 1));
        self.last = at;
        let decisions = self.broker.step(at, fact);
        self.chain.append(at, fact, &decisions, &mut self.journal);
        decisions
    }

    /// Something will happen at that time.
    fn expect(&mut self, at: Timestamp, event: E) {
        self.drawn += 1;
        self.coming.push(Reverse((at, self.drawn, event)));
    }

    /// The next thing that happens before `until`: an event, or nothing but time (`None`) for the broker's deadline.
    fn next(&mut self, until: Timestamp) -> Option<(Timestamp, Option<E>)> {
        let event = self.coming.peek().map(|Reverse((at, ..))| *at);
        let due = self.broker.next_deadline();
        let at = event.into_iter().chain(due).min()?;
        if at > until {
            return None;
        }
        if event == Some(at) {
            return self.coming.pop().map(|Reverse((at, _, event))| (at, Some(event)));
        }
        Some((at, None))
    }
}

/// The tenant of that name, or one of all if the agreements know it not.
fn tenant_of(world: &World, name: &str) -> firstright_core::world::TenantId {
    // A trace's own names need not be those of the agreements, so they are spread over the tenants there are.
    let spread = name.bytes().fold(7u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(u16::from(byte)));
    let many = u16::try_from(world.tenants.len()).unwrap_or(u16::MAX).max(1);
    world.find_tenant(name).unwrap_or(firstright_core::world::TenantId(spread % many))
}
