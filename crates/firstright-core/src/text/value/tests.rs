use alloc::format;

use super::*;

const USD: Option<Currency> = Some(Currency(*b"USD"));

fn code<T>(read: Result<T, Wrong>) -> &'static str {
    read.err().map_or("fine", |wrong| wrong.code)
}

#[test]
fn money_is_exact_to_the_last_nano() {
    let read = |text| money(text, USD, Per::Sum).ok();
    assert_eq!(read("0.000000001 USD"), Some(Money(1)));
    assert_eq!(read("2.50 USD"), Some(Money(2_500_000_000)));
    assert_eq!(read("2.50USD"), Some(Money(2_500_000_000)));
    assert_eq!(read("1_000_000 USD"), Some(Money(1_000_000_000_000_000)));
    assert_eq!(read("0.100000000000 USD"), Some(Money(100_000_000)));
    assert_eq!(read("1000000000000000 USD"), Some(Money(1_000_000_000_000_000_000_000_000)));
    for wrong in ["", "USD", "1,5 USD", "+1 USD", ".5 USD", "5. USD", "_1 USD", "1_ USD", "1.0_0 USD"] {
        assert_eq!(code(money(wrong, USD, Per::Sum)), "bad-number", "{wrong}");
    }
    assert_eq!(code(money("1e3 USD", USD, Per::Sum)), "bad-unit");
    let long = format!("{} USD", "9".repeat(60));
    assert_eq!(code(money(&long, USD, Per::Sum)), "out-of-range");
    assert_eq!(code(money("1000000000000000.01 USD", USD, Per::Sum)), "out-of-range");
}

#[test]
fn a_price_is_per_what_it_says() {
    assert_eq!(money("0.075 USD/Mtok", USD, Per::MillionTokens).ok(), Some(Money(75_000_000)));
    assert_eq!(money("2.95 USD/h", USD, Per::Hour).ok(), Some(Money(2_950_000_000)));
    assert_eq!(code(money("2.95 USD/h", USD, Per::MillionTokens)), "bad-unit");
    assert_eq!(code(money("2.95 USD /h", USD, Per::Hour)), "bad-unit");
    assert_eq!(code(money("2.95 €", USD, Per::Sum)), "bad-unit");
    assert_eq!(code(money("2.95 EUR/h", USD, Per::Hour)), "wrong-currency");
}

#[test]
fn shares_are_parts_per_million() {
    assert_eq!(share("99.95 %").ok(), Some(Share(999_500)));
    assert_eq!(share("100%").ok(), Some(Share(1_000_000)));
    assert_eq!(share("0.0001 %").ok(), Some(Share(1)));
    assert_eq!(code(share("100.0001 %")), "out-of-range");
    assert_eq!(code(share("20 ppm")), "bad-unit");
}

#[test]
fn what_a_span_prints_reads_back() {
    for nanos in [0, 1_000, 250_000_000, SECOND, 90 * MINUTE, 72 * HOUR, 30 * DAY] {
        assert_eq!(span(&Span(nanos).to_string()).ok(), Some(Span(nanos)));
    }
    assert_eq!(span("30d").ok(), Some(Span(30 * DAY)));
    assert_eq!(span("1h 30m").ok(), Some(Span(90 * MINUTE)));
    assert_eq!(code(span("1h1h")), "bad-number");
    assert_eq!(code(span("-1h")), "bad-number");
    assert_eq!(code(span("1.5h")), "bad-number");
    assert_eq!(code(span("99999999999999999999s")), "out-of-range");
}

#[test]
fn an_inclusive_day_ends_with_the_day() {
    let read =
        |text: &str, inclusive| time(&text.parse().expect("a date"), inclusive).ok().map(|at| at.to_string());
    assert_eq!(read("2030-12-31", false).as_deref(), Some("2030-12-31T00:00:00Z"));
    assert_eq!(read("2030-12-31", true).as_deref(), Some("2031-01-01T00:00:00Z"));
    assert_eq!(read("2030-12-31T12:00:00Z", true).as_deref(), Some("2030-12-31T12:00:00Z"));
    assert_eq!(read("2030-12-31T01:00:00+02:00", false).as_deref(), Some("2030-12-30T23:00:00Z"));
    assert_eq!(read("1970-01-01T00:30:00+01:00", false), None);
    assert_eq!(read("2030-12-31T12:00:00", false), None);
}
