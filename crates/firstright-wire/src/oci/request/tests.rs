use serde_json::{Value, json};

use super::*;

const USER: &str = "ocid1.compartment.oc1..x";

fn said(format: ApiFormat, name: &str, body: &Value) -> Result<Value, BadRequest> {
    let out = request(body.to_string().as_bytes(), name, 600, USER, format)?;
    Ok(serde_json::from_slice(&out).unwrap())
}

fn with(member: &str, value: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f"}}]});
    body[member] = value;
    body
}

#[test]
fn who_serves_follows_from_the_name() {
    let body = with("stream", json!(true));
    let out = said(ApiFormat::of("xai.grok-4"), "xai.grok-4", &body).unwrap();
    assert_eq!(out["servingMode"], json!({"servingType": "ON_DEMAND", "modelId": "xai.grok-4"}));
    assert_eq!((&out["compartmentId"], &out["chatRequest"]["apiFormat"]), (&json!(USER), &json!("GENERIC")));
    assert_eq!(out["chatRequest"]["maxTokens"], 600);
    assert_eq!(out["chatRequest"]["streamOptions"], json!({"isIncludeUsage": true}));
    let endpoint = "ocid1.generativeaiendpoint.oc1.eu-frankfurt-1.x";
    let out = said(ApiFormat::of("cohere.command-a"), endpoint, &body).unwrap();
    assert_eq!(out["servingMode"], json!({"servingType": "DEDICATED", "endpointId": endpoint}));
    assert_eq!(out["chatRequest"]["apiFormat"], "COHERE");
    let out = said(ApiFormat::Generic, "openai.gpt-oss-120b", &body).unwrap();
    assert_eq!(
        (&out["chatRequest"]["maxCompletionTokens"], &out["chatRequest"]["maxTokens"]),
        (&json!(600), &Value::Null)
    );
}

#[test]
fn the_name_tells_the_format_unless_it_is_an_ocid() {
    for (name, format) in [
        ("cohere.command-r-plus-08-2024", ApiFormat::Cohere),
        ("cohere.command-a-03-2025", ApiFormat::Cohere),
        ("cohere.command-a-vision-07-2025", ApiFormat::CohereV2),
        ("cohere.command-a-reasoning-08-2025", ApiFormat::CohereV2),
        ("meta.llama-3.2-90b-vision-instruct", ApiFormat::Generic),
    ] {
        assert_eq!(ApiFormat::of(name), format, "{name}");
    }
}

#[test]
fn later_commands_are_told_whether_to_think_and_to_call() {
    for (effort, kind) in [("none", "DISABLED"), ("low", "ENABLED"), ("high", "ENABLED")] {
        let out = said(ApiFormat::CohereV2, "m", &with("reasoning_effort", json!(effort))).unwrap();
        assert_eq!(out["chatRequest"]["thinking"], json!({ "type": kind }), "{effort}");
    }
    for (choice, kind) in [("auto", Value::Null), ("none", json!("NONE")), ("required", json!("REQUIRED"))] {
        let out = said(ApiFormat::CohereV2, "m", &with("tool_choice", json!(choice))).unwrap();
        assert_eq!(out["chatRequest"]["toolsChoice"], kind, "{choice}");
    }
}

#[test]
fn what_has_no_word_is_refused_by_name() {
    use ApiFormat::*;
    let image = json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}]);
    let file = json!([{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]);
    let sound = json!([{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]}]);
    let union = json!([{"type": "function", "function": {"name": "f", "parameters":
        {"type": "object", "properties": {"a": {"anyOf": []}}}}}]);
    for (format, member, value) in [
        (Generic, "messages", file),
        (Generic, "reasoning_effort", json!("xhigh")),
        (Generic, "service_tier", json!("flex")),
        (Generic, "top_k", json!("many")),
        (Cohere, "messages", image),
        (
            Cohere,
            "messages",
            json!([{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]),
        ),
        (Cohere, "messages", json!([{"role": "tool", "tool_call_id": "x", "content": "a"}])),
        (Cohere, "n", json!(2)),
        (Cohere, "tool_choice", json!("required")),
        (Cohere, "parallel_tool_calls", json!(false)),
        (Cohere, "reasoning_effort", json!("low")),
        (Cohere, "service_tier", json!("priority")),
        (Cohere, "tools", union),
        (CohereV2, "messages", sound),
        (CohereV2, "n", json!(2)),
        (CohereV2, "tool_choice", json!({"type": "function", "function": {"name": "f"}})),
        (CohereV2, "parallel_tool_calls", json!(false)),
        (CohereV2, "service_tier", json!("priority")),
    ] {
        let error = said(format, "m", &with(member, value)).unwrap_err();
        assert_eq!((error.code, error.param), ("unsupported_parameter", Some(member)), "{error}");
    }
    assert_eq!(said(Generic, "m", &with("speed", json!(1))).unwrap_err().code, "unknown_parameter");
    for member in crate::openai::chat::HARMLESS {
        said(Generic, "m", &with(member, json!(1))).unwrap();
    }
}
