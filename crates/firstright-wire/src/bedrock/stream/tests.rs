use super::super::eventstream::write;
use super::*;

fn event(out: &mut Vec<u8>, name: &str, payload: &str) {
    write(out, "event", name, payload.as_bytes());
}

#[test]
fn calls_are_bounded_and_begin_before_their_input() {
    let mut bytes = Vec::new();
    event(&mut bytes, "contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{}"}}}"#);
    assert!(Stream::new("m").push(&bytes, &mut Vec::new()).is_err());
    let mut stream = Stream::new("m");
    for index in 0..=MAX_CALLS {
        let start = format!(
            r#"{{"contentBlockIndex":{index},"start":{{"toolUse":{{"toolUseId":"i","name":"n"}}}}}}"#
        );
        let mut bytes = Vec::new();
        event(&mut bytes, "contentBlockStart", &start);
        assert_eq!(stream.push(&bytes, &mut Vec::new()).is_err(), index == MAX_CALLS);
    }
}

#[test]
fn a_thought_too_long_to_keep_passes_unsigned() {
    let mut stream = Stream::new("m");
    let (mut out, mut bytes) = (Vec::new(), Vec::new());
    let piece = "a".repeat(MAX_THOUGHT_BYTES / 2 - 1);
    for _ in 0..3 {
        let delta =
            format!(r#"{{"contentBlockIndex":0,"delta":{{"reasoningContent":{{"text":"{piece}"}}}}}}"#);
        event(&mut bytes, "contentBlockDelta", &delta);
    }
    event(
        &mut bytes,
        "contentBlockDelta",
        r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"s"}}}"#,
    );
    stream.push(&bytes, &mut out).unwrap();
    assert!(stream.thought.as_ref().is_some_and(String::is_empty), "the next thought begins anew");
    let out = String::from_utf8(out).unwrap();
    assert_eq!((out.matches("reasoning_content").count(), out.matches("thinking_blocks").count()), (3, 0));
}

#[test]
fn an_error_message_ends_the_stream_once() {
    for (kind, name, expected) in [
        ("exception", "throttlingException", "rate_limit_exceeded"),
        ("exception", "validationException", "invalid_value"),
        ("error", "InternalFailure", "provider_error"),
    ] {
        let (mut stream, mut out, mut bytes) = (Stream::new("m"), Vec::new(), Vec::new());
        write(&mut bytes, kind, name, b"{}");
        event(&mut bytes, "messageStop", r#"{"stopReason":"end_turn"}"#);
        stream.push(&bytes, &mut out).unwrap();
        assert!(stream.finish(&mut out));
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains(expected) && out.matches("data: ").count() == 1, "{out}");
    }
}
