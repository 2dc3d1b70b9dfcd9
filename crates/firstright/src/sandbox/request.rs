//! What does this body ask for? Reads the few fields that the model acts on.

use firstright_sim::cloud::{Dialect, Operation};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::generic::Format;
use super::tools::{self, Called};
use super::vectors::{self, Words};

#[cfg(test)]
mod tests;

/// Forces the counts of a call: `PROMPT,OUTPUT` or `PROMPT,OUTPUT,CACHED`. Used to replay a trace.
pub(super) const TOKENS_HEADER: &str = "x-sandbox-tokens";

/// One request can't ask for more; its answer is held in memory.
const MAX_FORCED_TOKENS: u64 = 1_000_000;

/// OpenAI's own limits.
const MAX_INPUTS: usize = 2_048;
const MAX_IMAGES: u64 = 10;
pub(super) const MAX_DIMENSIONS: u64 = 3_072;

/// Shorter than any real model's, to keep answers cheap; `dimensions` asks for more.
const DEFAULT_DIMENSIONS: u64 = 256;

/// About four bytes a token, as Azure estimates from characters.
const BYTES_PER_TOKEN: u64 = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) model: Option<String>,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) prompt_tokens: u64,
    pub(super) max_tokens: Option<u64>,
    pub(super) forced_output: Option<u64>,
    pub(super) forced_cached: Option<u64>,
    /// Vectors or images to give back.
    pub(super) results: u64,
    pub(super) dimensions: u64,
    pub(super) base64: bool,
    /// Whose words vectors are asked for in.
    pub(super) words: Words,
    /// The language within a chat of Oracle's.
    pub(super) format: Format,
    /// A tool is called instead of text written.
    pub(super) called: Option<Called>,
}

#[derive(Deserialize)]
struct Body<'a> {
    model: Option<String>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    max_output_tokens: Option<u64>,
    n: Option<u64>,
    dimensions: Option<u64>,
    encoding_format: Option<String>,
    tools: Option<Value>,
    tool_choice: Option<Value>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// A body of Anthropic's, Amazon's or Google's: each names what is said and the answer's bound in its own way.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Foreign<'a> {
    model: Option<String>,
    stream: Option<bool>,
    #[serde(rename = "max_tokens")]
    max_tokens: Option<u64>,
    inference_config: Option<Config>,
    generation_config: Option<Config>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    contents: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    max_tokens: Option<u64>,
    max_output_tokens: Option<u64>,
    candidate_count: Option<u64>,
}

/// A body of OCI's, around the chat itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Oci<'a> {
    compartment_id: String,
    serving_mode: ServingMode,
    #[serde(borrow)]
    chat_request: OciChat<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServingMode {
    serving_type: String,
    model_id: Option<String>,
    endpoint_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OciChat<'a> {
    api_format: String,
    is_stream: Option<bool>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    num_generations: Option<u64>,
    #[serde(borrow)]
    messages: &'a RawValue,
}

/// The error is what the client is told, with status 400.
pub(super) fn read(
    (dialect, operation, path): (Dialect, Operation, &str),
    body: &[u8],
    forced: Option<&str>,
) -> Result<Asked, String> {
    let mut asked = match dialect {
        Dialect::Azure | Dialect::Openai => openai(operation, body)?,
        _ if operation == Operation::Embeddings => vectors::read(path, body)?,
        Dialect::Anthropic | Dialect::Bedrock | Dialect::Gemini => foreign(dialect, body)?,
        Dialect::Oci => oci(body)?,
    };
    if let Some(forced) = forced {
        force(&mut asked, forced)?;
    }
    Ok(asked)
}

fn foreign(dialect: Dialect, body: &[u8]) -> Result<Asked, String> {
    let body: Foreign<'_> =
        serde_json::from_slice(body).map_err(|error| format!("failed to parse the body: {error}"))?;
    let config = body.inference_config.or(body.generation_config).unwrap_or_default();
    let (key, content, max_tokens) = match dialect {
        Dialect::Gemini => ("contents", body.contents, config.max_output_tokens),
        Dialect::Bedrock => ("messages", body.messages, config.max_tokens),
        _ if body.max_tokens.is_none() => return Err("max_tokens: Field required".to_owned()),
        _ => ("messages", body.messages, body.max_tokens),
    };
    let content = content.ok_or_else(|| format!("{key}: Field required"))?.get();
    between("candidateCount", config.candidate_count.unwrap_or(1), 1)?;
    Ok(plain(body.model, body.stream, content, max_tokens))
}

/// A chat in a language of its own, with one answer.
pub(super) fn plain(
    model: Option<String>,
    stream: Option<bool>,
    content: &str,
    max_tokens: Option<u64>,
) -> Asked {
    Asked {
        model,
        stream: stream.unwrap_or(false),
        include_usage: true,
        prompt_tokens: (content.len() as u64).div_ceil(BYTES_PER_TOKEN),
        max_tokens,
        forced_output: None,
        forced_cached: None,
        results: 1,
        dimensions: DEFAULT_DIMENSIONS,
        base64: false,
        words: Words::OpenAi,
        format: Format::Generic,
        called: None,
    }
}

fn oci(body: &[u8]) -> Result<Asked, String> {
    let body: Oci<'_> =
        serde_json::from_slice(body).map_err(|error| format!("failed to parse the body: {error}"))?;
    let chat = body.chat_request;
    let format = match chat.api_format.as_str() {
        "GENERIC" => Format::Generic,
        "COHEREV2" => Format::CohereV2,
        _ => return Err("the sandbox takes apiFormat GENERIC and COHEREV2".to_owned()),
    };
    if body.compartment_id.is_empty() {
        return Err("compartmentId: must not be empty".to_owned());
    }
    between("numGenerations", chat.num_generations.unwrap_or(1), 1)?;
    let ServingMode { serving_type, model_id, endpoint_id } = body.serving_mode;
    let model = match serving_type.as_str() {
        "ON_DEMAND" => model_id,
        "DEDICATED" => endpoint_id,
        _ => return Err(format!("servingMode: `{serving_type}` is no servingType")),
    };
    let max_tokens = chat.max_tokens.or(chat.max_completion_tokens);
    Ok(Asked { format, ..plain(model, chat.is_stream, chat.messages.get(), max_tokens) })
}

fn openai(operation: Operation, body: &[u8]) -> Result<Asked, String> {
    let body: Body<'_> =
        serde_json::from_slice(body).map_err(|error| format!("failed to parse the body: {error}"))?;
    let (key, content) = match operation {
        Operation::Chat => ("messages", body.messages),
        Operation::Responses | Operation::Embeddings => ("input", body.input),
        Operation::Images => ("prompt", body.prompt),
    };
    let content = content.ok_or_else(|| format!("Missing required parameter: '{key}'."))?.get();
    let max_tokens = match operation {
        Operation::Chat => body.max_completion_tokens.or(body.max_tokens),
        Operation::Responses => body.max_output_tokens,
        Operation::Embeddings | Operation::Images => None,
    };
    let stream = body.stream.unwrap_or(false);
    let results = match operation {
        Operation::Embeddings => inputs(content)?,
        Operation::Images => between("n", body.n.unwrap_or(1), MAX_IMAGES)?,
        // The sandbox writes one choice; a request for more is told so instead of being shortened.
        Operation::Chat | Operation::Responses => between("n", body.n.unwrap_or(1), 1)?,
    };
    if stream && matches!(operation, Operation::Embeddings | Operation::Images) {
        return Err("the sandbox doesn't stream this operation".to_owned());
    }
    let called = match operation {
        Operation::Chat => tools::called(body.tools.as_ref(), body.tool_choice.as_ref())?,
        Operation::Responses | Operation::Embeddings | Operation::Images => None,
    };
    Ok(Asked {
        model: body.model,
        stream,
        include_usage: body.stream_options.and_then(|options| options.include_usage).unwrap_or(false),
        prompt_tokens: (content.len() as u64).div_ceil(BYTES_PER_TOKEN),
        max_tokens,
        forced_output: None,
        forced_cached: None,
        results,
        dimensions: between("dimensions", body.dimensions.unwrap_or(DEFAULT_DIMENSIONS), MAX_DIMENSIONS)?,
        base64: body.encoding_format.as_deref() == Some("base64"),
        words: Words::OpenAi,
        format: Format::Generic,
        called,
    })
}

fn force(asked: &mut Asked, forced: &str) -> Result<(), String> {
    let wrong = || format!("`{TOKENS_HEADER}` is `{forced}`, not PROMPT,OUTPUT[,CACHED]");
    let counts: Vec<u64> = forced
        .split(',')
        .map(|count| count.trim().parse().ok().filter(|count| *count <= MAX_FORCED_TOKENS))
        .collect::<Option<_>>()
        .ok_or_else(wrong)?;
    (asked.prompt_tokens, asked.forced_output, asked.forced_cached) = match counts[..] {
        [prompt, output] => (prompt, Some(output), None),
        [prompt, output, cached] => (prompt, Some(output), Some(cached)),
        _ => return Err(wrong()),
    };
    Ok(())
}

pub(super) fn between(key: &str, found: u64, most: u64) -> Result<u64, String> {
    if (1..=most).contains(&found) {
        return Ok(found);
    }
    Err(format!("Invalid '{key}': the sandbox takes 1 to {most}, not {found}."))
}

/// A text, an array of texts, an array of tokens, or an array of those.
fn inputs(content: &str) -> Result<u64, String> {
    let Some(items) = content.strip_prefix('[') else { return Ok(1) };
    if items.trim_start().starts_with(|first: char| first.is_ascii_digit()) {
        return Ok(1);
    }
    let items: Vec<IgnoredAny> = serde_json::from_str(content).map_err(|error| error.to_string())?;
    if items.is_empty() || items.len() > MAX_INPUTS {
        return Err(format!("Invalid 'input': 1 to {MAX_INPUTS} items, not {}.", items.len()));
    }
    Ok(items.len() as u64)
}
