//! How is an OpenAI chat request said to Gemini?
//!
//! What Gemini has no word for is refused by its `param`, so that another provider may be asked. Left out, because the
//! answer means the same without: what [`chat::HARMLESS`] names (but `seed`, which Gemini has), `user` and `metadata`
//! (labels that OpenAI keeps), marks for a cache (Gemini's is implicit), a picture's `detail`, a tool's `strict`, and the
//! names of messages. System messages go to the front, where Gemini keeps them.
//!
//! Schemas go as JSON schemas (`parametersJsonSchema`, `responseJsonSchema`), just as the client wrote them, and not in
//! Gemini's older subset of OpenAPI's, into which not every schema can be put.

mod content;
mod thinking;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::openai::ServiceTier;
use crate::openai::chat::{self, Format, Request, ToolChoice, unsayable};
use crate::openai::request::BadRequest;
use content::{Content, Conversation};
use thinking::ThinkingConfig;

/// The most answers that Gemini gives to one call.
const MAX_CANDIDATES: u64 = 8;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Generate<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content<'a>>,
    contents: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tools<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    generation_config: GenerationConfig<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tools<'a> {
    function_declarations: Vec<Declaration<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig<'a> {
    function_calling_config: Calling<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Calling<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_function_names: Option<[&'a str; 1]>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig<'a> {
    max_output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'a [Cow<'a, str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig>,
}

/// Says `body`, an OpenAI chat request, as Gemini's; the same for a stream. `name` is the model's: by its version it is
/// known how a wish for reasoning is said. `default_max_output` bounds the answer, in tokens, where the request doesn't.
///
/// # Errors
/// [`BadRequest`] if the body is no chat request, or asks for what Gemini can't do.
pub fn request(body: &[u8], name: &str, default_max_output: u64) -> Result<Vec<u8>, BadRequest> {
    let request = chat::read(body)?;
    request.refuse_unknown(&[])?;
    if request.choices > MAX_CANDIDATES {
        return Err(unsayable("n", "Gemini gives at most 8 answers"));
    }
    if request.parallel_tool_calls == Some(false) && !request.tools.is_empty() {
        return Err(unsayable("parallel_tool_calls", "Gemini can't forbid them"));
    }
    let Conversation { system, contents } = content::conversation(&request.messages, name)?;
    let (response_mime_type, response_json_schema) = match &request.format {
        Format::Text => (None, None),
        Format::JsonObject => (Some("application/json"), None),
        Format::JsonSchema(schema) => (Some("application/json"), schema.schema),
    };
    let generate = Generate {
        system_instruction: system,
        contents,
        tools: tools(&request),
        tool_config: tool_config(&request),
        generation_config: GenerationConfig {
            max_output_tokens: request.max_tokens.unwrap_or(default_max_output),
            candidate_count: (request.choices > 1).then_some(request.choices),
            temperature: request.temperature,
            top_p: request.top_p,
            frequency_penalty: request.frequency_penalty,
            presence_penalty: request.presence_penalty,
            seed: request.seed,
            stop_sequences: &request.stop,
            response_mime_type,
            response_json_schema,
            thinking_config: thinking::config(name, request.effort)?,
        },
        service_tier: service_tier(request.service_tier)?,
    };
    serde_json::to_vec(&generate).map_err(|error| BadRequest {
        code: "invalid_value",
        param: None,
        message: format!("write the request for the provider: {error}"),
    })
}

fn tools<'a>(request: &'a Request<'_>) -> Vec<Tools<'a>> {
    let declaration = |tool: &'a chat::Tool<'_>| Declaration {
        name: &tool.name,
        description: tool.description.as_deref(),
        parameters_json_schema: tool.parameters,
    };
    let function_declarations: Vec<_> = request.tools.iter().map(declaration).collect();
    if function_declarations.is_empty() { Vec::new() } else { vec![Tools { function_declarations }] }
}

fn tool_config<'a>(request: &'a Request<'_>) -> Option<ToolConfig<'a>> {
    let (mode, allowed_function_names) =
        match request.tool_choice.as_ref().filter(|_| !request.tools.is_empty())? {
            ToolChoice::Auto => return None,
            ToolChoice::None => ("NONE", None),
            ToolChoice::Required => ("ANY", None),
            ToolChoice::Function(name) => ("ANY", Some([name.as_ref()])),
        };
    Some(ToolConfig { function_calling_config: Calling { mode, allowed_function_names } })
}

/// `auto` is to say nothing.
fn service_tier(tier: Option<ServiceTier>) -> Result<Option<&'static str>, BadRequest> {
    Ok(match tier {
        None | Some(ServiceTier::Auto) => None,
        Some(ServiceTier::Default) => Some("standard"),
        Some(ServiceTier::Flex) => Some("flex"),
        Some(ServiceTier::Priority) => Some("priority"),
        Some(ServiceTier::Scale | ServiceTier::Fast | ServiceTier::Batch | ServiceTier::Unknown) => {
            return Err(unsayable("service_tier", "Gemini has `standard`, `flex` and `priority`"));
        }
    })
}

#[cfg(test)]
mod tests;
