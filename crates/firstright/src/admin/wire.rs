//! What do bodies look like? JSON in and out; unknown keys are errors.

use serde::{Deserialize, Serialize};

/// A holder's answer to an offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AnswerBody {
    /// The party's id.
    pub by: String,
    /// `accept`, `decline`, `partial` or `counter`.
    pub answer: String,
    /// Why it declines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Accelerators, of a part or a counter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Price of an accelerator-hour of a counter: `2.50 USD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<String>,
}

/// The operator's answer to a counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CounterBody {
    /// Does it agree?
    pub agreed: bool,
}

/// A third party's firm quote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct QuoteBody {
    /// Who quotes.
    pub provider: String,
    /// Price of an accelerator-hour: `2.50 USD`.
    pub hour: String,
    /// Until when it is firm: a time such as `2030-12-31T12:00:00Z`.
    pub until: String,
}

/// What a provider has free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeclareBody {
    /// The kind of accelerator.
    pub accelerator: String,
    /// How many are free.
    pub free: u32,
}

/// What was put on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SaidBody {
    /// The record's number; it is on disk.
    pub record: u64,
    /// The job, where one was submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<u64>,
    /// What was decided, in words.
    pub decided: Vec<String>,
}

/// What a reload brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReloadBody {
    /// The version in force; the first is 1.
    pub version: u64,
    /// The record that holds the new law, if the law changed; it is on disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// What changed, one a line.
    pub changes: Vec<String>,
    /// What the law may not mean.
    pub warnings: Vec<String>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorInner,
}

/// Its name and its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorInner {
    /// For machines.
    pub code: String,
    /// For people.
    pub message: String,
}
