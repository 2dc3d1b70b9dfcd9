use super::Quantiles;
use crate::rng::{Purpose, Rng};

#[test]
fn draws_reproduce_the_given_quantiles() {
    let given = Quantiles { p1: 100, p50: 400, p90: 900, p99: 3_000 };
    let mut rng = Rng::stream(3, "test", Purpose::FirstToken, 0);
    let mut drawn: Vec<u64> = (0..100_000).map(|_| given.draw(&mut rng)).collect();
    drawn.sort_unstable();
    let near = |index: usize, wanted: u64| drawn[index].abs_diff(wanted) * 20 <= wanted;
    assert!(near(50_000, 400) && near(90_000, 900) && near(99_000, 3_000), "{:?}", drawn[99_000]);
    assert_eq!(drawn[0], 100);
    assert!(drawn[99_999] <= 4_500);
}

#[test]
fn order_is_checked() {
    assert!(Quantiles { p1: 1, p50: 1, p90: 1, p99: 1 }.is_ordered());
    assert!(!Quantiles { p1: 2, p50: 1, p90: 3, p99: 4 }.is_ordered());
}
