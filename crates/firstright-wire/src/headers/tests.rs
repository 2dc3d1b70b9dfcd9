use super::*;

#[test]
fn the_lists_are_sorted_and_lower_case() {
    for list in [&REQUEST[..], &RESPONSE] {
        assert!(list.is_sorted_by(|a, b| a < b));
        assert!(list.iter().all(|name| !name.bytes().any(|byte| byte.is_ascii_uppercase())));
        assert!(list.iter().all(|name| !name.is_empty()));
    }
}

#[test]
fn what_must_never_pass() {
    for name in [
        "authorization",
        "Api-Key",
        "x-api-key",
        "cookie",
        "idempotency-key",
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "accept-encoding",
        "openai-organization",
        "openai-project",
        "x-forwarded-for",
        "x-ms-spillover-deployment",
    ] {
        assert!(!forwards_request(name), "{name}");
    }
    for name in
        ["set-cookie", "location", "connection", "transfer-encoding", "content-length", "x-should-retry"]
    {
        assert!(!forwards_response(name), "{name}");
    }
    assert!(forwards_request("Content-Type") && forwards_response("X-Request-Id"));
}
