//! How is a quantity written? As a string with its unit, and read exactly: no float is made on the way.

use alloc::format;
use alloc::string::{String, ToString};

use toml_datetime::{Datetime, Offset};

use crate::units::{Currency, DAY, HOUR, MINUTE, Money, SECOND, Share, Span, Timestamp, days_of};

/// Why a quantity could not be read.
pub(super) struct Wrong {
    pub code: &'static str,
    pub message: String,
    pub help: Option<String>,
}

/// What a price is per.
#[derive(Clone, Copy)]
pub(super) enum Per {
    /// A plain sum.
    Sum,
    /// A million tokens.
    MillionTokens,
    /// An hour of one accelerator or one provisioned unit.
    Hour,
    /// One request.
    Request,
    /// One image.
    Image,
    /// A minute of audio.
    Minute,
    /// A million characters.
    MillionCharacters,
}

impl Per {
    fn suffix(self) -> &'static str {
        match self {
            Per::Sum => "",
            Per::MillionTokens => "/Mtok",
            Per::Hour => "/h",
            Per::Request => "/request",
            Per::Image => "/image",
            Per::Minute => "/min",
            Per::MillionCharacters => "/Mchar",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Per::Sum => "1000000",
            Per::MillionTokens => "2.50",
            Per::Hour => "2.95",
            Per::Request | Per::Image => "0.04",
            Per::Minute => "0.006",
            Per::MillionCharacters => "15",
        }
    }
}

/// Money is counted in nano-units: nine decimals.
const MONEY_DECIMALS: u32 = 9;
/// The largest sum that may be written, in whole units: far above any contract, far below what overflows when it is
/// multiplied by tokens.
const MAX_MONEY: u128 = 1_000_000_000_000_000;
/// Shares are counted in parts per million: four decimals of a percentage.
const SHARE_DECIMALS: u32 = 4;
/// A whole, in parts per million.
const WHOLE: u128 = 1_000_000;
/// The longest span that may be written, a hundred years: a longer one is a mistake in the unit.
const MAX_SPAN: u64 = 100 * 366 * DAY;

/// A sum or a price, `2.50 USD/Mtok`, in nano-units.
pub(super) fn money(text: &str, currency: Option<Currency>, per: Per) -> Result<Money, Wrong> {
    let unit = currency.map_or_else(|| "USD".to_string(), |currency| currency.to_string());
    let example = format!("\"{} {unit}{}\"", per.example(), per.suffix());
    let (number, written) = split_unit(text);
    let nanos = decimal(number, MONEY_DECIMALS, &example)?;
    let suffix = match written.split_at_checked(3) {
        Some((code, suffix)) if code.bytes().all(|byte| byte.is_ascii_uppercase()) => {
            if currency.is_some() && code != unit {
                let message = format!("`{code}` is not the currency of these agreements");
                return Err(wrong("wrong-currency", message, format!("write it in {unit}: {example}")));
            }
            suffix
        }
        _ => return Err(bad_unit(written, &example)),
    };
    if suffix != per.suffix() {
        return Err(bad_unit(written, &example));
    }
    if nanos > MAX_MONEY.saturating_mul(10u128.pow(MONEY_DECIMALS)) {
        return Err(out_of_range(text, "the largest sum is 1000000000000000"));
    }
    Ok(Money(i128::try_from(nanos).unwrap_or(i128::MAX)))
}

/// An ISO 4217 code.
pub(super) fn currency(text: &str) -> Result<Currency, Wrong> {
    match <[u8; 3]>::try_from(text.as_bytes()) {
        Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Currency(code)),
        _ => Err(wrong(
            "bad-unit",
            format!("`{text}` is not a currency"),
            "write its three-letter ISO 4217 code, for example \"USD\"".to_string(),
        )),
    }
}

/// A share, `20 %`, in parts per million.
pub(super) fn share(text: &str) -> Result<Share, Wrong> {
    let (number, written) = split_unit(text);
    let parts = decimal(number, SHARE_DECIMALS, "\"20 %\"")?;
    if written != "%" {
        return Err(bad_unit(written, "\"20 %\""));
    }
    if parts > WHOLE {
        return Err(out_of_range(text, "a share is at most 100 %"));
    }
    Ok(Share(u32::try_from(parts).unwrap_or(u32::MAX)))
}

/// A share that may exceed the whole, such as a utilisation of `104 %`, in parts per million.
pub(super) fn share_or_more(text: &str) -> Result<u32, Wrong> {
    let (number, written) = split_unit(text);
    let parts = decimal(number, SHARE_DECIMALS, "\"98.5 %\"")?;
    if written != "%" {
        return Err(bad_unit(written, "\"98.5 %\""));
    }
    u32::try_from(parts).map_err(|_| out_of_range(text, "write it like \"98.5 %\""))
}

/// A span, `72h` or `1h30m`, in nanoseconds.
pub(super) fn span(text: &str) -> Result<Span, Wrong> {
    let example = "\"72h\", \"30m\", \"10s\" or \"30d\"";
    let mut rest = text.trim();
    let (mut total, mut smaller_than) = (0u64, u64::MAX);
    if rest.is_empty() {
        return Err(bad_number(text, example));
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at_checked(digits).unwrap_or((rest, ""));
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at_checked(letters).unwrap_or((after, ""));
        if number.is_empty() || after.starts_with('.') {
            return Err(bad_number(text, example));
        }
        let size = match unit {
            "d" => DAY,
            "h" => HOUR,
            "m" => MINUTE,
            "s" => SECOND,
            "ms" => 1_000_000,
            "us" => 1_000,
            _ => return Err(bad_unit(unit, example)),
        };
        if size >= smaller_than {
            return Err(wrong(
                "bad-number",
                format!("the units of `{text}` do not fall"),
                "write the larger unit first, each once: \"1h30m\"".to_string(),
            ));
        }
        let part = number.parse::<u64>().ok().and_then(|count| count.checked_mul(size));
        let sum = part.and_then(|part| total.checked_add(part)).filter(|sum| *sum <= MAX_SPAN);
        let Some(sum) = sum else { return Err(out_of_range(text, "the longest span is a hundred years")) };
        (total, smaller_than, rest) = (sum, size, next.trim_start());
    }
    Ok(Span(total))
}

/// A date or an offset date-time. A plain date is the start of its day in UTC, or its end if `inclusive`.
pub(super) fn time(datetime: &Datetime, inclusive: bool) -> Result<Timestamp, Wrong> {
    let bad = |message: String| {
        let help = "write a date such as 2030-12-31, or a time with its offset such as 2030-12-31T12:00:00Z";
        wrong("bad-date", message, help.to_string())
    };
    let Some(date) = datetime.date else { return Err(bad(format!("`{datetime}` has no date"))) };
    let days = days_of(u64::from(date.year), u64::from(date.month), u64::from(date.day));
    let Some(days) = days else { return Err(bad(format!("`{datetime}` is before 1970, or no day at all"))) };
    let day = days.saturating_mul(86_400);
    let (seconds, nanos) = match (datetime.time, datetime.offset) {
        (None, _) => (day.saturating_add(if inclusive { 86_400 } else { 0 }), 0),
        (Some(_), None) => {
            return Err(bad(format!("`{datetime}` has no offset: it is another time elsewhere")));
        }
        (Some(time), Some(offset)) => {
            let minutes = u64::from(time.hour).saturating_mul(60).saturating_add(u64::from(time.minute));
            let seconds = minutes.saturating_mul(60).saturating_add(u64::from(time.second.unwrap_or(0)));
            let local = day.saturating_add(seconds);
            let offset = match offset {
                Offset::Z => 0,
                Offset::Custom { minutes } => i64::from(minutes).saturating_mul(60),
            };
            let utc = local.checked_add_signed(offset.saturating_neg());
            let Some(utc) = utc else { return Err(bad(format!("`{datetime}` is before 1970"))) };
            (utc, u64::from(time.nanosecond.unwrap_or(0)))
        }
    };
    let stamp = seconds.checked_mul(SECOND).and_then(|stamp| stamp.checked_add(nanos));
    let help = "the last year is 2553; leave `until` out for a term without end";
    stamp.map(Timestamp).ok_or_else(|| out_of_range(&datetime.to_string(), help))
}

/// The number and the unit, which may stand after a space.
fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '+' | ',')));
    let (number, unit) = text.split_at_checked(end.unwrap_or(text.len())).unwrap_or((text, ""));
    (number, unit.trim())
}

/// A decimal number as an integer of so many decimals, exactly.
fn decimal(number: &str, decimals: u32, example: &str) -> Result<u128, Wrong> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let placed = !whole.starts_with('_') && !whole.ends_with('_') && !fraction.contains('_');
    if !digits(whole) || !digits(fraction) || !placed {
        return Err(bad_number(number, example));
    }
    let fraction = fraction.trim_end_matches('0');
    let length = u32::try_from(fraction.len()).unwrap_or(u32::MAX);
    let Some(missing) = decimals.checked_sub(length) else {
        let message = format!("`{number}` has more decimals than are counted");
        return Err(wrong("bad-number", message, format!("write at most {decimals} decimals")));
    };
    let mut all = 0u128;
    for digit in whole.bytes().chain(fraction.bytes()).filter(u8::is_ascii_digit) {
        let next =
            all.checked_mul(10).and_then(|all| all.checked_add(u128::from(digit.saturating_sub(b'0'))));
        let Some(next) = next else { return Err(out_of_range(number, "the number is too large")) };
        all = next;
    }
    let scaled = all.checked_mul(10u128.pow(missing));
    scaled.ok_or_else(|| out_of_range(number, "the number is too large"))
}

fn bad_number(number: &str, example: &str) -> Wrong {
    let message = if number.is_empty() {
        "there is no number".to_string()
    } else {
        format!("`{number}` is not a number")
    };
    wrong("bad-number", message, format!("write it like {example}"))
}

fn bad_unit(unit: &str, example: &str) -> Wrong {
    let message = if unit.is_empty() {
        "the unit is missing".to_string()
    } else {
        format!("`{unit}` is not the unit that is expected here")
    };
    wrong("bad-unit", message, format!("write it like {example}"))
}

fn out_of_range(text: &str, help: &str) -> Wrong {
    wrong("out-of-range", format!("`{text}` is out of range"), help.to_string())
}

fn wrong(code: &'static str, message: String, help: String) -> Wrong {
    Wrong { code, message, help: Some(help) }
}

#[cfg(test)]
mod tests;
