//! What was used, where a client of this dialect is served in it, so that the bytes pass as they came?
//!
//! A whole answer is read by [`read`]; a stream is metered by [`StreamMeter`] of [`Operation::Messages`], which places
//! its events as it places OpenAI's: the closing totals and what follows them are held until the settlement is durable.
//!
//! [`StreamMeter`]: crate::openai::stream::StreamMeter
//! [`Operation::Messages`]: crate::operation::Operation::Messages

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::response::malformed;
use super::usage::Tokens;
use crate::openai::response::{Malformed, Reply};
use crate::openai::stream::{Kind, MAX_NAME_BYTES, Metered};
use crate::sse::fields;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(default)]
    usage: Value,
}

/// Reads a whole answer for its usage.
///
/// # Errors
/// [`Malformed`] if it isn't one JSON object, or has an id or model that isn't a text.
pub fn read(body: &[u8]) -> Result<Reply<'_>, Malformed> {
    let message: Message<'_> =
        serde_json::from_slice(body).map_err(|error| malformed(&error, "a message"))?;
    let mut tokens = Tokens::default();
    tokens.learn(message.usage);
    Ok(Reply {
        id: message.id,
        model: message.model,
        service_tier: tokens.tier(),
        usage: tokens.reading(),
        error: message.kind.as_deref() == Some("error"),
    })
}

/// What the events of one stream have told of usage.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals(Tokens);

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    content_block: Option<Content<'a>>,
    #[serde(borrow)]
    delta: Option<Content<'a>>,
    #[serde(default)]
    usage: Value,
}

/// What a block begins with, or a delta brings.
#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    partial_json: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
}

impl Content<'_> {
    /// Bytes of what is said, as escaped in JSON, without the quotes.
    fn bytes(&self) -> u64 {
        let said = [self.text, self.thinking, self.partial_json, self.data, self.name];
        said.into_iter().flatten().map(|raw| raw.get().len().saturating_sub(2) as u64).sum()
    }
}

impl Totals {
    /// Reads a whole event.
    pub(crate) fn read(&mut self, meter: &mut Metered, event: &[u8]) -> Kind {
        let Some(data) = fields(event).data else { return Kind::Neutral };
        meter.events += 1;
        let Ok(event) = serde_json::from_slice::<Event<'_>>(&data) else {
            meter.unreadable += 1;
            // It may have been content, so nobody may take over after it.
            meter.content_seen = true;
            return Kind::Neutral;
        };
        match event.kind.as_ref() {
            "message_start" => {
                if let Some(message) = event.message {
                    self.0.learn(message.usage);
                    let name = |name: Cow<'_, str>| (name.len() <= MAX_NAME_BYTES).then(|| name.into_owned());
                    meter.id = message.id.and_then(name);
                    meter.model = message.model.and_then(name);
                }
                Kind::Neutral
            }
            "content_block_start" | "content_block_delta" => {
                let bytes = event.content_block.or(event.delta).map_or(0, |content| content.bytes());
                if bytes == 0 {
                    return Kind::Neutral;
                }
                meter.content_deltas += 1;
                meter.content_bytes += bytes;
                meter.content_seen = true;
                Kind::Content
            }
            // Until the closing totals, output is told as a token or two: a cut stream is settled by what was counted.
            "message_delta" if event.usage.is_object() => {
                self.0.learn(event.usage);
                meter.usage = self.0.reading();
                meter.service_tier = self.0.tier();
                Kind::UsageOnly
            }
            "message_stop" => {
                meter.ended = true;
                Kind::Terminal
            }
            "error" => {
                meter.error = true;
                meter.ended = true;
                Kind::Terminal
            }
            _ => Kind::Neutral,
        }
    }

    /// An over-large event: of this dialect only content can be one.
    pub(crate) fn read_large(meter: &mut Metered) -> Kind {
        meter.events += 1;
        meter.content_seen = true;
        meter.content_deltas += 1;
        Kind::Content
    }
}

#[cfg(test)]
mod tests;
