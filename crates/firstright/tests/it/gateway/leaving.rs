//! What if the client goes away: before the head, in mid-stream, while it waits?

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use firstright_core::fact::{Ending, Fact, Source};
use serde_json::json;

use crate::world::{World, ask, ask_stream, bearer, until};

#[test]
fn before_the_head() {
    let world = World::new();
    world.fault(
        "nordic",
        None,
        json!({ "brown-out": { "slow_percent": 10_000_000, "error_percent": 0, "status": 500 } }),
    );
    for stream in [false, true] {
        let before = world.cloud("nordic").counters().abandoned;
        let mut http = world.connect();
        let body = if stream { ask_stream("gpt-4o", false) } else { ask("gpt-4o") };
        http.request("POST", "/v1/chat/completions", &bearer("europe"), body.to_string().as_bytes()).unwrap();
        until("the provider works on it", || world.cloud("nordic").counters().in_flight == 1);
        assert_eq!(world.open_calls(), 1);
        drop(http);
        until("the call is settled", || world.open_calls() == 0);
        until("the provider's connection is closed", || world.cloud("nordic").counters().abandoned > before);
    }
    let book = world.stop();
    let settled: Vec<_> = book.settled().collect();
    assert_eq!(settled.len(), 2);
    assert!(settled.iter().all(|one| (one.source, one.ending) == (Source::Counted, Ending::Abandoned)));
}

#[test]
fn in_mid_stream() {
    let world = World::new();
    let mut http = world.connect();
    let extra = format!("{}x-sandbox-tokens: 300,200000\r\n", bearer("europe"));
    http.request("POST", "/v1/chat/completions", &extra, ask_stream("gpt-4o", true).to_string().as_bytes())
        .unwrap();
    let mut reply = http.head().unwrap();
    for _ in 0..20 {
        assert!(http.piece(&mut reply).unwrap());
    }
    let seen = reply.text().matches("\"content\":\"").count() as u64;
    drop(http);
    until("the call is settled", || world.open_calls() == 0);
    until("the provider's connection is closed", || world.cloud("nordic").counters().abandoned == 1);
    let book = world.stop();
    let settled: Vec<_> = book.settled().collect();
    assert_eq!(settled.len(), 1);
    assert_eq!((settled[0].source, settled[0].ending), (Source::Counted, Ending::Abandoned));
    assert!(settled[0].usage.output + 1 >= seen, "counted {} of {seen} seen", settled[0].usage.output);
    assert!(settled[0].usage.input > 0);
}

#[test]
fn while_it_waits() {
    let concurrent = (
        "model = \"gpt-4o\"\ncapacity = { concurrent = 256 }",
        "model = \"gpt-4o\"\ncapacity = { concurrent = 1 }",
    );
    let world = World::with(&[concurrent], "", |_| {});
    // The first holds the one place for longer than the test takes.
    let mut holder = world.connect();
    let extra = format!("{}x-sandbox-tokens: 10,400000\r\n", bearer("patient"));
    let body = ask_stream("gpt-4o", true).to_string();
    holder.request("POST", "/v1/chat/completions", &extra, body.as_bytes()).unwrap();
    holder.head().unwrap();
    let mut waiting = world.connect();
    waiting
        .request("POST", "/v1/chat/completions", &bearer("patient"), ask("gpt-4o").to_string().as_bytes())
        .unwrap();
    until("it waits", || world.open_calls() == 2);
    drop(waiting);
    until("it is let go", || world.open_calls() == 1);
    drop(holder);
    until("the other is settled", || world.open_calls() == 0);
    let book = world.stop();
    assert_eq!(book.records.iter().filter(|one| matches!(one.fact, Fact::CallAbandoned { .. })).count(), 1);
    assert_eq!(book.settled().count(), 1);
}

#[test]
fn after_the_last_byte() {
    let world = World::new();
    for _ in 0..50 {
        let mut http = world.connect();
        let body = ask_stream("gpt-4o", true).to_string();
        http.request("POST", "/v1/chat/completions", &bearer("europe"), body.as_bytes()).unwrap();
        let mut reply = http.head().unwrap();
        http.read_to(&mut reply, "[DONE]");
    }
    let book = world.stop();
    assert!(book.settled().all(|one| (one.source, one.ending) == (Source::Provider, Ending::Complete)));
    assert_eq!(book.settled().count(), 50, "a finished stream is not taken for an abandoned one");
}

/// A provider that begins a response in the background as a stream that says no more, and tells, when asked for it by its
/// id, that it is done.
fn in_background() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer_one(&stream));
        }
    });
    address
}

fn answer_one(stream: &TcpStream) {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or_default() == 0 {
            return;
        }
    }
    let response =
        |status: &str, usage: &str| format!(r#"{{"id":"resp_1","status":"{status}","usage":{usage}}}"#);
    if head.starts_with("POST ") {
        let created = response("queued", "null");
        let event = format!("data: {{\"type\":\"response.created\",\"response\":{created}}}\n\n");
        write!(writer, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{event}").unwrap();
        // Until it is left.
        let _ = reader.read_to_end(&mut Vec::new());
        return;
    }
    assert!(head.starts_with("GET /openai/v1/responses/resp_1 "), "{head}");
    let body = response("completed", r#"{"input_tokens":10,"output_tokens":500}"#);
    let length = body.len();
    write!(
        writer,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
}

/// A response in the background goes on when its stream is left, and is settled by what it used in the end.
#[test]
fn a_stream_of_the_background() {
    let world = World::facing(in_background());
    let mut http = world.connect();
    let body = json!({ "model": "gpt-4o", "input": "x", "background": true, "stream": true }).to_string();
    http.request("POST", "/v1/responses", &bearer("open"), body.as_bytes()).unwrap();
    let mut reply = http.head().unwrap();
    assert!(http.piece(&mut reply).unwrap());
    drop(http);
    until("it is settled", || world.open_calls() == 0);
    let book = world.stop();
    let settled: Vec<_> = book.settled().collect();
    assert_eq!(settled.len(), 1);
    assert_eq!((settled[0].usage.input, settled[0].usage.output), (10, 500));
    assert_eq!((settled[0].source, settled[0].ending), (Source::Provider, Ending::Complete));
}
