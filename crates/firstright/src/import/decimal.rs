//! What is `2.5e-06` a token in dollars for a million? Decimals of a source, read exactly: no float touches a price.

/// `digits` × 10^`exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    digits: u64,
    exponent: i32,
}

/// Reads a decimal that is not negative, with or without an exponent. `None` if it is none, or has more digits than any
/// price.
pub fn parse(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let mantissa = mantissa.strip_prefix('+').unwrap_or(mantissa);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() || !(-100..=100).contains(&exponent) {
        return None;
    }
    let mut digits = 0u64;
    for byte in whole.bytes().chain(fraction.bytes()) {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        digits = digits.checked_mul(10)?.checked_add(digit)?;
    }
    let fraction = i32::try_from(fraction.len()).ok()?;
    Some(Decimal { digits, exponent: exponent - fraction }.reduced())
}

impl Decimal {
    fn reduced(mut self) -> Decimal {
        while self.digits != 0 && self.digits.is_multiple_of(10) {
            self.digits /= 10;
            self.exponent += 1;
        }
        if self.digits == 0 { Decimal { digits: 0, exponent: 0 } } else { self }
    }

    /// As many times ten thousand… as the exponent says: a million is 6.
    pub fn times_ten_to(self, exponent: i32) -> Decimal {
        Decimal { digits: self.digits, exponent: self.exponent + exponent }.reduced()
    }

    /// The number if it has no fraction.
    pub fn whole(self) -> Option<u64> {
        let power = u32::try_from(self.exponent).ok()?;
        self.digits.checked_mul(10u64.checked_pow(power)?)
    }

    /// Written out, for example `0.075`; `None` if it has more than nine decimals, which the law does not count.
    pub fn written(self) -> Option<String> {
        if let Some(whole) = self.whole() {
            return Some(whole.to_string());
        }
        let decimals = usize::try_from(-self.exponent).ok().filter(|decimals| *decimals <= 9)?;
        let digits = format!("{:0>width$}", self.digits, width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        Some(format!("{whole}.{fraction}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn per_million(text: &str) -> Option<String> {
        parse(text)?.times_ten_to(6).written()
    }

    #[test]
    fn prices_a_token_become_prices_a_million() {
        assert_eq!(per_million("2.5e-06").as_deref(), Some("2.5"));
        assert_eq!(per_million("0.0000025").as_deref(), Some("2.5"));
        assert_eq!(per_million("1E-5").as_deref(), Some("10"));
        assert_eq!(per_million("7.5e-08").as_deref(), Some("0.075"));
        assert_eq!(per_million("0").as_deref(), Some("0"));
        assert_eq!(per_million("3").as_deref(), Some("3000000"));
        assert_eq!(per_million("1e-16"), None, "more decimals than are counted");
    }

    #[test]
    fn what_is_no_decimal_is_none() {
        for text in ["", ".", "-1", "1.2.3", "abc", "1e", "1e999", "99999999999999999999999", "os.environ/X"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("1e6").and_then(Decimal::whole), Some(1_000_000));
        assert_eq!(parse("100.0").and_then(Decimal::whole), Some(100));
        assert_eq!(parse("0.5").and_then(Decimal::whole), None);
    }
}
