//! How is a quantity of a job written? Read exactly, without a float.

use firstright_core::units::{Currency, DAY, HOUR, MINUTE, Money, SECOND, Span, Timestamp, days_of};

/// Digits of money after the point that are counted: nano-units.
const DECIMALS: usize = 9;
/// The largest sum, in whole units: far above any budget, far below what overflows when multiplied.
const MAX_WHOLE: i128 = 1_000_000_000_000_000;

/// A sum with its currency: `2.50 USD`.
pub fn money(text: &str) -> Option<(Money, Currency)> {
    let (number, unit) = text.trim().split_once(' ')?;
    let unit: [u8; 3] = unit.trim().as_bytes().try_into().ok()?;
    if !unit.iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > DECIMALS {
        return None;
    }
    let whole: i128 = whole.parse().ok().filter(|whole| *whole <= MAX_WHOLE)?;
    let nanos: i128 = format!("{fraction:0<DECIMALS$}").parse().ok()?;
    Some((Money(whole * 1_000_000_000 + nanos), Currency(unit)))
}

/// A length of time: `2h`, `1h30m`, `45s`, `3d`.
pub fn span(text: &str) -> Option<Span> {
    let (mut rest, mut total, mut last) = (text.trim(), 0u64, u64::MAX);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let unit = after.chars().next()?;
        let size = match unit {
            'd' => DAY,
            'h' => HOUR,
            'm' => MINUTE,
            's' => SECOND,
            _ => return None,
        };
        if size >= last {
            return None;
        }
        total = number.parse::<u64>().ok()?.checked_mul(size)?.checked_add(total)?;
        (last, rest) = (size, &after[unit.len_utf8()..]);
    }
    Some(Span(total))
}

/// A time in UTC: `2030-12-31T12:00:00Z`, with offsets too.
pub fn time(text: &str) -> Option<Timestamp> {
    at(&text.trim().parse().ok()?)
}

/// A date-time with its offset.
pub(super) fn at(datetime: &toml_datetime::Datetime) -> Option<Timestamp> {
    let (date, time) = (datetime.date?, datetime.time?);
    let days = days_of(u64::from(date.year), u64::from(date.month), u64::from(date.day))?;
    let clock =
        u64::from(time.hour) * 3_600 + u64::from(time.minute) * 60 + u64::from(time.second.unwrap_or(0));
    let east = match datetime.offset? {
        toml_datetime::Offset::Z => 0,
        toml_datetime::Offset::Custom { minutes } => i64::from(minutes) * 60,
    };
    let seconds = days.checked_mul(86_400)?.checked_add(clock)?.checked_add_signed(-east)?;
    let nanos = seconds.checked_mul(SECOND)?.checked_add(u64::from(time.nanosecond.unwrap_or(0)))?;
    Some(Timestamp(nanos))
}
