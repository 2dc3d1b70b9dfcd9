//! What a provider of another language is asked, and what is made of its answers.
//!
//! `golden/{dialect}/{name}.request.json` is the client's request, `{name}.response.json` and `{name}.stream.*` are
//! the provider's answers; each has its translation beside it in `….expected`, with what the meter reads from it. With
//! `FIRSTRIGHT_BLESS=1` that is written instead: then read the difference.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use firstright_wire::anthropic;
use firstright_wire::azure::refusal::Refusal;
use firstright_wire::bedrock;
use firstright_wire::gemini;
use firstright_wire::oci::{self, ApiFormat};
use firstright_wire::openai::request::BadRequest;
use firstright_wire::openai::response::{self, Malformed, Reply};
use firstright_wire::openai::stream::StreamMeter;
use firstright_wire::operation::Operation::{ChatCompletions, Messages};

use crate::hostile::Random;

/// Gives a new stream all chunks; whether it told its end.
type Push = fn(&[&[u8]], &mut Vec<u8>) -> Result<bool, Malformed>;

/// A translator, as the gateway calls it.
struct Dialect {
    folder: &'static str,
    request: fn(&[u8]) -> Result<Vec<u8>, BadRequest>,
    response: fn(&[u8]) -> Result<Vec<u8>, Malformed>,
    stream: Push,
    refusal: fn(u16, &[u8]) -> (Refusal, Vec<u8>),
    /// What reads an answer that was made of the provider's, and a stream.
    read: fn(&[u8]) -> Result<Reply<'_>, Malformed>,
    meter: fn() -> StreamMeter,
}

const DIALECTS: [Dialect; 7] = [
    Dialect {
        folder: "anthropic",
        request: |body| anthropic::request(body, "claude-sonnet-4-5", 4096),
        response: |body| anthropic::response(body, "claude"),
        stream: |chunks, out| {
            let mut stream = anthropic::Stream::new("claude");
            chunks.iter().try_for_each(|chunk| stream.push(chunk, out))?;
            Ok(stream.finish(out))
        },
        refusal: anthropic::refusal,
        read: read_chat,
        meter: meter_chat,
    },
    Dialect {
        folder: "bedrock",
        request: |body| bedrock::request(body, "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", 4096),
        response: |body| bedrock::response(body, "claude"),
        stream: |chunks, out| {
            let mut stream = bedrock::Stream::new("claude");
            chunks.iter().try_for_each(|chunk| stream.push(chunk, out))?;
            Ok(stream.finish(out))
        },
        refusal: bedrock::refusal,
        read: read_chat,
        meter: meter_chat,
    },
    Dialect {
        folder: "gemini",
        request: |body| gemini::request(body, "gemini-3-pro", 4096),
        response: |body| gemini::response(body, "gemini"),
        stream: |chunks, out| {
            let mut stream = gemini::Stream::new("gemini");
            chunks.iter().try_for_each(|chunk| stream.push(chunk, out))?;
            Ok(stream.finish(out))
        },
        refusal: gemini::refusal,
        read: read_chat,
        meter: meter_chat,
    },
    Dialect {
        folder: "oci-generic",
        request: |body| {
            oci::request(body, "meta.llama-3.3-70b-instruct", 600, COMPARTMENT, ApiFormat::Generic)
        },
        response: |body| oci::response(body, "meta.llama"),
        stream: oci_stream,
        refusal: oci::refusal,
        read: read_chat,
        meter: meter_chat,
    },
    Dialect {
        folder: "oci-cohere",
        request: |body| {
            let endpoint = "ocid1.generativeaiendpoint.oc1.us-chicago-1.aaaa";
            oci::request(body, endpoint, 600, COMPARTMENT, ApiFormat::Cohere)
        },
        response: |body| oci::response(body, "cohere.command"),
        stream: oci_stream,
        refusal: oci::refusal,
        read: read_chat,
        meter: meter_chat,
    },
    Dialect {
        folder: "oci-cohere-v2",
        request: |body| {
            let name = "cohere.command-a-vision-07-2025";
            oci::request(body, name, 600, COMPARTMENT, ApiFormat::of(name))
        },
        response: |body| oci::response(body, "cohere.command"),
        stream: oci_stream,
        refusal: oci::refusal,
        read: read_chat,
        meter: meter_chat,
    },
    // The other way round: a client of Anthropic's dialect, and a provider that speaks as OpenAI does.
    Dialect {
        folder: "anthropic-inbound",
        request: anthropic::inbound::request,
        response: anthropic::inbound::response,
        stream: |chunks, out| {
            let mut stream = anthropic::inbound::Stream::new();
            chunks.iter().try_for_each(|chunk| stream.push(chunk, out))?;
            Ok(stream.finish(out))
        },
        refusal: |status, body| {
            (Refusal::ServerError, anthropic::inbound::error(status, "code", &String::from_utf8_lossy(body)))
        },
        read: anthropic::meter::read,
        meter: || StreamMeter::new(Messages, false),
    },
];

const COMPARTMENT: &str = "ocid1.compartment.oc1..aaaa";

fn oci_stream(chunks: &[&[u8]], out: &mut Vec<u8>) -> Result<bool, Malformed> {
    let mut stream = oci::Stream::new("a-model");
    chunks.iter().try_for_each(|chunk| stream.push(chunk, out))?;
    Ok(stream.finish(out))
}

fn read_chat(body: &[u8]) -> Result<Reply<'_>, Malformed> {
    response::read(ChatCompletions, body)
}

fn meter_chat() -> StreamMeter {
    StreamMeter::new(ChatCompletions, false)
}

/// A stream up to this many bytes is cut at each of them; a longer one in chunks of several sizes.
const SMALL_BYTES: usize = 8 << 10;

#[test]
fn translations_are_as_written() {
    let bless = std::env::var_os("FIRSTRIGHT_BLESS").is_some();
    for dialect in &DIALECTS {
        let mut parts = [0; 3];
        for (name, bytes) in fixtures(dialect) {
            let (part, text) = match part_of(&name) {
                Part::Request => {
                    (0, pretty((dialect.request)(&bytes).as_deref().map_err(ToString::to_string)))
                }
                Part::Response => {
                    let answer = (dialect.response)(&bytes);
                    let metered = answer.as_ref().map(|body| (dialect.read)(body));
                    let text = pretty(answer.as_deref().map_err(ToString::to_string));
                    (1, format!("{text}\nreply: {metered:#?}\n"))
                }
                Part::Stream => (2, describe(dialect, &[&bytes])),
            };
            parts[part] += 1;
            let path = folder(dialect).join(format!("{name}.expected"));
            if bless {
                std::fs::write(&path, &text).unwrap();
            }
            assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "{}/{name}", dialect.folder);
        }
        assert!(parts.iter().all(|count| *count > 1), "{} has {parts:?}", dialect.folder);
    }
}

#[test]
fn every_cut_gives_the_same_translation() {
    for dialect in &DIALECTS {
        for (name, bytes) in fixtures(dialect) {
            if part_of(&name) != Part::Stream {
                continue;
            }
            let whole = describe(dialect, &[&bytes]);
            for cut in 1..bytes.len().min(SMALL_BYTES) {
                let (a, b) = bytes.split_at(cut);
                assert_eq!(describe(dialect, &[a, b]), whole, "{name} cut at {cut}");
            }
            for size in [1, 2, 3, 7, 64, 500] {
                let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
                assert_eq!(describe(dialect, &chunks), whole, "{name} in chunks of {size}");
            }
        }
    }
}

#[test]
fn mutated_fixtures_neither_panic_nor_pass_as_another_language() {
    let mut random = Random(0x7a15_0f00_dcaf_e002);
    for dialect in &DIALECTS {
        for (name, fixture) in fixtures(dialect) {
            for _ in 0..300 {
                let bytes = random.mutate(&fixture);
                for body in [(dialect.request)(&bytes).ok(), (dialect.response)(&bytes).ok()] {
                    let body = body.unwrap_or_else(|| b"{}".to_vec());
                    assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok(), "{name}");
                }
                let (_, error) = (dialect.refusal)(random.below(600) as u16, &bytes);
                assert!(serde_json::from_slice::<serde_json::Value>(&error).unwrap()["error"].is_object());
                let chunks: Vec<&[u8]> = bytes.chunks(1 + random.below(200)).collect();
                let mut out = Vec::new();
                let _ = (dialect.stream)(&chunks, &mut out);
                let mut meter = (dialect.meter)();
                meter.push(&out);
                assert_eq!(meter.metered().unreadable, 0, "{name}: {}", String::from_utf8_lossy(&out));
                assert_eq!(describe(dialect, &chunks), describe(dialect, &[&bytes]), "{name}");
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Request,
    Response,
    Stream,
}

fn part_of(name: &str) -> Part {
    match name {
        name if name.ends_with(".request.json") => Part::Request,
        name if name.ends_with(".response.json") => Part::Response,
        name if name.contains(".stream.") => Part::Stream,
        name => panic!("`{name}` is no part of a fixture"),
    }
}

fn fixtures(dialect: &Dialect) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder(dialect)).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.extension().unwrap() != "expected").collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
}

fn folder(dialect: &Dialect) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(dialect.folder)
}

/// Everything that comes of a stream which arrives as `chunks`.
fn describe(dialect: &Dialect, chunks: &[&[u8]]) -> String {
    let mut out = Vec::new();
    let ended = (dialect.stream)(chunks, &mut out);
    let mut meter = (dialect.meter)();
    meter.push(&out);
    let mut text = String::from_utf8_lossy(&out).into_owned();
    writeln!(text, "ended: {ended:?}\nas metered: {:?}\n{:#?}", meter.finish(), meter.metered()).unwrap();
    text
}

pub fn pretty(body: Result<&[u8], String>) -> String {
    match body {
        Ok(body) => {
            let value: serde_json::Value = serde_json::from_slice(body).unwrap();
            serde_json::to_string_pretty(&value).unwrap() + "\n"
        }
        Err(error) => format!("refused: {error}\n"),
    }
}
