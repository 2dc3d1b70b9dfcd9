use super::{MINUTE, Meter, MeteredSpec, Quota, SECOND};

fn meter(tokens_per_minute: u64, requests_per_minute: u64, slice_seconds: u64) -> Meter {
    Meter::new(MeteredSpec { tokens_per_minute, requests_per_minute, slice_seconds })
}

#[test]
fn tokens_are_counted_by_the_minute() {
    let mut meter = meter(1_000, 600, 10);
    let at = 45 * SECOND;
    assert_eq!(meter.admit(at, 800, 100), Ok(()));
    assert_eq!(meter.admit(at, 201, 100), Err((Quota::Tokens, 15 * SECOND)));
    assert_eq!(meter.admit(at, 200, 100), Ok(()));
    assert_eq!(meter.rates(at, 100).remaining_tokens, 0);
    assert_eq!(meter.admit(MINUTE, 1_000, 100), Ok(()));
}

#[test]
fn requests_are_refused_by_the_slice_long_before_the_minute_is_used() {
    let mut meter = meter(u64::MAX, 60, 10);
    for _ in 0..10 {
        assert_eq!(meter.admit(3 * SECOND, 1, 100), Ok(()));
    }
    assert_eq!(meter.admit(3 * SECOND, 1, 100), Err((Quota::Requests, 7 * SECOND)));
    let rates = meter.rates(3 * SECOND, 100);
    assert_eq!((rates.remaining_requests, rates.reset_requests_ns), (50, 7 * SECOND));
    assert_eq!(meter.admit(10 * SECOND, 1, 100), Ok(()));
}

#[test]
fn a_lowered_limit_shows_in_the_headers_and_refuses() {
    let mut meter = meter(1_000, 600, 1);
    assert_eq!(meter.rates(0, 25).limit_tokens, 250);
    assert_eq!(meter.admit(0, 251, 25), Err((Quota::Tokens, MINUTE)));
    assert_eq!(meter.admit(0, 251, 100), Ok(()));
}

#[test]
fn a_refused_call_is_not_counted() {
    let mut meter = meter(100, 600, 1);
    for _ in 0..5 {
        assert!(meter.admit(0, 101, 100).is_err());
    }
    assert_eq!(meter.rates(0, 100).remaining_tokens, 100);
    assert_eq!(meter.rates(0, 100).remaining_requests, 600);
}
