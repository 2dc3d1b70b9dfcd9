//! Is a brown-out told from a burst, is the contract's order kept while it lasts, and does it end by itself? Calls come by
//! the clock of a rate; a place answers late for a while.

use firstright_core::decision::Action;
use firstright_core::fact::{Ending, Fact, Source};
use firstright_core::title::Evidence;
use firstright_core::units::{MINUTE, SECOND, Span, Timestamp};
use firstright_core::usage::{Tier, Usage};
use firstright_core::workload::{CallId, Family, Media};
use firstright_core::world::{DeploymentId, ModelId, TenantId};
use std::collections::BTreeMap;

use crate::generate::{Event, Play, under};
use crate::past::Past;

const MILLI: u64 = 1_000_000;
const HOLDER: DeploymentId = DeploymentId(0);

const LAW: &str = r#"
currency = "USD"
[[party]]
id = "us"
operator = true
[[party]]
id = "azure"
[[party]]
id = "oracle"
[[provider]]
id = "azure-east"
party = "azure"
region = "us-east"
jurisdiction = "us"
[[provider.deployment]]
id = "azure-gpt"
model = "gpt"
capacity = CAPACITY
price = { input = "2 USD/Mtok", output = "8 USD/Mtok" }
[[provider]]
id = "oracle-west"
party = "oracle"
region = "us-west"
jurisdiction = "us"
[[provider.deployment]]
id = "oracle-gpt"
model = "gpt"
capacity = { concurrent = 1000 }
price = { input = "2 USD/Mtok", output = "8 USD/Mtok" }
[[tenant]]
id = "app"
[[agreement]]
id = "deal"
parties = ["us", "azure"]
from = 2025-01-01
[[agreement.first-refusal]]
id = "api"
holder = "azure"
scope = { kinds = "calls" }
answering = "standing"
"#;

/// What comes of calls: where each went and when, and what a release rested on.
struct Run {
    play: Play,
    start: Timestamp,
    /// (when, whether the holder serves it)
    went: Vec<(u64, bool)>,
    slowed: u32,
    next: u64,
    seed: u64,
    /// When answers begin and calls end: (time, call, does it end, first byte).
    due: BTreeMap<(u64, u64), (CallId, Option<Span>)>,
}

impl Run {
    fn new(capacity: &str, seed: u64) -> Run {
        let play = under(LAW.replace("CAPACITY", capacity));
        let start = play.now;
        let (went, due) = Default::default();
        Run { play, start, went, slowed: 0, next: 1, seed, due }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }

    fn step(&mut self, millis: u64, fact: Fact) {
        let at = self.start.plus(Span(millis * MILLI));
        self.play.now = at.max(Timestamp(self.play.now.0 + 1));
        self.play.step(fact);
    }

    /// Until this time so many calls a second come; the holder's first bytes take `holder` milliseconds, the other's 300.
    fn until(&mut self, from: u64, until: u64, rate: u64, holder: u64, streams: bool) {
        let mut next_call = from;
        while next_call < until || self.due.keys().next().is_some_and(|(at, _)| *at < until) {
            match self.due.first_key_value().map(|(key, _)| *key).filter(|(at, _)| *at <= next_call) {
                Some(key) => self.fall_due(key),
                None if next_call < until => {
                    self.call(next_call, holder, streams);
                    next_call += 1_000 / rate;
                }
                None => return,
            }
        }
    }

    fn fall_due(&mut self, key: (u64, u64)) {
        let (call, ends) = self.due.remove(&key).expect("it falls due");
        match ends {
            None => self.step(key.0, Fact::AnswerAwaited { call, waited: Span(SECOND) }),
            Some(first_byte) => {
                let usage = Usage { input: 400, output: 100, requests: 1, ..Usage::default() };
                let (tier, source, ending) = (Tier::Default, Source::Provider, Ending::Complete);
                let observed = None;
                self.step(
                    key.0,
                    Fact::CallSettled { call, usage, tier, source, ending, first_byte, observed, ran: None },
                );
            }
        }
    }

    fn call(&mut self, at: u64, holder: u64, streams: bool) {
        let id = CallId(self.next);
        self.next += 1;
        let call = firstright_core::workload::Call {
            id,
            tenant: TenantId(0),
            model: ModelId(0),
            input: 400,
            max_output: 200,
            region: None,
            key: None,
            family: Family::Inference,
            tier: Tier::Default,
            input_most: 400,
            media: Media::default(),
            home: None,
            trains: false,
            runs: None,
            hedges: None,
        };
        self.step(at, Fact::CallArrived(call));
        let decided = &self.play.records.last().expect("the call's").decisions;
        let Some(Action::Serve { deployment, title, .. }) = decided.first().map(|one| &one.action) else {
            panic!("every call finds room: {decided:?}");
        };
        let own = *deployment == HOLDER;
        let slow = |one: &Evidence| matches!(one, Evidence::Slowed { .. });
        self.slowed += u32::from(title.releases().iter().any(|one| one.evidence().iter().any(slow)));
        self.went.push((at, own));
        let usual = if own { holder } else { 300 };
        let first_byte = usual * (80 + self.random(40)) / 100;
        let ends = first_byte + if streams { 1_500 } else { 0 };
        if streams && first_byte > 1_000 {
            self.due.insert((at + 1_000, 2 * id.0), (id, None));
        }
        self.due.insert((at + ends, 2 * id.0 + 1), (id, Some(Span(first_byte * MILLI))));
    }

    /// Of the calls between these times, in percent, those that the holder serves.
    fn share(&self, from: u64, until: u64) -> usize {
        let of: Vec<bool> =
            self.went.iter().filter(|(at, _)| (from..until).contains(at)).map(|(_, own)| *own).collect();
        100 * of.iter().filter(|own| **own).count() / of.len()
    }

    fn is_lawful(&self) {
        let mut past = Past::new(self.play.world());
        for (at, event) in &self.play.story {
            past.now = *at;
            if let Event::Decided(decision) = event
                && let Err(problem) = past.lawful(decision)
            {
                panic!("{at} {:?}: {problem}", decision.action);
            }
            past.take(event);
        }
    }
}

const PTU: &str = "{ provisioned = { per-minute = 9_000_000 } }";

#[test]
fn nine_tenths_move_within_five_seconds_and_come_back() {
    for seed in 0..4 {
        let mut run = Run::new(PTU, seed);
        let rate = [20, 40][seed as usize / 2];
        let streams = seed % 2 == 0;
        run.until(0, 20_000, rate, 300, streams);
        assert_eq!(run.share(0, 20_000), 100, "seed {seed}: it is usual");
        run.until(20_000, 45_000, rate, 3_000, streams);
        let left = run.share(25_000, 45_000);
        assert!(left <= 10, "seed {seed}: {left} % are left with the holder");
        assert!(run.slowed > 0, "seed {seed}: the release says why");
        run.until(45_000, 85_000, rate, 300, streams);
        let back = run.share(75_000, 85_000);
        assert!(back >= 95, "seed {seed}: {back} % are back with the holder");
        run.is_lawful();
    }
}

#[test]
fn a_burst_is_no_brown_out() {
    for seed in 0..2 {
        let mut run = Run::new(PTU, seed);
        run.until(0, 20_000, 10, 300, seed % 2 == 0);
        run.until(20_000, 30_000, 100, 600, seed % 2 == 0);
        run.until(30_000, 40_000, 10, 300, seed % 2 == 0);
        assert_eq!(run.slowed, 0, "seed {seed}");
        run.is_lawful();
    }
}

#[test]
fn a_place_of_our_own_is_learnt() {
    let mut run = Run::new("{ concurrent = 64 }", 3);
    run.until(0, 30_000, 25, 300, true);
    assert_eq!(run.share(0, 30_000), 100);
    // It answers two and a half times as late: too many for it, but no brown-out.
    run.until(30_000, 60_000, 25, 750, true);
    let learnt = run.play.broker.capacities(run.play.now)[0].learnt;
    assert!(learnt.is_some_and(|learnt| learnt < 64), "{learnt:?}");
    assert_eq!(run.slowed, 0);
    let minute = MINUTE / MILLI;
    run.until(minute, 2 * minute, 25, 300, true);
    let back = run.share(minute + minute / 2, 2 * minute);
    assert!(back >= 95, "{back} % are back with the holder");
    run.is_lawful();
}
