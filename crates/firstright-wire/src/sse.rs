//! Where does an event of a server-sent stream end, however the bytes are cut?
//!
//! [`Framer`] finds the ends of events in chunks that may be split anywhere; [`fields`] reads one whole event. Lines
//! end in `\n`, `\r\n` or `\r`; comments, unknown fields and a byte order mark are stepped over, as the HTML standard
//! has it. Both look at bytes only: a character cut in two is no concern of theirs.

use std::borrow::Cow;

use memchr::memchr2;

use crate::openai::response::Malformed;

/// Finds event ends; three flags are its whole state, so nothing can grow.
#[derive(Debug, Clone)]
pub struct Framer {
    /// No byte of the current line has been seen.
    line_is_empty: bool,
    /// The last byte was a `\r`: a `\n` right after it belongs to the same line end.
    after_cr: bool,
    /// That `\r` ended an empty line, so the event ends with it, or with the `\n` after it.
    ending: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self { line_is_empty: true, after_cr: false, ending: false }
    }
}

impl Framer {
    /// The offset in `chunk` after the first event end at or after `from`. `None` if the chunk is used up: the
    /// next call is with the next chunk, from 0.
    ///
    /// An event that ends in a lone `\r` is known to be whole only with the byte that follows, since that may be
    /// the `\n` of the same line end. The offset is 0 then: the event ended in an earlier chunk.
    pub fn next_end(&mut self, chunk: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while at < chunk.len() {
            if self.after_cr {
                self.after_cr = false;
                let newline = chunk[at] == b'\n';
                at += usize::from(newline);
                if std::mem::take(&mut self.ending) {
                    return Some(at);
                }
                if newline {
                    continue;
                }
            }
            let Some(length) = memchr2(b'\n', b'\r', &chunk[at..]) else {
                self.line_is_empty = false;
                return None;
            };
            let blank = self.line_is_empty && length == 0;
            self.line_is_empty = true;
            at += length + 1;
            if chunk[at - 1] == b'\r' {
                self.after_cr = true;
                self.ending = blank;
            } else if blank {
                return Some(at);
            }
        }
        None
    }

    /// The last byte seen was a lone `\r` that ends an event, which [`Framer::next_end`] has not told yet.
    #[must_use]
    pub fn is_between_events(&self) -> bool {
        self.ending
    }
}

/// The largest event that a translator waits for, in bytes. What is translated must be whole, and some providers send a
/// picture or all arguments of a call in one event.
pub const MAX_WHOLE_EVENT_BYTES: usize = 16 << 20;

/// Gives out whole events however the stream is cut; for translators, which can't let half an event pass.
#[derive(Debug, Clone, Default)]
pub struct Events {
    framer: Framer,
    carry: Vec<u8>,
}

impl Events {
    /// Takes the next chunk and visits each event that is whole with it, its blank line included.
    ///
    /// # Errors
    /// [`Malformed`] of the visit, or for an event of more than [`MAX_WHOLE_EVENT_BYTES`].
    pub fn push(
        &mut self,
        chunk: &[u8],
        mut visit: impl FnMut(&[u8]) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let mut start = 0;
        while let Some(end) = self.framer.next_end(chunk, start) {
            if self.carry.is_empty() {
                visit(&chunk[start..end])?;
            } else {
                self.carry.extend_from_slice(&chunk[start..end]);
                let event = std::mem::take(&mut self.carry);
                visit(&event)?;
            }
            start = end;
        }
        if self.carry.len() + chunk.len() - start > MAX_WHOLE_EVENT_BYTES {
            self.carry = Vec::new();
            return Err(Malformed { at: MAX_WHOLE_EVENT_BYTES, expected: "the end of an event" });
        }
        self.carry.extend_from_slice(&chunk[start..]);
        Ok(())
    }

    /// What came after the last whole event. A last event that lacks only its blank line may be in it.
    pub fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.carry)
    }
}

/// What retells the events of a stream in another language.
pub trait Retell {
    /// Takes the data of one event, and appends what it says to `out`.
    ///
    /// # Errors
    /// [`Malformed`] for data that isn't of the language.
    fn data(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed>;

    /// Takes an event without data, such as a comment that keeps the connection alive.
    ///
    /// # Errors
    /// As for [`Retell::data`].
    fn silence(&mut self, _out: &mut Vec<u8>) -> Result<(), Malformed> {
        Ok(())
    }

    /// No more events come. Whether the stream told its end, be it by an error, which `out` has then; if not, it was cut.
    fn end(&mut self, out: &mut Vec<u8>) -> bool;
}

/// A stream on its way into another language: whole events go to what retells them, however the bytes are cut.
#[derive(Debug, Clone)]
pub struct Retold<T> {
    events: Events,
    pub(crate) teller: T,
}

impl<T: Retell> Retold<T> {
    pub(crate) fn by(teller: T) -> Self {
        Self { events: Events::default(), teller }
    }

    /// Takes the next bytes, cut anywhere, and appends what they say to `out`.
    ///
    /// # Errors
    /// [`Malformed`] for an event that isn't of the language, or is larger than any can be. What was appended before still
    /// holds.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let teller = &mut self.teller;
        self.events.push(bytes, |event| match fields(event).data {
            Some(data) => teller.data(&data, out),
            None => teller.silence(out),
        })
    }

    /// No more bytes come. Whether the stream told its end, be it by an error, which `out` has then; if not, it was cut.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        let rest = self.events.take_rest();
        if let Some(data) = fields(&rest).data {
            // A last event that lacks its blank line may be whole otherwise; if it isn't, it ends nothing either.
            let _ = self.teller.data(&data, out);
        }
        self.teller.end(out)
    }
}

/// One event's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    /// The last `event:` line.
    pub event: Option<&'a [u8]>,
    /// The `data:` lines, joined by `\n`; `None` without any.
    pub data: Option<Cow<'a, [u8]>>,
}

/// Reads the lines of one event. It allocates only to join several `data:` lines.
#[must_use]
pub fn fields(event: &[u8]) -> Fields<'_> {
    let mut fields = Fields::default();
    let mut rest = event.strip_prefix(b"\xef\xbb\xbf").unwrap_or(event);
    while !rest.is_empty() {
        let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = &rest[..length];
        rest = rest.get(length + 1..).unwrap_or_default();
        if let Some(value) = value_of(line, b"data") {
            fields.data = Some(match fields.data.take() {
                None => Cow::Borrowed(value),
                Some(data) => {
                    let mut data = data.into_owned();
                    data.push(b'\n');
                    data.extend_from_slice(value);
                    Cow::Owned(data)
                }
            });
        } else if let Some(value) = value_of(line, b"event") {
            fields.event = Some(value);
        }
    }
    fields
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name)?;
    if rest.is_empty() {
        return Some(rest);
    }
    let value = rest.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests;
