//! What does the client get of a provider's answer, and who hears when either side goes away?

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use firstright_gateway::listen::Limits;
use firstright_gateway::relay::{Cut, Gate, Passing, Reply, Verdict};
use firstright_gateway::upstream::{Budgets, Client, PoolLimits, RequestHead, Target};
use hyper::Response;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::peers::{Gateway, Provider, read_to_end, run, settle, write};

type Hook = Box<dyn FnMut(Passing<'_>) -> Verdict>;

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A provider's and a client's end of one relayed answer, and what the hook was told.
struct Relayed {
    provider: TcpStream,
    client: TcpStream,
    told: Rc<RefCell<Vec<String>>>,
    upstream: Client,
}

/// Relays one answer with `hook` deciding.
async fn relay(hook: impl FnMut(Passing<'_>) -> Verdict + 'static) -> Relayed {
    let provider = Provider::start().await;
    let target = Target::plain("127.0.0.1", provider.address.port()).unwrap();
    let told = Rc::<RefCell<Vec<String>>>::default();
    let noting = told.clone();
    let mut hook = hook;
    let hook: Hook = Box::new(move |passing| {
        let note = match &passing {
            Passing::Chunk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Passing::End(_) => "END".to_owned(),
            Passing::Broken(error, _) => format!("BROKEN {error:?}"),
            Passing::Closing(_) => "CLOSING".to_owned(),
            Passing::Abandoned => "ABANDONED".to_owned(),
        };
        noting.borrow_mut().push(note);
        hook(passing)
    });
    let hook = RefCell::new(Some(hook));
    let upstream = Client::new(PoolLimits::default());
    let sending = upstream.clone();
    let gateway = Gateway::start(Limits::default(), move |_| {
        let (target, hook, sending) = (target.clone(), hook.borrow_mut().take().unwrap(), sending.clone());
        async move {
            let head = RequestHead::new("GET", &target, "/").unwrap();
            let answer = sending.send(&target, head, vec![], &Budgets::default()).await.unwrap();
            Response::new(Reply::relay(answer.body, hook))
        }
    });
    let mut client = gateway.connect().await;
    write(&mut client, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let mut provider = provider.accept().await;
    write(&mut provider, CHUNKED).await;
    // The listener must outlive the test's end of it.
    std::mem::forget(gateway);
    Relayed { provider, client, told, upstream }
}

/// What stands in a chunked answer, and whether its end is proper.
async fn content(client: &mut TcpStream) -> (String, bool) {
    let text = read_to_end(client).await;
    let (_, mut rest) = text.split_once("\r\n\r\n").unwrap();
    let mut content = String::new();
    while let Some((size, tail)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (content, true);
        }
        content.push_str(&tail[..size]);
        rest = &tail[size + 2..];
    }
    (content, false)
}

fn release(passing: Passing<'_>) -> Verdict {
    match passing {
        Passing::Broken(_, bytes) => {
            *bytes = Bytes::from_static(b"data: {\"error\":1}\n\n");
            Verdict::Release
        }
        _ => Verdict::Release,
    }
}

fn gate_of(seconds: u64, result: Result<(), Cut>) -> Gate {
    Box::pin(async move {
        sleep(Duration::from_secs(seconds)).await;
        result
    })
}

#[test]
fn an_answer_passes_and_its_connection_is_kept() {
    run(async {
        let mut relayed = relay(release).await;
        write(&mut relayed.provider, "2\r\na,\r\n2\r\nb,\r\n").await;
        write(&mut relayed.provider, "1\r\nc\r\n0\r\n\r\n").await;
        assert_eq!(content(&mut relayed.client).await, ("a,b,c".to_owned(), true));
        assert_eq!(*relayed.told.borrow(), ["a,b,", "c", "END"]);
        assert_eq!(relayed.upstream.idle(), 1);
    });
}

#[test]
fn the_hook_may_replace_withhold_and_add() {
    run(async {
        let mut held = Bytes::new();
        let mut relayed = relay(move |passing| {
            match passing {
                Passing::Chunk(bytes) if bytes.starts_with(b"secret") => {
                    *bytes = Bytes::from_static(b"[redacted]")
                }
                Passing::Chunk(bytes) if bytes.starts_with(b"last") => held = std::mem::take(bytes),
                Passing::End(bytes) => *bytes = std::mem::take(&mut held),
                _ => {}
            }
            Verdict::Release
        })
        .await;
        write(&mut relayed.provider, "6\r\nsecret\r\n").await;
        write(&mut relayed.provider, "4\r\nlast\r\n").await;
        write(&mut relayed.provider, "5\r\n then\r\n").await;
        write(&mut relayed.provider, "0\r\n\r\n").await;
        assert_eq!(content(&mut relayed.client).await, ("[redacted] thenlast".to_owned(), true));
    });
}

#[test]
fn the_last_bytes_wait_for_their_gate() {
    run(async {
        let mut relayed = relay(|passing| match passing {
            Passing::End(bytes) => {
                *bytes = Bytes::from_static(b"[DONE]");
                Verdict::ReleaseAfter(gate_of(7, Ok(())))
            }
            _ => Verdict::Release,
        })
        .await;
        let start = Instant::now();
        write(&mut relayed.provider, "1\r\na\r\n0\r\n\r\n").await;
        assert_eq!(content(&mut relayed.client).await, ("a[DONE]".to_owned(), true));
        assert_eq!(start.elapsed().as_secs(), 7);
        assert_eq!(*relayed.told.borrow(), ["a", "END"], "nobody was abandoned");
    });
}

#[test]
fn a_gate_that_fails_cuts_the_answer() {
    run(async {
        let mut relayed = relay(|passing| match passing {
            Passing::Chunk(_) => Verdict::Release,
            _ => Verdict::ReleaseAfter(gate_of(1, Err(Cut))),
        })
        .await;
        write(&mut relayed.provider, "1\r\na\r\n").await;
        write(&mut relayed.provider, "0\r\n\r\n").await;
        assert_eq!(content(&mut relayed.client).await, ("a".to_owned(), false));
    });
}

#[test]
fn the_hook_may_finish_or_cut() {
    run(async {
        for (seconds, is_proper) in [(None, true), (Some(3), true), (None, false)] {
            let mut relayed = relay(move |passing| match passing {
                Passing::Chunk(bytes) if bytes.starts_with(b"b") => {
                    *bytes = Bytes::from_static(b"over budget");
                    match seconds {
                        _ if !is_proper => Verdict::Cut,
                        Some(seconds) => Verdict::FinishAfter(gate_of(seconds, Ok(()))),
                        None => Verdict::Finish,
                    }
                }
                _ => Verdict::Release,
            })
            .await;
            write(&mut relayed.provider, "1\r\na\r\n").await;
            write(&mut relayed.provider, "1\r\nb\r\n").await;
            let expected = if is_proper { "aover budget" } else { "a" };
            assert_eq!(content(&mut relayed.client).await, (expected.to_owned(), is_proper));
            assert_eq!(
                read_to_end(&mut relayed.provider).await.matches("GET").count(),
                1,
                "the provider was told to stop"
            );
            assert_eq!(*relayed.told.borrow(), ["a", "b"]);
        }
    });
}

#[test]
fn a_provider_that_dies_leaves_an_error_in_the_stream() {
    run(async {
        let mut relayed = relay(release).await;
        write(&mut relayed.provider, "1\r\na\r\n").await;
        drop(relayed.provider);
        assert_eq!(content(&mut relayed.client).await, ("adata: {\"error\":1}\n\n".to_owned(), true));
        let told = relayed.told.borrow();
        assert_eq!(told.len(), 2);
        assert!(told[1].starts_with("BROKEN"), "{told:?}");
    });
}

#[test]
fn a_client_that_goes_away_ends_the_provider_too() {
    run(async {
        let mut relayed = relay(release).await;
        write(&mut relayed.provider, "1\r\na\r\n").await;
        drop(relayed.client);
        settle().await;
        assert_eq!(*relayed.told.borrow(), ["a", "ABANDONED"]);
        assert!(read_to_end(&mut relayed.provider).await.starts_with("GET / "));
        assert_eq!(relayed.upstream.idle(), 0);
    });
}

#[test]
fn a_client_that_takes_nothing_stops_the_reading() {
    run(async {
        let mut relayed = relay(release).await;
        let event = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
        let mut written = 0_usize;
        // Both sockets' buffers and one read fill up; then the provider has to wait.
        while let Ok(result) = tokio::time::timeout(
            Duration::from_secs(1),
            tokio::io::AsyncWriteExt::write_all(&mut relayed.provider, event.as_bytes()),
        )
        .await
        {
            result.unwrap();
            written += 1;
            assert!(written < 4000, "128 MB were read for a client that takes nothing");
        }
        let relayed_bytes: usize = relayed.told.borrow().iter().map(String::len).sum();
        assert!(relayed_bytes < 16 << 20, "{relayed_bytes}");
    });
}
