//! How does a command ask the admin API? One request a connection, blocking: nothing here waits for anything else.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::access::Found;
use crate::admin::ErrorBody;

/// How long the connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take: longer than a follower is held.
const ANSWER: Duration = Duration::from_secs(60);
/// Bytes of an answer.
const MAX_ANSWER: u64 = 256 << 20;

/// An answer that is no error.
#[derive(Debug)]
pub(crate) struct Answer {
    headers: Vec<(String, String)>,
    /// Its body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header as a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.trim().parse().ok())
    }

    /// The body as what it should be.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("failed to read the answer: {error}"))
    }
}

/// Asks for something.
pub(crate) fn get(found: &Found, path: &str) -> Result<Answer, String> {
    send(found, "GET", path, &[], b"")
}

/// Says something in JSON.
pub(crate) fn post<T: Serialize>(found: &Found, path: &str, body: &T) -> Result<Answer, String> {
    let body = serde_json::to_vec(body).map_err(|error| format!("failed to write the request: {error}"))?;
    send(found, "POST", path, &[], &body)
}

/// Sends one request; an answer that is an error is one here too.
pub(crate) fn send(
    found: &Found,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, String> {
    let address = found.address;
    let (status, answer) = exchange(found, method, path, headers, body)
        .map_err(|error| format!("failed to ask the admin API at `{address}`: {error}"))?;
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    Err(match serde_json::from_slice::<ErrorBody>(&answer.body) {
        Ok(body) => body.error.message,
        Err(_) => format!("failed to ask the admin API at `{address}`: it answered {status}"),
    })
}

fn exchange(
    found: &Found,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<(u16, Answer)> {
    let mut stream = TcpStream::connect_timeout(&found.address, CONNECT)?;
    stream.set_read_timeout(Some(ANSWER))?;
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\nconnection: close\r\n",
        found.address,
        found.token.reveal(),
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes())?;
    stream.write_all(body)?;
    let mut bytes = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut bytes)?;
    parse(&bytes).ok_or_else(|| std::io::Error::other("its answer is not HTTP"))
}

/// Status, headers and body of an answer that ends with its connection.
fn parse(bytes: &[u8]) -> Option<(u16, Answer)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_string(), value.trim().to_string()))
        .collect();
    let answer = Answer { headers, body: bytes.get(end + 4..)?.to_vec() };
    let whole = answer.number("content-length").is_none_or(|length| length == answer.body.len() as u64);
    whole.then_some((status, answer))
}
