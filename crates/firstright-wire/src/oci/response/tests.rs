use serde_json::json;

use super::*;
use crate::usage::{Hostility, Usage};

#[test]
fn buckets_sum_to_the_providers_totals() {
    let counts = [0, 3, 50, 9_999_999];
    let mut sound = 0;
    for (input, cached) in counts.iter().flat_map(|input| counts.map(|cached| (*input, cached))) {
        for (output, reasoning) in counts.iter().flat_map(|output| counts.map(|thought| (*output, thought))) {
            let usage = json!({"promptTokens": input, "completionTokens": output, "totalTokens": input + output,
                "promptTokensDetails": {"cachedTokens": cached}, "completionTokensDetails": {"reasoningTokens": reasoning}});
            match reading(&usage) {
                Reading::Sound(usage) => {
                    sound += 1;
                    assert_eq!((usage.total_input(), usage.total_output()), (input, output));
                    assert_eq!((usage.cached_input, usage.reasoning), (cached, reasoning));
                }
                _ => assert!(cached > input || reasoning > output),
            }
        }
    }
    assert!(sound >= 100);
    // Some models leave their thoughts out of the output's total.
    let beyond = json!({"promptTokens": 5, "completionTokens": 2, "totalTokens": 10});
    let usage = Usage { input: 5, output: 2, reasoning: 3, requests: 1, ..Usage::default() };
    assert_eq!(reading(&beyond), Reading::Sound(usage));
    assert_eq!(reading(&json!({"promptTokens": -5})), Reading::Hostile(Hostility::Negative));
    assert_eq!(reading(&json!({})), Reading::Absent);
    assert_eq!(reading(&json!(null)), Reading::Absent);
}
