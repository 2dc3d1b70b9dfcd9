//! What does a deployment do when it is asked, step by step? Facts alone: what is right and what is to be mended is said
//! elsewhere.
//!
//! One small call and one small stream, over the way that every call takes: the same client, head, credential and meter.
//! Both are paid for, with a few tokens.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use firstright_wire::anthropic;
use firstright_wire::azure::limits::Limits;
use firstright_wire::azure::refusal::{self, Refusal};
use firstright_wire::language::Language;
use firstright_wire::openai::embeddings::Form;
use firstright_wire::openai::response;
use firstright_wire::openai::stream::{StreamEnd, StreamMeter};
use firstright_wire::operation::{Operation, Verb};
use http::{HeaderMap, header};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::attempt::limits_of;
use crate::credential::{AuthError, clock_ahead_s};
use crate::endpoint::{Dialect, Endpoint};
use crate::spoken::input_tokens;
use crate::upstream::{BodyError, Budgets, Client, RequestHead, Response, SendError};

/// Addresses that are told of a name.
const ADDRESSES_MAX: usize = 8;
/// The longest answer that is read, in bytes: a list of models is the longest.
const MAX_ANSWER: usize = 4 << 20;
/// Models that are told of a provider's list.
const MODELS_MAX: usize = 500;
/// The most that is told of a provider's own words, in characters.
const MESSAGE_MAX: usize = 300;

/// What is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A word of chat, whole and as a stream.
    Chat,
    /// An embedding of a word.
    Embeddings,
}

/// What came of it. A step that was not reached is none.
#[derive(Debug)]
pub struct Facts {
    /// The addresses of its name.
    pub addresses: Result<Vec<IpAddr>, String>,
    /// How long TCP and TLS took.
    pub connected: Option<Result<Duration, SendError>>,
    /// Whether there is a proof to send, and how long it took to get.
    pub authorised: Option<Result<Duration, AuthError>>,
    /// The small call; why there is no answer completes "failed to …".
    pub call: Option<Result<Answered, String>>,
    /// The small stream, likewise.
    pub stream: Option<Result<Streamed, String>>,
    /// The models that the provider lists; asked for only if it does not know the one that is configured.
    pub models: Vec<String>,
}

/// An answer.
#[derive(Debug)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// From the start of the write to the head.
    pub took: Duration,
    /// Their clock less ours, in seconds, if they say theirs.
    pub clock_ahead_s: Option<i64>,
    /// What the headers say of limits.
    pub limits: Limits,
    /// Its body broke off; completes "failed to …".
    pub broken: Option<String>,
    /// A good answer that says what was used.
    pub has_usage: bool,
    /// What a refusal means.
    pub refusal: Option<Refusal>,
    /// The refusal's code, as the provider writes it.
    pub code: Option<String>,
    /// The refusal in the provider's words, without control characters and without our secret.
    pub message: Option<String>,
}

/// A stream's answer.
#[derive(Debug)]
pub struct Streamed {
    /// Its head.
    pub answered: Answered,
    /// From the start of the write to the first event with content.
    pub first_content: Option<Duration>,
    /// It is a stream of events at all.
    pub is_stream: bool,
    /// It came to its proper end.
    pub is_whole: bool,
    /// It said what was used.
    pub has_usage: bool,
    /// It was taken only without the wish for usage.
    pub refuses_options: bool,
}

/// Asks. Without anything to ask, it ends with the proof.
///
/// Must run inside a `LocalSet`.
pub async fn probe(client: &Client, endpoint: &Endpoint, ask: Option<Ask>, budgets: &Budgets) -> Facts {
    let mut facts = Facts {
        addresses: addresses(endpoint).await,
        connected: None,
        authorised: None,
        call: None,
        stream: None,
        models: Vec::new(),
    };
    if facts.addresses.is_err() {
        return facts;
    }
    let begun = Instant::now();
    let connected = client.open(&endpoint.target, budgets).await.map(|()| begun.elapsed());
    let failed = connected.is_err();
    facts.connected = Some(connected);
    if failed {
        return facts;
    }
    let begun = Instant::now();
    let authorised = authorised(client, endpoint).await.map(|()| begun.elapsed());
    let failed = authorised.is_err();
    facts.authorised = Some(authorised);
    if failed {
        return facts;
    }
    let Some(ask) = ask else { return facts };
    let probe = Probe { client, endpoint, budgets };
    facts.call = Some(probe.call(ask).await);
    match &facts.call {
        Some(Ok(answered)) if answered.refusal == Some(Refusal::NotFound) => {
            facts.models = probe.models().await.unwrap_or_default();
        }
        Some(Ok(answered)) if answered.refusal.is_none() && ask == Ask::Chat => {
            facts.stream = Some(probe.stream().await);
        }
        _ => {}
    }
    facts
}

async fn addresses(endpoint: &Endpoint) -> Result<Vec<IpAddr>, String> {
    let found = tokio::net::lookup_host((endpoint.target.host(), endpoint.target.port())).await;
    let found = found.map_err(|error| error.to_string())?;
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    addresses.dedup();
    addresses.truncate(ADDRESSES_MAX);
    if addresses.is_empty() { Err("it has no address".to_owned()) } else { Ok(addresses) }
}

/// Gets the proof once, so that a failure to get one is told apart from a proof that is refused.
async fn authorised(client: &Client, endpoint: &Endpoint) -> Result<(), AuthError> {
    let mut head = RequestHead::new("POST", &endpoint.target, "/").map_err(AuthError::Head)?;
    endpoint.authorise(client, &mut head, &[]).await.map(drop)
}

struct Probe<'a> {
    client: &'a Client,
    endpoint: &'a Endpoint,
    budgets: &'a Budgets,
}

impl Probe<'_> {
    async fn call(&self, ask: Ask) -> Result<Answered, String> {
        let (operation, body) = match ask {
            Ask::Embeddings => (Operation::Embeddings, json!({ "model": self.endpoint.name, "input": "ok" })),
            Ask::Chat => (Operation::ChatCompletions, self.chat(FIRST_LIMIT)),
        };
        let (answered, body) = self.whole(operation, body).await?;
        if ask == Ask::Chat && answered.status == 400 && wants_later_limit(&body) {
            return Ok(self.whole(operation, self.chat(LATER_LIMIT)).await?.0);
        }
        Ok(answered)
    }

    /// One call that is answered whole, and its body.
    async fn whole(&self, operation: Operation, body: Value) -> Result<(Answered, Bytes), String> {
        let (mut response, took) = self.send(Verb::Post, operation, body.to_string().into()).await?;
        let body = response.body.read_whole(MAX_ANSWER).await;
        let mut answered = self.answered(&response, took, body.as_ref().map_or(&[], |body| body));
        answered.broken = body.as_ref().err().map(ToString::to_string);
        let body = body.unwrap_or_default();
        let said = self.said(operation, &response.headers, &body);
        let reply = response::read(operation, said.as_deref().unwrap_or(&body));
        answered.has_usage = reply.is_ok_and(|reply| reply.usage.sound().is_some());
        Ok((answered, body))
    }

    async fn stream(&self) -> Result<Streamed, String> {
        let (mut limit, mut options) = (FIRST_LIMIT, true);
        loop {
            let mut body = self.chat(limit);
            body["stream"] = json!(true);
            if options {
                body["stream_options"] = json!({ "include_usage": true });
            }
            let (streamed, refusal) = self.one_stream(body.to_string().into()).await?;
            let status = streamed.answered.status;
            if limit == FIRST_LIMIT && status == 400 && wants_later_limit(&refusal) {
                limit = LATER_LIMIT;
            } else if options && refusal::rejects_stream_options(status, &refusal) {
                options = false;
            } else {
                return Ok(Streamed { refuses_options: !options, ..streamed });
            }
        }
    }

    /// One stream, read to its end; the body if it is a refusal.
    async fn one_stream(&self, body: Bytes) -> Result<(Streamed, Bytes), String> {
        let operation = Operation::ChatCompletions;
        let begun = Instant::now();
        let (mut response, took) = self.send(Verb::Post, operation, body).await?;
        let kind = response.headers.get(header::CONTENT_TYPE);
        let streams = self.language().map_or("text/event-stream", Language::stream_type).as_bytes();
        let is_stream = kind.is_some_and(|value| value.as_bytes().starts_with(streams));
        let mut streamed = Streamed {
            answered: self.answered(&response, took, &[]),
            first_content: None,
            is_stream,
            is_whole: false,
            has_usage: false,
            refuses_options: false,
        };
        if !response.status.is_success() || !is_stream {
            let body = response.body.read_whole(MAX_ANSWER).await.unwrap_or_default();
            streamed.answered = self.answered(&response, took, &body);
            return Ok((streamed, body));
        }
        let mut meter = StreamMeter::new(operation, false);
        let mut broken: Option<BodyError> = None;
        let mut translator = self.language().map(|language| language.stream(&self.endpoint.name));
        while let Some(bytes) = response.body.next().await {
            match bytes {
                Ok(bytes) => {
                    let bytes = match &mut translator {
                        None => bytes,
                        Some(translator) => {
                            let mut out = Vec::new();
                            // What is no stream of its language never comes to its end.
                            let _ = translator.push(&bytes, &mut out);
                            out.into()
                        }
                    };
                    let first = meter.push(&bytes).first_content;
                    if first && streamed.first_content.is_none() {
                        streamed.first_content = Some(begun.elapsed());
                    }
                }
                Err(error) => broken = Some(error),
            }
        }
        if let Some(translator) = &mut translator {
            // Some languages end without a word: the end is said here.
            let mut out = Vec::new();
            translator.finish(&mut out);
            meter.push(&out);
        }
        streamed.is_whole = broken.is_none() && meter.finish() == StreamEnd::Complete;
        streamed.has_usage = meter.metered().usage.sound().is_some();
        Ok((streamed, Bytes::new()))
    }

    /// The models that the provider lists, by name.
    async fn models(&self) -> Result<Vec<String>, String> {
        let (mut response, _) = self.send(Verb::Get, Operation::Models, Bytes::new()).await?;
        let body = response.body.read_whole(MAX_ANSWER).await.unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let names = body["data"].as_array().into_iter().flatten().filter_map(|model| model["id"].as_str());
        Ok(names.map(|name| plain(name, MESSAGE_MAX)).take(MODELS_MAX).collect())
    }

    async fn send(
        &self,
        verb: Verb,
        operation: Operation,
        body: Bytes,
    ) -> Result<(Response, Duration), String> {
        let (path, body) = match &self.endpoint.dialect {
            Dialect::Translated { prefix, language } if operation == Operation::ChatCompletions => {
                let streams = memchr::memmem::find(&body, b"\"stream\":true").is_some();
                let name = &self.endpoint.name;
                let path = language.path(name, streams).map_err(|error| error.to_string())?;
                let said = language.request(&body, name, u64::from(FIRST_LIMIT.1));
                (format!("{prefix}{path}"), Bytes::from(said.map_err(|error| error.to_string())?))
            }
            Dialect::Translated { prefix, language } if operation == Operation::Embeddings => {
                let name = &self.endpoint.name;
                let embedding = language.embedding(prefix, name).map_err(|error| error.to_string())?;
                let (said, _) = embedding.request(&body, name).map_err(|error| error.to_string())?;
                let path = embedding.path(name).map_err(|error| error.to_string())?;
                (format!("{prefix}{path}"), Bytes::from(said))
            }
            Dialect::Translated { .. } => return Err("its language has no such call".to_string()),
            _ => {
                let path = self.endpoint.path(operation, operation.suffix(), None);
                (path.map_err(|error| error.to_string())?, body)
            }
        };
        let mut head = self.endpoint.head(verb, &path).map_err(|error| error.to_string())?;
        let body = if body.is_empty() { vec![] } else { vec![body] };
        if !body.is_empty() {
            head.header("content-type", b"application/json").map_err(|error| error.to_string())?;
        }
        if self.language() == Some(&Language::Anthropic) {
            let version = anthropic::VERSION.as_bytes();
            head.header(anthropic::VERSION_HEADER, version).map_err(|error| error.to_string())?;
        }
        self.endpoint.authorise(self.client, &mut head, &body).await.map_err(|error| error.to_string())?;
        let begun = Instant::now();
        let response = self.client.send(&self.endpoint.target, head, body, self.budgets).await;
        let response = response.map_err(|error| error.to_string())?;
        Ok((response, begun.elapsed()))
    }

    /// A whole answer in OpenAI's words, if it is one that has to be translated.
    fn said(&self, operation: Operation, headers: &HeaderMap, body: &[u8]) -> Option<Vec<u8>> {
        let Dialect::Translated { prefix, language } = &self.endpoint.dialect else { return None };
        let name = &self.endpoint.name;
        if operation == Operation::Embeddings {
            // What is asked is one word, in the form that a client gets without a wish.
            let form = Form { texts: 1, base64: false };
            let embedding = language.embedding(prefix, name).ok()?;
            return embedding.response(body, name, form, input_tokens(headers)).ok();
        }
        language.response(body, name).ok()
    }

    /// Its language, if that is translated.
    fn language(&self) -> Option<&Language> {
        match &self.endpoint.dialect {
            Dialect::Translated { language, .. } => Some(language),
            _ => None,
        }
    }

    fn chat(&self, (limit, tokens): (&str, u32)) -> Value {
        json!({ "model": self.endpoint.name, "messages": [{ "role": "user", "content": "Say ok." }], limit: tokens })
    }

    fn answered(&self, response: &Response, took: Duration, body: &[u8]) -> Answered {
        let limits = limits_of(&response.headers);
        let status = response.status.as_u16();
        let refused = !response.status.is_success();
        let translated = self.language().filter(|_| refused).map(|language| language.refusal(status, body));
        let (refusal, body) = match &translated {
            Some((refusal, body)) => (Some(*refusal), body.as_slice()),
            None => (refused.then(|| refusal::classify(status, &limits, body)), body),
        };
        let said: Value =
            if refused { serde_json::from_slice(body).unwrap_or_default() } else { Value::Null };
        let error = if said["error"].is_object() { &said["error"] } else { &said };
        let code = ["code", "type", "__type", "status"].iter().find_map(|key| error[key].as_str());
        let message = ["message", "Message"].iter().find_map(|key| error[key].as_str());
        let message = message.map(|text| plain(&self.redacted(text), MESSAGE_MAX));
        Answered {
            status,
            took,
            clock_ahead_s: clock_ahead_s(&response.headers),
            limits,
            broken: None,
            has_usage: false,
            refusal,
            code: code.map(|code| plain(&self.redacted(code), 64)),
            message,
        }
    }

    /// A hostile or clumsy provider repeats what it was sent.
    fn redacted(&self, text: &str) -> String {
        match &self.endpoint.credential {
            Some(credential) => credential.redacted(text),
            None => text.to_owned(),
        }
    }
}

/// A bound on the output, as most take it.
const FIRST_LIMIT: (&str, u32) = ("max_tokens", 1);
/// As models that reason take it, which need some tokens before they say a word.
const LATER_LIMIT: (&str, u32) = ("max_completion_tokens", 16);

fn wants_later_limit(body: &[u8]) -> bool {
    memchr::memmem::find(body, LATER_LIMIT.0.as_bytes()).is_some()
}

/// One line of at most so many characters: nothing that a terminal would take for a command.
fn plain(text: &str, most: usize) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(most).collect()
}
