use super::{Route, route};
use firstright_sim::cloud::{Dialect, Operation};

#[test]
fn each_dialect_has_its_paths() {
    let call = |operation, deployment| Some(Route::Call { operation, deployment, stream: false });
    let streamed = |deployment| Some(Route::Call { operation: Operation::Chat, deployment, stream: true });
    let (azure, openai, dated) = (Dialect::Azure, Dialect::Openai, Some("a=b&api-version=2024-10-21"));
    let cases = [
        (openai, "/v1/chat/completions", None, call(Operation::Chat, None)),
        (openai, "/v1/responses", None, call(Operation::Responses, None)),
        (openai, "/v1/embeddings", None, call(Operation::Embeddings, None)),
        (openai, "/v1/images/generations", None, call(Operation::Images, None)),
        (openai, "/v1/models", None, Some(Route::Models)),
        (openai, "/v1/files", None, Some(Route::Files { id: None, content: false })),
        (openai, "/v1/files/f", None, Some(Route::Files { id: Some("f"), content: false })),
        (azure, "/openai/v1/files/f/content", None, Some(Route::Files { id: Some("f"), content: true })),
        (openai, "/v1/files/f/g", None, None),
        (openai, "/v1/files/", None, None),
        (openai, "/openai/v1/models", None, None),
        (openai, "/v1/", None, None),
        (azure, "/openai/v1/chat/completions", None, call(Operation::Chat, None)),
        (azure, "/openai/deployments/d/chat/completions", dated, call(Operation::Chat, Some("d"))),
        (azure, "/openai/deployments/d/chat/completions", None, None),
        (azure, "/openai/deployments/d/chat/completions", Some("api-version="), None),
        (azure, "/openai/deployments/d/responses", dated, None),
        (azure, "/openai/responses", dated, call(Operation::Responses, None)),
        (azure, "/openai/responses", None, None),
        (azure, "/openai/chat/completions", dated, None),
        (azure, "/openai/v1/models", None, Some(Route::Models)),
        (azure, "/v1/models", None, None),
        (Dialect::Anthropic, "/v1/messages", None, call(Operation::Chat, None)),
        (Dialect::Anthropic, "/v1/chat/completions", None, None),
        (Dialect::Bedrock, "/model/m.x/converse", None, call(Operation::Chat, Some("m.x"))),
        (Dialect::Bedrock, "/model/m.x/converse-stream", None, streamed(Some("m.x"))),
        (Dialect::Bedrock, "/model/a/b/converse", None, None),
        (Dialect::Bedrock, "/model/m/invoke", None, call(Operation::Embeddings, Some("m"))),
        (Dialect::Bedrock, "/model/m/invoke-with-response-stream", None, None),
        (Dialect::Gemini, "/v1beta/models/m:predict", None, None),
        (
            Dialect::Gemini,
            "/v1beta/models/m:batchEmbedContents",
            None,
            call(Operation::Embeddings, Some("m")),
        ),
        (Dialect::Gemini, "/v1beta/models/m:generateContent", None, call(Operation::Chat, Some("m"))),
        (Dialect::Gemini, "/v1beta/models/m:streamGenerateContent", Some("alt=sse"), streamed(Some("m"))),
        (Dialect::Gemini, "/v1beta/models/m:streamGenerateContent", None, None),
        (
            Dialect::Gemini,
            "/v1/projects/p/locations/l/publishers/google/models/m:generateContent",
            None,
            call(Operation::Chat, Some("m")),
        ),
        (Dialect::Gemini, "/v1/projects/p/locations/l/models/m:generateContent", None, None),
        (Dialect::Oci, "/20231130/actions/chat", None, call(Operation::Chat, None)),
        (Dialect::Oci, "/20231130/actions/embedText", None, None),
    ];
    for (dialect, path, query, wanted) in cases {
        assert_eq!(route(dialect, path, query), wanted, "{dialect:?} {path} {query:?}");
    }
}
