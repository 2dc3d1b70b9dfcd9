use super::{Bucket, ProvisionedSpec};
use crate::rng::{Purpose, Rng};

const SECOND: u64 = 1_000_000_000;

/// 10 units of 600 tokens a minute drain 100 tokens a second; 60 s deep, that is 6,000 tokens.
fn bucket(burst_percent: u64) -> Bucket {
    Bucket::new(ProvisionedSpec {
        units: 10,
        tokens_per_minute_per_unit: 600,
        window_seconds: 60,
        burst_percent,
        output_weight: 1,
    })
}

#[test]
fn accepts_until_full_and_says_when_it_accepts_again() {
    let mut bucket = bucket(0);
    assert_eq!(bucket.admit(0, 5_999), Ok(()));
    assert_eq!(bucket.utilization_permille(0), 999);
    // Still under 100 %, so the next is accepted and overshoots.
    assert_eq!(bucket.admit(0, 1_001), Ok(()));
    assert_eq!(bucket.utilization_permille(0), 1_166);
    // 1,000 tokens over at 100 a second: ten seconds, and the nanosecond that makes it "under".
    let wait = bucket.admit(0, 1).unwrap_err();
    assert_eq!(wait, 10 * SECOND + 1);
    assert!(bucket.admit(wait - 1, 1).is_err());
    assert_eq!(bucket.admit(wait, 1), Ok(()));
}

#[test]
fn a_burst_raises_the_mark() {
    let mut bucket = bucket(5);
    assert_eq!(bucket.admit(0, 6_200), Ok(()));
    assert_eq!(bucket.admit(0, 100), Ok(()));
    assert!(bucket.admit(0, 1).is_err());
}

#[test]
fn drains_at_the_rate_and_never_under_zero() {
    let mut bucket = bucket(0);
    bucket.admit(0, 3_000).unwrap();
    assert_eq!(bucket.utilization_permille(15 * SECOND), 250);
    assert_eq!(bucket.utilization_permille(31 * SECOND), 0);
    // An idle hour earns no credit.
    bucket.admit(3_600 * SECOND, 6_000).unwrap();
    assert!(bucket.admit(3_600 * SECOND, 1).is_err());
}

#[test]
fn the_charge_is_corrected_by_what_was_used() {
    let mut bucket = bucket(0);
    let charged = bucket.charge(1_000, 400, 4_000);
    assert_eq!(charged, 4_600);
    bucket.admit(0, charged).unwrap();
    bucket.correct(0, charged, bucket.charge(1_000, 400, 200));
    assert_eq!(bucket.utilization_permille(0), 133);
}

#[test]
fn time_that_runs_backwards_drains_nothing() {
    let mut bucket = bucket(0);
    bucket.admit(10 * SECOND, 3_000).unwrap();
    assert_eq!(bucket.utilization_permille(5 * SECOND), 500);
    assert_eq!(bucket.utilization_permille(10 * SECOND), 500);
}

/// Over random traffic: the level stays under the limit plus one request, and all that was ever taken
/// in is no more than that and what the rate drained meanwhile.
#[test]
fn the_level_is_bounded_by_one_requests_overshoot() {
    const LARGEST: u64 = 3_000;
    for seed in 0..200 {
        let mut rng = Rng::stream(seed, "bucket", Purpose::Fault, 0);
        let mut bucket = bucket(5);
        let (mut at, mut taken, mut open): (u64, u64, Vec<(u64, u64)>) = (0, 0, Vec::new());
        for _ in 0..500 {
            at += rng.below(5 * SECOND);
            let estimate = 1 + rng.below(LARGEST);
            if bucket.admit(at, estimate).is_ok() {
                open.push((estimate, rng.below(estimate)));
                taken += estimate;
            }
            let permille = bucket.utilization_permille(at);
            assert!(permille <= 1_050 + LARGEST * 1_000 / 6_000, "seed {seed}: {permille}");
            if open.len() > 3 {
                let (charged, used) = open.remove(0);
                bucket.correct(at, charged, used);
                taken -= charged - used;
            }
            assert!(taken <= 6_300 + LARGEST + 100 * at.div_ceil(SECOND), "seed {seed}: {taken} by {at}");
        }
    }
}
