use serde_json::Value;

use super::*;

#[test]
fn members_are_found_however_they_are_written() {
    let named = |body: &'static str| members_named(body.as_bytes(), "purpose");
    let body = r#"{"a":{"purpose":1}, "Purpose" : "x" ,"purp\u006fse":[2],"purpose":null}"#;
    assert_eq!(named(body).unwrap(), [&b"\"x\""[..], b"[2]", b"null"]);
    assert_eq!(named("{}").unwrap(), [&b""[..]; 0]);
    for other in ["", "[]", "{}{}", r#"{"purpose":}"#] {
        assert!(named(other).is_err(), "{other}");
    }
}

fn chat(body: &str) -> Result<Peek<'_>, BadRequest> {
    peek(Operation::ChatCompletions, body.as_bytes())
}

fn rewritten(body: &str, model: Option<&str>, inject: bool) -> String {
    let peek = chat(body).unwrap();
    let pieces = rewrite(body.as_bytes(), &peek, model, inject);
    let out = pieces.to_vec();
    assert_eq!(out.len(), pieces.len());
    String::from_utf8(out).unwrap()
}

#[test]
fn fields() {
    let peek = chat(
        r#" {"model":"gpt-4o","messages":[{"role":"user","content":"0123456789ab"}],"stream":true,"n":3,
        "stream_options":{"include_usage":true},"max_tokens":10,"max_completion_tokens":20,"service_tier":"flex"} "#,
    )
    .unwrap();
    assert_eq!(peek.model.as_deref(), Some("gpt-4o"));
    assert!(peek.stream && peek.include_usage);
    assert_eq!((peek.max_output_tokens, peek.choices), (Some(20), 3));
    assert_eq!(peek.service_tier, Some(ServiceTier::Flex));
    assert_eq!(peek.estimated_input_tokens, 4);
    assert_eq!(peek.steers_upstream, None);
    assert!(!peek.pins.any());
}

#[test]
fn nulls_are_absent() {
    let nulls = chat(r#"{"model":"m","stream":null,"max_tokens":null,"n":null,"service_tier":null,"stream_options":null,"previous_response_id":null,"conversation":null}"#).unwrap();
    assert!(!nulls.stream && !nulls.pins.any() && nulls.previous_response_id.is_none());
    assert_eq!((nulls.max_output_tokens, nulls.choices, nulls.service_tier), (None, 1, None));
    let body = br#"{"model":null,"x":1}"#;
    let without = peek(Operation::Moderations, body).unwrap();
    assert_eq!(without.model, None);
    assert_eq!(rewrite(body, &without, Some("m"), false).to_vec(), br#"{"model":"m","x":1}"#);
}

#[test]
fn what_another_operation_means_by_a_name_is_left_to_it() {
    let picture = br#"{"model":"m","prompt":"p","background":"transparent"}"#;
    assert!(!peek(Operation::ImagesGenerations, picture).unwrap().pins.background);
    assert_eq!(peek(Operation::Completions, br#"{"model":"m","best_of":0}"#).unwrap().choices, 1);
    assert_eq!(chat(r#"{"n":0}"#).unwrap_err().param, Some("n"));
}

#[test]
fn refusals() {
    let too_long = format!(r#"{{"model":"{}"}}"#, "m".repeat(MAX_MODEL_BYTES + 1));
    for (body, code, param) in [
        ("", "invalid_json", None),
        ("[]", "invalid_json", None),
        (r#"{"model":"m"} {}"#, "invalid_json", None),
        (r#"{"model":"m","messages":[1,]}"#, "invalid_json", None),
        (r#"{"model":"m","x":nul}"#, "invalid_json", None),
        (r#"{"model":"m","\ud800":1}"#, "invalid_json", None),
        (r#"{"model":"a","model":"b"}"#, "duplicate_key", Some("model")),
        (r#"{"model":"a","mod\u0065l":"b"}"#, "duplicate_key", Some("model")),
        (r#"{"model":"a","Model":"b"}"#, "ambiguous_key", Some("model")),
        (r#"{"model":"a","MAX_COMPLETION_TOKENS":1}"#, "ambiguous_key", Some("max_completion_tokens")),
        (r#"{"model":"a","stream":false,"stream":true}"#, "duplicate_key", Some("stream")),
        (
            r#"{"stream_options":{"include_usage":true,"include_usage":false}}"#,
            "duplicate_key",
            Some("stream_options"),
        ),
        (r#"{"model":7}"#, "invalid_type", Some("model")),
        (r#"{"model":""}"#, "invalid_value", Some("model")),
        (r#"{"model":"\ud800"}"#, "invalid_value", Some("model")),
        (r#"{"model":"a\u0000b"}"#, "invalid_value", Some("model")),
        (&too_long, "invalid_value", Some("model")),
        (r#"{"stream":"true"}"#, "invalid_type", Some("stream")),
        (r#"{"stream_options":[]}"#, "invalid_type", Some("stream_options")),
        (r#"{"max_tokens":-1}"#, "invalid_value", Some("max_tokens")),
        (r#"{"max_tokens":1e3}"#, "invalid_value", Some("max_tokens")),
        (r#"{"max_tokens":99999999999999999999}"#, "invalid_value", Some("max_tokens")),
        (r#"{"max_tokens":"5"}"#, "invalid_type", Some("max_tokens")),
        (r#"{"n":0}"#, "invalid_value", Some("n")),
        (r#"{"n":129}"#, "invalid_value", Some("n")),
        (r#"{"best_of":1000}"#, "invalid_value", Some("best_of")),
    ] {
        let refusal = chat(body).unwrap_err();
        assert_eq!((refusal.code, refusal.param), (code, param), "{body}");
    }
    assert_eq!(peek(Operation::Embeddings, b"{\"model\":\"\xff\"}").unwrap_err().code, "invalid_utf8");
    let message = chat(r#"{"n":0}"#).unwrap_err().to_string();
    assert_eq!(message, "accept the request: `n` must be between 1 and 128");
}

#[test]
fn keys_that_steer_the_upstream() {
    for key in ["api_base", "base_url", "BASE_URL", "host", "azure_host_name", "x-Host", "api_bas\\u0065"] {
        let body = format!(r#"{{"model":"m","{key}":"https://evil"}}"#);
        assert_eq!(chat(&body).unwrap().steers_upstream, Some(key), "{key}");
    }
    let inner = r#"{"model":"m","messages":[{"host":"x","content":"base_url"}],"metadata":{"api_base":"x"}}"#;
    assert_eq!(chat(inner).unwrap().steers_upstream, None);
}

#[test]
fn pins() {
    let peek = peek(
        Operation::Responses,
        br#"{"model":"m","previous_response_id":"resp_1","conversation":{"id":"conv_1"},"background":true,
        "input":[{"type":"reasoning","encrypted_content":"gAAA"},{"content":[{"type":"input_file","file_id":"file-1"}]}]}"#,
    )
    .unwrap();
    assert_eq!(peek.previous_response_id.as_deref(), Some("resp_1"));
    assert_eq!(peek.pins, Pins { file: true, encrypted_content: true, conversation: true, background: true });
    let none =
        r#"{"model":"m","messages":[{"content":"\"file_id\":\"encrypted_content\""}],"background":false}"#;
    assert!(!chat(none).unwrap().pins.any());
}

#[test]
fn estimates() {
    let long = "x".repeat(4000);
    let picture = format!("data:image/png;base64,{}", "A".repeat(64_000));
    for (body, expected) in [
        (format!(r#"{{"messages":[{{"role":"user","content":"{long}"}}]}}"#), 1001),
        (format!(r#"{{"user":"{long}","metadata":{{"a":"{long}"}}}}"#), 0),
        (r#"{"input":[[1,2,3],[4,5]]}"#.to_owned(), 5),
        (
            format!(r#"{{"messages":[{{"content":[{{"image_url":{{"url":"{picture}"}}}}]}}]}}"#),
            1024 + 64_022 / 64,
        ),
        (r#"{"tools":[{"type":"function"}]}"#.to_owned(), 6),
    ] {
        assert_eq!(chat(&body).unwrap().estimated_input_tokens, expected, "{:.60}", body);
    }
}

#[test]
fn rewriting_keeps_every_other_byte() {
    for (body, model, inject, expected) in [
        (r#"{"model":"a","x": [1 ,2]}"#, None, false, r#"{"model":"a","x": [1 ,2]}"#),
        (r#"{ "x":1,"model" : "a" }"#, Some("bb"), false, r#"{ "x":1,"model" : "bb" }"#),
        (r#"{"model":"a"}"#, Some("b"), true, r#"{"stream_options":{"include_usage":true},"model":"b"}"#),
        (r#"{"x":1}"#, Some("b"), true, r#"{"model":"b","stream_options":{"include_usage":true},"x":1}"#),
        (r#"{"x":1}"#, Some("q\"\\"), false, r#"{"model":"q\"\\","x":1}"#),
        (r#"{}"#, None, true, r#"{"stream_options":{"include_usage":true}}"#),
        (r#"{}"#, Some("b"), true, r#"{"model":"b","stream_options":{"include_usage":true}}"#),
        (r#"{}"#, Some("b"), false, r#"{"model":"b"}"#),
        (r#"{"stream_options":{}}"#, None, true, r#"{"stream_options":{"include_usage":true}}"#),
        (r#"{"stream_options":null}"#, None, true, r#"{"stream_options":{"include_usage":true}}"#),
        (
            r#"{"stream_options":{"include_obfuscation":false},"model":"a"}"#,
            Some("b"),
            true,
            r#"{"stream_options":{"include_usage":true,"include_obfuscation":false},"model":"b"}"#,
        ),
        (
            r#"{"model":"a","stream_options":{"include_usage": false }}"#,
            Some("longer"),
            true,
            r#"{"model":"longer","stream_options":{"include_usage": true }}"#,
        ),
        (
            r#"{"stream_options":{"include_usage":true}}"#,
            None,
            true,
            r#"{"stream_options":{"include_usage":true}}"#,
        ),
    ] {
        let out = rewritten(body, model, inject);
        assert_eq!(out, expected, "{body}");
        let value: Value = serde_json::from_str(&out).unwrap();
        if let Some(model) = model {
            assert_eq!(value["model"], model);
        }
        assert!(!inject || value["stream_options"]["include_usage"] == true);
        assert!(!inject || chat(&out).unwrap().include_usage);
    }
}

#[test]
fn models_has_no_body() {
    assert_eq!(peek(Operation::Models, b"").unwrap().model, None);
}

/// What is kept at a provider has fields of the same names that mean other things, and calls without a body.
#[test]
fn what_is_kept_is_read_for_its_model_only() {
    let body = br#"{"n":1000,"max_tokens":"x","conversation":1,"model":"m"}"#;
    assert_eq!(peek(Operation::Store, body).unwrap().model.as_deref(), Some("m"));
    let none = peek(Operation::Store, b"").unwrap();
    assert_eq!(rewrite(b"", &none, Some("m"), false).to_vec(), b"");
}
