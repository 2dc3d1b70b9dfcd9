use super::*;

fn read(headers: &[(&str, &str)]) -> Limits {
    Limits::from_headers(headers.iter().map(|(name, value)| (*name, value.as_bytes())))
}

#[test]
fn pay_as_you_go() {
    let limits = read(&[
        ("x-ratelimit-limit-requests", "10000"),
        ("X-RateLimit-Limit-Tokens", "200000"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("x-ratelimit-remaining-tokens", "199850"),
        ("x-ratelimit-reset-requests", "8.64s"),
        ("x-ratelimit-reset-tokens", "6m0s"),
        ("x-ms-region", "East US 2"),
        ("x-ms-deployment-name", "gpt-4o"),
    ]);
    let expected = Limits {
        limit_requests: Some(10_000),
        limit_tokens: Some(200_000),
        remaining_requests: Some(9_999),
        remaining_tokens: Some(199_850),
        reset_requests_ms: Some(8_640),
        reset_tokens_ms: Some(360_000),
        region: Some("East US 2".to_owned()),
        deployment: Some("gpt-4o".to_owned()),
        ..Limits::default()
    };
    assert_eq!(limits, expected);
}

#[test]
fn provisioned_and_full() {
    let limits = read(&[
        ("azure-openai-deployment-utilization", "103.25%"),
        ("retry-after-ms", "1513"),
        ("retry-after", "2"),
    ]);
    assert_eq!((limits.utilization_ppm, limits.retry_after_ms), (Some(1_032_500), Some(1_513)));
}

#[test]
fn durations() {
    for (value, expected) in [
        ("1ms", Some(1)),
        ("120ms", Some(120)),
        ("17.5ms", Some(18)),
        ("6m0s", Some(360_000)),
        ("1h2m3.5s", Some(3_723_500)),
        ("0s", Some(0)),
        ("10", Some(10_000)),
        ("0.2", Some(200)),
        ("250us", Some(1)),
        ("250µs", Some(1)),
        ("", None),
        ("s", None),
        ("5x", None),
        ("-1s", None),
        ("1..2s", None),
        ("1s2", None),
        ("99999999999999999999s", None),
        ("9999999h", None),
    ] {
        assert_eq!(duration_ms(value), expected, "{value}");
    }
}

#[test]
fn waits() {
    for (value, expected, date) in [
        ("1", Some(1_000), false),
        ("0.25", Some(250), false),
        ("Mon, 23 Nov 2026 10:00:00 GMT", None, true),
        ("soon", None, false),
        ("-1", None, false),
        ("99999999999", None, false),
    ] {
        let limits = read(&[("retry-after", value)]);
        assert_eq!((limits.retry_after_ms, limits.retry_after_is_date), (expected, date), "{value}");
    }
}

#[test]
fn every_variant_of_spillover() {
    let sent = read(&[("x-ms-spillover-from-deployment", "ptu-1"), ("x-ms-deployment-name", "paygo-1")]);
    let printed = read(&[("x-ms-spillover-from-ptu-1", "true"), ("x-ms-deployment-name", "paygo-1")]);
    assert_eq!(sent, printed);
    assert_eq!((sent.spilled, sent.spilled_from.as_deref()), (true, Some("ptu-1")));
    assert!(read(&[("x-ms-is-spilled-over", "True")]).spilled);
    assert!(!read(&[("x-ms-is-spilled-over", "false")]).spilled);
    let failed = read(&[("x-ms-spillover-error", "429")]);
    assert_eq!((failed.spilled, failed.spill_error.as_deref()), (false, Some("429")));
}

#[test]
fn garbage_is_ignored() {
    let long = "x".repeat(10_000);
    let mut random = 0x1234_5678_9abc_def1_u64;
    for name in [
        "x-ratelimit-limit-tokens",
        "x-ratelimit-reset-tokens",
        "retry-after",
        "retry-after-ms",
        "azure-openai-deployment-utilization",
        &long,
    ] {
        for value in [
            &b""[..],
            b"\xff\xfe",
            b"%",
            b"NaN",
            b"1e9",
            b"-5",
            b".",
            b"999999999999999999999%",
            long.as_bytes(),
        ] {
            assert_eq!(
                Limits::from_headers([(name, value)].into_iter()),
                Limits::default(),
                "{name} {value:?}"
            );
        }
        for _ in 0..2_000 {
            let mut value = Vec::new();
            while value.len() < 12 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                value.push(b"0123456789.%hmsnu -\xc2\xb5"[(random >> 20) as usize % 21]);
            }
            let limits = Limits::from_headers([(name, value.as_slice())].into_iter());
            assert!(limits.reset_tokens_ms.is_none_or(|wait| wait <= MAX_WAIT_MS));
        }
    }
    for region in [&b""[..], b"\xff", b"a\x07b", long.as_bytes()] {
        assert_eq!(Limits::from_headers([("x-ms-region", region)].into_iter()).region, None);
    }
}

#[test]
fn anthropics_limits_are_read() {
    let headers: [(&str, &[u8]); 6] = [
        ("anthropic-ratelimit-requests-limit", b"1000"),
        ("anthropic-ratelimit-requests-remaining", b"998"),
        ("anthropic-ratelimit-requests-reset", b"2026-11-27T01:00:00Z"),
        ("anthropic-ratelimit-tokens-limit", b"400000"),
        ("anthropic-ratelimit-tokens-remaining", b"390000"),
        ("retry-after", b"7"),
    ];
    let read = Limits::from_headers(headers.into_iter());
    assert_eq!((read.limit_requests, read.remaining_requests), (Some(1000), Some(998)));
    assert_eq!((read.limit_tokens, read.remaining_tokens), (Some(400_000), Some(390_000)));
    assert_eq!((read.retry_after_ms, read.reset_requests_ms), (Some(7000), None));
}
