//! How is a chat request said here?

use serde::Serialize;

use super::{ApiFormat, ENDPOINT_OCID, cohere, cohere_v2, generic};
use crate::openai::chat::{self, Message, Part, Request, ToolCall, unsayable, wrong};
use crate::openai::request::BadRequest;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    compartment_id: &'a str,
    serving_mode: ServingMode<'a>,
    chat_request: Chat<'a>,
}

#[derive(Serialize)]
#[serde(tag = "servingType", rename_all_fields = "camelCase")]
enum ServingMode<'a> {
    #[serde(rename = "ON_DEMAND")]
    OnDemand { model_id: &'a str },
    #[serde(rename = "DEDICATED")]
    Dedicated { endpoint_id: &'a str },
}

#[derive(Serialize)]
#[serde(tag = "apiFormat", rename_all = "UPPERCASE")]
enum Chat<'a> {
    Generic(Box<generic::Chat<'a>>),
    Cohere(Box<cohere::Chat<'a>>),
    #[serde(rename = "COHEREV2")]
    CohereV2(Box<cohere_v2::Chat<'a>>),
}

/// What all formats call by the same names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Common {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    is_stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StreamOptions {
    is_include_usage: bool,
}

impl Common {
    pub(super) fn of(request: &Request<'_>) -> Result<Self, BadRequest> {
        Ok(Self {
            temperature: request.temperature,
            top_p: request.top_p,
            top_k: top_k(request)?,
            frequency_penalty: request.frequency_penalty,
            presence_penalty: request.presence_penalty,
            seed: request.seed,
            is_stream: request.stream,
            // Usage is asked for in every stream.
            stream_options: request.stream.then_some(StreamOptions { is_include_usage: true }),
        })
    }
}

/// A message's role, parts and calls, and the call that it answers, for the formats that have all of them in one shape.
pub(super) fn apart<'a>(
    message: &'a Message<'a>,
) -> (&'static str, &'a [Part<'a>], &'a [ToolCall<'a>], Option<&'a str>) {
    match message {
        Message::System(parts) => ("SYSTEM", parts, &[], None),
        Message::User(parts) => ("USER", parts, &[], None),
        Message::Assistant(said) => ("ASSISTANT", &said.parts, &said.calls, None),
        Message::Tool { id, parts } => ("TOOL", parts, &[], Some(id.as_ref())),
    }
}

/// Says the chat request `body` here, for the model or dedicated endpoint `name`, at the cost of `compartment` (an OCID);
/// without a bound of its own it may put out `default_max_output` tokens.
///
/// # Errors
/// [`BadRequest`] if `body` isn't a chat request, or asks for what this dialect has no word for.
pub fn request(
    body: &[u8],
    name: &str,
    default_max_output: u64,
    compartment: &str,
    format: ApiFormat,
) -> Result<Vec<u8>, BadRequest> {
    let mut request = chat::read(body)?;
    request.refuse_unknown(&["top_k"])?;
    request.max_tokens.get_or_insert(default_max_output);
    let out = Body {
        compartment_id: compartment,
        serving_mode: match name.starts_with(ENDPOINT_OCID) {
            true => ServingMode::Dedicated { endpoint_id: name },
            false => ServingMode::OnDemand { model_id: name },
        },
        chat_request: match format {
            ApiFormat::Generic => Chat::Generic(Box::new(generic::chat(&request, name)?)),
            ApiFormat::Cohere => Chat::Cohere(Box::new(cohere::chat(&request)?)),
            ApiFormat::CohereV2 => Chat::CohereV2(Box::new(cohere_v2::chat(&request)?)),
        },
    };
    // INVARIANT: strings, numbers and raw JSON can't fail to be written.
    serde_json::to_vec(&out).map_err(|_| wrong("messages", "be writable"))
}

/// `top_k`, which clients of other dialects give.
fn top_k(request: &Request<'_>) -> Result<Option<u64>, BadRequest> {
    match request.unknown.iter().find(|(name, _)| name == "top_k") {
        None => Ok(None),
        Some((_, raw)) => match raw.get().parse() {
            Ok(top_k) => Ok(Some(top_k)),
            Err(_) => Err(unsayable("top_k", "it isn't a count")),
        },
    }
}

#[cfg(test)]
mod tests;
