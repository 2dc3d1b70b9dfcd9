//! What was used, in this dialect's figures?

use serde::Deserialize;
use serde_json::Value;

use crate::openai::ServiceTier;
use crate::openai::chat::count;
use crate::usage::{Hostility, Reading, Usage};

/// The figures of one message, gathered over the events that tell them. Each is cumulative, and the last one told holds:
/// the final totals may correct even the input that the beginning told.
///
/// `cache_creation` takes apart what was written by how long it is kept, and may be left out.
///
/// Unlike OpenAI's, `input_tokens` leaves out what was read from or written to a cache; `output_tokens` has thoughts in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    input: u64,
    cache_read: u64,
    /// All that was written, also for an hour.
    cache_write: u64,
    cache_write_hour: u64,
    output: u64,
    thinking: u64,
    told: bool,
    hostile: Option<Hostility>,
    tier: Option<ServiceTier>,
}

/// The members of a `usage` object that are read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Figures {
    input_tokens: Value,
    cache_read_input_tokens: Value,
    cache_creation_input_tokens: Value,
    cache_creation: Value,
    output_tokens: Value,
    output_tokens_details: Value,
    service_tier: Value,
}

impl Tokens {
    /// Takes in a `usage` object.
    pub(super) fn learn(&mut self, usage: Value) {
        if usage.is_null() {
            return;
        }
        self.told = true;
        let figures = usage.is_object().then(|| serde_json::from_value::<Figures>(usage));
        let Some(Ok(figures)) = figures else {
            self.hostile = Some(Hostility::NotACount);
            return;
        };
        for (slot, value) in [
            (&mut self.input, &figures.input_tokens),
            (&mut self.cache_read, &figures.cache_read_input_tokens),
            (&mut self.cache_write, &figures.cache_creation_input_tokens),
            (&mut self.cache_write_hour, &figures.cache_creation["ephemeral_1h_input_tokens"]),
            (&mut self.output, &figures.output_tokens),
            (&mut self.thinking, &figures.output_tokens_details["thinking_tokens"]),
        ] {
            if !value.is_null() {
                *slot = count(Some(value), &mut self.hostile);
            }
        }
        self.tier = figures.service_tier.as_str().map(ServiceTier::from_name).or(self.tier);
    }

    pub(super) fn reading(&self) -> Reading {
        if !self.told {
            return Reading::Absent;
        }
        if let Some(hostility) = self.hostile {
            return Reading::Hostile(hostility);
        }
        let parts =
            self.output.checked_sub(self.thinking).zip(self.cache_write.checked_sub(self.cache_write_hour));
        let Some((visible, cache_write)) = parts else {
            return Reading::Hostile(Hostility::PartsExceedWhole);
        };
        Reading::Sound(Usage {
            input: self.input,
            cached_input: self.cache_read,
            cache_write,
            cache_write_hour: self.cache_write_hour,
            output: visible,
            reasoning: self.thinking,
            requests: 1,
            ..Usage::default()
        })
    }

    /// The tier that served.
    pub(super) fn tier(&self) -> Option<ServiceTier> {
        self.tier
    }

    /// The tier that served, in OpenAI's words.
    pub(super) fn tier_name(&self) -> Option<&'static str> {
        match self.tier {
            Some(ServiceTier::Default) => Some("default"),
            Some(ServiceTier::Priority) => Some("priority"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
