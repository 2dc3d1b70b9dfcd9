//! How is a chat request said in `COHERE`?

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::request::Common;
use crate::openai::ServiceTier;
use crate::openai::chat::{Effort, Format, Message, Part, Request, Tool, ToolCall, ToolChoice, unsayable};
use crate::openai::request::BadRequest;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chat<'a> {
    message: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    chat_history: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preamble_override: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<OutTool<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_results: Vec<ToolResult<'a>>,
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
#[serde(tag = "role", rename_all = "UPPERCASE", rename_all_fields = "camelCase")]
enum Entry<'a> {
    User {
        message: Cow<'a, str>,
    },
    Chatbot {
        message: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<OutCall<'a>>,
    },
    Tool {
        tool_results: Vec<ToolResult<'a>>,
    },
}

#[derive(Clone, Copy, Serialize)]
struct OutCall<'a> {
    name: &'a str,
    parameters: &'a RawValue,
}

#[derive(Serialize)]
struct ToolResult<'a> {
    call: OutCall<'a>,
    outputs: [Output<'a>; 1],
}

#[derive(Serialize)]
struct Output<'a> {
    output: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutTool<'a> {
    name: &'a str,
    description: &'a str,
    parameter_definitions: BTreeMap<String, Parameter>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameter {
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(rename = "type")]
    kind: String,
    is_required: bool,
}

#[derive(Serialize)]
pub(super) struct OutFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'a RawValue>,
}

pub(super) fn chat<'a>(request: &'a Request<'a>) -> Result<Chat<'a>, BadRequest> {
    refuse_unsayable(request)?;
    let no_tools = request.tool_choice == Some(ToolChoice::None);
    let (preamble, mut history) = history(&request.messages)?;
    let (message, tool_results) = match history.pop() {
        Some(Entry::User { message }) => (message, Vec::new()),
        Some(Entry::Tool { tool_results }) => (Cow::Borrowed(""), tool_results),
        _ => return Err(unsayable("messages", "the last one must be the user's or a tool's result")),
    };
    Ok(Chat {
        message,
        chat_history: history,
        preamble_override: (!preamble.is_empty()).then_some(preamble),
        tools: request.tools.iter().filter(|_| !no_tools).map(tool).collect::<Result<_, _>>()?,
        tool_results,
        response_format: format(&request.format),
        max_tokens: request.max_tokens,
        common: Common::of(request)?,
        stop_sequences: &request.stop,
    })
}

/// How the answer's form is asked for; both of Cohere's formats have this one way.
pub(super) fn format<'a>(format: &'a Format<'a>) -> Option<OutFormat<'a>> {
    match format {
        Format::Text => None,
        Format::JsonObject => Some(OutFormat { kind: "JSON_OBJECT", schema: None }),
        Format::JsonSchema(schema) => Some(OutFormat { kind: "JSON_OBJECT", schema: schema.schema }),
    }
}

fn refuse_unsayable(request: &Request<'_>) -> Result<(), BadRequest> {
    refuse_extras(request)?;
    if matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Function(_))) {
        return Err(unsayable("tool_choice", "a call can't be forced there"));
    }
    if request.effort.is_some_and(|effort| effort != Effort::None) {
        return Err(unsayable("reasoning_effort", "it has no counterpart there"));
    }
    Ok(())
}

/// What neither of Cohere's formats has a word for.
pub(super) fn refuse_extras(request: &Request<'_>) -> Result<(), BadRequest> {
    if request.choices != 1 {
        return Err(unsayable("n", "only one choice can be asked for"));
    }
    if request.parallel_tool_calls == Some(false) && !request.tools.is_empty() {
        return Err(unsayable("parallel_tool_calls", "calls can't be held to one there"));
    }
    match request.service_tier {
        None | Some(ServiceTier::Auto | ServiceTier::Default) => Ok(()),
        Some(_) => Err(unsayable("service_tier", "only `auto` and `default` have a counterpart")),
    }
}

/// The system's texts, and the turns; results of tools that follow each other make one entry.
fn history<'a>(messages: &'a [Message<'a>]) -> Result<(String, Vec<Entry<'a>>), BadRequest> {
    let (mut preamble, mut history) = (String::new(), Vec::new());
    let mut calls: Vec<(&str, OutCall<'_>)> = Vec::new();
    for message in messages {
        match message {
            Message::System(parts) => {
                if !preamble.is_empty() {
                    preamble.push_str("\n\n");
                }
                preamble.push_str(&said(parts)?);
            }
            Message::User(parts) => history.push(Entry::User { message: said(parts)? }),
            Message::Assistant(answer) => {
                let made = answer.calls.iter().map(call).collect::<Result<Vec<_>, _>>()?;
                calls.extend(&made);
                let tool_calls = made.into_iter().map(|(_, call)| call).collect();
                history.push(Entry::Chatbot { message: said(&answer.parts)?, tool_calls });
            }
            Message::Tool { id, parts } => {
                let call = calls.iter().rev().find(|(made, _)| made == id).map(|(_, call)| *call);
                let call =
                    call.ok_or_else(|| unsayable("messages", "a tool's result has no call before it"))?;
                let result = ToolResult { call, outputs: [Output { output: said(parts)? }] };
                match history.last_mut() {
                    Some(Entry::Tool { tool_results }) => tool_results.push(result),
                    _ => history.push(Entry::Tool { tool_results: vec![result] }),
                }
            }
        }
    }
    Ok((preamble, history))
}

/// The text of the parts; there is nothing but text here.
fn said<'a>(parts: &'a [Part<'a>]) -> Result<Cow<'a, str>, BadRequest> {
    let mut out = Cow::Borrowed("");
    for part in parts {
        let Part::Text { text, .. } = part else {
            return Err(unsayable("messages", "only text can be said there"));
        };
        if out.is_empty() {
            out = Cow::Borrowed(text.as_ref());
        } else {
            out.to_mut().push_str(text);
        }
    }
    Ok(out)
}

fn call<'a>(call: &'a ToolCall<'a>) -> Result<(&'a str, OutCall<'a>), BadRequest> {
    let arguments = if call.arguments.trim().is_empty() { "{}" } else { call.arguments.trim() };
    let parameters =
        serde_json::from_str::<&RawValue>(arguments).ok().filter(|raw| raw.get().starts_with('{'));
    let parameters =
        parameters.ok_or_else(|| unsayable("messages", "a call's arguments must be a JSON object"))?;
    Ok((call.id.as_ref(), OutCall { name: &call.name, parameters }))
}

/// The members of a JSON schema that are read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Schema {
    properties: BTreeMap<String, Value>,
    required: Vec<String>,
}

fn tool<'a>(tool: &'a Tool<'a>) -> Result<OutTool<'a>, BadRequest> {
    let schema = match tool.parameters {
        None => Schema::default(),
        Some(raw) => serde_json::from_str(raw.get())
            .map_err(|_| unsayable("tools", "parameters must be a schema of an object"))?,
    };
    let mut parameter_definitions = BTreeMap::new();
    for (name, property) in schema.properties {
        let is_required = schema.required.contains(&name);
        let kind = python_type(&property)
            .ok_or_else(|| unsayable("tools", "each parameter must have one plain type"))?;
        let mut description = property["description"].as_str().unwrap_or_default().to_owned();
        if let Some(values) = property["enum"].as_array() {
            let separator = if description.is_empty() { "" } else { " " };
            let values: Vec<String> = values.iter().map(Value::to_string).collect();
            description.push_str(&format!("{separator}One of: {}.", values.join(", ")));
        }
        parameter_definitions.insert(name, Parameter { description, kind, is_required });
    }
    Ok(OutTool {
        name: &tool.name,
        description: tool.description.as_deref().unwrap_or_default(),
        parameter_definitions,
    })
}

/// Cohere names types as Python does.
fn python_type(schema: &Value) -> Option<String> {
    let plain = |name: &Value| {
        Some(match name.as_str()? {
            "string" => "str",
            "integer" => "int",
            "number" => "float",
            "boolean" => "bool",
            "object" => "Dict",
            _ => return None,
        })
    };
    match schema["type"].as_str()? {
        "array" => Some(match plain(&schema["items"]["type"]) {
            Some(item) => format!("List[{item}]"),
            None => "List".to_owned(),
        }),
        _ => plain(&schema["type"]).map(str::to_owned),
    }
}
