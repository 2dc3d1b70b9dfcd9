use serde_json::{Value, json};

use super::*;

fn with(member: &str, value: Value) -> Vec<u8> {
    let mut body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    body[member] = value;
    body.to_string().into_bytes()
}

fn said(body: &[u8]) -> Value {
    serde_json::from_slice(&request(body).unwrap()).unwrap()
}

#[test]
fn what_is_said_is_a_chat_request() {
    let body = include_bytes!("../../../tests/it/golden/anthropic-inbound/tools.request.json");
    let out = request(body).unwrap();
    let read = crate::openai::chat::read(&out).unwrap();
    read.refuse_unknown(&[]).unwrap();
    assert_eq!((read.max_tokens, read.tools.len(), read.messages.len()), (Some(8000), 2, 5));
    let inner = request(&with("stream", json!(true))).unwrap();
    assert!(crate::openai::request::peek(Operation::ChatCompletions, &inner).unwrap().include_usage);
}

#[test]
fn efforts_and_formats() {
    for (thinking, effort) in [
        (json!({"type": "enabled", "budget_tokens": 1024}), json!("low")),
        (json!({"type": "enabled", "budget_tokens": 2049}), json!("medium")),
        (json!({"type": "enabled", "budget_tokens": 50_000}), json!("high")),
        (json!({"type": "adaptive"}), Value::Null),
        (json!({"type": "disabled"}), Value::Null),
    ] {
        assert_eq!(said(&with("thinking", thinking))["reasoning_effort"], effort);
    }
    let schema = json!({"type": "object"});
    let config = json!({"effort": "max", "format": {"type": "json_schema", "schema": schema}});
    let out = said(&with("output_config", config));
    assert_eq!(
        (&out["reasoning_effort"], &out["response_format"]["json_schema"]["schema"]),
        (&json!("xhigh"), &schema)
    );
    for (choice, expected) in [
        (json!({"type": "auto"}), json!("auto")),
        (json!({"type": "any"}), json!("required")),
        (json!({"type": "none"}), json!("none")),
        (json!({"type": "tool", "name": "f"}), json!({"type": "function", "function": {"name": "f"}})),
    ] {
        assert_eq!(said(&with("tool_choice", choice))["tool_choice"], expected);
    }
    let long = json!({"user_id": "u".repeat(65)});
    assert_eq!(said(&with("metadata", long))["user"], Value::Null);
}

#[test]
fn what_has_no_word_is_refused_by_name() {
    let block = |block: Value| json!([{"role": "user", "content": [block]}]);
    for (member, value) in [
        ("top_k", json!(4)),
        ("stop_sequences", json!(["a", "b", "c", "d", "e"])),
        ("tools", json!([{"type": "web_search_20250305", "name": "web_search"}])),
        ("context_management", json!({"edits": [{"type": "clear_tool_uses_20250919"}]})),
        ("messages", block(json!({"type": "image", "source": {"type": "file", "file_id": "f"}}))),
        ("messages", block(json!({"type": "document", "source": {"type": "url", "url": "u"}}))),
        ("messages", block(json!({"type": "search_result", "title": "t"}))),
        ("messages", json!([{"role": "user", "content": "u"}, {"role": "assistant", "content": "{"}])),
        (
            "messages",
            json!([{"role": "assistant", "content": [{"type": "server_tool_use"}]}, {"role": "user", "content": "u"}]),
        ),
    ] {
        let error = request(&with(member, value)).unwrap_err();
        assert_eq!((error.code, error.param), ("unsupported_parameter", Some(member)), "{error}");
    }
    for (member, value) in [
        ("max_tokens", Value::Null),
        ("messages", json!([])),
        ("messages", json!([{"role": "tool", "content": "x"}])),
        ("messages", block(json!({"type": "image"}))),
        ("messages", block(json!({"type": "tool_result", "content": "x"}))),
        ("system", json!([{"type": "image"}])),
        ("service_tier", json!("flex")),
        ("thinking", json!({"type": "enabled"})),
        ("tool_choice", json!({"type": "tool"})),
        ("output_config", json!({"effort": "huge"})),
    ] {
        let error = request(&with(member, value)).unwrap_err();
        assert_eq!((error.code, error.param), ("invalid_value", Some(member)), "{error}");
    }
    let error = request(&with("mcp_servers", json!([]))).unwrap_err();
    assert_eq!(error.code, "unknown_parameter");
    assert!(error.message.contains("`mcp_servers`"));
}

#[test]
fn what_is_decided_by_is_peeked() {
    let mut body: Value = serde_json::from_slice(&with("stream", json!(true))).unwrap();
    body["system"] = json!("s".repeat(4000));
    let body = body.to_string();
    let peek = peek(body.as_bytes()).unwrap();
    assert_eq!((peek.model.as_deref(), peek.stream, peek.max_output_tokens), (Some("m"), true, Some(9)));
    assert!((1000..1100).contains(&peek.estimated_input_tokens), "{}", peek.estimated_input_tokens);
    let renamed = crate::openai::request::rewrite(body.as_bytes(), &peek, Some("claude"), false).to_vec();
    assert_eq!(String::from_utf8(renamed).unwrap(), body.replace("\"model\":\"m\"", "\"model\":\"claude\""));
    assert_eq!(estimate_tokens(body.as_bytes()).unwrap(), peek.estimated_input_tokens);
    assert_eq!(count_tokens_body(7), b"{\"input_tokens\":7}");
    assert!(estimate_tokens(b"[]").is_err());
    let file = with(
        "messages",
        json!([{"role": "user", "content": [{"type": "document", "source": {"file_id": "f"}}]}]),
    );
    assert!(super::peek(&file).unwrap().pins.file);
}

#[test]
fn errors_have_the_kind_of_their_status() {
    for (status, kind) in [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ] {
        let body: Value = serde_json::from_slice(&error(status, "co\"de", "mess\nage")).unwrap();
        assert_eq!(
            body,
            json!({"type": "error", "error": {"type": kind, "message": "mess\nage", "details": {"error_code": "co\"de"}}})
        );
    }
    let event = error_event("upstream_cut", "gone\n\n");
    assert_eq!(event.windows(2).filter(|pair| pair == b"\n\n").count(), 1);
    assert!(event.starts_with(b"event: error\ndata: {\"type\":\"error\""));
}

#[test]
fn a_call_that_goes_on_after_the_next_began_is_refused() {
    let chunk = |index: u64, name: &str| {
        let call = json!({"index": index, "function": {"name": name, "arguments": "{"}});
        format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}))
    };
    let mut stream = Stream::new();
    let mut out = Vec::new();
    stream.push(chunk(0, "f").as_bytes(), &mut out).unwrap();
    stream.push(chunk(1, "g").as_bytes(), &mut out).unwrap();
    assert!(stream.push(chunk(0, "").as_bytes(), &mut out).is_err());
    assert!(!stream.finish(&mut out));
}
