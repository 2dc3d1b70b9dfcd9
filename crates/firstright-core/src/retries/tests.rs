use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp(86_400 * SECOND + seconds * SECOND)
}

#[test]
fn a_tenth_of_what_arrived_is_tried_again() {
    let mut retries = Retries::default();
    for nth in 0..1_000 {
        retries.arrived(at(nth / 100));
    }
    let mut made = 0;
    while retries.allow(at(9)).is_ok() {
        retries.retried(at(9));
        made += 1;
    }
    assert_eq!(made, 100);
    assert_eq!(retries.allow(at(9)), Err((100, 1_000)));
}

#[test]
fn little_traffic_has_one_a_second() {
    let mut retries = Retries::default();
    let mut made = 0;
    for second in 0..60 {
        retries.arrived(at(second));
        while retries.allow(at(second)).is_ok() {
            retries.retried(at(second));
            made += 1;
        }
    }
    assert_eq!(made, 60);
}

#[test]
fn what_is_two_minutes_past_counts_no_more() {
    let mut retries = Retries::default();
    for _ in 0..1_000 {
        retries.arrived(at(0));
    }
    for _ in 0..100 {
        retries.retried(at(0));
    }
    assert!(retries.allow(at(5)).is_err());
    assert!(retries.allow(at(10)).is_ok(), "the floor of another step");
    for _ in 0..10 {
        retries.retried(at(10));
    }
    assert_eq!(retries.allow(at(119)), Ok(()));
    for _ in 0..10 {
        retries.retried(at(119));
    }
    assert_eq!(retries.allow(at(119)), Err((120, 1_000)));
    assert_eq!(retries.allow(at(121)), Ok(()), "a step of its own");
    for _ in 0..10 {
        retries.retried(at(121));
    }
    assert_eq!(retries.allow(at(121)), Err((30, 0)), "the first step is forgotten");
}
