//! What goes first when memory, files or open calls run short, does the rest go on, and is all as before when there is
//! enough again? The built binary, without a restart.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use firstright::sandbox;
use firstright_core::fact::{Ending, Fact, Source};
use firstright_core::usage::Usage;
use serde_json::{Value, json};

use crate::crash::Served;
use crate::open_loop::percentile;
use crate::world::{
    Book, Folder, Http, LAW, Reply, ask, ask_stream, bearer, clouds, configure, configure_at, law, until,
};

/// A provider that reads whole requests and answers them when it may.
struct Holding {
    address: SocketAddr,
    /// Requests that it has read.
    came: Arc<AtomicU64>,
    go: Arc<AtomicBool>,
}

impl Holding {
    fn start() -> Holding {
        Holding::answering(0)
    }

    /// With so many bytes of text.
    fn answering(bytes: usize) -> Holding {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (came, go) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counts, may) = (Arc::clone(&came), Arc::clone(&go));
        // It ends with the process: nothing tells it that no more will come.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, counts, may) = (stream.unwrap(), Arc::clone(&counts), Arc::clone(&may));
                std::thread::spawn(move || {
                    if !whole(&mut stream) {
                        return;
                    }
                    counts.fetch_add(1, Ordering::SeqCst);
                    while !may.load(Ordering::SeqCst) {
                        std::thread::park_timeout(Duration::from_millis(5));
                    }
                    let text = "x".repeat(bytes);
                    let message = json!({ "role": "assistant", "content": text });
                    let body = json!({ "object": "chat.completion", "choices": [{ "index": 0, "message": message }],
                        "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 } });
                    let body = body.to_string();
                    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length:";
                    let _ = stream.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes());
                });
            }
        });
        Holding { address, came, go }
    }

    fn came(&self) -> u64 {
        self.came.load(Ordering::SeqCst)
    }
}

/// Reads a request to its end, and keeps nothing of it.
fn whole(stream: &mut TcpStream) -> bool {
    let (mut head, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
    let mut left = None;
    while left != Some(0) {
        let Ok(count @ 1..) = stream.read(&mut piece) else { return false };
        if let Some(left) = &mut left {
            *left -= count.min(*left);
            continue;
        }
        head.extend_from_slice(&piece[..count]);
        let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&head[..end]).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        left = Some(length.parse::<usize>().unwrap() - (head.len() - end - 4));
    }
    true
}

/// A chat call whose prompt is so long.
fn long(bytes: usize) -> Value {
    let mut body = ask("gpt-4o");
    body["messages"][0]["content"] = json!("x".repeat(bytes));
    body
}

fn call(address: SocketAddr, tenant: &str, body: &Value) -> Reply {
    Http::connect(address).unwrap().chat(tenant, "", body).unwrap()
}

/// Where the admin API is.
fn admin(folder: &Folder) -> SocketAddr {
    let told = std::fs::read_to_string(folder.0.join("data").join("admin.toml")).unwrap();
    let told: toml::Table = told.parse().unwrap();
    let found = told.values().find_map(|value| value.as_str()?.trim_start_matches("http://").parse().ok());
    found.unwrap_or_else(|| panic!("no address: {told:?}"))
}

/// Do both listeners say that it is well?
fn is_well(address: SocketAddr) -> bool {
    let mut http = Http::connect(address).unwrap();
    http.request("GET", "/healthz", "", b"").is_ok() && http.read().is_ok_and(|reply| reply.status == 200)
}

/// Refused for want of room, and told honestly when to come again.
#[track_caller]
fn is_shed(reply: &Reply) {
    reply.refuses(503, "overloaded");
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(reply.header("x-should-retry"), Some("true"));
    assert!(reply.whole);
}

/// It stops when asked, and what it wrote verifies.
fn ended(served: Served, folder: &Folder) -> Book {
    let (code, said) = served.terminate();
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    let book = Book::read(&folder.journal(), false);
    assert_eq!(book.fault, None);
    book
}

const MIB: u64 = 1 << 20;

#[test]
fn ten_times_the_memory_that_bodies_may_take_is_turned_away_and_the_rest_goes_on() {
    let (holding, folder, clouds) = (Holding::start(), Folder::new(), clouds(|_| {}));
    let limit = 32 * MIB;
    let gateway = format!("max-held-bytes = {limit}\nmax-body-bytes = {}\n", 4 * MIB);
    let config = configure_at(&folder, &clouds, |_| holding.address, LAW, &gateway);
    let served = Served::start(Served::binary(), &config);
    let (address, before) = (served.address, served.peak_memory());
    // A MiB counts as two: a hundred and sixty of them are ten times what may be held.
    let (offered, body) = (160, long(MIB as usize));
    let replies = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..offered {
            scope.spawn(|| {
                let begun = Instant::now();
                let reply = call(address, "europe", &body);
                replies.lock().unwrap().push((reply, begun.elapsed()));
            });
        }
        until("all are held or turned away", || {
            holding.came() as usize + replies.lock().unwrap().len() == offered
        });
        let held = holding.came();
        assert!((8..=12).contains(&held), "three quarters of the bound: {held}");
        // What is small still comes in, and whoever asks whether it is well is answered.
        scope.spawn(|| assert_eq!(call(address, "europe", &ask("gpt-4o")).status, 200));
        until("a small one is held beside them", || holding.came() == held + 1);
        assert!(is_well(address) && is_well(admin(&folder)));
        holding.go.store(true, Ordering::SeqCst);
    });
    let replies = replies.into_inner().unwrap();
    let (good, shed): (Vec<_>, Vec<_>) = replies.iter().partition(|(reply, _)| reply.status == 200);
    shed.iter().for_each(|(reply, _)| is_shed(reply));
    let more = served.peak_memory() - before;
    println!(
        "{offered} MiB of bodies: {} served, {} shed, told after {:.0?} at p99; {:.1} MiB more at the peak, of {} that may be held",
        good.len(),
        shed.len(),
        percentile(shed.iter().map(|(_, took)| *took), 99),
        more as f64 / MIB as f64,
        limit / MIB,
    );
    // Beside the bound: what was on its way when it was reached, and the buffers of so many connections.
    assert!(more < limit * 4, "{more} bytes more");
    // All of it was given back.
    for _ in 0..4 {
        assert_eq!(call(address, "europe", &long(3 * MIB as usize)).status, 200);
    }
    let book = ended(served, &folder);
    assert_eq!(book.settled().count(), good.len() + 5);
}

#[test]
fn answers_that_would_take_too_much_are_given_up_and_settled_by_count() {
    let (holding, folder, clouds) = (Holding::answering(2 * MIB as usize), Folder::new(), clouds(|_| {}));
    let gateway = format!("max-held-bytes = {}\n", 4 * MIB);
    let config = configure_at(&folder, &clouds, |_| holding.address, LAW, &gateway);
    let served = Served::start(Served::binary(), &config);
    let address = served.address;
    // Each counts as four MiB, and six may be held: one at a time.
    let replies = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let reply = call(address, "europe", &ask("gpt-4o"));
                replies.lock().unwrap().push(reply);
            });
        }
        until("all are on their way", || holding.came() == 8);
        holding.go.store(true, Ordering::SeqCst);
    });
    let replies = replies.into_inner().unwrap();
    let (good, shed): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    println!("8 answers at once, of which one may be held: {} were given", good.len());
    shed.iter().for_each(|reply| is_shed(reply));
    assert!(good.iter().all(|reply| reply.whole && reply.body.len() > 2 * MIB as usize));
    assert_eq!(call(address, "europe", &ask("gpt-4o")).status, 200, "all of it was given back");
    let book = ended(served, &folder);
    let ours = (Source::Counted, Ending::Abandoned);
    let left = book.settled().filter(|one| (one.source, one.ending) == ours).count();
    assert_eq!(
        (book.settled().count(), left),
        (9, shed.len()),
        "what was asked for is settled, and nobody is blamed"
    );
    assert_eq!(holding.came(), 9, "nobody is asked twice");
}

#[test]
fn as_many_calls_are_open_as_may_be_and_the_next_is_told_at_once() {
    let (holding, folder, clouds) = (Holding::start(), Folder::new(), clouds(|_| {}));
    let law = law(&[("currency = \"USD\"", "currency = \"USD\"\nlimits = { open = 20, waiting = 4 }")]);
    let config = configure_at(&folder, &clouds, |_| holding.address, &law, "");
    let served = Served::start(Served::binary(), &config);
    let address = served.address;
    std::thread::scope(|scope| {
        for _ in 0..19 {
            scope.spawn(|| assert_eq!(call(address, "europe", &ask("gpt-4o")).status, 200));
        }
        until("nineteen twentieths are open [CH-19]", || holding.came() == 19);
        let mut http = Http::connect(address).unwrap();
        for _ in 0..50 {
            is_shed(&http.chat("europe", "", &ask("gpt-4o")).unwrap());
        }
        assert!(is_well(address) && is_well(admin(&folder)));
        holding.go.store(true, Ordering::SeqCst);
    });
    assert_eq!(call(address, "europe", &ask("gpt-4o")).status, 200);
    let book = ended(served, &folder);
    assert_eq!(book.settled().count(), 20);
}

/// A process with few files. Dropping it puts nothing back: it is the process's own limit.
struct Few {
    served: Served,
    folder: Folder,
    _clouds: sandbox::Running,
}

impl Few {
    fn start(files: u32) -> Few {
        let (folder, clouds) = (Folder::new(), clouds(|_| {}));
        let config = configure(&folder, &clouds, LAW, "");
        // A name is looked up with a file, and without one the resolver says only that it knows of nobody.
        let oracle = clouds.cloud("oracle").unwrap().address;
        let text = std::fs::read_to_string(&config).unwrap();
        let named = text.replace(&oracle.to_string(), &format!("localhost:{}", oracle.port()));
        assert_ne!(text, named);
        std::fs::write(&config, named).unwrap();
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={files}:{files}")).arg(env!("CARGO_BIN_EXE_firstright"));
        Few { served: Served::start(command, &config), folder, _clouds: clouds }
    }

    fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.served.id())).unwrap().count()
    }

    /// From now on so many files may be open.
    fn allow(&self, files: usize) {
        let id = self.served.id().to_string();
        let limit = format!("--nofile={files}:");
        assert!(Command::new("prlimit").args(["--pid", &id, &limit]).status().unwrap().success());
    }

    /// Processor time of the process while this one waits.
    fn burns_in(&self, time: Duration) -> Duration {
        let stat = format!("/proc/{}/stat", self.served.id());
        let ticks = |path: &Path| {
            let text = std::fs::read_to_string(path).unwrap();
            let fields: Vec<u64> = text
                .rsplit_once(')')
                .unwrap()
                .1
                .split_whitespace()
                .skip(11)
                .take(2)
                .map(|one| one.parse().unwrap())
                .collect();
            fields.iter().sum::<u64>()
        };
        let before = ticks(Path::new(&stat));
        std::thread::sleep(time);
        // A tick is a hundredth of a second on Linux.
        Duration::from_millis((ticks(Path::new(&stat)) - before) * 10)
    }
}

#[test]
fn more_clients_than_files_do_not_keep_others_out() {
    let few = Few::start(256);
    let address = few.served.address;
    // Four times as many as there are files for: silent ones, and some whose heads do not end.
    let mut silent: Vec<TcpStream> = (0..256).map(|_| TcpStream::connect(address).unwrap()).collect();
    for stream in silent.iter_mut().step_by(4) {
        // It may have been closed already.
        let _ = stream.write_all(b"POST /v1/chat");
    }
    let burnt = few.burns_in(Duration::from_secs(3));
    let open = few.open_files();
    // By now they are slow, and go before one that is well.
    let served = (0..20).filter(|_| call(address, "open", &ask("gpt-4o")).status == 200).count();
    println!(
        "256 files, 256 silent clients: {open} files open, {burnt:?} of the processor in 3 s, {served} of 20 calls served"
    );
    assert!(open < 256 && burnt < Duration::from_secs(1), "{open} files, {burnt:?}");
    assert_eq!(served, 20);
    assert!(is_well(admin(&few.folder)));
    drop(silent);
    let book = ended(few.served, &few.folder);
    assert_eq!(book.settled().count(), 20);
}

#[test]
fn without_a_file_left_what_is_in_flight_goes_on_and_nobody_is_blamed() {
    let few = Few::start(256);
    let address = few.served.address;
    // One connection each that has served, so that its provider's is kept; and a stream that flows.
    let mut kept = Http::connect(address).unwrap();
    assert_eq!(kept.chat("europe", "", &ask("gpt-4o")).unwrap().status, 200);
    let mut flowing = Http::connect(address).unwrap();
    let extra = format!("{}x-sandbox-tokens: 10,40000\r\n", bearer("chat"));
    flowing
        .request("POST", "/v1/chat/completions", &extra, ask_stream("gpt-4o", true).to_string().as_bytes())
        .unwrap();
    let mut stream = flowing.head().unwrap();
    assert_eq!(stream.status, 200);
    // All numbers below this are taken, so that no file can be opened, whatever is closed.
    few.allow(8);
    // The kernel connects it, and nobody takes it.
    let mut waiting = Http::connect(address).unwrap();
    waiting
        .request("POST", "/v1/chat/completions", &bearer("europe"), ask("gpt-4o").to_string().as_bytes())
        .unwrap();
    let burnt = few.burns_in(Duration::from_secs(2));
    println!("no file left: {burnt:?} of the processor in 2 s");
    assert!(burnt < Duration::from_secs(1), "{burnt:?}");
    // Its provider's connection waits to be used; another provider would take a new one, and none can be had.
    assert_eq!(kept.chat("europe", "", &ask("gpt-4o")).unwrap().status, 200);
    is_shed(&kept.chat("patient", "", &ask("gpt-4o")).unwrap());
    assert!(flowing.piece(&mut stream).unwrap(), "a stream goes on");
    few.allow(256);
    assert_eq!(waiting.read().unwrap().status, 200, "it is taken as soon as there is a file for it");
    flowing.rest(&mut stream).unwrap();
    assert!(stream.events().1, "and the stream ends as it should");
    let book = ended(few.served, &few.folder);
    let blamed = book.records.iter().filter(|record| matches!(record.fact, Fact::AttemptFailed { .. }));
    assert_eq!(blamed.count(), 0, "no provider is blamed for it");
    let nothing = book.settled().filter(|one| one.usage == Usage::default()).count();
    assert_eq!((book.settled().count(), nothing), (5, 1), "what was not sent is settled with nothing used");
}
