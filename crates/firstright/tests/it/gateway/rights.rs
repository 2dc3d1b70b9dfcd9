//! Is nobody served before the holder of a right has answered, and does every refusal tell the truth?

use std::time::{Duration, Instant};

use firstright_core::decision::{Action, Decision, Ground};
use firstright_core::fact::{Fact, FailureKind};
use firstright_core::title::Evidence;
use serde_json::json;

use crate::world::{Book, World, ask, ask_stream, bearer, until};

/// Azure's two deployments of gpt-4o as the law sees them, too small for [`ask`].
const SMALL: [(&str, &str); 2] = [
    ("provisioned = { per-minute = 60_000_000 }", "pay-as-you-go = { tokens-per-minute = 30 }"),
    ("tokens-per-minute = 60_000_000", "tokens-per-minute = 30"),
];

/// What released the holder, of a decision to serve.
fn evidence(decision: &Decision) -> Vec<Evidence> {
    let Action::Serve { title, .. } = &decision.action else { panic!("{decision:?}") };
    title.releases().iter().flat_map(|release| release.evidence().iter().cloned()).collect()
}

fn served(book: &Book, record: u64) -> &Decision {
    let serves = |one: &&Decision| matches!(one.action, Action::Serve { .. });
    book.decisions(record).iter().find(serves).unwrap()
}

#[test]
fn the_holder_serves_while_it_has_room() {
    let world = World::new();
    let reply = world.chat("chat", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (200, "azure-ptu"));
    assert_eq!(reply.header("x-firstright-provider"), Some("azure"));
    let ground = reply.header("x-firstright-ground").unwrap();
    assert!(ground.contains("azure-first") && ground.contains("[FR-1]"), "{ground}");
    let book = world.stop();
    assert!(evidence(served(&book, reply.decision())).is_empty());
}

#[test]
fn a_short_holder_releases_with_its_evidence() {
    let world = World::with(&SMALL, "", |_| {});
    let reply = world.chat("chat", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (200, "oracle-gpt-4o"));
    let ground = reply.header("x-firstright-ground").unwrap();
    assert!(
        ground.contains("azure-first") && ground.contains("short") && ground.contains("[FR-20]"),
        "{ground}"
    );
    assert_eq!(world.cloud("azure").counters().requests, 0, "it was not even asked");
    let book = world.stop();
    let evidence = evidence(served(&book, reply.decision()));
    assert_eq!(evidence.len(), 2, "{evidence:?}");
    assert!(evidence.iter().all(|one| matches!(one, Evidence::Short { need, free, .. } if need > free)));
}

#[test]
fn a_holders_429_is_evidence_and_nothing_is_paid_twice() {
    let world = World::new();
    world.fault("azure", None, json!({ "throttle-storm": { "percent": 100, "retry_after_ms": 60_000 } }));
    let reply = world.chat("chat", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (200, "oracle-gpt-4o"), "{}", reply.text());
    let asked = world.cloud("azure").counters();
    assert_eq!((asked.requests, asked.throttled, asked.served), (2, 2, 0), "each deployment once");
    // While it says to wait, it is not asked again: a storm is not made worse.
    for _ in 0..5 {
        assert_eq!(world.chat("chat", &ask("gpt-4o")).deployment(), "oracle-gpt-4o");
    }
    assert_eq!(world.cloud("azure").counters().requests, 2);
    assert_eq!(world.cloud("oracle").counters().served, 6, "one paid attempt a call");
    let book = world.stop();
    let evidence = evidence(served(&book, reply.decision()));
    let throttled =
        |one: &Evidence| matches!(one, Evidence::Failed { kind: FailureKind::Throttled, status: 429, .. });
    assert_eq!(evidence.iter().filter(|one| throttled(one)).count(), 2, "{evidence:?}");
    assert_eq!(book.settled().count(), 6);
}

#[test]
fn an_exclusive_tenant_waits_for_its_party_and_for_nobody_else() {
    let world = World::new();
    world.fault("azure", None, json!({ "throttle-storm": { "percent": 100, "retry_after_ms": 2_500 } }));
    let begun = Instant::now();
    let told = |reply: &crate::world::Reply| {
        reply.refuses(429, "capacity_exhausted");
        assert!(reply.decision() > 0, "the refusal can be explained");
        assert_eq!(reply.header("x-should-retry"), Some("true"));
        let ms: u64 = reply.header("retry-after-ms").unwrap().parse().unwrap();
        let s: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert_eq!(s, ms.div_ceil(1_000));
        Duration::from_millis(ms)
    };
    let first = told(&world.chat("apis", &ask("gpt-4o")));
    assert!(first > Duration::from_millis(1_500) && first <= Duration::from_millis(2_500), "{first:?}");
    let asked = world.cloud("azure").counters().requests;
    let second = told(&world.chat("apis", &ask("gpt-4o")));
    assert!(second <= first, "what is left of it: {second:?}");
    assert_eq!(world.cloud("azure").counters().requests, asked, "refused without being sent");
    // Honest: after the wait there is room, and before it there was none.
    world.mend("azure");
    until("there is room again", || world.chat("apis", &ask("gpt-4o")).status == 200);
    let waited = begun.elapsed();
    assert!(waited >= first - Duration::from_millis(50), "room came after {waited:?}, told {first:?}");
    assert_eq!(world.cloud("oracle").counters().requests + world.cloud("nordic").counters().requests, 0);
    world.stop();
}

#[test]
fn a_call_waits_its_turn_and_is_served() {
    let world = World::with(
        &[(
            "model = \"gpt-4o\"\ncapacity = { concurrent = 256 }",
            "model = \"gpt-4o\"\ncapacity = { concurrent = 1 }",
        )],
        "",
        |_| {},
    );
    // The first holds the one place until its 20,000 tokens are written, some seconds.
    let mut holder = world.connect();
    let extra = format!("{}x-sandbox-tokens: 10,20000\r\n", bearer("patient"));
    holder
        .request("POST", "/v1/chat/completions", &extra, ask_stream("gpt-4o", true).to_string().as_bytes())
        .unwrap();
    let mut held = holder.head().unwrap();
    let reply = world.chat("patient", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (200, "oracle-gpt-4o"), "{}", reply.text());
    holder.rest(&mut held).unwrap();
    let book = world.stop();
    let call = book.call_of(reply.decision()).unwrap();
    let queued = |record: &firstright_core::journal::Record| {
        record
            .decisions
            .iter()
            .any(|one| matches!(one.action, Action::Queue { call: own, .. } if own == call))
    };
    let at = book.records.iter().find(|record| queued(record)).expect("it was queued").at;
    let served = book.records.iter().find(|record| record.seq == reply.decision()).unwrap();
    assert!(matches!(served.fact, Fact::CallSettled { .. }), "the other's end made room: {:?}", served.fact);
    assert!(served.at.since(at).0 < 8_000_000_000, "within its longest wait");
    let ticks = book.records.iter().filter(|record| matches!(record.fact, Fact::Ticked)).count();
    assert!(ticks < 50, "{ticks} ticks while one call waited");
}

#[test]
fn a_call_that_waited_as_long_as_it_may_is_refused() {
    let changes = [
        (
            "model = \"gpt-4o\"\ncapacity = { concurrent = 256 }",
            "model = \"gpt-4o\"\ncapacity = { concurrent = 1 }",
        ),
        ("max-wait = \"8s\"", "max-wait = \"1500ms\""),
    ];
    let world = World::with(&changes, "", |_| {});
    // The first holds the one place for longer than the test takes.
    let mut holder = world.connect();
    let extra = format!("{}x-sandbox-tokens: 10,400000\r\n", bearer("patient"));
    let body = ask_stream("gpt-4o", true).to_string();
    holder.request("POST", "/v1/chat/completions", &extra, body.as_bytes()).unwrap();
    holder.head().unwrap();
    let begun = Instant::now();
    let reply = world.chat("patient", &ask("gpt-4o"));
    reply.refuses(429, "capacity_exhausted");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(world.cloud("oracle").counters().requests, 1);
    drop(holder);
    world.stop();
}

#[test]
fn a_permitted_substitute_serves_before_the_exclusivity_is_broken() {
    let world = World::with(&SMALL, "", |_| {});
    let reply = world.chat("flexible", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (200, "azure-mini"), "{}", reply.text());
    assert_eq!(reply.json()["model"], "gpt-4o-mini-2024-07-18");
    let ground = reply.header("x-firstright-ground").unwrap();
    assert!(ground.contains("instead of gpt-4o") && ground.contains("[CH-6]"), "{ground}");
    let book = world.stop();
    let grounds = &served(&book, reply.decision()).grounds;
    assert!(grounds.iter().any(|one| matches!(one, Ground::Substituted(_))), "{grounds:?}");
}

#[test]
fn compliance_is_no_question_of_capacity() {
    let world = World::new();
    let reply = world.chat("nowhere", &ask("gpt-4o"));
    reply.refuses(403, "compliance_refusal");
    assert_eq!((reply.header("x-should-retry"), reply.header("retry-after")), (Some("false"), None));
    assert_eq!(world.chat("europe", &ask("gpt-4o")).deployment(), "nordic-gpt-4o");
    world.fault(
        "nordic",
        None,
        json!({ "brown-out": { "slow_percent": 100, "error_percent": 100, "status": 500 } }),
    );
    for _ in 0..8 {
        let reply = world.chat("europe", &ask("gpt-4o"));
        assert!(matches!(reply.status, 429 | 502), "never another provider: {}", reply.text());
    }
    // The caller may narrow the region, and never widen it.
    let mut http = world.connect();
    let reply = http.chat("open", "x-firstright-region: us-central\r\n", &ask("gpt-4o")).unwrap();
    assert_eq!(reply.deployment(), "oracle-gpt-4o");
    let reply = http.chat("europe", "x-firstright-region: us-central\r\n", &ask("gpt-4o")).unwrap();
    reply.refuses(403, "compliance_refusal");
    assert_eq!(world.cloud("azure").counters().requests, 0);
    world.stop();
}

#[test]
fn a_call_larger_than_any_bucket_does_not_keep_the_clock_busy() {
    let mut changes = SMALL.to_vec();
    changes.push(("id = \"apis\"", "id = \"apis\"\nmax-wait = \"1s\""));
    let world = World::with(&changes, "", |_| {});
    world.chat("apis", &ask("gpt-4o")).refuses(429, "capacity_exhausted");
    let book = world.stop();
    let ticks = book.records.iter().filter(|record| matches!(record.fact, Fact::Ticked)).count();
    assert!(ticks < 50, "{ticks} ticks while one call waited");
}
