use super::*;

#[test]
fn percentiles_are_by_nearest_rank() {
    let of = |all: &[u64]| waits(all.to_vec());
    assert_eq!(of(&[]), Waits { median: Span(0), p99: Span(0) });
    assert_eq!(of(&[7]), Waits { median: Span(7), p99: Span(7) });
    let hundred: Vec<u64> = (1..=100).rev().collect();
    assert_eq!(of(&hundred), Waits { median: Span(50), p99: Span(99) });
}

#[test]
fn figures_are_shown_in_units_that_can_be_read() {
    assert_eq!(shown(Span(7_238_000_000)), "7238 ms");
    assert_eq!(shown(Span(12_340_000_000)), "12.3 s");
    assert_eq!(percent(1, 8), "12.5 %");
    assert_eq!(percent(0, 0), "0.0 %");
}
