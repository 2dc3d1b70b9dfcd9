//! What does this body ask for? Reads the few fields that the model acts on.

use firstright_sim::cloud::Operation;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

#[cfg(test)]
mod tests;

/// Forces the counts of a call: `PROMPT,OUTPUT` or `PROMPT,OUTPUT,CACHED`. Used to replay a trace.
pub(super) const TOKENS_HEADER: &str = "x-sandbox-tokens";

/// One request can't ask for more; its answer is held in memory.
const MAX_FORCED_TOKENS: u64 = 1_000_000;

/// OpenAI's own limits.
const MAX_INPUTS: usize = 2_048;
const MAX_IMAGES: u64 = 10;
const MAX_DIMENSIONS: u64 = 3_072;

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

/// The error is what the client is told, with status 400.
pub(super) fn read(operation: Operation, body: &[u8], forced: Option<&str>) -> Result<Asked, String> {
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
    let mut asked = Asked {
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
    };
    if let Some(forced) = forced {
        force(&mut asked, forced)?;
    }
    Ok(asked)
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

fn between(key: &str, found: u64, most: u64) -> Result<u64, String> {
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
