use super::*;
use crate::queue::Ahead;
use crate::units::SECOND;

const PTU: CapacityKind = CapacityKind::Provisioned { per_minute: 60_000, units: 1, bucket: 60_000 };

fn at(seconds: u64) -> Timestamp {
    Timestamp(1_000 * MINUTE + seconds * SECOND)
}

fn room(capacity: &Capacity, at: Timestamp, need: u64) -> Result<(), Shortage> {
    capacity.room(at, need, &Ahead::default())
}

#[test]
fn a_bucket_fills_and_drains_by_the_clock() {
    let mut capacity = Capacity::new(PTU);
    capacity.reserve(at(0), 60_000);
    let short = room(&capacity, at(10), 20_000).unwrap_err();
    assert_eq!((short.need(), short.free()), (20_000, 10_000));
    assert_eq!(short.again(), at(20));
    assert!(room(&capacity, at(20), 20_000).is_ok());
}

#[test]
fn settling_gives_back_what_was_not_used() {
    let mut capacity = Capacity::new(PTU);
    capacity.reserve(at(0), 60_000);
    capacity.settle(at(0), at(0), 60_000, 1_000);
    assert!(room(&capacity, at(0), 59_000).is_ok());
    assert!(room(&capacity, at(0), 59_001).is_err());
}

#[test]
fn the_providers_word_is_over_our_reckoning() {
    let mut capacity = Capacity::new(PTU);
    capacity.observe(at(0), &Observation { utilisation: Some(995_000), ..Observation::default() });
    assert_eq!(room(&capacity, at(0), 400).unwrap_err().free(), 300);
}

#[test]
fn a_minute_and_a_slice_begin_anew() {
    let kind = CapacityKind::PayAsYouGo { tokens: 1_000, requests: 60, slice: Span(SECOND) };
    let mut capacity = Capacity::new(kind);
    capacity.reserve(at(0), 400);
    assert_eq!(room(&capacity, at(0), 1).unwrap_err().again(), at(1));
    assert!(room(&capacity, at(1), 600).is_ok());
    assert_eq!(room(&capacity, at(1), 601).unwrap_err().again(), at(60));
    assert!(room(&capacity, at(60), 1_000).is_ok());
}

#[test]
fn a_429_blocks_for_as_long_as_it_says() {
    let mut capacity = Capacity::new(PTU);
    capacity.throttled(at(0), Some(Span(3 * SECOND)));
    assert_eq!(room(&capacity, at(2), 1).unwrap_err().again(), at(3));
    assert!(room(&capacity, at(3), 1).is_ok());
}

#[test]
fn the_breaker_opens_probes_once_and_closes() {
    let mut capacity = Capacity::new(CapacityKind::Concurrent { limit: 9 });
    for second in 0..5 {
        assert!(room(&capacity, at(second), 1).is_ok());
        capacity.failed(at(second), 500);
    }
    let down = Why::Down { since: at(0), failures: 5 };
    assert_eq!(room(&capacity, at(5), 1).unwrap_err().why(), down);
    assert_eq!(capacity.down_since(at(5)), Some(at(0)));
    assert!(room(&capacity, at(9), 1).is_ok(), "half open");
    capacity.reserve(at(9), 1);
    assert_eq!(room(&capacity, at(9), 1).unwrap_err().why(), down, "one probe at a time");
    capacity.answered();
    assert!(room(&capacity, at(9), 1).is_ok());
}

#[test]
fn refused_credentials_set_it_aside_and_are_no_failure() {
    let mut capacity = Capacity::new(CapacityKind::Concurrent { limit: 9 });
    capacity.refused_us(at(0));
    assert_eq!(room(&capacity, at(4), 1).unwrap_err().why(), Why::SetAside { since: at(0) });
    assert_eq!(capacity.down_since(at(4)), None);
    assert_eq!(
        capacity.view(at(4), crate::world::DeploymentId(0), 0).breaker,
        Breaker::SetAside { since: at(0), until: at(5) }
    );
    assert!(room(&capacity, at(5), 1).is_ok(), "one call finds out");
    capacity.reserve(at(5), 1);
    assert!(room(&capacity, at(5), 1).is_err());
    capacity.settle(at(6), at(5), 1, 0);
    capacity.refused_us(at(6));
    assert_eq!(room(&capacity, at(15), 1).unwrap_err().again(), at(16), "the pause doubles");
}
