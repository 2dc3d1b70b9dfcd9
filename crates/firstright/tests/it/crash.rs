//! Is an answer that a client saw whole on record, whatever moment the process is killed at?
//!
//! The built binary serves in front of sandbox clouds; clients note what they saw; SIGKILL comes at a drawn moment; the
//! next process goes on with the same journal. At the end of each book a checker, which knows only the journal's bytes
//! and what the clients saw, compares the two.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use firstright::sandbox;
use firstright_core::fact::{Ending, Source};
use firstright_core::journal::HEADER;
use firstright_core::workload::CallId;
use firstright_sim::rng::{Purpose, Rng};

use crate::clients;
use crate::world::{
    Book, Folder, Http, LAW, Reply, Settled, ask, ask_stream, bearer, clouds, configure, law, until,
    usage_in, usage_on_record,
};

const ROUNDS: u64 = 200;
/// A fresh book after so many rounds, so that no restart replays for long.
const ROUNDS_A_BOOK: u64 = 20;

/// A process that serves. Killed when it is dropped.
pub struct Served {
    child: Child,
    pub address: SocketAddr,
}

impl Served {
    /// Starts the binary, or a command that runs it, and waits until it says where it serves.
    pub fn start(mut command: Command, config: &Path) -> Served {
        command.arg("serve").arg("--config").arg(config).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let line = clients::first_line(&mut child);
        let address = line
            .trim()
            .strip_prefix("firstright serves on http://")
            .and_then(|rest| rest.split_once("/v1"))
            .map(|(address, _)| address);
        let Some(address) = address else {
            let _ = child.kill();
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("it does not serve: {line}{said}");
        };
        let address = address.parse().unwrap();
        Served { child, address }
    }

    pub fn binary() -> Command {
        Command::new(env!("CARGO_BIN_EXE_firstright"))
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it has held so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1_024
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, by its id; then what it said to the end.
    pub fn terminate(mut self) -> (Option<i32>, String) {
        self.signal("-TERM");
        self.said()
    }

    /// A signal, by its id.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        // It says where it serves a moment before it listens for signals: bit 14 of the mask is SIGTERM's, bit 0 SIGHUP's.
        until("it listens for signals", || {
            let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
            let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
            mask >> 14 & 1 == 1 && mask & 1 == 1
        });
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Waits for its end.
    pub fn said(&mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            stdout.read_to_string(&mut said).unwrap();
        }
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut said).unwrap();
        }
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a client saw whole.
#[derive(Clone, Debug)]
struct Seen {
    decision: u64,
    /// As the answer said; of a stream that told none, the output that was read, at least.
    usage: Result<(u64, u64, u64), u64>,
}

/// Calls until the process is gone; only what was seen whole is noted.
fn client(address: SocketAddr, mut number: u64, gone: &AtomicBool, seen: &Mutex<Vec<Seen>>) {
    let Ok(mut http) = Http::connect(address) else { return };
    while !gone.load(Ordering::Relaxed) {
        number += 1;
        let stream = number.is_multiple_of(2);
        let body = if stream { ask_stream("gpt-4o", number.is_multiple_of(4)) } else { ask("gpt-4o") };
        let tenant = ["chat", "europe", "open"][(number % 3) as usize];
        let extra =
            format!("{}x-sandbox-tokens: {},{}\r\n", bearer(tenant), 10 + number % 9_000, 1 + number % 40);
        let path = "/v1/chat/completions";
        if http.request("POST", path, &extra, body.to_string().as_bytes()).is_err() {
            return;
        }
        let Ok(mut reply) = http.head() else { return };
        assert_eq!(reply.status, 200, "{reply:?}");
        let ended = http.rest(&mut reply).is_ok();
        // `[DONE]` is the end for a client, whether or not the last chunk's frame came.
        if !ended && !reply.text().contains("data: [DONE]\n\n") {
            return;
        }
        let usage = if stream {
            let (events, _) = reply.events();
            let told = events.iter().find(|event| event["usage"].is_object());
            told.map(|event| usage_in(&event["usage"]))
                .ok_or(reply.text().matches("\"content\":\"").count() as u64 - 1)
        } else {
            Ok(usage_in(&reply.json()["usage"]))
        };
        seen.lock().unwrap().push(Seen { decision: reply.decision(), usage });
        if !ended {
            return;
        }
    }
}

/// One round: load, and SIGKILL at a drawn moment.
fn round(config: &Path, rng: &mut Rng, seen: &Mutex<Vec<Seen>>) {
    let served = Served::start(Served::binary(), config);
    let (address, gone) = (served.address, AtomicBool::new(false));
    let (clients, life) = (8 + rng.below(9), Duration::from_millis(20 + rng.below(131)));
    std::thread::scope(|scope| {
        for _ in 0..clients {
            let (number, gone) = (rng.below(1_000_000), &gone);
            scope.spawn(move || client(address, number, gone, seen));
        }
        std::thread::sleep(life);
        served.kill();
        gone.store(true, Ordering::Relaxed);
    });
}

/// What the checker found.
#[derive(Debug, Default)]
struct Tally {
    rounds: u64,
    seen: u64,
    settled: u64,
    estimates: u64,
}

/// Compares a book with what was seen. The error names the first thing that is wrong.
fn check(book: &Book, seen: &[Seen]) -> Result<Tally, String> {
    if let Some(fault) = &book.fault {
        return Err(fault.to_string());
    }
    let mut settled: BTreeMap<CallId, Vec<Settled>> = BTreeMap::new();
    for one in book.settled() {
        settled.entry(one.call).or_default().push(one);
    }
    let served: BTreeMap<u64, CallId> = book.serves().map(|(record, call, _)| (record, call)).collect();
    for call in served.values() {
        match settled.get(call).map(Vec::len) {
            Some(1) => {}
            Some(times) => return Err(format!("call {} was settled {times} times", call.0)),
            None => return Err(format!("call {} was never settled", call.0)),
        }
    }
    let mut tokens_seen = 0;
    for one in seen {
        let call =
            served.get(&one.decision).ok_or_else(|| format!("decision {} is not on record", one.decision))?;
        let on_record = &settled[call][0];
        if (on_record.source, on_record.ending) != (Source::Provider, Ending::Complete) {
            return Err(format!("call {} was seen whole and is settled as {on_record:?}", call.0));
        }
        let (prompt, cached, output) = usage_on_record(&on_record.usage);
        let same = match one.usage {
            Ok(usage) => usage == (prompt, cached, output),
            Err(at_least) => output >= at_least,
        };
        if !same {
            return Err(format!("call {}: seen {:?}, on record {on_record:?}", call.0, one.usage));
        }
        tokens_seen += one.usage.map_or_else(|output| output, |(prompt, _, output)| prompt + output);
    }
    let metered: u64 = settled.values().flatten().map(|one| one.usage.tokens()).sum();
    if metered < tokens_seen {
        return Err(format!("{tokens_seen} tokens were seen, {metered} are on record"));
    }
    let all = || settled.values().flatten();
    if all().any(|one| (one.source == Source::Estimate) != (one.ending == Ending::Lost)) {
        return Err("an estimate of a call that was not lost, or a lost one that is none".to_string());
    }
    let estimates = all().filter(|one| one.source == Source::Estimate).count() as u64;
    Ok(Tally { rounds: 0, seen: seen.len() as u64, settled: settled.len() as u64, estimates })
}

/// Serves once more without load, so that what was open is settled, and ends in order.
fn settle_the_rest(config: &Path) {
    let (code, said) = Served::start(Served::binary(), config).terminate();
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("canary"), "{said}");
}

fn one_book(clouds: &sandbox::Running, rng: &mut Rng) -> (Tally, Vec<Seen>, Vec<u8>) {
    let folder = Folder::new();
    let config = configure(&folder, clouds, LAW, "drain-s = 5");
    let seen = Mutex::new(Vec::new());
    for _ in 0..ROUNDS_A_BOOK {
        round(&config, rng, &seen);
    }
    settle_the_rest(&config);
    let seen = seen.into_inner().unwrap();
    let bytes = std::fs::read(folder.journal()).unwrap();
    let mut tally = check(&Book::of(&bytes, false), &seen).unwrap_or_else(|wrong| panic!("{wrong}"));
    tally.rounds = ROUNDS_A_BOOK;
    (tally, seen, bytes)
}

#[test]
fn kill_9_at_any_moment_loses_and_doubles_nothing() {
    let begun = Instant::now();
    let clouds = clouds(|_| {});
    let mut rng = Rng::stream(20_250_121, "crash", Purpose::Text, 1);
    let mut sum = Tally::default();
    for book in 0..ROUNDS / ROUNDS_A_BOOK {
        let (tally, seen, bytes) = one_book(&clouds, &mut rng);
        sum.rounds += tally.rounds;
        sum.seen += tally.seen;
        sum.settled += tally.settled;
        sum.estimates += tally.estimates;
        if book == 0 {
            the_checker_bites(&bytes, &seen);
        }
    }
    println!("{sum:?} in {:?}", begun.elapsed());
    assert!(sum.seen > 2 * ROUNDS, "there was load: {sum:?}");
    assert!(sum.estimates > ROUNDS / 2, "calls were open when it was killed: {sum:?}");
    assert!(sum.settled > sum.seen);
}

/// A record that is gone, changed or doubled must be found; else the test above proves nothing.
fn the_checker_bites(bytes: &[u8], seen: &[Seen]) {
    // A frame in the middle is cut out of the file.
    let mut at = HEADER;
    let mut frames = Vec::new();
    while at < bytes.len() {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize + 36;
        frames.push(at..at + length);
        at += length;
    }
    let frame = frames[frames.len() / 2].clone();
    let without = [&bytes[..frame.start], &bytes[frame.end..]].concat();
    assert!(check(&Book::of(&without, false), seen).unwrap_err().contains("is missing"));
    // The same at the end, where the chain cannot tell: a settlement is gone, or a whole call.
    let last_seen = seen.iter().max_by_key(|one| one.decision).unwrap();
    let cut = frames[usize::try_from(last_seen.decision).unwrap() - 1].clone();
    let settled = check(&Book::of(&bytes[..cut.end], false), seen).unwrap_err();
    assert!(settled.contains("never settled"), "{settled}");
    // A settlement that stands twice, one with another number, one that is an estimate.
    let book = || Book::of(bytes, false);
    let settlement = |book: &Book| {
        let call = book.call_of(last_seen.decision);
        let of = |record: &firstright_core::journal::Record| matches!(record.fact, firstright_core::fact::Fact::CallSettled { call: own, .. } if Some(own) == call);
        book.records.iter().position(of).unwrap()
    };
    let mut doubled = book();
    let record = doubled.records[settlement(&doubled)].clone();
    doubled.records.push(record);
    assert!(check(&doubled, seen).unwrap_err().contains("2 times"));
    for change in 0..2 {
        let mut changed = book();
        let place = settlement(&changed);
        let firstright_core::fact::Fact::CallSettled { usage, source, .. } = &mut changed.records[place].fact
        else {
            panic!()
        };
        if change == 0 {
            usage.output = 0
        } else {
            *source = Source::Estimate
        }
        check(&changed, seen).unwrap_err();
    }
    let mut unseen = seen.to_vec();
    unseen[0].decision = u64::MAX;
    assert!(check(&book(), &unseen).unwrap_err().contains("not on record"));
}

#[test]
fn a_process_that_is_asked_to_stop_finishes_what_is_in_flight() {
    let clouds = clouds(|_| {});
    let folder = Folder::new();
    let config = configure(&folder, &clouds, LAW, "drain-s = 20");
    let served = Served::start(Served::binary(), &config);
    let mut streams: Vec<(Http, Reply)> = Vec::new();
    for _ in 0..8 {
        let mut http = Http::connect(served.address).unwrap();
        let extra = format!("{}x-sandbox-tokens: 10,8000\r\n", bearer("europe"));
        let body = ask_stream("gpt-4o", true).to_string();
        http.request("POST", "/v1/chat/completions", &extra, body.as_bytes()).unwrap();
        let mut reply = http.head().unwrap();
        http.read_to(&mut reply, "\"content\":\"");
        streams.push((http, reply));
    }
    let (code, said) = std::thread::scope(|scope| {
        let stopping = scope.spawn(|| served.terminate());
        for (http, reply) in &mut streams {
            http.rest(reply).unwrap();
            assert!(reply.events().1, "the stream is whole: {:?}", reply.text().len());
        }
        stopping.join().unwrap()
    });
    assert_eq!((code, said.contains("still open")), (Some(0), false), "{said}");
    let book = Book::read(&folder.journal(), false);
    let seen: Vec<Seen> = streams
        .iter()
        .map(|(_, reply)| Seen { decision: reply.decision(), usage: Ok((10, 0, 8_000)) })
        .collect();
    assert_eq!(check(&book, &seen).unwrap().estimates, 0);
}

#[test]
fn a_failed_sync_stops_the_process_and_nothing_unrecorded_is_answered() {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("skipped: strace is not installed");
        return;
    }
    let clouds = clouds(|_| {});
    // The first sync is the law's, before anything is served.
    for nth in [2, 3, 8, 30] {
        let folder = Folder::new();
        let config = configure(&folder, &clouds, LAW, "");
        let mut command = Command::new("strace");
        let inject = format!("inject=fdatasync:error=EIO:when={nth}");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", &inject]);
        command.arg(env!("CARGO_BIN_EXE_firstright"));
        let mut served = Served::start(command, &config);
        let (seen, gone) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        // It ends by itself: the clients see their connections break.
        client(served.address, 0, &gone, &seen);
        let (code, said) = served.said();
        assert_ne!(code, Some(0), "sync {nth}: {said}");
        assert!(said.contains("failed to write the journal"), "sync {nth}: {said}");
        settle_the_rest(&config);
        let seen = seen.into_inner().unwrap();
        let book = Book::read(&folder.journal(), false);
        check(&book, &seen).unwrap_or_else(|wrong| panic!("sync {nth}: {wrong}"));
        println!("sync {nth} failed: {} answers were seen whole", seen.len());
    }
}

#[test]
fn an_answer_waits_for_the_disk_and_not_for_the_page_cache() {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("skipped: strace is not installed");
        return;
    }
    let clouds = clouds(|_| {});
    let folder = Folder::new();
    let config = configure(&folder, &clouds, LAW, "");
    let served = Served::start(slow_disk(), &config);
    let mut http = Http::connect(served.address).unwrap();
    for stream in [false, true, false, true] {
        let body = if stream { ask_stream("gpt-4o", true) } else { ask("gpt-4o") };
        let begun = Instant::now();
        let reply = http.chat("chat", "", &body).unwrap();
        assert!(reply.status == 200 && reply.whole);
        // A stream waits twice: its first byte for the opening, its last for the settlement.
        let syncs = if stream { 2 } else { 1 };
        assert!(begun.elapsed() >= SLOW_SYNC * syncs, "answered after {:?}", begun.elapsed());
    }
    // A refusal is on record before it is told, too.
    let begun = Instant::now();
    http.chat("nowhere", "", &ask("gpt-4o")).unwrap().refuses(403, "compliance_refusal");
    assert!(begun.elapsed() >= SLOW_SYNC, "refused after {:?}", begun.elapsed());
}

#[test]
fn nothing_leaves_a_holder_before_its_release_is_on_disk() {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("skipped: strace is not installed");
        return;
    }
    let clouds = clouds(|_| {});
    let folder = Folder::new();
    let small = [
        ("provisioned = { per-minute = 60_000_000 }", "pay-as-you-go = { tokens-per-minute = 30 }"),
        ("tokens-per-minute = 60_000_000", "tokens-per-minute = 30"),
    ];
    let config = configure(&folder, &clouds, &law(&small), "");
    let served = Served::start(slow_disk(), &config);
    let mut http = Http::connect(served.address).unwrap();
    let begun = Instant::now();
    http.request("POST", "/v1/chat/completions", &bearer("chat"), ask("gpt-4o").to_string().as_bytes())
        .unwrap();
    until("the other party is asked", || clouds.cloud("oracle").unwrap().counters().requests == 1);
    assert!(begun.elapsed() >= SLOW_SYNC, "asked after {:?}", begun.elapsed());
    assert_eq!(http.read().unwrap().deployment(), "oracle-gpt-4o");
    // What stays with the holder need not wait.
    let mut small = ask("gpt-4o");
    small["max_tokens"] = 5.into();
    let begun = Instant::now();
    http.request("POST", "/v1/chat/completions", &bearer("chat"), small.to_string().as_bytes()).unwrap();
    until("the holder is asked", || clouds.cloud("azure").unwrap().counters().requests == 1);
    println!("the holder was asked after {:?}", begun.elapsed());
    assert_eq!(http.read().unwrap().deployment(), "azure-ptu");
}

/// How much longer a sync of [`slow_disk`] takes.
const SLOW_SYNC: Duration = Duration::from_millis(300);

/// The binary on a disk that is so slow that an answer which comes sooner did not wait for it.
fn slow_disk() -> Command {
    let mut command = Command::new("strace");
    let inject = format!("inject=fdatasync:delay_enter={}", SLOW_SYNC.as_micros());
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", &inject]);
    command.arg(env!("CARGO_BIN_EXE_firstright"));
    command
}
