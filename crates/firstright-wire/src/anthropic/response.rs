//! How is a whole answer said in OpenAI's words?

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::usage::Tokens;
use crate::openai::chat::{Choice, Completion, Finish, ToolCall};
use crate::openai::response::Malformed;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Vec<&'a RawValue>,
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    usage: Value,
}

/// A content block, with the members of every kind that a request of ours can bring about.
#[derive(Deserialize)]
pub(super) struct Block<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    #[serde(borrow)]
    pub text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub thinking: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub input: Option<&'a RawValue>,
}

/// Says the whole answer `body` as a `chat.completion`. The model is the one that the answer names, else `model`;
/// `created` is 0, since this dialect doesn't tell it.
///
/// # Errors
/// [`Malformed`] if it isn't a message.
pub fn response(body: &[u8], model: &str) -> Result<Vec<u8>, Malformed> {
    let message: Message<'_> =
        serde_json::from_slice(body).map_err(|error| malformed(&error, "a message"))?;
    let mut tokens = Tokens::default();
    tokens.learn(message.usage);
    Ok(Completion {
        id: message.id,
        created: 0,
        model: message.model.unwrap_or(Cow::Borrowed(model)),
        choices: vec![choice(&message.content, message.stop_reason.as_deref())?],
        usage: tokens.reading(),
        service_tier: tokens.tier_name(),
    }
    .to_vec())
}

fn choice<'a>(content: &[&'a RawValue], stop_reason: Option<&str>) -> Result<Choice<'a>, Malformed> {
    let (mut text, mut reasoning) = (None::<Cow<'a, str>>, None::<Cow<'a, str>>);
    let (mut thoughts, mut calls) = (Vec::new(), Vec::new());
    for raw in content {
        let block: Block<'a> =
            serde_json::from_str(raw.get()).map_err(|error| malformed(&error, "a content block"))?;
        match block.kind.as_ref() {
            "text" => append(&mut text, block.text.unwrap_or_default()),
            "thinking" => {
                append(&mut reasoning, block.thinking.unwrap_or_default());
                thoughts.push(raw.get());
            }
            "redacted_thinking" => thoughts.push(raw.get()),
            "tool_use" => calls.push(ToolCall {
                id: block.id.unwrap_or_default(),
                name: block.name.unwrap_or_default(),
                arguments: Cow::Borrowed(block.input.map_or("{}", RawValue::get)),
                extra: None,
            }),
            // The provider's own tools, which nothing that is said here can ask for.
            _ => {}
        }
    }
    Ok(Choice {
        content: text,
        refusal: None,
        reasoning: reasoning.filter(|reasoning| !reasoning.is_empty()),
        thinking: (!thoughts.is_empty()).then(|| Cow::Owned(format!("[{}]", thoughts.join(",")))),
        calls,
        finish: finish(stop_reason),
    })
}

fn append<'a>(text: &mut Option<Cow<'a, str>>, more: Cow<'a, str>) {
    match text {
        None => *text = Some(more),
        Some(text) => text.to_mut().push_str(&more),
    }
}

/// Why an answer ended. `pause_turn` comes of the provider's own tools only.
pub(super) fn finish(stop_reason: Option<&str>) -> Finish {
    match stop_reason {
        Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
        Some("tool_use") => Finish::ToolCalls,
        Some("refusal") => Finish::ContentFilter,
        _ => Finish::Stop,
    }
}

/// Where the text stopped making sense; bodies and events come on one line, so the column is the offset.
pub(crate) fn malformed(error: &serde_json::Error, expected: &'static str) -> Malformed {
    Malformed { at: error.column(), expected }
}
