//! How is a chat request said in `GENERIC`?

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::request::{Common, apart};
use crate::openai::ServiceTier;
use crate::openai::chat::{
    Effort, Format, Message, Part, Request, Source, Tool, ToolCall, ToolChoice, unsayable,
};
use crate::openai::request::BadRequest;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chat<'a> {
    messages: Vec<OutMessage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<OutTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<OutChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<OutFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(flatten)]
    common: Common,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop: &'a [Cow<'a, str>],
    #[serde(skip_serializing_if = "is_one")]
    num_generations: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutMessage<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    content: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<OutCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "UPPERCASE", rename_all_fields = "camelCase")]
enum Content<'a> {
    Text { text: &'a str },
    Image { image_url: Url<'a> },
    Audio { audio_url: Url<'a> },
    Document { document_url: Url<'a> },
}

#[derive(Serialize)]
struct Url<'a> {
    url: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Serialize)]
struct OutCall<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct OutTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct OutChoice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
enum OutFormat<'a> {
    JsonObject,
    JsonSchema { json_schema: OutSchema<'a> },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutSchema<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'a RawValue>,
    is_strict: bool,
}

/// OpenAI's own models take the newer bound only, the others the older one.
pub(super) fn chat<'a>(request: &'a Request<'a>, name: &str) -> Result<Chat<'a>, BadRequest> {
    let newer = name.starts_with("openai.");
    Ok(Chat {
        messages: request.messages.iter().map(message).collect::<Result<_, _>>()?,
        max_tokens: request.max_tokens.filter(|_| !newer),
        max_completion_tokens: request.max_tokens.filter(|_| newer),
        tools: request.tools.iter().map(tool).collect(),
        tool_choice: request.tool_choice.as_ref().filter(|_| !request.tools.is_empty()).map(choice),
        is_parallel_tool_calls: request.parallel_tool_calls.filter(|_| !request.tools.is_empty()),
        response_format: format(&request.format),
        reasoning_effort: request.effort.map(effort).transpose()?,
        common: Common::of(request)?,
        stop: &request.stop,
        num_generations: request.choices,
        service_tier: request.service_tier.map(tier).transpose()?,
    })
}

fn message<'a>(message: &'a Message<'a>) -> Result<OutMessage<'a>, BadRequest> {
    let (role, parts, calls, tool_call_id) = apart(message);
    let content = parts.iter().map(content).collect::<Result<_, _>>()?;
    Ok(OutMessage { role, content, tool_calls: calls.iter().map(call).collect(), tool_call_id })
}

fn content<'a>(part: &'a Part<'a>) -> Result<Content<'a>, BadRequest> {
    Ok(match part {
        Part::Text { text, .. } => Content::Text { text },
        Part::Image(image) => {
            let detail = image.detail.as_deref().map(str::to_ascii_uppercase);
            Content::Image { image_url: Url { url: url(&image.source)?, detail } }
        }
        Part::Audio(audio) => {
            let url = Cow::Owned(format!("data:audio/{};base64,{}", audio.format, audio.data));
            Content::Audio { audio_url: Url { url, detail: None } }
        }
        Part::File(file) => Content::Document { document_url: Url { url: url(&file.source)?, detail: None } },
    })
}

pub(super) fn url<'a>(source: &'a Source<'a>) -> Result<Cow<'a, str>, BadRequest> {
    match source {
        Source::Url(url) => Ok(Cow::Borrowed(url.as_ref())),
        Source::Data { media_type, data } => Ok(Cow::Owned(format!("data:{media_type};base64,{data}"))),
        Source::Id(_) => Err(unsayable("messages", "a `file_id` is known to OpenAI only")),
    }
}

fn call<'a>(call: &'a ToolCall<'a>) -> OutCall<'a> {
    OutCall { id: &call.id, kind: "FUNCTION", name: &call.name, arguments: &call.arguments }
}

fn tool<'a>(tool: &'a Tool<'a>) -> OutTool<'a> {
    OutTool {
        kind: "FUNCTION",
        name: &tool.name,
        description: tool.description.as_deref(),
        parameters: tool.parameters,
    }
}

fn choice<'a>(choice: &'a ToolChoice<'a>) -> OutChoice<'a> {
    let (kind, name) = match choice {
        ToolChoice::Auto => ("AUTO", None),
        ToolChoice::None => ("NONE", None),
        ToolChoice::Required => ("REQUIRED", None),
        ToolChoice::Function(name) => ("FUNCTION", Some(name.as_ref())),
    };
    OutChoice { kind, name }
}

fn format<'a>(format: &'a Format<'a>) -> Option<OutFormat<'a>> {
    match format {
        Format::Text => None,
        Format::JsonObject => Some(OutFormat::JsonObject),
        Format::JsonSchema(schema) => Some(OutFormat::JsonSchema {
            json_schema: OutSchema {
                name: &schema.name,
                description: schema.description.as_deref(),
                schema: schema.schema,
                is_strict: schema.strict,
            },
        }),
    }
}

fn effort(effort: Effort) -> Result<&'static str, BadRequest> {
    match effort {
        Effort::None => Ok("NONE"),
        Effort::Minimal => Ok("MINIMAL"),
        Effort::Low => Ok("LOW"),
        Effort::Medium => Ok("MEDIUM"),
        Effort::High => Ok("HIGH"),
        Effort::XHigh => Err(unsayable("reasoning_effort", "it goes up to `high` there")),
    }
}

fn tier(tier: ServiceTier) -> Result<&'static str, BadRequest> {
    match tier {
        ServiceTier::Auto => Ok("AUTO"),
        ServiceTier::Default => Ok("DEFAULT"),
        ServiceTier::Priority => Ok("PRIORITY"),
        _ => Err(unsayable("service_tier", "only `auto`, `default` and `priority` have a counterpart")),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_one(count: &u64) -> bool {
    *count == 1
}
