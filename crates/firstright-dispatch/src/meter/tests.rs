use super::*;

#[test]
fn the_remainder_is_carried() {
    let mut meter = Meter::new(Uptime(1_000), 3, 0);
    // 0.33 s × 3 = 0.99; 0.34 s × 3 = 1.02; 1 s × 3 = 3; 10.01 s × 3 = 30.03.
    let taken: Vec<u64> = [1_033, 1_034, 1_100, 2_001].map(|now| meter.take(Uptime(now))).to_vec();
    assert_eq!(taken, [0, 1, 2, 27]);
}

#[test]
fn many_small_steps_are_one_large_one() {
    let mut small = Meter::new(Uptime(7), 64, 0);
    let sum: u64 = (8..=100_007).map(|now| small.take(Uptime(now))).sum();
    assert_eq!(sum, Meter::new(Uptime(7), 64, 0).take(Uptime(100_007)));
    assert_eq!(sum, 64_000);
}

#[test]
fn nothing_is_booked_twice_and_nothing_backwards() {
    let mut meter = Meter::new(Uptime(0), 8, 80);
    assert_eq!(meter.take(Uptime(1_000)), 0, "booked before the restart");
    assert_eq!(meter.take(Uptime(1_500)), 40);
    assert_eq!(meter.take(Uptime(900)), 0);
    assert_eq!(Meter::new(Uptime(10), u32::MAX, 0).take(Uptime(u64::MAX)), u64::MAX);
}
