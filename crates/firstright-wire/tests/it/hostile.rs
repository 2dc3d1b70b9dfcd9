//! Bytes that nobody sane would send: they must neither panic nor be billed by.

use firstright_wire::azure::limits::Limits;
use firstright_wire::azure::refusal::classify;
use firstright_wire::openai::batch::{Standing, Sum};
use firstright_wire::openai::lines::{Line, MAX_LINES, Splitter};
use firstright_wire::openai::request::{BadRequest, peek, rewrite};
use firstright_wire::openai::response::read;
use firstright_wire::openai::stream::StreamMeter;
use firstright_wire::operation::Operation::{self, *};
use firstright_wire::operation::Route;

use crate::golden::{FIXTURES, load};
use crate::streams::describe;

const OPERATIONS: [Operation; 6] =
    [ChatCompletions, Responses, Embeddings, ImagesGenerations, Completions, Models];

/// George Marsaglia's xorshift64: the same corpus on every run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }

    /// `fixture` with one to five wounds.
    pub fn mutate(&mut self, fixture: &[u8]) -> Vec<u8> {
        let mut bytes = fixture.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, b"\"\\{}[]:,\n\r\0-9eu \xff"[self.below(17)]),
                2 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                3 if at < bytes.len() => drop(bytes.remove(at)),
                4 => {
                    let piece = fixture[self.below(fixture.len())..].to_vec();
                    bytes.splice(at..at, piece.into_iter().take(40));
                }
                _ => bytes.extend_from_slice(b"\n\n"),
            }
        }
        bytes
    }
}

/// Cut anywhere, a file has the same lines; what a line is taken for, it is for the oracle too.
fn lines(bytes: &[u8], chunk: usize) {
    let mut whole = Vec::new();
    let mut each = |_: u64, line: &[u8]| {
        if let Ok(found) = Line::read(line) {
            assert!(serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok(), "the oracle refuses it");
            assert!(found.model_at().is_none_or(|at| at.end < line.len() && line[at.end] == b'"'));
        }
        whole.extend_from_slice(line);
        Ok::<_, BadRequest>(())
    };
    let mut splitter = Splitter::new(usize::MAX);
    for piece in bytes.chunks(chunk.max(1)) {
        splitter.push(piece, &mut each).unwrap();
    }
    splitter.finish(&mut each).unwrap();
    assert_eq!(whole, bytes);
}

/// Gives `bytes` to everything that reads bytes; what a request says is checked against the oracle.
fn feed(operation: Operation, bytes: &[u8], chunk: usize) {
    if let Ok(peek) = peek(operation, bytes)
        && operation != Models
    {
        let oracle = std::str::from_utf8(bytes).map(serde_json::from_str::<serde::de::IgnoredAny>);
        assert!(matches!(oracle, Ok(Ok(_))), "accepted what the oracle refuses");
        let rewritten = rewrite(bytes, &peek, Some("m\"2"), true).to_vec();
        let value: serde_json::Value = match serde_json::from_slice(&rewritten) {
            Ok(value) => value,
            // The oracle's tree has no lone surrogates and no numbers beyond `f64`; our scanner passes both on.
            Err(error)
                if error.to_string().contains("surrogate") || error.to_string().contains("out of range") =>
            {
                return;
            }
            Err(error) if error.to_string().contains("hex escape") => return,
            Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&rewritten)),
        };
        assert_eq!(value["model"], "m\"2");
        assert_eq!(value["stream_options"]["include_usage"], true);
    }
    let _ = read(operation, bytes);
    if let Ok(standing) = Standing::read(bytes) {
        assert!(standing.completed.is_none_or(|completed| completed <= MAX_LINES));
    }
    Sum::default().line(bytes);
    lines(bytes, chunk);
    let _ = classify(400, &Limits::default(), bytes);
    let _ = Route::read("POST", &String::from_utf8_lossy(bytes));
    let mut meter = StreamMeter::new(operation, true);
    for piece in bytes.chunks(chunk.max(1)) {
        let passage = meter.push(piece);
        assert!(passage.forward.iter().all(|range| range.start < range.end && range.end <= piece.len()));
    }
    meter.finish();
    meter.take_held();
}

#[test]
fn corpus() {
    let deep = [br#"{"a":"#.repeat(100_000), b"[".repeat(1_000_000), br#"{"usage":{"#.repeat(10_000)];
    let mut corpus: Vec<Vec<u8>> = deep.into();
    for text in [
        &b""[..],
        b"\0",
        b"{",
        b"{\"model\":\"\\ud800\"}",
        b"{\"model\":\"\\udc00\\ud800\"}",
        b"{\"\\",
        b"{\"usage\":{\"prompt_tokens\":1e999}}",
        b"{\"model\":\"\xed\xa0\x80\"}",
        b"\xff\xfe{\0",
        b"\xef\xbb\xbf{}",
        b"{\"choices\":[{\"delta\":",
        b"data: {\"choices\":[{\"delta\":{\"content\":\"\xf0\x9f\"}}]}\n\n",
        b"data: {\"choices\":,\"usage\":1}\n\ndata: {\"choices\":[}\n\n",
        b"data: {\"type\":\"response.completed\",\"response\":5}\n\n",
        b"data: {\"type\":\"response.completed\"\n\n",
        b"data\ndata\n\n\r\r\r\n\n:\n\n",
    ] {
        corpus.push(text.to_vec());
    }
    for bytes in &corpus {
        for operation in OPERATIONS {
            for chunk in [1, 5, 4096] {
                feed(operation, &bytes[..bytes.len().min(200_000)], chunk);
            }
        }
    }
    assert_eq!(peek(ChatCompletions, &corpus[0]).unwrap_err().code, "invalid_json");
    assert_eq!(peek(ChatCompletions, &corpus[1]).unwrap_err().code, "invalid_json");
}

#[test]
fn mutated_fixtures() {
    let mut random = Random(0x5eed_0f00_dcaf_e001);
    let mut rounds = 0;
    for (name, operation, _) in FIXTURES {
        for part in ["request.json", "response.json", "stream.sse"] {
            let Some(fixture) = load(name, part) else { continue };
            for round in 0..400 {
                let bytes = random.mutate(&fixture);
                feed(operation, &bytes, 1 + random.below(200));
                if part == "stream.sse" {
                    let chunk = 1 + random.below(100);
                    let chunks: Vec<&[u8]> = bytes.chunks(chunk).collect();
                    let whole = describe(operation, true, &[&bytes]);
                    assert_eq!(
                        describe(operation, true, &chunks),
                        whole,
                        "{name}, round {round}, by {chunk}"
                    );
                }
                if round % 50 == 0 {
                    feed(OPERATIONS[random.below(6)], &bytes, 1);
                }
                rounds += 1;
            }
        }
    }
    assert!(rounds > 10_000);
}

#[test]
fn mutated_batches() {
    let mut random = Random(0x5eed_0f00_dcaf_e002);
    let line = r#"{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o","n":2,"messages":[]}}"#;
    let answered = r#"{"custom_id":"a","response":{"status_code":200,"body":{"usage":{"prompt_tokens":9,"completion_tokens":1}}}}"#;
    let batch = r#"{"id":"batch_1","status":"completed","model":"gpt-4o","request_counts":{"completed":2},"trained_tokens":7,
        "usage":{"input_tokens":10,"output_tokens":5}}"#;
    for fixture in [format!("{line}\n{line}"), format!("{answered}\n"), batch.to_owned()] {
        for _ in 0..2_000 {
            let bytes = random.mutate(fixture.as_bytes());
            feed(Responses, &bytes, 1 + random.below(60));
        }
    }
}
