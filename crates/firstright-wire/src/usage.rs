//! How much was used, so that no token is counted twice?

/// Metered quantity in disjoint buckets: a token is in one bucket only, so that each can be priced by itself and the
/// buckets add up to what the provider reports as its totals. Counts are tokens unless said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input that was neither read from nor written to a cache, and isn't audio.
    pub input: u64,
    /// Input read from the provider's prompt cache.
    pub cached_input: u64,
    /// Input written to the provider's prompt cache, for minutes or for as long as the provider likes.
    pub cache_write: u64,
    /// Input written to the provider's prompt cache for an hour, where that is told apart.
    pub cache_write_hour: u64,
    /// Visible output; rejected predictions are in here, since they are billed as output.
    pub output: u64,
    /// Output that was thought and not shown.
    pub reasoning: u64,
    /// Audio input that was not read from a cache.
    pub audio_in: u64,
    pub audio_out: u64,
    /// Images made, in pieces.
    pub images: u64,
    /// Sound that is billed by its length, in seconds.
    pub audio_seconds: u64,
    /// Calls; one for each reply read.
    pub requests: u64,
}

/// The most that one call is believed to have used, in tokens or pieces: ten times the largest context window known.
pub const MAX_COUNT: u64 = 100_000_000;

/// What a provider said about usage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reading {
    /// Nothing, or `null`.
    #[default]
    Absent,
    Sound(Usage),
    /// A figure that nobody should be billed by: settle by our own count, and set the reply aside.
    Hostile(Hostility),
}

/// What is wrong with reported usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hostility {
    /// Less than nothing.
    Negative,
    /// More than [`MAX_COUNT`].
    Absurd,
    /// Not an integer, or the whole not an object.
    NotACount,
    /// A part is larger than its whole.
    PartsExceedWhole,
}

/// Usage as the dialects report it: totals, and details which are parts of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reported {
    pub input: Option<u64>,
    pub output: Option<u64>,
    pub total: Option<u64>,
    pub cached: u64,
    /// All that was written, also for an hour.
    pub cache_write: u64,
    pub cache_write_hour: u64,
    pub audio_in: u64,
    pub reasoning: u64,
    pub audio_out: u64,
}

impl Usage {
    /// All input tokens.
    #[must_use]
    pub fn total_input(&self) -> u64 {
        let written = self.cache_write.saturating_add(self.cache_write_hour);
        [self.cached_input, written, self.audio_in].into_iter().fold(self.input, u64::saturating_add)
    }

    /// Adds what another answer used.
    pub fn add(&mut self, other: &Usage) {
        for (own, more) in [
            (&mut self.input, other.input),
            (&mut self.cached_input, other.cached_input),
            (&mut self.cache_write, other.cache_write),
            (&mut self.cache_write_hour, other.cache_write_hour),
            (&mut self.output, other.output),
            (&mut self.reasoning, other.reasoning),
            (&mut self.audio_in, other.audio_in),
            (&mut self.audio_out, other.audio_out),
            (&mut self.images, other.images),
            (&mut self.audio_seconds, other.audio_seconds),
            (&mut self.requests, other.requests),
        ] {
            *own = own.saturating_add(more);
        }
    }

    /// All output tokens.
    #[must_use]
    pub fn total_output(&self) -> u64 {
        self.output.saturating_add(self.reasoning).saturating_add(self.audio_out)
    }
}

impl Reading {
    #[must_use]
    pub fn sound(self) -> Option<Usage> {
        match self {
            Self::Sound(usage) => Some(usage),
            Self::Absent | Self::Hostile(_) => None,
        }
    }
}

impl Reported {
    /// Takes totals apart into disjoint buckets.
    ///
    /// Two habits of providers are allowed for. Cached audio is in both details, so audio gives way to the cache. And
    /// some leave reasoning out of the output's total (xAI; Gemini even out of the details), so what the grand total
    /// has beyond input and output is reasoning.
    pub(crate) fn disjoint(self) -> Reading {
        if self.input.is_none() && self.output.is_none() {
            return Reading::Absent;
        }
        let (input, visible) = (self.input.unwrap_or(0), self.output.unwrap_or(0));
        let Some(beyond) = self.total.unwrap_or(input + visible).checked_sub(input + visible) else {
            return Reading::Hostile(Hostility::PartsExceedWhole);
        };
        let output = visible + beyond;
        let reasoning = self.reasoning.max(beyond);
        let (Some(fresh), Some(written), Some(plain)) = (
            input.checked_sub(self.cached + self.cache_write),
            self.cache_write.checked_sub(self.cache_write_hour),
            output.checked_sub(reasoning + self.audio_out),
        ) else {
            return Reading::Hostile(Hostility::PartsExceedWhole);
        };
        if self.audio_in > input {
            return Reading::Hostile(Hostility::PartsExceedWhole);
        }
        let audio_in = self.audio_in.min(fresh);
        Reading::Sound(Usage {
            input: fresh - audio_in,
            cached_input: self.cached,
            cache_write: written,
            cache_write_hour: self.cache_write_hour,
            output: plain,
            reasoning,
            audio_in,
            audio_out: self.audio_out,
            images: 0,
            audio_seconds: 0,
            requests: 1,
        })
    }
}

#[cfg(test)]
mod tests;
