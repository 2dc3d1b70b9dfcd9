//! Where, in bytes that came over a chunked connection, is the payload?
//!
//! Strict on purpose: sizes are plain hexadecimal, every line ends in CR LF, and what a sender could use to grow us
//! (extensions, trailers, leading zeros) is bounded. Used for providers' replies, which are decoded in place, and for
//! clients' requests, which are only followed to find where the next one starts.
//! Source: RFC 9112, section 7.1.

#[cfg(test)]
mod tests;

use std::ops::Range;

/// A size line of more digits than this is an attack: 12 hexadecimal digits are 256 TiB.
const SIZE_DIGITS_MAX: u8 = 12;
/// Extensions carry nothing that we use; nobody sends long ones.
const EXTENSION_BYTES_MAX: u16 = 256;
/// Trailers are dropped; their length is bounded because the connection is read to their end.
const TRAILER_BYTES_MAX: u16 = 8 * 1024;

/// Where the decoder stands between two reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Size { digits: u8, value: u64 },
    Extension { bytes: u16 },
    SizeLf { value: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    End,
}

/// Follows one chunked body from its first byte to its last.
#[derive(Debug)]
pub(crate) struct Chunked {
    at: At,
    /// The size of the chunk whose extension is being passed over.
    size: u64,
    trailer_bytes: u16,
}

/// What a call to [`Chunked::next_run`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// Payload lies at this place of the input.
    Data(Range<usize>),
    /// The input is used up; the body goes on.
    More,
    /// The body ends here; bytes behind belong to something else.
    End,
}

/// The sender does not speak chunked encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadChunk(pub(crate) &'static str);

impl std::fmt::Display for BadChunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "read the chunked body: {}", self.0)
    }
}

impl std::error::Error for BadChunk {}

/// The result of decoding one buffer in place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Bytes of payload, now at the start of the buffer.
    pub(crate) payload: usize,
    /// Bytes of the buffer that belonged to this body.
    pub(crate) used: usize,
}

impl Chunked {
    pub(crate) fn new() -> Self {
        Self { at: At::Size { digits: 0, value: 0 }, size: 0, trailer_bytes: 0 }
    }

    pub(crate) fn is_end(&self) -> bool {
        self.at == At::End
    }

    /// Moves all payload in `buffer` to its start.
    pub(crate) fn decode(&mut self, buffer: &mut [u8]) -> Result<Decoded, BadChunk> {
        let (mut used, mut payload) = (0, 0);
        while let Run::Data(run) = self.next_run(buffer, &mut used)? {
            let length = run.len();
            buffer.copy_within(run, payload);
            payload += length;
        }
        Ok(Decoded { payload, used })
    }

    /// Goes from `from` to the next stretch of payload and moves `from` behind it.
    pub(crate) fn next_run(&mut self, input: &[u8], from: &mut usize) -> Result<Run, BadChunk> {
        loop {
            if self.is_end() {
                return Ok(Run::End);
            }
            let rest = &input[*from..];
            let Some(&byte) = rest.first() else { return Ok(Run::More) };
            if let At::Data { left } = self.at {
                let take = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                let run = *from..*from + take;
                *from += take;
                let left = left - take as u64;
                self.at = if left == 0 { At::DataCr } else { At::Data { left } };
                return Ok(Run::Data(run));
            }
            *from += 1;
            self.at = self.step(byte)?;
        }
    }

    /// One byte of framing.
    fn step(&mut self, byte: u8) -> Result<At, BadChunk> {
        Ok(match (self.at, byte) {
            (At::Size { digits, value }, _) if byte.is_ascii_hexdigit() => {
                if digits == SIZE_DIGITS_MAX {
                    return Err(BadChunk("a size of too many digits"));
                }
                let digit = (byte as char).to_digit(16).unwrap_or(0);
                At::Size { digits: digits + 1, value: value << 4 | u64::from(digit) }
            }
            (At::Size { digits: 1.., value }, b'\r') => At::SizeLf { value },
            (At::Size { digits: 1.., value }, b';') => {
                self.size = value;
                At::Extension { bytes: 0 }
            }
            (At::Size { .. }, _) => return Err(BadChunk("a size that is not hexadecimal")),
            (At::Extension { .. }, b'\r') => At::SizeLf { value: self.size },
            (At::Extension { bytes }, b'\t' | b' '..=b'~') if bytes < EXTENSION_BYTES_MAX => {
                At::Extension { bytes: bytes + 1 }
            }
            (At::Extension { .. }, _) => return Err(BadChunk("an extension too long or ungrammatical")),
            (At::SizeLf { value: 0 }, b'\n') => At::TrailerStart,
            (At::SizeLf { value }, b'\n') => At::Data { left: value },
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => At::Size { digits: 0, value: 0 },
            (At::TrailerStart, b'\r') => At::EndLf,
            (At::EndLf, b'\n') => At::End,
            (At::Trailer, b'\r') => At::TrailerLf,
            (At::TrailerLf, b'\n') => At::TrailerStart,
            (At::TrailerStart | At::Trailer, b'\t' | b' '..=b'~' | 0x80..) => {
                self.trailer_bytes += 1;
                if self.trailer_bytes == TRAILER_BYTES_MAX {
                    return Err(BadChunk("trailers too long"));
                }
                At::Trailer
            }
            _ => return Err(BadChunk("a line that does not end in CR LF")),
        })
    }
}
