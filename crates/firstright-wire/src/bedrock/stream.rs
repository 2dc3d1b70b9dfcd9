//! How is Converse's binary stream said as OpenAI's chat events?

use std::borrow::Cow;

use serde::Deserialize;

use super::eventstream::{Decoder, Message};
use super::refusal::error_words;
use super::reply::{ReasoningContent, Tier, TokenUsage, finish};
use super::response::{Thought, signed};
use crate::anthropic::malformed;
use crate::azure::refusal::Refusal;
use crate::openai::chat::Chunks;
use crate::openai::response::Malformed;
use crate::usage::Reading;

/// The most tool calls of one answer; OpenAI takes no more tools than this either.
const MAX_CALLS: usize = 128;

/// The longest thought that is kept so that it can be given back signed, in bytes: as for [`crate::anthropic`]. A longer
/// one passes as `reasoning_content` alone.
const MAX_THOUGHT_BYTES: usize = 1 << 20;

/// Translates one answer of `/converse-stream`.
#[derive(Debug, Clone)]
pub struct Stream {
    decoder: Decoder,
    chunks: Chunks,
    /// In the order of the calls.
    calls: Vec<Call>,
    /// The thought so far; `None` once it is too long to be kept.
    thought: Option<String>,
    state: State,
}

/// A tool call, as far as it has been told.
#[derive(Debug, Clone, Copy)]
struct Call {
    /// The block of the answer that it is.
    block: u64,
    /// Some of its input has come.
    begun: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// `messageStop` has come; usage is to follow.
    Stopped,
    /// Usage and `[DONE]` are written.
    Ended,
    /// The provider reported an error; it is written, and nothing follows.
    Failed,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStart<'a> {
    #[serde(borrow)]
    start: Option<Start<'a>>,
    content_block_index: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start<'a> {
    #[serde(borrow)]
    tool_use: Option<ToolStart<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolStart<'a> {
    #[serde(borrow)]
    tool_use_id: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockDelta<'a> {
    #[serde(borrow)]
    delta: Delta<'a>,
    content_block_index: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_use: Option<ToolDelta<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<ReasoningContent<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStop {
    content_block_index: u64,
}

#[derive(Debug, Deserialize)]
struct ToolDelta<'a> {
    #[serde(borrow)]
    input: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageStop<'a> {
    #[serde(borrow)]
    stop_reason: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(default)]
    usage: TokenUsage,
    #[serde(borrow)]
    service_tier: Option<Tier<'a>>,
}

#[derive(Debug, Default, Deserialize)]
struct Told<'a> {
    #[serde(borrow, default)]
    message: Cow<'a, str>,
}

impl Stream {
    /// `model` is what the events shall call the model. Their `id` is empty: see [`super::response()`].
    #[must_use]
    pub fn new(model: &str) -> Self {
        Self {
            decoder: Decoder::default(),
            chunks: Chunks::new(model),
            calls: Vec::new(),
            thought: Some(String::new()),
            state: State::Open,
        }
    }

    /// Takes the next bytes, cut anywhere, and appends the events that they make to `out`: usage last, then `[DONE]`.
    /// An error that the provider reports becomes an error event, after which nothing follows.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes are no event stream of Converse. What was appended before still holds.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        // The decoder is lent out, so that the visit may change the rest.
        let mut decoder = std::mem::take(&mut self.decoder);
        let result = decoder.push(bytes, |message| self.message(message, out));
        self.decoder = decoder;
        result
    }

    /// The provider has no more bytes. Tells whether the stream told its end, be it by an error, which `out` has then; if
    /// not, it was cut. An answer of which only the usage never came ends without.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        if self.state == State::Stopped {
            self.state = State::Ended;
            self.chunks.end(out, Reading::Absent);
        }
        self.state != State::Open
    }

    fn message(&mut self, message: Message<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if matches!(self.state, State::Ended | State::Failed) {
            return Ok(());
        }
        match message.kind {
            "event" => self.event(message, out),
            "exception" => {
                let told: Told<'_> = serde_json::from_slice(message.payload).unwrap_or_default();
                self.fail(message.name, &told.message, out);
                Ok(())
            }
            "error" => {
                self.fail(message.name, message.error_message, out);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn event(&mut self, message: Message<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        match message.name {
            "messageStart" => self.chunks.begin(out, 0),
            "contentBlockStart" => {
                let event: BlockStart<'_> = read(message.payload)?;
                if let Some(tool) = event.start.and_then(|start| start.tool_use) {
                    self.call(event.content_block_index, &tool, out)?;
                }
            }
            "contentBlockDelta" => {
                let event: BlockDelta<'_> = read(message.payload)?;
                self.delta(&event, out)?;
            }
            "contentBlockStop" => {
                let BlockStop { content_block_index } = read(message.payload)?;
                if let Some(at) = self.find(content_block_index).filter(|at| !self.calls[*at].begun) {
                    // A call without arguments has no input, and clients parse what they get.
                    self.calls[at].begun = true;
                    self.chunks.arguments(out, 0, at as u64, "{}");
                }
            }
            "messageStop" if self.state == State::Open => {
                let event: MessageStop<'_> = read(message.payload)?;
                self.state = State::Stopped;
                self.chunks.finish(out, 0, finish(&event.stop_reason));
            }
            "metadata" if self.state == State::Stopped => {
                let event: Metadata<'_> = read(message.payload)?;
                self.chunks.service_tier = event.service_tier.as_ref().and_then(Tier::name);
                self.state = State::Ended;
                self.chunks.end(out, event.usage.reading());
            }
            // A kind that is not known is nothing that a chat has a word for.
            _ => {}
        }
        Ok(())
    }

    /// Which call the block is.
    fn find(&self, block: u64) -> Option<usize> {
        self.calls.iter().rposition(|call| call.block == block)
    }

    fn call(&mut self, block: u64, tool: &ToolStart<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.calls.len() == MAX_CALLS {
            return Err(Malformed { at: 0, expected: "at most 128 tool calls" });
        }
        let index = self.calls.len() as u64;
        self.calls.push(Call { block, begun: false });
        self.chunks.call(out, 0, index, (&tool.tool_use_id, &tool.name), "");
        Ok(())
    }

    fn delta(&mut self, event: &BlockDelta<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if let Some(text) = event.delta.text.as_deref().filter(|text| !text.is_empty()) {
            self.chunks.text(out, 0, text);
        }
        if let Some(tool) = &event.delta.tool_use {
            let Some(at) = self.find(event.content_block_index) else {
                return Err(Malformed { at: 0, expected: "the start of a tool's use before its input" });
            };
            if !tool.input.is_empty() {
                self.calls[at].begun = true;
                self.chunks.arguments(out, 0, at as u64, &tool.input);
            }
        }
        if let Some(content) = &event.delta.reasoning_content {
            self.reasoning(content, out);
        }
        Ok(())
    }

    /// The thought passes as it comes; once it is signed it is given whole, to be echoed.
    fn reasoning(&mut self, content: &ReasoningContent<'_>, out: &mut Vec<u8>) {
        if let Some(text) = &content.text {
            self.chunks.reasoning(out, 0, text);
            self.thought =
                self.thought.take().filter(|thought| thought.len() + text.len() <= MAX_THOUGHT_BYTES);
            if let Some(thought) = &mut self.thought {
                thought.push_str(text);
            }
        }
        let mut thoughts = Vec::new();
        let thought = self.thought.take();
        if let (Some(thinking), Some(signature)) = (&thought, content.signature.as_deref()) {
            thoughts.push(Thought::Thinking { thinking, signature });
        }
        if let Some(data) = content.redacted_content.as_deref() {
            thoughts.push(Thought::RedactedThinking { data });
        }
        if let Some(blocks) = signed(&thoughts) {
            self.chunks.thinking(out, 0, &blocks);
        }
        self.thought = if content.signature.is_some() { Some(String::new()) } else { thought };
    }

    fn fail(&mut self, name: &str, told: &str, out: &mut Vec<u8>) {
        self.state = State::Failed;
        let (code, kind) = error_words(Refusal::of_exception(name, told).unwrap_or(Refusal::ServerError));
        Chunks::error(out, code, kind, if told.is_empty() { name } else { told });
    }
}

fn read<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(payload).map_err(|error| malformed(&error, "an event of Converse"))
}

#[cfg(test)]
mod tests;
