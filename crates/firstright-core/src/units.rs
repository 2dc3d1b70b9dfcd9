//! Which quantities does the law count in? Integers only: there is no float in this crate.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Nanoseconds since 1970-01-01T00:00:00Z. The engine stamps each fact with a strictly greater one than the last, so
/// a time names one fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

/// A length of time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span(pub u64);

/// Nano-units (10⁻⁹) of the world's currency: 1 dollar is `Money(1_000_000_000)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Money(pub i128);

/// A share in parts per million: 20 % is `Share(200_000)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Share(pub u32);

/// An ISO 4217 currency code, upper case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Currency(pub [u8; 3]);

/// How a sum is brought to the currency's minor unit (10⁻²); part of the clause, because it changes what is owed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rounding {
    /// To the nearest, ties to the even cent (IEEE 754 roundTiesToEven, bankers' rounding).
    #[default]
    HalfEven,
    /// Toward zero.
    Down,
    /// Away from zero.
    Up,
}

/// Nano-units in a cent.
const NANOS_PER_CENT: i128 = 10_000_000;
/// Parts in a whole share.
const PPM: i128 = 1_000_000;
/// A millisecond in nanoseconds.
pub const MILLISECOND: u64 = 1_000_000;
/// A second in nanoseconds.
pub const SECOND: u64 = 1_000_000_000;
/// A minute in nanoseconds.
pub const MINUTE: u64 = 60 * SECOND;
/// An hour in nanoseconds.
pub const HOUR: u64 = 60 * MINUTE;
/// A day in nanoseconds.
pub const DAY: u64 = 24 * HOUR;

impl Timestamp {
    /// The end of time, for terms without an end.
    pub const MAX: Timestamp = Timestamp(u64::MAX);

    /// This time plus a span; stops at the end of time.
    pub fn plus(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }

    /// The span since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// A span of whole milliseconds.
    pub fn from_millis(ms: u64) -> Span {
        Span(ms.saturating_mul(1_000_000))
    }

    /// Whole milliseconds, rounded up so that a wait is never announced too short.
    pub fn as_millis_up(self) -> u64 {
        self.0.div_ceil(1_000_000)
    }
}

impl Money {
    /// Nothing owed.
    pub const ZERO: Money = Money(0);

    /// The sum; money never wraps, it stops at the end of `i128`.
    pub fn plus(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }

    /// The difference.
    pub fn minus(self, other: Money) -> Money {
        Money(self.0.saturating_sub(other.0))
    }

    /// `share` of this sum in nano-units, ties to even; round to cents only once, at the end of a line.
    pub fn share(self, share: Share) -> Money {
        Money(div_half_even(self.0.saturating_mul(i128::from(share.0)), PPM))
    }

    /// This sum for `quantity` of something that is priced per `per`.
    pub fn for_quantity(self, quantity: u64, per: u64) -> Money {
        Money(div_half_even(self.0.saturating_mul(i128::from(quantity)), i128::from(per.max(1))))
    }

    /// This sum in whole cents, by the clause's rule.
    pub fn to_cents(self, rounding: Rounding) -> Money {
        let cents = match rounding {
            Rounding::HalfEven => div_half_even(self.0, NANOS_PER_CENT),
            Rounding::Down => self.0.checked_div(NANOS_PER_CENT).unwrap_or(0),
            Rounding::Up => {
                let down = self.0.checked_div(NANOS_PER_CENT).unwrap_or(0);
                let exact = down.saturating_mul(NANOS_PER_CENT) == self.0;
                if exact { down } else { down.saturating_add(self.0.signum()) }
            }
        };
        Money(cents.saturating_mul(NANOS_PER_CENT))
    }
}

/// Integer division to the nearest, ties to even. `by` is positive.
pub(crate) fn div_half_even(value: i128, by: i128) -> i128 {
    let quotient = value.div_euclid(by);
    let twice = value.rem_euclid(by).saturating_mul(2);
    let up = twice > by || (twice == by && quotient.rem_euclid(2) == 1);
    if up { quotient.saturating_add(1) } else { quotient }
}

impl fmt::Display for Money {
    /// Two decimals at least, nine at most, no currency: `12.50`, `-0.000001`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let all = self.0.unsigned_abs();
        let whole = all.div_euclid(1_000_000_000);
        let mut rest = all.rem_euclid(1_000_000_000);
        let mut digits = 9usize;
        while digits > 2 && rest.is_multiple_of(10) {
            rest = rest.div_euclid(10);
            digits = digits.saturating_sub(1);
        }
        write!(f, "{sign}{whole}.{rest:0digits$}")
    }
}

impl fmt::Display for Share {
    /// As a percentage: `20 %`, `12.5 %`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.div_euclid(10_000);
        let mut rest = self.0.rem_euclid(10_000);
        if rest == 0 {
            return write!(f, "{whole} %");
        }
        let mut digits = 4usize;
        while rest.is_multiple_of(10) {
            rest = rest.div_euclid(10);
            digits = digits.saturating_sub(1);
        }
        write!(f, "{whole}.{rest:0digits$} %")
    }
}

impl fmt::Display for Span {
    /// The largest unit that is exact, two at most: `72h`, `1h30m`, `250ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns")];
        let mut rest = self.0;
        let mut written = 0;
        for (size, unit) in units {
            let count = rest.div_euclid(size);
            if count == 0 || written == 2 {
                continue;
            }
            write!(f, "{count}{unit}")?;
            rest = rest.rem_euclid(size);
            written = i32::saturating_add(written, 1);
        }
        if written == 0 { write!(f, "0s") } else { Ok(()) }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{}", char::from(byte))?;
        }
        Ok(())
    }
}

/// Days since 1970-01-01 as a civil date (proleptic Gregorian), after Howard Hinnant's `civil_from_days`.
pub fn civil(days: u64) -> (u64, u64, u64) {
    let z = days.saturating_add(719_468);
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let leap = doe.div_euclid(1_460).saturating_add(doe.div_euclid(146_096));
    let yoe = doe.saturating_add(doe.div_euclid(36_524)).saturating_sub(leap).div_euclid(365);
    let before =
        yoe.saturating_mul(365).saturating_add(yoe.div_euclid(4)).saturating_sub(yoe.div_euclid(100));
    let doy = doe.saturating_sub(before);
    let mp = doy.saturating_mul(5).saturating_add(2).div_euclid(153);
    let day = doy.saturating_sub(mp.saturating_mul(153).saturating_add(2).div_euclid(5)).saturating_add(1);
    let month = if mp < 10 { mp.saturating_add(3) } else { mp.saturating_sub(9) };
    let year = yoe.saturating_add(era.saturating_mul(400)).saturating_add(u64::from(month <= 2));
    (year, month, day)
}

/// Days since 1970-01-01 of a civil date; `None` before 1970 or for a day that does not exist.
pub fn days_of(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let y = if month <= 2 { year.saturating_sub(1) } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = if month > 2 { month.saturating_sub(3) } else { month.saturating_add(9) };
    let doy = mp.saturating_mul(153).saturating_add(2).div_euclid(5).saturating_add(day).saturating_sub(1);
    let leap = yoe.div_euclid(4).saturating_sub(yoe.div_euclid(100));
    let doe = yoe.saturating_mul(365).saturating_add(leap).saturating_add(doy);
    let days = era.saturating_mul(146_097).saturating_add(doe).checked_sub(719_468)?;
    (civil(days) == (year, month, day)).then_some(days)
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with the fraction only where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0.div_euclid(DAY));
        let rest = self.0.rem_euclid(DAY);
        let (hour, minute) = (rest.div_euclid(HOUR), rest.rem_euclid(HOUR).div_euclid(MINUTE));
        let second = rest.rem_euclid(MINUTE).div_euclid(SECOND);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        let fraction = rest.rem_euclid(SECOND);
        if fraction != 0 {
            write!(f, ".{fraction:09}")?;
        }
        write!(f, "Z")
    }
}

#[cfg(test)]
mod tests;
