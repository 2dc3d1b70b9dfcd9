//! How is Converse's whole answer said in OpenAI's language?

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::reply::{ReasoningContent, Tier, TokenUsage, finish};
use crate::anthropic::malformed;
use crate::openai::chat::{Choice, Completion, Finish, ToolCall};
use crate::openai::response::Malformed;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    output: Output<'a>,
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    usage: TokenUsage,
    #[serde(borrow)]
    service_tier: Option<Tier<'a>>,
}

#[derive(Debug, Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Vec<Block<'a>>,
}

/// Of `ContentBlock`'s kinds those that a chat answer has a word for; pictures and searches are read over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_use: Option<ToolUse<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<ReasoningContent<'a>>,
    #[serde(borrow)]
    citations_content: Option<Citations<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse<'a> {
    #[serde(borrow)]
    tool_use_id: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Citations<'a> {
    #[serde(borrow, default)]
    content: Vec<Cited<'a>>,
}

#[derive(Debug, Deserialize)]
struct Cited<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

/// A thought as its provider signed it, in the shape that [`super::request()`] reads back.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thought<'a> {
    Thinking { thinking: &'a str, signature: &'a str },
    RedactedThinking { data: &'a str },
}

/// Translates the body of a `200` from `/converse`. `model` is what the answer shall call the model. The answer's `id`
/// is empty: Converse tells its own in the header `x-amzn-requestid` only.
///
/// # Errors
/// [`Malformed`] if the body is no answer of Converse.
pub fn response(body: &[u8], model: &str) -> Result<Vec<u8>, Malformed> {
    let answer: Answer<'_> =
        serde_json::from_slice(body).map_err(|error| malformed(&error, "an answer of Converse"))?;
    let (mut text, mut reasoning) = (String::new(), String::new());
    let (mut thoughts, mut calls) = (Vec::new(), Vec::new());
    for block in &answer.output.message.content {
        text.push_str(block.text.as_deref().unwrap_or_default());
        for cited in block.citations_content.iter().flat_map(|citations| &citations.content) {
            text.push_str(cited.text.as_deref().unwrap_or_default());
        }
        if let Some(content) = &block.reasoning_content {
            if let Some(thought) = &content.reasoning_text {
                reasoning.push_str(&thought.text);
                let signature = thought.signature.as_deref().unwrap_or_default();
                if !signature.is_empty() {
                    thoughts.push(Thought::Thinking { thinking: &thought.text, signature });
                }
            }
            if let Some(data) = &content.redacted_content {
                thoughts.push(Thought::RedactedThinking { data });
            }
        }
        if let Some(call) = &block.tool_use {
            calls.push(ToolCall {
                id: Cow::Borrowed(&call.tool_use_id),
                name: Cow::Borrowed(&call.name),
                arguments: Cow::Borrowed(call.input.map_or("{}", RawValue::get)),
                extra: None,
            });
        }
    }
    let some = |text: String| (!text.is_empty()).then_some(Cow::Owned(text));
    let finish = answer.stop_reason.as_deref().map_or(Finish::Stop, finish);
    let content = if text.is_empty() && calls.is_empty() { Some(Cow::Borrowed("")) } else { some(text) };
    let choice = Choice {
        content,
        refusal: None,
        reasoning: some(reasoning),
        thinking: signed(&thoughts),
        calls,
        finish,
    };
    let completion = Completion {
        model: Cow::Borrowed(model),
        choices: vec![choice],
        usage: answer.usage.reading(),
        service_tier: answer.service_tier.as_ref().and_then(Tier::name),
        ..Completion::default()
    };
    Ok(completion.to_vec())
}

/// Thoughts as a raw JSON array; `None` if there are none to echo.
pub(super) fn signed(thoughts: &[Thought<'_>]) -> Option<Cow<'static, str>> {
    if thoughts.is_empty() {
        return None;
    }
    serde_json::to_string(thoughts).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests;
