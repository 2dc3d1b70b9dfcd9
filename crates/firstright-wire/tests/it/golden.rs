//! Requests, replies and streams as they stand on the wire, each with what must be read from it.
//!
//! `golden/{name}.{request.json,response.json,stream.sse}` are written by hand after recorded ones; `{name}.expected`
//! is compared with what is read now. With `FIRSTRIGHT_BLESS=1` it is written instead: then read the difference.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use firstright_wire::openai::{request, response};
use firstright_wire::operation::Operation::{self, *};

use crate::streams;

/// Every fixture, and whether usage was injected in its stream.
pub const FIXTURES: [(&str, Operation, bool); 15] = [
    ("openai-chat", ChatCompletions, false),
    ("azure-chat", ChatCompletions, true),
    ("openai-chat-error", ChatCompletions, true),
    ("openai-chat-cut", ChatCompletions, true),
    ("compatible-usage-on-content", ChatCompletions, true),
    ("openai-responses", Responses, false),
    ("openai-responses-failed", Responses, false),
    ("azure-responses", Responses, false),
    ("openai-embeddings", Embeddings, false),
    ("azure-embeddings", Embeddings, false),
    ("openai-images", ImagesGenerations, false),
    ("azure-images", ImagesGenerations, false),
    ("openai-completions", Completions, false),
    ("azure-completions", Completions, true),
    ("openai-completions-injected", Completions, true),
];

/// The bytes of a fixture; `None` if there is no such file.
pub fn load(name: &str, part: &str) -> Option<Vec<u8>> {
    std::fs::read(folder().join(format!("{name}.{part}"))).ok()
}

#[test]
fn what_is_read_is_what_was_written() {
    let bless = std::env::var_os("FIRSTRIGHT_BLESS").is_some();
    let mut files = 0;
    for (name, operation, injected) in FIXTURES {
        let mut text = String::new();
        if let Some(body) = load(name, "request.json") {
            files += 1;
            request_part(&mut text, operation, &body);
        }
        if let Some(body) = load(name, "response.json") {
            files += 1;
            writeln!(text, "reply: {:#?}", response::read(operation, &body).unwrap()).unwrap();
        }
        if let Some(stream) = load(name, "stream.sse") {
            files += 1;
            text.push_str(&streams::describe(operation, injected, &[&stream]));
        }
        let path = folder().join(format!("{name}.expected"));
        if bless {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "{name}");
    }
    assert_eq!(
        files,
        std::fs::read_dir(folder()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file()).count()
            - FIXTURES.len(),
        "a fixture isn't listed"
    );
}

fn request_part(text: &mut String, operation: Operation, body: &[u8]) {
    let peek = request::peek(operation, body).unwrap();
    writeln!(text, "request: {peek:#?}").unwrap();
    let inject = operation.usage_on_request();
    let rewritten = request::rewrite(body, &peek, Some("upstream-model"), inject).to_vec();
    let before: serde_json::Value = serde_json::from_slice(body).unwrap();
    let mut after: serde_json::Value = serde_json::from_slice(&rewritten).unwrap();
    assert_eq!(after["model"], "upstream-model");
    after["model"] = before["model"].clone();
    if inject {
        assert_eq!(after["stream_options"]["include_usage"], true);
        after["stream_options"] = before["stream_options"].clone();
    }
    // Indexing has put `null` where a member was missing.
    after.as_object_mut().unwrap().retain(|key, _| before.get(key).is_some());
    assert_eq!(after, before);
    writeln!(text, "rewritten: {}", String::from_utf8(rewritten).unwrap()).unwrap();
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden")
}
