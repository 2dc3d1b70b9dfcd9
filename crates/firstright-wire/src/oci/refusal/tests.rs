use super::*;

#[test]
fn refusals() {
    use Refusal::*;
    for (status, code, message, expected, told) in [
        (400, "InvalidParameter", "temperature must be below 1", BadRequest, "InvalidParameter"),
        (
            400,
            "400",
            "This model's maximum context length is 128000 tokens",
            ContextTooLong,
            "context_length_exceeded",
        ),
        (400, "400", "Inappropriate content detected!!!", ContentFilter, "content_filter"),
        (401, "NotAuthenticated", "no valid signature", Auth, "NotAuthenticated"),
        (404, "NotAuthorizedOrNotFound", "model x", NotFound, "NotAuthorizedOrNotFound"),
        (413, "", "", ContextTooLong, "context_length_exceeded"),
        (429, "TooManyRequests", "slow down", Throttled, "rate_limit_exceeded"),
        (400, "LimitExceeded", "fulfil", Throttled, "rate_limit_exceeded"),
        (500, "InternalServerError", "x", ServerError, "InternalServerError"),
        (503, "ServiceUnavailable", "x", Overloaded, "ServiceUnavailable"),
    ] {
        let body = format!(r#"{{"code":"{code}","message":"{message}"}}"#);
        let (said, body) = refusal(status, body.as_bytes());
        assert_eq!(said, expected, "{status} {message}");
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"]["code"], told, "{status} {message}");
    }
    assert_eq!(refusal(502, b"<html>").0, ServerError);
}
