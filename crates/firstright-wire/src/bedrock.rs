//! How does Amazon Bedrock's Converse dialect speak?
//!
//! [`request()`] says an OpenAI chat request in it, [`response()`], [`Stream`] and [`refusal()`] say back what comes of it,
//! so that one meter reads all providers. Usage is told in OpenAI's shape with its details: what Converse counts apart
//! (cache reads, cache writes) is added to the prompt's total and stands in the details.
//!
//! Texts are embedded in the words of each model's maker: see [`embeddings`].
//!
//! Models that Bedrock serves in OpenAI's own dialect need none of this: see [`openai_base`] and [`mantle_base`].
//!
//! Source: Amazon Bedrock's API reference, *Converse* and *ConverseStream*, and its user guide.

pub mod embeddings;
pub mod eventstream;
pub(crate) mod refusal;
mod reply;
mod request;
mod response;
mod stream;

pub use refusal::refusal;
pub use request::request;
pub use response::response;
pub use stream::Stream;

use crate::azure::BadName;

/// The longest id or ARN of a model, in bytes; Bedrock's own bound.
const MAX_MODEL_BYTES: usize = 2048;

/// The content type of a stream, where other providers say `text/event-stream`.
pub const STREAM_TYPE: &str = "application/vnd.amazon.eventstream";

/// The header of an embedding's answer that tells its input, in tokens; its body doesn't.
pub const INPUT_TOKENS_HEADER: &str = "x-amzn-bedrock-input-token-count";

/// What follows the provider's prefix in the path of a call to the model `name`: its id, or an ARN (of an inference
/// profile, or of provisioned throughput), encoded so that it stays one segment.
///
/// # Errors
/// [`BadName::Model`] for a name that is empty, longer than 2,048 bytes, or not visible ASCII.
pub fn path(name: &str, stream: bool) -> Result<String, BadName> {
    named(name, if stream { "converse-stream" } else { "converse" })
}

/// The path of one of a model's operations.
fn named(name: &str, operation: &str) -> Result<String, BadName> {
    if !(1..=MAX_MODEL_BYTES).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BadName::Model(name.to_owned()));
    }
    Ok(format!("/model/{}/{operation}", encoded(name)))
}

/// One segment of a path.
pub(crate) fn encoded(name: &str) -> String {
    let mut segment = String::with_capacity(name.len() + 8);
    crate::auth::sigv4::encode(name.as_bytes(), b"", &mut segment);
    segment
}

/// The input of an embedding in tokens, by [`INPUT_TOKENS_HEADER`]'s value.
#[must_use]
pub fn input_tokens(header: &[u8]) -> Option<u64> {
    crate::json::to_u64(header.trim_ascii()).filter(|count| *count <= crate::usage::MAX_COUNT)
}

/// The base URL under which Bedrock's runtime speaks OpenAI's dialect (chat and responses).
#[must_use]
pub fn openai_base(region: &str) -> String {
    format!("https://bedrock-runtime.{region}.amazonaws.com/openai/v1")
}

/// The base URL of Bedrock's second service of OpenAI's dialect, which has other models.
#[must_use]
pub fn mantle_base(region: &str) -> String {
    format!("https://bedrock-mantle.{region}.api.aws/v1")
}

#[cfg(test)]
mod tests;
