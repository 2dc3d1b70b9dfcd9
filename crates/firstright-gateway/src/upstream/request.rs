//! What does a request to a provider look like on the wire?
//!
//! Heads are built line by line from checked parts, never taken over from the client.

use super::target::Target;

/// A request head without its Content-Length, which the body decides.
#[derive(Clone)]
pub struct RequestHead {
    bytes: Vec<u8>,
    method_bytes: usize,
    target_bytes: usize,
    /// The number of the target that it was made for; it is sent to no other.
    target: u64,
}

/// Something that cannot stand in a request head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadHead {
    /// A method that is no token, or whose answers end otherwise than others do (HEAD, CONNECT).
    Method,
    /// A path that does not start with `/` or holds a space or control character.
    Path,
    /// A header name that is no token, or one that the client writes itself.
    Name(String),
    /// The value of the header with this name holds a control character. The value may be secret and is not shown.
    Value(String),
}

impl std::fmt::Display for BadHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Method => write!(f, "write the request's method"),
            Self::Path => write!(f, "write the request's path"),
            Self::Name(name) => write!(f, "write a header with the name `{}`", name.escape_debug()),
            Self::Value(name) => write!(f, "write the value of the header `{name}`"),
        }
    }
}

impl std::error::Error for BadHead {}

/// What a usual head takes; a longer one grows.
const USUAL_HEAD_BYTES: usize = 512;

impl RequestHead {
    /// Starts a head: request line and Host.
    pub fn new(method: &str, target: &Target, path: &str) -> Result<Self, BadHead> {
        if method.is_empty() || !method.bytes().all(is_token) || matches!(method, "HEAD" | "CONNECT") {
            return Err(BadHead::Method);
        }
        if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadHead::Path);
        }
        let mut head = Self {
            bytes: Vec::with_capacity(USUAL_HEAD_BYTES),
            method_bytes: method.len(),
            target_bytes: path.len(),
            target: target.id(),
        };
        for part in [method, " ", path, " HTTP/1.1\r\nhost: ", target.authority(), "\r\n"] {
            head.bytes.extend_from_slice(part.as_bytes());
        }
        Ok(head)
    }

    /// Adds a header. Host, Content-Length, Transfer-Encoding and Connection are not the caller's.
    pub fn header(&mut self, name: &str, value: &[u8]) -> Result<&mut Self, BadHead> {
        if name.is_empty() || !name.bytes().all(is_token) || is_ours(name) {
            return Err(BadHead::Name(name.to_owned()));
        }
        if !value.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f)) {
            return Err(BadHead::Value(name.to_owned()));
        }
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            self.bytes.extend_from_slice(part);
        }
        Ok(self)
    }

    /// Asks for a socket. Source: RFC 6455, section 4.1.
    pub(super) fn upgrade(&mut self, key: &str) {
        for part in [
            "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ",
            key,
            "\r\n",
        ] {
            self.bytes.extend_from_slice(part.as_bytes());
        }
    }

    /// The method.
    pub fn method(&self) -> &str {
        self.text(0, self.method_bytes)
    }

    /// Path and query.
    pub fn target(&self) -> &str {
        self.text(self.method_bytes + 1, self.target_bytes)
    }

    /// The first header of this name, if its value is text; the name in any case.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut lines = self.bytes.split(|byte| *byte == b'\n').skip(1);
        let line = lines.find(|line| {
            line.get(name.len()) == Some(&b':')
                && line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
        })?;
        std::str::from_utf8(line.get(name.len() + 1..)?).ok().map(str::trim)
    }

    /// Whether it was made for this target, or a clone of it.
    pub fn is_for(&self, target: &Target) -> bool {
        self.target == target.id()
    }

    fn text(&self, from: usize, bytes: usize) -> &str {
        // INVARIANT: the method is a token and the path graphic ASCII.
        self.bytes.get(from..from + bytes).and_then(|part| std::str::from_utf8(part).ok()).unwrap_or_default()
    }

    /// Ends the head for a body of so many bytes.
    pub(super) fn finish(mut self, body_bytes: usize) -> Vec<u8> {
        // A GET without a body says nothing of one; every other method says 0.
        if body_bytes > 0 || !self.bytes.starts_with(b"GET ") {
            use std::io::Write;
            // Writing to memory does not fail.
            let _ = write!(self.bytes, "content-length: {body_bytes}\r\n");
        }
        self.bytes.extend_from_slice(b"\r\n");
        self.bytes
    }
}

/// A head holds the provider's credential.
impl std::fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestHead").field("bytes", &self.bytes.len()).finish()
    }
}

fn is_ours(name: &str) -> bool {
    ["host", "content-length", "transfer-encoding", "connection"]
        .iter()
        .any(|ours| name.eq_ignore_ascii_case(ours))
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
