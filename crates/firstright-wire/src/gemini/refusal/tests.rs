use super::*;

#[test]
fn refusals_are_told_apart() {
    let cases = [
        (429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later.", Refusal::Throttled),
        (
            429,
            "RESOURCE_EXHAUSTED",
            "Too many requests. Exceeded the Provisioned Throughput.",
            Refusal::Throttled,
        ),
        (
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).",
            Refusal::ContextTooLong,
        ),
        (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", Refusal::Auth),
        (400, "INVALID_ARGUMENT", "Invalid value at 'contents'", Refusal::BadRequest),
        (400, "FAILED_PRECONDITION", "User location is not supported for the API use.", Refusal::BadRequest),
        (401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", Refusal::Auth),
        (403, "PERMISSION_DENIED", "Vertex AI API has not been used in project", Refusal::Auth),
        (404, "NOT_FOUND", "Publisher Model was not found", Refusal::NotFound),
        (500, "INTERNAL", "Internal error encountered.", Refusal::ServerError),
        (503, "UNAVAILABLE", "The model is overloaded. Please try again later.", Refusal::Overloaded),
        (504, "DEADLINE_EXCEEDED", "Deadline expired", Refusal::ServerError),
        (413, "", "", Refusal::ContextTooLong),
    ];
    for (status, name, message, expected) in cases {
        let error = serde_json::json!({"error": {"code": status, "message": message, "status": name}});
        let alone = refusal(status, error.to_string().as_bytes());
        assert_eq!(alone.0, expected, "{status} {name}");
        // A refused stream tells the same in an array.
        assert_eq!(refusal(status, format!("[{error}]").as_bytes()), alone);
        let told: serde_json::Value = serde_json::from_slice(&alone.1).unwrap();
        assert!(message.is_empty() || told["error"]["message"] == message);
    }
    for (status, expected) in
        [(429, Refusal::Throttled), (502, Refusal::ServerError), (400, Refusal::BadRequest)]
    {
        assert_eq!(refusal(status, b"<html>no JSON").0, expected);
    }
}
