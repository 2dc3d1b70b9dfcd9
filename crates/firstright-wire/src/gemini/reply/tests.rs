use super::*;

const COUNTS: [u64; 4] = [0, 1, 512, MAX_COUNT / 8];

#[test]
fn buckets_add_up_to_what_the_provider_counts() {
    for prompt in COUNTS {
        for cached in COUNTS.into_iter().filter(|cached| *cached <= prompt) {
            for candidates in COUNTS {
                for thoughts in COUNTS {
                    for tools in COUNTS {
                        for hidden in [0, 3] {
                            let total = prompt + candidates + thoughts + tools + hidden;
                            let text = format!(
                                r#"{{"promptTokenCount":{prompt},"cachedContentTokenCount":{cached},"candidatesTokenCount":{candidates},"thoughtsTokenCount":{thoughts},"toolUsePromptTokenCount":{tools},"totalTokenCount":{total}}}"#
                            );
                            let usage: UsageMetadata<'_> = serde_json::from_str(&text).unwrap();
                            let Reading::Sound(usage) = usage.reading() else { panic!("{text}") };
                            assert_eq!(usage.total_input() + usage.total_output(), total, "{text}");
                            assert_eq!((usage.total_input(), usage.cached_input), (prompt + tools, cached));
                            assert_eq!(usage.reasoning, thoughts + hidden);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn usage_that_cannot_be_true_is_hostile() {
    for text in [
        r#"{"promptTokenCount":-1}"#,
        r#"{"promptTokenCount":"12"}"#,
        r#"{"promptTokenCount":5,"thoughtsTokenCount":1e9}"#,
        r#"{"promptTokenCount":5,"totalTokenCount":18446744073709551615}"#,
        r#"{"promptTokenCount":5,"cachedContentTokenCount":6}"#,
        r#"{"promptTokenCount":5,"candidatesTokenCount":1,"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":2}]}"#,
    ] {
        let usage: UsageMetadata<'_> = serde_json::from_str(text).unwrap();
        assert!(matches!(usage.reading(), Reading::Hostile(_)), "{text}");
    }
    let empty: UsageMetadata<'_> = serde_json::from_str("{}").unwrap();
    assert_eq!(empty.reading(), Reading::Absent);
}

#[test]
fn cached_audio_is_counted_once() {
    let text = r#"{"promptTokenCount":100,"cachedContentTokenCount":60,"totalTokenCount":100,
        "promptTokensDetails":[{"modality":"AUDIO","tokenCount":80},{"modality":"TEXT","tokenCount":20}],
        "cacheTokensDetails":[{"modality":"AUDIO","tokenCount":60}]}"#;
    let usage: UsageMetadata<'_> = serde_json::from_str(text).unwrap();
    let usage = usage.reading().sound().unwrap();
    assert_eq!((usage.input, usage.cached_input, usage.audio_in), (20, 60, 20));
}
