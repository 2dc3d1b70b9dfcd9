//! How is a whole answer said in OpenAI's words?

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::auth::date::parse_iso;
use crate::openai::ServiceTier;
use crate::openai::chat::{self, Completion, Finish, count};
use crate::openai::response::Malformed;
use crate::usage::{Reading, Reported};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    model_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    chat_response: Answer<'a>,
}

/// An answer of any format.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    /// Of `COHEREV2`.
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    time_created: Option<Cow<'a, str>>,
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Call<'a>>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    usage: Value,
    #[serde(borrow)]
    service_tier: Option<Cow<'a, str>>,
}

/// A choice of `GENERIC`; in a stream, an event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Choice<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub content: Option<Vec<Content<'a>>>,
    #[serde(borrow)]
    pub refusal: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub reasoning_content: Option<Cow<'a, str>>,
    /// What `COHEREV2` means to do by its calls.
    #[serde(borrow)]
    pub tool_plan: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub tool_calls: Option<Vec<Call<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Content<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    /// Of `COHEREV2`.
    #[serde(borrow)]
    thinking: Option<Cow<'a, str>>,
}

/// A call: `GENERIC` tells an id and arguments as a text, `COHERE` parameters as an object, `COHEREV2` an id and a function.
#[derive(Deserialize)]
pub(super) struct Call<'a> {
    #[serde(borrow)]
    pub id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub arguments: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    pub function: Option<Function<'a>>,
}

/// What `COHEREV2` calls.
#[derive(Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub arguments: Option<Cow<'a, str>>,
}

impl Call<'_> {
    /// The arguments, or as much of them as there is.
    pub(super) fn arguments(&self) -> &str {
        let of_function = self.function.as_ref().and_then(|function| function.arguments.as_deref());
        of_function.or(self.arguments.as_deref()).or(self.parameters.map(RawValue::get)).unwrap_or_default()
    }

    /// The function's name; empty in what goes on with a call.
    pub(super) fn name(&self) -> &str {
        let of_function = self.function.as_ref().and_then(|function| function.name.as_deref());
        of_function.or(self.name.as_deref()).unwrap_or_default()
    }
}

impl Message<'_> {
    /// All its thoughts, and what it means to do.
    pub(super) fn reasoning(&self) -> Option<String> {
        let thoughts = self.content.iter().flatten().filter_map(|content| content.thinking.as_deref());
        let all = [self.reasoning_content.as_deref(), self.tool_plan.as_deref()].into_iter().flatten();
        let mut pieces = thoughts.chain(all).filter(|piece| !piece.is_empty()).peekable();
        pieces.peek().is_some().then(|| pieces.collect())
    }

    /// All its text.
    pub(super) fn text(&self) -> Option<String> {
        let mut pieces =
            self.content.iter().flatten().filter_map(|content| content.text.as_deref()).peekable();
        pieces.peek().is_some().then(|| pieces.collect())
    }
}

/// Says the whole answer `body` as a `chat.completion`. The model is the one that the answer names, else `model`.
///
/// # Errors
/// [`Malformed`] if it isn't an answer, or one that the provider says has failed.
pub fn response(body: &[u8], model: &str) -> Result<Vec<u8>, Malformed> {
    let said = body;
    let body: Body<'_> = serde_json::from_slice(said).map_err(|error| malformed(&error, "a chat result"))?;
    let answer = body.chat_response;
    if answer.finish_reason.as_deref().is_some_and(has_failed) {
        return Err(Malformed { at: 0, expected: "an answer that hasn't failed" });
    }
    let choices = match (answer.choices, answer.message) {
        (Some(choices), _) => choices.into_iter().map(|choice| generic(choice, said)).collect(),
        (None, Some(message)) => {
            let only = Choice { message: Some(message), finish_reason: answer.finish_reason };
            vec![generic(only, said)]
        }
        (None, None) => {
            let message = Message { tool_calls: answer.tool_calls, ..Message::default() };
            vec![choice(answer.text, message, answer.finish_reason.as_deref(), said)]
        }
    };
    Ok(Completion {
        id: answer.id.unwrap_or_default(),
        created: answer.time_created.as_deref().and_then(parse_iso).unwrap_or(0),
        model: body.model_id.unwrap_or(Cow::Borrowed(model)),
        choices,
        usage: reading(&answer.usage),
        service_tier: answer.service_tier.as_deref().and_then(tier_name),
    }
    .to_vec())
}

fn generic<'a>(given: Choice<'a>, said: &[u8]) -> chat::Choice<'a> {
    let message = given.message.unwrap_or_default();
    let text = message.text().map(Cow::Owned);
    choice(text, message, given.finish_reason.as_deref(), said)
}

fn choice<'a>(
    text: Option<Cow<'a, str>>,
    message: Message<'a>,
    finish_reason: Option<&str>,
    said: &[u8],
) -> chat::Choice<'a> {
    let reasoning = message.reasoning().map(Cow::Owned);
    let calls = message.tool_calls.unwrap_or_default();
    let called = !calls.is_empty();
    let calls = calls.into_iter().enumerate().map(|(index, call)| {
        let arguments = Cow::Owned(whole(call.arguments()).to_owned());
        let name = Cow::Owned(call.name().to_owned());
        let id =
            call.id.filter(|id| !id.is_empty()).unwrap_or_else(|| Cow::Owned(call_id(said, index as u64)));
        chat::ToolCall { id, name, arguments, extra: None }
    });
    chat::Choice {
        content: text.filter(|text| !(called && text.is_empty())),
        refusal: message.refusal,
        reasoning,
        thinking: None,
        calls: calls.collect(),
        finish: finish(finish_reason, called),
    }
}

/// Arguments that clients can parse, where none were given.
fn whole(arguments: &str) -> &str {
    if arguments.trim().is_empty() { "{}" } else { arguments }
}

/// The id of call `index` of an answer (or event) whose calls have none. It should differ from those of earlier turns,
/// and nothing here is random: it follows from all that was said, which holds the history where there is no id.
pub(super) fn call_id(said: &[u8], index: u64) -> String {
    // FNV-1a.
    let hash = said.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("call_{hash:016x}_{index}")
}

/// Why an answer ended. The formats differ in names and in case; `COHERE` tells no end by calls.
pub(super) fn finish(reason: Option<&str>, called: bool) -> Finish {
    match reason.unwrap_or_default().to_ascii_uppercase().as_str() {
        "LENGTH" | "MAX_TOKENS" | "ERROR_LIMIT" => Finish::Length,
        "CONTENT_FILTER" | "CONTENT_FILTERED" | "SAFETY" | "ERROR_TOXIC" => Finish::ContentFilter,
        "TOOL_CALL" | "TOOL_CALLS" => Finish::ToolCalls,
        _ if called => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

/// Whether the provider says that it gave up.
pub(super) fn has_failed(reason: &str) -> bool {
    matches!(reason, "ERROR" | "USER_CANCEL")
}

/// The tier that served, in OpenAI's words.
pub(super) fn tier_name(name: &str) -> Option<&'static str> {
    match ServiceTier::from_name(&name.to_ascii_lowercase()) {
        ServiceTier::Default => Some("default"),
        ServiceTier::Priority => Some("priority"),
        _ => None,
    }
}

/// Usage, whose figures relate as OpenAI's do: details are parts of the totals.
pub(super) fn reading(usage: &Value) -> Reading {
    if !usage.is_object() {
        return Reading::Absent;
    }
    let mut hostile = None;
    let mut told = |value: &Value| (!value.is_null()).then(|| count(Some(value), &mut hostile));
    let reported = Reported {
        input: told(&usage["promptTokens"]),
        output: told(&usage["completionTokens"]),
        total: told(&usage["totalTokens"]),
        cached: told(&usage["promptTokensDetails"]["cachedTokens"]).unwrap_or(0),
        reasoning: told(&usage["completionTokensDetails"]["reasoningTokens"]).unwrap_or(0),
        ..Reported::default()
    };
    hostile.map_or_else(|| reported.disjoint(), Reading::Hostile)
}

/// Where the text stopped making sense; bodies and events come on one line, so the column is the offset.
pub(super) fn malformed(error: &serde_json::Error, expected: &'static str) -> Malformed {
    Malformed { at: error.column(), expected }
}

#[cfg(test)]
mod tests;
