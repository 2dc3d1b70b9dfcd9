//! Could another HTTP party read this request differently?
//!
//! hyper parses the request; this reads the same bytes along and objects to what hyper lets pass, part of which can
//! no longer be seen in a parsed request: bare LF, a length beside a coding, repeated lengths, a missing, repeated or
//! ungrammatical Host, an absolute target, names with `_` (which some servers take for `-`).
//! Source: RFC 9112 sections 2.2, 3.2 and 6.3.

#[cfg(test)]
mod tests;

use crate::chunked::{Chunked, Run};
use crate::length::length;

/// Envoy's and nginx's order of magnitude; hyper's own bound is its buffer.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Why a request is refused before anybody looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objection {
    /// A line that ends in LF without CR.
    BareLf,
    /// A header line that continues the one before it.
    Folded,
    /// The target does not start with `/`.
    Target,
    /// No Host, or more than one.
    HostCount,
    /// A Host that is not a name or an address with an optional port.
    HostGrammar,
    /// More than one Content-Length, or one that is not a number.
    Length,
    /// More than one Transfer-Encoding, or one other than `chunked`.
    Coding,
    /// Content-Length and Transfer-Encoding together.
    LengthAndCoding,
    /// A header name with `_`.
    Underscore,
    /// A head that is too long.
    HeadTooLong,
    /// A body that is not what its coding says.
    Chunks,
}

impl Objection {
    /// For the client.
    pub fn text(self) -> &'static str {
        match self {
            Self::BareLf => "a line of the request ends without CR LF",
            Self::Folded => "a header is folded over several lines",
            Self::Target => "the request target is not a path",
            Self::HostCount => "there must be exactly one Host header",
            Self::HostGrammar => "the Host header is not a host with an optional port",
            Self::Length => "the Content-Length is repeated or not a number",
            Self::Coding => "the Transfer-Encoding is repeated or not chunked",
            Self::LengthAndCoding => "Content-Length and Transfer-Encoding exclude each other",
            Self::Underscore => "a header name contains an underscore",
            Self::HeadTooLong => "the request head is too long",
            Self::Chunks => "the chunked body is malformed",
        }
    }
}

#[derive(Debug)]
enum At {
    Head,
    /// Bytes of the body still to come.
    Fixed(u64),
    Chunked(Chunked),
}

/// Follows one connection's requests.
#[derive(Debug)]
pub(super) struct Scan {
    at: At,
    head: Head,
    /// The start of a line whose end has not come.
    partial: Vec<u8>,
    heads: u64,
}

/// What the head says so far.
#[derive(Debug, Default)]
struct Head {
    bytes: usize,
    has_request_line: bool,
    hosts: u8,
    length: Option<u64>,
    is_chunked: bool,
}

impl Default for Scan {
    fn default() -> Self {
        Self { at: At::Head, head: Head::default(), partial: Vec::new(), heads: 0 }
    }
}

impl Scan {
    /// Heads that ended before now: the ordinal of the request that is being followed.
    pub(super) fn heads(&self) -> u64 {
        match self.at {
            At::Head => self.heads,
            // The body belongs to the head before it.
            At::Fixed(_) | At::Chunked(_) => self.heads.saturating_sub(1),
        }
    }

    pub(super) fn is_in_body(&self) -> bool {
        !matches!(self.at, At::Head)
    }

    pub(super) fn is_mid_head(&self) -> bool {
        matches!(self.at, At::Head) && (self.head.bytes > 0 || !self.partial.is_empty())
    }

    /// Reads on. After an objection the connection's framing is unknown and this must not be called again.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> Result<(), Objection> {
        while !bytes.is_empty() {
            match &mut self.at {
                At::Head => bytes = self.follow_head(bytes)?,
                At::Fixed(left) => {
                    let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= take as u64;
                    if *left == 0 {
                        self.at = At::Head;
                    }
                    bytes = &bytes[take..];
                }
                At::Chunked(chunked) => {
                    let mut from = 0;
                    let end = loop {
                        match chunked.next_run(bytes, &mut from).map_err(|_| Objection::Chunks)? {
                            Run::Data(_) => {}
                            Run::More => break false,
                            Run::End => break true,
                        }
                    };
                    if end {
                        self.at = At::Head;
                    }
                    bytes = &bytes[from..];
                }
            }
        }
        Ok(())
    }

    /// Takes lines up to the head's end; gives what lies behind it.
    fn follow_head<'a>(&mut self, mut bytes: &'a [u8]) -> Result<&'a [u8], Objection> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end + 1);
            bytes = rest;
            let is_end = if self.partial.is_empty() {
                self.head.line(line)?
            } else {
                self.partial.extend_from_slice(line);
                let line = std::mem::take(&mut self.partial);
                self.head.line(&line)?
            };
            if is_end {
                let head = std::mem::take(&mut self.head);
                self.at = head.framing()?;
                self.heads += 1;
                return Ok(bytes);
            }
        }
        if self.head.bytes + self.partial.len() + bytes.len() > HEAD_BYTES_MAX {
            return Err(Objection::HeadTooLong);
        }
        self.partial.extend_from_slice(bytes);
        Ok(&[])
    }
}

impl Head {
    /// Takes one line with its end; true when it ends the head.
    fn line(&mut self, line: &[u8]) -> Result<bool, Objection> {
        self.bytes += line.len();
        if self.bytes > HEAD_BYTES_MAX {
            return Err(Objection::HeadTooLong);
        }
        let Some(line) = line.strip_suffix(b"\r\n") else { return Err(Objection::BareLf) };
        match line.first() {
            // RFC 9112 section 2.2: empty lines before a request line are passed over.
            None => Ok(self.has_request_line),
            Some(_) if !self.has_request_line => {
                self.has_request_line = true;
                self.request_line(line).map(|()| false)
            }
            Some(b' ' | b'\t') => Err(Objection::Folded),
            Some(_) => self.header(line).map(|()| false),
        }
    }

    fn request_line(&mut self, line: &[u8]) -> Result<(), Objection> {
        let mut words = line.split(|byte| *byte == b' ');
        let (method, target) = (words.next(), words.next());
        match target {
            Some([b'/', ..]) => Ok(()),
            Some(b"*") if method == Some(b"OPTIONS") => Ok(()),
            _ => Err(Objection::Target),
        }
    }

    fn header(&mut self, line: &[u8]) -> Result<(), Objection> {
        // A line without a colon is hyper's to refuse.
        let Some(colon) = memchr::memchr(b':', line) else { return Ok(()) };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                self.hosts = self.hosts.saturating_add(1);
                if !is_host(value) {
                    return Err(Objection::HostGrammar);
                }
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    return Err(Objection::Length);
                }
                self.length = Some(length(value).ok_or(Objection::Length)?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.is_chunked || value != b"chunked" {
                    return Err(Objection::Coding);
                }
                self.is_chunked = true;
            }
            _ if memchr::memchr(b'_', name).is_some() => return Err(Objection::Underscore),
            _ => {}
        }
        Ok(())
    }

    fn framing(self) -> Result<At, Objection> {
        if self.hosts != 1 {
            return Err(Objection::HostCount);
        }
        match (self.length, self.is_chunked) {
            (Some(_), true) => Err(Objection::LengthAndCoding),
            (None, true) => Ok(At::Chunked(Chunked::new())),
            (None | Some(0), false) => Ok(At::Head),
            (Some(length), false) => Ok(At::Fixed(length)),
        }
    }
}

/// A registered name without escapes, an IPv4 address, or a bracketed IPv6 address, with an optional port.
fn is_host(value: &[u8]) -> bool {
    let (host, port) = match value.strip_prefix(b"[") {
        Some(rest) => {
            let Some(end) = memchr::memchr(b']', rest) else { return false };
            let (address, port) = (&rest[..end], &rest[end + 1..]);
            let is_v6 =
                std::str::from_utf8(address).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
            if !is_v6 {
                return false;
            }
            match port {
                [] => return true,
                [b':', port @ ..] => (address, Some(port)),
                _ => return false,
            }
        }
        None => match memchr::memchr(b':', value) {
            Some(colon) => (&value[..colon], Some(&value[colon + 1..])),
            None => (value, None),
        },
    };
    let is_port = |port: &[u8]| (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit);
    let is_name =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':');
    // The colon is only reached inside brackets: elsewhere it splits off the port.
    !host.is_empty() && host.iter().all(is_name) && port.is_none_or(is_port)
}
