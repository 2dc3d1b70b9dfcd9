use super::*;

fn told(status: u16, body: &str) -> (Refusal, serde_json::Value) {
    let (refusal, body) = refusal(status, body.as_bytes());
    (refusal, serde_json::from_slice::<serde_json::Value>(&body).unwrap()["error"].clone())
}

#[test]
fn refusals_are_told_apart() {
    let cases = [
        (429, r#"{"message":"Too many tokens, please wait before trying again."}"#, Refusal::Throttled),
        (429, r#"{"message":"The model is not ready for inference. Please retry."}"#, Refusal::Overloaded),
        (400, r#"{"__type":"com.amazon.coral.availability#ThrottlingException"}"#, Refusal::Throttled),
        (
            400,
            r#"{"__type":"ServiceQuotaExceededException:http://internal/","message":""}"#,
            Refusal::Throttled,
        ),
        (408, r#"{"message":"Model has timed out in processing the request."}"#, Refusal::Overloaded),
        (503, r#"{"message":"Bedrock is unable to process your request."}"#, Refusal::Overloaded),
        (500, r#"{"message":"The system encountered an unexpected error."}"#, Refusal::ServerError),
        (424, r#"{"message":"The model failed.","originalStatusCode":500}"#, Refusal::ServerError),
        (403, r#"{"Message":"User is not authorized"}"#, Refusal::Auth),
        (404, r#"{"message":"Could not resolve the foundation model"}"#, Refusal::NotFound),
        (400, r#"{"message":"Input is too long for requested model."}"#, Refusal::ContextTooLong),
        (
            400,
            r#"{"message":"The model returned the following errors: prompt is too long: 200049 tokens > 200000 maximum"}"#,
            Refusal::ContextTooLong,
        ),
        (
            400,
            r#"{"message":"The model returned the following errors: input length and `max_tokens` exceed context limit: 1 + 2 > 2"}"#,
            Refusal::ContextTooLong,
        ),
        (
            400,
            r#"{"message":"The model returned the following errors: Output blocked by content filtering policy"}"#,
            Refusal::ContentFilter,
        ),
        (400, r#"{"message":"The provided model identifier is invalid."}"#, Refusal::NotFound),
        (400, r#"{"message":"A conversation must start with a user message."}"#, Refusal::BadRequest),
        (502, "<html>", Refusal::ServerError),
        (400, "", Refusal::BadRequest),
    ];
    for (status, body, expected) in cases {
        assert_eq!(told(status, body).0, expected, "{status} {body}");
    }
}

#[test]
fn a_refusal_is_told_in_openais_shape() {
    let (_, error) = told(400, r#"{"message":"Input is too long."}"#);
    assert_eq!(error["code"], "context_length_exceeded");
    assert_eq!(error["message"], "Input is too long.");
    let (_, error) = told(429, "not JSON");
    assert_eq!(
        (error["code"].as_str(), error["type"].as_str()),
        (Some("rate_limit_exceeded"), Some("rate_limit_error"))
    );
    assert!(!error["message"].as_str().unwrap().is_empty());
}
