use super::*;

fn envelope(kind: &str, message: &str, details: &str) -> String {
    format!(
        r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}","details":{details}}},"request_id":"req_1"}}"#
    )
}

#[test]
fn refusals() {
    use Refusal::*;
    let invalid = "invalid_request_error";
    for (status, kind, message, expected, code) in [
        (429, "rate_limit_error", "slow down", Throttled, "rate_limit_exceeded"),
        (529, "overloaded_error", "Overloaded", Overloaded, "overloaded_error"),
        (
            429,
            "rate_limit_error",
            "would exceed your account's monthly spend limit",
            Auth,
            "rate_limit_error",
        ),
        (400, invalid, "You have reached your specified API usage limits.", Auth, invalid),
        (400, invalid, "Your credit balance is too low to access the API", Auth, invalid),
        (402, "billing_error", "pay", Auth, "billing_error"),
        (413, "request_too_large", "too many bytes", ContextTooLong, "context_length_exceeded"),
        (400, invalid, "prompt is too long: 1036683 > 1000000", ContextTooLong, "context_length_exceeded"),
        (400, invalid, "`max_tokens` exceed context limit: 3 > 2", ContextTooLong, "context_length_exceeded"),
        (400, invalid, "Output blocked by content filtering policy", ContentFilter, "content_filter"),
        (400, invalid, "max_tokens: field required", BadRequest, invalid),
        (401, "authentication_error", "invalid x-api-key", Auth, "authentication_error"),
        (404, "not_found_error", "model: x", NotFound, "not_found_error"),
        (500, "api_error", "Internal server error", ServerError, "api_error"),
    ] {
        let (said, body) = refusal(status, envelope(kind, message, "null").as_bytes());
        assert_eq!(said, expected, "{status} {message}");
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&body["error"]["code"], &body["error"]["message"]), (&code.into(), &message.into()));
    }
    for (status, body, expected) in
        [(503, "<html>", Overloaded), (502, "", ServerError), (400, "\0", BadRequest)]
    {
        let (said, body) = refusal(status, body.as_bytes());
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((said, &body["error"]["code"]), (expected, &"provider_error".into()));
    }
}

#[test]
fn a_spent_limit_is_no_throttling() {
    let details = r#"{"error_code":"enforced_spend_limit_reached"}"#;
    let body = envelope("rate_limit_error", "your organization has crossed its threshold", details);
    let (said, _) = refusal(429, body.as_bytes());
    assert_eq!(said, Refusal::Auth);
    assert!(said.may_go_elsewhere());
}
