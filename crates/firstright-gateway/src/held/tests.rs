use super::*;

const LIMIT: usize = 8 << 20;

#[test]
fn large_ones_are_turned_away_before_small_ones_and_answers_last() {
    let bodies = Arc::new(Bodies::default());
    let mut first = Held::new(&bodies, LIMIT);
    assert!(first.take(2 << 20), "each byte counts twice");
    assert_eq!(bodies.held(), 4 << 20);
    let (mut large, mut small, mut answer) =
        (Held::new(&bodies, LIMIT), Held::new(&bodies, LIMIT), Held::new(&bodies, LIMIT));
    assert!(large.would_fit(1 << 20) && !large.would_fit((1 << 20) + 1), "three quarters");
    assert!(large.take(1 << 20));
    assert!(!large.would_fit((1 << 20) + 1));
    assert!(small.take(SMALL_BYTES) && small.would_fit(SMALL_BYTES));
    assert!(!small.take(SMALL_BYTES + 1), "it is not small any more");
    drop(small);
    assert_eq!(bodies.held(), 6 << 20);
    assert!(answer.take_for_answer(3 << 20) && !answer.take_for_answer(1), "half as much again");
    assert!(!large.take(1) && !Held::new(&bodies, LIMIT).would_fit(1));
}

#[test]
fn what_is_held_is_given_back_when_the_last_byte_has_left() {
    let bodies = Arc::new(Bodies::default());
    let mut alone = Held::new(&bodies, 1);
    assert!(alone.take(1 << 20), "one that is alone may be as large as its own limit");
    let body = alone.keep(Bytes::from(vec![7; 1 << 20]));
    let mut slow = body.clone();
    drop(body);
    let _ = slow.split_to(1000);
    assert_eq!((bodies.held(), slow.len()), (2 << 20, (1 << 20) - 1000));
    drop(slow);
    assert_eq!(bodies.held(), 0);
}
