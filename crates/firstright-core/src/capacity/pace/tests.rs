use super::*;

const MILLI: u64 = 1_000_000;

fn at(millis: u64) -> Timestamp {
    Timestamp(1_000 * SECOND + millis * MILLI)
}

/// A stream whose first byte comes at `now`, `after` milliseconds after it was sent.
fn stream(pace: &mut Pace, now: u64, after: u64, input: u64) {
    let sent = at(now - after);
    pace.heard(at(now), &FirstByte { sent, after: Span(after * MILLI), input, output: 0, counted: false });
}

/// A deployment that has answered a thousand small calls after some 300 ms, with ten in flight.
fn usual() -> Pace {
    let mut pace = Pace::new();
    for nth in 0..1_000 {
        pace.sent(at(nth * 100 + 10_000), 10);
        stream(&mut pace, nth * 100 + 10_000, 250 + (nth * 37) % 100, 400);
    }
    pace
}

#[test]
fn a_brown_out_is_seen_and_ends_by_itself() {
    let mut pace = usual();
    assert_eq!(pace.limit(), None);
    for nth in 0..9 {
        assert_eq!(pace.limit(), None, "{nth} were late");
        stream(&mut pace, 113_000 + nth * 50, 3_000, 400);
    }
    assert_eq!(pace.limit(), Some(1), "a tenth of what is usually in flight");
    assert!((700..1_100).contains(&pace.percent()), "{}", pace.percent());
    let mut answered = 0;
    while pace.limit().is_some() {
        answered += 1;
        stream(&mut pace, 120_000 + answered * 300, 300, 400);
    }
    assert!((12..=16).contains(&answered), "{answered}");
}

#[test]
fn what_is_awaited_is_known_before_it_comes() {
    let mut pace = usual();
    for nth in 0..9 {
        assert!(pace.awaited(at(111_000 + nth), Span(SECOND), 400, false));
    }
    assert!(pace.limit().is_some());
    let mut other = usual();
    for nth in 0..50 {
        assert!(!other.awaited(at(111_000 + nth), Span(500 * MILLI), 400, false), "not late yet");
    }
    assert!(other.limit().is_none());
}

#[test]
fn larger_calls_are_no_brown_out() {
    let mut pace = usual();
    for nth in 0..200 {
        stream(&mut pace, 115_000 + nth * 50, 2_500, 60_000);
    }
    assert_eq!(pace.limit(), None);
    let mut whole = usual();
    for nth in 0..200 {
        let (sent, after) = (at(110_000 + nth * 50), Span(8 * SECOND));
        whole.heard(sent.plus(after), &FirstByte::of_ended(sent.plus(after), sent, after, 400, 500));
    }
    assert_eq!(whole.limit(), None, "whole answers take as long as they are");
}

#[test]
fn a_burst_is_no_brown_out() {
    let mut pace = usual();
    for nth in 0..400 {
        // Every other one is late, as a queue at the provider makes them.
        stream(&mut pace, 113_000 + nth * 10, if nth % 2 == 0 { 1_200 } else { 600 }, 400);
    }
    assert_eq!(pace.limit(), None);
}

#[test]
fn what_comes_at_the_end_of_a_long_stream_tells_of_long_ago() {
    let mut pace = usual();
    for nth in 0..40 {
        let sent = at(100_000);
        let after = Span(3 * SECOND);
        let byte = FirstByte { sent, after, input: 400, output: 0, counted: false };
        pace.heard(at(160_000 + nth), &byte);
    }
    assert_eq!(pace.limit(), None);
}
