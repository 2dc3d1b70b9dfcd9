//! Which bytes of a stream are due now? The pacing of one answer, from its preamble to its end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use firstright_sim::cloud::{Ending, Pacing, Stall};
use tokio::time::{Instant, Sleep};

use super::body::Broken;
use super::shared::Serving;
use super::{chat, converse, generate, generic, messages, responses};

#[derive(Debug)]
pub(super) enum Shape {
    Chat(chat::Chunks),
    Responses(responses::Events),
    Messages(messages::Events),
    Converse(converse::Messages),
    Generate(generate::Events),
    Generic(generic::Events),
}

impl Shape {
    /// What comes before any content.
    fn preamble(&mut self) -> Vec<u8> {
        let mut text = String::with_capacity(1_024);
        match self {
            Shape::Chat(chunks) => chunks.preamble(&mut text),
            Shape::Responses(events) => events.preamble(&mut text),
            Shape::Messages(events) => events.preamble(&mut text),
            Shape::Converse(messages) => {
                let mut out = Vec::with_capacity(128);
                messages.preamble(&mut out);
                return out;
            }
            Shape::Generate(_) | Shape::Generic(_) => {}
        }
        text.into_bytes()
    }

    /// Tokens `from..from + count`, and the end if all `tokens` are out with them.
    fn content(&mut self, from: u64, count: u64, tokens: u64) -> Vec<u8> {
        let last = from + count >= tokens;
        let mut text = String::with_capacity(512);
        match self {
            Shape::Chat(chunks) => {
                if count > 0 {
                    chunks.delta(&mut text, from, count);
                }
                if last {
                    chunks.end(&mut text);
                }
            }
            Shape::Responses(events) => {
                if count > 0 {
                    events.delta(&mut text, from, count);
                }
                if last {
                    events.end(&mut text, tokens);
                }
            }
            Shape::Messages(events) => {
                if count > 0 {
                    events.delta(&mut text, from, count);
                }
                if last {
                    events.end(&mut text);
                }
            }
            Shape::Converse(messages) => {
                let mut out = Vec::with_capacity(512);
                if count > 0 {
                    messages.delta(&mut out, from, count);
                }
                if last {
                    messages.end(&mut out);
                }
                return out;
            }
            Shape::Generate(events) => {
                if count > 0 {
                    events.delta(&mut text, from, count);
                }
                if last {
                    events.end(&mut text);
                }
            }
            Shape::Generic(events) => {
                if count > 0 {
                    events.delta(&mut text, from, count);
                }
                if last {
                    events.end(&mut text);
                }
            }
        }
        text.into_bytes()
    }
}

/// What the model decided about a stream.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) tokens: u64,
    pub(super) pacing: Pacing,
    pub(super) cut_after_chunks: Option<u32>,
    pub(super) stall: Option<Stall>,
}

#[derive(Debug)]
enum Stage {
    Preamble,
    Content,
    Over,
}

#[derive(Debug)]
pub(super) struct Stream {
    serving: Serving,
    shape: Shape,
    stage: Stage,
    script: Script,
    chunks: u32,
    /// When the next token is due.
    due: Instant,
    sleep: Pin<Box<Sleep>>,
    coalesce: Duration,
}

impl Stream {
    /// Content begins after `wait`; the preamble goes out at once.
    pub(super) fn new(serving: Serving, shape: Shape, script: Script, wait: Duration) -> Stream {
        let due = Instant::now() + wait;
        Stream {
            shape,
            stage: Stage::Preamble,
            script,
            chunks: 0,
            due,
            sleep: Box::pin(tokio::time::sleep_until(due)),
            coalesce: serving.shared().coalesce,
            serving,
        }
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        match self.stage {
            Stage::Over => Poll::Ready(None),
            Stage::Preamble => {
                self.stage = Stage::Content;
                match self.shape.preamble() {
                    nothing if nothing.is_empty() => self.poll_next(context),
                    out => Poll::Ready(Some(Ok(Bytes::from(out)))),
                }
            }
            Stage::Content => {
                if self.sleep.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                if let Some(stall) = self.script.stall.take_if(|stall| stall.after_chunks <= self.chunks) {
                    self.due += self.serving.shared().clock.wall(stall.for_ns);
                    self.sleep.as_mut().reset(self.due);
                    return self.poll_next(context);
                }
                Poll::Ready(Some(self.content()))
            }
        }
    }

    /// All that is due by now in one chunk, and the end if that was the last of it.
    fn content(&mut self) -> Result<Bytes, Broken> {
        if self.script.cut_after_chunks.is_some_and(|after| after <= self.chunks) {
            self.stage = Stage::Over;
            self.serving.end(Ending::Cut);
            return Err(Broken);
        }
        let (now, from) = (Instant::now(), self.serving.emitted);
        let mut count = 0;
        while from + count < self.script.tokens && (count == 0 || self.due <= now) {
            self.due += self.serving.shared().clock.wall(self.script.pacing.next_gap_ns());
            count += 1;
        }
        let out = self.shape.content(from, count, self.script.tokens);
        if count > 0 {
            self.chunks = self.chunks.saturating_add(1);
        }
        self.serving.emitted += count;
        if self.serving.emitted < self.script.tokens {
            self.sleep.as_mut().reset(self.due.max(now + self.coalesce));
            return Ok(Bytes::from(out));
        }
        self.stage = Stage::Over;
        self.serving.end(Ending::Whole);
        Ok(Bytes::from(out))
    }
}
