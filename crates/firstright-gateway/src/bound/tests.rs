use super::*;

fn most(operation: Operation, body: &str) -> u64 {
    let body = body.as_bytes();
    input_most(&peek(operation, body).unwrap(), body.len() as u64, &Words::of(body))
}

#[test]
fn no_text_is_more_tokens_than_bytes() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    assert_eq!(most(Operation::ChatCompletions, body), body.len() as u64);
}

#[test]
fn what_is_not_in_the_body_is_bounded_by_the_context() {
    for body in [
        r#"{"model":"m","input":"x","previous_response_id":"resp_1"}"#,
        r#"{"model":"m","input":"x","tools":[{"type":"web_search"}]}"#,
        r#"{"model":"m","input":"x","tools":[{"type":"w\u0065b_search"}]}"#,
        r#"{"model":"m","input":[{"type":"input_file","file_url":"https://a/b"}]}"#,
        r#"{"model":"m","prompt":{"id":"pmpt_1"}}"#,
    ] {
        assert_eq!(most(Operation::Responses, body), CONTEXT_MOST);
    }
    let picture = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://a/b"}}]}]}"#;
    assert!(most(Operation::ChatCompletions, picture) > PICTURE_MOST);
}

/// Of Anthropic's own: a picture of one colour is a few hundred bytes and more than a thousand tokens.
#[test]
fn a_picture_a_document_and_a_tool_of_anthropics_are_more_than_their_bytes() {
    let of = |content: &str, tools: &str| {
        let body = format!(
            r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":[{content}]}}],"tools":[{tools}]}}"#
        );
        most(Operation::Messages, &body)
    };
    let source = |kind: &str, media: &str| {
        format!(
            r#"{{"type":"{kind}","source":{{"type":"base64","media_type":"{media}","data":"iVBORw0KGgo="}}}}"#
        )
    };
    assert!(of(&source("image", "image/png"), "") > PICTURE_MOST);
    assert_eq!(of(&source("document", "application/pdf"), ""), CONTEXT_MOST);
    assert_eq!(of("", r#"{"type":"web_fetch_20250910","name":"web_fetch"}"#), CONTEXT_MOST);
    assert!(of(&source("document", "text/plain"), "") < 1_000, "what is text has no more tokens than bytes");
}

#[test]
fn every_word_is_found_at_the_beginning_of_a_string_and_nowhere_else() {
    let elsewhere = [
        "web_search_preview",
        "file_search",
        "code_interpreter",
        "mcp",
        "computer_use",
        "image_generation",
        "file_url",
        "pmpt_1",
        "web_fetch_20250910",
        "code_execution_20250825",
        "application/pdf",
        "application\\/pdf",
    ];
    for word in elsewhere {
        assert_eq!(
            Words::of(format!("[\"{word}\"]").as_bytes()),
            Words { elsewhere: true, ..Words::default() }
        );
        assert_eq!(Words::of(format!("[\"a {word}\"]").as_bytes()), Words::default(), "{word}");
    }
    for word in ["image", "image_url", "file_data", "input_image"] {
        let body = format!("[\"{word}\",\"{word}\"]");
        assert_eq!(Words::of(body.as_bytes()), Words { pictures: 2, ..Words::default() });
    }
    for word in ["audio", "input_audio"] {
        assert_eq!(Words::of(format!("[\"{word}\"]").as_bytes()), Words { sound: true, ..Words::default() });
    }
    assert_eq!(Words::of(br#"["url"]"#), Words { url: true, ..Words::default() });
    for (body, hidden) in [(r#"["\u0065"]"#, true), (r#"["\u0022\u00e4\n"]"#, false), (r#"["\u00"#, false)] {
        assert_eq!(Words::of(body.as_bytes()).hidden, hidden, "{body}");
    }
}

#[test]
fn an_open_end_is_closed_and_a_closed_one_is_left() {
    for (operation, body, name) in [
        (Operation::ChatCompletions, r#" {"model":"m"}"#, "max_completion_tokens"),
        (Operation::Responses, r#"{ }"#, "max_output_tokens"),
        (Operation::Completions, r#"{"prompt":"x"}"#, "max_tokens"),
        (Operation::Messages, r#"{"messages":[]}"#, "max_tokens"),
    ] {
        let mut capped = Cow::Borrowed(body.as_bytes());
        cap(operation, &mut capped);
        let value: serde_json::Value = serde_json::from_slice(&capped).unwrap();
        assert_eq!(value[name], BOUNDED_MAX_OUTPUT, "{body}");
        assert_eq!(peek(operation, &capped).unwrap().max_output_tokens, Some(BOUNDED_MAX_OUTPUT));
    }
    // The bound of another operation binds nobody.
    let mut capped = Cow::Borrowed(br#"{"max_tokens":1}"#.as_slice());
    cap(Operation::Responses, &mut capped);
    assert_eq!(peek(Operation::Responses, &capped).unwrap().max_output_tokens, Some(BOUNDED_MAX_OUTPUT));
    for body in [r#"{"max_tokens":5}"#, r#"{"max_completion_tokens":5}"#, r#"{"max_tokens":-"#] {
        let mut left = Cow::Borrowed(body.as_bytes());
        cap(Operation::ChatCompletions, &mut left);
        assert_eq!(&left[..], body.as_bytes());
    }
}

#[test]
fn a_stream_has_an_eighth_of_grace() {
    let reserved = Reserved { max_output: 800, ..Reserved::default() };
    assert!(!exceeds(&reserved, 900, 4_000));
    assert!(exceeds(&reserved, 917, 4_000));
    assert!(exceeds(&reserved, 1, 40_000), "few deltas of many bytes");
    assert!(!exceeds(&Reserved { audio: true, ..reserved }, 1, 40_000));
}
