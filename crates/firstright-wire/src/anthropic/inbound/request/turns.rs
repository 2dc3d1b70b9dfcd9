//! How is a turn said as OpenAI's messages?

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::openai::chat::{decode, text, unsayable, wrong};
use crate::openai::request::BadRequest;

#[derive(Serialize)]
pub(super) struct OutMessage<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'a, str>>,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<OutCall<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Null,
    Text(Cow<'a, str>),
    Parts(Vec<OutPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OutPart<'a> {
    Text { text: Cow<'a, str> },
    ImageUrl { image_url: Url<'a> },
    File { file: OutFile<'a> },
}

#[derive(Serialize)]
struct Url<'a> {
    url: Cow<'a, str>,
}

#[derive(Serialize)]
struct OutFile<'a> {
    filename: Cow<'a, str>,
    file_data: String,
}

#[derive(Serialize)]
struct OutCall<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    function: OutFunction<'a>,
}

#[derive(Serialize)]
struct OutFunction<'a> {
    name: Cow<'a, str>,
    arguments: &'a str,
}

#[derive(Deserialize)]
pub(super) struct Turn<'a> {
    #[serde(borrow)]
    pub role: Cow<'a, str>,
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<Source<'a>>,
    #[serde(borrow)]
    title: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_use_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Source<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    media_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
}

/// The `system` member as messages: none or one.
pub(super) fn system(raw: &RawValue) -> Result<Vec<OutMessage<'_>>, BadRequest> {
    let parts = only_text(blocks(raw, "system")?, "system")?;
    Ok(if parts.is_empty() { Vec::new() } else { vec![plain("system", parts)] })
}

/// Says one turn.
pub(super) fn message<'a>(turn: Turn<'a>, out: &mut Vec<OutMessage<'a>>) -> Result<(), BadRequest> {
    let blocks = blocks(turn.content, "messages")?;
    match turn.role.as_ref() {
        "user" => user(blocks, out),
        "assistant" => assistant(blocks, out),
        "system" => {
            let parts = only_text(blocks, "messages")?;
            out.push(plain("system", parts));
            Ok(())
        }
        _ => Err(wrong("messages", "each have a role of `user` or `assistant`")),
    }
}

/// Results of tools come first, each a message of its own: they must follow the calls.
fn user<'a>(blocks: Vec<Block<'a>>, out: &mut Vec<OutMessage<'a>>) -> Result<(), BadRequest> {
    let (mut parts, mut systems) = (Vec::new(), Vec::new());
    for block in blocks {
        match block.kind.as_ref() {
            "tool_result" => {
                let id = block.tool_use_id.ok_or_else(lacking)?;
                let (said, shown) = result(block.content)?;
                let mut message = plain("tool", said);
                message.tool_call_id = Some(id);
                out.push(message);
                parts.extend(shown);
            }
            "mid_conv_system" => {
                let content = block.content.ok_or_else(lacking)?;
                systems.push(plain("system", only_text(self::blocks(content, "messages")?, "messages")?));
            }
            _ => part(block, &mut parts)?,
        }
    }
    out.append(&mut systems);
    if !parts.is_empty() {
        out.push(plain("user", parts));
    }
    Ok(())
}

/// What a tool's result says, and what it shows.
type SaidAndShown<'a> = (Vec<OutPart<'a>>, Vec<OutPart<'a>>);

fn result(content: Option<&RawValue>) -> Result<SaidAndShown<'_>, BadRequest> {
    let mut parts = Vec::new();
    if let Some(content) = content {
        blocks(content, "messages")?.into_iter().try_for_each(|block| part(block, &mut parts))?;
    }
    Ok(parts.into_iter().partition(|part| matches!(part, OutPart::Text { .. })))
}

fn assistant<'a>(blocks: Vec<Block<'a>>, out: &mut Vec<OutMessage<'a>>) -> Result<(), BadRequest> {
    let (mut said, mut calls) = (None::<Cow<'a, str>>, Vec::new());
    for block in blocks {
        match block.kind.as_ref() {
            "text" => {
                let text = block.text.ok_or_else(lacking)?;
                match &mut said {
                    None => said = Some(text),
                    Some(said) => said.to_mut().push_str(&text),
                }
            }
            "tool_use" => {
                let (Some(id), Some(name)) = (block.id, block.name) else { return Err(lacking()) };
                let arguments = block.input.map_or("{}", RawValue::get);
                calls.push(OutCall { id, kind: "function", function: OutFunction { name, arguments } });
            }
            "thinking" | "redacted_thinking" => {}
            _ => return Err(unsayable("messages", "a block of the provider's own tools can't be said")),
        }
    }
    if said.is_some() || !calls.is_empty() {
        let content = said.map_or(Content::Null, Content::Text);
        out.push(OutMessage { role: "assistant", tool_call_id: None, content, tool_calls: calls });
    }
    Ok(())
}

/// Content that is a text, or an array of blocks.
fn blocks<'a>(raw: &'a RawValue, param: &'static str) -> Result<Vec<Block<'a>>, BadRequest> {
    if !raw.get().starts_with('"') {
        return decode(raw, param);
    }
    let text = Some(text(raw, param)?);
    Ok(vec![Block {
        kind: Cow::Borrowed("text"),
        text,
        source: None,
        title: None,
        id: None,
        name: None,
        input: None,
        tool_use_id: None,
        content: None,
    }])
}

/// Says a block that is a part of a message; empty texts are left out.
fn part<'a>(block: Block<'a>, out: &mut Vec<OutPart<'a>>) -> Result<(), BadRequest> {
    let source = block.source;
    match (block.kind.as_ref(), source.as_ref().map(|source| source.kind.as_ref())) {
        ("text", _) => {
            let text = block.text.ok_or_else(lacking)?;
            if !text.is_empty() {
                out.push(OutPart::Text { text });
            }
        }
        ("image", Some("url")) => {
            let url = source.and_then(|source| source.url).ok_or_else(lacking)?;
            out.push(OutPart::ImageUrl { image_url: Url { url } });
        }
        ("image", Some("base64")) => {
            let url = data_url(source)?;
            out.push(OutPart::ImageUrl { image_url: Url { url: Cow::Owned(url) } });
        }
        ("document", Some("base64")) => {
            let filename = block.title.unwrap_or(Cow::Borrowed("document.pdf"));
            out.push(OutPart::File { file: OutFile { filename, file_data: data_url(source)? } });
        }
        ("document", Some("text")) => {
            let text = source.and_then(|source| source.data).ok_or_else(lacking)?;
            out.push(OutPart::Text { text });
        }
        ("image" | "document", Some(_)) => {
            return Err(unsayable("messages", "a picture or document from this source can't be said"));
        }
        ("image" | "document", None) => return Err(lacking()),
        _ => return Err(unsayable("messages", "a block of this type can't be said")),
    }
    Ok(())
}

fn data_url(source: Option<Source<'_>>) -> Result<String, BadRequest> {
    match source.map(|source| (source.media_type, source.data)) {
        Some((Some(media_type), Some(data))) => Ok(format!("data:{media_type};base64,{data}")),
        _ => Err(lacking()),
    }
}

fn only_text<'a>(blocks: Vec<Block<'a>>, param: &'static str) -> Result<Vec<OutPart<'a>>, BadRequest> {
    if blocks.iter().any(|block| block.kind != "text") {
        return Err(wrong(param, "hold only text for the system"));
    }
    let mut parts = Vec::new();
    blocks.into_iter().try_for_each(|block| part(block, &mut parts))?;
    Ok(parts)
}

/// A message of parts; one text alone is said as a text, which every server takes.
fn plain<'a>(role: &'static str, mut parts: Vec<OutPart<'a>>) -> OutMessage<'a> {
    let content = match (parts.pop(), parts.is_empty()) {
        (None, _) => Content::Text(Cow::Borrowed("")),
        (Some(OutPart::Text { text }), true) => Content::Text(text),
        (Some(last), _) => {
            parts.push(last);
            Content::Parts(parts)
        }
    };
    OutMessage { role, tool_call_id: None, content, tool_calls: Vec::new() }
}

fn lacking() -> BadRequest {
    wrong("messages", "have what each block's `type` names")
}
