//! Does the process heed its signals: SIGHUP by reading its files again, SIGTERM by ending in its time, with every stream
//! told?

use std::time::{Duration, Instant};

use firstright_core::fact::{Ending, Fact, Source};

use crate::crash::Served;
use crate::world::{Book, Folder, Http, LAW, Reply, ask, ask_stream, bearer, clouds, configure, law, until};

/// Asks the process to stop; each stream has to be told. Gives how it ended and what it said.
fn stop(served: Served, streams: &mut [(Http, Reply)]) -> (Option<i32>, String) {
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| served.terminate());
        for (http, reply) in streams {
            http.rest(reply).unwrap();
            let (events, done) = reply.events();
            let last = events.last().unwrap();
            assert_eq!((last["error"]["code"].as_str(), done), (Some("gateway_stopping"), false), "{last}");
        }
        stopping.join().unwrap()
    })
}

#[test]
fn a_stream_that_outlasts_the_grace_period_is_told_so_in_its_own_words() {
    let clouds = clouds(|_| {});
    let folder = Folder::new();
    let config = configure(&folder, &clouds, LAW, "drain-s = 1");
    let served = Served::start(Served::binary(), &config);
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut http = Http::connect(served.address).unwrap();
        let extra = format!("{}x-sandbox-tokens: 10,400000\r\n", bearer("europe"));
        let body = ask_stream("gpt-4o", true).to_string();
        http.request("POST", "/v1/chat/completions", &extra, body.as_bytes()).unwrap();
        let mut reply = http.head().unwrap();
        http.read_to(&mut reply, "\"content\":\"");
        streams.push((http, reply));
    }
    let begun = Instant::now();
    let (code, said) = stop(served, &mut streams);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("4 connections were still open"), "{said}");
    // The grace period and two seconds, on a machine that has other things to do.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let book = Book::read(&folder.journal(), false);
    assert_eq!(book.fault, None);
    let settled: Vec<_> = book.settled().collect();
    assert_eq!(settled.len(), 4);
    assert!(settled.iter().all(|one| (one.source, one.ending) == (Source::Counted, Ending::Abandoned)));
    assert!(settled.iter().all(|one| one.usage.output > 0));
}

#[test]
fn a_stream_that_still_waits_at_the_end_of_the_grace_period_is_told_so_too() {
    let one_place = (
        "model = \"gpt-4o\"\ncapacity = { concurrent = 256 }",
        "model = \"gpt-4o\"\ncapacity = { concurrent = 1 }",
    );
    let clouds = clouds(|_| {});
    let folder = Folder::new();
    let law = law(&[one_place, ("max-wait = \"8s\"", "max-wait = \"60s\"")]);
    let config = configure(&folder, &clouds, &law, "drain-s = 1\nkeep-alive-s = 1");
    let served = Served::start(Served::binary(), &config);
    let ask = |tokens: &str, begun: &str| {
        let mut http = Http::connect(served.address).unwrap();
        let extra = format!("{}x-sandbox-tokens: {tokens}\r\n", bearer("patient"));
        let body = ask_stream("gpt-4o", true).to_string();
        http.request("POST", "/v1/chat/completions", &extra, body.as_bytes()).unwrap();
        let mut reply = http.head().unwrap();
        http.read_to(&mut reply, begun);
        (http, reply)
    };
    let mut streams = [ask("10,400000", "\"content\":\""), ask("10,10", ": queued\n\n")];
    let (code, said) = stop(served, &mut streams);
    assert_eq!(code, Some(0), "{said}");
    let book = Book::read(&folder.journal(), false);
    assert_eq!(book.fault, None);
    let let_go = book.records.iter().filter(|one| matches!(one.fact, Fact::CallAbandoned { .. })).count();
    assert_eq!(let_go, 1);
    // The place that the other left may have been given to it in its last moment.
    assert!(book.settled().all(|one| one.ending == Ending::Abandoned));
}

#[test]
fn sighup_and_the_command_read_the_files_again() {
    let clouds = clouds(|_| {});
    let folder = Folder::new();
    let path = configure(&folder, &clouds, LAW, "");
    let served = Served::start(Served::binary(), &path);
    let status = || {
        let mut http = Http::connect(served.address).unwrap();
        http.chat("europe", "", &ask("gpt-4o")).unwrap().status
    };
    assert_eq!(status(), 200);
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replacen("tenant = \"europe\"", "tenant = \"nowhere\"", 1)).unwrap();
    served.signal("-HUP");
    until("the key is another tenant's", || status() == 403);
    std::fs::write(&path, &config).unwrap();
    let reload = || {
        let data = folder.0.join("data");
        Served::binary().arg("reload").arg("--data").arg(data).output().unwrap()
    };
    let done = reload();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{said}");
    assert!(
        said.contains("version 3 is in force")
            && said.contains("key `europe`: tenant: \"nowhere\" → \"europe\""),
        "{said}"
    );
    assert_eq!(status(), 200);
    std::fs::write(&path, "agreements = 1\n").unwrap();
    let done = reload();
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8(done.stderr).unwrap().contains("line 1"));
    assert_eq!(status(), 200);
    let (code, said) = served.terminate();
    assert_eq!((code, said.contains("version 2 is in force")), (Some(0), true), "{said}");
}

#[test]
fn files_that_are_watched_are_read_by_themselves_once_they_stay_as_they_are() {
    let clouds = clouds(|_| {});
    let folder = Folder::new();
    let path = configure(&folder, &clouds, LAW, "");
    let config = format!("watch-s = 1\n{}", std::fs::read_to_string(&path).unwrap());
    std::fs::write(&path, &config).unwrap();
    let served = Served::start(Served::binary(), &path);
    let status = || {
        let mut http = Http::connect(served.address).unwrap();
        http.chat("europe", "", &ask("gpt-4o")).unwrap().status
    };
    assert_eq!(status(), 200);
    std::fs::write(&path, config.replacen("tenant = \"europe\"", "tenant = \"nowhere\"", 1)).unwrap();
    until("the key is another tenant's", || status() == 403);
    assert_eq!(served.terminate().0, Some(0));
}
