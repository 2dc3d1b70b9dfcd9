use super::*;
use crate::usage::MAX_COUNT;

/// Every figure that a call's usage can have, small and large.
const COUNTS: [u64; 5] = [0, 1, 7, 1024, MAX_COUNT];

#[test]
fn buckets_add_up_to_what_the_provider_counts() {
    for input in COUNTS {
        for output in COUNTS {
            for read in COUNTS {
                for write in COUNTS {
                    let total = input + output + read + write;
                    let usage = usage(&[input, output, total.min(MAX_COUNT), read, write].map(i128::from));
                    let Reading::Sound(usage) = usage.reading() else { panic!("{usage:?}") };
                    let within =
                        read + write > 0 && total.min(MAX_COUNT) == input + output && read + write <= input;
                    let expected = if within { input } else { input + read + write };
                    assert_eq!((usage.total_input(), usage.total_output()), (expected, output));
                    assert_eq!((usage.cached_input, usage.cache_write), (read, write));
                }
            }
        }
    }
}

#[test]
fn what_is_kept_for_an_hour_is_told_apart() {
    let told = |details: &str| {
        let text = format!(
            r#"{{"inputTokens":1,"outputTokens":2,"totalTokens":203,"cacheWriteInputTokens":200,"cacheDetails":{details}}}"#
        );
        serde_json::from_str::<TokenUsage>(&text).unwrap().reading()
    };
    for (details, written) in [
        (r#"[{"ttl":"5m","inputTokens":150},{"ttl":"1h","inputTokens":50}]"#, (150, 50)),
        (r#"[{"ttl":"1h","inputTokens":150},{"ttl":"1h","inputTokens":50}]"#, (0, 200)),
        ("[]", (200, 0)),
        ("null", (200, 0)),
    ] {
        let usage = told(details).sound().unwrap();
        assert_eq!((usage.cache_write, usage.cache_write_hour), written, "{details}");
        assert_eq!(usage.total_input(), 201);
    }
    for details in [r#"[{"ttl":"1h","inputTokens":201}]"#, r#"[{"ttl":"1h","inputTokens":-1}]"#] {
        assert!(matches!(told(details), Reading::Hostile(_)), "{details}");
    }
}

#[test]
fn usage_that_cannot_be_true_is_hostile() {
    for (at, wrong) in
        [(0, -1), (1, -1), (2, -1), (3, -1), (4, i128::from(MAX_COUNT) + 1), (0, i128::from(u64::MAX))]
    {
        let mut counts = [5, 5, 10, 0, 0];
        counts[at] = wrong;
        assert!(matches!(usage(&counts).reading(), Reading::Hostile(_)), "{counts:?}");
    }
    let words: TokenUsage = serde_json::from_str(r#"{"inputTokens":"5","outputTokens":1.5}"#).unwrap();
    assert!(matches!(words.reading(), Reading::Hostile(_)));
    assert_eq!(TokenUsage::default().reading(), Reading::Absent);
}

fn usage(counts: &[i128; 5]) -> TokenUsage {
    let [input, output, total, read, write] = counts;
    let text = format!(
        r#"{{"inputTokens":{input},"outputTokens":{output},"totalTokens":{total},"cacheReadInputTokens":{read},"cacheWriteInputTokens":{write}}}"#
    );
    serde_json::from_str(&text).unwrap()
}
