use alloc::string::ToString;

use super::*;

#[test]
fn money_prints_and_rounds() {
    assert_eq!(Money(12_500_000_000).to_string(), "12.50");
    assert_eq!(Money(-1_000).to_string(), "-0.000001");
    assert_eq!(Money(15_000_000).to_cents(Rounding::HalfEven), Money(20_000_000));
    assert_eq!(Money(25_000_000).to_cents(Rounding::HalfEven), Money(20_000_000));
    assert_eq!(Money(19_999_999).to_cents(Rounding::Down), Money(10_000_000));
    assert_eq!(Money(10_000_001).to_cents(Rounding::Up), Money(20_000_000));
    assert_eq!(Money(-10_000_001).to_cents(Rounding::Up), Money(-20_000_000));
    assert_eq!(Money(1_000_000_000).share(Share(200_000)), Money(200_000_000));
}

#[test]
fn spans_and_shares_print() {
    assert_eq!(Span(72 * HOUR).to_string(), "72h");
    assert_eq!(Span(90 * MINUTE).to_string(), "1h30m");
    assert_eq!(Span(0).to_string(), "0s");
    assert_eq!(Share(125_000).to_string(), "12.5 %");
}

#[test]
fn every_day_of_two_centuries_round_trips() {
    for days in 0..73_050 {
        let (year, month, day) = civil(days);
        assert_eq!(days_of(year, month, day), Some(days));
    }
    assert_eq!(civil(20_109), (2025, 1, 21));
    assert_eq!(days_of(2025, 2, 29), None);
    assert_eq!(Timestamp(20_109 * DAY + 90 * SECOND).to_string(), "2025-01-21T00:01:30Z");
}
