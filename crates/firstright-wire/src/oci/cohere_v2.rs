//! How is a chat request said in `COHEREV2`?

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::cohere::{OutFormat, format, refuse_extras};
use super::generic::url;
use super::request::{Common, apart};
use crate::openai::chat::{Effort, Message, Part, Request, Tool, ToolCall, ToolChoice, unsayable};
use crate::openai::request::BadRequest;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chat<'a> {
    messages: Vec<OutMessage<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<OutTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools_choice: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_strict_tools_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<OutFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(flatten)]
    common: Common,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'a [Cow<'a, str>],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutMessage<'a> {
    role: &'static str,
    content: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Typed<Function<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
enum Content<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: Url<'a> },
}

#[derive(Serialize)]
struct Url<'a> {
    url: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// A function, or a call of one.
#[derive(Serialize)]
struct Typed<F> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    function: F,
}

type OutTool<'a> = Typed<Definition<'a>>;

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Definition<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Thinking {
    #[serde(rename = "type")]
    kind: &'static str,
}

pub(super) fn chat<'a>(request: &'a Request<'a>) -> Result<Chat<'a>, BadRequest> {
    refuse_extras(request)?;
    let tools_choice = match &request.tool_choice {
        _ if request.tools.is_empty() => None,
        None | Some(ToolChoice::Auto) => None,
        Some(ToolChoice::None) => Some("NONE"),
        Some(ToolChoice::Required) => Some("REQUIRED"),
        Some(ToolChoice::Function(_)) => {
            return Err(unsayable("tool_choice", "some call can be forced there, but none by its name"));
        }
    };
    let thinking = request
        .effort
        .map(|effort| Thinking { kind: if effort == Effort::None { "DISABLED" } else { "ENABLED" } });
    Ok(Chat {
        messages: request.messages.iter().map(message).collect::<Result<_, _>>()?,
        tools: request.tools.iter().map(tool).collect(),
        tools_choice,
        is_strict_tools_enabled: request.tools.iter().any(|tool| tool.strict),
        thinking,
        response_format: format(&request.format),
        max_tokens: request.max_tokens,
        common: Common::of(request)?,
        stop_sequences: &request.stop,
    })
}

fn message<'a>(message: &'a Message<'a>) -> Result<OutMessage<'a>, BadRequest> {
    let (role, parts, calls, tool_call_id) = apart(message);
    let content = parts.iter().map(content).collect::<Result<_, _>>()?;
    Ok(OutMessage { role, content, tool_calls: calls.iter().map(call).collect(), tool_call_id })
}

fn content<'a>(part: &'a Part<'a>) -> Result<Content<'a>, BadRequest> {
    match part {
        Part::Text { text, .. } => Ok(Content::Text { text }),
        Part::Image(image) => {
            let detail = image.detail.as_deref().map(str::to_ascii_uppercase);
            Ok(Content::ImageUrl { image_url: Url { url: url(&image.source)?, detail } })
        }
        Part::Audio(_) | Part::File(_) => {
            Err(unsayable("messages", "only text and pictures can be said there"))
        }
    }
}

fn call<'a>(call: &'a ToolCall<'a>) -> Typed<Function<'a>> {
    let arguments = if call.arguments.trim().is_empty() { "{}" } else { call.arguments.as_ref() };
    let function = Function { name: &call.name, arguments };
    Typed { id: Some(call.id.to_string()), kind: "FUNCTION", function }
}

fn tool<'a>(tool: &'a Tool<'a>) -> OutTool<'a> {
    let function = Definition {
        name: &tool.name,
        description: tool.description.as_deref(),
        // The parameters are required there, and a function may have none.
        parameters: tool
            .parameters
            .or_else(|| serde_json::from_str(r#"{"type":"object","properties":{}}"#).ok()),
    };
    Typed { id: None, kind: "FUNCTION", function }
}
