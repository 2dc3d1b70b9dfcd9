//! Where does a message of Amazon's binary event stream begin and end, and is it whole?
//!
//! `application/vnd.amazon.eventstream`: a prelude (total length, length of the headers, CRC-32 of these eight
//! bytes), the headers, the payload, and the CRC-32 of everything before. All integers are big-endian. Both checksums
//! are checked, so that a proxy that cuts or mends a stream is found out before a byte of it is believed.
//!
//! Source: AWS, "Amazon Transcribe: event stream encoding", and Smithy's `vnd.amazon.eventstream` specification.

use crate::openai::response::Malformed;

/// The largest message that is read, in bytes: the format's own bound, and what is waited for in other dialects too.
pub const MAX_MESSAGE_BYTES: usize = crate::sse::MAX_WHOLE_EVENT_BYTES;

/// Prelude and its checksum, in bytes.
const PRELUDE_BYTES: usize = 12;

/// The smallest message: a prelude, no header, no payload, the checksum.
const MIN_MESSAGE_BYTES: usize = PRELUDE_BYTES + 4;

/// One message, as far as it is acted on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// `:message-type`: `event`, `exception` or `error`.
    pub kind: &'a str,
    /// `:event-type`, `:exception-type` or `:error-code`, whichever the kind has: what is told.
    pub name: &'a str,
    /// `:error-message`, of a message of kind `error` only.
    pub error_message: &'a str,
    pub payload: &'a [u8],
}

/// Takes messages out of chunks that are cut anywhere.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    /// The beginning of a message whose end has not come; shorter than [`MAX_MESSAGE_BYTES`].
    carry: Vec<u8>,
}

impl Decoder {
    /// Calls `each` with every message that is whole with this chunk, in order.
    ///
    /// # Errors
    /// [`Malformed`] for a length beyond [`MAX_MESSAGE_BYTES`], a wrong checksum or headers outside of the grammar
    /// (offsets count from the message's start), and whatever `each` returns. Nothing after it can be read.
    pub fn push(
        &mut self,
        mut chunk: &[u8],
        mut each: impl FnMut(Message<'_>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        while !self.carry.is_empty() {
            let wanted = match prelude(&self.carry)? {
                Some((total, _)) => total,
                None => PRELUDE_BYTES,
            };
            if self.carry.len() >= wanted && wanted > PRELUDE_BYTES {
                let message = std::mem::take(&mut self.carry);
                each(read(&message)?)?;
                break;
            }
            if chunk.is_empty() {
                return Ok(());
            }
            let taken = (wanted - self.carry.len()).min(chunk.len());
            self.carry.extend_from_slice(&chunk[..taken]);
            chunk = &chunk[taken..];
        }
        while let Some((total, _)) = prelude(chunk)? {
            let Some((message, rest)) = chunk.split_at_checked(total) else { break };
            each(read(message)?)?;
            chunk = rest;
        }
        self.carry.extend_from_slice(chunk);
        Ok(())
    }

    /// No message is unfinished.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.carry.is_empty()
    }
}

/// Appends a message with the headers that Bedrock sends.
///
/// # Panics
/// If the payload is larger than [`MAX_MESSAGE_BYTES`] allows, or a name longer than 255 bytes.
pub fn write(out: &mut Vec<u8>, kind: &str, name: &str, payload: &[u8]) {
    let start = out.len();
    let name_header = if kind == "exception" { ":exception-type" } else { ":event-type" };
    out.extend_from_slice(&[0; PRELUDE_BYTES]);
    for (header, value) in
        [(name_header, name), (":content-type", "application/json"), (":message-type", kind)]
    {
        assert!(value.len() <= 255, "a header's value is a short name");
        out.push(header.len() as u8);
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(&[STRING, 0, value.len() as u8]);
        out.extend_from_slice(value.as_bytes());
    }
    let headers = out.len() - start - PRELUDE_BYTES;
    out.extend_from_slice(payload);
    let total = out.len() - start + 4;
    assert!(total <= MAX_MESSAGE_BYTES, "the payload fits in a message");
    out[start..start + 4].copy_from_slice(&(total as u32).to_be_bytes());
    out[start + 4..start + 8].copy_from_slice(&(headers as u32).to_be_bytes());
    let checksum = crc32fast::hash(&out[start..start + 8]);
    out[start + 8..start + 12].copy_from_slice(&checksum.to_be_bytes());
    let checksum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&checksum.to_be_bytes());
}

/// The message's whole length and that of its headers; `None` if the prelude isn't whole yet.
fn prelude(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    if bytes.len() < PRELUDE_BYTES {
        return Ok(None);
    }
    if crc32fast::hash(&bytes[..8]) != u32_at(bytes, 8) {
        return Err(Malformed { at: 8, expected: "the prelude's checksum" });
    }
    let (total, headers) = (u32_at(bytes, 0) as usize, u32_at(bytes, 4) as usize);
    if !(MIN_MESSAGE_BYTES..=MAX_MESSAGE_BYTES).contains(&total) {
        return Err(Malformed { at: 0, expected: "a message of 16 bytes to 16 MiB" });
    }
    if headers > total - MIN_MESSAGE_BYTES {
        return Err(Malformed { at: 4, expected: "headers within the message" });
    }
    Ok(Some((total, headers)))
}

/// Reads a whole message.
fn read(bytes: &[u8]) -> Result<Message<'_>, Malformed> {
    // INVARIANT: the callers have seen the prelude and have all of its bytes.
    let Some((total, headers)) = prelude(bytes)? else {
        return Err(Malformed { at: 0, expected: "a prelude" });
    };
    let checked = total - 4;
    if crc32fast::hash(&bytes[..checked]) != u32_at(bytes, checked) {
        return Err(Malformed { at: checked, expected: "the message's checksum" });
    }
    let mut message = Message { payload: &bytes[PRELUDE_BYTES + headers..checked], ..Message::default() };
    let mut rest = Headers { bytes: &bytes[..PRELUDE_BYTES + headers], at: PRELUDE_BYTES };
    while let Some((name, value)) = rest.next()? {
        let slot = match name {
            b":message-type" => &mut message.kind,
            b":event-type" | b":exception-type" | b":error-code" => &mut message.name,
            b":error-message" => &mut message.error_message,
            _ => continue,
        };
        *slot = std::str::from_utf8(value).map_err(|_| rest.fault("a header in UTF-8"))?;
    }
    Ok(message)
}

/// The type of a header's value that is a string with two bytes of length before it.
const STRING: u8 = 7;

struct Headers<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A header's name and the bytes of its value.
type Header<'a> = (&'a [u8], &'a [u8]);

impl<'a> Headers<'a> {
    fn next(&mut self) -> Result<Option<Header<'a>>, Malformed> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let length = usize::from(self.take(1)?[0]);
        let name = self.take(length)?;
        let length = match self.take(1)?[0] {
            // true and false: the type is the value.
            0 | 1 => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            // A long, and a time in milliseconds.
            5 | 8 => 8,
            6 | STRING => self.take(2)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
            9 => 16,
            _ => return Err(self.fault("a header of a known type")),
        };
        Ok(Some((name, self.take(length)?)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let taken = self.bytes.get(self.at..self.at + length).ok_or(self.fault("a whole header"))?;
        self.at += length;
        Ok(taken)
    }

    fn fault(&self, expected: &'static str) -> Malformed {
        Malformed { at: self.at, expected }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests;
