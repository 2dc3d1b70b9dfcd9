use super::*;

#[test]
fn refusals() {
    use Refusal::*;
    let none = Limits::default();
    for (status, body, expected) in [
        (429, r#"{"error":{"code":"429","message":"exceeded call rate limit"}}"#, Throttled),
        (429, r#"{"error":{"code":"insufficient_quota"}}"#, Throttled),
        (
            400,
            r#"{"error":{"message":"filtered","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            ContentFilter,
        ),
        (400, r#"{"error":{"code":null,"innererror":{"code" : "ResponsibleAIPolicyViolation"#, BadRequest),
        (400, r#"{"error":{"innererror":{"code" : "ResponsibleAIPolicyViolation","x"#, ContentFilter),
        (429, r#"{"error":{"code":"content_filter"}}"#, ContentFilter),
        (400, r#"{"error":{"code":"content\u005ffilter"}}"#, ContentFilter),
        (400, r#"{"error":{"code":"context_length_exceeded"}}"#, ContextTooLong),
        (
            400,
            r#"{"error":{"message":"say \"code\":\"content_filter\" aloud","code":"invalid_value"}}"#,
            BadRequest,
        ),
        (401, "", Auth),
        (403, "<html>", Auth),
        (404, r#"{"error":{"code":"DeploymentNotFound"}}"#, NotFound),
        (408, "", Overloaded),
        (500, "", ServerError),
        (502, "", ServerError),
        (503, "", Overloaded),
        (529, "", Overloaded),
        (400, "\0\0", BadRequest),
        (302, "", BadRequest),
    ] {
        assert_eq!(classify(status, &none, body.as_bytes()), expected, "{status} {body}");
    }
    assert!(!ContentFilter.may_go_elsewhere() && !BadRequest.may_go_elsewhere());
    assert!(
        [Throttled, ContextTooLong, Auth, NotFound, ServerError, Overloaded]
            .iter()
            .all(|it| it.may_go_elsewhere())
    );
}

#[test]
fn servers_that_dont_know_stream_options() {
    let body = br#"{"error":{"message":"Unrecognized request argument supplied: stream_options"}}"#;
    assert!(rejects_stream_options(400, body));
    assert!(!rejects_stream_options(500, body));
    assert!(!rejects_stream_options(400, br#"{"error":{"message":"no"}}"#));
}
