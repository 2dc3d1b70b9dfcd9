use serde_json::{Value, json};

use super::*;

const NASTY: &str =
    "quote \" backslash \\ newline \n nul \0 del \u{7f} é 日本 😀 </script> data: [DONE]\r\n\r\n";

#[test]
fn the_body_reads_back() {
    for param in [None, Some("model"), Some(NASTY)] {
        let body: Value = serde_json::from_slice(&error_body(NASTY, "server_error", NASTY, param)).unwrap();
        assert_eq!(
            body,
            json!({"error": {"message": NASTY, "type": "server_error", "param": param, "code": NASTY}})
        );
    }
}

#[test]
fn events_are_one_event_whatever_the_message() {
    let chat = String::from_utf8(chat_event("upstream_cut", "server_error", NASTY)).unwrap();
    let data = chat.strip_prefix("data: ").and_then(|rest| rest.strip_suffix("\n\n")).unwrap();
    assert!(!data.contains(['\n', '\r']));
    assert_eq!(serde_json::from_str::<Value>(data).unwrap()["error"]["message"], NASTY);

    let responses = String::from_utf8(responses_event("upstream_cut", NASTY, 7)).unwrap();
    let data =
        responses.strip_prefix("event: error\ndata: ").and_then(|rest| rest.strip_suffix("\n\n")).unwrap();
    assert!(!data.contains(['\n', '\r']));
    assert_eq!(
        serde_json::from_str::<Value>(data).unwrap(),
        json!({"type": "error", "code": "upstream_cut", "message": NASTY, "param": null, "sequence_number": 7})
    );
}
