use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp(1_000 * SECOND + seconds * SECOND)
}

#[test]
fn it_is_cut_at_once_and_grows_slowly_up_to_what_is_configured() {
    let mut adaptive = Adaptive::default();
    assert_eq!(adaptive.limit(64), 64);
    adaptive.refused(at(0), 40, 64);
    assert_eq!(adaptive.limit(64), 30);
    adaptive.refused(at(0), 30, 64);
    assert_eq!(adaptive.limit(64), 30, "once a second");
    adaptive.lags(at(1), 400, 64);
    assert_eq!(adaptive.limit(64), 26);
    for _ in 0..26 {
        adaptive.answered(26, 64);
    }
    assert_eq!(adaptive.limit(64), 27, "one more for as many answers");
    adaptive.answered(3, 64);
    assert_eq!(adaptive.limit(64), 27, "what is not in use says nothing");
    for _ in 0..5_000 {
        adaptive.answered(64, 64);
    }
    assert_eq!((adaptive.limit(64), adaptive.learnt()), (64, None));
}

#[test]
fn lateness_cuts_it_no_further_than_in_proportion() {
    let mut adaptive = Adaptive::default();
    for second in 0..60 {
        adaptive.lags(at(second), 250, 64);
    }
    assert_eq!(adaptive.limit(64), 25);
}

#[test]
fn one_is_always_left() {
    let mut adaptive = Adaptive::default();
    for second in 0..20 {
        adaptive.refused(at(second), 1, 8);
    }
    assert_eq!(adaptive.limit(8), 1);
}
