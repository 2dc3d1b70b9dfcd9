use super::Operation::*;
use super::PathStyle::*;
use super::*;

#[test]
fn served_paths() {
    for (method, path, operation, style, deployment, suffix) in [
        ("POST", "/v1/chat/completions", ChatCompletions, OpenAi, None, "chat/completions"),
        ("GET", "/v1/chat/completions", Store, OpenAi, None, "chat/completions"),
        ("POST", "/v1/responses", Responses, OpenAi, None, "responses"),
        ("GET", "/v1/responses/resp_1", Store, OpenAi, None, "responses/resp_1"),
        ("POST", "/v1/embeddings", Embeddings, OpenAi, None, "embeddings"),
        ("POST", "/v1/images/edits", ImagesEdits, OpenAi, None, "images/edits"),
        ("GET", "/v1/models", Models, OpenAi, None, "models"),
        ("GET", "/v1/models/ft:gpt-4o:acme::x1", Models, OpenAi, None, "models/ft:gpt-4o:acme::x1"),
        ("DELETE", "/v1/models/ft:gpt-4o:acme::x1", Store, OpenAi, None, "models/ft:gpt-4o:acme::x1"),
        ("POST", "/v1/threads/runs", Store, OpenAi, None, "threads/runs"),
        (
            "POST",
            "/v1/threads/t/runs/r/submit_tool_outputs",
            Store,
            OpenAi,
            None,
            "threads/t/runs/r/submit_tool_outputs",
        ),
        ("POST", "/v1/messages", Messages, OpenAi, None, "messages"),
        ("POST", "/anthropic/v1/messages/count_tokens", CountTokens, OpenAi, None, "messages/count_tokens"),
        ("POST", "/openai/v1/chat/completions", ChatCompletions, AzureV1, None, "chat/completions"),
        (
            "POST",
            "/openai/v1/deployments/gpt-4o.eu/chat/completions",
            ChatCompletions,
            AzureV1,
            Some("gpt-4o.eu"),
            "chat/completions",
        ),
        (
            "POST",
            "/openai/deployments/w/audio/transcriptions",
            Transcriptions,
            AzureDated,
            Some("w"),
            "audio/transcriptions",
        ),
        ("POST", "/openai/responses", Responses, AzureDated, None, "responses"),
        ("GET", "/openai/files/f", Store, AzureDated, None, "files/f"),
        ("GET", "/openai/models", Models, AzureDated, None, "models"),
    ] {
        let verb = Verb::from_method(method).unwrap();
        let route = Route::read(method, path).unwrap();
        let expected = Route { operation, verb, style, deployment, suffix, pattern: route.pattern };
        assert_eq!(route, expected, "{path}");
    }
}

#[test]
fn methods_and_administration() {
    assert_eq!(Route::read("DELETE", "/v1/chat/completions"), Err(PathRefused::Method));
    assert_eq!(Route::read("PUT", "/v1/files/f"), Err(PathRefused::Method));
    for path in ["/v1/organization/users", "/v1/projects/p/roles", "/openai/v1/organization/costs"] {
        assert_eq!(Route::read("GET", path), Err(PathRefused::Administrative), "{path}");
    }
}

#[test]
fn lists() {
    for (path, lists) in [
        ("/v1/files", true),
        ("/v1/batches", true),
        ("/v1/chat/completions", true),
        ("/v1/fine_tuning/jobs", true),
        ("/v1/files/f", false),
        ("/v1/vector_stores/v/files", false),
        ("/v1/models", false),
    ] {
        assert_eq!(Route::read("GET", path).unwrap().lists(), lists, "{path}");
    }
    assert!(!Route::read("POST", "/v1/files").unwrap().lists());
}

#[test]
fn refused_paths() {
    for path in [
        "",
        "v1/chat/completions",
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/chat/completions/",
        "/v1/../v1/models",
        "/v1/./models",
        "/v1/models/..",
        "/v1/models/...",
        "/v1/models/a%2fb",
        "/v1/models/a%2Fb",
        "/v1/models/a%00",
        "/v1/models/a\0",
        "/v1/models?x=1",
        "/v1/models/é",
        "/v1\\models",
    ] {
        assert_eq!(Route::read("GET", path), Err(PathRefused::Malformed), "{path:?}");
    }
    let long = format!("/v1/models/{}", "a".repeat(MAX_PATH_BYTES));
    assert_eq!(Route::read("GET", &long), Err(PathRefused::Malformed));
    for path in [
        "/",
        "/v1/chat",
        "/V1/models",
        "/v1/filings",
        "/v1/models/a/b",
        "/v1/deployments/d/chat/completions",
        "/openai/deployments/d",
        "/openai/deployments/d/responses",
        "/openai/deployments/d/models",
        "/anthropic/v1/models",
        "/proxy/v1/models",
    ] {
        let expected = if path == "/" { PathRefused::Malformed } else { PathRefused::Unknown };
        assert_eq!(Route::read("GET", path), Err(expected), "{path:?}");
    }
}
