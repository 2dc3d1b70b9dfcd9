//! What does a `GenerateContentResponse` say? A whole answer is one, and each event of a stream.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::openai::chat::{Finish, ToolCall, count};
use crate::usage::{MAX_COUNT, Reading, Usage};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<'a> {
    #[serde(borrow, default)]
    pub candidates: Vec<Candidate<'a>>,
    #[serde(borrow)]
    pub prompt_feedback: Option<Feedback<'a>>,
    #[serde(borrow)]
    pub usage_metadata: Option<UsageMetadata<'a>>,
    #[serde(borrow)]
    pub model_version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub response_id: Option<Cow<'a, str>>,
    /// In a stream an error can come in place of an answer.
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    #[serde(borrow)]
    pub content: Option<Content<'a>>,
    #[serde(borrow)]
    pub finish_reason: Option<Cow<'a, str>>,
    /// Absent for the first one, as protocol buffers leave out zeros.
    #[serde(default)]
    pub index: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Content<'a> {
    #[serde(borrow, default)]
    pub parts: Vec<Part<'a>>,
}

/// Of a part's kinds those that a chat answer has a word for; pictures, code that Google ran and its results are read over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(borrow)]
    pub text: Option<Cow<'a, str>>,
    #[serde(default)]
    pub thought: bool,
    #[serde(borrow)]
    pub function_call: Option<FunctionCall<'a>>,
    /// Base64: Google's proof that the thought before the call was its own. Gemini 3 wants it echoed.
    #[serde(borrow)]
    pub thought_signature: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FunctionCall<'a> {
    #[serde(borrow)]
    pub id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow)]
    pub args: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Feedback<'a> {
    #[serde(borrow)]
    pub block_reason: Option<Cow<'a, str>>,
}

/// Counts are read one by one, so that a wrong one is told from an absent one.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsageMetadata<'a> {
    prompt_token_count: Option<Value>,
    cached_content_token_count: Option<Value>,
    candidates_token_count: Option<Value>,
    thoughts_token_count: Option<Value>,
    tool_use_prompt_token_count: Option<Value>,
    total_token_count: Option<Value>,
    #[serde(borrow, default)]
    prompt_tokens_details: Vec<Modality<'a>>,
    #[serde(borrow, default)]
    cache_tokens_details: Vec<Modality<'a>>,
    #[serde(borrow, default)]
    candidates_tokens_details: Vec<Modality<'a>>,
    #[serde(borrow)]
    pub traffic_type: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Modality<'a> {
    #[serde(borrow, default)]
    modality: Cow<'a, str>,
    token_count: Option<Value>,
}

/// Which capacity served, by `usageMetadata.trafficType`. The Gemini API doesn't tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrafficType {
    /// Pay as you go.
    OnDemand,
    /// Pay as you go at the dearer rate that goes first.
    Priority,
    /// Pay as you go at the cheaper rate that waits.
    Flex,
    /// Pay as you go at the rate for off-peak hours.
    OffPeak,
    /// Bought capacity: what a commitment is burnt down by.
    ProvisionedThroughput,
    /// One that this version doesn't know; unpriced until it does.
    Unknown,
}

impl TrafficType {
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "ON_DEMAND" => Self::OnDemand,
            "ON_DEMAND_PRIORITY" => Self::Priority,
            "ON_DEMAND_FLEX" => Self::Flex,
            "ON_DEMAND_OFFPEAK" => Self::OffPeak,
            "PROVISIONED_THROUGHPUT" => Self::ProvisionedThroughput,
            _ => Self::Unknown,
        }
    }

    /// In OpenAI's words, as `service_tier`: bought capacity is its `scale`. `None` where it has no word.
    #[must_use]
    pub fn service_tier(self) -> Option<&'static str> {
        match self {
            Self::OnDemand => Some("default"),
            Self::Priority => Some("priority"),
            Self::Flex => Some("flex"),
            Self::ProvisionedThroughput => Some("scale"),
            Self::OffPeak | Self::Unknown => None,
        }
    }
}

impl UsageMetadata<'_> {
    pub(super) fn traffic_type(&self) -> Option<TrafficType> {
        match self.traffic_type.as_deref() {
            None | Some("TRAFFIC_TYPE_UNSPECIFIED") => None,
            Some(name) => Some(TrafficType::from_name(name)),
        }
    }

    /// `promptTokenCount` holds the cached tokens; `toolUsePromptTokenCount` and `thoughtsTokenCount` stand beside the
    /// prompt's and the candidates' counts and not within ("total_token_count … is the sum of prompt, candidates,
    /// tool-use prompt and thoughts"). What the total has beyond that sum was thought.
    pub(super) fn reading(&self) -> Reading {
        if self.prompt_token_count.is_none() && self.total_token_count.is_none() {
            return Reading::Absent;
        }
        let mut hostile = None;
        let mut read = |value: &Option<Value>| count(value.as_ref(), &mut hostile);
        let prompt = read(&self.prompt_token_count) + read(&self.tool_use_prompt_token_count);
        let cached = read(&self.cached_content_token_count);
        let candidates = read(&self.candidates_token_count);
        let thoughts = read(&self.thoughts_token_count);
        let total = read(&self.total_token_count);
        let mut audio = |details: &[Modality<'_>]| {
            let of_audio = details.iter().filter(|detail| detail.modality == "AUDIO");
            of_audio.map(|detail| read(&detail.token_count)).fold(0, u64::saturating_add)
        };
        let audio_in = audio(&self.prompt_tokens_details).saturating_sub(audio(&self.cache_tokens_details));
        let audio_out = audio(&self.candidates_tokens_details);
        if let Some(hostile) = hostile {
            return Reading::Hostile(hostile);
        }
        let beyond = total.saturating_sub(prompt + candidates + thoughts);
        let (Some(fresh), Some(output)) = (prompt.checked_sub(cached), candidates.checked_sub(audio_out))
        else {
            return Reading::Hostile(crate::usage::Hostility::PartsExceedWhole);
        };
        let audio_in = audio_in.min(fresh);
        Reading::Sound(Usage {
            input: fresh - audio_in,
            cached_input: cached,
            output,
            reasoning: (thoughts + beyond).min(MAX_COUNT),
            audio_in,
            audio_out,
            requests: 1,
            ..Usage::default()
        })
    }
}

/// The beginning of the ids that are made here where Google gave none.
pub(super) const MADE_ID: &str = "call_gemini_";

impl<'a> FunctionCall<'a> {
    /// As a tool call of OpenAI's: `ordinal` tells it from the others of the conversation's answer `of`, whose choice it
    /// is in.
    pub(super) fn tool_call(&'a self, signature: Option<&str>, ordinal: (&str, u32, u64)) -> ToolCall<'a> {
        let (of, choice, number) = ordinal;
        let id = match &self.id {
            Some(id) if !id.is_empty() => Cow::Borrowed(id.as_ref()),
            _ => Cow::Owned(format!("{MADE_ID}{:08x}_{choice}_{number}", crc32fast::hash(of.as_bytes()))),
        };
        // A signature is base64, but nobody has checked that.
        let signature = signature.and_then(|signature| serde_json::to_string(signature).ok());
        ToolCall {
            id,
            name: Cow::Borrowed(&self.name),
            arguments: Cow::Borrowed(self.args.map_or("{}", RawValue::get)),
            extra: signature
                .map(|signature| Cow::Owned(format!(r#"{{"google":{{"thought_signature":{signature}}}}}"#))),
        }
    }
}

/// Why it stopped. What the model wrote that nobody could parse, and what isn't known, has stopped all the same.
pub(super) fn finish(reason: &str, called: bool) -> Finish {
    match reason {
        "MAX_TOKENS" | "CONTINUATION" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR"
        | "ESCALATION"
        | "PUP_LIMITED_DISABLED" => Finish::ContentFilter,
        // Google says `STOP` whether it stopped for a call or not.
        _ if called => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

#[cfg(test)]
mod tests;
