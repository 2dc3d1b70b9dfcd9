//! Is a late call tried a second time only where its tenant asks for it, within every right and budget, and answered once?

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use firstright_core::Broker;
use firstright_core::account::BudgetPeriod;
use firstright_core::decision::{Action, Ground};
use firstright_core::explain::Explanation;
use firstright_core::fact::{Ending, Fact};
use firstright_core::workload::CallId;
use firstright_sim::auditor::audit;
use serde_json::{Value, json};

use super::money::Admin;
use crate::world::{self, Book, Folder, World, ask, ask_stream, bearer, configure_at, law, until};

/// How late an answer may be before a second attempt is made, where a test wants to see one.
const SOON: &str = "50ms";
/// And where it wants to see none.
const NEVER_SO_LATE: &str = "10m";

/// The tenant asks for second attempts after so long.
fn hedges(tenant: &str, after: &str) -> (String, String) {
    (
        format!("[[tenant]]\nid = \"{tenant}\"\n"),
        format!("[[tenant]]\nid = \"{tenant}\"\nhedge-after = \"{after}\"\n"),
    )
}

fn world_where(tenant: &str, after: &str, others: &[(&str, &str)]) -> World {
    let (from, to) = hedges(tenant, after);
    World::with(&[&[(from.as_str(), to.as_str())], others].concat(), "", |_| {})
}

/// First bytes come after so many times the usual two or three milliseconds.
fn slow(times: u32) -> Value {
    json!({ "brown-out": { "slow_percent": times * 100, "error_percent": 0, "status": 500 } })
}

const FOR_EVER: u32 = 100_000;

/// The second attempts on record: each with the call that it stands beside.
fn second_attempts(book: &Book) -> Vec<(CallId, CallId)> {
    let served = book.records.iter().flat_map(|record| &record.decisions).filter_map(|one| {
        let Action::Serve { call, .. } = one.action else { return None };
        one.grounds.iter().find_map(|ground| match ground {
            Ground::Hedges(first) => Some((call, *first)),
            _ => None,
        })
    });
    served.collect()
}

/// Stops the world; its book must satisfy the auditor.
fn audited(world: World) -> Book {
    let book = world.stop();
    let findings = audit(book.records.iter()).findings;
    assert!(findings.is_empty(), "{findings:?}");
    book
}

/// What was weighed for a decision, as `firstright explain` prints it.
fn explained(book: &Book, seq: u64) -> Explanation {
    let mut broker = Broker::new();
    for record in book.records.iter().take_while(|record| record.seq < seq) {
        broker.step(record.at, &record.fact);
    }
    let record = book.records.iter().find(|record| record.seq == seq).unwrap();
    broker.explain(record.at, &record.fact).unwrap()
}

fn endings(book: &Book) -> Vec<(CallId, Ending)> {
    let mut endings: Vec<_> = book.settled().map(|one| (one.call, one.ending)).collect();
    endings.sort();
    endings
}

#[test]
fn a_late_answer_is_had_from_somebody_else() {
    for stream in [false, true] {
        let world = world_where("open", SOON, &[]);
        world.fault("azure", None, slow(FOR_EVER));
        let body = if stream { ask_stream("gpt-4o", false) } else { ask("gpt-4o") };
        let reply = world.post(
            "open",
            "/v1/chat/completions",
            "x-sandbox-tokens: 10,7\r\n",
            body.to_string().as_bytes(),
        );
        assert_eq!((reply.status, reply.deployment()), (200, "oracle-gpt-4o"), "{}", reply.text());
        let ground = reply.header("x-firstright-ground").unwrap();
        assert!(ground.contains("beside call") && ground.contains("[CH-22]"), "{ground}");
        if stream {
            let (events, done) = reply.events();
            let ids: std::collections::BTreeSet<&str> =
                events.iter().map(|event| event["id"].as_str().unwrap()).collect();
            assert!(done && reply.whole && ids.len() == 1, "one stream, of one provider: {}", reply.text());
        } else {
            assert_eq!(reply.json()["choices"].as_array().unwrap().len(), 1);
        }
        until("the first attempt is given up", || world.cloud("azure").counters().abandoned == 1);
        let decision = reply.decision();
        let book = audited(world);
        let [(second, first)] = second_attempts(&book)[..] else { panic!("one second attempt") };
        assert_eq!(book.call_of(decision), Some(second));
        let weighed = explained(&book, decision);
        assert!(weighed.workload.contains(&format!("beside call {}", first.0)), "{}", weighed.workload);
        let standing = |place: &str| weighed.places.iter().find(|(name, _)| name == place).unwrap().1.clone();
        assert_eq!(standing("azure-ptu"), "serves the first attempt");
        assert_eq!(endings(&book), [(first, Ending::Abandoned), (second, Ending::Complete)]);
        let one = |id: CallId| book.settled().find(|one| one.call == id).unwrap().usage;
        assert_eq!((one(second).input, one(second).output), (10, 7));
        assert_eq!(one(first).tokens(), 0, "none of it was answered");
        // A stream that was awaited in vain is told of, so that a place that slows down is known although nobody waits for it.
        let told = |record: &&firstright_core::journal::Record| matches!(record.fact, Fact::AnswerAwaited { call, .. } if call == first);
        assert_eq!(book.records.iter().filter(told).count(), usize::from(stream));
    }
}

#[test]
fn an_answer_in_time_is_alone() {
    let world = world_where("open", NEVER_SO_LATE, &[]);
    for _ in 0..20 {
        assert_eq!(world.chat("open", &ask("gpt-4o")).deployment(), "azure-ptu");
        assert_eq!(world.chat("open", &ask_stream("gpt-4o", true)).deployment(), "azure-ptu");
    }
    let book = audited(world);
    assert_eq!((second_attempts(&book).len(), book.settled().count()), (0, 40));
}

#[test]
fn an_answer_that_comes_first_after_all_ends_the_second_attempt() {
    let world = world_where("open", SOON, &[]);
    world.fault("azure", None, slow(1_000));
    world.fault("oracle", None, slow(FOR_EVER));
    let reply = world.chat("open", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (200, "azure-ptu"));
    until("the second attempt is given up", || world.cloud("oracle").counters().abandoned == 1);
    let book = audited(world);
    let [(second, first)] = second_attempts(&book)[..] else { panic!("one second attempt") };
    assert_eq!(endings(&book), [(first, Ending::Complete), (second, Ending::Abandoned)]);
}

#[test]
fn who_does_not_ask_for_it_has_none() {
    let world = world_where("patient", SOON, &[]);
    world.fault("azure", None, slow(100));
    for _ in 0..3 {
        assert_eq!(world.chat("open", &ask("gpt-4o")).deployment(), "azure-ptu");
        assert_eq!(world.chat("chat", &ask_stream("gpt-4o", true)).deployment(), "azure-ptu");
    }
    assert_eq!(world.cloud("oracle").counters().requests, 0);
    let hedged = |record: &firstright_core::journal::Record| matches!(&record.fact, Fact::CallArrived(call) if call.hedges.is_some());
    assert!(!audited(world).records.iter().any(hedged), "the core is not even asked");
}

#[test]
fn what_is_kept_at_a_provider_is_not_hedged() {
    let world = world_where("open", SOON, &[]);
    world.fault("azure", None, slow(100));
    let mut kept = ask("gpt-4o");
    kept["store"] = json!(true);
    assert_eq!(world.chat("open", &kept).status, 200);
    let response = json!({ "model": "gpt-4o", "input": "x" }).to_string();
    assert_eq!(world.post("open", "/v1/responses", "", response.as_bytes()).status, 200);
    assert_eq!(world.cloud("oracle").counters().requests, 0);
    assert_eq!(second_attempts(&audited(world)).len(), 0);
}

#[test]
fn a_holder_that_serves_is_not_left_for_being_late() {
    // With one place the holder keeps the call; with another that is quick it answers from there.
    let one = ("id = \"azure-payg\"\nmodel = \"gpt-4o\"", "id = \"azure-payg\"\nmodel = \"gpt-4o-mini\"");
    for (changes, second) in [(&[one][..], None), (&[], Some("azure-payg"))] {
        let world = world_where("chat", SOON, changes);
        world.fault("azure", Some("four-o-ptu"), slow(1_000));
        let reply = world.chat("chat", &ask("gpt-4o"));
        assert_eq!((reply.status, reply.deployment()), (200, second.unwrap_or("azure-ptu")));
        assert_eq!(world.cloud("oracle").counters().requests + world.cloud("nordic").counters().requests, 0);
        let book = audited(world);
        assert_eq!(second_attempts(&book).len(), usize::from(second.is_some()));
        let kept = |ground: &Ground| format!("{ground:?}").starts_with("Unhedged(Kept");
        let mut grounds = book.records.iter().flat_map(|one| &one.decisions).flat_map(|one| &one.grounds);
        assert_eq!(grounds.any(kept), second.is_none());
    }
}

#[test]
fn a_hard_budget_holds_with_both_attempts_running() {
    let world = world_where("open", SOON, &[]);
    for cloud in ["azure", "oracle", "nordic"] {
        world.fault(cloud, None, slow(FOR_EVER));
    }
    let admin = Admin(&world);
    let key = |id: &str, budget: &str| admin.key(&json!({ "id": id, "tenant": "open", "budgets": [budget] }));
    let reserved = |id: &str| {
        let known = |known: &firstright_core::Known| known.reserved.0;
        world.plane.engine.read(|broker, _| broker.find_account(id).map(known)).unwrap()
    };
    let body = ask("gpt-4o").to_string();
    let send = |key: &str| {
        let mut http = world.connect();
        http.request(
            "POST",
            "/v1/chat/completions",
            &format!("authorization: Bearer {key}\r\n"),
            body.as_bytes(),
        )
        .unwrap();
        http
    };
    let rich = send(&key("rich", "1 USD/day"));
    until("both run", || world.open_calls() == 2);
    let both = reserved("rich");
    assert!(both > 0 && both % 2 == 0, "each attempt reserves its worst case");
    drop(rich);
    until("both are settled", || world.open_calls() == 0);
    assert_eq!(reserved("rich"), 0);
    // A budget for one attempt and a half.
    let limit = both / 2 * 3 / 2;
    let poor = send(&key("poor", &format!("0.{limit:09} USD/day")));
    let refused = || {
        let book = world.book();
        book.records.iter().flat_map(|one| &one.decisions).any(|one| {
            let Action::Refuse { refusal, .. } = &one.action else { return false };
            format!("{refusal:?}").starts_with("Spent")
        })
    };
    until("the second attempt is refused", refused);
    assert_eq!((world.open_calls(), reserved("poor")), (1, both / 2));
    drop(poor);
    until("it is settled", || world.open_calls() == 0);
    let spent = |known: &firstright_core::Known| {
        known.spent.within(BudgetPeriod::Total, firstright_core::units::Timestamp(0)).0
    };
    assert_eq!(world.plane.engine.read(|broker, _| broker.find_account("poor").map(spent)), Some(0));
    assert_eq!(second_attempts(&audited(world)).len(), 1);
}

/// Second attempts in ten seconds that are had whatever the share [CH-16].
const ANYWAY: u64 = 10;

#[test]
fn when_everybody_is_late_a_tenth_is_tried_a_second_time() {
    const CLIENTS: u64 = 8;
    const CALLS: u64 = 40;
    let world = world_where("open", "20ms", &[]);
    for cloud in ["azure", "oracle", "nordic"] {
        world.fault(cloud, None, slow(50));
    }
    let served = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut http = world.connect();
                for _ in 0..CALLS {
                    let reply = http.chat("open", "x-sandbox-tokens: 10,2\r\n", &ask("gpt-4o")).unwrap();
                    served.fetch_add(u64::from(reply.status == 200), Ordering::SeqCst);
                }
            });
        }
    });
    let calls = CLIENTS * CALLS;
    assert_eq!(served.load(Ordering::SeqCst), calls);
    let asked: u64 =
        ["azure", "oracle", "nordic"].iter().map(|one| world.cloud(one).counters().requests).sum();
    let book = audited(world);
    let seconds = second_attempts(&book).len() as u64;
    println!("{calls} calls, {seconds} second attempts, {asked} requests to providers");
    let (first, last) = (book.records[1].at, book.records.last().unwrap().at);
    let steps = last.since(first).0 / 10_000_000_000 + 2;
    assert!(seconds > 0 && seconds <= calls / 10 + ANYWAY * steps, "{seconds} for {calls} calls");
    assert!(asked <= calls + seconds, "{asked} requests for {calls} calls");
}

#[test]
fn a_client_that_leaves_during_a_race_leaves_nothing_open() {
    let world = world_where("open", SOON, &[]);
    for cloud in ["azure", "oracle", "nordic"] {
        world.fault(cloud, None, slow(FOR_EVER));
    }
    for (nth, body) in [ask("gpt-4o"), ask_stream("gpt-4o", true)].iter().enumerate() {
        let mut http = world.connect();
        http.request("POST", "/v1/chat/completions", &bearer("open"), body.to_string().as_bytes()).unwrap();
        until("both attempts run", || world.open_calls() == 2);
        until("both providers work on it", || {
            world.cloud("azure").counters().in_flight == 1 && world.cloud("oracle").counters().in_flight == 1
        });
        drop(http);
        until("both are settled", || world.open_calls() == 0);
        until("both connections are closed", || {
            let left = |cloud| world.cloud(cloud).counters().abandoned == nth as u64 + 1;
            left("azure") && left("oracle")
        });
    }
    let book = audited(world);
    assert!(book.settled().all(|one| one.ending == Ending::Abandoned));
    assert_eq!((book.settled().count(), second_attempts(&book).len()), (4, 2));
}

/// A provider that answers every request with this status, which is an error, after so long.
fn failing(after: Duration, status: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = move |stream: TcpStream| {
        let (mut reader, mut writer) = (BufReader::new(&stream), &stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap_or_default() > 0 {}
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        thread::park_timeout(after);
        let rest = "content-length: 2\r\nconnection: close\r\n\r\n{}";
        let _ = writer.write_all(format!("HTTP/1.1 {status}\r\n{rest}").as_bytes());
    };
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer(stream));
        }
    });
    address
}

/// A world in which some clouds are such providers, of a server's errors.
fn with_failing(clouds_after: &[(&str, Duration)]) -> World {
    with_answering(clouds_after, "500 Oops", "")
}

/// The same of that status. `behind` is more of the configuration.
fn with_answering(clouds_after: &[(&str, Duration)], status: &'static str, behind: &str) -> World {
    let (from, to) = hedges("open", SOON);
    let folder = Folder::new();
    let clouds = world::clouds(|_| {});
    let others: Vec<(&str, SocketAddr)> =
        clouds_after.iter().map(|(name, after)| (*name, failing(*after, status))).collect();
    let address = |name: &str| {
        let other = others.iter().find(|(cloud, _)| *cloud == name).map(|(_, address)| *address);
        other.unwrap_or_else(|| clouds.cloud(name).unwrap().address)
    };
    let config = configure_at(&folder, &clouds, address, &law(&[(&from, &to)]), behind);
    World::serve(folder, clouds, &config)
}

#[test]
fn what_the_first_attempt_refuses_as_such_is_its_refusal_and_nobody_elses() {
    let logged = "[telemetry]\naccess-log = \"file\"\naccess-log-file = \"access.log\"";
    let world = with_answering(&[("azure", Duration::from_millis(2_000))], "400 No", logged);
    world.fault("oracle", None, slow(FOR_EVER));
    let reply = world.chat("open", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (400, "azure-ptu"), "{}", reply.text());
    until("the second attempt is given up", || world.cloud("oracle").counters().abandoned == 1);
    let read = || std::fs::read_to_string(world.folder.0.join("access.log")).unwrap();
    until("its line is written", || read().lines().count() == 1);
    let line: Value = serde_json::from_str(read().trim()).unwrap();
    let told = (&line["deployment"], &line["attempts"], &line["hedged"]);
    assert_eq!(told, (&json!("azure-ptu"), &json!(2), &json!(true)), "{line}");
    let book = audited(world);
    let [(second, _)] = second_attempts(&book)[..] else { panic!("one second attempt") };
    assert_eq!(endings(&book), [(second, Ending::Abandoned)]);
}

#[test]
fn a_first_attempt_that_fails_leaves_the_call_to_the_second() {
    // The second has not answered when the first fails.
    let world = with_failing(&[("azure", Duration::from_millis(2_000))]);
    world.fault("oracle", None, slow(2_000));
    let reply = world.chat("open", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (200, "oracle-gpt-4o"), "{}", reply.text());
    assert_eq!(world.cloud("nordic").counters().requests, 0, "nobody else is asked");
    let book = audited(world);
    let [(second, _)] = second_attempts(&book)[..] else { panic!("one second attempt") };
    assert_eq!(endings(&book), [(second, Ending::Complete)]);
    let failed = book.records.iter().filter(|one| matches!(one.fact, Fact::AttemptFailed { .. })).count();
    assert_eq!(failed, 1);
}

#[test]
fn a_second_attempt_that_fails_leaves_the_call_to_the_first() {
    let world = with_failing(&[("oracle", Duration::ZERO)]);
    world.fault("azure", None, slow(1_000));
    let reply = world.chat("open", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (200, "azure-ptu"), "{}", reply.text());
    assert_eq!(world.cloud("nordic").counters().requests, 0, "nobody else is asked");
    let book = audited(world);
    let [(_, first)] = second_attempts(&book)[..] else { panic!("one second attempt") };
    assert_eq!(endings(&book), [(first, Ending::Complete)]);
}

#[test]
fn when_both_attempts_fail_the_call_is_decided_anew() {
    let after = |millis| Duration::from_millis(millis);
    let world = with_failing(&[("azure", after(2_000)), ("oracle", after(3_000))]);
    let reply = world.chat("open", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (200, "nordic-gpt-4o"), "{}", reply.text());
    let book = audited(world);
    let [(second, _)] = second_attempts(&book)[..] else { panic!("one second attempt") };
    assert_eq!(endings(&book), [(second, Ending::Complete)], "it goes on as the call");
}
