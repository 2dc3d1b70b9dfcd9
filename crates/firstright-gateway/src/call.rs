//! How is a call carried out? Opened, decided, sent as decided, decided anew if that fails, and answered.

mod answering;
mod sending;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use firstright_core::decision::{Action, Decision, Refusal};
use firstright_core::fact::Fact;
use firstright_core::workload::{Call, CallId, Family};
use firstright_core::world::{DeploymentId, ModelId, ProviderId};
use firstright_engine::Noted;
use firstright_wire::operation::Operation;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::answer::{Answer, tier_of};
use crate::asked::{Asked, Content};
use crate::attempt::Failed;
use crate::bound::{self, Bound};
use crate::endpoint::Endpoint;
use crate::handler::{Handling, Unanswered};
use crate::hedge::Wish;
use crate::keep::Alive;
use crate::keys::Principal;
use crate::open_call::{OpenCall, Reserved};
use crate::refuse::No;
use crate::relay::Reply;
use crate::setup::Setup;
use crate::spoken::Heard;
use crate::told::Told;
use crate::upstream::socket::Raw;
use crate::upstream::{self, Client};

/// A call whose socket is open.
pub(crate) struct Opened {
    pub open: OpenCall,
    /// The call, which the others on the socket are like.
    pub call: Call,
    pub provider: ProviderId,
    /// What the provider calls the model.
    pub name: String,
    pub raw: Raw,
}

/// Where a decision sends a call.
pub(crate) struct Placed {
    record: u64,
    decision: Decision,
    deployment: DeploymentId,
    model: ModelId,
}

/// An attempt that failed, and what the core said to that.
pub(crate) struct Fallen {
    open: OpenCall,
    placed: Placed,
    record: u64,
    pub next: Option<Noted>,
    /// It was our own doing: the core is not told, and nobody else is asked for it.
    ours: bool,
    /// The provider's own answer, for a request that it refused for the request's sake.
    answer: Option<Box<(StatusCode, HeaderMap, Bytes)>>,
}

impl Placed {
    /// Where the decision sends the call, if it sends it anywhere.
    pub(crate) fn of(noted: Noted) -> Option<Placed> {
        let Noted { record, decision } = noted;
        match decision.action {
            Action::Serve { deployment, model, .. } => Some(Placed { record, decision, deployment, model }),
            _ => None,
        }
    }
}

impl Fallen {
    /// Tells the core, if it concerns a provider.
    pub(crate) fn of(mut open: OpenCall, placed: Placed, failed: Failed) -> Fallen {
        if failed.ours {
            let record = placed.record;
            return Fallen { open, placed, record, next: None, ours: true, answer: None };
        }
        let stepped = open.failed(failed.kind, failed.status, failed.retry_after, failed.evidence);
        let record = stepped.record;
        let next = open.heed(record, stepped.decisions);
        Fallen { open, placed, record, next, ours: false, answer: failed.answer }
    }
}

/// A good answer's head is here.
struct Answered {
    response: upstream::Response,
    heard: Heard,
}

impl Handling<'_> {
    /// Opens the call and follows the core's decisions until it is answered.
    pub(crate) async fn call(
        &self,
        client: &Client,
        principal: &Principal,
        asked: &Asked<'_>,
    ) -> Result<Answer, Unanswered> {
        if principal.bounded && bound::is_open(asked) {
            return Err(No::open_cost().into());
        }
        let bound = bound::of(asked);
        let (call, held) = (self.arrival(principal, asked, bound), bound.reserved(principal.bounded));
        let attempt =
            async |open: &mut OpenCall, placed: &Placed| self.attempt(client, asked, open, placed).await;
        let wish = Wish::of(self, asked, &call, held);
        let (open, placed, answered) = self.decided(asked, call, held, wish, attempt).await?;
        Ok(self.answer(client, principal, asked, open, &placed, answered).await?)
    }

    /// The same for a socket: it is answered once the provider's side is open.
    pub(crate) async fn open_socket(
        &self,
        principal: &Principal,
        asked: &Asked<'_>,
    ) -> Result<Opened, Unanswered> {
        // A session goes on after its answer: nobody can say what it costs.
        if principal.bounded {
            return Err(No::open_cost().into());
        }
        let bound = bound::of(asked);
        let (call, held) = (self.arrival(principal, asked, bound), bound.reserved(false));
        let attempt =
            async |open: &mut OpenCall, placed: &Placed| self.dial_socket(asked, open, placed).await;
        let (open, placed, raw) = self.decided(asked, call.clone(), held, None, attempt).await?;
        let name = self.endpoint(&placed).map(|endpoint| endpoint.name.clone()).unwrap_or_default();
        // It may have been placed under a newer law.
        let provider = self.newest().world.deployment(placed.deployment).provider;
        // Nothing is said on it before the opening is on record.
        self.engine.durable(placed.record).await;
        Ok(Opened { open, call, provider, name, raw })
    }

    /// Opens the call and follows the core's decisions until an attempt succeeds.
    async fn decided<T>(
        &self,
        asked: &Asked<'_>,
        call: Call,
        held: Reserved,
        wish: Option<Box<Wish>>,
        attempt: impl AsyncFn(&mut OpenCall, &Placed) -> Result<T, Failed>,
    ) -> Result<(OpenCall, Placed, T), Unanswered> {
        self.trail.deciding();
        let make = |id| Fact::CallArrived(Call { id, ..call });
        let Some((id, stepped)) = self.engine.submit_call(&self.setup.world, make) else {
            return Err(Unanswered::Stale);
        };
        let mut open = OpenCall::new(Arc::clone(self.engine), self.trail.clone(), id, held);
        let mut next = open.heed(stepped.record, stepped.decisions);
        loop {
            let Some(noted) = next else { return Err(No::undecided().into()) };
            match &noted.decision.action {
                Action::Queue { .. } => {
                    next = Some(open.queued(Alive::of(self.setup.keep_alive, asked)).await);
                    continue;
                }
                Action::Refuse { refusal, .. } => {
                    // A refusal is an answer too: it goes out once it is on record.
                    self.engine.durable(noted.record).await;
                    let no = No::of(refusal, self.setup.world.model(asked.model), noted.record);
                    return Err(self.named(no, refusal).into());
                }
                _ => {}
            }
            let placed = Placed::of(noted).ok_or_else(No::undecided)?;
            let fallen = match &wish {
                None => match attempt(&mut open, &placed).await {
                    Ok(answered) => return Ok((open, placed, answered)),
                    Err(failed) => Fallen::of(open, placed, failed),
                },
                // Boxed: what only some calls need is no part of every call.
                Some(wish) => match Box::pin(self.race(open, placed, wish, &attempt)).await {
                    Ok(answered) => return Ok(answered),
                    Err(fallen) => *fallen,
                },
            };
            if fallen.ours {
                // Dropping the call settles it with nothing used.
                return Err(No::busy("overloaded", "too many connections are open").into());
            }
            (open, next) = (fallen.open, fallen.next);
            if let Some(answer) = fallen.answer.filter(|_| is_rejected(&next)) {
                let (status, headers, body) = *answer;
                self.engine.durable(fallen.record).await;
                return Err(Unanswered::Passed(self.passed_on(status, &headers, body, &fallen.placed)));
            }
        }
    }

    /// Where a placed call goes.
    fn endpoint(&self, placed: &Placed) -> Option<Cow<'_, Endpoint>> {
        let index = placed.deployment.index();
        match self.setup.endpoints.get(index) {
            Some(endpoint) => endpoint.as_ref().map(Cow::Borrowed),
            // It came with a newer law. Numbers go on from law to law, so it is found in the newest.
            None => self.newest().endpoints.get(index).cloned().flatten().map(Cow::Owned),
        }
    }

    /// The call, as the core is told of it.
    fn arrival(&self, principal: &Principal, asked: &Asked<'_>, bound: Bound) -> Call {
        let tier = match &asked.content {
            Content::Json(peek) => tier_of(peek.service_tier),
            _ => tier_of(None),
        };
        let operation = asked.route.operation;
        let family = match operation {
            Operation::Store => Family::Store,
            Operation::Realtime | Operation::RealtimeSecrets | Operation::RealtimeCalls => Family::Realtime,
            _ => Family::Inference,
        };
        let Bound { input, input_most, max_output, media } = bound;
        Call {
            region: asked.region.clone(),
            home: asked.home,
            trains: operation == Operation::FineTuning,
            runs: asked.lines.as_ref().map(|lines| lines.model),
            key: principal.account,
            tier,
            family,
            input_most,
            media,
            // The engine numbers it.
            ..Call::new(CallId(0), principal.tenant, asked.model, input, max_output)
        }
    }

    /// A refusal for an account's sake names the account.
    fn named(&self, mut no: No, refusal: &Refusal) -> No {
        let account = match refusal {
            Refusal::Denied { account, .. }
            | Refusal::Spent { account, .. }
            | Refusal::Unpriced { account }
            | Refusal::Limited { account, .. } => *account,
            _ => return no,
        };
        let id = |known: &firstright_core::Known| known.account.id.clone();
        if let Some(id) = self.engine.read(|broker, _| broker.account(account).map(id)) {
            no.message =
                no.message.replacen(&format!("account {}", account.0), &format!("account `{id}`"), 1);
        }
        no
    }

    /// A provider's refusal of the request itself goes to the caller as it is: no other provider would take it.
    fn passed_on(&self, status: StatusCode, headers: &HeaderMap, body: Bytes, placed: &Placed) -> Answer {
        let mut answer = Response::new(Reply::whole(body));
        *answer.status_mut() = status;
        self.told(placed).headers(headers, answer.headers_mut());
        answer.headers_mut().insert("x-should-retry", HeaderValue::from_static("false"));
        answer
    }

    /// What the caller learns of the decision.
    fn told(&self, placed: &Placed) -> Told {
        let setup = self.newest();
        setup.labels.told(&setup.world, &placed.decision, placed.record, placed.deployment)
    }

    /// A decision may be of a newer law than the request began under, for instance after a wait. The newest knows the
    /// numbers of all before it, so what is said of a decision is said by it.
    fn newest(&self) -> Arc<Setup> {
        self.gateway.setup()
    }
}

/// What no provider takes is answered with the provider's own words.
fn is_rejected(next: &Option<Noted>) -> bool {
    let rejected =
        |noted: &Noted| matches!(noted.decision.action, Action::Refuse { refusal: Refusal::Rejected, .. });
    next.as_ref().is_none_or(rejected)
}
