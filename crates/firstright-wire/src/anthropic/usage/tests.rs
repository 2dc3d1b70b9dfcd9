use serde_json::json;

use super::*;

fn learned(told: &[Value]) -> Reading {
    let mut tokens = Tokens::default();
    told.iter().for_each(|usage| tokens.learn(usage.clone()));
    tokens.reading()
}

/// Every combination of some counts: the buckets add up to what the provider told.
#[test]
fn buckets_sum_to_the_providers_totals() {
    let counts = [0, 1, 7, 1_000, 99_999_999];
    let mut sound = 0;
    for input in counts {
        for read in counts {
            for written in counts {
                for output in counts {
                    for thinking in counts {
                        let reading = learned(&[json!({
                            "input_tokens": input, "cache_read_input_tokens": read,
                            "cache_creation_input_tokens": written, "output_tokens": output,
                            "output_tokens_details": {"thinking_tokens": thinking}})]);
                        let Reading::Sound(usage) = reading else {
                            assert!(thinking > output);
                            continue;
                        };
                        sound += 1;
                        assert_eq!(usage.total_input(), input + read + written);
                        assert_eq!(usage.total_output(), output);
                        assert_eq!((usage.cached_input, usage.cache_write), (read, written));
                    }
                }
            }
        }
    }
    assert!(sound > 1000);
}

#[test]
fn what_is_kept_for_an_hour_is_told_apart() {
    let told = |creation: Value| {
        learned(&[json!({"input_tokens": 1, "cache_creation_input_tokens": 200, "cache_creation": creation})])
    };
    for (creation, written) in [
        (json!({"ephemeral_5m_input_tokens": 150, "ephemeral_1h_input_tokens": 50}), (150, 50)),
        (json!({"ephemeral_1h_input_tokens": 200}), (0, 200)),
        (json!({}), (200, 0)),
        (Value::Null, (200, 0)),
    ] {
        let usage = told(creation.clone()).sound().unwrap();
        assert_eq!((usage.cache_write, usage.cache_write_hour), written, "{creation}");
        assert_eq!(usage.total_input(), 201);
    }
    let more = json!({"ephemeral_1h_input_tokens": 201});
    assert_eq!(told(more), Reading::Hostile(Hostility::PartsExceedWhole));
    assert_eq!(told(json!({"ephemeral_1h_input_tokens": -1})), Reading::Hostile(Hostility::Negative));
}

#[test]
fn the_last_figure_told_holds() {
    let start =
        json!({"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 1, "service_tier": "batch"});
    let delta = json!({"input_tokens": null, "cache_read_input_tokens": 4, "output_tokens": 9});
    let expected = Usage { input: 5, cached_input: 4, output: 9, requests: 1, ..Usage::default() };
    assert_eq!(learned(&[start, delta, Value::Null]), Reading::Sound(expected));
    assert_eq!(learned(&[Value::Null]), Reading::Absent);
    for (usage, why) in [
        (json!({"input_tokens": -1}), Hostility::Negative),
        (json!({"input_tokens": 1.5}), Hostility::NotACount),
        (json!({"output_tokens": 1_000_000_000}), Hostility::Absurd),
        (json!({"output_tokens": "9"}), Hostility::NotACount),
        (json!([1]), Hostility::NotACount),
        (json!(7), Hostility::NotACount),
        (
            json!({"output_tokens": 1, "output_tokens_details": {"thinking_tokens": 2}}),
            Hostility::PartsExceedWhole,
        ),
    ] {
        assert_eq!(learned(&[usage]), Reading::Hostile(why));
    }
}
