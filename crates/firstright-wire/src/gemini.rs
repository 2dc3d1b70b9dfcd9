//! How do Google's Gemini API and Vertex AI speak?
//!
//! Both have one dialect, `generateContent`; only what stands before the model in the path and how a call is authorised
//! differ, and that is configuration. [`request()`] says an OpenAI chat request in it, [`response()`], [`Stream`] and
//! [`refusal()`] say back what comes of it. Google counts thoughts and the results of its own tools apart; they are added
//! to OpenAI's totals, so that the details are parts of them.
//!
//! Signatures of thoughts go with tool calls as `extra_content.google.thought_signature`, which is Google's own way in this
//! dialect; Gemini 3 wants those echoed. Signatures of other parts, which it only recommends to echo, are left out.
//!
//! Which capacity served a call is told by [`TrafficType`] beside the translated answer: without that a commitment
//! (provisioned throughput) could not be burnt down, since Vertex spills over from it without a word.
//!
//! Texts are embedded by methods of their own: see [`embeddings`].
//!
//! Models that Vertex serves in OpenAI's own dialect need none of this: see [`openai_base`].
//!
//! Source: Vertex AI's REST reference (`GenerateContentRequest`, `GenerateContentResponse`), the Gemini API's reference,
//! and Vertex AI's guide on provisioned throughput.

pub mod embeddings;
pub(crate) mod refusal;
mod reply;
mod request;
mod response;
mod stream;

pub use refusal::refusal;
pub use reply::TrafficType;
pub use request::request;
pub use response::{response, traffic_type};
pub use stream::Stream;

use crate::azure::BadName;

/// The longest name of a model, in bytes.
const MAX_MODEL_BYTES: usize = 256;

/// The header of Vertex AI that chooses between bought and shared capacity: [`DEDICATED`] or [`SHARED`]. Without it a call
/// takes bought capacity first and spills over silently.
pub const CAPACITY_HEADER: &str = "x-vertex-ai-llm-request-type";

/// Bought capacity (provisioned throughput) or a 429.
pub const DEDICATED: &str = "dedicated";

/// Pay as you go, past any bought capacity.
pub const SHARED: &str = "shared";

/// What follows the provider's prefix in the path of a call to the model `name`. The prefix ends in
/// `/publishers/google` at Vertex AI (`/v1/projects/{project}/locations/{location}/publishers/google`), and is `/v1beta`
/// at the Gemini API. The name may be a resource's already: `tunedModels/…` stays one.
///
/// # Errors
/// [`BadName::Model`] for a name that is empty, longer than 256 bytes, or not visible ASCII.
pub fn path(name: &str, stream: bool) -> Result<String, BadName> {
    called(name, if stream { "streamGenerateContent?alt=sse" } else { "generateContent" })
}

/// The path of one of a model's methods.
fn called(name: &str, method: &str) -> Result<String, BadName> {
    if !(1..=MAX_MODEL_BYTES).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BadName::Model(name.to_owned()));
    }
    let (collection, model) = collection(name);
    Ok(format!("/{collection}/{}:{method}", crate::bedrock::encoded(model)))
}

/// The collection that a model is in, and its name there.
fn collection(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((collection @ ("models" | "tunedModels"), model)) => (collection, model),
        _ => ("models", name),
    }
}

/// The base URL under which Vertex AI speaks OpenAI's dialect; the model is `google/{name}` there.
#[must_use]
pub fn openai_base(project: &str, location: &str) -> String {
    let host = match location {
        "global" => "aiplatform.googleapis.com".to_owned(),
        _ => format!("{location}-aiplatform.googleapis.com"),
    };
    format!("https://{host}/v1/projects/{project}/locations/{location}/endpoints/openapi")
}

#[cfg(test)]
mod tests;
