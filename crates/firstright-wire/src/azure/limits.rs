//! What do a reply's headers say about the capacity behind it?
//!
//! OpenAI's, Azure's and Anthropic's names; a provider sends what it has. A value that can't be read is as good as none.
//! Anthropic tells resets as times of day, which nothing here has a clock to read; its tokens are those of the narrowest
//! of its limits.

/// What a reply said about limits, waits and where it was served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    pub limit_requests: Option<u64>,
    pub limit_tokens: Option<u64>,
    pub remaining_requests: Option<u64>,
    pub remaining_tokens: Option<u64>,
    /// Until the requests are whole again, in milliseconds, rounded up.
    pub reset_requests_ms: Option<u64>,
    /// Until the tokens are whole again, in milliseconds, rounded up.
    pub reset_tokens_ms: Option<u64>,
    /// How long to wait, in milliseconds; `retry-after-ms` goes before `retry-after`.
    pub retry_after_ms: Option<u64>,
    /// There was a `retry-after` with a date: nothing here has a clock to read it by.
    pub retry_after_is_date: bool,
    /// How full a provisioned deployment is, in parts per million; above 1,000,000 in a burst.
    pub utilization_ppm: Option<u32>,
    /// Azure itself served the call from another deployment, at pay-as-you-go prices.
    pub spilled: bool,
    /// The provisioned deployment that it came from, if told.
    pub spilled_from: Option<String>,
    /// Azure tried to spill, and that failed too.
    pub spill_error: Option<String>,
    /// Where the call was served: evidence for residency.
    pub region: Option<String>,
    /// The deployment that served.
    pub deployment: Option<String>,
}

/// The longest wait that is believed, in milliseconds: seven days. Longer ones are a fault in somebody's clock.
pub const MAX_WAIT_MS: u64 = 7 * 24 * 3600 * 1000;

/// The longest text that is kept from a header, in bytes.
const MAX_TEXT_BYTES: usize = 128;

const SPILLED_FROM: &str = "x-ms-spillover-from-";

impl Limits {
    /// Reads a reply's headers; names in any case. The first readable value of a name holds.
    ///
    /// The spillover headers are taken in all variants seen: `x-ms-spillover-from-deployment: {name}` as sent,
    /// `x-ms-spillover-from-{name}` as the documentation prints it, `x-ms-is-spilled-over: true`.
    pub fn from_headers<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut limits = Self::default();
        let (mut after, mut after_ms) = (None, None);
        for (name, value) in headers {
            let Ok(value) = std::str::from_utf8(value) else { continue };
            let (name, value) = (Name::of(name), value.trim_ascii());
            match name.as_str() {
                "x-ratelimit-limit-requests" | "anthropic-ratelimit-requests-limit" => {
                    set(&mut limits.limit_requests, count(value))
                }
                "x-ratelimit-limit-tokens" | "anthropic-ratelimit-tokens-limit" => {
                    set(&mut limits.limit_tokens, count(value))
                }
                "x-ratelimit-remaining-requests" | "anthropic-ratelimit-requests-remaining" => {
                    set(&mut limits.remaining_requests, count(value))
                }
                "x-ratelimit-remaining-tokens" | "anthropic-ratelimit-tokens-remaining" => {
                    set(&mut limits.remaining_tokens, count(value))
                }
                "x-ratelimit-reset-requests" => set(&mut limits.reset_requests_ms, duration_ms(value)),
                "x-ratelimit-reset-tokens" => set(&mut limits.reset_tokens_ms, duration_ms(value)),
                "retry-after-ms" => set(&mut after_ms, scaled(value, 1)),
                "retry-after" => {
                    set(&mut after, scaled(value, 1000));
                    limits.retry_after_is_date |= value.ends_with("GMT");
                }
                "azure-openai-deployment-utilization" => {
                    let ppm = value.strip_suffix('%').and_then(|percent| scaled(percent, 10_000));
                    set(&mut limits.utilization_ppm, ppm.and_then(|ppm| u32::try_from(ppm).ok()));
                }
                "x-ms-is-spilled-over" => limits.spilled |= value.eq_ignore_ascii_case("true"),
                "x-ms-spillover-error" => set(&mut limits.spill_error, text(value)),
                "x-ms-region" => set(&mut limits.region, text(value)),
                "x-ms-deployment-name" => set(&mut limits.deployment, text(value)),
                "x-ms-spillover-from-deployment" => {
                    limits.spilled = true;
                    set(&mut limits.spilled_from, text(value));
                }
                other => {
                    if let Some(deployment) = other.strip_prefix(SPILLED_FROM) {
                        limits.spilled = true;
                        set(&mut limits.spilled_from, text(deployment));
                    }
                }
            }
        }
        limits.retry_after_ms = after_ms.or(after).filter(|wait| *wait <= MAX_WAIT_MS);
        limits
    }
}

/// A header's name in lower case, without allocating. Longer names than any that is read compare as empty.
struct Name {
    bytes: [u8; MAX_TEXT_BYTES],
    length: usize,
}

impl Name {
    fn of(name: &str) -> Self {
        let mut bytes = [0; MAX_TEXT_BYTES];
        let length = if name.len() <= MAX_TEXT_BYTES { name.len() } else { 0 };
        for (low, byte) in bytes.iter_mut().zip(&name.as_bytes()[..length]) {
            *low = byte.to_ascii_lowercase();
        }
        Self { bytes, length }
    }

    fn as_str(&self) -> &str {
        // INVARIANT: lowering ASCII letters keeps UTF-8 whole.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

fn set<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
    }
}

fn text(value: &str) -> Option<String> {
    let plain = value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    (plain && (1..=MAX_TEXT_BYTES).contains(&value.len())).then(|| value.to_owned())
}

fn count(value: &str) -> Option<u64> {
    crate::json::to_u64(value.as_bytes())
}

/// A decimal number times `scale`, rounded up; digits beyond the ninth place only round.
fn scaled(value: &str, scale: u64) -> Option<u64> {
    const NANO: u128 = 1_000_000_000;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if whole.is_empty() && fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { count(whole)? };
    let mut nanos = 0;
    let mut place = NANO / 10;
    for digit in fraction.bytes() {
        nanos += u128::from(digit - b'0') * place;
        if place == 0 && digit != b'0' {
            nanos += 1;
            break;
        }
        place /= 10;
    }
    let scaled = (u128::from(whole) * NANO + nanos) * u128::from(scale);
    u64::try_from(scaled.div_ceil(NANO)).ok()
}

/// A duration as Go prints it (`6m0s`, `1.5s`, `120ms`), or plain seconds, in milliseconds, rounded up.
fn duration_ms(value: &str) -> Option<u64> {
    let nanos = if value.ends_with(|last: char| last.is_ascii_digit()) {
        scaled(value, 1_000_000_000)?
    } else {
        let mut rest = value;
        let mut nanos = 0u64;
        while !rest.is_empty() {
            let cut = rest.find(|byte: char| !byte.is_ascii_digit() && byte != '.')?;
            let (number, tail) = rest.split_at(cut);
            let (unit, scale) = UNITS.into_iter().find(|(unit, _)| tail.starts_with(unit))?;
            nanos = nanos.checked_add(scaled(number, scale)?)?;
            rest = &tail[unit.len()..];
        }
        (!value.is_empty()).then_some(nanos)?
    };
    Some(nanos.div_ceil(1_000_000)).filter(|wait| *wait <= MAX_WAIT_MS)
}

/// Go's units in nanoseconds; `ms` before `m`, since the first that fits is taken.
const UNITS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

#[cfg(test)]
mod tests;
