//! What does a message on a socket say of the calls on it?

use firstright_wire::openai::response::{self, Reply};
use firstright_wire::operation::Operation;
use firstright_wire::usage::Reading;
use serde::Deserialize;

/// So many characters of sound count as one of text: 533 make a token, where four of text do.
const SOUND_PER_TEXT: u64 = 133;

/// Something that matters to us; every other message merely passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// An answer is done, with what it used.
    Done {
        usage: Reading,
        tier: Option<firstright_wire::openai::ServiceTier>,
    },
    /// The provider reports an error; an answer that was under way is over.
    Failed,
    /// A piece of content came: so many bytes of text.
    Content(u64),
    /// The client asks for an answer.
    Create,
    Other,
}

#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    response: Option<&'a serde_json::value::RawValue>,
    #[serde(borrow, default)]
    delta: Option<&'a serde_json::value::RawValue>,
}

/// Reads a message of the provider's.
pub(super) fn from_provider(operation: Operation, text: &str) -> Event {
    let Ok(typed) = serde_json::from_str::<Typed<'_>>(text) else { return Event::Other };
    match typed.kind.as_deref() {
        Some(
            "response.done"
            | "response.completed"
            | "response.incomplete"
            | "response.failed"
            | "response.cancelled",
        ) => {
            let reply = typed.response.map(|raw| response::read(operation, raw.get().as_bytes()));
            let reply = reply.and_then(Result::ok).unwrap_or_default();
            let Reply { usage, service_tier, .. } = reply;
            Event::Done { usage, tier: service_tier }
        }
        Some("error") => Event::Failed,
        // Base64 of sound: at the lowest rate of a session, 8 kB a second, twenty tokens of the second.
        Some(kind) if kind.ends_with("audio.delta") => {
            Event::Content(typed.delta.map_or(0, |delta| (delta.get().len() as u64).div_ceil(SOUND_PER_TEXT)))
        }
        Some(kind) if kind.ends_with(".delta") => {
            Event::Content(typed.delta.map_or(0, |delta| delta.get().len() as u64))
        }
        _ => Event::Other,
    }
}

/// Reads a message of the client's: only a wish for an answer matters.
pub(super) fn from_client(text: &str) -> Event {
    match serde_json::from_str::<Typed<'_>>(text) {
        Ok(typed) if typed.kind.as_deref() == Some("response.create") => Event::Create,
        _ => Event::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of sound at the lowest rate is about twenty tokens, and text is one for four characters.
    #[test]
    fn sound_counts_as_sound() {
        for (kind, characters, bytes) in
            [("response.output_audio.delta", 10_664, 81), ("response.output_text.delta", 10_664, 10_666)]
        {
            let delta = "A".repeat(characters);
            let text = format!(r#"{{"type":"{kind}","delta":"{delta}"}}"#);
            assert_eq!(from_provider(Operation::Realtime, &text), Event::Content(bytes), "{kind}");
        }
    }
}
