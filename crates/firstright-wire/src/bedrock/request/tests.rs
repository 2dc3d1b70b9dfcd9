use serde_json::{Value, json};

use super::*;

const CLAUDE: &str = "eu.anthropic.claude-sonnet-4-6";

fn with(member: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{member}}}"#)
}

fn sent(name: &str, member: &str) -> Value {
    let body = request(with(member).as_bytes(), name, 4096).unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn what_cannot_be_said_is_refused_by_name() {
    let tool = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    let cases = [
        (r#""n":2"#.to_owned(), "n"),
        (r#""frequency_penalty":0.1"#.to_owned(), "frequency_penalty"),
        (r#""presence_penalty":-1"#.to_owned(), "presence_penalty"),
        (r#""temperature":1.1"#.to_owned(), "temperature"),
        (r#""service_tier":"scale""#.to_owned(), "service_tier"),
        (r#""response_format":{"type":"json_object"}"#.to_owned(), "response_format"),
        (format!(r#"{tool},"parallel_tool_calls":false"#), "parallel_tool_calls"),
        (r#""reasoning_effort":"low","temperature":0.5"#.to_owned(), "temperature"),
        (r#""reasoning_effort":"low","top_p":0.5"#.to_owned(), "top_p"),
        (r#""logprobs":true"#.to_owned(), "logprobs"),
    ];
    for (member, param) in cases {
        let refused = request(with(&member).as_bytes(), CLAUDE, 4096).unwrap_err();
        assert_eq!(refused.param, Some(param), "{member}: {refused}");
    }
    assert_eq!(request(with(r#""top_k":4"#).as_bytes(), CLAUDE, 1).unwrap_err().code, "unknown_parameter");
    let messages = [
        r#"{"role":"assistant","content":"first"}"#,
        r#"{"role":"system","content":"alone"}"#,
        r#"{"role":"user","content":"   "}"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/tiff;base64,QQ=="}}]}"#,
        r#"{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}"#,
        r#"{"role":"user","content":[{"type":"file","file":{"filename":"a.bin","file_data":"data:x/y;base64,QQ=="}}]}"#,
        r#"{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,QQ=="}}]}"#,
        r#"{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"[1]"}}]}"#,
        r#"{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
    ];
    for message in messages {
        let body = format!(r#"{{"messages":[{message}]}}"#);
        let refused = request(body.as_bytes(), CLAUDE, 4096).unwrap_err();
        assert_eq!(refused.param, Some("messages"), "{message}: {refused}");
    }
}

#[test]
fn effort_is_said_by_the_models_family() {
    let effort = |name: &str, effort: &str| {
        let member = format!(r#""reasoning_effort":"{effort}","max_tokens":4000"#);
        sent(name, &member)["additionalModelRequestFields"].clone()
    };
    let adaptive = json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}});
    assert_eq!(effort(CLAUDE, "high"), adaptive);
    assert_eq!(effort("anthropic.claude-mythos-5", "high"), adaptive);
    let budget = |tokens: u64| json!({"thinking": {"type": "enabled", "budget_tokens": tokens}});
    assert_eq!(effort("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "medium"), budget(2000));
    assert_eq!(effort("anthropic.claude-sonnet-4-20250514-v1:0", "low"), budget(1024));
    assert_eq!(effort("anthropic.claude-3-7-sonnet-20250219-v1:0", "high"), budget(3200));
    assert_eq!(effort(CLAUDE, "none"), Value::Null);
    assert_eq!(effort("openai.gpt-oss-120b-1:0", "minimal"), json!({"reasoning_effort": "low"}));
    let nova = json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}});
    assert_eq!(effort("us.amazon.nova-2-lite-v1:0", "medium"), nova);
    for (name, effort) in [
        ("us.amazon.nova-2-lite-v1:0", "high"),
        ("openai.gpt-oss-120b-1:0", "none"),
        ("meta.llama4-maverick-17b-instruct-v1:0", "low"),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/x", "low"),
    ] {
        let body = with(&format!(r#""reasoning_effort":"{effort}""#));
        let refused = request(body.as_bytes(), name, 4096).unwrap_err();
        assert_eq!(refused.param, Some("reasoning_effort"), "{name}");
    }
}

#[test]
fn a_budget_gives_way_where_the_provider_would_refuse_it() {
    let old = "anthropic.claude-opus-4-1-20250805-v1:0";
    let tool = r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required""#;
    let forced = sent(old, &format!(r#""reasoning_effort":"low",{tool}"#));
    assert_eq!(forced["additionalModelRequestFields"], Value::Null);
    assert_eq!(forced["toolConfig"]["toolChoice"], json!({"any": {}}));
    let small = sent(old, r#""reasoning_effort":"low","max_tokens":1000"#);
    assert_eq!(small["additionalModelRequestFields"], Value::Null);
}

#[test]
fn a_request_without_a_bound_gets_the_default() {
    assert_eq!(sent(CLAUDE, r#""stream":true"#)["inferenceConfig"], json!({"maxTokens": 4096}));
}

#[test]
fn a_mark_on_a_result_stands_behind_it() {
    let body = r#"{"messages":[{"role":"user","content":"x"},
        {"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"y","cache_control":{"type":"ephemeral"}}]}]}"#;
    let sent: Value = serde_json::from_slice(&request(body.as_bytes(), CLAUDE, 4096).unwrap()).unwrap();
    let result = json!({"toolResult": {"toolUseId": "a", "content": [{"text": "y"}]}});
    assert_eq!(sent["messages"][2]["content"], json!([result, {"cachePoint": {"type": "default"}}]));
}

#[test]
fn only_claude_does_without_a_temperature_or_top_p_of_one() {
    assert_eq!(sent(CLAUDE, r#""temperature":1"#)["inferenceConfig"]["temperature"], Value::Null);
    assert_eq!(sent("amazon.nova-lite-v1:0", r#""temperature":1"#)["inferenceConfig"]["temperature"], 1.0);
    assert_eq!(sent(CLAUDE, r#""top_p":1"#)["inferenceConfig"]["topP"], Value::Null);
    assert_eq!(sent(CLAUDE, r#""top_p":0.9"#)["inferenceConfig"]["topP"], 0.9);
    assert_eq!(sent("amazon.nova-lite-v1:0", r#""top_p":1"#)["inferenceConfig"]["topP"], 1.0);
}
