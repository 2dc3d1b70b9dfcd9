//! Which call is open on a socket, and may the next one be?

use std::sync::Arc;

use bytes::Bytes;
use firstright_core::decision::Action;
use firstright_core::fact::{Ending, Fact};
use firstright_core::workload::Call;
use firstright_core::world::ProviderId;
use firstright_engine::Noted;
use firstright_wire::home::{Signer, Tag, Unsigned};
use firstright_wire::openai::request;
use firstright_wire::operation::{Operation, Route};
use http::StatusCode;
use http::request::Parts;
use tokio_tungstenite::tungstenite::Message;

use super::event::{self, Event};
use crate::answer::{tier_of, usage_of};
use crate::call::Opened;
use crate::handler::{Gateway, Handling, Unanswered};
use crate::keys::Principal;
use crate::open_call::{OpenCall, Reserved};
use crate::refuse::No;
use crate::setup::Setup;
use crate::telemetry::Trail;
use crate::upstream::socket::Raw;

/// About what a token takes, in bytes of content as it stands in JSON.
const BYTES_PER_TOKEN: u64 = 4;
/// Output tokens reserved for an answer that bounds none.
const DEFAULT_MAX_OUTPUT: u64 = 1_024;

/// A socket's calls, one after the other.
pub(crate) struct Session {
    gateway: Arc<Gateway>,
    setup: Arc<Setup>,
    /// The socket's own; each call has another.
    trail: Trail,
    principal: Principal,
    operation: Operation,
    /// The request that asked for the socket.
    parts: Parts,
    /// Where it lives, once its first call has been placed.
    home: Option<Home>,
    open: Option<OpenCall>,
    raw: Option<Raw>,
    /// Bytes of content since the open call began.
    content: u64,
}

/// Where a session lives, and the call that its others are like.
struct Home {
    provider: ProviderId,
    /// What the provider calls the model.
    name: String,
    call: Call,
    signer: Option<Signer>,
}

impl Session {
    /// A session of which nothing is placed yet.
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        setup: Arc<Setup>,
        trail: Trail,
        principal: Principal,
        operation: Operation,
        parts: Parts,
    ) -> Session {
        let (home, open, raw, content) = (None, None, None, 0);
        Session { gateway, setup, trail, principal, operation, parts, home, open, raw, content }
    }

    /// Places the first call, and opens the provider's side. `body` is the request that it is made by, if there is one.
    ///
    /// # Errors
    /// As for every call: with the refusal.
    pub(crate) async fn place(&mut self, body: Bytes) -> Result<(), No> {
        let route = Route::read("GET", self.parts.uri.path()).map_err(|_| No::undecided())?;
        let (gateway, setup) = (&*self.gateway, &*self.setup);
        let trail = &self.trail.another();
        let handling = Handling { gateway, trail, engine: gateway.engine(), setup };
        let unsigned = handling.unsigned(&route, &self.principal, &self.parts, &body, None)?;
        let asked = handling.asked(route, &self.principal, &self.parts, &body, &unsigned)?;
        trail.asked_for(asked.model, true);
        let opened = handling.open_socket(&self.principal, &asked).await;
        let opened = opened.map_err(|unanswered| {
            let no = match unanswered {
                Unanswered::No(no) => *no,
                // What a provider says to the wish for a socket is no answer to a message.
                Unanswered::Passed(_) => {
                    No::bad(StatusCode::BAD_GATEWAY, "upstream_refused", "the provider refused the socket")
                }
                Unanswered::Stale => No::busy("law_changing", "the law is being changed"),
            };
            trail.said(no.status.as_u16(), Some(no.code));
            no
        })?;
        trail.said(StatusCode::OK.as_u16(), None);
        // It may have been placed under a newer law.
        let newest = self.gateway.setup();
        let tenant = &newest.world.tenant(self.principal.tenant).id;
        let signer = newest.homes.signer(tenant, opened.provider);
        let Opened { open, call, provider, name, raw } = opened;
        self.home = Some(Home { provider, name, call, signer });
        (self.open, self.raw, self.content) = (Some(open), Some(raw), 0);
        Ok(())
    }

    /// The provider's side, once.
    pub(super) fn take_raw(&mut self) -> Option<Raw> {
        self.raw.take()
    }

    /// A message on its way to the provider.
    ///
    /// # Errors
    /// With the event that tells the client why its call is refused.
    pub(super) async fn client_said(&mut self, message: Message) -> Result<Message, String> {
        let text = match &message {
            Message::Text(text) => text,
            // Events are text: what is not read here must not reach a provider who may read it.
            Message::Binary(_) => return Err(event_of("binary_message", "events are said in text")),
            _ => return Ok(message),
        };
        if self.operation == Operation::Responses {
            return match event::from_client(text) {
                Event::Create => self.create(text.to_string()).await.map(Message::text),
                _ => Err(event_of("unknown_event", "only `response.create` is taken, with each key once")),
            };
        }
        let tenant = &self.setup.world.tenant(self.principal.tenant).id;
        let unsigned = self.setup.homes.unsign(tenant, text.as_bytes());
        self.must_be_here(text.as_bytes(), &unsigned)?;
        Ok(unsigned.text.map_or(message, |bytes| Message::text(String::from_utf8(bytes).unwrap_or_default())))
    }

    /// What a message names must live where the session does.
    fn must_be_here(&self, text: &[u8], unsigned: &Unsigned) -> Result<(), String> {
        if self.setup.homes.stranger(text, unsigned).is_some() {
            return Err(event_of("home_unknown", "an id in it was not given out here, to this tenant"));
        }
        let here = self.home.as_ref().map(|home| home.provider);
        let elsewhere = |tag: &Tag| here.is_some_and(|here| self.setup.homes.provider(*tag) != Some(here));
        match unsigned.homes.iter().any(elsewhere) {
            true => {
                Err(event_of("homes_differ", "what is named lives at another provider than this session"))
            }
            false => Ok(()),
        }
    }

    /// A `response.create` of Responses: the first finds the session's home, the others are calls of their own there.
    async fn create(&mut self, text: String) -> Result<String, String> {
        if self.open.is_some() {
            return Err(event_of("response_in_flight", "the answer before it has not ended"));
        }
        let is_first = self.home.is_none();
        if is_first {
            let placed = self.place(Bytes::from(text.clone())).await;
            placed.map_err(|no| event_of(no.code, &no.message))?;
        }
        let tenant = &self.setup.world.tenant(self.principal.tenant).id;
        let unsigned = self.setup.homes.unsign(tenant, text.as_bytes());
        self.must_be_here(text.as_bytes(), &unsigned)?;
        let body = unsigned.text.unwrap_or(text.into_bytes());
        let peek = request::peek(self.operation, &body);
        let peek = peek.map_err(|bad| event_of(bad.code, &format!("failed to {bad}")))?;
        let Some(home) = &mut self.home else { return Err(event_of("no_decision", "no decision was made")) };
        let other = |model: &str| self.setup.world.find_model(model) != Some(home.call.model);
        if peek.model.as_deref().is_some_and(other) {
            return Err(event_of("model_differs", "a session keeps to the model of its first request"));
        }
        home.call.input = peek.estimated_input_tokens;
        home.call.input_most = body.len() as u64;
        home.call.max_output = peek.max_output_tokens.unwrap_or(DEFAULT_MAX_OUTPUT);
        let sent = request::rewrite(&body, &peek, Some(&home.name), false).to_vec();
        if !is_first {
            self.begin().await?;
        }
        Ok(String::from_utf8(sent).unwrap_or_default())
    }

    /// Opens the next call, at the session's home.
    pub(super) async fn begin(&mut self) -> Result<(), String> {
        let undecided = || event_of("no_decision", "no decision was made");
        let Some(home) = &self.home else { return Err(undecided()) };
        let call = Call { home: Some(home.provider), ..home.call.clone() };
        let Call { input, input_most, max_output, model, .. } = call;
        let held = Reserved { input, input_most, max_output, bounded: false, audio: true };
        let engine = Arc::clone(self.gateway.engine());
        let trail = self.trail.another();
        trail.asked_for(model, true);
        trail.deciding();
        let make = |id| Fact::CallArrived(Call { id, ..call });
        let Some((id, stepped)) = engine.submit_call(&self.setup.world, make) else {
            return Err(event_of("law_changed", "the law changed: open another session"));
        };
        let mut open = OpenCall::new(engine, trail.clone(), id, held);
        let mut next = open.heed(stepped.record, stepped.decisions);
        while let Some(Noted { decision, record }) = next {
            match &decision.action {
                Action::Serve { .. } => {
                    // Nothing is said on it before the opening is on record.
                    self.gateway.engine().durable(record).await;
                    open.dialling();
                    open.answered();
                    trail.said(StatusCode::OK.as_u16(), None);
                    (self.open, self.content) = (Some(open), 0);
                    return Ok(());
                }
                Action::Queue { .. } => next = Some(open.queued(None).await),
                Action::Refuse { refusal, .. } => {
                    self.gateway.engine().durable(record).await;
                    let no = No::of(refusal, self.setup.world.model(model), record);
                    trail.said(no.status.as_u16(), Some(no.code));
                    return Err(event_of(no.code, &no.message));
                }
                _ => break,
            }
        }
        Err(undecided())
    }

    /// A message on its way to the client, and whether another call is to be opened behind it.
    pub(super) async fn provider_said(&mut self, message: Message) -> (Message, bool) {
        let Message::Text(text) = &message else { return (message, false) };
        let begins = match event::from_provider(self.operation, text) {
            Event::Done { usage, tier } => {
                if let Some(mut open) = self.open.take() {
                    self.count(&mut open);
                    open.tier = tier_of(tier);
                    let stepped = open.settle(usage_of(usage), Ending::Complete);
                    // An answer's end goes out once it is settled on disk.
                    self.gateway.engine().durable(stepped.record).await;
                }
                // A realtime session may be spoken to at any time: its next call stands open.
                self.operation == Operation::Realtime
            }
            Event::Failed if self.operation == Operation::Responses => {
                if let Some(record) = self.finish(Ending::Cut) {
                    self.gateway.engine().durable(record).await;
                }
                false
            }
            Event::Content(bytes) => {
                self.content += bytes;
                false
            }
            _ => false,
        };
        let signer = self.home.as_mut().and_then(|home| home.signer.as_mut());
        let signed = signer.and_then(|signer| signer.push(text.as_bytes()));
        let message =
            signed.map_or(message, |bytes| Message::text(String::from_utf8(bytes).unwrap_or_default()));
        (message, begins)
    }

    /// The socket is closed. `whole`: nobody broke off.
    pub(super) fn end(&mut self, whole: bool) {
        self.finish(if whole { Ending::Abandoned } else { Ending::Cut });
    }

    /// Settles the open call by what was counted, and gives the record. One on which nothing was said has used nothing.
    fn finish(&mut self, ending: Ending) -> Option<u64> {
        let mut open = self.open.take()?;
        if self.content == 0 {
            open.counted = firstright_core::usage::Usage::default();
        }
        self.count(&mut open);
        Some(open.settle(None, ending).record)
    }

    fn count(&self, open: &mut OpenCall) {
        open.counted.output = self.content.div_ceil(BYTES_PER_TOKEN);
    }
}

/// An error, as events tell it in both languages.
fn event_of(code: &str, message: &str) -> String {
    let (code, message) = (serde_json::Value::from(code), serde_json::Value::from(message));
    format!(
        r#"{{"type":"error","error":{{"type":"invalid_request_error","code":{code},"message":{message},"param":null}}}}"#
    )
}
