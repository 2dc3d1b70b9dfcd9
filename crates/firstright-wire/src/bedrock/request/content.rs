//! Who said what, in Converse's turns and blocks?

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::openai::chat::{Assistant, Audio, File, Image, Message, Part, Source, ToolCall, unsayable};
use crate::openai::request::BadRequest;

/// The longest id of a tool's use, and of its name's longest sanitised form, in bytes.
const MAX_ID_BYTES: usize = 64;

/// The longest name of a document, in bytes.
const MAX_NAME_BYTES: usize = 200;

#[derive(Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

/// Converse's union: the one member's name tells what it is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Block<'a> {
    Text(&'a str),
    Image(Media<'a>),
    Audio(Media<'a>),
    Document(Document<'a>),
    #[serde(rename_all = "camelCase")]
    ToolUse {
        tool_use_id: Cow<'a, str>,
        name: &'a str,
        input: &'a RawValue,
    },
    #[serde(rename_all = "camelCase")]
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: Vec<Block<'a>>,
    },
    ReasoningContent(Reasoning<'a>),
    CachePoint(CachePoint),
}

#[derive(Serialize)]
pub(super) struct Media<'a> {
    format: &'a str,
    source: Bytes<'a>,
}

#[derive(Serialize)]
pub(super) struct Document<'a> {
    format: &'static str,
    name: String,
    source: Bytes<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Bytes<'a> {
    /// Base64.
    Bytes(&'a str),
    S3Location {
        uri: &'a str,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Reasoning<'a> {
    ReasoningText { text: Cow<'a, str>, signature: Cow<'a, str> },
    RedactedContent(Cow<'a, str>),
}

/// Up to here the prompt may be cached.
#[derive(Serialize)]
pub(super) struct CachePoint {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

/// What is said, apart from the system's part.
pub(super) struct Conversation<'a> {
    pub system: Vec<Block<'a>>,
    pub turns: Vec<Turn<'a>>,
    /// A tool was called in it.
    pub used_tools: bool,
}

impl CachePoint {
    /// Reads Anthropic's mark, `{"type":"ephemeral"}` with or without a `ttl` of `5m` or `1h`.
    pub(super) fn of(mark: &RawValue) -> Result<Self, BadRequest> {
        #[derive(Deserialize)]
        struct Mark<'a> {
            #[serde(borrow)]
            ttl: Option<Cow<'a, str>>,
        }
        let refused =
            || unsayable("cache_control", "a mark is an object with a `ttl` of `5m` or `1h`, or none");
        let mark: Mark<'_> = serde_json::from_str(mark.get()).map_err(|_| refused())?;
        let ttl = match mark.ttl.as_deref() {
            None => None,
            Some("5m") => Some("5m"),
            Some("1h") => Some("1h"),
            Some(_) => return Err(refused()),
        };
        Ok(Self { r#type: "default", ttl })
    }
}

/// Converse wants user and assistant in turn, beginning with the user; tools' results are the user's.
pub(super) fn conversation<'a>(messages: &'a [Message<'_>]) -> Result<Conversation<'a>, BadRequest> {
    let mut conversation = Conversation { system: Vec::new(), turns: Vec::new(), used_tools: false };
    let mut documents = BTreeSet::new();
    for message in messages {
        match message {
            Message::System(parts) => blocks(&mut conversation.system, parts, &mut documents)?,
            Message::User(parts) => {
                blocks(conversation.turn("user"), parts, &mut documents)?;
            }
            Message::Assistant(said) => {
                conversation.used_tools |= !said.calls.is_empty();
                assistant(conversation.turn("assistant"), said, &mut documents)?;
            }
            Message::Tool { id, parts } => {
                conversation.used_tools = true;
                let mut content = Vec::new();
                blocks(&mut content, parts, &mut documents)?;
                // A result can't hold a mark for the cache, but one can stand behind it.
                let is_mark = |block: &Block<'_>| matches!(block, Block::CachePoint(_));
                let mark = content.iter().rposition(is_mark).map(|at| content.remove(at));
                content.retain(|block| !is_mark(block));
                let turn = conversation.turn("user");
                turn.push(Block::ToolResult { tool_use_id: use_id(id), content });
                turn.extend(mark);
            }
        }
    }
    conversation.turns.retain(|turn| !turn.content.is_empty());
    let speechless = |turn: &Turn<'_>| {
        let has = |kind: fn(&Block<'_>) -> bool| turn.content.iter().any(kind);
        has(|block| matches!(block, Block::Document(_))) && !has(|block| matches!(block, Block::Text(_)))
    };
    if conversation.turns.iter().any(speechless) {
        return Err(unsayable("messages", "Converse takes a document beside a text only"));
    }
    match conversation.turns.first() {
        Some(turn) if turn.role == "user" => Ok(conversation),
        _ => Err(unsayable("messages", "a conversation with Converse begins with the user")),
    }
}

impl<'a> Conversation<'a> {
    /// The blocks of the turn that goes on, or of a new one.
    fn turn(&mut self, role: &'static str) -> &mut Vec<Block<'a>> {
        let other = self.turns.last().is_none_or(|turn| turn.role != role);
        if other {
            self.turns.push(Turn { role, content: Vec::new() });
        }
        let last = self.turns.len() - 1;
        &mut self.turns[last].content
    }
}

fn assistant<'a>(
    out: &mut Vec<Block<'a>>,
    said: &'a Assistant<'_>,
    documents: &mut BTreeSet<String>,
) -> Result<(), BadRequest> {
    if let Some(thinking) = said.thinking {
        thoughts(out, thinking)?;
    }
    blocks(out, &said.parts, documents)?;
    said.calls.iter().try_for_each(|call| {
        out.push(tool_use(call)?);
        Ok(())
    })
}

/// What Claude thought, as its provider signed it. Unsigned thought would be refused, and is left out.
fn thoughts<'a>(out: &mut Vec<Block<'a>>, thinking: &'a RawValue) -> Result<(), BadRequest> {
    #[derive(Deserialize)]
    struct Thought<'a> {
        #[serde(borrow, default)]
        thinking: Cow<'a, str>,
        #[serde(borrow, default)]
        signature: Cow<'a, str>,
        #[serde(borrow, default)]
        data: Cow<'a, str>,
    }
    let thoughts: Vec<Thought<'_>> = serde_json::from_str(thinking.get())
        .map_err(|_| unsayable("messages", "`thinking_blocks` is not what an answer held"))?;
    for thought in thoughts {
        if !thought.signature.is_empty() {
            let Thought { thinking: text, signature, .. } = thought;
            out.push(Block::ReasoningContent(Reasoning::ReasoningText { text, signature }));
        } else if !thought.data.is_empty() {
            out.push(Block::ReasoningContent(Reasoning::RedactedContent(thought.data)));
        }
    }
    Ok(())
}

fn tool_use<'a>(call: &'a ToolCall<'_>) -> Result<Block<'a>, BadRequest> {
    let arguments = match call.arguments.trim_ascii() {
        "" => "{}",
        arguments => arguments,
    };
    let input = serde_json::from_str::<&RawValue>(arguments).ok().filter(|_| arguments.starts_with('{'));
    let Some(input) = input else {
        return Err(unsayable("messages", "Converse takes a tool call's arguments as a JSON object only"));
    };
    Ok(Block::ToolUse { tool_use_id: use_id(&call.id), name: &call.name, input })
}

/// An id that Converse takes: another provider's may have other characters, or be too long.
fn use_id(id: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
    if (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(plain) {
        return Cow::Borrowed(id);
    }
    // The same for the call and its result; within one conversation 32 bits tell a handful of ids apart.
    Cow::Owned(format!("id_{:08x}", crc32fast::hash(id.as_bytes())))
}

fn blocks<'a>(
    out: &mut Vec<Block<'a>>,
    parts: &'a [Part<'_>],
    documents: &mut BTreeSet<String>,
) -> Result<(), BadRequest> {
    for part in parts {
        let mark = match part {
            Part::Text { text, cache_control } => {
                // Converse refuses blank text, which says nothing anyway.
                if !text.trim_ascii().is_empty() {
                    out.push(Block::Text(text));
                }
                *cache_control
            }
            Part::Image(picture) => {
                out.push(Block::Image(image(picture)?));
                picture.cache_control
            }
            Part::Audio(audio) => {
                out.push(Block::Audio(sound(audio)));
                None
            }
            Part::File(file) => {
                out.push(Block::Document(document(file, documents)?));
                file.cache_control
            }
        };
        if let Some(mark) = mark
            && !out.is_empty()
        {
            out.push(Block::CachePoint(CachePoint::of(mark)?));
        }
    }
    Ok(())
}

fn image<'a>(image: &'a Image<'_>) -> Result<Media<'a>, BadRequest> {
    let (format, source) = match &image.source {
        Source::Data { media_type, data } => {
            (media_type.strip_prefix("image/").unwrap_or(media_type), Bytes::Bytes(data))
        }
        Source::Url(url) if url.starts_with("s3://") => {
            (url.rsplit('.').next().unwrap_or_default(), Bytes::S3Location { uri: url })
        }
        Source::Url(_) => {
            return Err(unsayable("messages", "Converse takes pictures by their bytes or from `s3://` only"));
        }
        Source::Id(_) => return Err(elsewhere()),
    };
    let format = match format {
        "jpg" | "jpeg" => "jpeg",
        "png" => "png",
        "gif" => "gif",
        "webp" => "webp",
        _ => return Err(unsayable("messages", "Converse takes pictures as png, jpeg, gif and webp")),
    };
    Ok(Media { format, source })
}

fn sound<'a>(audio: &'a Audio<'_>) -> Media<'a> {
    Media { format: &audio.format, source: Bytes::Bytes(&audio.data) }
}

fn document<'a>(file: &'a File<'_>, documents: &mut BTreeSet<String>) -> Result<Document<'a>, BadRequest> {
    let Source::Data { media_type, data } = &file.source else { return Err(elsewhere()) };
    let given = file.name.as_deref().unwrap_or_default();
    let (stem, extension) = given.rsplit_once('.').unwrap_or((given, ""));
    let format = format_of(media_type)
        .or_else(|| {
            FORMATS.iter().find(|(_, format)| format.eq_ignore_ascii_case(extension)).map(|(_, f)| *f)
        })
        .ok_or_else(|| unsayable("messages", "Converse doesn't take files of this type"))?;
    let mut name = document_name(stem);
    if documents.contains(&name) {
        name = format!("{name} {}", documents.len() + 1);
    }
    documents.insert(name.clone());
    Ok(Document { format, name, source: Bytes::Bytes(data) })
}

/// Converse's formats by media type.
const FORMATS: [(&str, &str); 9] = [
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
];

fn format_of(media_type: &str) -> Option<&'static str> {
    FORMATS.iter().find(|(known, _)| known.eq_ignore_ascii_case(media_type)).map(|(_, format)| *format)
}

/// Converse takes letters, digits, single spaces, hyphens, parentheses and square brackets.
fn document_name(stem: &str) -> String {
    let mut name = String::new();
    for char in stem.chars().take(MAX_NAME_BYTES - 8) {
        let char = match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '(' | ')' | '[' | ']' => char,
            ' ' if !name.ends_with(' ') => ' ',
            ' ' => continue,
            _ => '-',
        };
        name.push(char);
    }
    match name.trim_ascii() {
        "" => "document".to_owned(),
        name => name.to_owned(),
    }
}

fn elsewhere() -> BadRequest {
    unsayable("messages", "the provider can't see files that another one keeps")
}
