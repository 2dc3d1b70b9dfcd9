//! How is a stream of OpenAI's said here, event by event?

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::error_event;
use super::response::{Figures, call_id, stop_reason};
use crate::anthropic::response::malformed;
use crate::openai::ServiceTier;
use crate::openai::response::{self, Malformed};
use crate::operation::Operation;
use crate::sse::{Retell, Retold};
use crate::usage::Reading;

/// Turns a chat stream of OpenAI's into one of this dialect. Input is told with the closing totals, as it isn't known
/// before; the beginning tells none. One that was cut wants [`error_event`] appended.
pub type Stream = Retold<Teller>;

/// What has been told of a chat.
#[derive(Debug, Clone, Default)]
pub struct Teller {
    id: String,
    model: String,
    begun: bool,
    ended: bool,
    /// The content block that is open, and its number.
    open: Option<Open>,
    blocks: u64,
    stop: Option<&'static str>,
    usage: Reading,
    tier: Option<ServiceTier>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    /// The call of this number in OpenAI's count.
    Call(u64),
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
    #[serde(borrow)]
    error: Option<ChunkError<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u64,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    refusal: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Call<'a>>>,
    #[serde(borrow)]
    thinking_blocks: Option<Vec<Thought<'a>>>,
    #[serde(borrow)]
    reasoning_content: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(default)]
    index: u64,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    arguments: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Thought<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow)]
    signature: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ChunkError<'a> {
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event<'a> {
    MessageStart { message: Message<'a> },
    ContentBlockStart { index: u64, content_block: Block<'a> },
    ContentBlockDelta { index: u64, delta: Piece<'a> },
    ContentBlockStop { index: u64 },
    MessageDelta { delta: Ending, usage: Figures },
    MessageStop,
    Ping,
}

#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: [(); 0],
    stop_reason: Option<()>,
    stop_sequence: Option<()>,
    usage: Figures,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text { text: &'a str },
    ToolUse { id: &'a str, name: &'a str, input: Empty },
    Thinking { thinking: &'a str, signature: &'a str },
    RedactedThinking { data: &'a str },
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Piece<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
}

#[derive(Serialize)]
struct Ending {
    stop_reason: &'static str,
    stop_sequence: Option<()>,
}

impl Stream {
    #[must_use]
    pub fn new() -> Self {
        Self::by(Teller::default())
    }
}

impl Default for Stream {
    fn default() -> Self {
        Self::new()
    }
}

impl Retell for Teller {
    fn data(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.ended {
            return Ok(());
        }
        if data.trim_ascii() == b"[DONE]" {
            return self.stop(out);
        }
        let chunk: Chunk<'_> =
            serde_json::from_slice(data).map_err(|error| malformed(&error, "a chat completion chunk"))?;
        if let Some(error) = chunk.error {
            let code = [error.code, error.kind].into_iter().flatten().next().unwrap_or_default();
            let message = error.message.as_deref().unwrap_or("the provider gave no reason");
            out.extend_from_slice(&error_event(&code, message));
            self.ended = true;
            return Ok(());
        }
        let reply = response::read(Operation::ChatCompletions, data)?;
        if reply.usage != Reading::Absent {
            self.usage = reply.usage;
        }
        self.tier = reply.service_tier.or(self.tier);
        // Azure's first chunk has an empty id and no choice.
        if !self.begun && !chunk.choices.is_empty() {
            self.id = chunk.id.unwrap_or_default().into_owned();
            self.model = chunk.model.unwrap_or_default().into_owned();
            self.begin(out)?;
        }
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            self.delta(choice.delta.unwrap_or_default(), out)?;
            if let Some(reason) = choice.finish_reason {
                self.stop.get_or_insert(stop_reason(Some(&reason)));
            }
        }
        Ok(())
    }

    fn silence(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        // A comment keeps the connection alive; so does a ping.
        if self.ended { Ok(()) } else { write(out, "ping", &Event::Ping) }
    }

    fn end(&mut self, _out: &mut Vec<u8>) -> bool {
        self.ended
    }
}

impl Teller {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        self.begun = true;
        let message = Message {
            id: &self.id,
            kind: "message",
            role: "assistant",
            model: &self.model,
            content: [],
            stop_reason: None,
            stop_sequence: None,
            usage: Figures::default(),
        };
        write(out, "message_start", &Event::MessageStart { message })
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if delta.reasoning_content.is_some_and(|thought| !thought.is_empty()) {
            write(out, "ping", &Event::Ping)?;
        }
        for thought in delta.thinking_blocks.into_iter().flatten() {
            self.thought(&thought, out)?;
        }
        let refused = delta.refusal.filter(|text| !text.is_empty());
        if refused.is_some() {
            self.stop = Some("refusal");
        }
        for text in [delta.content, refused].into_iter().flatten().filter(|text| !text.is_empty()) {
            if self.open != Some(Open::Text) {
                self.start(Some(Open::Text), Block::Text { text: "" }, out)?;
            }
            self.piece(Piece::Text { text: &text }, out)?;
        }
        for call in delta.tool_calls.into_iter().flatten() {
            self.call(&call, out)?;
        }
        Ok(())
    }

    fn call(&mut self, call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let (name, arguments) = match &call.function {
            Some(function) => (function.name.as_deref(), function.arguments.as_deref()),
            None => (None, None),
        };
        if self.open != Some(Open::Call(call.index)) {
            let name = name.filter(|name| !name.is_empty());
            let name = name.ok_or(Malformed { at: 0, expected: "one call after the other" })?;
            let id = match call.id.as_deref() {
                Some(id) if !id.is_empty() => Cow::Borrowed(id),
                _ => Cow::Owned(call_id(&self.id, call.index)),
            };
            let block = Block::ToolUse { id: &id, name, input: Empty {} };
            self.start(Some(Open::Call(call.index)), block, out)?;
        }
        match arguments {
            Some(partial_json) if !partial_json.is_empty() => self.piece(Piece::Input { partial_json }, out),
            _ => Ok(()),
        }
    }

    /// A signed thought, whole.
    fn thought(&mut self, thought: &Thought<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        match (thought.kind.as_ref(), &thought.thinking, &thought.signature, &thought.data) {
            ("thinking", Some(thinking), Some(signature), _) => {
                self.start(None, Block::Thinking { thinking: "", signature: "" }, out)?;
                self.piece(Piece::Thinking { thinking }, out)?;
                self.piece(Piece::Signature { signature }, out)?;
            }
            ("redacted_thinking", _, _, Some(data)) => {
                self.start(None, Block::RedactedThinking { data }, out)?;
            }
            _ => return Ok(()),
        }
        self.stop_block(out)
    }

    /// Ends the block that is open, and begins the next one; one without a kind isn't gone on with.
    fn start(&mut self, open: Option<Open>, block: Block<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.open.is_some() {
            self.stop_block(out)?;
        }
        self.open = open;
        self.blocks += 1;
        let event = Event::ContentBlockStart { index: self.blocks - 1, content_block: block };
        write(out, "content_block_start", &event)
    }

    fn piece(&self, delta: Piece<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let event = Event::ContentBlockDelta { index: self.blocks.saturating_sub(1), delta };
        write(out, "content_block_delta", &event)
    }

    fn stop_block(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        self.open = None;
        let event = Event::ContentBlockStop { index: self.blocks.saturating_sub(1) };
        write(out, "content_block_stop", &event)
    }

    fn stop(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if !self.begun {
            self.begin(out)?;
        }
        if self.open.is_some() {
            self.stop_block(out)?;
        }
        let delta = Ending { stop_reason: self.stop.unwrap_or("end_turn"), stop_sequence: None };
        let usage = Figures::of(self.usage, self.tier);
        write(out, "message_delta", &Event::MessageDelta { delta, usage })?;
        write(out, "message_stop", &Event::MessageStop)?;
        self.ended = true;
        Ok(())
    }
}

fn write(out: &mut Vec<u8>, name: &str, event: &Event<'_>) -> Result<(), Malformed> {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    serde_json::to_writer(&mut *out, event).map_err(|error| malformed(&error, "a writable event"))?;
    out.extend_from_slice(b"\n\n");
    Ok(())
}
