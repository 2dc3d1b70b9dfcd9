//! How is a stream said in OpenAI's words, event by event?

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::refusal::{ErrorBody, kind_of};
use super::response::{Block, finish, malformed};
use super::usage::Tokens;
use crate::openai::chat::{Chunks, Finish};
use crate::openai::response::Malformed;
use crate::sse::{Retell, Retold};

/// The most content blocks that are open at once; the provider opens one at a time.
const MAX_OPEN_BLOCKS: usize = 64;

/// The longest thought that is kept so that it can be given back signed, in bytes: 256 thousand tokens, more than any
/// model thinks at a time. A longer one passes as `reasoning_content` alone.
const MAX_THOUGHT_BYTES: usize = 1 << 20;

/// Turns a stream of this dialect into one of OpenAI's.
pub type Stream = Retold<Teller>;

/// What has been told of a message.
#[derive(Debug, Clone)]
pub struct Teller {
    chunks: Chunks,
    tokens: Tokens,
    open: BTreeMap<u64, Open>,
    /// Tool calls begun so far.
    calls: u64,
    finish: Finish,
    ended: bool,
}

/// A content block whose end has not come.
#[derive(Debug, Clone)]
enum Open {
    Text,
    /// The thought so far; `None` once it is too long to be kept.
    Thinking {
        thought: Option<String>,
        signature: String,
    },
    Call {
        index: u64,
        /// Arguments have come.
        begun: bool,
    },
    /// Of a kind that can't be said.
    Other,
}

/// A thought as it is given back.
#[derive(Serialize)]
struct Thought<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    thinking: &'a str,
    signature: &'a str,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    index: u64,
    #[serde(borrow)]
    message: Option<Start<'a>>,
    #[serde(borrow)]
    content_block: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(default)]
    usage: Value,
    #[serde(borrow)]
    error: Option<ErrorBody<'a>>,
}

#[derive(Deserialize)]
struct Start<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(default)]
    usage: Value,
}

#[derive(Default, Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow)]
    signature: Option<Cow<'a, str>>,
    #[serde(borrow)]
    partial_json: Option<Cow<'a, str>>,
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
}

impl Stream {
    /// `model` is the answer's model until the stream names another.
    #[must_use]
    pub fn new(model: &str) -> Self {
        Self::by(Teller {
            chunks: Chunks::new(model),
            tokens: Tokens::default(),
            open: BTreeMap::new(),
            calls: 0,
            finish: Finish::Stop,
            ended: false,
        })
    }
}

impl Retell for Teller {
    fn data(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.ended {
            return Ok(());
        }
        let event: Event<'_> =
            serde_json::from_slice(data).map_err(|error| malformed(&error, "an event of a message"))?;
        match event.kind.as_ref() {
            "message_start" => self.start(event.message, out),
            "content_block_start" => self.open(event.index, event.content_block, out)?,
            "content_block_delta" => self.delta(event.index, event.delta.unwrap_or_default(), out),
            "content_block_stop" => self.close(event.index, out),
            "message_delta" => {
                self.tokens.learn(event.usage);
                if let Some(reason) = event.delta.and_then(|delta| delta.stop_reason) {
                    self.finish = finish(Some(&reason));
                }
            }
            "message_stop" => {
                self.chunks.service_tier = self.tokens.tier_name();
                self.chunks.finish(out, 0, self.finish);
                self.chunks.end(out, self.tokens.reading());
                self.ended = true;
            }
            "error" => {
                let error = event.error.unwrap_or_default();
                Chunks::error(out, &error.kind, kind_of(&error.kind), &error.message);
                self.ended = true;
            }
            // `ping`, and whatever comes to be added.
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, _out: &mut Vec<u8>) -> bool {
        self.ended
    }
}

impl Teller {
    fn start(&mut self, message: Option<Start<'_>>, out: &mut Vec<u8>) {
        if let Some(message) = message {
            self.tokens.learn(message.usage);
            self.chunks.id = message.id.unwrap_or_default().into_owned();
            if let Some(model) = message.model {
                self.chunks.model = model.into_owned();
            }
            self.chunks.service_tier = self.tokens.tier_name();
        }
        self.chunks.begin(out, 0);
    }

    fn open(&mut self, index: u64, raw: Option<&RawValue>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let Some(raw) = raw else { return Err(Malformed { at: 0, expected: "a content block" }) };
        let block: Block<'_> =
            serde_json::from_str(raw.get()).map_err(|error| malformed(&error, "a content block"))?;
        if self.open.len() >= MAX_OPEN_BLOCKS {
            return Err(Malformed { at: 0, expected: "at most 64 open content blocks" });
        }
        let open = match block.kind.as_ref() {
            "text" => {
                if let Some(text) = block.text.filter(|text| !text.is_empty()) {
                    self.chunks.text(out, 0, &text);
                }
                Open::Text
            }
            "thinking" => {
                let thought = block.thinking.unwrap_or_default();
                if !thought.is_empty() {
                    self.chunks.reasoning(out, 0, &thought);
                }
                Open::Thinking { thought: Some(thought.into_owned()), signature: String::new() }
            }
            "redacted_thinking" => {
                self.chunks.thinking(out, 0, &format!("[{}]", raw.get()));
                Open::Other
            }
            "tool_use" => {
                let index = self.calls;
                self.calls += 1;
                let id = (block.id.as_deref().unwrap_or_default(), block.name.as_deref().unwrap_or_default());
                // Mostly `{}`, and the arguments follow in pieces; but they may stand here whole.
                let whole =
                    block.input.map(RawValue::get).filter(|input| input.bytes().any(|byte| byte == b':'));
                self.chunks.call(out, 0, index, id, whole.unwrap_or_default());
                Open::Call { index, begun: whole.is_some() }
            }
            _ => Open::Other,
        };
        self.open.insert(index, open);
        Ok(())
    }

    fn delta(&mut self, index: u64, delta: Delta<'_>, out: &mut Vec<u8>) {
        match (self.open.get_mut(&index), delta) {
            (Some(Open::Call { index, begun }), Delta { partial_json: Some(json), .. })
                if !json.is_empty() =>
            {
                *begun = true;
                self.chunks.arguments(out, 0, *index, &json);
            }
            (Some(Open::Thinking { thought, signature }), delta) => {
                if let Some(more) = delta.thinking.filter(|more| !more.is_empty()) {
                    if thought.as_ref().is_some_and(|thought| thought.len() + more.len() > MAX_THOUGHT_BYTES)
                    {
                        *thought = None;
                    }
                    if let Some(thought) = thought {
                        thought.push_str(&more);
                    }
                    self.chunks.reasoning(out, 0, &more);
                }
                if let Some(more) = delta.signature
                    && signature.len() + more.len() <= MAX_THOUGHT_BYTES
                {
                    signature.push_str(&more);
                }
            }
            (Some(Open::Other), _) => {}
            (_, Delta { text: Some(text), .. }) if !text.is_empty() => self.chunks.text(out, 0, &text),
            _ => {}
        }
    }

    fn close(&mut self, index: u64, out: &mut Vec<u8>) {
        match self.open.remove(&index) {
            // A call without arguments has none in pieces either; clients parse what they gathered.
            Some(Open::Call { index, begun: false }) => self.chunks.arguments(out, 0, index, "{}"),
            Some(Open::Thinking { thought: Some(thinking), signature }) if !signature.is_empty() => {
                let thought = Thought { kind: "thinking", thinking: &thinking, signature: &signature };
                if let Ok(block) = serde_json::to_string(&[thought]) {
                    self.chunks.thinking(out, 0, &block);
                }
            }
            _ => {}
        }
    }
}
