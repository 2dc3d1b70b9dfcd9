//! How is another provider's answer written in this language?

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use super::ToolCall;
use crate::json::escape_into;
use crate::openai::error::chat_event;
use crate::openai::request::MAX_CHOICES;
use crate::usage::{Hostility, MAX_COUNT, Reading};

/// A whole answer.
#[derive(Debug, Default)]
pub struct Completion<'a> {
    pub id: Cow<'a, str>,
    /// Seconds since 1970; 0 where the provider doesn't tell, since nothing here may read a clock.
    pub created: u64,
    pub model: Cow<'a, str>,
    pub choices: Vec<Choice<'a>>,
    pub usage: Reading,
    /// The tier that served, in OpenAI's words.
    pub service_tier: Option<&'static str>,
}

#[derive(Debug)]
pub struct Choice<'a> {
    /// `None` is written as `null`, as OpenAI does beside tool calls.
    pub content: Option<Cow<'a, str>>,
    pub refusal: Option<Cow<'a, str>>,
    /// Written as `reasoning_content`, which OpenAI's own dialect lacks and its clients read over.
    pub reasoning: Option<Cow<'a, str>>,
    /// Raw JSON, written as `thinking_blocks`: what a client must echo for the thought to be believed.
    pub thinking: Option<Cow<'a, str>>,
    pub calls: Vec<ToolCall<'a>>,
    pub finish: Finish,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
}

impl Finish {
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
        }
    }
}

impl Completion<'_> {
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        head(&mut out, &self.id, "chat.completion", self.created, &self.model);
        tier(&mut out, self.service_tier);
        out.extend_from_slice(b",\"choices\":[");
        for (index, choice) in self.choices.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            number(&mut out, "{\"index\":", index as u64);
            choice.write(&mut out);
        }
        out.extend_from_slice(b"],\"usage\":");
        usage_into(&mut out, self.usage);
        out.push(b'}');
        out
    }
}

impl Choice<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"message\":{\"role\":\"assistant\",\"content\":");
        string_or_null(out, self.content.as_deref());
        out.extend_from_slice(b",\"refusal\":");
        string_or_null(out, self.refusal.as_deref());
        if let Some(reasoning) = &self.reasoning {
            out.extend_from_slice(b",\"reasoning_content\":");
            string(out, reasoning);
        }
        if let Some(thinking) = &self.thinking {
            out.extend_from_slice(b",\"thinking_blocks\":");
            out.extend_from_slice(thinking.as_bytes());
        }
        for (index, call) in self.calls.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b",\"tool_calls\":[" } else { b"," });
            out.extend_from_slice(b"{\"id\":");
            call_into(out, call);
        }
        if !self.calls.is_empty() {
            out.push(b']');
        }
        out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":\"");
        out.extend_from_slice(self.finish.name().as_bytes());
        out.extend_from_slice(b"\"}");
    }
}

/// Writes the events of a stream. Only a choice's first delta carries `role`.
#[derive(Debug, Clone, Default)]
pub struct Chunks {
    pub id: String,
    /// See [`Completion::created`].
    pub created: u64,
    pub model: String,
    pub service_tier: Option<&'static str>,
    /// One bit for each choice whose role was told.
    begun: u128,
    /// Thinking blocks told so far.
    thoughts: u64,
}

const _: () = assert!(MAX_CHOICES == u128::BITS as u64, "one bit a choice");

impl Chunks {
    pub fn new(model: &str) -> Self {
        Self { model: model.to_owned(), ..Self::default() }
    }

    /// The role alone, if it wasn't told yet: a sign of life before the first word.
    pub fn begin(&mut self, out: &mut Vec<u8>, choice: u32) {
        if !self.has_begun(choice) {
            self.delta(out, choice, |out| out.extend_from_slice(b"\"content\":\"\""));
        }
    }

    pub fn text(&mut self, out: &mut Vec<u8>, choice: u32, text: &str) {
        self.delta(out, choice, |out| {
            out.extend_from_slice(b"\"content\":");
            string(out, text);
        });
    }

    pub fn reasoning(&mut self, out: &mut Vec<u8>, choice: u32, text: &str) {
        self.delta(out, choice, |out| {
            out.extend_from_slice(b"\"reasoning_content\":");
            string(out, text);
        });
    }

    /// `blocks` is a raw JSON array of whole blocks; see [`Choice::thinking`]. Each gets an `index`, without which OpenAI's
    /// own client fails to add up a list.
    pub fn thinking(&mut self, out: &mut Vec<u8>, choice: u32, blocks: &str) {
        let first = self.thoughts;
        let blocks: Vec<&RawValue> = serde_json::from_str(blocks).unwrap_or_default();
        self.thoughts += blocks.len() as u64;
        self.delta(out, choice, |out| {
            out.extend_from_slice(b"\"thinking_blocks\":[");
            for (block, index) in blocks.iter().zip(first..) {
                number(out, if index == first { "{\"index\":" } else { ",{\"index\":" }, index);
                let members = block.get().strip_prefix('{').unwrap_or("}").trim_start();
                out.extend_from_slice(if members == "}" { b"" } else { b"," });
                out.extend_from_slice(members.as_bytes());
            }
            out.push(b']');
        });
    }

    /// The beginning of the answer's tool call number `index` from 0, with as much of its arguments as is there.
    pub fn call(&mut self, out: &mut Vec<u8>, choice: u32, index: u64, call: (&str, &str), arguments: &str) {
        let (id, name) = call;
        let whole = ToolCall { id: id.into(), name: name.into(), arguments: arguments.into(), extra: None };
        self.whole_call(out, choice, index, &whole);
    }

    /// As [`Chunks::call`], with what is to be echoed beside it.
    pub fn whole_call(&mut self, out: &mut Vec<u8>, choice: u32, index: u64, call: &ToolCall<'_>) {
        self.delta(out, choice, |out| {
            number(out, "\"tool_calls\":[{\"index\":", index);
            out.extend_from_slice(b",\"id\":");
            call_into(out, call);
            out.push(b']');
        });
    }

    /// More of the arguments of tool call number `index`.
    pub fn arguments(&mut self, out: &mut Vec<u8>, choice: u32, index: u64, arguments: &str) {
        self.delta(out, choice, |out| {
            number(out, "\"tool_calls\":[{\"index\":", index);
            out.extend_from_slice(b",\"function\":{\"arguments\":");
            string(out, arguments);
            out.extend_from_slice(b"}}]");
        });
    }

    pub fn finish(&mut self, out: &mut Vec<u8>, choice: u32, finish: Finish) {
        self.begin(out, choice);
        self.open(out);
        number(out, ",\"choices\":[{\"index\":", u64::from(choice));
        out.extend_from_slice(b",\"delta\":{},\"logprobs\":null,\"finish_reason\":\"");
        out.extend_from_slice(finish.name().as_bytes());
        out.extend_from_slice(b"\"}]}\n\n");
    }

    /// The usage chunk and `[DONE]`.
    pub fn end(&mut self, out: &mut Vec<u8>, usage: Reading) {
        self.open(out);
        out.extend_from_slice(b",\"choices\":[],\"usage\":");
        usage_into(out, usage);
        out.extend_from_slice(b"}\n\ndata: [DONE]\n\n");
    }

    /// An error in the stream, after which nothing follows.
    pub fn error(out: &mut Vec<u8>, code: &str, kind: &str, message: &str) {
        out.extend_from_slice(&chat_event(code, kind, message));
    }

    fn has_begun(&self, choice: u32) -> bool {
        self.begun >> choice.min(u128::BITS - 1) & 1 == 1
    }

    fn delta(&mut self, out: &mut Vec<u8>, choice: u32, write: impl FnOnce(&mut Vec<u8>)) {
        let begun = self.has_begun(choice);
        self.begun |= 1 << choice.min(u128::BITS - 1);
        self.open(out);
        number(out, ",\"choices\":[{\"index\":", u64::from(choice));
        out.extend_from_slice(b",\"delta\":{");
        if !begun {
            out.extend_from_slice(b"\"role\":\"assistant\",");
        }
        write(out);
        out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":null}]}\n\n");
    }

    fn open(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        head(out, &self.id, "chat.completion.chunk", self.created, &self.model);
        tier(out, self.service_tier);
    }
}

/// Writes usage as the meter reads it back: the same disjoint buckets come out of it. Usage that nobody should be billed
/// by is written as less than nothing, so that the meter takes it for what it is.
pub fn usage_into(out: &mut Vec<u8>, reading: Reading) {
    let usage = match reading {
        Reading::Absent => return out.extend_from_slice(b"null"),
        Reading::Hostile(_) => {
            return out
                .extend_from_slice(b"{\"prompt_tokens\":-1,\"completion_tokens\":-1,\"total_tokens\":-1}");
        }
        Reading::Sound(usage) => usage,
    };
    let (input, output) = (usage.total_input(), usage.total_output());
    number(out, "{\"prompt_tokens\":", input);
    number(out, ",\"completion_tokens\":", output);
    number(out, ",\"total_tokens\":", input.saturating_add(output));
    number(out, ",\"prompt_tokens_details\":{\"cached_tokens\":", usage.cached_input);
    number(out, ",\"cache_write_tokens\":", usage.cache_write.saturating_add(usage.cache_write_hour));
    // OpenAI has no name for it; told only where there is some.
    if usage.cache_write_hour > 0 {
        number(out, ",\"cache_write_hour_tokens\":", usage.cache_write_hour);
    }
    number(out, ",\"audio_tokens\":", usage.audio_in);
    number(out, "},\"completion_tokens_details\":{\"reasoning_tokens\":", usage.reasoning);
    number(out, ",\"audio_tokens\":", usage.audio_out);
    out.extend_from_slice(b"}}");
}

/// A provider's count; 0 for an absent one, and for one that can't be true, of which `hostile` tells then.
pub fn count(value: Option<&Value>, hostile: &mut Option<Hostility>) -> u64 {
    let why = match value {
        None | Some(Value::Null) => return 0,
        Some(value) => match (value.as_u64(), value.as_i64()) {
            (Some(count), _) if count <= MAX_COUNT => return count,
            (Some(_), _) => Hostility::Absurd,
            (None, Some(_)) => Hostility::Negative,
            (None, None) => Hostility::NotACount,
        },
    };
    *hostile = Some(why);
    0
}

fn head(out: &mut Vec<u8>, id: &str, object: &str, created: u64, model: &str) {
    out.extend_from_slice(b"{\"id\":");
    string(out, id);
    out.extend_from_slice(b",\"object\":\"");
    out.extend_from_slice(object.as_bytes());
    number(out, "\",\"created\":", created);
    out.extend_from_slice(b",\"model\":");
    string(out, model);
}

fn tier(out: &mut Vec<u8>, tier: Option<&'static str>) {
    if let Some(tier) = tier {
        out.extend_from_slice(b",\"service_tier\":");
        string(out, tier);
    }
}

fn number(out: &mut Vec<u8>, before: &str, value: u64) {
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(value.to_string().as_bytes());
}

pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape_into(out, text);
    out.push(b'"');
}

/// The call from its id's value to the end of its object.
fn call_into(out: &mut Vec<u8>, call: &ToolCall<'_>) {
    string(out, &call.id);
    out.extend_from_slice(b",\"type\":\"function\",\"function\":{\"name\":");
    string(out, &call.name);
    out.extend_from_slice(b",\"arguments\":");
    string(out, &call.arguments);
    out.push(b'}');
    if let Some(raw) = call.extra.as_deref() {
        out.extend_from_slice(b",\"extra_content\":");
        out.extend_from_slice(raw.as_bytes());
    }
    out.push(b'}');
}

fn string_or_null(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => string(out, text),
        None => out.extend_from_slice(b"null"),
    }
}
