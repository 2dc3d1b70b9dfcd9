use super::*;

#[test]
fn what_is_no_answer_is_malformed() {
    for body in
        ["", "{}", "[]", r#"{"message":"too long"}"#, r#"{"output":{"message":{"content":[{"text":5}]}}}"#]
    {
        assert!(response(body.as_bytes(), "m").is_err(), "{body}");
    }
}

#[test]
fn every_reason_to_stop_has_its_word() {
    let cases = [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("malformed_tool_use", "stop"),
        ("one of tomorrow", "stop"),
    ];
    for (reason, expected) in cases {
        let body = format!(r#"{{"output":{{"message":{{"content":[]}}}},"stopReason":"{reason}"}}"#);
        let answer: serde_json::Value =
            serde_json::from_slice(&response(body.as_bytes(), "m").unwrap()).unwrap();
        assert_eq!(answer["choices"][0]["finish_reason"], expected);
        assert_eq!(
            (&answer["choices"][0]["message"]["content"], &answer["usage"]),
            (&"".into(), &serde_json::Value::Null)
        );
    }
}
