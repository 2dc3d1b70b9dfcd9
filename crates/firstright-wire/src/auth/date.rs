//! What time does a header say, and how is a time written into one?
//!
//! Times are whole seconds since 1970 in UTC; they are given, never asked for.

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// 1 January 1970 was a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const DAY_S: u64 = 86_400;

/// As HTTP writes a time: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
#[must_use]
pub fn http(unix_s: u64) -> String {
    let (year, month, day) = civil(unix_s / DAY_S);
    let (hour, minute, second) = clock(unix_s);
    let weekday = WEEKDAYS[(unix_s / DAY_S % 7) as usize];
    let month = MONTHS[month as usize - 1];
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// As AWS writes it: `20150830T123600Z`.
#[must_use]
pub fn amz(unix_s: u64) -> String {
    let (year, month, day) = civil(unix_s / DAY_S);
    let (hour, minute, second) = clock(unix_s);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Reads a `Date` header in the form that servers must send. The weekday is not held against the date.
#[must_use]
pub fn parse_http(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let (_, rest) = text.split_once(", ")?;
    let rest = rest.strip_suffix(" GMT")?;
    let mut words = rest.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let mut parts = time.split(':').map(number);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let (day, year) = (number(day)?, number(year)?);
    let good = words.next().is_none()
        && parts.next().is_none()
        && (1..=31).contains(&day)
        && (1970..=9999).contains(&year)
        && hour < 24
        && minute < 60
        // A leap second is a second too.
        && second <= 60;
    good.then(|| days(year, month, day) * DAY_S + hour * 3_600 + minute * 60 + second)
}

/// Reads a time as ISO 8601 has it and clouds write it: `2017-05-17T15:09:54Z`, with or without a fraction; always UTC.
#[must_use]
pub fn parse_iso(text: &str) -> Option<u64> {
    let part = |range: std::ops::Range<usize>| text.get(range).and_then(number);
    let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
    let (hour, minute, second) = (part(11..13)?, part(14..16)?, part(17..19)?);
    let good = text.is_ascii()
        && text.ends_with('Z')
        && (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    good.then(|| days(year, month, day) * DAY_S + hour * 3_600 + minute * 60 + second)
}

/// Two to four digits and nothing else.
fn number(digits: &str) -> Option<u64> {
    let plain = (2..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

fn clock(unix_s: u64) -> (u64, u64, u64) {
    let second = unix_s % DAY_S;
    (second / 3_600, second / 60 % 60, second % 60)
}

/// The date of a day since 1970. Years are counted from March, so that the leap day is the last (Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms").
fn civil(day: u64) -> (u64, u64, u64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// The day since 1970 of a date.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests;
