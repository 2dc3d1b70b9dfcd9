//! Which malformed requests reach a handler? None: each is answered with 400 (or 414, or 431) and a closed connection.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use firstright_gateway::listen::{BodyLimits, Limits, read_whole};
use firstright_gateway::relay::{Passing, Reply, Verdict};
use hyper::Response;

use crate::peers::{Gateway, read_message, read_to_end, run, write};

type Answer = Response<Reply<fn(Passing<'_>) -> Verdict>>;

/// Sends `wire` to a listener; gives the answer up to the connection's end and the requests that were served whole.
async fn send(wire: &str) -> (String, Vec<String>) {
    let seen = Rc::<RefCell<Vec<String>>>::default();
    let noted = seen.clone();
    let gateway = Gateway::start(Limits::default(), move |request| {
        let noted = noted.clone();
        async move {
            let path = request.uri().path().to_owned();
            match read_whole(request.into_body(), BodyLimits::default()).await {
                Ok(body) => noted.borrow_mut().push(format!("{path} {}", String::from_utf8_lossy(&body))),
                Err(error) => {
                    let mut answer: Answer = Response::new(Reply::whole(error.to_string()));
                    *answer.status_mut() = http::StatusCode::BAD_REQUEST;
                    return answer;
                }
            }
            Response::new(Reply::whole(Bytes::from_static(b"served")))
        }
    });
    let mut client = gateway.connect().await;
    write(&mut client, wire).await;
    let answer = read_to_end(&mut client).await;
    let seen = seen.borrow().clone();
    (answer, seen)
}

const HOST: &str = "Host: x\r\n";

fn post(rest: &str) -> String {
    format!("POST /a HTTP/1.1\r\n{HOST}{rest}")
}

fn chunked(body: &str) -> String {
    post(&format!("Transfer-Encoding: chunked\r\n\r\n{body}"))
}

fn get(rest: &str) -> String {
    format!("GET /a HTTP/1.1\r\n{rest}\r\n")
}

fn with_a_bad_end() -> Vec<String> {
    vec![
        // The length and the coding.
        post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        post("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n"),
        post("Content-Length: 1\r\nContent-Length: 1\r\n\r\na"),
        post("Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        post("Content-Length: 1, 1\r\n\r\na"),
        post("Content-Length: +1\r\n\r\na"),
        post("Content-Length: -1\r\n\r\na"),
        post("Content-Length: 0x1\r\n\r\na"),
        post("Content-Length: 1 1\r\n\r\na"),
        post("Content-Length:\r\n\r\na"),
        post("Content-Length: 99999999999999999999\r\n\r\na"),
        post("Content-Length : 1\r\n\r\na"),
        post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        post("Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        post("Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"),
        post("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        post("Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
        post("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        post("Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
        post("Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n"),
        post("Transfer-Encoding: identity\r\n\r\n"),
        post("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        post("Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
        post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
        post("Content-Length: 1;a=b\r\n\r\na"),
        post("Content-Length: \"1\"\r\n\r\na"),
        post("Content-Length: 1.0\r\n\r\na"),
        post("Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
        post("Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
        format!("POST /a HTTP/1.0\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        // The chunks.
        chunked("1\nx\r\n0\r\n\r\n"),
        chunked("1\r\nxy\r\n0\r\n\r\n"),
        chunked("g\r\n"),
        chunked("-1\r\n"),
        chunked("0x1\r\nx\r\n0\r\n\r\n"),
        chunked("1 \r\nx\r\n0\r\n\r\n"),
        chunked("1\r\nx\n0\r\n\r\n"),
        chunked("1;a\nb\r\nx\r\n0\r\n\r\n"),
        chunked("0\r\nx: 1\n\r\n"),
        chunked("ffffffffffffffff1\r\nx\r\n0\r\n\r\n"),
        chunked("\r\n0\r\n\r\n"),
    ]
}

fn with_a_bad_host_or_target() -> Vec<String> {
    vec![
        // The Host.
        get(""),
        get("Host: x\r\nHost: x\r\n"),
        get("Host: x\r\nHost: y\r\n"),
        get("Host:\r\n"),
        get("Host: a/admin?x=#y\r\n"),
        get("Host: u@x\r\n"),
        get("Host: a b\r\n"),
        get("Host: a,b\r\n"),
        get("Host: x:port\r\n"),
        get("Host: x:\r\n"),
        get("Host: [::1\r\n"),
        get("Host: http://x\r\n"),
        get("Host: x%2fadmin\r\n"),
        get("Host: x\\y\r\n"),
        // The target.
        format!("GET http://y/a HTTP/1.1\r\n{HOST}\r\n"),
        format!("GET http://x/a HTTP/1.1\r\n{HOST}\r\n"),
        format!("GET a HTTP/1.1\r\n{HOST}\r\n"),
        format!("GET * HTTP/1.1\r\n{HOST}\r\n"),
        format!("GET  /a HTTP/1.1\r\n{HOST}\r\n"),
        format!("GET /a b HTTP/1.1\r\n{HOST}\r\n"),
        format!("CONNECT x:443 HTTP/1.1\r\n{HOST}\r\n"),
        format!("GET x:80 HTTP/1.1\r\n{HOST}\r\n"),
    ]
}

fn with_a_bad_line() -> Vec<String> {
    let long_header = format!("a: {}\r\n", "b".repeat(70_000));
    let long_for_us = format!("a: {}\r\n", "b".repeat(40_000));
    let many = "a: b\r\n".repeat(101);
    vec![
        // Names, values, lines.
        get("Host: x\r\nx_key: 1\r\n"),
        get("Host: x\r\nContent_Length: 1\r\n"),
        get("Host: x\r\n a: folded\r\n"),
        get("Host: x\r\na: b\r\n\tfolded\r\n"),
        get("Host: x\r\na b: c\r\n"),
        get("Host: x\r\na\0b: c\r\n"),
        get("Host: x\r\na: b\0c\r\n"),
        get("Host: x\r\na: b\rc\r\n"),
        get("Host: x\r\n: b\r\n"),
        get("Host: x\r\nnocolon\r\n"),
        get("Host: x\r\na: b\nc: d\r\n"),
        get("Host: x\n"),
        "GET /a HTTP/1.1\nHost: x\r\n\r\n".to_owned(),
        "GET /a HTTP/1.1\r\nHost: x\r\n\n".to_owned(),
        "GET /a HTTP/1.1\nHost: x\n\n".to_owned(),
        // Versions and methods.
        format!("GET /a HTTP/1.2\r\n{HOST}\r\n"),
        format!("GET /a HTTP/2.0\r\n{HOST}\r\n"),
        format!("GET /a HTTP/0.9\r\n{HOST}\r\n"),
        format!("GET /a http/1.1\r\n{HOST}\r\n"),
        "GET /a\r\n\r\n".to_owned(),
        format!("GE T /a HTTP/1.1\r\n{HOST}\r\n"),
        format!("G@\0 /a HTTP/1.1\r\n{HOST}\r\n"),
        // Size.
        get(&format!("{HOST}{long_header}")),
        get(&format!("{HOST}{long_for_us}")),
        get(&format!("{HOST}{many}")),
        format!("GET /{} HTTP/1.1\r\n{HOST}\r\n", "a".repeat(70_000)),
        // Not HTTP.
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ]
}

#[test]
fn every_malformed_request_is_refused_and_its_connection_closed() {
    let table = [with_a_bad_end(), with_a_bad_host_or_target(), with_a_bad_line()].concat();
    assert!(table.len() >= 90, "{}", table.len());
    run(async move {
        for wire in table {
            let shown = &wire[..wire.len().min(120)];
            let (answer, seen) = send(&wire).await;
            // To a connection that speaks HTTP/2 hyper says nothing: what it would say could not be read.
            let status = if wire.starts_with("PRI") && answer.is_empty() {
                "400"
            } else {
                answer.get(9..12).unwrap_or("")
            };
            assert!(["400", "414", "431"].contains(&status), "{shown:?} was answered with {answer:?}");
            assert!(answer.matches("HTTP/1.").count() <= 1, "{shown:?} was answered with {answer:?}");
            assert!(seen.is_empty(), "{shown:?} was served as {seen:?}");
        }
    });
}

#[test]
fn a_body_that_goes_wrong_while_it_is_read_is_not_served() {
    run(async {
        for bad in [
            "1 \r\nx\r\n0\r\n\r\n",
            "1\nx\r\n0\r\n\r\n",
            "1;a\nb\r\nx\r\n0\r\n\r\n",
            "0\r\nx: 1\n\r\n",
            "g\r\n",
        ] {
            let served = Rc::<RefCell<Vec<bool>>>::default();
            let noted = served.clone();
            let gateway = Gateway::start(Limits::default(), move |request| {
                let noted = noted.clone();
                async move {
                    let body = read_whole(request.into_body(), BodyLimits::default()).await;
                    noted.borrow_mut().push(body.is_ok());
                    Answer::new(Reply::whole(Bytes::from_static(b"served")))
                }
            });
            let mut client = gateway.connect().await;
            write(
                &mut client,
                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            )
            .await;
            write(&mut client, bad).await;
            read_to_end(&mut client).await;
            assert_eq!(*served.borrow(), [false], "{bad:?}");
        }
    });
}

#[test]
fn what_follows_a_malformed_request_is_not_served() {
    run(async {
        let wire = "GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc\
            GET /c HTTP/1.1\r\nHost: x\r\n\r\n";
        let (answer, seen) = send(wire).await;
        assert_eq!(seen, ["/a "]);
        let statuses: Vec<_> =
            answer.match_indices("HTTP/1.1 ").map(|(at, _)| &answer[at + 9..at + 12]).collect();
        assert_eq!(statuses, ["200", "400"]);
    });
}

#[test]
fn good_requests_are_served_however_they_are_split() {
    run(async {
        let wire = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcPOST /b HTTP/1.1\r\nhost: [::1]:80\r\n\
            Transfer-Encoding: chunked\r\n\r\n2;e=1\r\nde\r\n0\r\nt: 1\r\n\r\nGET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        for step in [1, 7, 50, wire.len()] {
            let served = Rc::<RefCell<Vec<String>>>::default();
            let noted = served.clone();
            let gateway = Gateway::start(Limits::default(), move |request| {
                let noted = noted.clone();
                async move {
                    let body = read_whole(request.into_body(), BodyLimits::default()).await.unwrap();
                    noted.borrow_mut().push(String::from_utf8_lossy(&body).into_owned());
                    Answer::new(Reply::whole(body))
                }
            });
            let mut client = gateway.connect().await;
            for piece in wire.as_bytes().chunks(step) {
                write(&mut client, std::str::from_utf8(piece).unwrap()).await;
            }
            assert!(read_message(&mut client).await.ends_with("\r\n\r\nabc"));
            assert!(read_message(&mut client).await.ends_with("\r\n\r\nde"));
            read_to_end(&mut client).await;
            assert_eq!(*served.borrow(), ["abc", "de", ""], "step {step}");
        }
    });
}
