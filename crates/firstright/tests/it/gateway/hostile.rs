//! What does a provider cost us that never ends, drips, or hangs up while we speak?

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use firstright_core::fact::{Ending, Source};
use serde_json::json;

use crate::crash::Served;
use crate::world::{Book, Folder, Http, LAW, World, ask, ask_stream, bearer, clouds, configure_at, until};

/// What the process may hold while it reads an answer without an end: the largest that is read whole, and itself.
const MEMORY_MAX: u64 = 128 << 20;
/// What a stream may cost beside what the process takes anyway.
const STREAM_MEMORY_MAX: u64 = 24 << 20;
/// A client that reads a stream without an end has had enough.
const ENOUGH: usize = 24 << 20;

/// A provider that does one thing with every connection.
struct Hostile {
    address: SocketAddr,
    /// Bytes written, over all connections.
    written: Arc<AtomicU64>,
    /// Connections that have come to their end.
    over: Arc<AtomicU64>,
}

impl Hostile {
    fn start(act: impl Fn(&mut TcpStream, &AtomicU64) + Send + Sync + 'static) -> Hostile {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (written, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (counts, ends, act) = (Arc::clone(&written), Arc::clone(&over), Arc::new(act));
        // It ends with the process: nothing tells it that no more will come.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, counts, ends) = (stream.unwrap(), Arc::clone(&counts), Arc::clone(&ends));
                let act = Arc::clone(&act);
                std::thread::spawn(move || {
                    act(&mut stream, &counts);
                    drop(stream);
                    ends.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Hostile { address, written, over }
    }

    /// Answers with a head, and then with the same bytes for ever.
    fn endless(head: &'static str, block: Vec<u8>) -> Hostile {
        Hostile::start(move |stream, written| {
            request(stream);
            let mut block = &block[..];
            let chunk = format!("{:x}\r\n{}\r\n", block.len(), String::from_utf8_lossy(block));
            if head.contains("chunked") {
                block = chunk.as_bytes();
            }
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes());
            while stream.write_all(block).is_ok() {
                written.fetch_add(block.len() as u64, Ordering::SeqCst);
            }
        })
    }
}

/// Reads a request's head and what came with it; all of a small one.
fn request(stream: &mut TcpStream) {
    let mut bytes = [0; 16 * 1024];
    let _ = stream.read(&mut bytes);
}

/// The binary in front of clouds, all of which are this one.
fn served(hostile: &Hostile, gateway: &str) -> (Served, Folder) {
    let (folder, clouds) = (Folder::new(), clouds(|_| {}));
    let config = configure_at(&folder, &clouds, |_| hostile.address, LAW, gateway);
    (Served::start(Served::binary(), &config), folder)
}

/// Whatever happened: it stops when asked, each call has one outcome, and the journal verifies.
fn ends_well(served: Served, folder: &Folder, settled: &[(Source, Ending)]) {
    let (code, said) = served.terminate();
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    let book = Book::read(&folder.journal(), false);
    assert_eq!(book.fault, None);
    assert_eq!(book.settled().map(|one| (one.source, one.ending)).collect::<Vec<_>>(), settled);
}

#[test]
fn a_whole_answer_without_an_end_is_given_up_at_its_bound() {
    for head in [
        "content-type: application/json\r\ntransfer-encoding: chunked",
        "content-type: application/json\r\ncontent-length: 1099511627776",
        "content-type: application/json\r\nconnection: close",
    ] {
        let hostile = Hostile::endless(head, vec![b' '; 32 * 1024]);
        let (served, folder) = served(&hostile, "");
        let reply = Http::connect(served.address).unwrap().chat("europe", "", &ask("gpt-4o")).unwrap();
        assert_eq!(reply.status, 502, "{head}: {}", reply.text());
        assert!(reply.json()["error"]["code"].is_string());
        until("the provider is hung up on", || hostile.over.load(Ordering::SeqCst) == 1);
        let (peak, written) = (served.peak_memory(), hostile.written.load(Ordering::SeqCst));
        assert!(peak < MEMORY_MAX, "{head}: {peak} bytes of memory for {written} of answer");
        // It is asked once: an answer was begun, and may be billed.
        ends_well(served, &folder, &[(Source::Counted, Ending::Cut)]);
    }
}

#[test]
fn a_stream_without_an_end_costs_no_memory_and_ends_when_its_reader_leaves() {
    let stream = "content-type: text/event-stream\r\nconnection: close";
    let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"more and \"}}]}\n\n";
    for (what, block) in [("events", event.repeat(64)), ("one line", "x".repeat(8 * 1024))] {
        let hostile = Hostile::endless(stream, block.into_bytes());
        let (served, folder) = served(&hostile, "");
        let before = served.peak_memory();
        let mut http = Http::connect(served.address).unwrap();
        let body = ask_stream("gpt-4o", false).to_string();
        http.request("POST", "/v1/chat/completions", &bearer("europe"), body.as_bytes()).unwrap();
        let mut reply = http.head().unwrap();
        assert_eq!(reply.status, 200, "{what}");
        while reply.body.len() < ENOUGH && http.piece(&mut reply).unwrap() {}
        let more = served.peak_memory() - before;
        assert!(more < STREAM_MEMORY_MAX, "{what}: {more} bytes more");
        drop(http);
        until("the provider is hung up on", || hostile.over.load(Ordering::SeqCst) == 1);
        ends_well(served, &folder, &[(Source::Counted, Ending::Abandoned)]);
    }
}

#[test]
fn a_stream_that_drips_ends_with_the_budget_for_the_whole() {
    let hostile = Hostile::start(|stream, _| {
        request(stream);
        let _ = stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {\"choices\":[]}\n\n",
        );
        // Never so long between two bytes that the gap's budget would end it.
        while stream.write_all(b":").is_ok() {
            std::thread::park_timeout(Duration::from_millis(100));
        }
    });
    let world = World::instead_of("nordic", hostile.address, "gap-timeout-s = 1\nanswer-timeout-s = 2");
    let begun = Instant::now();
    let reply = world.chat("europe", &ask_stream("gpt-4o", false));
    let took = begun.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(10)).contains(&took), "{took:?}");
    let (events, done) = reply.events();
    assert!(!done && reply.whole, "{}", reply.text());
    assert_eq!(events.last().unwrap()["error"]["code"], "upstream_cut", "{}", reply.text());
    until("the provider is hung up on", || hostile.over.load(Ordering::SeqCst) == 1);
    let book = world.stop();
    assert_eq!(book.settled().map(|one| one.ending).collect::<Vec<_>>(), [Ending::Cut]);
}

#[test]
fn a_provider_that_hangs_up_while_we_speak_is_left_for_another() {
    // What is closed with bytes unread is reset.
    let hostile = Hostile::start(|stream, _| {
        let _ = stream.read(&mut [0; 64]);
    });
    let world = World::instead_of("azure", hostile.address, "");
    let mut body = ask("gpt-4o");
    body["messages"][0]["content"] = json!("x".repeat(2 << 20));
    let reply = world.connect().chat("chat", "x-sandbox-tokens: 10,5\r\n", &body).unwrap();
    assert_eq!((reply.status, reply.deployment()), (200, "oracle-gpt-4o"), "{}", reply.text());
    // Both deployments of the holder were tried, once each.
    assert_eq!(hostile.over.load(Ordering::SeqCst), 2);
    let book = world.stop();
    assert_eq!(book.settled().count(), 1, "and one bill is on record");
}
