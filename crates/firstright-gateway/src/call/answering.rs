//! How does a provider's good answer become the caller's: whole and settled, or as a stream that is settled at its end?

use bytes::Bytes;
use firstright_core::fact::Ending;
use firstright_core::usage::Usage;
use firstright_wire::home::Signer;
use firstright_wire::language::Language;
use http::{HeaderMap, HeaderValue, Response, header};

use super::{Answered, Placed};
use crate::answer::{Answer, Later, hook, opaque, usage_of};
use crate::asked::{Asked, Content};
use crate::bound;
use crate::follow::{self, Pending};
use crate::handler::Handling;
use crate::held::Held;
use crate::keys::Principal;
use crate::open_call::OpenCall;
use crate::output;
use crate::refuse::No;
use crate::relay::Reply;
use crate::spoken::Heard;
use crate::upstream::{BodyError, Client};

/// Bytes of a whole answer that are not its text, about.
const ENVELOPE: usize = 256;
/// The longest answer that is read whole, in bytes: a batch of embeddings or of pictures.
const MAX_WHOLE_ANSWER: usize = 64 << 20;

impl Handling<'_> {
    /// Answers with a provider's good answer: whole and settled, or as a stream that is settled at its end.
    pub(super) async fn answer(
        &self,
        client: &Client,
        principal: &Principal,
        asked: &Asked<'_>,
        open: OpenCall,
        placed: &Placed,
        answered: Answered,
    ) -> Result<Answer, No> {
        let Answered { mut response, heard } = answered;
        let told = self.told(placed);
        let operation = heard.operation;
        let (status, headers) = (response.status, response.headers);
        let signer = self.signer(client, principal, asked, placed).await;
        let kind = Kind::of(&headers, &heard);
        if kind != Kind::Whole {
            // The first byte of the answer goes out only after the opening is on record.
            self.engine.durable(placed.record).await;
            let hook = match kind {
                Kind::Events if operation.is_metered() => {
                    let later = self.later(client, asked, placed, &heard);
                    heard.around(hook(operation, heard.injected, open, signer, later))
                }
                _ => {
                    let is_signed = kind == Kind::Events || output::is_content(&asked.route);
                    opaque(operation, open, signer.filter(|_| is_signed))
                }
            };
            let mut answer = Response::new(Reply::relay(response.body, hook));
            *answer.status_mut() = status;
            told.headers(&headers, answer.headers_mut());
            heard.retype(answer.headers_mut(), true);
            return Ok(answer);
        }
        let mut held = Held::new(self.gateway.bodies(), self.setup.held_bytes);
        let read = response.body.read_within(MAX_WHOLE_ANSWER, |bytes| held.take_for_answer(bytes)).await;
        let is_crowded = matches!(read, Err(BodyError::Crowded));
        let read = read.map_err(|error| error.to_string());
        let body = match read.and_then(|body| heard.whole(&headers, body).map_err(|error| error.to_string()))
        {
            Ok(body) => body,
            Err(error) => {
                // It was answered and may be billed, so nobody else is asked: settled by count.
                let mut open = open;
                // Want of room is ours, and no fault of the provider's.
                let ending = if is_crowded { Ending::Abandoned } else { Ending::Cut };
                let stepped = open.settle(None, ending);
                self.engine.durable(stepped.record).await;
                return Err(if is_crowded { No::busy("overloaded", &error) } else { No::cut(&error) });
            }
        };
        let record = self.settled(client, asked, open, placed, &heard, &body);
        self.engine.durable(record).await;
        let body = signer.and_then(|mut signer| signer.push(&body)).map_or(body, Bytes::from);
        let body = heard.given(body).map_err(|error| No::cut(&error.to_string()))?;
        let mut answer = Response::new(Reply::whole(held.keep(body)));
        *answer.status_mut() = status;
        told.headers(&headers, answer.headers_mut());
        heard.retype(answer.headers_mut(), false);
        Ok(answer)
    }

    /// How a stream of a response in the background is followed once it is not read any more.
    fn later(&self, client: &Client, asked: &Asked<'_>, placed: &Placed, heard: &Heard) -> Option<Later> {
        let in_background = matches!(&asked.content, Content::Json(peek) if peek.pins.background);
        let endpoint = self.endpoint(placed).filter(|_| in_background && heard.is_plain())?.into_owned();
        let (client, setups) = (client.clone(), self.gateway.in_force());
        let there = (placed.deployment, endpoint);
        Some(Box::new(move |open, beginning| match Pending::of_stream(beginning) {
            Some(pending) => follow::follow(pending, open, there, client, setups),
            None => Some(open),
        }))
    }

    /// Settles a whole answer by what it tells, or follows what it has only begun. Gives the record that has to be on disk
    /// before the answer goes out: that of the settlement, or of the opening.
    fn settled(
        &self,
        client: &Client,
        asked: &Asked<'_>,
        mut open: OpenCall,
        placed: &Placed,
        heard: &Heard,
        body: &[u8],
    ) -> u64 {
        let pending = Pending::of(asked.route.operation, &asked.suffix, body).filter(|_| heard.is_plain());
        if let (Some(pending), Some(endpoint)) = (pending, self.endpoint(placed)) {
            let there = (placed.deployment, endpoint.into_owned());
            match follow::follow(pending, open, there, client.clone(), self.gateway.in_force()) {
                None => return placed.record,
                Some(given_back) => open = given_back,
            }
        }
        let usage = if heard.operation.is_metered() {
            let reply = heard.reply(body);
            if bound::writes(heard.operation) {
                open.count(0, body.len().saturating_sub(ENVELOPE) as u64);
            }
            open.served_by(reply.as_ref().and_then(|reply| reply.service_tier));
            reply.and_then(|reply| usage_of(reply.usage))
        } else {
            // Nothing of a model's was used.
            Some(Usage::default())
        };
        open.settle(usage, Ending::Complete).record
    }

    /// Signs what the answer names, if it is kept where it was served.
    async fn signer(
        &self,
        client: &Client,
        principal: &Principal,
        asked: &Asked<'_>,
        placed: &Placed,
    ) -> Option<Signer> {
        if !asked.is_kept() {
            return None;
        }
        let setup = self.newest();
        if output::is_content(&asked.route) {
            let endpoint = self.endpoint(placed)?;
            if !output::is_of_batch(&asked.route, &asked.suffix, &endpoint, client, &setup).await {
                return None;
            }
        }
        let provider = setup.world.deployment(placed.deployment).provider;
        setup.homes.signer(&setup.world.tenant(principal.tenant).id, provider)
    }
}

/// How an answer comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// JSON: read whole, and settled by what it says.
    Whole,
    Events,
    /// Sound, films, files: bytes that say nothing to us.
    Bytes,
}

impl Kind {
    fn of(headers: &HeaderMap, heard: &Heard) -> Kind {
        let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        let streams = heard.language.as_ref().map_or("text/event-stream", Language::stream_type);
        if kind.starts_with(streams.as_bytes()) {
            Kind::Events
        } else if kind.is_empty() || kind.starts_with(b"application/json") {
            Kind::Whole
        } else {
            Kind::Bytes
        }
    }
}
