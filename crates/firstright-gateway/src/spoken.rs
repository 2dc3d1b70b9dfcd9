//! In which language is a call said to a provider, and its answer heard?
//!
//! Inside, a call is in OpenAI's words. A provider of another language is spoken to through a translator; a client of
//! Anthropic's is answered through another. Where both speak Anthropic's, the bytes pass as they came.

use std::io;

use bytes::Bytes;
use firstright_wire::anthropic::{self, inbound};
use firstright_wire::bedrock;
use firstright_wire::language::{self, Embedding, Language};
use firstright_wire::openai::embeddings::Form;
use firstright_wire::openai::error::error_body;
use firstright_wire::openai::request::{self, BadRequest};
use firstright_wire::openai::response::{self, Malformed, Reply};
use firstright_wire::operation::Operation;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::answer::{GATEWAY_STOPPING, Hook};
use crate::asked::{Asked, DEFAULT_MAX_OUTPUT};
use crate::attempt::Failed;
use crate::call::Placed;
use crate::endpoint::{Dialect, Endpoint};
use crate::handler::Handling;
use crate::relay::{Passing, Verdict};
use crate::upstream::BodyError;

/// A call as one provider takes it.
pub(crate) struct Said {
    pub path: String,
    pub body: Bytes,
    pub heard: Heard,
}

/// How its answer is to be read, and given on.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// What the answer is, once it is in OpenAI's words, or in Anthropic's if it passes as it is.
    pub operation: Operation,
    /// The language that it comes in, if that is to be translated.
    pub language: Option<Language>,
    /// How its vectors are read and given on, if they are in that language.
    pub embedding: Option<(Embedding, Form)>,
    /// What the answer calls the model, if it does not tell.
    pub model: String,
    /// It goes to a client of Anthropic's.
    pub inbound: bool,
    /// We asked for usage in the stream and the caller did not: its event is withheld.
    pub injected: bool,
}

impl Handling<'_> {
    /// Says a call as this provider takes it. `inject`: with the wish for usage, if the caller has not asked for it.
    ///
    /// # Errors
    /// If the provider's language has no words for it, or its name for the model cannot stand in a path.
    pub(crate) fn said(
        &self,
        asked: &Asked<'_>,
        endpoint: &Endpoint,
        placed: &Placed,
        inject: bool,
    ) -> Result<Said, Failed> {
        let operation = asked.route.operation;
        let unsuitable = |bad: BadRequest| Failed::unsuitable(&bad);
        let bad_name = |error: firstright_wire::azure::BadName| Failed::broken(&error.to_string());
        let model = self.setup.world.model(asked.model).to_string();
        let heard = |operation, language, injected| {
            let inbound = asked.route.operation == Operation::Messages && operation != Operation::Messages;
            Heard { operation, language, embedding: None, model: model.clone(), inbound, injected }
        };
        let name = asked.own_name.as_deref().unwrap_or(&endpoint.name);
        match &endpoint.dialect {
            Dialect::Translated { prefix, language: Language::Anthropic }
                if operation == Operation::Messages =>
            {
                let path = format!("{prefix}{}", anthropic::path(name, false).map_err(bad_name)?);
                let body = asked.body_with(Some(name), false);
                Ok(Said { path, body, heard: heard(operation, None, false) })
            }
            Dialect::Translated { prefix, language } if operation == Operation::Embeddings => {
                let embedding = language.embedding(prefix, name).map_err(unsuitable)?;
                let (body, form) =
                    embedding.request(&asked.body_with(None, false), name).map_err(unsuitable)?;
                let path = format!("{prefix}{}", embedding.path(name).map_err(bad_name)?);
                let heard = heard(operation, Some(language.clone()), false);
                let heard = Heard { embedding: Some((embedding, form)), ..heard };
                Ok(Said { path, body: body.into(), heard })
            }
            Dialect::Translated { prefix, language } => {
                let chat = chat(asked).map_err(unsuitable)?;
                let bound = if asked.max_output() > 0 { asked.max_output() } else { DEFAULT_MAX_OUTPUT };
                let body = language.request(&chat, name, bound).map_err(unsuitable)?;
                let path = language.path(name, asked.content.stream()).map_err(bad_name)?;
                let heard = heard(Operation::ChatCompletions, Some(language.clone()), inject);
                Ok(Said { path: format!("{prefix}{path}"), body: body.into(), heard })
            }
            _ if operation == Operation::Messages => {
                let chat = chat(asked).map_err(unsuitable)?;
                let peek = request::peek(Operation::ChatCompletions, &chat).map_err(unsuitable)?;
                let body = request::rewrite(&chat, &peek, Some(name), false).to_vec();
                let operation = Operation::ChatCompletions;
                let path = endpoint.path(operation, operation.suffix(), None).map_err(bad_name)?;
                Ok(Said { path, body: body.into(), heard: heard(operation, None, false) })
            }
            _ => {
                let path = endpoint.path(operation, &asked.suffix, asked.query.as_deref());
                let body = self.body_for(asked, endpoint, placed, inject);
                Ok(Said { path: path.map_err(bad_name)?, body, heard: heard(operation, None, inject) })
            }
        }
    }
}

/// The call as a chat of OpenAI's.
fn chat(asked: &Asked<'_>) -> Result<Bytes, BadRequest> {
    match asked.route.operation {
        Operation::ChatCompletions => Ok(asked.body_with(None, false)),
        Operation::Messages => inbound::request(asked.body).map(Bytes::from),
        _ => Err(language::not_spoken()),
    }
}

impl Said {
    /// Headers that the language needs.
    pub(crate) fn headers(&self, endpoint: &Endpoint) -> Vec<(&'static str, &'static str)> {
        let Dialect::Translated { language, .. } = &endpoint.dialect else {
            return if self.heard.inbound { vec![("content-type", "application/json")] } else { Vec::new() };
        };
        let mut headers = vec![("content-type", "application/json")];
        if *language == Language::Anthropic {
            headers.push((anthropic::VERSION_HEADER, anthropic::VERSION));
        }
        headers
    }
}

impl Heard {
    /// Does it come as it was asked for, in OpenAI's own words?
    pub(crate) fn is_plain(&self) -> bool {
        self.language.is_none() && !self.inbound
    }

    /// A whole answer in the words that it is metered by.
    ///
    /// # Errors
    /// If it is no answer of the provider's language.
    pub(crate) fn whole(&self, headers: &HeaderMap, body: Bytes) -> Result<Bytes, Malformed> {
        match (&self.language, self.embedding) {
            (_, Some((embedding, form))) => {
                embedding.response(&body, &self.model, form, input_tokens(headers)).map(Bytes::from)
            }
            (Some(language), None) => language.response(&body, &self.model).map(Bytes::from),
            (None, None) => Ok(body),
        }
    }

    /// What it says of usage.
    pub(crate) fn reply<'b>(&self, body: &'b [u8]) -> Option<Reply<'b>> {
        match self.operation {
            Operation::Messages => anthropic::meter::read(body).ok(),
            operation => response::read(operation, body).ok(),
        }
    }

    /// A whole answer as the client takes it.
    ///
    /// # Errors
    /// If it is no chat, and so cannot be said in Anthropic's words.
    pub(crate) fn given(&self, body: Bytes) -> Result<Bytes, Malformed> {
        if self.inbound { inbound::response(&body).map(Bytes::from) } else { Ok(body) }
    }

    /// A refusal in the client's words.
    pub(crate) fn refusal(&self, failed: Failed) -> Failed {
        let Some(answer) = failed.answer else { return failed };
        let (status, mut headers, body) = *answer;
        let body = if self.inbound { in_anthropics(status, &body) } else { body };
        if !self.is_plain() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.remove(header::CONTENT_ENCODING);
        }
        Failed { answer: Some(Box::new((status, headers, body))), ..failed }
    }

    /// Puts the translators around a stream's hook.
    pub(crate) fn around(&self, hook: Hook) -> Hook {
        let hook = if self.inbound { anthropics(hook) } else { hook };
        match &self.language {
            Some(language) => translated(language.stream(&self.model), hook),
            None => hook,
        }
    }

    /// The content type that a client is told.
    pub(crate) fn retype(&self, headers: &mut HeaderMap, streams: bool) {
        if !self.is_plain() {
            let kind = if streams { "text/event-stream" } else { "application/json" };
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
    }
}

/// The input of an embedding, where a header tells it.
pub(crate) fn input_tokens(headers: &HeaderMap) -> Option<u64> {
    headers.get(bedrock::INPUT_TOKENS_HEADER).and_then(|value| bedrock::input_tokens(value.as_bytes()))
}

/// An error of OpenAI's shape in Anthropic's.
pub(crate) fn in_anthropics(status: StatusCode, body: &[u8]) -> Bytes {
    let error: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| error["error"][name].as_str().unwrap_or_default().to_string();
    inbound::error(status.as_u16(), &text("code"), &text("message")).into()
}

/// The body of a request that a language cannot say, in OpenAI's shape.
pub(crate) fn unsayable(bad: &BadRequest) -> Bytes {
    error_body(bad.code, "invalid_request_error", &format!("failed to {bad}"), bad.param).into()
}

/// What comes in another language reaches the hook in OpenAI's words.
fn translated(mut stream: language::Stream, mut hook: Hook) -> Hook {
    Box::new(move |passing| match passing {
        Passing::Chunk(bytes) => {
            let mut out = Vec::new();
            let pushed = stream.push(bytes, &mut out);
            *bytes = out.into();
            let verdict = if bytes.is_empty() { Verdict::Release } else { hook(Passing::Chunk(bytes)) };
            if pushed.is_ok() {
                return verdict;
            }
            let mut rest = Bytes::new();
            let broken = hook(Passing::Broken(BodyError::Broken(io::ErrorKind::InvalidData), &mut rest));
            *bytes = join(bytes, &rest);
            both(verdict, broken)
        }
        Passing::End(bytes) => {
            let mut out = Vec::new();
            let whole = stream.finish(&mut out);
            let mut first = Bytes::from(out);
            let verdict = if first.is_empty() { Verdict::Release } else { hook(Passing::Chunk(&mut first)) };
            let ended = match whole {
                true => hook(Passing::End(bytes)),
                false => hook(Passing::Broken(BodyError::Truncated, bytes)),
            };
            *bytes = join(&first, bytes);
            both(verdict, ended)
        }
        other => hook(other),
    })
}

/// What the hook lets pass goes out in Anthropic's words.
fn anthropics(mut hook: Hook) -> Hook {
    let mut stream = inbound::Stream::new();
    let mut done = false;
    Box::new(move |passing| {
        let stopping = matches!(passing, Passing::Closing(_));
        let ends = stopping || matches!(passing, Passing::End(_) | Passing::Broken(..));
        let (bytes, verdict) = match passing {
            Passing::Chunk(bytes) => {
                let verdict = hook(Passing::Chunk(bytes));
                (bytes, verdict)
            }
            Passing::End(bytes) => {
                let verdict = hook(Passing::End(bytes));
                (bytes, verdict)
            }
            Passing::Broken(error, bytes) => {
                let verdict = hook(Passing::Broken(error, bytes));
                (bytes, verdict)
            }
            Passing::Closing(bytes) => {
                let verdict = hook(Passing::Closing(bytes));
                (bytes, verdict)
            }
            Passing::Abandoned => return hook(Passing::Abandoned),
        };
        let mut out = Vec::new();
        let pushed = stream.push(bytes, &mut out);
        if (ends || pushed.is_err()) && !done {
            done = true;
            if pushed.is_err() || !stream.finish(&mut out) {
                let (code, message) = match stopping {
                    true => GATEWAY_STOPPING,
                    false => ("upstream_cut", "the provider broke off before the end of its answer"),
                };
                out.extend_from_slice(&inbound::error_event(code, message));
            }
        }
        *bytes = out.into();
        if pushed.is_err() { both(verdict, Verdict::Finish) } else { verdict }
    })
}

fn join(first: &Bytes, last: &Bytes) -> Bytes {
    match (first.is_empty(), last.is_empty()) {
        (true, _) => last.clone(),
        (_, true) => first.clone(),
        _ => [&first[..], &last[..]].concat().into(),
    }
}

/// What holds for bytes of which the first part was judged so, and the last, which ends, so.
fn both(first: Verdict, last: Verdict) -> Verdict {
    match (first, last) {
        (Verdict::ReleaseAfter(gate) | Verdict::FinishAfter(gate), Verdict::Release | Verdict::Finish) => {
            Verdict::FinishAfter(gate)
        }
        (Verdict::Cut, _) => Verdict::Cut,
        (_, last) => last,
    }
}
