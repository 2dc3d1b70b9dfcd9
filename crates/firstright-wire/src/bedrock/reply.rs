//! What does Converse say back, in the shapes that a whole answer and a stream share?

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::openai::chat::{Finish, count};
use crate::usage::{Hostility, Reading, Usage};

/// `TokenUsage`. Values are read one by one, so that a wrong one is told from an absent one.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TokenUsage {
    input_tokens: Option<Value>,
    output_tokens: Option<Value>,
    total_tokens: Option<Value>,
    cache_read_input_tokens: Option<Value>,
    cache_write_input_tokens: Option<Value>,
    cache_details: Option<Value>,
}

/// `ServiceTier`.
#[derive(Debug, Deserialize)]
pub(super) struct Tier<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
}

/// One of `ReasoningContentBlock`'s two kinds, or a delta of one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReasoningContent<'a> {
    #[serde(borrow)]
    pub reasoning_text: Option<ReasoningText<'a>>,
    /// Base64.
    #[serde(borrow)]
    pub redacted_content: Option<Cow<'a, str>>,
    /// In a delta only.
    #[serde(borrow)]
    pub text: Option<Cow<'a, str>>,
    /// In a delta only.
    #[serde(borrow)]
    pub signature: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ReasoningText<'a> {
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    #[serde(borrow)]
    pub signature: Option<Cow<'a, str>>,
}

impl TokenUsage {
    /// `inputTokens` leaves out what was read from the cache and written to it ("total input tokens = inputTokens +
    /// cacheReadInputTokens + cacheWriteInputTokens", Bedrock's user guide on prompt caching), so the buckets are
    /// disjoint as they come. A model whose total shows that they aren't has them taken apart.
    pub(super) fn reading(&self) -> Reading {
        if self.input_tokens.is_none() && self.output_tokens.is_none() {
            return Reading::Absent;
        }
        let mut hostile = None;
        let mut read = |value: &Option<Value>| count(value.as_ref(), &mut hostile);
        let (input, output) = (read(&self.input_tokens), read(&self.output_tokens));
        let (cached_input, cache_write) =
            (read(&self.cache_read_input_tokens), read(&self.cache_write_input_tokens));
        let total = read(&self.total_tokens);
        let written_hour = self.written_for_an_hour(&mut hostile);
        if let Some(hostile) = hostile {
            return Reading::Hostile(hostile);
        }
        let Some(written) = cache_write.checked_sub(written_hour) else {
            return Reading::Hostile(Hostility::PartsExceedWhole);
        };
        let cache = cached_input + cache_write;
        let inside = cache > 0 && total == input + output && cache <= input;
        Reading::Sound(Usage {
            input: if inside { input - cache } else { input },
            cached_input,
            cache_write: written,
            cache_write_hour: written_hour,
            output,
            requests: 1,
            ..Usage::default()
        })
    }
}

impl TokenUsage {
    /// `cacheDetails` takes apart what was written by how long it is kept (`CacheDetail`: `inputTokens`, `ttl`).
    fn written_for_an_hour(&self, hostile: &mut Option<Hostility>) -> u64 {
        let details = self.cache_details.as_ref().and_then(Value::as_array);
        let hour = details.into_iter().flatten().filter(|detail| detail["ttl"] == "1h");
        hour.map(|detail| count(Some(&detail["inputTokens"]), hostile)).fold(0, u64::saturating_add)
    }
}

impl Tier<'_> {
    /// In OpenAI's words; `reserved` is bought capacity, as `scale` is there.
    pub(super) fn name(&self) -> Option<&'static str> {
        match self.r#type.as_ref() {
            "default" => Some("default"),
            "flex" => Some("flex"),
            "priority" => Some("priority"),
            "reserved" => Some("scale"),
            _ => None,
        }
    }
}

/// Why it stopped. What isn't known, and what the model wrote that nobody could parse, has stopped all the same.
pub(super) fn finish(stop_reason: &str) -> Finish {
    match stop_reason {
        "tool_use" => Finish::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "guardrail_intervened" | "content_filtered" => Finish::ContentFilter,
        _ => Finish::Stop,
    }
}

#[cfg(test)]
mod tests;
