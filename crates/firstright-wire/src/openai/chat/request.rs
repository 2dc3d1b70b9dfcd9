//! What is asked for?

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::message::{self, Message};
use super::{HARMLESS, unknown, unsayable, wrong};
use crate::openai::ServiceTier;
use crate::openai::request::BadRequest;

/// A chat request, read whole.
#[derive(Debug, Default)]
pub struct Request<'a> {
    /// In the client's order; system messages may stand anywhere.
    pub messages: Vec<Message<'a>>,
    pub tools: Vec<Tool<'a>>,
    pub tool_choice: Option<ToolChoice<'a>>,
    pub parallel_tool_calls: Option<bool>,
    pub format: Format<'a>,
    /// `max_completion_tokens`, or the older `max_tokens`.
    pub max_tokens: Option<u64>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub frequency_penalty: Option<f64>,
    pub presence_penalty: Option<f64>,
    pub seed: Option<i64>,
    pub stop: Vec<Cow<'a, str>>,
    /// How many choices; at least 1.
    pub choices: u64,
    pub effort: Option<Effort>,
    pub user: Option<Cow<'a, str>>,
    /// Labels that OpenAI keeps beside a stored call, as raw JSON.
    pub metadata: Option<&'a RawValue>,
    pub service_tier: Option<ServiceTier>,
    pub stream: bool,
    /// `stream_options.include_usage`.
    pub include_usage: bool,
    /// Members that this dialect doesn't have, in order: a translator takes those that it knows and refuses the others
    /// by [`Request::refuse_unknown`].
    pub unknown: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// A function that the model may call.
#[derive(Debug)]
pub struct Tool<'a> {
    pub name: Cow<'a, str>,
    pub description: Option<Cow<'a, str>>,
    /// A JSON schema; absent for a function without parameters.
    pub parameters: Option<&'a RawValue>,
    pub strict: bool,
    /// Anthropic's mark, which several clients of this dialect send too.
    pub cache_control: Option<&'a RawValue>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    Auto,
    None,
    Required,
    Function(Cow<'a, str>),
}

#[derive(Debug, Default)]
pub enum Format<'a> {
    #[default]
    Text,
    JsonObject,
    JsonSchema(Schema<'a>),
}

#[derive(Debug)]
pub struct Schema<'a> {
    pub name: Cow<'a, str>,
    pub description: Option<Cow<'a, str>>,
    pub schema: Option<&'a RawValue>,
    pub strict: bool,
}

/// `reasoning_effort`, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
}

/// Reads a chat request.
///
/// # Errors
/// [`BadRequest`] if it isn't one, or asks for what no translator has: audio out, log probabilities, a logit bias, web
/// search, the older `functions`, tools other than functions.
pub fn read(body: &[u8]) -> Result<Request<'_>, BadRequest> {
    let Members(members) = members(body)?;
    let mut request = Request { choices: 1, ..Request::default() };
    let mut older_max = None;
    for (name, raw) in members {
        if raw.get() == "null" {
            continue;
        }
        match name.as_ref() {
            "max_tokens" => older_max = Some(decode(raw, "max_tokens")?),
            "model" => {}
            "stream_options" => {
                let options: StreamOptions = decode(raw, "stream_options")?;
                request.include_usage = options.include_usage.unwrap_or(false);
            }
            "messages" | "tools" | "tool_choice" | "response_format" => request.shape(&name, raw)?,
            "logprobs" | "top_logprobs" | "logit_bias" | "modalities" | "audio" | "web_search_options"
            | "functions" | "function_call" => refuse_unless_idle(&name, raw)?,
            name if HARMLESS.contains(&name) && name != "seed" => {}
            _ => request.scalar(name, raw)?,
        }
    }
    request.max_tokens = request.max_tokens.or(older_max);
    if request.messages.is_empty() {
        return Err(wrong("messages", "hold at least one message"));
    }
    Ok(request)
}

impl<'a> Request<'a> {
    /// Refuses members that are neither this dialect's nor among `taken`.
    pub fn refuse_unknown(&self, taken: &[&str]) -> Result<(), BadRequest> {
        match self.unknown.iter().find(|(name, _)| !taken.contains(&name.as_ref())) {
            None => Ok(()),
            Some((name, _)) => Err(unknown(name)),
        }
    }

    fn shape(&mut self, name: &str, raw: &'a RawValue) -> Result<(), BadRequest> {
        match name {
            "messages" => self.messages = message::read_all(raw)?,
            "tools" => {
                let tools: Vec<RawTool<'_>> = decode(raw, "tools")?;
                self.tools = tools.into_iter().map(tool).collect::<Result<_, _>>()?;
            }
            "tool_choice" => self.tool_choice = Some(tool_choice(raw)?),
            _ => self.format = format(raw)?,
        }
        Ok(())
    }

    fn scalar(&mut self, name: Cow<'a, str>, raw: &'a RawValue) -> Result<(), BadRequest> {
        match name.as_ref() {
            "parallel_tool_calls" => self.parallel_tool_calls = Some(decode(raw, "parallel_tool_calls")?),
            "max_completion_tokens" => self.max_tokens = Some(decode(raw, "max_completion_tokens")?),
            "temperature" => self.temperature = Some(decode(raw, "temperature")?),
            "top_p" => self.top_p = Some(decode(raw, "top_p")?),
            "frequency_penalty" => self.frequency_penalty = Some(decode(raw, "frequency_penalty")?),
            "presence_penalty" => self.presence_penalty = Some(decode(raw, "presence_penalty")?),
            "seed" => self.seed = Some(decode(raw, "seed")?),
            "stop" if raw.get().starts_with('"') => self.stop = vec![text(raw, "stop")?],
            "stop" => {
                let stops: Vec<Text<'_>> = decode(raw, "stop")?;
                self.stop = stops.into_iter().map(|Text(stop)| stop).collect();
            }
            "n" => match decode(raw, "n")? {
                0 => return Err(wrong("n", "be at least 1")),
                choices => self.choices = choices,
            },
            "reasoning_effort" => self.effort = Some(effort(&text(raw, "reasoning_effort")?)?),
            "user" => self.user = Some(text(raw, "user")?),
            "metadata" => self.metadata = Some(raw),
            "service_tier" => {
                self.service_tier = Some(ServiceTier::from_name(&text(raw, "service_tier")?));
            }
            "stream" => self.stream = decode(raw, "stream")?,
            _ => self.unknown.push((name, raw)),
        }
        Ok(())
    }
}

/// The members of a body, in order.
pub(crate) fn members(body: &[u8]) -> Result<Members<'_>, BadRequest> {
    serde_json::from_slice(body).map_err(|error| BadRequest {
        code: "invalid_json",
        param: None,
        message: format!("read the body as JSON: {}", without_values(&error)),
    })
}

/// Decodes the raw value of `param`, or of something within it.
pub(crate) fn decode<'a, T: Deserialize<'a>>(
    raw: &'a RawValue,
    param: &'static str,
) -> Result<T, BadRequest> {
    serde_json::from_str(raw.get()).map_err(|error| BadRequest {
        code: "invalid_type",
        param: Some(param),
        message: format!("accept the request: `{param}` has the wrong shape: {}", without_values(&error)),
    })
}

pub(crate) fn text<'a>(raw: &'a RawValue, param: &'static str) -> Result<Cow<'a, str>, BadRequest> {
    decode(raw, param).map(|Text(text)| text)
}

/// A string that borrows where it can.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// An error may quote what it met, and what it met may be a prompt: only what was expected is told.
fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.find(", expected ") {
        Some(at) => text[at + 2..].to_owned(),
        None => text,
    }
}

/// The members of an object, in order.
pub(crate) struct Members<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct RawTool<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    function: Option<RawFunction<'a>>,
    #[serde(borrow)]
    cache_control: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawFunction<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    description: Option<Cow<'a, str>>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
    strict: Option<bool>,
}

fn tool(raw: RawTool<'_>) -> Result<Tool<'_>, BadRequest> {
    if raw.kind.is_some_and(|kind| kind != "function") {
        return Err(unsayable("tools", "only tools of type `function` can be said"));
    }
    let function = raw.function.ok_or_else(|| wrong("tools", "each have a `function`"))?;
    Ok(Tool {
        name: function.name,
        description: function.description,
        parameters: function.parameters,
        strict: function.strict.unwrap_or(false),
        cache_control: raw.cache_control,
    })
}

fn tool_choice(raw: &RawValue) -> Result<ToolChoice<'_>, BadRequest> {
    if raw.get().starts_with('"') {
        return match text(raw, "tool_choice")?.as_ref() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" => Ok(ToolChoice::Required),
            _ => Err(wrong("tool_choice", "be `auto`, `none`, `required` or a function")),
        };
    }
    let choice: RawTool<'_> = decode(raw, "tool_choice")?;
    match (choice.kind.as_deref(), choice.function) {
        (Some("function"), Some(function)) => Ok(ToolChoice::Function(function.name)),
        _ => Err(unsayable("tool_choice", "only `auto`, `none`, `required` and a function can be said")),
    }
}

#[derive(Deserialize)]
struct RawFormat<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    json_schema: Option<RawSchema<'a>>,
}

#[derive(Deserialize)]
struct RawSchema<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    description: Option<Cow<'a, str>>,
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
    strict: Option<bool>,
}

fn format(raw: &RawValue) -> Result<Format<'_>, BadRequest> {
    let format: RawFormat<'_> = decode(raw, "response_format")?;
    match (format.kind.as_ref(), format.json_schema) {
        ("text", _) => Ok(Format::Text),
        ("json_object", _) => Ok(Format::JsonObject),
        ("json_schema", Some(schema)) => Ok(Format::JsonSchema(Schema {
            name: schema.name,
            description: schema.description,
            schema: schema.schema,
            strict: schema.strict.unwrap_or(false),
        })),
        _ => Err(wrong("response_format", "be of type `text`, `json_object` or `json_schema`")),
    }
}

fn effort(name: &str) -> Result<Effort, BadRequest> {
    Ok(match name {
        "none" => Effort::None,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        _ => {
            return Err(wrong(
                "reasoning_effort",
                "be `none`, `minimal`, `low`, `medium`, `high` or `xhigh`",
            ));
        }
    })
}

/// Refuses what no translator can say, unless its value asks for nothing.
fn refuse_unless_idle(name: &str, raw: &RawValue) -> Result<(), BadRequest> {
    let squeezed: String = raw.get().split_ascii_whitespace().collect();
    let param = match (name, squeezed.as_str()) {
        ("logprobs", "false")
        | ("top_logprobs", "0")
        | ("logit_bias", "{}")
        | ("modalities", r#"["text"]"#)
        | ("functions", "[]")
        | ("function_call", r#""none""# | r#""auto""#) => return Ok(()),
        ("logprobs", _) => "logprobs",
        ("top_logprobs", _) => "top_logprobs",
        ("logit_bias", _) => "logit_bias",
        ("modalities", _) => "modalities",
        ("audio", _) => "audio",
        ("web_search_options", _) => "web_search_options",
        ("functions", _) => "functions",
        _ => "function_call",
    };
    Err(unsayable(param, "it has no counterpart there"))
}
