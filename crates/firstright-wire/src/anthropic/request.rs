//! How is a chat request said here?

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::openai::ServiceTier;
use crate::openai::chat::{
    self, Assistant, Effort, File, Format, Image, Message, Part, Request, Source, Tool, ToolChoice, unsayable,
};
use crate::openai::request::BadRequest;

/// The least budget that a thought may be given, in tokens.
const MIN_BUDGET: u64 = 1024;

/// The largest budget that is asked for by an effort, in tokens: beyond it the provider's guide advises batches, as
/// networks cut such long calls.
const MAX_BUDGET: u64 = 32_000;

/// The schema of a tool without parameters.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<OutTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking<'a>>,
    #[serde(skip_serializing_if = "OutputConfig::is_empty")]
    output_config: OutputConfig<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'a [Cow<'a, str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    stream: bool,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    Image {
        source: Bytes<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    Document {
        source: Bytes<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: &'a RawValue,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'a>>,
    },
    Thinking {
        thinking: Cow<'a, str>,
        signature: Cow<'a, str>,
    },
    RedactedThinking {
        data: Cow<'a, str>,
    },
}

/// A thought as the provider signed it; a stream's clients put an `index` beside what it had.
#[derive(Deserialize)]
struct Thought<'a> {
    #[serde(borrow)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow)]
    signature: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
}

impl<'a> Thought<'a> {
    fn block(self) -> Result<Block<'a>, BadRequest> {
        match (self.thinking, self.signature, self.data) {
            (Some(thinking), Some(signature), None) => Ok(Block::Thinking { thinking, signature }),
            (None, None, Some(data)) => Ok(Block::RedactedThinking { data }),
            _ => Err(unsayable("messages", "a thought must be signed, or redacted")),
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Bytes<'a> {
    Url { url: &'a str },
    Base64 { media_type: &'a str, data: &'a str },
}

#[derive(Serialize)]
struct OutTool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: &'a RawValue,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Choice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_parallel_tool_use: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Thinking<'a> {
    Disabled,
    Adaptive,
    Enabled {
        budget_tokens: u64,
    },
    #[serde(untagged)]
    AsGiven(&'a RawValue),
}

#[derive(Default, Serialize)]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<OutFormat<'a>>,
}

#[derive(Serialize)]
struct OutFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: &'a RawValue,
}

#[derive(Serialize)]
struct Metadata<'a> {
    user_id: &'a str,
}

impl OutputConfig<'_> {
    fn is_empty(&self) -> bool {
        self.effort.is_none() && self.format.is_none()
    }
}

/// Says the chat request `body` here, for the model `name`; without a bound of its own it may put out
/// `default_max_output` tokens.
///
/// # Errors
/// [`BadRequest`] if `body` isn't a chat request, or asks for what this dialect has no word for.
pub fn request(body: &[u8], name: &str, default_max_output: u64) -> Result<Vec<u8>, BadRequest> {
    let request = chat::read(body)?;
    refuse_unsayable(&request)?;
    let no_parameters: &RawValue =
        serde_json::from_str(NO_PARAMETERS).map_err(|_| unsayable("tools", "no schema"))?;
    let max_tokens = request.max_tokens.unwrap_or(default_max_output);
    let (system, messages) = turns(&request.messages)?;
    let (thinking, effort) = thinking(&request, name, max_tokens);
    let out = Body {
        model: name,
        max_tokens,
        system,
        messages,
        tools: request.tools.iter().map(|tool| out_tool(tool, no_parameters)).collect(),
        tool_choice: choice(&request),
        thinking,
        output_config: OutputConfig { effort, format: format(&request.format)? },
        // 1 is how it does without, and newer models refuse to be told.
        temperature: request.temperature.filter(|temperature| *temperature != 1.0),
        top_p: request.top_p.filter(|top_p| *top_p != 1.0),
        top_k: given(&request, "top_k"),
        stop_sequences: &request.stop,
        metadata: request.user.as_deref().map(|user_id| Metadata { user_id }),
        service_tier: tier(request.service_tier)?,
        stream: request.stream,
    };
    // INVARIANT: strings, numbers and raw JSON can't fail to be written.
    serde_json::to_vec(&out).map_err(|_| unsayable("messages", "it can't be written"))
}

fn refuse_unsayable(request: &Request<'_>) -> Result<(), BadRequest> {
    request.refuse_unknown(&["top_k", "thinking"])?;
    let absent = "it has no counterpart there";
    if request.choices != 1 {
        return Err(unsayable("n", "only one choice can be asked for"));
    }
    if request.frequency_penalty.is_some_and(|penalty| penalty != 0.0) {
        return Err(unsayable("frequency_penalty", absent));
    }
    if request.presence_penalty.is_some_and(|penalty| penalty != 0.0) {
        return Err(unsayable("presence_penalty", absent));
    }
    if request.temperature.is_some_and(|temperature| temperature > 1.0) {
        return Err(unsayable("temperature", "it goes up to 1 there"));
    }
    Ok(())
}

fn given<'a>(request: &Request<'a>, name: &str) -> Option<&'a RawValue> {
    request.unknown.iter().find(|(unknown, _)| unknown == name).map(|(_, raw)| *raw)
}

/// The system's texts, and the turns with neighbours of one role merged: the results of one turn's calls must all stand
/// in the turn after it.
fn turns<'a>(messages: &'a [Message<'a>]) -> Result<(Vec<Block<'a>>, Vec<Turn<'a>>), BadRequest> {
    let (mut system, mut turns) = (Vec::new(), Vec::<Turn<'a>>::new());
    for message in messages {
        let (role, blocks) = match message {
            Message::System(parts) => {
                system.append(&mut blocks(parts)?);
                continue;
            }
            Message::User(parts) => ("user", blocks(parts)?),
            Message::Assistant(said) => ("assistant", assistant(said)?),
            Message::Tool { id, parts } => {
                ("user", vec![Block::ToolResult { tool_use_id: call_id(id), content: blocks(parts)? }])
            }
        };
        match turns.last_mut() {
            Some(turn) if turn.role == role => turn.content.extend(blocks),
            _ if blocks.is_empty() => {}
            _ => turns.push(Turn { role, content: blocks }),
        }
    }
    if turns.is_empty() {
        return Err(unsayable("messages", "one that isn't the system's must say something"));
    }
    Ok((system, turns))
}

fn assistant<'a>(said: &'a Assistant<'a>) -> Result<Vec<Block<'a>>, BadRequest> {
    let mut out = Vec::new();
    if let Some(raw) = said.thinking {
        let thoughts: Vec<Thought<'_>> = serde_json::from_str(raw.get())
            .map_err(|_| unsayable("messages", "`thinking_blocks` must be an array of thoughts"))?;
        for thought in thoughts {
            out.push(thought.block()?);
        }
    }
    out.extend(blocks(&said.parts)?);
    for call in &said.calls {
        let arguments = if call.arguments.trim().is_empty() { "{}" } else { call.arguments.trim() };
        let input =
            serde_json::from_str::<&RawValue>(arguments).ok().filter(|raw| raw.get().starts_with('{'));
        let input = input.ok_or_else(|| unsayable("messages", "a call's arguments must be a JSON object"))?;
        out.push(Block::ToolUse { id: call_id(&call.id), name: &call.name, input });
    }
    Ok(out)
}

fn blocks<'a>(parts: &'a [Part<'a>]) -> Result<Vec<Block<'a>>, BadRequest> {
    let said = parts.iter().filter(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
    said.map(block).collect()
}

fn block<'a>(part: &'a Part<'a>) -> Result<Block<'a>, BadRequest> {
    match part {
        Part::Text { text, cache_control } => Ok(Block::Text { text, cache_control: *cache_control }),
        Part::Image(Image { source, cache_control, .. }) => {
            Ok(Block::Image { source: bytes(source)?, cache_control: *cache_control })
        }
        Part::Audio(_) => Err(unsayable("messages", "audio has no counterpart there")),
        Part::File(File { name, source, cache_control }) => {
            if matches!(source, Source::Data { media_type, .. } if media_type != "application/pdf") {
                return Err(unsayable("messages", "only files of type `application/pdf` can be said"));
            }
            let (source, title) = (bytes(source)?, name.as_deref());
            Ok(Block::Document { source, title, cache_control: *cache_control })
        }
    }
}

fn bytes<'a>(source: &'a Source<'a>) -> Result<Bytes<'a>, BadRequest> {
    match source {
        Source::Url(url) => Ok(Bytes::Url { url }),
        Source::Data { media_type, data } => Ok(Bytes::Base64 { media_type, data }),
        Source::Id(_) => Err(unsayable("messages", "a `file_id` is known to OpenAI only")),
    }
}

/// The id in the alphabet `A–Z a–z 0–9 _ -`, which is all that is taken.
fn call_id(id: &str) -> Cow<'_, str> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if id.chars().all(allowed) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(id.chars().map(|letter| if allowed(letter) { letter } else { '_' }).collect())
}

fn out_tool<'a>(tool: &'a Tool<'a>, no_parameters: &'a RawValue) -> OutTool<'a> {
    OutTool {
        name: &tool.name,
        description: tool.description.as_deref(),
        input_schema: tool.parameters.unwrap_or(no_parameters),
        strict: tool.strict,
        cache_control: tool.cache_control,
    }
}

fn choice<'a>(request: &'a Request<'_>) -> Option<Choice<'a>> {
    if request.tools.is_empty() {
        return None;
    }
    let single = request.parallel_tool_calls == Some(false);
    let (kind, name) = match &request.tool_choice {
        None if !single => return None,
        None | Some(ToolChoice::Auto) => ("auto", None),
        Some(ToolChoice::None) => {
            return Some(Choice { kind: "none", name: None, disable_parallel_tool_use: false });
        }
        Some(ToolChoice::Required) => ("any", None),
        Some(ToolChoice::Function(name)) => ("tool", Some(name.as_ref())),
    };
    Some(Choice { kind, name, disable_parallel_tool_use: single })
}

fn format<'a>(format: &Format<'a>) -> Result<Option<OutFormat<'a>>, BadRequest> {
    match format {
        Format::Text => Ok(None),
        Format::JsonObject => {
            Err(unsayable("response_format", "an object without a schema can't be asked for"))
        }
        Format::JsonSchema(schema) => match schema.schema {
            Some(schema) => Ok(Some(OutFormat { kind: "json_schema", schema })),
            None => Err(unsayable("response_format", "the schema is missing")),
        },
    }
}

fn tier(tier: Option<ServiceTier>) -> Result<Option<&'static str>, BadRequest> {
    match tier {
        None => Ok(None),
        Some(ServiceTier::Auto | ServiceTier::Priority) => Ok(Some("auto")),
        Some(ServiceTier::Default) => Ok(Some("standard_only")),
        Some(
            ServiceTier::Flex
            | ServiceTier::Scale
            | ServiceTier::Fast
            | ServiceTier::Batch
            | ServiceTier::Unknown,
        ) => Err(unsayable("service_tier", "only `auto`, `default` and `priority` have a counterpart")),
    }
}

/// How the model is to think, and with what effort it is to answer.
fn thinking<'a>(
    request: &Request<'a>,
    name: &str,
    max_tokens: u64,
) -> (Option<Thinking<'a>>, Option<&'static str>) {
    if let Some(raw) = given(request, "thinking") {
        return (Some(Thinking::AsGiven(raw)), None);
    }
    let forced = matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Function(_)));
    let (percent, effort) = match request.effort {
        None => return (None, None),
        Some(Effort::None) => return (Some(Thinking::Disabled), None),
        Some(Effort::Minimal) => (10, "low"),
        Some(Effort::Low) => (20, "low"),
        Some(Effort::Medium) => (50, "medium"),
        Some(Effort::High) => (80, "high"),
        Some(Effort::XHigh) => (95, "xhigh"),
    };
    if is_adaptive(name) {
        return ((!forced).then_some(Thinking::Adaptive), Some(effort));
    }
    // A budget must leave room for the answer.
    let budget_tokens = (max_tokens / 100).saturating_mul(percent).clamp(MIN_BUDGET, MAX_BUDGET);
    if forced || budget_tokens >= max_tokens || called_without_thought(&request.messages) {
        return (None, None);
    }
    (Some(Thinking::Enabled { budget_tokens }), None)
}

/// Whether the turn that goes on began with a tool call whose thought is gone; with a budget that is refused.
pub(crate) fn called_without_thought(messages: &[Message<'_>]) -> bool {
    let turn = messages.iter().rev().take_while(|message| !matches!(message, Message::User(_)));
    turn.filter_map(|message| match message {
        Message::Assistant(said) => Some(said),
        _ => None,
    })
    .any(|said| !said.calls.is_empty() && said.thinking.is_none())
}

/// Whether the model decides itself how long to think: from version 4.6 on. The version is the first number in the name
/// and the one after it, unless that is a date (`claude-sonnet-4-20250514` is 4.0, `claude-3-7-sonnet` 3.7).
pub(crate) fn is_adaptive(name: &str) -> bool {
    let mut numbers = name
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .skip_while(|piece| !piece.bytes().all(|byte| byte.is_ascii_digit()) || piece.is_empty())
        .map(|piece| if piece.len() > 2 { None } else { piece.parse::<u32>().ok() });
    match numbers.next().flatten() {
        None => true,
        Some(major) => (major, numbers.next().flatten().unwrap_or(0)) >= (4, 6),
    }
}

#[cfg(test)]
mod tests;
