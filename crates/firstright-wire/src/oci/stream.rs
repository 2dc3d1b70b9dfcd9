//! How is a stream said in OpenAI's words, event by event?

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::response::{Call, Message, call_id, finish, has_failed, malformed, reading, tier_name};
use crate::openai::chat::Chunks;
use crate::openai::request::MAX_CHOICES;
use crate::openai::response::Malformed;
use crate::sse::{Retell, Retold};
use crate::usage::Reading;

/// The most calls that one choice may make; OpenAI's bound for tools.
const MAX_CALLS: usize = 128;

/// Turns a stream of this dialect, of either format, into one of OpenAI's. Only the end of the bytes tells that it is
/// complete, so its end comes with [`Retold::finish`].
pub type Stream = Retold<Teller>;

/// What has been told of an answer.
#[derive(Debug, Clone)]
pub struct Teller {
    chunks: Chunks,
    choices: BTreeMap<u32, Choice>,
    usage: Reading,
    ended: bool,
}

/// What has passed of a choice.
#[derive(Debug, Clone, Default)]
struct Choice {
    spoken: bool,
    thought: bool,
    /// The ids of its calls; empty where the provider gave none.
    calls: Vec<String>,
    finished: bool,
}

/// An event: in `GENERIC` a piece of a choice, in `COHERE` of the answer. The last one of `COHERE` has it whole once more.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(default)]
    index: u32,
    #[serde(borrow)]
    api_format: Option<Cow<'a, str>>,
    /// Of `COHEREV2`.
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Call<'a>>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    usage: Value,
    #[serde(borrow)]
    service_tier: Option<Cow<'a, str>>,
    /// Of an error, or of `COHERE` where it gave up.
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    error_message: Option<Cow<'a, str>>,
}

impl Stream {
    /// `model` is the answer's model: the stream names none.
    #[must_use]
    pub fn new(model: &str) -> Self {
        Self::by(Teller {
            chunks: Chunks::new(model),
            choices: BTreeMap::new(),
            usage: Reading::Absent,
            ended: false,
        })
    }
}

impl Retell for Teller {
    fn data(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.ended {
            return Ok(());
        }
        if data.trim_ascii() == b"[DONE]" {
            self.stop(out);
            return Ok(());
        }
        let event: Event<'_> =
            serde_json::from_slice(data).map_err(|error| malformed(&error, "an event of a chat"))?;
        if event.code.is_some() || event.finish_reason.as_deref().is_some_and(has_failed) {
            self.fail(&event, out);
            return Ok(());
        }
        match reading(&event.usage) {
            Reading::Absent => {}
            usage => self.usage = usage,
        }
        if let Some(id) = event.id.as_deref().filter(|_| self.chunks.id.is_empty()) {
            id.clone_into(&mut self.chunks.id);
        }
        if let Some(tier) = event.service_tier.as_deref().and_then(tier_name) {
            self.chunks.service_tier = Some(tier);
        }
        let says = event.message.is_some() || event.text.is_some() || event.tool_calls.is_some();
        if says || event.finish_reason.is_some() {
            self.piece(&event, data, out)?;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> bool {
        if !self.ended && !self.choices.is_empty() && self.choices.values().all(|choice| choice.finished) {
            self.stop(out);
        }
        self.ended
    }
}

impl Teller {
    fn piece(&mut self, event: &Event<'_>, said: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        if u64::from(event.index) >= MAX_CHOICES {
            return Err(Malformed { at: 0, expected: "a choice below 128" });
        }
        let index = event.index;
        let choice = self.choices.entry(index).or_default();
        if choice.finished {
            return Ok(());
        }
        self.chunks.begin(out, index);
        // What the last event of `COHERE` repeats is skipped if it has passed.
        let whole = event.finish_reason.is_some();
        if let Some(text) = event.text.as_deref().filter(|text| !text.is_empty())
            && (!whole || !choice.spoken)
        {
            choice.spoken = true;
            self.chunks.text(out, index, text);
        }
        if let Some(calls) = &event.tool_calls
            && (!whole || choice.calls.is_empty())
        {
            choice.calls((calls, said), index, &mut self.chunks, out)?;
        }
        if let Some(message) = event.message {
            let message: Message<'_> = serde_json::from_str(message.get())
                .map_err(|error| malformed(&error, "a message of a choice"))?;
            // As with `COHERE`: what the last event of `COHEREV2` has whole, if it has it, has passed.
            let repeats = whole && event.api_format.as_deref() == Some("COHEREV2");
            if let Some(thought) = message.reasoning().filter(|_| !(repeats && choice.thought)) {
                choice.thought = true;
                self.chunks.reasoning(out, index, &thought);
            }
            for text in [message.text().as_deref(), message.refusal.as_deref()].into_iter().flatten() {
                if !text.is_empty() && (!repeats || !choice.spoken) {
                    self.chunks.text(out, index, text);
                    choice.spoken = true;
                }
            }
            let calls = message.tool_calls.as_deref().unwrap_or_default();
            if !repeats || choice.calls.is_empty() {
                choice.calls((calls, said), index, &mut self.chunks, out)?;
            }
        }
        if let Some(reason) = &event.finish_reason {
            choice.finished = true;
            self.chunks.finish(out, index, finish(Some(reason), !choice.calls.is_empty()));
        }
        Ok(())
    }

    fn fail(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        let code = event.code.map_or("provider_error", |code| code.get().trim_matches('"'));
        let told = event.message.and_then(|message| serde_json::from_str::<Cow<'_, str>>(message.get()).ok());
        let message = told.or(event.error_message.clone());
        Chunks::error(out, code, "server_error", message.as_deref().unwrap_or("the provider gave no reason"));
        self.ended = true;
    }

    fn stop(&mut self, out: &mut Vec<u8>) {
        self.chunks.end(out, self.usage);
        self.ended = true;
    }
}

impl Choice {
    /// Passes the calls of an event, of which `said` is all. A call with an id, or with a name where there is no id, is a new one; any other piece goes on with the last.
    fn calls(
        &mut self,
        (calls, said): (&[Call<'_>], &[u8]),
        choice: u32,
        chunks: &mut Chunks,
        out: &mut Vec<u8>,
    ) -> Result<(), Malformed> {
        for call in calls {
            let id = call.id.as_deref().unwrap_or_default();
            let name = call.name();
            let known = match id {
                "" if name.is_empty() => self.calls.len().checked_sub(1),
                "" => None,
                id => self.calls.iter().position(|known| known == id),
            };
            match known {
                Some(_) if call.arguments().is_empty() => {}
                Some(index) => chunks.arguments(out, choice, index as u64, call.arguments()),
                None if self.calls.len() >= MAX_CALLS => {
                    return Err(Malformed { at: 0, expected: "at most 128 calls" });
                }
                None => {
                    let index = self.calls.len() as u64;
                    let given =
                        if id.is_empty() { Cow::Owned(call_id(said, index)) } else { Cow::Borrowed(id) };
                    chunks.call(out, choice, index, (&given, name), call.arguments());
                    self.calls.push(id.to_owned());
                }
            }
        }
        Ok(())
    }
}
