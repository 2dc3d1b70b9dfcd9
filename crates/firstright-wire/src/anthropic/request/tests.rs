use serde_json::{Value, json};

use super::request;

fn said(body: &Value, name: &str) -> Value {
    let out = request(body.to_string().as_bytes(), name, 4096).unwrap();
    serde_json::from_slice(&out).unwrap()
}

fn with(member: &str, value: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    body[member] = value;
    body
}

#[test]
fn turns_are_merged_and_the_system_is_gathered() {
    let body = json!({"messages": [
        {"role": "system", "content": "a"},
        {"role": "user", "content": "one"},
        {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "two"}]},
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": "functions.f:0", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1.50}"}},
            {"id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "functions.f:0", "content": "r1"},
        {"role": "tool", "tool_call_id": "c2", "content": ""},
        {"role": "developer", "content": "b"},
        {"role": "user", "content": "three"},
    ]});
    let out = said(&body, "claude-sonnet-4-5");
    assert_eq!(out["system"], json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]));
    assert_eq!(
        out["messages"],
        json!([
            {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "functions_f_0", "name": "f", "input": {"x": 1.5}},
                {"type": "tool_use", "id": "c2", "name": "g", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "functions_f_0", "content": [{"type": "text", "text": "r1"}]},
                {"type": "tool_result", "tool_use_id": "c2"},
                {"type": "text", "text": "three"}]},
        ])
    );
    assert_eq!((out["max_tokens"].as_u64(), &out["stream"]), (Some(4096), &json!(false)));
}

#[test]
fn numbers_in_arguments_and_keys_in_schemas_keep_their_form() {
    let body = r#"{"tools":[{"type":"function","function":{"name":"f","parameters":{"z":1.50,"a":[]}}}],
        "messages":[{"role":"user","content":"u"},{"role":"assistant","tool_calls":[{"id":"a","type":"function",
        "function":{"name":"f","arguments":"{\"b\":1.10,\"a\":12345678901234567890123}"}}]},
        {"role":"tool","tool_call_id":"a","content":"x"}]}"#;
    let out = String::from_utf8(request(body.as_bytes(), "claude", 1).unwrap()).unwrap();
    assert!(out.contains(r#""input_schema":{"z":1.50,"a":[]}"#), "{out}");
    assert!(out.contains(r#""input":{"b":1.10,"a":12345678901234567890123}"#), "{out}");
}

#[test]
fn how_to_think_depends_on_the_models_version() {
    for (name, max, effort, thinking, asked) in [
        (
            "claude-sonnet-4-5-20250929",
            10_000,
            "low",
            json!({"type": "enabled", "budget_tokens": 2000}),
            Value::Null,
        ),
        (
            "claude-sonnet-4-20250514",
            100_000,
            "high",
            json!({"type": "enabled", "budget_tokens": 32_000}),
            Value::Null,
        ),
        (
            "claude-3-7-sonnet-20250219",
            2000,
            "minimal",
            json!({"type": "enabled", "budget_tokens": 1024}),
            Value::Null,
        ),
        ("anthropic.claude-opus-4-1-20250805-v1:0", 1024, "high", Value::Null, Value::Null),
        ("claude-opus-4-6", 100, "minimal", json!({"type": "adaptive"}), json!({"effort": "low"})),
        ("claude-opus-5", 100, "xhigh", json!({"type": "adaptive"}), json!({"effort": "xhigh"})),
        ("our-claude", 100, "medium", json!({"type": "adaptive"}), json!({"effort": "medium"})),
        ("our-claude", 100, "none", json!({"type": "disabled"}), Value::Null),
    ] {
        let mut body = with("reasoning_effort", json!(effort));
        body["max_completion_tokens"] = json!(max);
        let out = said(&body, name);
        assert_eq!((&out["thinking"], &out["output_config"]), (&thinking, &asked), "{name}");
        body["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
        body["tool_choice"] = json!("required");
        let forced = said(&body, name);
        assert!(matches!(forced["thinking"]["type"].as_str(), None | Some("disabled")), "{name}: {forced}");
    }
    // A call whose signed thought was not echoed rules a budget out; one that was echoed goes back as it came.
    let mut body = json!({"reasoning_effort": "high", "max_tokens": 5000, "messages": [
        {"role": "user", "content": "u"},
        {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "x"}]});
    assert_eq!(said(&body, "claude-sonnet-4-5")["thinking"], Value::Null);
    let thought = json!({"type": "thinking", "thinking": "t", "signature": "s"});
    let mut told = thought.clone();
    told["index"] = json!(0);
    body["messages"][1]["thinking_blocks"] = json!([told]);
    let out = said(&body, "claude-sonnet-4-5");
    assert_eq!(
        (&out["thinking"]["budget_tokens"], &out["messages"][1]["content"][0]),
        (&json!(4000), &thought)
    );
    let given = json!({"type": "enabled", "budget_tokens": 9});
    assert_eq!(said(&with("thinking", given.clone()), "claude")["thinking"], given);
}

#[test]
fn choices_formats_and_tiers() {
    let tools = json!([{"type": "function", "function": {"name": "f", "description": "d", "strict": true}}]);
    for (choice, parallel, expected) in [
        (Value::Null, Value::Null, Value::Null),
        (Value::Null, json!(false), json!({"type": "auto", "disable_parallel_tool_use": true})),
        (json!("auto"), json!(true), json!({"type": "auto"})),
        (json!("none"), json!(false), json!({"type": "none"})),
        (json!("required"), json!(false), json!({"type": "any", "disable_parallel_tool_use": true})),
        (
            json!({"type": "function", "function": {"name": "f"}}),
            Value::Null,
            json!({"type": "tool", "name": "f"}),
        ),
    ] {
        let mut body = with("tools", tools.clone());
        body["tool_choice"] = choice;
        body["parallel_tool_calls"] = parallel;
        let out = said(&body, "claude");
        assert_eq!(out["tool_choice"], expected);
        assert_eq!(
            out["tools"],
            json!([{"name": "f", "description": "d", "strict": true,
                    "input_schema": {"type": "object", "properties": {}}}])
        );
    }
    let schema = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}});
    assert_eq!(
        said(&with("response_format", schema), "claude")["output_config"],
        json!({"format": {"type": "json_schema", "schema": {"type": "object"}}})
    );
    for (tier, expected) in [("auto", "auto"), ("default", "standard_only"), ("priority", "auto")] {
        assert_eq!(said(&with("service_tier", json!(tier)), "claude")["service_tier"], expected);
    }
    let mut neutral = with("temperature", json!(1));
    neutral["top_p"] = json!(1.0);
    let neutral = said(&neutral, "claude");
    assert!(neutral.get("temperature").is_none() && neutral.get("top_p").is_none());
    let user = said(&with("user", json!("u1")), "claude");
    assert_eq!(user["metadata"], json!({"user_id": "u1"}));
    assert_eq!(said(&with("stop", json!("\n\nH:")), "claude")["stop_sequences"], json!(["\n\nH:"]));
}

#[test]
fn what_has_no_word_is_refused_by_name() {
    for (member, value) in [
        ("n", json!(2)),
        ("frequency_penalty", json!(0.5)),
        ("presence_penalty", json!(-0.5)),
        ("temperature", json!(1.5)),
        ("response_format", json!({"type": "json_object"})),
        ("service_tier", json!("flex")),
        ("messages", json!([{"role": "system", "content": "alone"}])),
        (
            "messages",
            json!([{"role": "assistant", "thinking_blocks": [{"type": "thinking", "thinking": "t"}]}]),
        ),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "input_audio", "input_audio": {"format": "wav", "data": ""}}]}]),
        ),
        ("messages", json!([{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}])),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "file", "file": {"file_data": "data:text/csv;base64,QQ=="}}]}]),
        ),
        (
            "messages",
            json!([{"role": "user", "content": "u"},
            {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "[1]"}}]}]),
        ),
    ] {
        let error = request(with(member, value).to_string().as_bytes(), "claude", 10).unwrap_err();
        assert_eq!((error.code, error.param), ("unsupported_parameter", Some(member)), "{error}");
    }
    let error = request(with("speed", json!("fast")).to_string().as_bytes(), "claude", 10).unwrap_err();
    assert_eq!(error.code, "unknown_parameter");
    for member in crate::openai::chat::HARMLESS {
        request(with(member, json!(1)).to_string().as_bytes(), "claude", 10).unwrap();
    }
}
