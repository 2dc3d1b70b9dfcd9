//! What does the provider's answer say about itself, and where does its body end?
//!
//! A provider is not trusted: a head is bounded, and whatever could be read in two ways is refused.

#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::chunked::{BadChunk, Chunked};
use crate::length::length;

/// As hyper's default and Envoy's; real answers have about 20.
const HEADERS_MAX: usize = 100;
/// Head and interim heads together.
pub(super) const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Interim answers (100, 103) carry nothing for us; nobody needs many.
const INTERIM_MAX: usize = 8;

/// Why an answer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadResponse {
    /// Not HTTP/1 at all.
    Grammar,
    /// More than 100 headers or 32 KiB.
    TooLong,
    /// A status that we did not ask for (101) or that does not exist.
    Status,
    /// Content-Length repeated or no number.
    Length,
    /// A Transfer-Encoding other than one `chunked` in HTTP/1.1.
    Coding,
    /// Both of them.
    LengthAndCoding,
    /// One interim answer after the other.
    Interim,
}

impl std::fmt::Display for BadResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Grammar => "not an HTTP/1 answer",
            Self::TooLong => "head too long",
            Self::Status => "impossible status",
            Self::Length => "content-length repeated or not a number",
            Self::Coding => "transfer-encoding other than chunked",
            Self::LengthAndCoding => "content-length beside transfer-encoding",
            Self::Interim => "too many interim answers",
        })
    }
}

/// A parsed head. The headers are without those of the connection and without Content-Length.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// Whether the connection may serve again.
    pub(super) keep: bool,
    /// Bytes of the input up to the body.
    pub(super) used: usize,
}

/// How the body's end is found.
#[derive(Debug)]
pub(super) enum Framing {
    /// Bytes still to come.
    Fixed(u64),
    Chunked(Chunked),
    /// The end of the connection is the end of the body.
    Close,
}

/// What of a read belongs to the body.
#[derive(Debug)]
pub(super) struct Taken {
    /// Bytes of payload at the start of the buffer.
    pub(super) payload: usize,
    /// Whether bytes came that nobody asked for.
    pub(super) has_surplus: bool,
}

impl Framing {
    /// Finds the payload in what was read and moves it to the start of the buffer.
    pub(super) fn take(&mut self, bytes: &mut [u8]) -> Result<Taken, BadChunk> {
        match self {
            Self::Fixed(left) => {
                let payload = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= payload as u64;
                Ok(Taken { payload, has_surplus: payload < bytes.len() })
            }
            Self::Chunked(chunked) => {
                let decoded = chunked.decode(bytes)?;
                Ok(Taken { payload: decoded.payload, has_surplus: decoded.used < bytes.len() })
            }
            Self::Close => Ok(Taken { payload: bytes.len(), has_surplus: false }),
        }
    }

    pub(super) fn is_end(&self) -> bool {
        match self {
            Self::Fixed(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_end(),
            Self::Close => false,
        }
    }
}

/// Parses the head at the start of `bytes`; none when its end has not come.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Head>, BadResponse> {
    let mut from = 0;
    for _ in 0..=INTERIM_MAX {
        let mut slots = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let mut answer = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default()
            .parse_response_with_uninit_headers(&mut answer, &bytes[from..], &mut slots)
            .map_err(|error| match error {
                httparse::Error::TooManyHeaders => BadResponse::TooLong,
                _ => BadResponse::Grammar,
            })?;
        let httparse::Status::Complete(length) = parsed else {
            return if bytes.len() > HEAD_BYTES_MAX { Err(BadResponse::TooLong) } else { Ok(None) };
        };
        let used = from + length;
        if used > HEAD_BYTES_MAX {
            return Err(BadResponse::TooLong);
        }
        match answer.code {
            Some(100 | 102..=199) => from = used,
            Some(200..=599) => {
                return head(&answer, &bytes[from..used]).map(|head| Some(Head { used, ..head }));
            }
            _ => return Err(BadResponse::Status),
        }
    }
    Err(BadResponse::Interim)
}

/// What the header lines say about the connection and the body's end.
#[derive(Default)]
struct Said {
    length: Option<u64>,
    is_chunked: bool,
    close: bool,
    /// Headers that Connection names: they are for us alone.
    named: Vec<HeaderName>,
}

fn head(answer: &httparse::Response<'_, '_>, bytes: &[u8]) -> Result<Head, BadResponse> {
    let is_1_1 = answer.version == Some(1);
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(BadResponse::Status)?;
    // One copy of the head, shared by all its values.
    let shared = Bytes::copy_from_slice(bytes);
    let mut headers = HeaderMap::with_capacity(answer.headers.len());
    let mut said = Said::default();
    for header in answer.headers.iter() {
        if said.take(header.name, header.value)? {
            continue;
        }
        let at = header.value.as_ptr() as usize - bytes.as_ptr() as usize;
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| BadResponse::Grammar)?;
        let value =
            if header.value.is_empty() { Bytes::new() } else { shared.slice(at..at + header.value.len()) };
        headers.append(name, HeaderValue::from_maybe_shared(value).map_err(|_| BadResponse::Grammar)?);
    }
    for name in &said.named {
        headers.remove(name);
    }
    let framing = match (said.length, said.is_chunked) {
        (Some(_), true) => return Err(BadResponse::LengthAndCoding),
        (None, true) if !is_1_1 => return Err(BadResponse::Coding),
        _ if matches!(status.as_u16(), 204 | 304) => Framing::Fixed(0),
        (None, true) => Framing::Chunked(Chunked::new()),
        (Some(length), false) => Framing::Fixed(length),
        (None, false) => Framing::Close,
    };
    Ok(Head { status, headers, framing, keep: is_1_1 && !said.close, used: 0 })
}

impl Said {
    /// True when the header is about the connection and goes no further.
    fn take(&mut self, name: &str, value: &[u8]) -> Result<bool, BadResponse> {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match name.len() {
            14 if is("content-length") => {
                if self.length.is_some() {
                    return Err(BadResponse::Length);
                }
                self.length = Some(length(value.trim_ascii()).ok_or(BadResponse::Length)?);
            }
            17 if is("transfer-encoding") => {
                if self.is_chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(BadResponse::Coding);
                }
                self.is_chunked = true;
            }
            10 if is("connection") => {
                for token in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    self.close |= token.eq_ignore_ascii_case(b"close");
                    self.named.extend(HeaderName::from_bytes(token));
                }
            }
            10 if is("keep-alive") => {}
            2 if is("te") => {}
            7 if is("trailer") || is("upgrade") => {}
            16 if is("proxy-connection") => {}
            18 if is("proxy-authenticate") => {}
            _ => return Ok(false),
        }
        Ok(true)
    }
}
