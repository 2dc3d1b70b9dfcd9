//! What passes in a stream: which bytes may go on now, which must wait for the settlement, and what was used?
//!
//! Bytes go in as they come off the wire and are given back as ranges of the same chunk, so that a whole event is
//! neither copied nor parsed unless it says more than content. Only three kinds of bytes are kept: the beginning of
//! an event whose end has not come (nobody can tell yet what it is), the terminal event (it goes on once the
//! settlement is durable), and nothing of the usage chunk that we asked for and the client did not.

mod event;

pub(crate) use event::MAX_NAME_BYTES;

use std::ops::Range;

use crate::anthropic::meter::Totals;
use crate::openai::ServiceTier;
use crate::operation::Operation;
use crate::sse::Framer;
use crate::usage::Reading;

/// The largest event that is kept to be read, in bytes. A larger one passes as it comes, but for its tail.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// How much of an over-large event's end is kept, in bytes. Its usage stands there, and as an event takes effect with
/// its last line only, holding the tail holds the event.
pub const TAIL_BYTES: usize = 8 << 10;

/// How much of an over-large event's start is kept, in bytes: enough for its `event:` line and its type.
const HEAD_BYTES: usize = 256;

/// What may stand behind the terminal event before it is thrown away, in bytes: `[DONE]` and a comment or two.
const MAX_TRAILER_BYTES: usize = 4 << 10;

/// The meter of one stream.
#[derive(Debug, Clone)]
pub struct StreamMeter {
    language: Language,
    withhold_usage: bool,
    framer: Framer,
    /// The event whose end has not come yet; of an over-large one the tail.
    carry: Vec<u8>,
    /// The start of that event, once it is over-large.
    head: Option<Vec<u8>>,
    /// From the terminal event on, in order.
    held: Vec<u8>,
    holding: bool,
    /// Bytes behind the terminal event, those thrown away not counted.
    trailer: usize,
    meter: Metered,
}

/// What the events are.
#[derive(Debug, Clone)]
enum Language {
    OpenAi(Operation),
    /// Anthropic's messages, with what their events have told of usage.
    Messages(Totals),
}

/// What has been learnt from the stream so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metered {
    /// The last usage that any event carried.
    pub usage: Reading,
    /// Events that brought content: for settling a cut stream by count, about a token each.
    pub content_deltas: u64,
    /// Bytes of that content, as escaped in JSON.
    pub content_bytes: u64,
    /// Content has passed: from here on no other provider may take over.
    pub content_seen: bool,
    /// An error came within the stream.
    pub error: bool,
    /// The terminal event has come; nothing but trailers follows. Of pictures there may be more: settle those at the
    /// stream's end.
    pub ended: bool,
    /// Events with data, `[DONE]` not counted; hence the next `sequence_number` of a Responses stream.
    pub events: u64,
    /// Events whose data could not be read. They pass all the same.
    pub unreadable: u64,
    pub id: Option<String>,
    pub model: Option<String>,
    pub service_tier: Option<ServiceTier>,
}

/// What to do with the bytes of the chunk just pushed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passage {
    /// Kept from earlier chunks: goes on now, before anything of this chunk. Mostly empty.
    pub carried: Vec<u8>,
    /// Ranges of this chunk which go on now, in order.
    pub forward: Ranges,
    /// The stream's first content is in this chunk.
    pub first_content: bool,
    /// The terminal event came with this chunk: settle, then send [`StreamMeter::take_held`].
    pub ended: bool,
}

/// Ranges in rising order, with neighbours merged; only a second one allocates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges {
    first: Range<usize>,
    rest: Vec<Range<usize>>,
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    Complete,
    /// The provider reported an error within the stream.
    Failed,
    /// The bytes stopped before the terminal event. Clients take this for success: send an error event, and settle by
    /// what was counted.
    CutWithoutDone,
}

/// What an event is, for placing its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Content,
    /// Neither content nor an end: a role, a prompt filter's result, a comment, anything unknown.
    Neutral,
    /// Usage and nothing else, ahead of the end.
    UsageOnly,
    Terminal,
}

impl StreamMeter {
    /// `injected`: usage was asked for by us and not by the client, so its chunk is kept from the client.
    /// [`Operation::Messages`] is metered in Anthropic's dialect, which tells its usage unasked.
    #[must_use]
    pub fn new(operation: Operation, injected: bool) -> Self {
        let language = match operation {
            Operation::Messages => Language::Messages(Totals::default()),
            operation => Language::OpenAi(operation),
        };
        Self {
            withhold_usage: injected && matches!(language, Language::OpenAi(_)),
            language,
            framer: Framer::default(),
            carry: Vec::new(),
            head: None,
            held: Vec::new(),
            holding: false,
            trailer: 0,
            meter: Metered::default(),
        }
    }

    /// Takes the next chunk, cut anywhere.
    pub fn push(&mut self, chunk: &[u8]) -> Passage {
        let mut passage = Passage::default();
        // What is held of this chunk; copied only if it is still held at the chunk's end.
        let mut pending = Ranges::default();
        let (content_before, ended_before) = (self.meter.content_seen, self.meter.ended);
        let mut start = 0;
        while let Some(end) = self.framer.next_end(chunk, start) {
            if !self.carry.is_empty() {
                self.carry.extend_from_slice(&chunk[start..end]);
                self.close_carried(&mut passage);
            } else if end - start > MAX_EVENT_BYTES {
                let head = &chunk[start..start + HEAD_BYTES];
                let tail = end - TAIL_BYTES;
                self.pass_front(&mut passage, &mut pending, start..tail);
                let kind = self.read_large(head, &chunk[tail..end]);
                self.place(&mut passage, &mut pending, kind, tail..end);
            } else {
                let kind = self.read(&chunk[start..end]);
                self.place(&mut passage, &mut pending, kind, start..end);
            }
            start = end;
        }
        self.keep(&mut passage, &mut pending, chunk, start);
        pending.iter().for_each(|range| self.held.extend_from_slice(&chunk[range]));
        passage.first_content = self.meter.content_seen && !content_before;
        passage.ended = self.meter.ended && !ended_before;
        passage
    }

    /// The upstream has no more bytes. An unfinished event is thrown away, as every client would, so that an error
    /// event can follow; but a terminal one that lacks no more than its blank line counts, and is appended to what is held.
    pub fn finish(&mut self) -> StreamEnd {
        let rest = std::mem::take(&mut self.carry);
        if !rest.is_empty() {
            let kind = match self.head.take() {
                Some(head) => self.read_large(&head, &rest),
                None => self.read(&rest),
            };
            let whole = self.framer.is_between_events() || matches!(kind, Kind::UsageOnly | Kind::Terminal);
            if whole && !(kind == Kind::UsageOnly && self.withhold_usage) {
                self.held.extend_from_slice(&rest);
            }
        }
        match (&self.meter.error, &self.meter.ended) {
            (true, _) => StreamEnd::Failed,
            (false, true) => StreamEnd::Complete,
            (false, false) => StreamEnd::CutWithoutDone,
        }
    }

    /// The terminal event and what follows it: to be sent once the settlement is durable.
    pub fn take_held(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    #[must_use]
    pub fn metered(&self) -> &Metered {
        &self.meter
    }

    /// The number of events sent so far; see [`crate::openai::error::responses_event`].
    #[must_use]
    pub fn events(&self) -> u64 {
        self.meter.events
    }

    /// Reads a whole event.
    fn read(&mut self, event: &[u8]) -> Kind {
        match &mut self.language {
            Language::OpenAi(operation) => self.meter.read(*operation, event),
            Language::Messages(totals) => totals.read(&mut self.meter, event),
        }
    }

    /// Reads what is left of an over-large event.
    fn read_large(&mut self, head: &[u8], tail: &[u8]) -> Kind {
        match &self.language {
            Language::OpenAi(operation) => self.meter.read_large(*operation, head, tail),
            Language::Messages(_) => Totals::read_large(&mut self.meter),
        }
    }

    /// Decides where the whole event at `range` of the chunk goes.
    fn place(&mut self, passage: &mut Passage, pending: &mut Ranges, kind: Kind, range: Range<usize>) {
        match self.verdict(kind, range.len()) {
            Verdict::Forward => {
                self.release(passage, pending);
                passage.forward.push(range);
            }
            Verdict::HoldAnew => {
                self.release(passage, pending);
                self.holding = true;
                pending.push(range);
            }
            Verdict::Hold => pending.push(range),
            Verdict::Drop => {}
        }
    }

    /// The carried event is whole: decides where it goes. Nothing of this chunk has been placed before.
    fn close_carried(&mut self, passage: &mut Passage) {
        self.spill(passage, TAIL_BYTES);
        let event = std::mem::take(&mut self.carry);
        let kind = match self.head.take() {
            Some(head) => self.read_large(&head, &event),
            None => self.read(&event),
        };
        match self.verdict(kind, event.len()) {
            Verdict::Forward => {
                self.release(passage, &mut Ranges::default());
                passage.carried.extend_from_slice(&event);
            }
            Verdict::HoldAnew => {
                self.release(passage, &mut Ranges::default());
                self.holding = true;
                self.held = event;
            }
            Verdict::Hold => self.held.extend_from_slice(&event),
            Verdict::Drop => {}
        }
    }

    fn verdict(&mut self, kind: Kind, length: usize) -> Verdict {
        let images = matches!(self.language, Language::OpenAi(operation) if operation.is_of_images());
        match kind {
            Kind::UsageOnly if self.withhold_usage => Verdict::Drop,
            // What was held was not the end: usage reported midway, or another picture.
            Kind::Content if images || !self.meter.ended => Verdict::Forward,
            Kind::Terminal if images => Verdict::HoldAnew,
            Kind::UsageOnly | Kind::Terminal if !self.holding => Verdict::HoldAnew,
            _ if !self.holding => Verdict::Forward,
            _ => {
                self.trailer += length;
                match self.trailer > MAX_TRAILER_BYTES {
                    false => Verdict::Hold,
                    true if self.meter.ended => Verdict::Drop,
                    true => Verdict::Forward,
                }
            }
        }
    }

    /// Keeps the chunk's unfinished last event.
    fn keep(&mut self, passage: &mut Passage, pending: &mut Ranges, chunk: &[u8], start: usize) {
        let rest = &chunk[start..];
        if self.carry.is_empty() && rest.len() > MAX_EVENT_BYTES {
            self.head = Some(rest[..HEAD_BYTES].to_vec());
            let tail = chunk.len() - TAIL_BYTES;
            self.pass_front(passage, pending, start..tail);
            self.carry.extend_from_slice(&chunk[tail..]);
        } else if !rest.is_empty() {
            self.carry.extend_from_slice(rest);
            self.spill(passage, 2 * TAIL_BYTES);
        }
    }

    /// Lets the front of an over-large carried event go, if more than `keep` bytes of it are there.
    fn spill(&mut self, passage: &mut Passage, keep: usize) {
        if self.head.is_none() && self.carry.len() > MAX_EVENT_BYTES {
            self.head = Some(self.carry[..HEAD_BYTES].to_vec());
        }
        if self.head.is_none() || self.carry.len() <= keep {
            return;
        }
        let front = self.carry.len() - TAIL_BYTES;
        if !self.meter.ended {
            self.release(passage, &mut Ranges::default());
            passage.carried.extend_from_slice(&self.carry[..front]);
            self.meter.content_seen = true;
        }
        self.carry.drain(..front);
    }

    /// Lets the front of an over-large event go that is in this chunk.
    fn pass_front(&mut self, passage: &mut Passage, pending: &mut Ranges, range: Range<usize>) {
        if !self.meter.ended {
            self.release(passage, pending);
            passage.forward.push(range);
            self.meter.content_seen = true;
        }
    }

    /// What was held goes on after all.
    fn release(&mut self, passage: &mut Passage, pending: &mut Ranges) {
        if self.holding {
            self.holding = false;
            self.trailer = 0;
            passage.carried.append(&mut self.held);
            std::mem::take(pending).iter().for_each(|range| passage.forward.push(range));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Forward,
    /// Begin to hold with this event; what was held before goes on.
    HoldAnew,
    Hold,
    Drop,
}

impl Passage {
    /// All bytes that go on now, in order.
    pub fn pieces<'a>(&'a self, chunk: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let carried = (!self.carried.is_empty()).then_some(self.carried.as_slice());
        carried.into_iter().chain(self.forward.iter().map(|range| &chunk[range]))
    }
}

impl Ranges {
    pub fn iter(&self) -> impl Iterator<Item = Range<usize>> {
        let first = (!self.first.is_empty()).then(|| self.first.clone());
        first.into_iter().chain(self.rest.iter().cloned())
    }

    fn push(&mut self, range: Range<usize>) {
        let last = self.rest.last_mut().unwrap_or(&mut self.first);
        if Range::is_empty(last) {
            *last = range;
        } else if last.end == range.start {
            last.end = range.end;
        } else {
            self.rest.push(range);
        }
    }
}

#[cfg(test)]
mod tests;
