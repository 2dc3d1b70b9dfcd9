//! What becomes of a request to a provider, good or hostile?

use std::time::Duration;

use bytes::Bytes;
use firstright_gateway::upstream::{
    BadHead, BadResponse, BodyError, Budgets, Client, PoolLimits, RequestHead, Response, SendError,
    SendErrorKind, Target,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

use crate::peers::{Provider, read_message, read_to_end, run, settle, write};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn target(provider: &Provider) -> Target {
    Target::plain("127.0.0.1", provider.address.port()).unwrap()
}

async fn post(client: &Client, target: &Target, body: Vec<Bytes>) -> Result<Response, SendError> {
    let mut head = RequestHead::new("POST", target, "/v1/x?y=z").unwrap();
    head.header("authorization", b"Bearer secret").unwrap();
    client.send(target, head, body, &Budgets::default()).await
}

/// The outcome of one request whose answer is `wire` followed by the connection's end.
async fn answered_with(wire: &str) -> Result<Result<Bytes, BodyError>, SendError> {
    let provider = Provider::start().await;
    let wire = wire.to_owned();
    let (client, target) = (Client::new(PoolLimits::default()), target(&provider));
    let serving = tokio::task::spawn_local(async move {
        let mut stream = provider.accept().await;
        read_message(&mut stream).await;
        stream.write_all(wire.as_bytes()).await.unwrap();
    });
    let result = match post(&client, &target, vec![Bytes::from_static(b"{}")]).await {
        Ok(mut response) => Ok(response.body.read_whole(1000).await),
        Err(error) => Err(error),
    };
    serving.await.unwrap();
    // An answer that was read whole and says `kept` is one whose connection may serve again.
    let is_kept = matches!(&result, Ok(Ok(bytes)) if bytes.starts_with(b"kept"));
    assert!(result.as_ref().is_ok_and(Result::is_err) || client.idle() == usize::from(is_kept));
    result
}

#[test]
fn bodies_of_every_framing() {
    run(async {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let table = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nkept".to_owned(), Ok("kept")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(), Ok("")),
            ("HTTP/1.1 200 OK\r\n\r\nto the end".to_owned(), Ok("to the end")),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nkept".to_owned(),
                Ok("kept"),
            ),
            (format!("{chunked}4\r\nkept\r\n3\r\n it\r\n0\r\nx: 1\r\n\r\n"), Ok("kept it")),
            // Bytes that nobody asked for: this connection is not used again.
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nplusHTTP/1.1 200 OK\r\n\r\n".to_owned(),
                Ok("plus"),
            ),
            (format!("{chunked}4\r\nplus\r\n0\r\n\r\nmore"), Ok("plus")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort".to_owned(), Err(BodyError::Truncated)),
            (format!("{chunked}5\r\nshort\r\n"), Err(BodyError::Truncated)),
            (format!("{chunked}5\r\nsh"), Err(BodyError::Truncated)),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n".to_owned() + &"x".repeat(2000),
                Err(BodyError::TooLarge(1000)),
            ),
        ];
        for (wire, expected) in table {
            let got = answered_with(&wire).await.unwrap();
            assert_eq!(got, expected.map(|text: &str| Bytes::copy_from_slice(text.as_bytes())), "{wire:?}");
        }
        for wire in [format!("{chunked}zz\r\n"), format!("{chunked}2\r\nok\r\nzz")] {
            assert!(matches!(answered_with(&wire).await.unwrap(), Err(BodyError::Chunked(_))), "{wire:?}");
        }
    });
}

#[test]
fn answers_without_a_good_head() {
    run(async {
        let table = [
            ("", SendErrorKind::ClosedBeforeHead),
            ("HTTP/1.1 200 OK\r\nConte", SendErrorKind::ClosedBeforeHead),
            ("220 smtp ready\r\n\r\n", SendErrorKind::BadHead(BadResponse::Grammar)),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n", SendErrorKind::BadHead(BadResponse::Status)),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                SendErrorKind::BadHead(BadResponse::LengthAndCoding),
            ),
        ];
        for (wire, kind) in table {
            let error = answered_with(wire).await.unwrap_err();
            assert_eq!((error.kind, error.sent), (kind, true), "{wire:?}");
        }
    });
}

#[test]
fn the_request_on_the_wire() {
    run(async {
        let provider = Provider::start().await;
        let (client, target) = (Client::new(PoolLimits::default()), target(&provider));
        let body = vec![Bytes::from_static(b"{\"a\""), Bytes::new(), Bytes::from_static(b":1}")];
        let (sent, got) = tokio::join!(post(&client, &target, body), async {
            let mut stream = provider.accept().await;
            let got = read_message(&mut stream).await;
            write(&mut stream, OK).await;
            got
        });
        assert_eq!(sent.unwrap().body.read_whole(9).await.unwrap(), "ok");
        let port = provider.address.port();
        let expected = format!(
            "POST /v1/x?y=z HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer secret\r\ncontent-length: 7\r\n\r\n{{\"a\":1}}"
        );
        assert_eq!(got, expected);
    });
}

#[test]
fn a_large_body_in_many_pieces_arrives_whole() {
    run(async {
        let provider = Provider::start().await;
        let (client, target) = (Client::new(PoolLimits::default()), target(&provider));
        let pieces: Vec<Bytes> = (0..100_u32).map(|index| Bytes::from(vec![index as u8; 50_000])).collect();
        let expected = pieces.concat();
        let (sent, got) = tokio::join!(post(&client, &target, pieces), async {
            let mut stream = provider.accept().await;
            let got = read_message(&mut stream).await;
            write(&mut stream, OK).await;
            got.into_bytes()
        });
        sent.unwrap();
        let body = String::from_utf8_lossy(&expected).into_owned();
        assert!(got.ends_with(body.as_bytes()));
    });
}

#[test]
fn an_early_answer_is_taken_and_its_connection_is_not_kept() {
    run(async {
        let provider = Provider::start().await;
        let (client, target) = (Client::new(PoolLimits::default()), target(&provider));
        let (sent, _stream) =
            tokio::join!(post(&client, &target, vec![Bytes::from(vec![0; 32 << 20])]), async {
                let mut stream = provider.accept().await;
                let mut some = [0; 100];
                stream.read_exact(&mut some).await.unwrap();
                stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
                stream
            });
        let mut response = sent.unwrap();
        assert_eq!(response.status, 413);
        assert_eq!(response.body.read_whole(9).await.unwrap(), "no");
        assert_eq!(client.idle(), 0);
    });
}

#[test]
fn connections_are_used_again_until_they_are_old() {
    run(async {
        let provider = Provider::start().await;
        let limits = PoolLimits { idle_per_target: 1, idle_timeout: Duration::from_secs(50) };
        let (client, target) = (Client::new(limits), target(&provider));
        let other = Target::plain("127.0.0.1", provider.address.port()).unwrap();
        tokio::task::spawn_local(async move {
            loop {
                let mut stream = provider.accept().await;
                tokio::task::spawn_local(async move {
                    while !read_message(&mut stream).await.is_empty() {
                        write(&mut stream, OK).await;
                    }
                });
            }
        });
        let reused = async |target| post(&client, target, vec![]).await.unwrap().reused;
        assert!(!reused(&target).await);
        assert!(reused(&target).await);
        // Another target never gets it, though it has the same address.
        assert!(!reused(&other).await);
        let (one, two) = tokio::join!(post(&client, &target, vec![]), post(&client, &target, vec![]));
        assert_eq!((one.unwrap().reused, two.unwrap().reused), (true, false));
        assert_eq!(client.idle(), 2, "one for each target");
        sleep(Duration::from_secs(60)).await;
        assert_eq!(client.idle(), 0);
        assert!(!reused(&target).await);
    });
}

#[test]
fn a_connection_that_was_closed_while_idle_costs_nothing() {
    run(async {
        let provider = Provider::start().await;
        let (client, target) = (Client::new(PoolLimits::default()), target(&provider));
        let serve_one = async || {
            let mut stream = provider.accept().await;
            read_message(&mut stream).await;
            write(&mut stream, OK).await;
        };
        // Seen before use: the end is already there.
        let (first, ()) = tokio::join!(post(&client, &target, vec![]), serve_one());
        drop(first);
        settle().await;
        let (second, ()) = tokio::join!(post(&client, &target, vec![]), serve_one());
        assert!(!second.unwrap().reused);
    });
}

#[test]
fn a_request_is_repeated_only_when_the_connection_was_closed_under_it() {
    run(async {
        for (wait_ms, partial, is_repeated) in
            [(0, "", true), (900, "", true), (1500, "", false), (0, "HTTP/1.1 2", false)]
        {
            let provider = Provider::start().await;
            let (client, target) = (Client::new(PoolLimits::default()), target(&provider));
            let serving = tokio::task::spawn_local(async move {
                let mut stream = provider.accept().await;
                read_message(&mut stream).await;
                write(&mut stream, OK).await;
                // The second request is read, and the connection ended without a whole head.
                read_message(&mut stream).await;
                sleep(Duration::from_millis(wait_ms)).await;
                stream.write_all(partial.as_bytes()).await.unwrap();
                drop(stream);
                if is_repeated {
                    let mut stream = provider.accept().await;
                    read_message(&mut stream).await;
                    write(&mut stream, OK).await;
                }
            });
            post(&client, &target, vec![]).await.unwrap();
            let second = post(&client, &target, vec![]).await;
            match second {
                Ok(response) => assert!(is_repeated && !response.reused),
                Err(error) => {
                    assert!(!is_repeated, "{wait_ms} {partial:?}: {error}");
                    assert_eq!((error.kind, error.sent), (SendErrorKind::ClosedBeforeHead, true));
                }
            }
            serving.await.unwrap();
        }
    });
}

#[test]
fn a_fresh_connection_that_ends_is_not_tried_again() {
    run(async {
        let provider = Provider::start().await;
        let (client, target) = (Client::new(PoolLimits::default()), target(&provider));
        let (sent, ()) = tokio::join!(post(&client, &target, vec![]), async {
            let mut stream = provider.accept().await;
            read_message(&mut stream).await;
        });
        let error = sent.unwrap_err();
        assert_eq!((error.kind, error.sent), (SendErrorKind::ClosedBeforeHead, true));
        let again = tokio::time::timeout(Duration::from_secs(5), provider.accept()).await;
        assert!(again.is_err(), "the request was sent twice");
    });
}

#[test]
fn nothing_is_sent_when_nobody_listens() {
    run(async {
        let provider = Provider::start().await;
        let target = target(&provider);
        drop(provider);
        let error = post(&Client::new(PoolLimits::default()), &target, vec![]).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (SendErrorKind::Connect, false));
        assert!(error.to_string().starts_with("connect to the provider: "));
    });
}

#[test]
fn budgets_for_the_head_and_for_each_gap() {
    run(async {
        let budgets =
            Budgets { head: Duration::from_secs(20), gap: Duration::from_secs(30), ..Budgets::default() };
        let provider = Provider::start().await;
        let (client, target) = (Client::new(PoolLimits::default()), target(&provider));
        let get = || client.send(&target, RequestHead::new("GET", &target, "/").unwrap(), vec![], &budgets);
        let start = Instant::now();
        let (sent, _stream) = tokio::join!(get(), provider.accept());
        let error = sent.unwrap_err();
        assert_eq!(
            (error.kind, error.sent, start.elapsed().as_secs()),
            (SendErrorKind::HeadTimeout, true, 20)
        );

        let (sent, mut stream) = tokio::join!(get(), async {
            let mut stream = provider.accept().await;
            read_message(&mut stream).await;
            sleep(Duration::from_secs(19)).await;
            write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").await;
            stream
        });
        let mut body = sent.unwrap().body;
        for _ in 0..3 {
            let (next, ()) = tokio::join!(body.next(), async {
                sleep(Duration::from_secs(29)).await;
                write(&mut stream, "abc").await;
            });
            assert_eq!(next.unwrap().unwrap(), "abc");
        }
        assert!(body.is_end());
        // The kept connection's timer does not end the next, slower exchange.
        let (sent, ()) = tokio::join!(get(), async {
            read_message(&mut stream).await;
            write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await;
        });
        let mut response = sent.unwrap();
        assert!(response.reused);
        assert_eq!(response.body.next().await.unwrap().unwrap(), "abc");
        let start = Instant::now();
        assert_eq!(response.body.next().await.unwrap().unwrap_err(), BodyError::GapTimeout);
        // The budget runs from the read, a little before `start`.
        assert_eq!(start.elapsed().as_secs_f64().round(), 30.0);
        assert!(response.body.next().await.is_none());
        assert_eq!(read_to_end(&mut stream).await, "", "the connection is closed");
    });
}

#[test]
fn what_drips_within_its_gaps_ends_with_the_budget_for_the_whole() {
    run(async {
        let (gap, total) = (Duration::from_secs(10), Duration::from_secs(30));
        let budgets = Budgets { gap, total, ..Budgets::default() };
        let provider = Provider::start().await;
        let (client, target) = (Client::new(PoolLimits::default()), target(&provider));
        let get = client.send(&target, RequestHead::new("GET", &target, "/").unwrap(), vec![], &budgets);
        let (sent, mut stream) = tokio::join!(get, async {
            let mut stream = provider.accept().await;
            read_message(&mut stream).await;
            write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n").await;
            stream
        });
        let mut body = sent.unwrap().body;
        let start = Instant::now();
        let drip = async {
            for _ in 0..5 {
                sleep(Duration::from_secs(6)).await;
                write(&mut stream, "a").await;
            }
            read_to_end(&mut stream).await
        };
        let read = async {
            loop {
                if let Err(error) = body.next().await.unwrap() {
                    break error;
                }
            }
        };
        let (error, left) = tokio::join!(read, drip);
        assert_eq!((error, left.as_str()), (BodyError::TotalTimeout, ""), "and the connection is closed");
        assert_eq!(start.elapsed().as_secs(), 30);
        assert!(body.next().await.is_none());
    });
}

#[test]
fn what_is_ready_comes_in_one_piece() {
    run(async {
        let provider = Provider::start().await;
        let (client, target) = (Client::new(PoolLimits::default()), target(&provider));
        let (sent, mut stream) = tokio::join!(post(&client, &target, vec![]), async {
            let mut stream = provider.accept().await;
            read_message(&mut stream).await;
            write(&mut stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            stream
        });
        let mut body = sent.unwrap().body;
        let events: String = (0..200).map(|index| format!("b\r\ndata: {index:03}\n\n\r\n")).collect();
        write(&mut stream, &events).await;
        let (mut all, mut pieces) = (Vec::new(), 0);
        while all.len() < 200 * 11 {
            all.extend_from_slice(&body.next().await.unwrap().unwrap());
            pieces += 1;
        }
        assert!(all.starts_with(b"data: 000\n\ndata: 001\n\n") && all.ends_with(b"data: 199\n\n"));
        // One, unless the kernel itself delivers the write in parts.
        assert!(pieces <= 3, "{pieces} pieces for 200 events that came in one write");
        write(&mut stream, "3\r\nend\r\n0\r\n\r\n").await;
        assert_eq!(body.next().await.unwrap().unwrap(), "end");
        assert!(body.is_end());
        assert_eq!(client.idle(), 1);
    });
}

#[test]
fn a_dropped_body_closes_its_connection() {
    run(async {
        let provider = Provider::start().await;
        let (client, target) = (Client::new(PoolLimits::default()), target(&provider));
        let (sent, mut stream) = tokio::join!(post(&client, &target, vec![]), async {
            let mut stream = provider.accept().await;
            read_message(&mut stream).await;
            write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await;
            stream
        });
        drop(sent.unwrap());
        assert_eq!(read_to_end(&mut stream).await, "");
        assert_eq!(client.idle(), 0);
    });
}

#[test]
fn heads_and_targets_take_only_what_is_safe() {
    let target = Target::plain("api.example", 8080).unwrap();
    for host in ["", "a b", "a/b", "u@h", "h\r\nx: y", "h:80"] {
        assert!(Target::plain(host, 80).is_err(), "{host:?}");
    }
    assert_eq!(Target::plain("::1", 80).unwrap().authority(), "[::1]");
    assert_eq!(Target::plain("::1", 81).unwrap().authority(), "[::1]:81");
    for method in ["", "GE T", "GET\r\n", "CONNECT", "HEAD"] {
        assert_eq!(RequestHead::new(method, &target, "/").unwrap_err(), BadHead::Method, "{method:?}");
    }
    for path in ["", "v1", "/a b", "/a\r\nx: y", "/ä", "http://evil/"] {
        assert_eq!(RequestHead::new("GET", &target, path).unwrap_err(), BadHead::Path, "{path:?}");
    }
    let mut head = RequestHead::new("GET", &target, "/").unwrap();
    for name in ["", "a b", "a:", "a\r\n", "Host", "content-LENGTH", "transfer-encoding", "connection"] {
        assert_eq!(head.header(name, b"v").unwrap_err(), BadHead::Name(name.to_owned()), "{name:?}");
    }
    for value in [&b"a\r\nb: c"[..], b"a\0", b"\x7f"] {
        let error = head.header("x", value).unwrap_err();
        assert_eq!(error, BadHead::Value("x".to_owned()));
    }
    head.header("authorization", b"Bearer secret").unwrap();
    assert!(!format!("{head:?}").contains("secret"));
}

/// Which answers of a resolver may be dialled is `upstream/egress`'s own test; here, that dialling asks it.
#[test]
fn a_metadata_service_is_not_dialled() {
    run(async {
        let target = Target::plain("169.254.169.254", 80).unwrap();
        for target in [target.allow_private(), target] {
            let refused = post(&Client::new(PoolLimits::default()), &target, vec![]).await.unwrap_err();
            assert_eq!((refused.kind, refused.sent), (SendErrorKind::Private, false));
        }
    });
    // What only a resolver would take for an address is none in configuration.
    for host in ["0x7f000001", "2130706433", "127.1", "0251.0376.0251.0376"] {
        assert!(Target::plain(host, 80).is_err(), "{host}");
    }
}
