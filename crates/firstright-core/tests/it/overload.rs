//! Who waits in an overload, and how long? Calls come faster than they can be served: the classes are kept apart, tenants
//! take turns, and when the load is gone nothing of it stays.

use std::collections::BTreeMap;

use firstright_core::decision::{Action, Refusal};
use firstright_core::fact::{Ending, Fact, Source};
use firstright_core::units::{Span, Timestamp};
use firstright_core::usage::{Tier, Usage};
use firstright_core::workload::{Call, CallId};
use firstright_core::world::{ModelId, TenantId};

use crate::generate::{Play, under};

const MILLI: u64 = 1_000_000;
/// Calls at once, and how long each takes.
const PLACES: u64 = 20;
const TAKES: u64 = 400;
/// So many a second can be served.
const CAPACITY: u64 = PLACES * 1_000 / TAKES;

fn law(tenants: &[(&str, &str)]) -> String {
    let mut law = format!(
        "currency = \"USD\"\nlimits = {{ waiting = 400 }}\n[[party]]\nid = \"us\"\noperator = true\n[[provider]]\n\
         id = \"own\"\nparty = \"us\"\nregion = \"us-east\"\njurisdiction = \"us\"\n[[provider.deployment]]\nid = \"gpt\"\n\
         model = \"gpt\"\ncapacity = {{ concurrent = {PLACES} }}\n"
    );
    for (id, more) in tenants {
        law += &format!("[[tenant]]\nid = \"{id}\"\nmax-wait = \"5s\"\n{more}\n");
    }
    law
}

struct Load {
    play: Play,
    start: Timestamp,
    ends: BTreeMap<(u64, CallId), ()>,
    arrived: BTreeMap<CallId, (usize, u64)>,
    /// Waits by tenant, in milliseconds, of those that were served.
    waits: Vec<Vec<u64>>,
    refused: Vec<u64>,
    /// Refusals for which no honest time to come back was told.
    dishonest: u64,
    next: u64,
}

impl Load {
    fn new(tenants: &[(&str, &str)]) -> Load {
        let play = under(law(tenants));
        let start = play.now;
        let (waits, refused) = (vec![Vec::new(); tenants.len()], vec![0; tenants.len()]);
        Load {
            play,
            start,
            ends: BTreeMap::new(),
            arrived: BTreeMap::new(),
            waits,
            refused,
            dishonest: 0,
            next: 1,
        }
    }

    fn step(&mut self, millis: u64, fact: Fact) {
        let at = self.start.plus(Span(millis * MILLI));
        self.play.now = at.max(Timestamp(self.play.now.0 + 1));
        self.play.step(fact);
        let now = self.play.now.since(self.start).0 / MILLI;
        let decisions = self.play.records.last().expect("the fact's").decisions.clone();
        for decision in decisions {
            match decision.action {
                Action::Serve { call, .. } => {
                    let (tenant, arrived) = self.arrived[&call];
                    self.waits[tenant].push(now - arrived);
                    self.ends.insert((now + TAKES, call), ());
                }
                Action::Refuse { call, refusal } => {
                    self.refused[self.arrived[&call].0] += 1;
                    let told = matches!(refusal, Refusal::Capacity { retry_after } if retry_after > Span(0));
                    self.dishonest += u64::from(!told);
                }
                _ => {}
            }
        }
    }

    /// Time passes until then: calls end, and deadlines fall due by themselves.
    fn pass(&mut self, until: u64) {
        loop {
            let ends = self.ends.first_key_value().map(|((at, _), ())| *at);
            let due = self.play.broker.next_deadline().map(|at| at.since(self.start).0.div_ceil(MILLI));
            match (ends, due) {
                (Some(at), due) if at <= until && due.is_none_or(|due| at <= due) => {
                    let ((at, call), ()) = self.ends.pop_first().expect("one ends");
                    let usage = Usage { input: 100, output: 100, requests: 1, ..Usage::default() };
                    let (tier, source, ending) = (Tier::Default, Source::Provider, Ending::Complete);
                    let (first_byte, observed) = (Span(200 * MILLI), None);
                    self.step(
                        at,
                        Fact::CallSettled {
                            call,
                            usage,
                            tier,
                            source,
                            ending,
                            first_byte,
                            observed,
                            ran: None,
                        },
                    );
                }
                (_, Some(due)) if due <= until => self.step(due, Fact::Ticked),
                _ => return,
            }
        }
    }

    /// From then until then so many calls a second of each tenant.
    fn load(&mut self, from: u64, until: u64, rates: &[u64]) {
        let mut next: Vec<u64> = rates.iter().map(|_| from).collect();
        loop {
            let soonest = (0..rates.len()).filter(|tenant| rates[*tenant] > 0).min_by_key(|one| next[*one]);
            let Some(tenant) = soonest.filter(|one| next[*one] < until) else { return self.pass(until) };
            let at = next[tenant];
            next[tenant] += 1_000 / rates[tenant];
            self.pass(at);
            let id = CallId(self.next);
            self.next += 1;
            self.arrived.insert(id, (tenant, at));
            self.step(at, Fact::CallArrived(Call::new(id, TenantId(tenant as u16), ModelId(0), 100, 100)));
        }
    }

    /// The wait that 99 of 100 of the tenant's served calls do not exceed, and how many were served.
    fn p99(&self, tenant: usize) -> (u64, usize) {
        let mut waits = self.waits[tenant].clone();
        waits.sort_unstable();
        let worst = waits.get((waits.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0);
        (worst, waits.len())
    }

    fn forget(&mut self) {
        self.waits.iter_mut().for_each(Vec::clear);
        self.refused.iter_mut().for_each(|one| *one = 0);
    }
}

#[test]
fn batch_starves_first_and_critical_calls_hardly_wait() {
    let mut load =
        Load::new(&[("board", "class = \"critical\""), ("app", ""), ("nightly", "class = \"batch\"")]);
    // Half of what can be served, then five times as much, of which a fifth of the capacity is critical.
    load.load(0, 10_000, &[5, 10, 10]);
    assert_eq!(load.refused, [0, 0, 0]);
    load.forget();
    load.load(10_000, 40_000, &[10, 60, 180]);
    let (worst, served) = load.p99(0);
    assert!(worst <= TAKES && served == 300, "a critical call takes twice its time at most: {worst} ms");
    assert_eq!(load.refused[0], 0);
    let all: usize = (0..3).map(|tenant| load.p99(tenant).1).sum();
    assert!(all as u64 >= CAPACITY * 30 * 9 / 10, "what can be served is: {all}");
    let batch = load.p99(2).1;
    assert!(batch * 20 <= all, "batch calls starve first: {batch} of {all}");
    assert_eq!(load.dishonest, 0, "whoever is refused is told when to come back");
    // The load is gone: within ten seconds nothing of it is left.
    load.load(40_000, 50_000, &[5, 10, 10]);
    load.forget();
    load.load(50_000, 60_000, &[5, 10, 10]);
    assert_eq!(load.refused, [0, 0, 0]);
    assert!((0..3).all(|tenant| load.p99(tenant).0 == 0), "nobody waits any more");
}

#[test]
fn one_tenant_that_brings_most_makes_itself_wait() {
    let names: Vec<String> = (0..6).map(|nth| format!("t{nth}")).collect();
    let tenants: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let mut load = Load::new(&tenants);
    // One brings three quarters of one and a half times what can be served; the others bring little.
    load.load(0, 60_000, &[50, 5, 5, 5, 5, 5]);
    let heavy = load.p99(0).0;
    for tenant in 1..6 {
        let (worst, served) = load.p99(tenant);
        assert!(worst <= 500 && load.refused[tenant] == 0, "{tenant}: {worst} ms, {served} served");
    }
    assert!(heavy >= 3_000, "it waits itself: {heavy} ms");
    assert!(load.refused[0] > 0);
}
