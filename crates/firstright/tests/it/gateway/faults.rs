//! What does the caller see, and what is on record, when a provider fails?

use std::time::{Duration, Instant};

use firstright_core::MAX_ATTEMPTS;
use firstright_core::decision::{Action, Ground, Refusal};
use firstright_core::fact::{Ending, Fact, FailureKind, Source};
use firstright_core::units::Span;
use serde_json::{Value, json};

use crate::world::{Book, Recorder, World, ask, ask_stream, until, usage_on_record};

fn brown_out(slow_percent: u32, error_percent: u32) -> Value {
    json!({ "brown-out": { "slow_percent": slow_percent, "error_percent": error_percent, "status": 503 } })
}

/// Kinds of the failed attempts on record.
fn failures(book: &Book) -> Vec<(FailureKind, u16)> {
    let failed = book.records.iter().filter_map(|record| match &record.fact {
        Fact::AttemptFailed { failure, .. } => Some((failure.kind, failure.status)),
        _ => None,
    });
    failed.collect()
}

#[test]
fn a_server_error_is_served_elsewhere() {
    let world = World::new();
    world.fault("azure", None, brown_out(100, 100));
    let reply = world.chat("chat", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (200, "oracle-gpt-4o"), "{}", reply.text());
    let book = world.stop();
    assert_eq!(failures(&book), [(FailureKind::ServerError, 503); 2]);
    assert_eq!(book.settled().count(), 1);
}

#[test]
fn a_closed_port_is_served_elsewhere() {
    let world = World::new();
    world.fault("azure", None, json!({ "refuse-connections": {} }));
    let address = world.cloud("azure").address;
    until("the port is closed", || std::net::TcpStream::connect(address).is_err());
    let reply = world.chat("chat", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (200, "oracle-gpt-4o"), "{}", reply.text());
    let book = world.stop();
    assert_eq!(failures(&book), [(FailureKind::Unreachable, 0); 2]);
}

#[test]
fn a_provider_that_says_nothing_is_given_up() {
    let world = World::with(&[], "first-byte-timeout-s = 1", |_| {});
    world.fault("azure", Some("four-o-ptu"), brown_out(1_000_000, 0));
    let begun = Instant::now();
    let reply = world.chat("apis", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (200, "azure-payg"), "{}", reply.text());
    assert!(begun.elapsed() >= Duration::from_secs(1));
    // The provider is told that nobody waits any more.
    until("the connection is closed", || world.cloud("azure").counters().abandoned == 1);
    let book = world.stop();
    assert_eq!(failures(&book), [(FailureKind::TimedOut, 0)]);
}

#[test]
fn a_stream_that_does_not_begin_is_told_before_it_is_given_up() {
    let world = World::with(&[], "first-byte-timeout-s = 2", |_| {});
    world.fault("azure", Some("four-o-ptu"), brown_out(1_000_000, 0));
    let reply = world.chat("apis", &ask_stream("gpt-4o", false));
    assert_eq!((reply.status, reply.deployment()), (200, "azure-payg"), "{}", reply.text());
    let book = world.stop();
    let told = book.records.iter().filter_map(|record| match record.fact {
        Fact::AnswerAwaited { waited, .. } => Some(waited),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<Span>>(), [Span::from_millis(1_000)]);
    assert_eq!(failures(&book), [(FailureKind::TimedOut, 0)]);
}

#[test]
fn a_cut_stream_ends_in_an_error_and_is_settled_by_count() {
    let world = World::new();
    world.fault("nordic", None, json!({ "cut": { "percent": 100, "after_chunks": 40 } }));
    let reply = world
        .connect()
        .chat("europe", "x-sandbox-tokens: 400,400000\r\n", &ask_stream("gpt-4o", false))
        .unwrap();
    let (events, done) = reply.events();
    assert!(!done, "no `[DONE]` after a cut");
    assert_eq!(events.last().unwrap()["error"]["code"], "upstream_cut", "{}", reply.text());
    assert!(reply.whole, "the stream itself ends properly, so that the error is read");
    let written = world.cloud("nordic").counters().output_tokens;
    let book = world.stop();
    let settled: Vec<_> = book.settled().collect();
    assert_eq!((settled[0].source, settled[0].ending), (Source::Counted, Ending::Cut));
    let counted = settled[0].usage.output;
    assert!(counted > 0 && settled[0].usage.input > 0 && settled[0].usage.requests == 1, "{:?}", settled[0]);
    // The sandbox writes several tokens in a chunk when it is late; the count goes by text then, a rough measure.
    assert!(counted * 2 >= written && counted <= written * 4, "counted {counted} of {written}");
}

#[test]
fn a_cut_responses_stream_ends_in_that_dialects_error() {
    let world = World::new();
    world.fault("nordic", None, json!({ "cut": { "percent": 100, "after_chunks": 3 } }));
    let body = json!({ "model": "gpt-4o", "input": "x", "stream": true }).to_string();
    let reply = world.post("europe", "/v1/responses", "x-sandbox-tokens: 400,400000\r\n", body.as_bytes());
    let (events, _) = reply.events();
    let last = events.last().unwrap();
    assert_eq!((&last["type"], &last["code"]), (&json!("error"), &json!("upstream_cut")));
    assert_eq!(last["sequence_number"].as_u64(), Some(events.len() as u64 - 1));
    let book = world.stop();
    assert_eq!(book.settled().next().unwrap().ending, Ending::Cut);
}

#[test]
fn a_whole_answer_that_breaks_off_is_not_asked_for_twice() {
    let world = World::new();
    world.fault("azure", None, json!({ "cut": { "percent": 100, "after_chunks": 1 } }));
    let reply = world.chat("chat", &ask("gpt-4o"));
    reply.refuses(502, "upstream_cut");
    assert_eq!(world.cloud("oracle").counters().requests + world.cloud("azure").counters().requests, 1);
    let book = world.stop();
    let settled: Vec<_> = book.settled().collect();
    assert_eq!((settled[0].source, settled[0].ending), (Source::Counted, Ending::Cut));
}

#[test]
fn usage_that_is_wrong_is_booked_as_it_was_claimed_and_hostile_usage_is_not() {
    let world = World::new();
    world.fault("nordic", None, json!({ "wrong-usage": { "percent": 120 } }));
    world.connect().chat("europe", "x-sandbox-tokens: 1000,50\r\n", &ask("gpt-4o")).unwrap();
    let book = world.stop();
    let settled = book.settled().next().unwrap();
    assert_eq!((settled.source, usage_on_record(&settled.usage)), (Source::Provider, (1200, 0, 60)));
    for usage in [
        r#"{"prompt_tokens":-5,"completion_tokens":3}"#,
        r#"{"prompt_tokens":5,"completion_tokens":99999999999999999999}"#,
        r#"{"prompt_tokens":5,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":6}}"#,
        r#"{"prompt_tokens":"5","completion_tokens":3}"#,
        "[]",
    ] {
        let body = format!("{{\"usage\":{usage}}}");
        let recorder = Recorder::answering(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ));
        let world = World::before(&recorder);
        assert_eq!(world.chat("europe", &ask("gpt-4o")).text(), body);
        let book = world.stop();
        let settled = book.settled().next().unwrap();
        assert_eq!(settled.source, Source::Counted, "{usage}");
        assert!(settled.usage.input > 0 && settled.usage.tokens() < 10_000, "{usage}: {:?}", settled.usage);
    }
}

#[test]
fn what_is_no_answer_is_no_answer() {
    let bad = [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        "SSH-2.0-OpenSSH_9\r\n",
        "",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: application/json\r\n\r\nzz\r\n",
    ];
    for answer in bad {
        let recorder = Recorder::answering(answer);
        let world = World::before(&recorder);
        let reply = world.chat("europe", &ask("gpt-4o"));
        assert_eq!(reply.status, 502, "{answer:?}: {}", reply.text());
        assert!(
            ["providers_failed", "upstream_cut"].iter().any(|code| reply.json()["error"]["code"] == *code)
        );
        world.stop();
    }
}

#[test]
fn a_request_that_is_refused_for_its_own_sake_goes_nowhere_else() {
    let world = World::new();
    let mut body = ask("gpt-4o");
    body["messages"][0]["content"] = json!("sandbox-content-filter");
    let reply = world.chat("chat", &body);
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json()["error"]["code"], "content_filter");
    assert_eq!(reply.header("x-should-retry"), Some("false"));
    assert_eq!(world.cloud("oracle").counters().requests, 0);
    let book = world.stop();
    assert_eq!(failures(&book), [(FailureKind::Rejected, 400)]);
    assert_eq!(book.settled().count(), 0);
}

#[test]
fn a_caller_cannot_open_a_breaker() {
    let world = World::new();
    for _ in 0..6 {
        let reply = world.connect().chat("chat", "x-sandbox-tokens: 900000,1\r\n", &ask("gpt-4o")).unwrap();
        assert_eq!(reply.status, 400);
        assert_eq!(reply.json()["error"]["code"], "context_length_exceeded");
    }
    assert_eq!(
        world.chat("chat", &ask("gpt-4o")).deployment(),
        "azure-ptu",
        "the holder is as well as before"
    );
    // What is too long for one may not be for another: each was asked once, and none took it.
    assert_eq!(world.cloud("oracle").counters().requests, 6);
    world.stop();
}

#[test]
fn attempts_are_bounded() {
    // Five deployments have the model; the fifth is the dearest, so it would be asked last.
    let fifth = "[[provider.deployment]]\nid = \"nordic-spare\"\nmodel = \"gpt-4o\"\ncapacity = { concurrent = 4 }\n\
                 price = { input = \"90 USD/Mtok\", output = \"90 USD/Mtok\" }\n\n# Azure is asked first";
    let world = World::with(&[("# Azure is asked first", fifth)], "", |_| {});
    for cloud in ["azure", "oracle", "nordic"] {
        world.fault(cloud, None, brown_out(100, 100));
    }
    let reply = world.chat("chat", &ask("gpt-4o"));
    reply.refuses(502, "providers_failed");
    assert_eq!(reply.header("x-should-retry"), Some("false"));
    let requests: u64 =
        ["azure", "oracle", "nordic"].iter().map(|name| world.cloud(name).counters().requests).sum();
    assert_eq!(requests, u64::from(MAX_ATTEMPTS));
    let book = world.stop();
    let refused = book.records.iter().flat_map(|record| &record.decisions);
    let refused: Vec<_> =
        refused.filter(|one| matches!(one.action, Action::Refuse { refusal: Refusal::Failed, .. })).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].grounds, [Ground::Attempts(MAX_ATTEMPTS)]);
}

#[test]
fn a_breaker_opens_and_one_probe_closes_it() {
    let world = World::new();
    world.fault("azure", None, brown_out(100, 100));
    let asked = || world.cloud("azure").counters().requests;
    let mut calls = 0;
    until("both breakers are open", || {
        let before = asked();
        assert_eq!(world.chat("chat", &ask("gpt-4o")).deployment(), "oracle-gpt-4o");
        calls += 1;
        asked() == before
    });
    assert_eq!((calls, asked()), (6, 10), "five failures open each of the two");
    let reply = world.chat("chat", &ask("gpt-4o"));
    let ground = reply.header("x-firstright-ground").unwrap();
    assert!(ground.contains("down since") && ground.contains("5 failures"), "{ground}");
    world.mend("azure");
    let begun = Instant::now();
    until("the holder serves again", || world.chat("chat", &ask("gpt-4o")).deployment() == "azure-ptu");
    assert!(begun.elapsed() > Duration::from_secs(3), "not before its pause: {:?}", begun.elapsed());
    let total = world.cloud("azure").counters();
    assert_eq!((total.failed, total.served), (10, 1), "the first probe succeeded");
    world.stop();
}
