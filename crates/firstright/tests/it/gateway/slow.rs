//! What do a thousand clients cost the others that send their heads and bodies a byte at a time, or take nothing of their
//! answers?
//!
//! The built binary with short budgets. Callers who are well come on schedule, first alone and then beside them. More of
//! the slow: `FIRSTRIGHT_SLOW=2000 cargo test --release -p firstright --test it slow -- --nocapture`

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::crash::Served;
use crate::open_loop::{Seen, calls, fire, percentile};
use crate::world::{Book, Folder, LAW, ask, ask_stream, bearer, clouds, configure_at, until};

/// Each part of what a slow client does may take so long.
const BUDGET: Duration = Duration::from_secs(2);
/// A budget is kept to within a tick and what a loaded machine adds.
const SLACK: Duration = Duration::from_secs(2);
/// Between two bytes of a slow client: often enough that no look at gaps would find it.
const DRIP: Duration = Duration::from_millis(300);
/// Calls a second of those who are well, and for how long they come alone.
const RATE: u64 = 40;
const ALONE: Duration = Duration::from_secs(2);
/// So many of the slow arrive in a second.
const ARRIVE: usize = 400;

/// A provider whose stream does not end, and how many of its connections have.
fn endless() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let over = Arc::new(AtomicUsize::new(0));
    let ends = Arc::clone(&over);
    // It ends with the process: nothing tells it that no more will come.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, ends) = (stream.unwrap(), Arc::clone(&ends));
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 16 * 1024]);
                let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"more and \"}}]}\n\n";
                let block = event.repeat(512);
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
                let _ = stream.write_all(head.as_bytes());
                while stream.write_all(block.as_bytes()).is_ok() {}
                ends.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    (address, over)
}

/// Sends this, then a byte now and then, until it is closed; says after how long. None if that does not happen.
async fn drip(address: SocketAddr, beginning: String) -> Option<Duration> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).await.ok()?;
    let closed = async {
        let _ = stream.write_all(beginning.as_bytes()).await;
        let mut answer = [0; 4096];
        loop {
            match tokio::time::timeout(DRIP, stream.read(&mut answer)).await {
                Ok(Ok(0) | Err(_)) => return,
                // It is told why, and is closed behind that.
                Ok(Ok(_)) => {}
                // Bytes that go to a closed connection are not the test's concern.
                Err(_) => drop(stream.write_all(b"x").await),
            }
        }
    };
    tokio::time::timeout(BUDGET * 10, closed).await.ok()?;
    Some(begun.elapsed())
}

/// Asks for a stream, and takes nothing of it until it is over.
async fn take_nothing(address: SocketAddr, over: &AtomicUsize, all: usize) -> std::io::Result<Duration> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).await?;
    let body = ask_stream("gpt-4o", false).to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n{}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        bearer("europe"),
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    while over.load(Ordering::SeqCst) < all {
        assert!(begun.elapsed() < Duration::from_secs(60), "who takes nothing is closed");
        tokio::time::sleep(DRIP / 10).await;
    }
    Ok(begun.elapsed())
}

/// All of the slow, one after the other: when each was closed, those who send first, then those who take.
fn slow(address: SocketAddr, number: usize, readers: usize, over: &Arc<AtomicUsize>) -> [Vec<Duration>; 3] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let (mut heads, mut bodies, mut taking) = (Vec::new(), Vec::new(), Vec::new());
        let body = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n{}content-type: application/json\r\n\
             content-length: 4000000\r\n\r\n{{\"model\": ",
            bearer("open")
        );
        for nth in 0..number / 2 {
            tokio::time::sleep(Duration::from_secs(2) / ARRIVE as u32).await;
            if nth % (number / 2).div_ceil(readers) == 0 && taking.len() < readers {
                let over = Arc::clone(over);
                taking.push(tokio::task::spawn_local(
                    async move { take_nothing(address, &over, readers).await },
                ));
            }
            heads.push(tokio::task::spawn_local(drip(address, "POST /v1/chat/completions HT".to_string())));
            bodies.push(tokio::task::spawn_local(drip(address, body.clone())));
        }
        while taking.len() < readers {
            let over = Arc::clone(over);
            taking.push(tokio::task::spawn_local(async move { take_nothing(address, &over, readers).await }));
        }
        // All of them wait for the last: its own time counts.
        let mut taken = Duration::MAX;
        for one in taking {
            taken = taken.min(one.await.unwrap().unwrap());
        }
        let mut closed = [Vec::new(), Vec::new(), vec![taken]];
        for (kind, flying) in [heads, bodies].into_iter().enumerate() {
            for one in flying {
                closed[kind].push(one.await.unwrap().expect("it is closed"));
            }
        }
        closed
    })
}

/// Each is a file of this process and of the gateway's: half as many at most as a gateway here would let in.
fn number() -> usize {
    let most = firstright::files::connections().map_or(800, |room| (room / 2).min(800));
    std::env::var("FIRSTRIGHT_SLOW").map_or(most, |text| text.parse().unwrap())
}

/// The first byte's time at a percentile.
fn at(seen: &[Seen], percent: usize) -> Duration {
    percentile(seen.iter().map(|seen| seen.first_byte), percent)
}

#[test]
fn slow_clients_are_closed_at_their_budgets_and_cost_the_others_little() {
    let ((endless, over), folder, clouds) = (endless(), Folder::new(), clouds(|_| {}));
    let seconds = BUDGET.as_secs();
    let budgets = format!(
        "head-timeout-s = {seconds}\nbody-timeout-s = {seconds}\nwrite-stall-timeout-s = {seconds}\nmax-held-bytes = 33554432\n"
    );
    let place = |cloud: &str| if cloud == "nordic" { endless } else { clouds.cloud(cloud).unwrap().address };
    let config = configure_at(&folder, &clouds, place, LAW, &budgets);
    let served = Served::start(Served::binary(), &config);
    let address = served.address;
    let (number, readers, body) = (number(), 24, ask("gpt-4o").to_string());
    let well = |lasts| {
        fire(address, calls("open", RATE, Duration::ZERO, lasts, 1), "x-sandbox-tokens: 10,5\r\n", &body)
    };
    let alone = well(ALONE);
    let beside = Duration::from_millis((number * 1_000 / ARRIVE) as u64) + BUDGET + SLACK;
    let before = served.peak_memory();
    let (beside, closed) = std::thread::scope(|scope| {
        let attack = scope.spawn(|| slow(address, number, readers, &over));
        (well(beside), attack.join().unwrap())
    });
    let more = served.peak_memory() - before;
    let longest = closed.map(|one| one.into_iter().max().unwrap_or_default());
    println!(
        "{number} slow senders and {readers} who take nothing, closed after {longest:.1?} at most (heads, bodies, answers); first \
         bytes of the others at p50 and p99: alone {:.1?} {:.1?}, beside them {:.1?} {:.1?}; {} KiB more a connection",
        at(&alone, 50),
        at(&alone, 99),
        at(&beside, 50),
        at(&beside, 99),
        more / 1024 / (number + readers) as u64,
    );
    assert!(
        alone.iter().chain(&beside).all(|seen| seen.status == Some(200)),
        "nobody who is well is refused"
    );
    // The bar is twice as long at p99, for a machine that does nothing else. One whose other tests take most of it holds
    // this: nobody waits for the slow, whose budgets are longer.
    let (usual, slowed) = (at(&alone, 50), at(&beside, 50));
    assert!(slowed < usual * 4 + Duration::from_millis(500), "{usual:?} {slowed:?}");
    let (usual, slowed) = (at(&alone, 99), at(&beside, 99));
    assert!(slowed < usual * 4 + BUDGET, "{usual:?} {slowed:?}");
    assert!(longest.iter().all(|longest| *longest < BUDGET + SLACK * 2), "{longest:?}");
    until("nothing of them is left", || over.load(Ordering::SeqCst) == readers);
    let (code, said) = served.terminate();
    assert_eq!(code, Some(0), "{said}");
    let book = Book::read(&folder.journal(), false);
    assert_eq!(book.fault, None);
    assert_eq!(book.settled().count(), alone.len() + beside.len() + readers);
}
