//! How is an answer of OpenAI's said here?

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::anthropic::response::malformed;
use crate::openai::ServiceTier;
use crate::openai::response::{self, Malformed};
use crate::operation::Operation;
use crate::usage::Reading;

#[derive(Deserialize)]
struct Completion<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    message: Message<'a>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    refusal: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Call<'a>>>,
    #[serde(borrow)]
    thinking_blocks: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    function: Function<'a>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    arguments: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Out<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block<'a>>,
    stop_reason: &'static str,
    stop_sequence: Option<&'static str>,
    usage: Figures,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Input<'a>,
    },
    #[serde(untagged)]
    Thought(&'a RawValue),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Input<'a> {
    Object(&'a RawValue),
    /// What the model wrote in place of a JSON object.
    Invalid {
        invalid_arguments: &'a str,
    },
}

/// Usage as this dialect tells it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Figures {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation: Option<Written>,
    cache_read_input_tokens: u64,
    output_tokens: u64,
    output_tokens_details: Details,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

/// What was written to a cache, by how long it is kept.
#[derive(Debug, Default, Serialize)]
struct Written {
    ephemeral_5m_input_tokens: u64,
    ephemeral_1h_input_tokens: u64,
}

#[derive(Debug, Default, Serialize)]
struct Details {
    thinking_tokens: u64,
}

impl Figures {
    /// Absent usage, and usage that can't be true, is told as none.
    pub(super) fn of(reading: Reading, tier: Option<ServiceTier>) -> Self {
        let usage = reading.sound().unwrap_or_default();
        Self {
            input_tokens: usage.input.saturating_add(usage.audio_in),
            cache_creation_input_tokens: usage.cache_write.saturating_add(usage.cache_write_hour),
            cache_creation: (usage.cache_write_hour > 0).then_some(Written {
                ephemeral_5m_input_tokens: usage.cache_write,
                ephemeral_1h_input_tokens: usage.cache_write_hour,
            }),
            cache_read_input_tokens: usage.cached_input,
            output_tokens: usage.total_output(),
            output_tokens_details: Details { thinking_tokens: usage.reasoning },
            service_tier: match tier {
                Some(ServiceTier::Default) => Some("standard"),
                Some(ServiceTier::Priority) => Some("priority"),
                Some(ServiceTier::Batch) => Some("batch"),
                _ => None,
            },
        }
    }
}

/// Says the `chat.completion` `body` as a message; of several choices the first.
///
/// # Errors
/// [`Malformed`] if it isn't one.
pub fn response(body: &[u8]) -> Result<Vec<u8>, Malformed> {
    let reply = response::read(Operation::ChatCompletions, body)?;
    let completion: Completion<'_> =
        serde_json::from_slice(body).map_err(|error| malformed(&error, "a chat completion"))?;
    let choice = completion.choices.first().ok_or(Malformed { at: 0, expected: "a choice" })?;
    let id = reply.id.as_deref().unwrap_or_default();
    let message = &choice.message;
    let mut content: Vec<Block<'_>> =
        message.thinking_blocks.iter().flatten().map(|raw| Block::Thought(raw)).collect();
    for text in [&message.content, &message.refusal].into_iter().flatten().filter(|text| !text.is_empty()) {
        content.push(Block::Text { text });
    }
    for (number, call) in message.tool_calls.iter().flatten().enumerate() {
        let arguments = call.function.arguments.as_deref().unwrap_or_default();
        let id = match call.id.as_deref() {
            Some(id) if !id.is_empty() => Cow::Borrowed(id),
            _ => Cow::Owned(call_id(id, number as u64)),
        };
        content.push(Block::ToolUse { id, name: &call.function.name, input: input(arguments) });
    }
    let refused = message.refusal.as_deref().is_some_and(|refusal| !refusal.is_empty());
    let out = Out {
        id,
        kind: "message",
        role: "assistant",
        model: reply.model.as_deref().unwrap_or_default(),
        content,
        stop_reason: if refused { "refusal" } else { stop_reason(choice.finish_reason.as_deref()) },
        stop_sequence: None,
        usage: Figures::of(reply.usage, reply.service_tier),
    };
    serde_json::to_vec(&out).map_err(|error| malformed(&error, "a writable message"))
}

/// The id of call `number` of a server that gives none.
pub(super) fn call_id(message: &str, number: u64) -> String {
    format!("toolu_{message}_{number}")
}

fn input(arguments: &str) -> Input<'_> {
    let trimmed = if arguments.trim().is_empty() { "{}" } else { arguments.trim() };
    match serde_json::from_str::<&RawValue>(trimmed) {
        Ok(raw) if raw.get().starts_with('{') => Input::Object(raw),
        _ => Input::Invalid { invalid_arguments: arguments },
    }
}

/// Why an answer ended. A stop sequence can't be told from the natural end.
pub(super) fn stop_reason(finish_reason: Option<&str>) -> &'static str {
    match finish_reason {
        Some("length") => "max_tokens",
        Some("tool_calls" | "function_call") => "tool_use",
        Some("content_filter") => "refusal",
        _ => "end_turn",
    }
}
