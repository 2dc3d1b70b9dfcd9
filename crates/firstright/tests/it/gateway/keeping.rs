//! Is a stream heard of while its call waits for room, and does what comes of it reach the client all the same?

use std::sync::mpsc;
use std::thread;

use firstright_core::fact::{Ending, Fact};
use serde_json::{Value, json};

use crate::world::{Http, Reply, World, ask, ask_stream, bearer, until};

const COMMENT: &str = ": queued\n\n";
/// One place at the only cloud that may serve `patient`.
const ONE_PLACE: (&str, &str) = (
    "model = \"gpt-4o\"\ncapacity = { concurrent = 256 }",
    "model = \"gpt-4o\"\ncapacity = { concurrent = 1 }",
);
const LOGGED: &str = "[telemetry]\naccess-log = \"file\"\naccess-log-file = \"access.log\"";

/// The paths of the three dialects, what is asked there, and what their last event says.
fn dialects() -> [(&'static str, Value, &'static str); 3] {
    let responses = json!({ "model": "gpt-4o", "input": "How much is left?", "stream": true });
    [
        ("/v1/chat/completions", ask_stream("gpt-4o", true), "[DONE]"),
        ("/v1/responses", responses, "\"type\":\"response.completed\""),
        ("/v1/messages", ask_stream("gpt-4o", false), "\"type\":\"message_stop\""),
    ]
}

/// A world in which `patient` may wait so long and is heard of so often, in seconds; `behind` is more of the configuration.
fn world(waits_s: u32, keep_alive_s: u32, behind: &str) -> World {
    let waits = format!("max-wait = \"{waits_s}s\"");
    let gateway = format!("keep-alive-s = {keep_alive_s}\n{behind}");
    World::with(&[ONE_PLACE, ("max-wait = \"8s\"", &waits)], &gateway, |_| {})
}

/// Takes the one place, until this is dropped: with a stream that is longer than any test.
fn hold(world: &World) -> Http {
    let mut holder = world.connect();
    let extra = format!("{}x-sandbox-tokens: 10,400000\r\n", bearer("patient"));
    let body = ask_stream("gpt-4o", true).to_string();
    holder.request("POST", "/v1/chat/completions", &extra, body.as_bytes()).unwrap();
    assert_eq!(holder.head().unwrap().status, 200);
    holder
}

fn line_of(world: &World, path: &str) -> Value {
    let path = world.folder.0.join(path);
    let read = || std::fs::read_to_string(&path).unwrap();
    // The one who holds the place has no line yet.
    until("its line is written", || read().lines().count() == 1);
    serde_json::from_str(read().trim()).unwrap()
}

/// Checks each case in a world and a thread of its own: they wait, and waiting together takes no longer.
fn each_by_itself<T: Send>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

fn deployments_told(text: &str) -> usize {
    text.matches(": x-firstright-deployment: oracle-gpt-4o\n").count()
}

#[test]
fn a_stream_that_waits_is_heard_of_and_then_goes_on_as_every_stream_does() {
    let world = world(30, 1, "");
    let holder = hold(&world);
    let (heard, hearing) = mpsc::channel();
    thread::scope(|scope| {
        for (path, body, last) in dialects() {
            let (world, heard) = (&world, heard.clone());
            scope.spawn(move || {
                let mut http = world.connect();
                http.request("POST", path, &bearer("patient"), body.to_string().as_bytes()).unwrap();
                let mut reply = http.head().unwrap();
                http.read_to(&mut reply, COMMENT);
                heard.send(()).unwrap();
                http.rest(&mut reply).unwrap();
                let text = reply.text();
                assert_eq!((reply.status, reply.whole), (200, true), "{path}: {text}");
                assert_eq!(reply.header("content-type"), Some("text/event-stream"), "{path}");
                assert!(text.starts_with(COMMENT) && deployments_told(text) == 1, "{path}: {text}");
                let end = text.trim_end().lines().last().unwrap();
                assert!(end.starts_with("data: ") && end.contains(last), "{path}: {text}");
                assert!(
                    !text.contains("\"error\":{")
                        && !text[text.find("data: ").unwrap()..].contains(": queued")
                );
            });
        }
        for _ in dialects() {
            hearing.recv().unwrap();
        }
        drop(holder);
    });
    let book = world.stop();
    let ended: Vec<_> = book.settled().map(|one| one.ending).collect();
    assert_eq!(ended.len(), 4);
    // The holder is not read to its end.
    assert!(ended.iter().filter(|one| **one == Ending::Complete).count() >= 3, "{ended:?}");
}

/// Asserts the error that ends a stream, in the words of its path.
fn ends_refused(path: &str, text: &str, code: &str) {
    let last = text.trim_end().lines().last().unwrap().strip_prefix("data: ").unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    let told = match path {
        "/v1/responses" => &last["code"],
        "/v1/messages" => &last["error"]["details"]["error_code"],
        _ => &last["error"]["code"],
    };
    assert_eq!(told, code, "{path}: {text}");
    assert_eq!(text.matches("data: ").count(), 1, "{path}: {text}");
    assert!(text.contains(": x-firstright-decision: "), "{path}: {text}");
}

#[test]
fn a_refusal_after_a_wait_is_told_in_the_stream() {
    each_by_itself(dialects(), |(path, body, _)| {
        let world = world(4, 1, LOGGED);
        let holder = hold(&world);
        let reply = world.post("patient", path, "", body.to_string().as_bytes());
        assert_eq!((reply.status, reply.whole), (200, true), "{}", reply.text());
        assert!(
            reply.text().starts_with(COMMENT) && reply.text().contains(": retry-after-ms: "),
            "{reply:?}"
        );
        ends_refused(path, reply.text(), "capacity_exhausted");
        let line = line_of(&world, "access.log");
        for (key, expected) in [
            ("status", json!(200)),
            ("status-in-stream", json!(429)),
            ("kept-alive", json!(true)),
            ("code", json!("capacity_exhausted")),
        ] {
            assert_eq!(line[key], expected, "{line}");
        }
        assert!(line["waited-ms"].as_f64().is_some_and(|waited| waited >= 3_900.0), "{line}");
        let families = world.plane.operating.gateway.telemetry();
        let families = families.collect(&world.plane.engine, world.plane.operating.gateway.readiness());
        let told = firstright_gateway::telemetry::text(&families);
        for series in [
            "firstright_requests_total{operation=\"chat\",outcome=\"refused\"} 1",
            "firstright_refusals_total{code=\"capacity_exhausted\"} 1",
        ] {
            assert!(told.contains(series), "{series}");
        }
        drop(holder);
        world.stop();
    });
}

/// A refusal with everything that a client can act upon.
fn is_a_plain_refusal(reply: &Reply) {
    reply.refuses(429, "capacity_exhausted");
    assert_eq!(reply.header("x-should-retry"), Some("true"));
    assert!(reply.header("retry-after-ms").is_some() && reply.decision() > 0);
}

#[test]
fn a_short_wait_a_whole_answer_and_a_gateway_that_is_told_so_wait_in_silence() {
    let stream = || ask_stream("gpt-4o", true);
    each_by_itself(
        [(1, 20, stream()), (3, 1, ask("gpt-4o")), (3, 0, stream())],
        |(waits_s, keep_alive_s, body)| {
            let world = world(waits_s, keep_alive_s, LOGGED);
            let holder = hold(&world);
            is_a_plain_refusal(&world.chat("patient", &body));
            let line = line_of(&world, "access.log");
            assert_eq!((&line["status"], &line["kept-alive"]), (&json!(429), &Value::Null), "{line}");
            drop(holder);
            world.stop();
        },
    );
}

#[test]
fn a_client_that_leaves_after_a_comment_is_let_go() {
    let world = world(30, 1, LOGGED);
    let holder = hold(&world);
    let mut waiting = world.connect();
    let body = ask_stream("gpt-4o", true).to_string();
    waiting.request("POST", "/v1/chat/completions", &bearer("patient"), body.as_bytes()).unwrap();
    let mut reply = waiting.head().unwrap();
    waiting.read_to(&mut reply, COMMENT);
    assert_eq!((reply.status, world.open_calls()), (200, 2));
    drop(waiting);
    until("it is let go", || world.open_calls() == 1);
    let line = line_of(&world, "access.log");
    assert_eq!((&line["status"], &line["code"]), (&json!(200), &Value::Null), "{line}");
    drop(holder);
    let book = world.stop();
    assert_eq!(book.records.iter().filter(|one| matches!(one.fact, Fact::CallAbandoned { .. })).count(), 1);
    assert_eq!(book.settled().count(), 1);
}

/// What is reloaded meanwhile is no matter of a request that has begun, and what comes after it is.
#[test]
fn a_reload_leaves_a_stream_that_waits_as_it_is() {
    let world = world(30, 1, "");
    let holder = hold(&world);
    let mut waiting = world.connect();
    let body = ask_stream("gpt-4o", true).to_string();
    waiting.request("POST", "/v1/chat/completions", &bearer("patient"), body.as_bytes()).unwrap();
    let mut reply = waiting.head().unwrap();
    waiting.read_to(&mut reply, COMMENT);
    let path = world.folder.0.join("firstright.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replacen("keep-alive-s = 1", "keep-alive-s = 0", 1)).unwrap();
    let report = world.plane.operating.reloader.as_ref().unwrap().reload().unwrap();
    assert_eq!(report.changes, ["gateway.keep-alive-s: 1 → 0"]);
    let twice = COMMENT.repeat(reply.text().matches(COMMENT).count() + 1);
    waiting.read_to(&mut reply, &twice);
    drop(holder);
    waiting.rest(&mut reply).unwrap();
    assert!(deployments_told(reply.text()) == 1 && reply.events().1, "{}", reply.text());
    world.stop();
}
