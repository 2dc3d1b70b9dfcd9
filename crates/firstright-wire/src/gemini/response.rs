//! How is a whole answer said in OpenAI's language?

use std::borrow::Cow;

use super::reply::{Answer, Candidate, TrafficType, UsageMetadata, finish};
use crate::anthropic::malformed;
use crate::openai::chat::{Choice, Completion, Finish};
use crate::openai::request::MAX_CHOICES;
use crate::openai::response::Malformed;
use crate::usage::Reading;

/// Translates the body of a `200` from `:generateContent`. `model` is what the answer shall call the model if it
/// doesn't tell its version. A prompt that
/// was blocked is an answer without words that was stopped by the content filter.
///
/// # Errors
/// [`Malformed`] if the body is no answer of Gemini.
pub fn response(body: &[u8], model: &str) -> Result<Vec<u8>, Malformed> {
    let answer = read(body)?;
    let id = answer.response_id.as_deref().unwrap_or_default();
    let mut candidates: Vec<&Candidate<'_>> = answer.candidates.iter().collect();
    candidates.sort_by_key(|candidate| candidate.index);
    candidates.truncate(MAX_CHOICES as usize);
    let mut choices: Vec<Choice<'_>> = candidates.iter().map(|candidate| choice(candidate, id)).collect();
    if choices.is_empty() {
        let blocked = answer.prompt_feedback.as_ref().is_some_and(|feedback| feedback.block_reason.is_some());
        choices.push(Choice {
            content: Some(Cow::Borrowed("")),
            refusal: None,
            reasoning: None,
            thinking: None,
            calls: Vec::new(),
            finish: if blocked { Finish::ContentFilter } else { Finish::Stop },
        });
    }
    let usage = answer.usage_metadata.as_ref();
    let completion = Completion {
        id: Cow::Borrowed(id),
        model: Cow::Borrowed(answer.model_version.as_deref().unwrap_or(model)),
        choices,
        usage: usage.map_or(Reading::Absent, UsageMetadata::reading),
        service_tier: usage.and_then(UsageMetadata::traffic_type).and_then(TrafficType::service_tier),
        ..Completion::default()
    };
    Ok(completion.to_vec())
}

/// Which capacity served, by the body of a `200` from `:generateContent`; `None` if it isn't told.
#[must_use]
pub fn traffic_type(body: &[u8]) -> Option<TrafficType> {
    read(body).ok()?.usage_metadata?.traffic_type()
}

fn read(body: &[u8]) -> Result<Answer<'_>, Malformed> {
    let expected = "an answer of Gemini";
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|error| malformed(&error, expected))?;
    if answer.error.is_some() { Err(Malformed { at: 0, expected }) } else { Ok(answer) }
}

fn choice<'a>(candidate: &'a Candidate<'a>, id: &str) -> Choice<'a> {
    let (mut text, mut reasoning, mut calls) = (String::new(), String::new(), Vec::new());
    for part in candidate.content.iter().flat_map(|content| &content.parts) {
        if let Some(said) = &part.text {
            if part.thought { &mut reasoning } else { &mut text }.push_str(said);
        }
        if let Some(call) = &part.function_call {
            let ordinal = (id, candidate.index, calls.len() as u64);
            calls.push(call.tool_call(part.thought_signature.as_deref(), ordinal));
        }
    }
    let finish = finish(candidate.finish_reason.as_deref().unwrap_or_default(), !calls.is_empty());
    let some = |text: String| (!text.is_empty()).then_some(Cow::Owned(text));
    let content = if text.is_empty() && calls.is_empty() { Some(Cow::Borrowed("")) } else { some(text) };
    Choice { content, refusal: None, reasoning: some(reasoning), thinking: None, calls, finish }
}

#[cfg(test)]
mod tests;
