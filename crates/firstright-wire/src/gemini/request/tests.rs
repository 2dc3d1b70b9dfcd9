use serde_json::{Value, json};

use super::*;

fn with(member: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{member}}}"#)
}

fn sent(name: &str, body: &str) -> Value {
    serde_json::from_slice(&request(body.as_bytes(), name, 4096).unwrap()).unwrap()
}

#[test]
fn what_cannot_be_said_is_refused_by_name() {
    let tool = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    let cases = [
        (r#""n":9"#.to_owned(), "n"),
        (r#""service_tier":"fast""#.to_owned(), "service_tier"),
        (format!(r#"{tool},"parallel_tool_calls":false"#), "parallel_tool_calls"),
        (r#""reasoning_effort":"none""#.to_owned(), "reasoning_effort"),
        (r#""logit_bias":{"5":1}"#.to_owned(), "logit_bias"),
    ];
    for (member, param) in cases {
        let refused = request(with(&member).as_bytes(), "gemini-3-pro", 4096).unwrap_err();
        assert_eq!(refused.param, Some(param), "{member}: {refused}");
    }
    assert_eq!(
        request(with(r#""top_k":4"#).as_bytes(), "gemini-3-pro", 1).unwrap_err().code,
        "unknown_parameter"
    );
    let messages = [
        r#"{"role":"system","content":"alone"}"#,
        r#"{"role":"user","content":"x"},{"role":"tool","tool_call_id":"nobody's","content":"x"}"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/picture"}}]}"#,
        r#"{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}"#,
        r#"{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"5"}}]}"#,
    ];
    for message in messages {
        let body = format!(r#"{{"messages":[{message}]}}"#);
        let refused = request(body.as_bytes(), "gemini-3-pro", 4096).unwrap_err();
        assert_eq!(refused.param, Some("messages"), "{message}: {refused}");
    }
}

#[test]
fn effort_is_a_budget_or_a_level_by_version() {
    let thinking = |name: &str, effort: &str| {
        let body = with(&format!(r#""reasoning_effort":"{effort}""#));
        sent(name, &body)["generationConfig"]["thinkingConfig"].clone()
    };
    assert_eq!(thinking("gemini-2.5-flash", "none"), json!({"thinkingBudget": 0}));
    assert_eq!(thinking("gemini-2.5-pro", "medium"), json!({"thinkingBudget": 8192}));
    assert_eq!(thinking("gemini-3.1-pro-preview", "minimal"), json!({"thinkingLevel": "MINIMAL"}));
    assert_eq!(thinking("gemini-4-flash", "xhigh"), json!({"thinkingLevel": "HIGH"}));
    assert_eq!(thinking("gemini-2.0-flash", "none"), Value::Null);
    let refused = request(with(r#""reasoning_effort":"low""#).as_bytes(), "gemini-2.0-flash", 1).unwrap_err();
    assert_eq!(refused.param, Some("reasoning_effort"));
}

#[test]
fn a_call_from_elsewhere_is_signed_only_where_a_signature_is_wanted() {
    let body = r#"{"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[
        {"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"f","arguments":"{}"}}]}]}"#;
    let signature = |name: &str| sent(name, body)["contents"][1]["parts"][0]["thoughtSignature"].clone();
    assert_eq!(signature("gemini-3-flash"), "skip_thought_signature_validator");
    assert_eq!(signature("gemini-2.5-flash"), Value::Null);
    assert_eq!(sent("gemini-3-flash", body)["contents"][1]["parts"][1]["thoughtSignature"], Value::Null);
}

#[test]
fn a_made_id_comes_back_as_none() {
    let answer = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"},"thoughtSignature":"c2ln"}]},"finishReason":"STOP"}]}"#;
    let said: Value =
        serde_json::from_slice(&crate::gemini::response(answer.as_bytes(), "m").unwrap()).unwrap();
    let said = &said["choices"][0]["message"];
    let id = &said["tool_calls"][0]["id"];
    let body = json!({"messages": [{"role": "user", "content": "x"}, said, {"role": "tool", "tool_call_id": id, "content": "y"}]});
    let sent = sent("gemini-3-pro", &body.to_string());
    assert_eq!(
        sent["contents"][1]["parts"],
        json!([{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}])
    );
    assert_eq!(
        sent["contents"][2]["parts"],
        json!([{"functionResponse": {"name": "f", "response": {"output": "y"}}}])
    );
}
