use super::*;
use crate::operation::Route;

#[test]
fn paths() {
    let dated = Version::Dated("2025-04-01-preview");
    for (operation, version, expected) in [
        (Operation::ChatCompletions, Version::V1, "/openai/v1/chat/completions"),
        (Operation::Responses, Version::V1, "/openai/v1/responses"),
        (
            Operation::ChatCompletions,
            dated,
            "/openai/deployments/d-1/chat/completions?api-version=2025-04-01-preview",
        ),
        (Operation::Embeddings, dated, "/openai/deployments/d-1/embeddings?api-version=2025-04-01-preview"),
        (Operation::Completions, dated, "/openai/deployments/d-1/completions?api-version=2025-04-01-preview"),
        (Operation::Responses, dated, "/openai/responses?api-version=2025-04-01-preview"),
        (Operation::Models, dated, "/openai/models?api-version=2025-04-01-preview"),
        (
            Operation::ImagesGenerations,
            Version::Dated("2024-10-21"),
            "/openai/deployments/d-1/images/generations?api-version=2024-10-21",
        ),
    ] {
        let path = path(operation, operation.suffix(), version, "d-1").unwrap();
        assert_eq!(path, expected);
        let inbound = path.split('?').next().unwrap();
        let method = if operation == Operation::Models { "GET" } else { "POST" };
        assert_eq!(Route::read(method, inbound).unwrap().operation, operation);
    }
}

#[test]
fn names_that_are_another_path() {
    for name in ["", ".", "..", "a/b", "a?b", "a%2fb", "a b", "a\0", "é", &"d".repeat(65)] {
        let error = path(Operation::Embeddings, "embeddings", Version::V1, name).unwrap_err();
        assert_eq!(error, BadName::Deployment(name.to_owned()));
    }
    for date in ["", "2024-10", "2024-10-21&x=1", "2024-10-21-Preview", "20241-0-21"] {
        let error = path(Operation::Embeddings, "embeddings", Version::Dated(date), "d").unwrap_err();
        assert_eq!(error, BadName::Version(date.to_owned()));
    }
}

#[test]
fn secrets_travel_in_the_header_named() {
    assert_eq!((Auth::ApiKey.header(), Auth::Entra.header()), ("api-key", "authorization"));
}
