//! How is a stream of answers said as OpenAI's chat events?

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::refusal::{Status, words};
use super::reply::{Answer, Candidate, TrafficType, finish};
use crate::anthropic::malformed;
use crate::openai::chat::{Chunks, Finish};
use crate::openai::request::MAX_CHOICES;
use crate::openai::response::Malformed;
use crate::sse::{Retell, Retold};
use crate::usage::Reading;

/// Translates one answer of `:streamGenerateContent?alt=sse`. Usage and `[DONE]` come with [`Retold::finish`], since only the
/// end of the bytes ends such a stream.
pub type Stream = Retold<Teller>;

/// What has been told of an answer.
#[derive(Debug, Clone)]
pub struct Teller {
    chunks: Chunks,
    /// The choices seen so far, in rising order of their index.
    choices: Vec<Progress>,
    /// The last usage told: each event has the whole so far.
    usage: Reading,
    traffic_type: Option<TrafficType>,
    /// The prompt was blocked, so that no candidate comes.
    blocked: bool,
    /// The end or an error was told; nothing follows.
    ended: bool,
}

/// What has been said in one choice.
#[derive(Debug, Clone, Default)]
struct Progress {
    index: u32,
    calls: u64,
    finish: Option<Finish>,
}

impl Stream {
    /// `model` is what the events call the model until the stream tells its version.
    #[must_use]
    pub fn new(model: &str) -> Self {
        Self::by(Teller {
            chunks: Chunks::new(model),
            choices: Vec::new(),
            usage: Reading::Absent,
            traffic_type: None,
            blocked: false,
            ended: false,
        })
    }

    /// Which capacity served; known once usage has come.
    #[must_use]
    pub fn traffic_type(&self) -> Option<TrafficType> {
        self.teller.traffic_type
    }
}

impl Retell for Teller {
    fn data(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.ended || data.trim_ascii() == b"[DONE]" {
            return Ok(());
        }
        let answer: Answer<'_> =
            serde_json::from_slice(data).map_err(|error| malformed(&error, "an event of Gemini's"))?;
        if let Some(error) = answer.error {
            self.fail(error, out);
            return Ok(());
        }
        if let Some(id) = &answer.response_id
            && self.chunks.id.is_empty()
        {
            self.chunks.id = id.as_ref().to_owned();
        }
        if let Some(model) = &answer.model_version {
            model.as_ref().clone_into(&mut self.chunks.model);
        }
        if let Some(usage) = &answer.usage_metadata {
            let reading = usage.reading();
            self.usage = if reading == Reading::Absent { self.usage } else { reading };
            self.traffic_type = usage.traffic_type().or(self.traffic_type);
            self.chunks.service_tier = self.traffic_type.and_then(TrafficType::service_tier);
        }
        self.blocked |=
            answer.prompt_feedback.as_ref().is_some_and(|feedback| feedback.block_reason.is_some());
        answer.candidates.iter().try_for_each(|candidate| self.candidate(candidate, out))
    }

    fn end(&mut self, out: &mut Vec<u8>) -> bool {
        if self.ended {
            return true;
        }
        let whole = self.blocked
            || !self.choices.is_empty() && self.choices.iter().all(|choice| choice.finish.is_some());
        if !whole {
            return false;
        }
        if self.choices.is_empty() {
            self.chunks.finish(out, 0, Finish::ContentFilter);
        }
        for choice in &self.choices {
            // Told at the end, since a call can come after the reason to stop.
            let finish = match choice.finish {
                Some(Finish::Stop) if choice.calls > 0 => Finish::ToolCalls,
                other => other.unwrap_or(Finish::Stop),
            };
            self.chunks.finish(out, choice.index, finish);
        }
        self.chunks.end(out, self.usage);
        self.ended = true;
        true
    }
}

impl Teller {
    fn candidate(&mut self, candidate: &Candidate<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let index = candidate.index;
        if u64::from(index) >= MAX_CHOICES {
            return Err(Malformed { at: 0, expected: "at most 128 candidates" });
        }
        let at = match self.choices.binary_search_by_key(&index, |choice| choice.index) {
            Ok(at) => at,
            Err(at) => {
                self.choices.insert(at, Progress { index, ..Progress::default() });
                self.chunks.begin(out, index);
                at
            }
        };
        for part in candidate.content.iter().flat_map(|content| &content.parts) {
            match &part.text {
                Some(text) if text.is_empty() => {}
                Some(text) if part.thought => self.chunks.reasoning(out, index, text),
                Some(text) => self.chunks.text(out, index, text),
                None => {}
            }
            if let Some(call) = &part.function_call {
                let number = self.choices[at].calls;
                self.choices[at].calls += 1;
                let call =
                    call.tool_call(part.thought_signature.as_deref(), (&self.chunks.id, index, number));
                self.chunks.whole_call(out, index, number, &call);
            }
        }
        if let Some(reason) = &candidate.finish_reason {
            self.choices[at].finish = Some(finish(reason, false));
        }
        Ok(())
    }

    fn fail(&mut self, error: &RawValue, out: &mut Vec<u8>) {
        self.ended = true;
        let told = Status::read(error.get().as_bytes()).unwrap_or_default();
        let (code, kind) = words(told.refusal(u16::try_from(told.code).unwrap_or(500)));
        let message: Cow<'_, str> =
            if told.message.is_empty() { "the provider gave no reason".into() } else { told.message };
        Chunks::error(out, code, kind, &message);
    }
}

#[cfg(test)]
mod tests;
