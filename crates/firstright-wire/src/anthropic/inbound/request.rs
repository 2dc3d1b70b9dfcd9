//! How is a request of this dialect said in OpenAI's words?

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

mod turns;

use crate::openai::chat::{Members, decode, members, text, unsayable, wrong};
use crate::openai::request::BadRequest;
use turns::{OutMessage, message, system};

/// The most stop sequences that OpenAI takes.
const MAX_STOPS: usize = 4;

/// The longest `user` that OpenAI takes, in bytes.
const MAX_USER_BYTES: usize = 64;

/// The largest budgets of thought, in tokens, that count as low and as medium effort.
const LOW_BUDGET: u64 = 2048;
const MEDIUM_BUDGET: u64 = 16_384;

#[derive(Default, Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Cow<'a, str>>,
    messages: Vec<OutMessage<'a>>,
    max_completion_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<OutTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<OutChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<OutFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct OutTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: OutFunction<'a>,
}

#[derive(Serialize)]
struct OutFunction<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum OutChoice<'a> {
    Word(&'static str),
    Function {
        #[serde(rename = "type")]
        kind: &'static str,
        function: OutFunction<'a>,
    },
}

#[derive(Serialize)]
struct OutFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    json_schema: OutSchema<'a>,
}

#[derive(Serialize)]
struct OutSchema<'a> {
    name: &'static str,
    schema: &'a RawValue,
    strict: bool,
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    description: Option<Cow<'a, str>>,
    #[serde(borrow)]
    input_schema: Option<&'a RawValue>,
    strict: Option<bool>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Deserialize)]
struct Thinking<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    budget_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct OutputConfig<'a> {
    #[serde(borrow)]
    effort: Option<Cow<'a, str>>,
    #[serde(borrow)]
    format: Option<Format<'a>>,
}

#[derive(Deserialize)]
struct Format<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    user_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ContextManagement<'a> {
    #[serde(borrow, default)]
    edits: Vec<Edit<'a>>,
}

#[derive(Deserialize)]
struct Edit<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

/// Says the request `body` as a chat request of OpenAI's, with usage asked for in a stream.
///
/// # Errors
/// [`BadRequest`] if `body` isn't a request of this dialect, or asks for what OpenAI's has no word for.
pub fn request(body: &[u8]) -> Result<Vec<u8>, BadRequest> {
    let Members(members) = members(body)?;
    let mut out = Body::default();
    let (mut max_tokens, mut thought, mut first) = (None, None, Vec::new());
    for (name, raw) in members {
        match name.as_ref() {
            _ if raw.get() == "null" => {}
            "max_tokens" => max_tokens = Some(decode(raw, "max_tokens")?),
            "thinking" => thought = effort_of_budget(raw)?,
            "system" => first = system(raw)?,
            "messages" => out.messages(raw)?,
            "model" | "stream" | "temperature" | "top_p" | "stop_sequences" | "metadata" | "service_tier" => {
                out.scalar(&name, raw)?;
            }
            "tools" | "tool_choice" | "output_config" => out.shape(&name, raw)?,
            "cache_control" => {}
            "context_management" => refuse_unless_thoughts(raw)?,
            "top_k" => return Err(unsayable("top_k", "it has no counterpart there")),
            _ => {
                let name = name.escape_debug();
                let message = format!("put `{name}` into the provider's language: it is unknown");
                return Err(BadRequest { code: "unknown_parameter", param: None, message });
            }
        }
    }
    out.max_completion_tokens = max_tokens.ok_or_else(|| wrong("max_tokens", "be given"))?;
    out.reasoning_effort = out.reasoning_effort.or(thought);
    if out.messages.is_empty() {
        return Err(wrong("messages", "hold at least one message"));
    }
    first.append(&mut out.messages);
    out.messages = first;
    // INVARIANT: strings, numbers and raw JSON can't fail to be written.
    serde_json::to_vec(&out).map_err(|_| wrong("messages", "be writable"))
}

impl<'a> Body<'a> {
    fn messages(&mut self, raw: &'a RawValue) -> Result<(), BadRequest> {
        let turns: Vec<turns::Turn<'a>> = decode(raw, "messages")?;
        if turns.last().is_some_and(|turn| turn.role == "assistant") {
            return Err(unsayable("messages", "the beginning of the answer can't be given there"));
        }
        turns.into_iter().try_for_each(|turn| message(turn, &mut self.messages))
    }

    fn scalar(&mut self, name: &str, raw: &'a RawValue) -> Result<(), BadRequest> {
        match name {
            "model" => self.model = Some(text(raw, "model")?),
            "stream" => {
                self.stream = decode(raw, "stream")?;
                self.stream_options = self.stream.then_some(StreamOptions { include_usage: true });
            }
            "temperature" => {
                let _: f64 = decode(raw, "temperature")?;
                self.temperature = Some(raw);
            }
            "top_p" => {
                let _: f64 = decode(raw, "top_p")?;
                self.top_p = Some(raw);
            }
            "stop_sequences" => {
                let stops: Vec<Cow<'_, str>> = decode(raw, "stop_sequences")?;
                if stops.len() > MAX_STOPS {
                    return Err(unsayable("stop_sequences", "at most four are possible there"));
                }
                self.stop = (!stops.is_empty()).then_some(raw);
            }
            "metadata" => {
                let metadata: Metadata<'_> = decode(raw, "metadata")?;
                self.user = metadata.user_id.filter(|user| user.len() <= MAX_USER_BYTES);
            }
            _ => match text(raw, "service_tier")?.as_ref() {
                "auto" => self.service_tier = Some("auto"),
                "standard_only" => self.service_tier = Some("default"),
                _ => return Err(wrong("service_tier", "be `auto` or `standard_only`")),
            },
        }
        Ok(())
    }

    fn shape(&mut self, name: &str, raw: &'a RawValue) -> Result<(), BadRequest> {
        match name {
            "tools" => {
                let tools: Vec<Tool<'_>> = decode(raw, "tools")?;
                self.tools = tools.into_iter().map(tool).collect::<Result<_, _>>()?;
            }
            "tool_choice" => {
                let choice: Choice<'_> = decode(raw, "tool_choice")?;
                self.parallel_tool_calls = (choice.disable_parallel_tool_use == Some(true)).then_some(false);
                self.tool_choice = Some(tool_choice(choice)?);
            }
            _ => {
                let config: OutputConfig<'_> = decode(raw, "output_config")?;
                self.reasoning_effort = config.effort.as_deref().map(effort).transpose()?;
                self.response_format = config.format.map(format).transpose()?;
            }
        }
        Ok(())
    }
}

fn tool(tool: Tool<'_>) -> Result<OutTool<'_>, BadRequest> {
    if tool.kind.is_some_and(|kind| kind != "custom") {
        return Err(unsayable("tools", "only tools of type `custom` can be said"));
    }
    let Tool { name, description, input_schema: parameters, strict, .. } = tool;
    Ok(OutTool { kind: "function", function: OutFunction { name, description, parameters, strict } })
}

fn tool_choice(choice: Choice<'_>) -> Result<OutChoice<'_>, BadRequest> {
    Ok(match (choice.kind.as_ref(), choice.name) {
        ("auto", _) => OutChoice::Word("auto"),
        ("any", _) => OutChoice::Word("required"),
        ("none", _) => OutChoice::Word("none"),
        ("tool", Some(name)) => OutChoice::Function {
            kind: "function",
            function: OutFunction { name, description: None, parameters: None, strict: None },
        },
        _ => return Err(wrong("tool_choice", "be of type `auto`, `any`, `none` or `tool`")),
    })
}

fn effort(name: &str) -> Result<&'static str, BadRequest> {
    Ok(match name {
        "low" => "low",
        "medium" => "medium",
        "high" => "high",
        "xhigh" | "max" => "xhigh",
        _ => return Err(wrong("output_config", "have a known effort")),
    })
}

fn effort_of_budget(raw: &RawValue) -> Result<Option<&'static str>, BadRequest> {
    let thinking: Thinking<'_> = decode(raw, "thinking")?;
    Ok(match (thinking.kind.as_ref(), thinking.budget_tokens) {
        ("enabled", Some(..=LOW_BUDGET)) => Some("low"),
        ("enabled", Some(..=MEDIUM_BUDGET)) => Some("medium"),
        ("enabled", Some(_)) => Some("high"),
        ("adaptive" | "disabled", _) => None,
        _ => return Err(wrong("thinking", "be of type `enabled` with a budget, `adaptive` or `disabled`")),
    })
}

fn format(format: Format<'_>) -> Result<OutFormat<'_>, BadRequest> {
    match (format.kind.as_ref(), format.schema) {
        ("json_schema", Some(schema)) => {
            let json_schema = OutSchema { name: "answer", schema, strict: true };
            Ok(OutFormat { kind: "json_schema", json_schema })
        }
        _ => Err(wrong("output_config", "have a format of type `json_schema` with a schema")),
    }
}

fn refuse_unless_thoughts(raw: &RawValue) -> Result<(), BadRequest> {
    let context: ContextManagement<'_> = decode(raw, "context_management")?;
    match context.edits.iter().all(|edit| edit.kind.starts_with("clear_thinking_")) {
        true => Ok(()),
        false => Err(unsayable("context_management", "the provider can't forget parts of the prompt")),
    }
}
