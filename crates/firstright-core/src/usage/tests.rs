use super::*;

const DOLLAR: i128 = 1_000_000_000;

#[test]
fn each_bucket_has_its_own_price() {
    let rates = Rates {
        input: Some(Money(2 * DOLLAR)),
        cached_input: Some(Money(DOLLAR)),
        cache_write: Some(Money(3 * DOLLAR)),
        cache_write_hour: Some(Money(5 * DOLLAR)),
        trained: Some(Money(25 * DOLLAR)),
        output: Some(Money(8 * DOLLAR)),
        reasoning: Some(Money(9 * DOLLAR)),
        audio_input: Some(Money(40 * DOLLAR)),
        audio_output: Some(Money(80 * DOLLAR)),
        image: Some(Money(DOLLAR / 25)),
        minute: Some(Money(6 * DOLLAR)),
        character: Some(Money(15 * DOLLAR)),
        request: Some(Money(DOLLAR / 100)),
    };
    let one = |usage: Usage| usage.at(&rates).map(|money| money.0);
    let million = MILLION;
    for (usage, dollars) in [
        (Usage { input: million, ..Usage::default() }, 2),
        (Usage { cached_input: million, ..Usage::default() }, 1),
        (Usage { cache_write: million, ..Usage::default() }, 3),
        (Usage { cache_write_hour: million, ..Usage::default() }, 5),
        (Usage { trained: million, ..Usage::default() }, 25),
        (Usage { output: million, ..Usage::default() }, 8),
        (Usage { reasoning: million, ..Usage::default() }, 9),
        (Usage { audio_in: million, ..Usage::default() }, 40),
        (Usage { audio_out: million, ..Usage::default() }, 80),
        (Usage { images: 25, ..Usage::default() }, 1),
        (Usage { audio_seconds: 10, ..Usage::default() }, 1),
        (Usage { characters: million, ..Usage::default() }, 15),
        (Usage { requests: 100, ..Usage::default() }, 1),
    ] {
        assert_eq!(one(usage), Some(dollars * DOLLAR), "{usage:?}");
    }
}

#[test]
fn what_has_no_price_is_unpriced_and_never_free() {
    let rates = Rates { input: Some(Money(DOLLAR)), output: Some(Money(DOLLAR)), ..Rates::default() };
    let base = Usage { input: 5, cached_input: 5, output: 5, reasoning: 5, requests: 1, ..Usage::default() };
    assert_eq!(base.at(&rates), Some(Money(20_000)));
    for usage in [
        Usage { cache_write: 1, ..base },
        Usage { cache_write_hour: 1, ..base },
        Usage { trained: 1, ..base },
        Usage { audio_in: 1, ..base },
        Usage { audio_out: 1, ..base },
        Usage { images: 1, output: 0, ..base },
        Usage { audio_seconds: 1, ..base },
        Usage { characters: 1, ..base },
    ] {
        assert_eq!(usage.at(&rates), None, "{usage:?}");
    }
}

#[test]
fn a_picture_and_its_tokens_are_one_thing() {
    let drawn = Usage { output: MILLION, images: 2, requests: 1, ..Usage::default() };
    let tokens = Rates { output: Some(Money(DOLLAR)), ..Rates::default() };
    assert_eq!(drawn.at(&tokens), Some(Money(DOLLAR)));
    let pieces = Rates { image: Some(Money(DOLLAR)), ..Rates::default() };
    assert_eq!(drawn.at(&pieces), Some(Money(2 * DOLLAR)));
    assert_eq!(Usage { images: 0, ..drawn }.at(&pieces), None, "text has no price there");
}

#[test]
fn a_price_of_the_request_alone_is_for_all_of_it() {
    let rates = Rates { request: Some(Money(DOLLAR)), ..Rates::default() };
    let usage = Usage { input: 9, output: 9, audio_in: 9, requests: 2, ..Usage::default() };
    assert_eq!(usage.at(&rates), Some(Money(2 * DOLLAR)));
}
