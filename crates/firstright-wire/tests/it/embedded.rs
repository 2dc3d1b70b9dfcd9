//! How an embeddings request is said in other languages, and what is made of the answers.
//!
//! `golden/embeddings/{name}.request.json` is the client's, `{name}.response.json` the provider's answer to it, and
//! `{name}.expected` what is said of both. With `FIRSTRIGHT_BLESS=1` that is written instead: then read the difference.

use std::path::Path;

use firstright_wire::bedrock::{self, embeddings::Family};
use firstright_wire::gemini::embeddings::Method;
use firstright_wire::language::Embedding;
use firstright_wire::openai::response;
use firstright_wire::operation::Operation::Embeddings;

use crate::hostile::Random;
use crate::translated::pretty;

/// The fixture, how its model is asked, and the header of its answer that tells the input.
const FIXTURES: [(&str, Embedding, Option<&[u8]>); 6] = [
    ("titan", Embedding::Bedrock(Family::Titan { sized: true }), Some(b"6")),
    ("cohere", Embedding::Bedrock(Family::Cohere { sized: true }), Some(b"4")),
    ("cohere-v3", Embedding::Bedrock(Family::Cohere { sized: false }), Some(b" 4 ")),
    ("gemini-predict", Embedding::Gemini(Method::Predict), None),
    ("gemini-one", Embedding::Gemini(Method::EmbedContent), None),
    ("gemini-batch", Embedding::Gemini(Method::BatchEmbedContents), None),
];

fn load(name: &str, part: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/it/golden/embeddings")
            .join(format!("{name}.{part}")),
    )
    .unwrap_or_default()
}

#[test]
fn embeddings_are_said_as_written() {
    for (name, embedding, header) in FIXTURES {
        let (said, form) = embedding.request(&load(name, "request.json"), "the-model").unwrap();
        let tokens = header.and_then(bedrock::input_tokens);
        let answer = embedding.response(&load(name, "response.json"), "m", form, tokens).unwrap();
        let reply = response::read(Embeddings, &answer).unwrap();
        let text = format!("{}\n{}\nreply: {reply:#?}\n", pretty(Ok(&said)), pretty(Ok(&answer)));
        if std::env::var_os("FIRSTRIGHT_BLESS").is_some() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/embeddings");
            std::fs::write(folder.join(format!("{name}.expected")), &text).unwrap();
        }
        assert_eq!(text, String::from_utf8(load(name, "expected")).unwrap(), "{name}");
    }
}

#[test]
fn mutated_embeddings_neither_panic_nor_pass_as_another_language() {
    let mut random = Random(0x0e3b_ed00_dcaf_e003);
    for (name, embedding, _) in FIXTURES {
        let (request, response) = (load(name, "request.json"), load(name, "response.json"));
        let (_, form) = embedding.request(&request, "m").unwrap();
        for _ in 0..300 {
            let said = embedding.request(&random.mutate(&request), "m").map(|(said, _)| said);
            let answer = embedding.response(&random.mutate(&response), "m", form, None);
            for body in [said.ok(), answer.ok()].into_iter().flatten() {
                assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok(), "{name}");
            }
        }
    }
}
