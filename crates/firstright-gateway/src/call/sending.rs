//! How does a placed call get to its provider: said as it takes it, proved, and dialled?

use std::pin::pin;

use bytes::Bytes;
use firstright_core::decision::{Action, Decision};
use firstright_wire::headers::forwards_request;
use firstright_wire::language::Language;
use firstright_wire::operation::Operation;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Answered, Placed};
use crate::asked::Asked;
use crate::attempt::{Failed, limits_of, observation_of};
use crate::endpoint::Endpoint;
use crate::handler::Handling;
use crate::hedge::is_second;
use crate::open_call::OpenCall;
use crate::telemetry::Context;
use crate::upstream::socket::{self, Opening, Raw};
use crate::upstream::{BadHead, Client, PoolLimits, RequestHead};

/// W3C's header for the trace that a request belongs to.
const TRACEPARENT: &str = "traceparent";

impl Handling<'_> {
    /// Sends the call to one provider and waits for the head of a good answer.
    pub(super) async fn attempt(
        &self,
        client: &Client,
        asked: &Asked<'_>,
        open: &mut OpenCall,
        placed: &Placed,
    ) -> Result<Answered, Failed> {
        let Some(endpoint) = self.endpoint(placed) else {
            return Err(Failed::broken("no endpoint is configured for this deployment"));
        };
        // Nothing leaves a holder before its release is on record, and nobody is paid twice before that is.
        if leaves_a_holder(&placed.decision) || is_second(&placed.decision) {
            self.engine.durable(placed.record).await;
        }
        let operation = asked.route.operation;
        let mut inject =
            asked.content.stream() && !asked.content.include_usage() && operation.usage_on_request();
        let mut renewed = false;
        loop {
            let said = self.said(asked, &endpoint, placed, inject)?;
            let body = if said.body.is_empty() { Vec::new() } else { vec![said.body.clone()] };
            let head =
                self.head_for(asked, &endpoint, &said.path, &said.headers(&endpoint), open.traceparent());
            let mut head = head.map_err(|error| Failed::broken(&error.to_string()))?;
            let used = endpoint.authorise(client, &mut head, &body).await;
            let used = used.map_err(|error| Failed::unauthorised(&error))?;
            open.dialling();
            let sending = pin!(client.send(&endpoint.target, head, body, &self.setup.budgets));
            let sent = open.awaiting(asked.content.stream(), sending).await;
            let response = sent.map_err(|error| Failed::unanswered(&error))?;
            if !renewed && endpoint.renew(used, response.status, &response.headers) {
                // A token may be revoked before its end, a clock drift. Nothing was billed for the refusal: once more.
                renewed = true;
                continue;
            }
            if response.status.is_success() {
                open.answered();
                open.observed = observation_of(&limits_of(&response.headers));
                open.tier_is_capacity = said.heard.language == Some(Language::Gemini);
                return Ok(Answered { response, heard: said.heard });
            }
            let failed = Box::pin(Failed::answered(operation, &said.heard, response)).await;
            if !inject || !failed.rejects_stream_options() {
                return Err(failed);
            }
            // Some servers of this language do not know the wish for usage: asked once more without it, and settled by
            // count. Nothing was billed for the refusal.
            inject = false;
        }
    }

    /// The body as this provider takes it: its own name for the model, the wish for usage, and every other byte.
    pub(crate) fn body_for(
        &self,
        asked: &Asked<'_>,
        endpoint: &Endpoint,
        placed: &Placed,
        inject: bool,
    ) -> Bytes {
        if let Some(lines) = &asked.lines {
            return self.lines_for(
                lines,
                asked.body,
                self.newest().world.deployment(placed.deployment).provider,
            );
        }
        let (world, served) = (&self.setup.world, placed.model);
        let name = match &asked.own_name {
            Some(own) => Some(own.as_str()).filter(|_| !asked.names_model()),
            // What is kept is named by no model, unless the caller names one.
            None if asked.route.operation == Operation::Store && !asked.names_model() => None,
            None => {
                let renamed = endpoint.name != world.model(asked.model) || served != asked.model;
                (renamed || !asked.names_model()).then_some(endpoint.name.as_str())
            }
        };
        asked.body_with(name, inject)
    }

    /// The head, with those of the caller's headers that pass, and those that the language needs; the credential comes last.
    fn head_for(
        &self,
        asked: &Asked<'_>,
        endpoint: &Endpoint,
        path: &str,
        own: &[(&str, &str)],
        span: Option<[u8; 55]>,
    ) -> Result<RequestHead, BadHead> {
        let mut head = endpoint.head(asked.route.verb, path)?;
        for (name, value) in own {
            head.header(name, value.as_bytes())?;
        }
        let sets = |name: &HeaderName| {
            endpoint.sets(name)
                || !own.is_empty() && (*name == header::ACCEPT || own.iter().any(|(own, _)| name == own))
        };
        let traced = span.is_some() || Context::read(traceparent_of(asked.headers)).is_some();
        for (name, value) in asked.headers {
            let passes = match name.as_str() {
                // Ours stands for the caller's; what is no trace is not handed on, nor what is said of it.
                TRACEPARENT => traced && span.is_none(),
                "tracestate" => traced,
                name => forwards_request(name),
            };
            if (passes || self.setup.forward.contains(name)) && !sets(name) {
                head.header(name.as_str(), value.as_bytes())?;
            }
        }
        if let Some(span) = span {
            head.header(TRACEPARENT, &span)?;
        }
        Ok(head)
    }

    /// Opens a socket at one provider.
    pub(super) async fn dial_socket(
        &self,
        asked: &Asked<'_>,
        open: &mut OpenCall,
        placed: &Placed,
    ) -> Result<Raw, Failed> {
        let broken = |error: String| Failed::broken(&error);
        let endpoint = self
            .endpoint(placed)
            .ok_or_else(|| broken("no endpoint is configured for this deployment".into()))?;
        if leaves_a_holder(&placed.decision) {
            self.engine.durable(placed.record).await;
        }
        let query = asked.socket_query(&endpoint.name);
        let path = endpoint.path(asked.route.operation, &asked.suffix, query.as_deref());
        let path = path.map_err(|error| broken(error.to_string()))?;
        let client = Client::new(PoolLimits::default());
        let mut renewed = false;
        loop {
            let head = self.head_for(asked, &endpoint, &path, &[], open.traceparent());
            let mut head = head.map_err(|error| broken(error.to_string()))?;
            let used = endpoint.authorise(&client, &mut head, &[]).await;
            let used = used.map_err(|error| Failed::unauthorised(&error))?;
            open.dialling();
            let opening = socket::open(&endpoint.target, head, &self.setup.budgets).await;
            match opening.map_err(|error| Failed::unanswered(&error))? {
                Opening::Open(raw) => {
                    open.answered();
                    return Ok(raw);
                }
                Opening::Refused { status, headers, .. }
                    if !renewed && endpoint.renew(used, status, &headers) =>
                {
                    renewed = true;
                }
                Opening::Refused { status, headers, body } => {
                    return Err(Failed::refused(asked.route.operation, status, headers, body));
                }
            }
        }
    }
}

fn traceparent_of(headers: &HeaderMap) -> &[u8] {
    headers.get(TRACEPARENT).map_or(b"", HeaderValue::as_bytes)
}

/// Does the decision place the call away from a holder of a right?
fn leaves_a_holder(decision: &Decision) -> bool {
    matches!(&decision.action, Action::Serve { title, .. } if !title.releases().is_empty())
}
