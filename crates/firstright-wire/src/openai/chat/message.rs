//! Who said what?

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::request::{decode, text};
use super::{unsayable, wrong};
use crate::openai::request::BadRequest;

/// One message.
#[derive(Debug)]
pub enum Message<'a> {
    /// `system`, or its newer name `developer`; only [`Part::Text`].
    System(Vec<Part<'a>>),
    User(Vec<Part<'a>>),
    Assistant(Assistant<'a>),
    /// The result of the call `id`; only text in OpenAI's own dialect, but the parts are read all the same.
    Tool {
        id: Cow<'a, str>,
        parts: Vec<Part<'a>>,
    },
}

/// What the model said earlier.
#[derive(Debug)]
pub struct Assistant<'a> {
    /// Only [`Part::Text`]; refusals are in here as text.
    pub parts: Vec<Part<'a>>,
    pub calls: Vec<ToolCall<'a>>,
    /// `reasoning_content`: what it thought, where a provider shows it.
    pub reasoning: Option<Cow<'a, str>>,
    /// `thinking_blocks`, raw: the thoughts as Anthropic signs them, which only an echo of its own answer has.
    pub thinking: Option<&'a RawValue>,
}

#[derive(Debug)]
pub struct ToolCall<'a> {
    pub id: Cow<'a, str>,
    pub name: Cow<'a, str>,
    /// JSON as a text; the model may have written no object at all.
    pub arguments: Cow<'a, str>,
    /// `extra_content`, raw: what the call's maker wants echoed with it, as Google's signature of a thought.
    pub extra: Option<Cow<'a, str>>,
}

#[derive(Debug)]
pub enum Part<'a> {
    Text {
        text: Cow<'a, str>,
        /// Anthropic's mark, which several clients of this dialect send too.
        cache_control: Option<&'a RawValue>,
    },
    Image(Image<'a>),
    Audio(Audio<'a>),
    File(File<'a>),
}

#[derive(Debug)]
pub struct Image<'a> {
    pub source: Source<'a>,
    /// `auto`, `low` or `high`: how closely to look, and so at what cost.
    pub detail: Option<Cow<'a, str>>,
    pub cache_control: Option<&'a RawValue>,
}

#[derive(Debug)]
pub struct Audio<'a> {
    /// `wav` or `mp3`.
    pub format: Cow<'a, str>,
    /// In base64.
    pub data: Cow<'a, str>,
}

#[derive(Debug)]
pub struct File<'a> {
    pub name: Option<Cow<'a, str>>,
    pub source: Source<'a>,
    pub cache_control: Option<&'a RawValue>,
}

/// Where a picture's or file's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source<'a> {
    Url(Cow<'a, str>),
    /// A `data:` URL taken apart; `data` is base64, unchecked.
    Data {
        media_type: Cow<'a, str>,
        data: Cow<'a, str>,
    },
    /// A file that OpenAI's own store keeps.
    Id(Cow<'a, str>),
}

#[derive(Deserialize)]
struct RawMessage<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<RawCall<'a>>>,
    #[serde(borrow)]
    tool_call_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow)]
    audio: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    thinking_blocks: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawCall<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    function: Option<RawFunction<'a>>,
    #[serde(borrow)]
    extra_content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawFunction<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    arguments: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawPart<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    refusal: Option<Cow<'a, str>>,
    #[serde(borrow)]
    image_url: Option<&'a RawValue>,
    #[serde(borrow)]
    input_audio: Option<RawAudio<'a>>,
    #[serde(borrow)]
    file: Option<RawFile<'a>>,
    #[serde(borrow)]
    cache_control: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawAudio<'a> {
    #[serde(borrow)]
    format: Cow<'a, str>,
    #[serde(borrow)]
    data: Cow<'a, str>,
}

#[derive(Deserialize)]
struct RawFile<'a> {
    #[serde(borrow)]
    filename: Option<Cow<'a, str>>,
    #[serde(borrow)]
    file_data: Option<Cow<'a, str>>,
    #[serde(borrow)]
    file_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawUrl<'a> {
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(borrow)]
    detail: Option<Cow<'a, str>>,
}

/// Reads the value of `messages`. Members of a message that aren't listed here (`name`, `annotations`, marks of other
/// gateways) are read over: they come of echoing an answer.
pub(super) fn read_all(raw: &RawValue) -> Result<Vec<Message<'_>>, BadRequest> {
    let messages: Vec<RawMessage<'_>> = decode(raw, "messages")?;
    messages.into_iter().map(message).collect()
}

fn message(raw: RawMessage<'_>) -> Result<Message<'_>, BadRequest> {
    if raw.function_call.is_some() || raw.role == "function" {
        return Err(unsayable("messages", "the older `function_call` has no counterpart; use `tool_calls`"));
    }
    if raw.audio.is_some() {
        return Err(unsayable("messages", "an earlier audio answer is known to OpenAI only"));
    }
    let parts = match raw.content {
        Some(content) => parts(content)?,
        None => Vec::new(),
    };
    match raw.role.as_ref() {
        "system" | "developer" => Ok(Message::System(only_text(parts)?)),
        "user" => Ok(Message::User(parts)),
        "assistant" => {
            let mut parts = only_text(parts)?;
            parts.extend(raw.refusal.map(plain));
            let calls = raw.tool_calls.unwrap_or_default();
            let calls = calls.into_iter().map(call).collect::<Result<_, _>>()?;
            Ok(Message::Assistant(Assistant {
                parts,
                calls,
                reasoning: raw.reasoning_content,
                thinking: raw.thinking_blocks,
            }))
        }
        "tool" => {
            let id = raw
                .tool_call_id
                .ok_or_else(|| wrong("messages", "give a `tool_call_id` with a tool's result"))?;
            Ok(Message::Tool { id, parts })
        }
        _ => {
            Err(wrong("messages", "each have a role of `system`, `developer`, `user`, `assistant` or `tool`"))
        }
    }
}

fn call(raw: RawCall<'_>) -> Result<ToolCall<'_>, BadRequest> {
    let function = raw
        .function
        .ok_or_else(|| unsayable("messages", "only tool calls of type `function` can be said"))?;
    Ok(ToolCall {
        id: raw.id,
        name: function.name,
        arguments: function.arguments.unwrap_or_default(),
        extra: raw.extra_content.map(|extra| Cow::Borrowed(extra.get())),
    })
}

fn parts(raw: &RawValue) -> Result<Vec<Part<'_>>, BadRequest> {
    if raw.get().starts_with('"') {
        return Ok(vec![plain(text(raw, "messages")?)]);
    }
    let parts: Vec<RawPart<'_>> = decode(raw, "messages")?;
    parts.into_iter().map(part).collect()
}

fn part(raw: RawPart<'_>) -> Result<Part<'_>, BadRequest> {
    let lacking = || wrong("messages", "have what each part's `type` names");
    Ok(match raw.kind.as_ref() {
        "text" => Part::Text { text: raw.text.ok_or_else(lacking)?, cache_control: raw.cache_control },
        "refusal" => plain(raw.refusal.ok_or_else(lacking)?),
        "image_url" => {
            let image = raw.image_url.ok_or_else(lacking)?;
            // Some clients send the URL itself in place of the object.
            let RawUrl { url, detail } = if image.get().starts_with('"') {
                RawUrl { url: text(image, "messages")?, detail: None }
            } else {
                decode(image, "messages")?
            };
            Part::Image(Image { source: source(url)?, detail, cache_control: raw.cache_control })
        }
        "input_audio" => {
            let audio = raw.input_audio.ok_or_else(lacking)?;
            Part::Audio(Audio { format: audio.format, data: audio.data })
        }
        "file" => Part::File(file(raw.file.ok_or_else(lacking)?, raw.cache_control)?),
        _ => return Err(unsayable("messages", "a part of this type can't be said")),
    })
}

fn file<'a>(raw: RawFile<'a>, cache_control: Option<&'a RawValue>) -> Result<File<'a>, BadRequest> {
    let source = match (raw.file_data, raw.file_id) {
        (Some(data), None) if data.starts_with("data:") => source(data)?,
        // OpenAI also takes the base64 alone; it is a PDF then.
        (Some(data), None) => Source::Data { media_type: Cow::Borrowed("application/pdf"), data },
        (None, Some(id)) => Source::Id(id),
        _ => return Err(wrong("messages", "give each file either `file_data` or `file_id`")),
    };
    Ok(File { name: raw.filename, source, cache_control })
}

fn plain(text: Cow<'_, str>) -> Part<'_> {
    Part::Text { text, cache_control: None }
}

fn only_text(parts: Vec<Part<'_>>) -> Result<Vec<Part<'_>>, BadRequest> {
    match parts.iter().all(|part| matches!(part, Part::Text { .. })) {
        true => Ok(parts),
        false => Err(wrong("messages", "hold only text where the role is not `user` or `tool`")),
    }
}

/// Takes a `data:` URL apart; any other is left as it is.
fn source(url: Cow<'_, str>) -> Result<Source<'_>, BadRequest> {
    if !url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) {
        return Ok(Source::Url(url));
    }
    let Some((head, _)) = url.split_once(',') else {
        return Err(wrong("messages", "give `data:` URLs as `data:TYPE;base64,DATA`"));
    };
    let (start, end) = (5, head.len());
    let Some(described) = url.get(start..end).and_then(|described| described.strip_suffix(";base64")) else {
        return Err(wrong("messages", "give `data:` URLs as `data:TYPE;base64,DATA`"));
    };
    // Parameters such as a charset stand behind the type.
    let type_end = start + described.find(';').unwrap_or(described.len());
    Ok(match url {
        Cow::Borrowed(url) => Source::Data {
            media_type: Cow::Borrowed(&url[start..type_end]),
            data: Cow::Borrowed(&url[end + 1..]),
        },
        Cow::Owned(url) => Source::Data {
            media_type: Cow::Owned(url[start..type_end].to_owned()),
            data: Cow::Owned(url[end + 1..].to_owned()),
        },
    })
}
