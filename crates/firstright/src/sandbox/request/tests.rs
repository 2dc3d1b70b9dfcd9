use super::read;
use firstright_sim::cloud::{Dialect, Operation};

#[test]
fn counts_come_from_the_content_or_from_the_header() {
    let body =
        br#"{"model":"m","messages":"12345678","max_tokens":9,"max_completion_tokens":7,"stream":null}"#;
    let asked = read((Dialect::Openai, Operation::Chat, ""), body, None).unwrap();
    assert_eq!((asked.prompt_tokens, asked.max_tokens, asked.stream), (3, Some(7), false));
    let asked = read((Dialect::Openai, Operation::Chat, ""), body, Some("100, 20,5")).unwrap();
    assert_eq!((asked.prompt_tokens, asked.forced_output, asked.forced_cached), (100, Some(20), Some(5)));
}

#[test]
fn inputs_are_counted_in_every_form() {
    let cases = [(r#""text""#, 1), (r#"["a","b"]"#, 2), ("[1,2,3]", 1), ("[[1,2],[3]]", 2), (" [ 7 ]", 1)];
    for (input, wanted) in cases {
        let body = format!(r#"{{"input":{input}}}"#);
        assert_eq!(
            read((Dialect::Openai, Operation::Embeddings, ""), body.as_bytes(), None).unwrap().results,
            wanted,
            "{input}"
        );
    }
}

#[test]
fn mistakes_are_told() {
    let cases = [
        (Operation::Chat, "{", None, "failed to parse"),
        (Operation::Chat, r#"{"input":"x"}"#, None, "'messages'"),
        (Operation::Chat, r#"{"messages":[],"n":2}"#, None, "'n'"),
        (Operation::Chat, r#"{"messages":[]}"#, Some("1"), "PROMPT,OUTPUT"),
        (Operation::Chat, r#"{"messages":[]}"#, Some("1,99999999999"), "PROMPT,OUTPUT"),
        (Operation::Embeddings, r#"{"input":[]}"#, None, "'input'"),
        (Operation::Embeddings, r#"{"input":"x","dimensions":9999}"#, None, "'dimensions'"),
        (Operation::Images, r#"{"prompt":"x","n":11}"#, None, "'n'"),
        (Operation::Images, r#"{"prompt":"x","stream":true}"#, None, "stream"),
    ];
    for (operation, body, forced, wanted) in cases {
        let error = read((Dialect::Openai, operation, ""), body.as_bytes(), forced).unwrap_err();
        assert!(error.contains(wanted), "{body}: {error}");
    }
}

#[test]
fn other_languages_have_their_own_words() {
    let cases = [
        (
            Dialect::Anthropic,
            r#"{"model":"m","messages":"12345678","max_tokens":9,"stream":true}"#,
            (Some(9), true),
        ),
        (Dialect::Bedrock, r#"{"messages":"12345678","inferenceConfig":{"maxTokens":8}}"#, (Some(8), false)),
        (
            Dialect::Gemini,
            r#"{"contents":"12345678","generationConfig":{"maxOutputTokens":7}}"#,
            (Some(7), false),
        ),
        (Dialect::Gemini, r#"{"contents":"12345678"}"#, (None, false)),
        (
            Dialect::Oci,
            r#"{"compartmentId":"c","servingMode":{"servingType":"ON_DEMAND","modelId":"m"},"chatRequest":{"apiFormat":"GENERIC","messages":"12345678","isStream":true,"maxTokens":6}}"#,
            (Some(6), true),
        ),
    ];
    for (dialect, body, wanted) in cases {
        let asked = read((dialect, Operation::Chat, ""), body.as_bytes(), None).unwrap();
        assert_eq!((asked.prompt_tokens, (asked.max_tokens, asked.stream)), (3, wanted), "{body}");
    }
    for (dialect, body, wanted) in [
        (Dialect::Anthropic, r#"{"messages":[]}"#, "max_tokens"),
        (Dialect::Bedrock, "{}", "messages"),
        (Dialect::Gemini, r#"{"messages":[]}"#, "contents"),
        (Dialect::Gemini, r#"{"contents":[],"generationConfig":{"candidateCount":2}}"#, "candidateCount"),
        (Dialect::Oci, r#"{"compartmentId":"c"}"#, "servingMode"),
        (
            Dialect::Oci,
            r#"{"compartmentId":"c","servingMode":{"servingType":"ON_DEMAND"},"chatRequest":{"apiFormat":"COHERE","messages":[]}}"#,
            "GENERIC",
        ),
    ] {
        let error = read((dialect, Operation::Chat, ""), body.as_bytes(), None).unwrap_err();
        assert!(error.contains(wanted), "{body}: {error}");
    }
}
