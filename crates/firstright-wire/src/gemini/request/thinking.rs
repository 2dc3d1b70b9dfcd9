//! How hard shall the model think?
//!
//! Gemini 2.5 takes a budget in tokens, later ones a level. Both by Google's own table of how `reasoning_effort` is read
//! where it speaks OpenAI's dialect (Gemini API, "OpenAI compatibility"). Earlier models don't think.

use serde::Serialize;

use crate::openai::chat::{Effort, unsayable};
use crate::openai::request::BadRequest;

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum ThinkingConfig {
    ThinkingBudget(u64),
    ThinkingLevel(&'static str),
}

pub(super) fn config(name: &str, effort: Option<Effort>) -> Result<Option<ThinkingConfig>, BadRequest> {
    let Some(effort) = effort else { return Ok(None) };
    if signs_thoughts(name) {
        let level = match effort {
            Effort::None => return Err(unsayable("reasoning_effort", "this model always thinks")),
            Effort::Minimal => "MINIMAL",
            Effort::Low => "LOW",
            Effort::Medium => "MEDIUM",
            Effort::High | Effort::XHigh => "HIGH",
        };
        return Ok(Some(ThinkingConfig::ThinkingLevel(level)));
    }
    if !name.contains("gemini-2.5") {
        return match effort {
            Effort::None => Ok(None),
            _ => Err(unsayable("reasoning_effort", "this model doesn't think")),
        };
    }
    let budget = match effort {
        Effort::None => 0,
        Effort::Minimal | Effort::Low => 1024,
        Effort::Medium => 8192,
        Effort::High | Effort::XHigh => 24_576,
    };
    Ok(Some(ThinkingConfig::ThinkingBudget(budget)))
}

/// Gemini 3 and later: they think by levels, and refuse a function call of theirs that comes back without its signature.
/// A name without a version (a tuned model's) counts as later.
pub(super) fn signs_thoughts(name: &str) -> bool {
    let version = name.split("gemini-").nth(1).unwrap_or_default();
    !(version.starts_with("1.") || version.starts_with("2.") || name.contains("gemma"))
}
