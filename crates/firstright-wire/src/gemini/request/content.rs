//! Who said what, in Gemini's contents and parts?

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::reply::MADE_ID;
use super::thinking::signs_thoughts;
use crate::openai::chat::{Assistant, Audio, Message, Part as Said, Source, ToolCall, unsayable};
use crate::openai::request::BadRequest;

/// Google's own word for a call that comes from elsewhere and so has no signature (Gemini API, "Thought signatures").
const FROM_ELSEWHERE: &str = "skip_thought_signature_validator";

#[derive(Serialize)]
pub(super) struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    parts: Vec<Part<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(flatten)]
    kind: Kind<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<Cow<'a, str>>,
}

/// Gemini's union: the one member's name tells what it is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Kind<'a> {
    Text(&'a str),
    #[serde(rename_all = "camelCase")]
    InlineData {
        mime_type: Cow<'a, str>,
        data: &'a str,
    },
    #[serde(rename_all = "camelCase")]
    FileData {
        mime_type: &'static str,
        file_uri: &'a str,
    },
    FunctionCall {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        name: &'a str,
        args: &'a RawValue,
    },
    FunctionResponse {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        name: &'a str,
        response: Output<'a>,
    },
}

#[derive(Serialize)]
struct Output<'a> {
    output: Value<'a>,
}

/// What a function gave back: JSON as it is, anything else as a text.
enum Value<'a> {
    Json(Box<RawValue>),
    Text(Cow<'a, str>),
}

impl Serialize for Value<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(json) => json.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
        }
    }
}

/// What is said, apart from the system's part.
pub(super) struct Conversation<'a> {
    pub system: Option<Content<'a>>,
    pub contents: Vec<Content<'a>>,
}

/// What is known of a call when its result comes: which it is within its turn, its name, and its id if Google gave that.
#[derive(Clone, Copy)]
struct Called<'a> {
    number: usize,
    name: &'a str,
    id: Option<&'a str>,
}

/// Results of calls of one turn, which stand together in the order of the calls: Vertex AI tells them apart by that.
type Results<'a> = BTreeMap<usize, Part<'a>>;

pub(super) fn conversation<'a>(
    messages: &'a [Message<'_>],
    name: &str,
) -> Result<Conversation<'a>, BadRequest> {
    let mut system = Vec::new();
    let mut contents: Vec<Content<'a>> = Vec::new();
    let mut calls: BTreeMap<&str, Called<'a>> = BTreeMap::new();
    let mut results = Results::new();
    for message in messages {
        if !matches!(message, Message::Tool { .. } | Message::System(_)) {
            flush(&mut contents, &mut results);
        }
        match message {
            Message::System(said) => parts(&mut system, said)?,
            Message::User(said) => {
                let mut content = Vec::new();
                parts(&mut content, said)?;
                push(&mut contents, "user", content);
            }
            Message::Assistant(said) => {
                let mut content = Vec::new();
                assistant(&mut content, said, &mut calls, signs_thoughts(name))?;
                push(&mut contents, "model", content);
            }
            Message::Tool { id, parts } => {
                let called = calls.get(id.as_ref()).copied();
                let called = called
                    .ok_or_else(|| unsayable("messages", "a tool's result follows no call of its id"))?;
                results.insert(called.number, result(called, parts)?);
            }
        }
    }
    flush(&mut contents, &mut results);
    if contents.is_empty() {
        return Err(unsayable("messages", "Gemini wants more than a system's message"));
    }
    let system = (!system.is_empty()).then_some(Content { role: None, parts: system });
    Ok(Conversation { system, contents })
}

fn flush<'a>(contents: &mut Vec<Content<'a>>, results: &mut Results<'a>) {
    let parts: Vec<Part<'a>> = std::mem::take(results).into_values().collect();
    if !parts.is_empty() {
        // Never joined to other parts: Gemini 3 refuses a function's response that has siblings of another kind.
        contents.push(Content { role: Some("user"), parts });
    }
}

/// Neighbours of one role become one content, as Gemini wants the roles in turn.
fn push<'a>(contents: &mut Vec<Content<'a>>, role: &'static str, parts: Vec<Part<'a>>) {
    let is_result = |part: &Part<'_>| matches!(part.kind, Kind::FunctionResponse { .. });
    match contents.last_mut() {
        _ if parts.is_empty() => {}
        Some(last) if last.role == Some(role) && !last.parts.iter().any(is_result) => {
            last.parts.extend(parts)
        }
        _ => contents.push(Content { role: Some(role), parts }),
    }
}

fn assistant<'a>(
    out: &mut Vec<Part<'a>>,
    said: &'a Assistant<'_>,
    calls: &mut BTreeMap<&'a str, Called<'a>>,
    signed: bool,
) -> Result<(), BadRequest> {
    parts(out, &said.parts)?;
    // Google takes its own ids back; others it has never seen. Of calls at once only the first is signed.
    let is_googles = said.calls.iter().any(|call| signature(call).is_some());
    for (number, call) in said.calls.iter().enumerate() {
        let signature = signature(call);
        let id = Some(call.id.as_ref()).filter(|id| is_googles && !id.starts_with(MADE_ID));
        calls.insert(&call.id, Called { number, name: &call.name, id });
        let kind = Kind::FunctionCall { id, name: &call.name, args: arguments(call)? };
        let needed = (signed && number == 0 && !is_googles).then_some(Cow::Borrowed(FROM_ELSEWHERE));
        out.push(Part { kind, thought_signature: signature.or(needed) });
    }
    Ok(())
}

/// Google's signature, as an answer of ours gave it out beside the call.
fn signature<'a>(call: &'a ToolCall<'_>) -> Option<Cow<'a, str>> {
    #[derive(Deserialize)]
    struct Extra<'a> {
        #[serde(borrow)]
        google: Option<Google<'a>>,
    }
    #[derive(Deserialize)]
    struct Google<'a> {
        #[serde(borrow)]
        thought_signature: Option<Cow<'a, str>>,
    }
    serde_json::from_str::<Extra<'_>>(call.extra.as_deref()?).ok()?.google?.thought_signature
}

fn arguments<'a>(call: &'a ToolCall<'_>) -> Result<&'a RawValue, BadRequest> {
    let arguments = match call.arguments.trim_ascii() {
        "" => "{}",
        arguments => arguments,
    };
    serde_json::from_str::<&RawValue>(arguments)
        .ok()
        .filter(|_| arguments.starts_with('{'))
        .ok_or_else(|| unsayable("messages", "Gemini takes a tool call's arguments as a JSON object only"))
}

fn result<'a>(called: Called<'a>, said: &'a [Said<'_>]) -> Result<Part<'a>, BadRequest> {
    let mut text = Cow::Borrowed("");
    for part in said {
        let Said::Text { text: said, .. } = part else {
            return Err(unsayable("messages", "Gemini takes a tool's result as text only"));
        };
        match text.is_empty() {
            true => text = Cow::Borrowed(said.as_ref()),
            false => text.to_mut().push_str(said),
        }
    }
    let json = text.trim_ascii_start().starts_with(['{', '[']);
    let output = match json.then(|| RawValue::from_string(text.as_ref().to_owned())) {
        Some(Ok(json)) => Value::Json(json),
        _ => Value::Text(text),
    };
    let kind = Kind::FunctionResponse { id: called.id, name: called.name, response: Output { output } };
    Ok(Part { kind, thought_signature: None })
}

fn parts<'a>(out: &mut Vec<Part<'a>>, said: &'a [Said<'_>]) -> Result<(), BadRequest> {
    for part in said {
        let kind = match part {
            Said::Text { text, .. } if text.is_empty() => continue,
            Said::Text { text, .. } => Kind::Text(text),
            Said::Image(image) => data(&image.source)?,
            Said::Audio(audio) => sound(audio),
            Said::File(file) => data(&file.source)?,
        };
        out.push(Part { kind, thought_signature: None });
    }
    Ok(())
}

fn sound<'a>(audio: &'a Audio<'_>) -> Kind<'a> {
    Kind::InlineData { mime_type: Cow::Owned(format!("audio/{}", audio.format)), data: &audio.data }
}

fn data<'a>(source: &'a Source<'_>) -> Result<Kind<'a>, BadRequest> {
    match source {
        Source::Data { media_type, data } => {
            let mime_type = match media_type.as_ref() {
                "image/jpg" => "image/jpeg",
                other => other,
            };
            Ok(Kind::InlineData { mime_type: Cow::Borrowed(mime_type), data })
        }
        Source::Url(url) => {
            let extension = url.split(['?', '#']).next().and_then(|path| path.rsplit_once('.'));
            let extension =
                extension.map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
            let known = TYPES.iter().find(|(known, _)| *known == extension);
            match known {
                Some((_, mime_type)) => Ok(Kind::FileData { mime_type, file_uri: url }),
                None => Err(unsayable("messages", "Gemini takes a URL only if its ending tells the type")),
            }
        }
        Source::Id(_) => Err(unsayable("messages", "the provider can't see files that another one keeps")),
    }
}

/// Media types by the ending of a URL, as Gemini wants the type said.
const TYPES: [(&str, &str); 14] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
];
