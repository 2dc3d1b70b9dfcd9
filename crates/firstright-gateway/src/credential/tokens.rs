//! Which token is to be used now, and who fetches the next one?
//!
//! One fetch at a time for a token, whichever thread starts it; all others wait for that one, or go on with the token
//! that is still good. A token is renewed well before its end, at a moment that chance shifts, so that the gateways of a
//! fleet do not ask together. A failed renewal costs nothing while the old token holds; afterwards calls fail with the
//! reason, and the endpoint is asked again by one of them after a pause that grows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use firstright_wire::auth::token::{self, Ask, MAX_ANSWER_BYTES, Refused};
use http::HeaderMap;
use tokio::sync::watch;
use tokio::time::Instant;

use super::clock::{Clock, clock_ahead_s, skew_of};
use super::{AuthError, AwsKey, AwsRole, Grant, Health, OciKey, OciPrincipal, Secret, TokenUrl};
use crate::upstream::{Budgets, Client, RequestHead, Target};

/// How long a fetch may take. Metadata services take seconds on a young machine.
const BUDGETS: Budgets = Budgets {
    connect: Duration::from_secs(5),
    head: Duration::from_secs(15),
    gap: Duration::from_secs(5),
    total: Duration::from_secs(15),
};
/// A token is not used in its last seconds: a request takes its time to where it is checked.
const MARGIN: Duration = Duration::from_secs(30);
/// The pause after a failed fetch; doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two fetches that fail.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Between two renewals because of a refusal: a provider that refuses every token is not asked with a new one each time.
const BETWEEN_FORCED: Duration = Duration::from_secs(10);

/// The token of one grant, or the keys of one role or principal, shared by all threads and by all deployments that use it.
#[derive(Debug)]
pub struct Tokens {
    right: Right,
    pub(super) clock: Clock,
    state: Mutex<State>,
    /// Told whenever a fetch has ended.
    ended: watch::Sender<()>,
}

/// By what right something is given, and where.
#[derive(Debug, PartialEq)]
enum Right {
    Token(Grant, TokenUrl),
    Role(AwsRole, TokenUrl),
    Principal(OciPrincipal),
}

/// What is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A token, which is sent.
    Bearer,
    /// The keys of a role at AWS, which sign.
    AwsRole,
    /// The key of a principal at Oracle, which signs.
    OciPrincipal,
}

/// What proves, while it holds.
#[derive(Clone, Debug)]
pub(super) enum Held {
    /// A header's value.
    Bearer(Secret),
    /// A role's key.
    Aws(Arc<AwsKey>),
    /// A principal's key.
    Oci(Arc<OciKey>),
}

/// An answer of the endpoint, and the time by its own clock, or ours if it says none, in seconds since 1970.
pub(super) struct Answer {
    pub status: u16,
    pub body: Bytes,
    pub now_s: u64,
    host: String,
    headers: HeaderMap,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Kept>,
    flying: bool,
    failure: Option<Failure>,
    /// When a refusal last had a token renewed.
    forced: Option<Instant>,
    /// Fetches that gave a token.
    count: u64,
}

#[derive(Debug)]
struct Kept {
    held: Held,
    number: u64,
    renew_at: Instant,
    end: Instant,
}

#[derive(Debug)]
struct Failure {
    error: AuthError,
    again: Instant,
    pause: Duration,
}

/// What a call finds.
enum Look {
    Good(Held, u64),
    /// Good, but the caller is to fetch the next one.
    Due(Held, u64),
    /// Nothing good, and the caller is to fetch.
    Fetch,
    /// Nothing good, and somebody fetches already.
    Wait,
    Failed(AuthError),
}

impl Tokens {
    /// Nothing is fetched before it is needed.
    pub fn new(grant: Grant, url: TokenUrl) -> Arc<Tokens> {
        Self::by(Right::Token(grant, url))
    }

    /// The same for the keys of a role.
    pub fn of_role(role: AwsRole, url: TokenUrl) -> Arc<Tokens> {
        Self::by(Right::Role(role, url))
    }

    /// The same for the key of a principal.
    pub fn of_principal(principal: OciPrincipal) -> Arc<Tokens> {
        Self::by(Right::Principal(principal))
    }

    fn by(right: Right) -> Arc<Tokens> {
        let (clock, state, ended) = (Clock::default(), Mutex::default(), watch::channel(()).0);
        Arc::new(Tokens { right, clock, state, ended })
    }

    /// Are they given by the same right, at the same place?
    pub(super) fn is_same(&self, other: &Tokens) -> bool {
        self.right == other.right
    }

    /// What is given.
    pub fn kind(&self) -> Kind {
        match self.right {
            Right::Token(..) => Kind::Bearer,
            Right::Role(..) => Kind::AwsRole,
            Right::Principal(_) => Kind::OciPrincipal,
        }
    }

    /// The id of a role's key, while there is one.
    pub fn key_id(&self) -> Option<String> {
        match &self.state().held.as_ref()?.held {
            Held::Aws(key) => Some(key.id().to_owned()),
            Held::Bearer(_) | Held::Oci(_) => None,
        }
    }

    /// What proves, and its number.
    pub(super) async fn held(self: &Arc<Self>, client: &Client) -> Result<(Held, u64), AuthError> {
        let mut listening = None;
        loop {
            match self.look() {
                Look::Good(held, number) => return Ok((held, number)),
                Look::Due(held, number) => {
                    self.fly(client);
                    return Ok((held, number));
                }
                Look::Failed(error) => return Err(error),
                Look::Fetch => {
                    listening = Some(self.ended.subscribe());
                    self.fly(client);
                }
                Look::Wait => {}
            }
            match &mut listening {
                // The sender is in self, and every fetch ends within its budgets or with its thread.
                Some(ended) => drop(ended.changed().await),
                // Looks once more, so that no end between the look and the listening is missed.
                None => listening = Some(self.ended.subscribe()),
            }
        }
    }

    /// What is there, and whose turn it is to fetch.
    fn look(&self) -> Look {
        let now = Instant::now();
        let mut state = self.state();
        let may_fetch = !state.flying && state.failure.as_ref().is_none_or(|failure| now >= failure.again);
        match &state.held {
            Some(kept) if now < kept.end => {
                let (held, number) = (kept.held.clone(), kept.number);
                if now < kept.renew_at || !may_fetch {
                    return Look::Good(held, number);
                }
                state.flying = true;
                Look::Due(held, number)
            }
            _ if state.flying => Look::Wait,
            _ => match &state.failure {
                Some(failure) if !may_fetch => Look::Failed(failure.error.clone()),
                _ => {
                    state.flying = true;
                    Look::Fetch
                }
            },
        }
    }

    /// Fetches in a task of its own: whoever waits may go away.
    fn fly(self: &Arc<Self>, client: &Client) {
        let client = client.clone();
        let mut flight = Flight { tokens: Arc::clone(self), outcome: None };
        tokio::task::spawn_local(async move {
            let outcome = flight.tokens.fetch(&client).await;
            flight.outcome.replace(outcome);
        });
    }

    /// What is given, and for how many seconds it holds.
    async fn fetch(&self, client: &Client) -> Result<(Held, u64), AuthError> {
        match &self.right {
            Right::Role(role, url) => {
                let (key, lifetime_s) = role.keys(url, self, client).await?;
                Ok((Held::Aws(key), lifetime_s))
            }
            Right::Principal(principal) => {
                let (key, lifetime_s) = principal.key(self, client).await?;
                Ok((Held::Oci(key), lifetime_s))
            }
            Right::Token(grant, url) => {
                let now_s = self.clock.now_s();
                let answer = self.send(&url.target, grant.ask(url, now_s)?, None, client).await?;
                let token = token::answer(answer.status, &answer.body, now_s)
                    .map_err(|refused| self.refused(refused, &answer))?;
                Ok((Held::Bearer(Secret::bearer(&token.access_token)), token.lifetime_s))
            }
        }
    }

    /// Asks an endpoint that configuration has named, with the signature of who asks if it wants one.
    pub(super) async fn send(
        &self,
        target: &Target,
        ask: Ask,
        signer: Option<&OciKey>,
        client: &Client,
    ) -> Result<Answer, AuthError> {
        let host = target.host().to_owned();
        let mut head = RequestHead::new(ask.method, target, &ask.target).map_err(AuthError::Head)?;
        for (name, value) in &ask.headers {
            head.header(name, value.as_bytes()).map_err(AuthError::Head)?;
        }
        let body = if ask.body.is_empty() { vec![] } else { vec![ask.body.into()] };
        if let Some(signer) = signer {
            signer.sign(&mut head, target.authority(), &body, self.clock.now_s()).map_err(AuthError::Head)?;
        }
        let sent = client.send(target, head, body, &BUDGETS).await;
        let mut response =
            sent.map_err(|error| AuthError::Unreachable { host: host.clone(), at: error.kind })?;
        let read = response.body.read_whole(MAX_ANSWER_BYTES).await;
        let body = read.map_err(|_| AuthError::Cut { host: host.clone() })?;
        let ahead_s = clock_ahead_s(&response.headers).unwrap_or(0);
        let now_s = super::clock::now_s().saturating_add_signed(ahead_s);
        Ok(Answer { status: response.status.as_u16(), body, now_s, host, headers: response.headers })
    }

    /// What it means that the endpoint gave nothing.
    pub(super) fn refused(&self, refused: Refused, answer: &Answer) -> AuthError {
        // The next assertion is made for their time.
        self.clock.learn(&answer.headers);
        let host = answer.host.clone();
        AuthError::Refused { host, refused, skew_s: skew_of(&answer.headers) }
    }

    fn land(&self, outcome: Result<(Held, u64), AuthError>) {
        let now = Instant::now();
        let mut state = self.state();
        state.flying = false;
        match outcome {
            Ok((held, lifetime_s)) => {
                state.count += 1;
                state.failure = None;
                let life = Duration::from_secs(lifetime_s);
                // A short token keeps half of its life as its margin.
                let end = now + life.saturating_sub(MARGIN).max(life / 2);
                let (number, renew_at) = (state.count, now + early(life));
                state.held = Some(Kept { held, number, renew_at, end });
            }
            Err(error) => {
                let pause = state.failure.as_ref().map_or(FIRST_PAUSE, |failure| failure.pause * 2);
                let pause = pause.min(LONGEST_PAUSE);
                let holds = state.held.as_ref().is_some_and(|held| now < held.end);
                let what = if holds { "the old token holds still" } else { "calls fail until there is one" };
                eprintln!("firstright: failed to {error}; {what}");
                state.failure = Some(Failure { error, again: now + pause, pause });
            }
        }
        drop(state);
        self.ended.send_replace(());
    }

    /// The provider refused this token: true if there is or will be another.
    pub(super) fn renew(&self, number: u64) -> bool {
        let mut state = self.state();
        if state.held.as_ref().is_none_or(|held| held.number != number) {
            return true;
        }
        let now = Instant::now();
        if state.forced.is_some_and(|forced| now.duration_since(forced) < BETWEEN_FORCED) {
            return false;
        }
        state.forced = Some(now);
        state.held = None;
        true
    }

    /// What is not to be shown, of what there is.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        match self.state().held.as_ref().map(|kept| &kept.held) {
            None => Vec::new(),
            Some(Held::Bearer(bearer)) => vec![bearer.clone()],
            Some(Held::Aws(key)) => key.secrets(),
            Some(Held::Oci(key)) => key.secrets(),
        }
    }

    pub(super) fn health(&self) -> Health {
        let state = self.state();
        let left = state.held.as_ref().map(|held| held.end.saturating_duration_since(Instant::now()));
        let failure = state.failure.as_ref().map(|failure| failure.error.clone());
        let ends_in_s = left.filter(|left| !left.is_zero()).map(|left| left.as_secs());
        let clock_ahead_s = Some(self.clock.ahead_s()).filter(|ahead| *ahead != 0);
        let kind = match self.kind() {
            Kind::Bearer => "token",
            Kind::AwsRole => "aws-role",
            Kind::OciPrincipal => "oci-principal",
        };
        Health { kind, ends_in_s, failure, clock_ahead_s }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way; a token is as good after a panic elsewhere.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fetch under way. However it ends, also with its thread, those who wait are told.
struct Flight {
    tokens: Arc<Tokens>,
    outcome: Option<Result<(Held, u64), AuthError>>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.tokens.land(self.outcome.take().unwrap_or(Err(AuthError::Abandoned)));
    }
}

/// When to renew a token: after 70 to 85 % of its life, drawn anew each time.
fn early(life: Duration) -> Duration {
    let mut draw = [0; 1];
    // Without randomness all draws are alike, which is right for one gateway.
    let _ = aws_lc_rs::rand::fill(&mut draw);
    life / 100 * (70 + u32::from(draw[0]) % 16)
}
