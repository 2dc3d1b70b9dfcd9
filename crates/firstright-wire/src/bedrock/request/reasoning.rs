//! How hard shall the model think, in the words of its maker?
//!
//! Converse has no word of its own that all models take, so `reasoning_effort` becomes a field of the model's own API,
//! known by its family: Anthropic's `thinking`, OpenAI's `reasoning_effort`, Amazon Nova's `reasoningConfig`. Of other
//! families, and of ARNs that hide theirs, nothing is known and the wish is refused.
//!
//! Source: Amazon Bedrock's user guide, "Adaptive thinking" and "Extended thinking"; Amazon Nova 2's, "Using reasoning".

use serde::Serialize;

use crate::anthropic::{called_without_thought, is_adaptive};
use crate::openai::chat::{Effort, Request, ToolChoice, unsayable};
use crate::openai::request::BadRequest;

/// The least that Anthropic lets a model think, in tokens.
const MIN_THINKING_TOKENS: u64 = 1024;

/// The most that is asked for by an effort, in tokens: beyond it the provider's guide advises batches.
const MAX_THINKING_TOKENS: u64 = 32_000;

/// `additionalModelRequestFields`: every family has its own.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct ModelFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputEffort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "reasoningConfig")]
    reasoning_config: Option<NovaReasoning>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Thinking {
    Adaptive,
    Enabled { budget_tokens: u64 },
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct OutputEffort {
    effort: &'static str,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct NovaReasoning {
    r#type: &'static str,
    #[serde(rename = "maxReasoningEffort")]
    effort: &'static str,
}

/// What the wish for reasoning becomes; `None` if there is none, or if it is for none and the model thinks only when asked.
pub(super) fn fields(
    name: &str,
    request: &Request<'_>,
    max_tokens: u64,
) -> Result<Option<ModelFields>, BadRequest> {
    let Some(effort) = request.effort else { return Ok(None) };
    if name.contains("anthropic.") {
        return anthropic(name, effort, request, max_tokens);
    }
    let none = effort == Effort::None;
    if name.contains("amazon.nova-2") {
        let effort = match effort {
            Effort::None => return Ok(None),
            Effort::Minimal | Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High | Effort::XHigh => {
                return Err(refused("at `high` Nova takes no bound for the answer"));
            }
        };
        let config = NovaReasoning { r#type: "enabled", effort };
        return Ok(Some(ModelFields { reasoning_config: Some(config), ..ModelFields::default() }));
    }
    if name.contains("openai.") && !none {
        return Ok(Some(ModelFields { reasoning_effort: Some(level(effort)), ..ModelFields::default() }));
    }
    Err(refused("it is not known how this model takes it"))
}

/// As [`crate::anthropic`] does it: a forced tool, or an earlier call whose signed thought is gone, rules thinking out,
/// since the provider would refuse both together.
fn anthropic(
    name: &str,
    effort: Effort,
    request: &Request<'_>,
    max_tokens: u64,
) -> Result<Option<ModelFields>, BadRequest> {
    let percent = match effort {
        Effort::None => return Ok(None),
        Effort::Minimal => 10,
        Effort::Low => 20,
        Effort::Medium => 50,
        Effort::High => 80,
        Effort::XHigh => 95,
    };
    let forced = matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Function(_)));
    let mut fields = ModelFields::default();
    if is_adaptive(name) {
        fields.thinking = (!forced).then_some(Thinking::Adaptive);
        fields.output_config = Some(OutputEffort { effort: level(effort) });
    } else {
        // A budget must leave room for the answer.
        let wanted = (max_tokens / 100).saturating_mul(percent);
        let budget_tokens = wanted.clamp(MIN_THINKING_TOKENS, MAX_THINKING_TOKENS);
        if forced || budget_tokens >= max_tokens || called_without_thought(&request.messages) {
            return Ok(None);
        }
        fields.thinking = Some(Thinking::Enabled { budget_tokens });
    }
    if fields.thinking.is_some() {
        if request.temperature.is_some_and(|temperature| temperature != 1.0) {
            return Err(unsayable("temperature", "Claude takes none while it thinks"));
        }
        if request.top_p.is_some_and(|top_p| top_p < 0.95) {
            return Err(unsayable("top_p", "Claude takes none below 0.95 while it thinks"));
        }
    }
    Ok(Some(fields))
}

fn level(effort: Effort) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::XHigh => "xhigh",
    }
}

fn refused(why: &str) -> BadRequest {
    unsayable("reasoning_effort", why)
}
