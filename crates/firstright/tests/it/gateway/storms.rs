//! How much do we ask of providers that refuse or fail, and what is a request worth that comes again?

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use firstright_core::fact::{Fact, FailureKind};
use serde_json::json;

use crate::world::{World, ask, ask_stream, bearer, until};

/// Clients at once, and what each asks.
const CLIENTS: u64 = 8;
const CALLS: u64 = 60;
/// A few failures in a short time may be tried again whatever the share [CH-16].
const RETRIES_ANYWAY: u64 = 10;

/// All clients ask at the same time; returns how many were served.
fn storm(world: &World, tenant: &str) -> u64 {
    let served = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut http = world.connect();
                for _ in 0..CALLS {
                    let reply = http.chat(tenant, "x-sandbox-tokens: 10,2\r\n", &ask("gpt-4o")).unwrap();
                    served.fetch_add(u64::from(reply.status == 200), Ordering::SeqCst);
                }
            });
        }
    });
    served.load(Ordering::SeqCst)
}

fn asked(world: &World) -> u64 {
    ["azure", "oracle", "nordic"].iter().map(|name| world.cloud(name).counters().requests).sum()
}

#[test]
fn a_storm_of_429s_is_not_answered_with_one_of_ours() {
    let world = World::new();
    world.fault("azure", None, json!({ "throttle-storm": { "percent": 100, "retry_after_ms": 5000 } }));
    let served = storm(&world, "chat");
    assert_eq!(served, CLIENTS * CALLS, "each was served by somebody who had room");
    let (asked, azure) = (asked(&world), world.cloud("azure").counters().requests);
    // Every first call may find out at the same time; after that its word holds.
    println!("{served} calls, {asked} requests to providers, {azure} of them to the holder");
    assert!(asked * 100 <= served * 110, "{asked} requests for {served} calls");
    let book = world.stop();
    let failures = book.records.iter().filter_map(|record| match &record.fact {
        Fact::AttemptFailed { failure, .. } => Some(failure.kind),
        _ => None,
    });
    assert!(failures.clone().count() > 0 && failures.clone().all(|kind| kind == FailureKind::Throttled));
    assert_eq!(book.settled().count() as u64, served, "nothing is paid twice");
}

#[test]
fn when_everybody_fails_a_tenth_is_tried_again_and_no_more() {
    let world = World::new();
    for cloud in ["azure", "oracle", "nordic"] {
        // Half of the calls: a breaker seldom sees five failures in a row, so only the share keeps retries down.
        world.fault(
            cloud,
            None,
            json!({ "brown-out": { "slow_percent": 100, "error_percent": 50, "status": 500 } }),
        );
    }
    let served = storm(&world, "open");
    let (asked, calls) = (asked(&world), CLIENTS * CALLS);
    println!("{calls} calls, {served} served, {asked} requests to providers");
    assert!(asked * 100 <= calls * 110 + RETRIES_ANYWAY * 100, "{asked} requests for {calls} calls");
    let book = world.stop();
    assert_eq!(book.settled().count() as u64, served, "nothing is paid twice");
}

/// Streams of eight clients until they are stopped: how many one place served, of how many.
#[derive(Default)]
struct Flow {
    stop: AtomicBool,
    of_place: AtomicU64,
    all: AtomicU64,
}

/// Stops the clients, whatever becomes of the test.
struct Stop<'a>(&'a Flow);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::SeqCst);
    }
}

impl Flow {
    fn run(&self, world: &World, place: &str) {
        let mut http = world.connect();
        while !self.stop.load(Ordering::SeqCst) {
            let reply =
                http.chat("chat", "x-sandbox-tokens: 10,2\r\n", &ask_stream("gpt-4o", false)).unwrap();
            assert_eq!(reply.status, 200, "{}", reply.text());
            self.of_place.fetch_add(u64::from(reply.deployment() == place), Ordering::SeqCst);
            self.all.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// The place's percentage of the next hundred calls.
    fn percent(&self) -> u64 {
        let (of_place, all) = (self.of_place.load(Ordering::SeqCst), self.all.load(Ordering::SeqCst));
        until("a hundred calls are served", || self.all.load(Ordering::SeqCst) >= all + 100);
        (self.of_place.load(Ordering::SeqCst) - of_place) * 100 / (self.all.load(Ordering::SeqCst) - all)
    }
}

#[test]
fn a_place_that_browns_out_is_left_within_five_seconds_and_comes_back() {
    let world = World::new();
    let flow = Flow::default();
    std::thread::scope(|scope| {
        let _stop = Stop(&flow);
        for _ in 0..CLIENTS {
            scope.spawn(|| flow.run(&world, "azure-ptu"));
        }
        until("it serves all while it is well", || flow.percent() >= 90);
        // A first byte takes 200 ms where two or three are usual.
        let slow = json!({ "brown-out": { "slow_percent": 10_000, "error_percent": 0, "status": 503 } });
        world.fault("azure", Some("four-o-ptu"), slow);
        let begun = Instant::now();
        until("nine in ten have moved", || flow.percent() <= 10);
        let moved = begun.elapsed();
        world.mend("azure");
        let begun = Instant::now();
        until("it serves again", || flow.percent() >= 90);
        println!("nine in ten had moved after {moved:?}, and were back after {:?}", begun.elapsed());
        assert!(moved < Duration::from_secs(5), "{moved:?}");
    });
    // In the order of the contract: the holder's other place was well.
    assert_eq!(world.cloud("oracle").counters().requests, 0);
    world.stop();
}

#[test]
fn a_request_that_comes_again_is_answered_as_before_and_settled_once() {
    let world = World::new();
    let ask_with = |tenant: &str, key: &str, body: &serde_json::Value| {
        let extra = format!("idempotency-key: {key}\r\nx-sandbox-tokens: 10,5\r\n");
        world.post(tenant, "/v1/chat/completions", &extra, body.to_string().as_bytes())
    };
    let first = ask_with("chat", "k-1", &ask("gpt-4o"));
    assert_eq!((first.status, first.header("x-firstright-replayed")), (200, None));
    for _ in 0..3 {
        let again = ask_with("chat", "k-1", &ask("gpt-4o"));
        assert_eq!((again.status, again.header("x-firstright-replayed")), (200, Some("true")));
        assert_eq!((again.body, again.headers.len()), (first.body.clone(), first.headers.len() + 1));
    }
    ask_with("chat", "k-1", &ask("gpt-4o-mini")).refuses(422, "idempotency_mismatch");
    assert_eq!(asked(&world), 1);
    // Another tenant's key of the same name is another key.
    let other = ask_with("open", "k-1", &ask("gpt-4o"));
    assert_eq!((other.status, other.header("x-firstright-replayed")), (200, None));
    // A failure is not kept: who tries again wants another try.
    world.fault("azure", None, json!({ "refuse-connections": {} }));
    let begun = Instant::now();
    let failed = ask_with("apis", "k-2", &ask("gpt-4o"));
    assert!(failed.status >= 429, "{failed:?}");
    world.mend("azure");
    let served = loop {
        let reply = ask_with("apis", "k-2", &ask("gpt-4o"));
        if reply.status == 200 {
            break reply;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{reply:?}");
        std::thread::park_timeout(Duration::from_millis(100));
    };
    assert_eq!(served.header("x-firstright-replayed"), None);
    assert_eq!(world.stop().settled().count(), 3);
}

#[test]
fn a_first_request_that_is_still_under_way_is_not_sent_again() {
    let world = World::new();
    world.fault(
        "oracle",
        None,
        json!({ "brown-out": { "slow_percent": 20_000, "error_percent": 0, "status": 500 } }),
    );
    let extra = format!("{}idempotency-key: k\r\nx-sandbox-tokens: 10,400\r\n", bearer("patient"));
    let body = ask("gpt-4o").to_string();
    let (mut first, mut second) = (world.connect(), world.connect());
    first.request("POST", "/v1/chat/completions", &extra, body.as_bytes()).unwrap();
    until("the first is under way", || world.open_calls() == 1);
    second.request("POST", "/v1/chat/completions", &extra, body.as_bytes()).unwrap();
    let reply = second.read().unwrap();
    reply.refuses(409, "idempotency_in_flight");
    assert_eq!(first.read().unwrap().status, 200);
    assert_eq!(world.cloud("oracle").counters().requests, 1);
    world.stop();
}
