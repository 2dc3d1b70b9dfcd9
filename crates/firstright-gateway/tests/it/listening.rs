//! How long may a client stay, and what does a drain do to it?

use std::time::Duration;

use firstright_gateway::listen::{BodyLimits, Drained, Limits, RequestBodyError, read_whole};
use firstright_gateway::relay::{Passing, Reply, Verdict};
use hyper::Response;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep};

use crate::peers::{Gateway, read_message, read_to_end, run, settle, write};

type Answer = Response<Reply<fn(Passing<'_>) -> Verdict>>;

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// A listener whose handler takes `seconds` for each answer.
fn slow(limits: Limits, seconds: u64) -> Gateway {
    Gateway::start(limits, move |_| async move {
        sleep(Duration::from_secs(seconds)).await;
        Answer::new(Reply::whole("done"))
    })
}

/// How many seconds pass until the other side ends the connection.
async fn seconds_to_the_end(client: &mut tokio::net::TcpStream) -> u64 {
    let start = Instant::now();
    read_to_end(client).await;
    start.elapsed().as_secs()
}

#[test]
fn a_head_that_does_not_end_costs_the_connection() {
    run(async {
        let gateway = slow(Limits::default(), 0);
        // Nothing at all, a part, a part after a served request, and a byte now and then.
        let mut silent = gateway.connect().await;
        let silent_for = seconds_to_the_end(&mut silent).await;
        assert!((10..=12).contains(&silent_for), "{silent_for}");
        let mut part = gateway.connect().await;
        write(&mut part, "GET / HTTP/1.1\r\nHo").await;
        let part_for = seconds_to_the_end(&mut part).await;
        assert!((10..=12).contains(&part_for), "{part_for}");
        let mut second = gateway.connect().await;
        write(&mut second, GET).await;
        read_message(&mut second).await;
        sleep(Duration::from_secs(40)).await;
        write(&mut second, "GET").await;
        let second_for = seconds_to_the_end(&mut second).await;
        assert!((10..=12).contains(&second_for), "{second_for}");
        let mut drip = gateway.connect().await;
        let start = Instant::now();
        let mut byte = [0];
        loop {
            // Bytes that go to a closed connection are not the test's concern.
            let _ = tokio::io::AsyncWriteExt::write_all(&mut drip, b"G").await;
            if tokio::time::timeout(Duration::from_secs(1), drip.read(&mut byte)).await.is_ok() {
                break;
            }
        }
        assert!((9..=12).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        settle().await;
        assert_eq!(gateway.permits.open(), 0);
    });
}

#[test]
fn an_idle_connection_is_kept_for_its_time_and_a_serving_one_for_longer() {
    run(async {
        let gateway = slow(Limits::default(), 300);
        let mut client = gateway.connect().await;
        write(&mut client, GET).await;
        assert!(read_message(&mut client).await.ends_with("done"));
        let idle_for = seconds_to_the_end(&mut client).await;
        assert!((75..=77).contains(&idle_for), "{idle_for}");
    });
}

#[test]
fn a_client_that_takes_nothing_is_cut() {
    run(async {
        let gateway =
            Gateway::start(Limits::default(), |_| async { Answer::new(Reply::whole(vec![0; 64 << 20])) });
        let mut client = gateway.connect().await;
        write(&mut client, GET).await;
        assert_eq!(gateway.permits.open(), 1);
        sleep(Duration::from_secs(58)).await;
        assert_eq!(gateway.permits.open(), 1);
        sleep(Duration::from_secs(5)).await;
        assert_eq!(gateway.permits.open(), 0);
    });
}

#[test]
fn a_slow_or_large_body_is_refused() {
    run(async {
        let limits = BodyLimits { bytes: 10, timeout: Duration::from_secs(5) };
        let gateway = Gateway::start(Limits::default(), move |request| async move {
            let text = match read_whole(request.into_body(), limits).await {
                Ok(_) => "read",
                Err(RequestBodyError::TooLarge(10)) => "too large",
                Err(RequestBodyError::TimedOut) => "timed out",
                Err(_) => "broken",
            };
            Answer::new(Reply::whole(text))
        });
        let table = [
            ("Content-Length: 10\r\n\r\n0123456789", "read"),
            ("Content-Length: 11\r\n\r\n", "too large"),
            ("Transfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n5\r\n01234\r\n", "too large"),
            ("Content-Length: 10\r\n\r\n012", "timed out"),
        ];
        for (rest, expected) in table {
            let mut client = gateway.connect().await;
            write(&mut client, &format!("POST / HTTP/1.1\r\nHost: x\r\n{rest}")).await;
            assert!(read_message(&mut client).await.ends_with(expected), "{rest:?}");
        }
    });
}

#[test]
fn connections_are_capped() {
    run(async {
        for limits in [
            Limits { connections: 2, ..Limits::default() },
            Limits { connections_per_ip: Some(2), ..Limits::default() },
        ] {
            let gateway = slow(limits, 0);
            let (mut first, mut second) = (gateway.connect().await, gateway.connect().await);
            for client in [&mut first, &mut second] {
                write(client, GET).await;
                read_message(client).await;
            }
            let mut third = gateway.connect().await;
            assert_eq!(seconds_to_the_end(&mut third).await, 0);
            drop(first);
            settle().await;
            let mut fourth = gateway.connect().await;
            write(&mut fourth, GET).await;
            assert!(read_message(&mut fourth).await.ends_with("done"));
        }
    });
}

#[test]
fn at_the_cap_a_slow_head_goes_first_then_who_is_idle_and_nobody_who_is_at_work() {
    run(async {
        let gateway = Gateway::start(Limits { connections: 3, ..Limits::default() }, |request| async move {
            if request.uri().path() == "/slow" {
                sleep(Duration::from_secs(30)).await;
            }
            Answer::new(Reply::whole("done"))
        });
        let (mut idle, mut part, mut serving) =
            (gateway.connect().await, gateway.connect().await, gateway.connect().await);
        write(&mut idle, GET).await;
        read_message(&mut idle).await;
        write(&mut part, "GET / HT").await;
        write(&mut serving, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
        // For a moment all of them may be well.
        let mut early = gateway.connect().await;
        assert_eq!(seconds_to_the_end(&mut early).await, 0);
        sleep(Duration::from_secs(4)).await;
        let mut others = Vec::new();
        for closed in [&mut part, &mut idle] {
            let mut other = gateway.connect().await;
            write(&mut other, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
            assert_eq!(seconds_to_the_end(closed).await, 0);
            others.push(other);
        }
        let mut last = gateway.connect().await;
        assert_eq!(seconds_to_the_end(&mut last).await, 0, "all are at work");
        for client in others.iter_mut().chain([&mut serving]) {
            assert!(read_message(client).await.ends_with("done"));
        }
        assert_eq!(gateway.permits.open(), 3);
    });
}

#[test]
fn at_the_cap_each_of_those_that_come_together_is_given_the_place_of_one_that_is_idle() {
    run(async {
        let gateway = slow(Limits { connections: 3, ..Limits::default() }, 0);
        let mut idle = Vec::new();
        for _ in 0..3 {
            let mut client = gateway.connect().await;
            write(&mut client, GET).await;
            read_message(&mut client).await;
            idle.push(client);
        }
        sleep(Duration::from_secs(4)).await;
        let mut others = Vec::new();
        for _ in 0..3 {
            // The kernel takes them all before any is looked at.
            let other = std::net::TcpStream::connect(gateway.address).unwrap();
            other.set_nonblocking(true).and_then(|()| other.set_nodelay(true)).unwrap();
            others.push(tokio::net::TcpStream::from_std(other).unwrap());
        }
        for client in &mut others {
            write(client, GET).await;
            assert!(read_message(client).await.ends_with("done"));
        }
        assert_eq!(gateway.permits.open(), 3);
    });
}

#[test]
fn a_drain_answers_what_is_in_flight_and_closes_the_rest() {
    run(async {
        let gateway = slow(Limits::default(), 30);
        // A connection that was served by another request before: its next head is on the way.
        let mut second = gateway.connect().await;
        write(&mut second, GET).await;
        read_message(&mut second).await;
        write(&mut second, "GET / HT").await;
        let mut serving = gateway.connect().await;
        write(&mut serving, GET).await;
        let mut part = gateway.connect().await;
        write(&mut part, "GET / HTTP/1.1\r\nHost").await;
        let mut fresh = gateway.connect().await;
        settle().await;
        // Connected as far as the kernel says, not accepted yet.
        let queued = std::net::TcpStream::connect(gateway.address).unwrap();
        queued.set_nonblocking(true).unwrap();
        let mut queued = tokio::net::TcpStream::from_std(queued).unwrap();
        gateway.ask_to_drain();
        let address = gateway.address;
        settle().await;
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
        write(&mut queued, GET).await;
        // Longer than a silent connection is left.
        sleep(Duration::from_secs(5)).await;
        write(&mut part, ": x\r\n\r\n").await;
        write(&mut second, "TP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(seconds_to_the_end(&mut fresh).await, 0);
        for client in [&mut serving, &mut part, &mut second, &mut queued] {
            let answer = read_to_end(client).await;
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer:?}");
            assert!(answer.contains("connection: close"), "{answer:?}");
        }
        assert_eq!(gateway.drained().await, Drained { cut: 0 });
    });
}

#[test]
fn a_drain_ends_with_its_grace_period() {
    run(async {
        let gateway = slow(Limits { grace: Duration::from_secs(20), ..Limits::default() }, 3600);
        let mut serving = gateway.connect().await;
        write(&mut serving, GET).await;
        let start = Instant::now();
        gateway.ask_to_drain();
        assert_eq!(gateway.drained().await, Drained { cut: 1 });
        // And a second for last words, of which a request without an answer has none.
        assert_eq!(start.elapsed().as_secs(), 21);
        assert_eq!(read_to_end(&mut serving).await, "");
    });
}

#[test]
fn an_idle_connection_is_closed_at_a_drain() {
    run(async {
        let gateway = slow(Limits::default(), 0);
        let mut client = gateway.connect().await;
        write(&mut client, GET).await;
        read_message(&mut client).await;
        gateway.ask_to_drain();
        assert_eq!(seconds_to_the_end(&mut client).await, 0);
        assert_eq!(gateway.drained().await, Drained { cut: 0 });
    });
}
