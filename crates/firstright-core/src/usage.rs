//! How much was used, by which tier of service? Disjoint buckets: no token stands in two of them, so that each can be
//! priced by itself.

use serde::{Deserialize, Serialize};

use crate::units::Money;
use crate::world::Rates;

/// Metered quantity of a call. Counts are tokens unless said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input that was neither read from nor written to a cache, and is not audio.
    pub input: u64,
    /// Input read from a cache.
    pub cached_input: u64,
    /// Input written to a cache, for minutes or for as long as the provider likes.
    pub cache_write: u64,
    /// Input written to a cache for an hour, where that is dearer.
    pub cache_write_hour: u64,
    /// Visible output that is not audio.
    pub output: u64,
    /// Output that was thought and not shown.
    pub reasoning: u64,
    /// Audio input.
    pub audio_in: u64,
    /// Audio output.
    pub audio_out: u64,
    /// Images made, in pieces.
    pub images: u64,
    /// Audio by its length, where it is billed so, in seconds.
    pub audio_seconds: u64,
    /// Text by its length, where it is billed so, in characters.
    pub characters: u64,
    /// Tokens that a model was trained on, every time that each was seen.
    pub trained: u64,
    /// Requests.
    pub requests: u64,
}

/// The tier of service: asked for in a call, served in an answer. What served is what is billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tier {
    /// Pay as you go without a promise of speed.
    #[default]
    Default,
    /// Slower and cheaper.
    Flex,
    /// Faster and dearer.
    Priority,
    /// Capacity bought ahead at the provider.
    Scale,
    /// Within a day.
    Batch,
    /// One that this version does not know: unpriced.
    Unknown,
}

/// A price of tokens or characters is for a million of them.
const MILLION: u64 = 1_000_000;
/// A price of audio by its length is for a minute.
const SECONDS_PER_MINUTE: u64 = 60;

impl Tier {
    /// Every tier that agreements can name.
    pub const NAMED: [(&'static str, Tier); 5] = [
        ("default", Tier::Default),
        ("flex", Tier::Flex),
        ("priority", Tier::Priority),
        ("scale", Tier::Scale),
        ("batch", Tier::Batch),
    ];

    /// The word that agreements use.
    pub fn word(self) -> &'static str {
        Tier::NAMED.iter().find(|(_, tier)| *tier == self).map_or("unknown", |(word, _)| word)
    }
}

impl Usage {
    /// Tokens that came in, of every kind.
    pub fn all_input(&self) -> u64 {
        let written = self.cache_write.saturating_add(self.cache_write_hour);
        let text = self.input.saturating_add(self.cached_input).saturating_add(written);
        text.saturating_add(self.audio_in)
    }

    /// Tokens that went out, of every kind.
    pub fn all_output(&self) -> u64 {
        self.output.saturating_add(self.reasoning).saturating_add(self.audio_out)
    }

    /// Tokens that came in or went out, of every kind. Those that a model was trained on did neither.
    pub fn tokens(&self) -> u64 {
        self.all_input().saturating_add(self.all_output())
    }

    /// What a provisioned bucket is charged for: cached input is free there.
    pub fn uncached(&self) -> u64 {
        self.tokens().saturating_sub(self.cached_input)
    }

    /// The sum at these rates, in nano-units; `None` if something was used that has no price.
    //= rights/price.md#PR-7
    pub fn at(&self, rates: &Rates) -> Option<Money> {
        let requests = rates.request.unwrap_or(Money::ZERO).for_quantity(self.requests, 1);
        if rates.is_flat() {
            return Some(requests);
        }
        // A picture and the tokens that it is made of are one thing: the price of either will do.
        let drawn = self.images > 0;
        let image = rates.image.or(rates.output.filter(|_| self.output > 0).map(|_| Money::ZERO));
        let output = rates.output.or(rates.image.filter(|_| drawn).map(|_| Money::ZERO));
        let buckets = [
            (self.input, rates.input, MILLION),
            (self.cached_input, rates.cached_input.or(rates.input), MILLION),
            (self.cache_write, rates.cache_write, MILLION),
            (self.cache_write_hour, rates.cache_write_hour, MILLION),
            (self.output, output, MILLION),
            (self.reasoning, rates.reasoning.or(rates.output), MILLION),
            (self.audio_in, rates.audio_input, MILLION),
            (self.audio_out, rates.audio_output, MILLION),
            (self.images, image, 1),
            (self.audio_seconds, rates.minute, SECONDS_PER_MINUTE),
            (self.characters, rates.character, MILLION),
            (self.trained, rates.trained, MILLION),
        ];
        buckets.into_iter().try_fold(requests, |sum, (used, rate, per)| match (used, rate) {
            (0, _) => Some(sum),
            (used, Some(rate)) => Some(sum.plus(rate.for_quantity(used, per))),
            (_, None) => None,
        })
    }
}

#[cfg(test)]
mod tests;
