use super::Operation::*;
use super::PathStyle::*;
use super::*;

#[test]
fn served_paths() {
    for (path, operation, style, deployment, model) in [
        ("/v1/chat/completions", ChatCompletions, OpenAi, None, None),
        ("/v1/responses", Responses, OpenAi, None, None),
        ("/v1/embeddings", Embeddings, OpenAi, None, None),
        ("/v1/images/generations", ImagesGenerations, OpenAi, None, None),
        ("/v1/completions", Completions, OpenAi, None, None),
        ("/v1/models", Models, OpenAi, None, None),
        ("/v1/models/ft:gpt-4o:acme::x1", Models, OpenAi, None, Some("ft:gpt-4o:acme::x1")),
        ("/openai/v1/chat/completions", ChatCompletions, AzureV1, None, None),
        ("/openai/v1/responses", Responses, AzureV1, None, None),
        (
            "/openai/v1/deployments/gpt-4o.eu/chat/completions",
            ChatCompletions,
            AzureV1,
            Some("gpt-4o.eu"),
            None,
        ),
        ("/openai/deployments/gpt-4o/chat/completions", ChatCompletions, AzureDated, Some("gpt-4o"), None),
        ("/openai/deployments/emb/embeddings", Embeddings, AzureDated, Some("emb"), None),
        ("/openai/responses", Responses, AzureDated, None, None),
        ("/openai/models", Models, AzureDated, None, None),
    ] {
        assert_eq!(Operation::from_path(path), Ok(Route { operation, style, deployment, model }), "{path}");
    }
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
        assert_eq!(Operation::from_path(path), Err(PathRefused::Malformed), "{path:?}");
    }
    let long = format!("/v1/models/{}", "a".repeat(MAX_PATH_BYTES));
    assert_eq!(Operation::from_path(&long), Err(PathRefused::Malformed));
    for path in [
        "/",
        "/v1/chat",
        "/V1/models",
        "/v1/files",
        "/v1/models/a/b",
        "/v1/deployments/d/chat/completions",
        "/openai/chat/completions",
        "/openai/deployments/d",
        "/openai/deployments/d/responses",
        "/openai/deployments/d/models",
        "/proxy/v1/models",
    ] {
        let expected = if path == "/" { PathRefused::Malformed } else { PathRefused::Unknown };
        assert_eq!(Operation::from_path(path), Err(expected), "{path:?}");
    }
}
