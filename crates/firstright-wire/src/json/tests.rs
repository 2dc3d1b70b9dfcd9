use std::borrow::Cow;

use super::*;

fn strict(text: &str) -> Result<Tally, Fault> {
    let mut tally = Tally::default();
    let mut scanner = Scanner::new(text.as_bytes(), 0);
    scanner.skip(0, &mut tally)?;
    scanner.end()?;
    Ok(tally)
}

#[test]
fn strict_skip_agrees_with_the_oracle() {
    let seeds = [
        r#"{"a":[1,-0.5e+3,true,false,null,"x\u00e9\n\"\\",{}],"b":{"c":[[],[{}]]}}"#,
        r#"[0,01]"#,
        r#"["\ud800","\x"]"#,
        r#" [1 , 2 ] "#,
        r#"{"a" : 1 , "b":{"long string which is wider than one lane of the search":"0123456789abcdef0123456789abcdef\t0123456789"}}"#,
        "\"a\u{1f}\"",
        "\"é日本語\"",
    ];
    let alphabet = br#"{}[]",:\ 0123456789.eE+-truefalsn"#;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |bound: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) as usize % bound
    };
    let (mut good, mut bad) = (0, 0);
    for round in 0..60_000 {
        let mut text = seeds[round % seeds.len()].as_bytes().to_vec();
        for _ in 0..next(4) {
            let at = next(text.len());
            match next(3) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, alphabet[next(alphabet.len())]),
                _ => text[at] = alphabet[next(alphabet.len())],
            }
        }
        let Ok(text) = String::from_utf8(text) else { continue };
        let oracle = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        assert_eq!(strict(&text).is_ok(), oracle, "{text:?}");
        if oracle {
            good += 1;
            let mut loose = Scanner::new(text.as_bytes(), 0);
            assert_eq!(loose.skip_loose(), Ok(()), "{text:?}");
            assert_eq!(loose.end(), Ok(()), "{text:?}");
        } else {
            bad += 1;
        }
    }
    assert!(good > 5_000 && bad > 5_000, "{good} good, {bad} bad");
}

#[test]
fn unescape_agrees_with_the_oracle() {
    for literal in [
        r#""plain""#,
        r#""a\"b\\c\/d\b\f\n\r\t""#,
        r#""\u0041\u00e9\u65e5\ud83d\ude00!""#,
        r#""\ud83d""#,
        r#""\ud83d\u0041""#,
        r#""\ude00""#,
        r#""""#,
    ] {
        let string = Scanner::new(literal.as_bytes(), 0).string().unwrap();
        let oracle = serde_json::from_str::<String>(literal).ok();
        assert_eq!(unescape(literal.as_bytes(), string).map(Cow::into_owned), oracle, "{literal}");
    }
}

#[test]
fn what_is_escaped_reads_back() {
    let text: String = (0..0x250).filter_map(char::from_u32).collect();
    let mut out = vec![b'"'];
    escape_into(&mut out, &text);
    out.push(b'"');
    assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
}

#[test]
fn depth_is_bounded_on_either_side_of_the_limit() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(strict(&nested(128)).is_ok());
    assert_eq!(strict(&nested(129)).unwrap_err().what, "at most 128 levels of nesting");
    assert!(strict(&"[{\"a\":".repeat(1_000_000)).is_err());
    assert!(Scanner::new("[".repeat(1_000_000).as_bytes(), 0).skip_loose().is_err());
}

#[test]
fn the_search_finds_each_special_byte_at_each_offset() {
    for length in 0..100 {
        for at in 0..length {
            for special in [b'"', b'\\', 0x00, 0x1f, b'\n'] {
                let mut bytes = vec![b'a'; length];
                bytes[at] = special;
                assert_eq!(find_special(&bytes, 0), at);
            }
            let mut bytes = vec![0xff; length];
            bytes[at] = b'}';
            assert_eq!(find_structure(&bytes, 0), at);
        }
        assert_eq!(find_special(&vec![0x80; length], 0), length);
    }
}

#[test]
fn counts_are_plain_integers() {
    assert_eq!(to_u64(b"0"), Some(0));
    assert_eq!(to_u64(b"18446744073709551615"), Some(u64::MAX));
    for not_a_count in [&b"18446744073709551616"[..], b"-1", b"1.0", b"1e3", b""] {
        assert_eq!(to_u64(not_a_count), None);
    }
}
