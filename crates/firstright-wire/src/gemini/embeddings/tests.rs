use super::Method::{self, *};

const VERTEX: &str = "/v1/projects/p/locations/europe-west4/publishers/google";

#[test]
fn the_place_and_the_model_choose_the_method() {
    for (prefix, name, method, path) in [
        (VERTEX, "text-embedding-005", Predict, "/models/text-embedding-005:predict"),
        (VERTEX, "gemini-embedding-001", Predict, "/models/gemini-embedding-001:predict"),
        (VERTEX, "models/gemini-embedding-001", Predict, "/models/gemini-embedding-001:predict"),
        (VERTEX, "gemini-embedding-2", EmbedContent, "/models/gemini-embedding-2:embedContent"),
        (
            VERTEX,
            "multilingual-e5-large-instruct-maas",
            EmbedContent,
            "/models/multilingual-e5-large-instruct-maas:embedContent",
        ),
        (
            "/v1beta",
            "gemini-embedding-001",
            BatchEmbedContents,
            "/models/gemini-embedding-001:batchEmbedContents",
        ),
        (
            "/v1beta",
            "gemini-embedding-2",
            BatchEmbedContents,
            "/models/gemini-embedding-2:batchEmbedContents",
        ),
    ] {
        let found = Method::of(prefix, name);
        assert_eq!((found, found.path(name).unwrap().as_str()), (method, path), "{prefix} {name}");
    }
}

#[test]
fn no_method_takes_more_texts_than_it_is_said_to() {
    for (method, name, most) in [
        (Predict, "text-embedding-005", 250),
        (Predict, "models/gemini-embedding-001", 1),
        (EmbedContent, "m", 1),
        (BatchEmbedContents, "gemini-embedding-001", 100),
    ] {
        let body = |texts: usize| format!(r#"{{"input":["a"{}]}}"#, r#","a""#.repeat(texts - 1));
        assert_eq!(method.request(body(most).as_bytes(), name).unwrap().1.texts, most);
        let bad = method.request(body(most + 1).as_bytes(), name).unwrap_err();
        assert_eq!((bad.code, bad.param), ("unsupported_parameter", Some("input")), "{method:?}");
    }
}
