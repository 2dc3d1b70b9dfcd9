//! Has this request been answered before? A client that lost the answer on its way asks again with the same
//! `Idempotency-Key`: it is given what it would have got, and nothing is asked or settled twice.
//!
//! Only good answers that were given whole are kept, for a while and within a bound. A failure is forgotten at once, since
//! a client that tries again wants another try. A stream cannot be given again: who asks for one again is told so.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use sha2::{Digest, Sha256};

use crate::answer::Answer;
use crate::keys::Principal;
use crate::refuse::No;
use crate::relay::Reply;

/// How long an answer is kept: OpenAI's clients give up within ten minutes.
const KEPT_FOR: Duration = Duration::from_secs(600);
/// Answers kept at most.
const MAX_KEPT: usize = 50_000;
/// Bytes of them at most.
const MAX_KEPT_BYTES: usize = 128 << 20;
/// A longer answer is not kept.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// A longer key is refused.
const MAX_KEY_BYTES: usize = 256;

/// The answers that may be asked for again.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_name: HashMap<Name, Entry>,
    /// In the order of their ends.
    order: VecDeque<(Name, Instant)>,
    bytes: usize,
}

/// Whose key, over what: the whole digest, so that no two can be taken for one another.
type Name = [u8; 32];

#[derive(Debug)]
struct Entry {
    request: [u8; 32],
    state: State,
}

#[derive(Debug)]
enum State {
    InFlight,
    /// It was answered by a stream, or by more than is kept.
    Gone,
    Answered(Arc<Whole>),
}

/// An answer as it was given.
#[derive(Debug)]
struct Whole {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// A request under way: what comes of it is kept, or forgotten when this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    answers: Arc<Answers>,
    name: Name,
}

/// What is known of a key.
pub(crate) enum Asked {
    /// Nothing yet.
    First(Claim),
    /// It was answered; here is the same again.
    Again(Answer),
}

impl Answers {
    /// Claims a key for a request, or gives the answer that it had.
    ///
    /// # Errors
    /// If the key is too long, is used for another request, or its first request is still under way or was a stream.
    pub(crate) fn claim(
        self: &Arc<Self>,
        principal: &Principal,
        key: &[u8],
        request: [u8; 32],
    ) -> Result<Asked, No> {
        if key.len() > MAX_KEY_BYTES {
            return Err(No::bad(StatusCode::BAD_REQUEST, "bad_header", "failed to read `idempotency-key`"));
        }
        // The same caller's only: what one key may be told another of its tenant may not.
        let caller =
            Sha256::new().chain_update(principal.tenant.0.to_be_bytes()).chain_update(&principal.key);
        let name: Name = caller.chain_update(b"\0").chain_update(key).finalize().into();
        let mut kept = self.lock();
        kept.forget_old(Instant::now());
        match kept.by_name.get(&name) {
            None => {}
            Some(entry) if entry.request != request => {
                let message = "this `idempotency-key` was used for another request";
                return Err(No::bad(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_mismatch", message));
            }
            Some(Entry { state: State::InFlight, .. }) => {
                let mut no = No::bad(
                    StatusCode::CONFLICT,
                    "idempotency_in_flight",
                    "the first request with this `idempotency-key` is still being answered",
                );
                no.retry_after = Some(Duration::from_secs(1));
                return Err(no);
            }
            Some(Entry { state: State::Gone, .. }) => {
                let message = "the first request with this `idempotency-key` was answered by a stream, or at a \
                               length, that cannot be given again";
                return Err(No::bad(StatusCode::CONFLICT, "idempotency_not_kept", message));
            }
            Some(Entry { state: State::Answered(whole), .. }) => return Ok(Asked::Again(whole.answer())),
        }
        kept.by_name.insert(name, Entry { request, state: State::InFlight });
        Ok(Asked::First(Claim { answers: Arc::clone(self), name }))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Keeps a good answer. Others are forgotten, so that the key can be used for another try.
    pub(crate) fn keep(self, answer: &Answer) {
        if !answer.status().is_success() {
            return;
        }
        let mut kept = self.answers.lock();
        let state = match answer.body() {
            Reply::Whole(body) => {
                let body = body.as_deref().unwrap_or_default();
                let (status, headers) = (answer.status(), answer.headers().clone());
                match body.len() <= MAX_ANSWER_BYTES {
                    // Copied: the bytes on their way count among those that are held until they have left, and what is
                    // kept has a bound of its own.
                    true => {
                        let body = Bytes::copy_from_slice(body);
                        State::Answered(Arc::new(Whole { status, headers, body }))
                    }
                    false => State::Gone,
                }
            }
            Reply::Relay(_) | Reply::Kept(_) => State::Gone,
        };
        if let State::Answered(whole) = &state {
            kept.bytes += whole.body.len();
        }
        if let Some(entry) = kept.by_name.get_mut(&self.name) {
            entry.state = state;
        }
        kept.order.push_back((self.name, Instant::now() + KEPT_FOR));
        kept.bound();
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut kept = self.answers.lock();
        if matches!(kept.by_name.get(&self.name), Some(Entry { state: State::InFlight, .. })) {
            kept.by_name.remove(&self.name);
        }
    }
}

impl Kept {
    fn forget_old(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(_, until)| *until <= now) {
            self.forget_first();
        }
    }

    fn bound(&mut self) {
        while self.order.len() > MAX_KEPT || self.bytes > MAX_KEPT_BYTES {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some((name, _)) = self.order.pop_front() else { return };
        if let Some(Entry { state: State::Answered(whole), .. }) = self.by_name.remove(&name) {
            self.bytes -= whole.body.len();
        }
    }
}

impl Whole {
    fn answer(&self) -> Answer {
        let mut answer = Response::new(Reply::whole(self.body.clone()));
        *answer.status_mut() = self.status;
        *answer.headers_mut() = self.headers.clone();
        answer.headers_mut().insert("x-firstright-replayed", http::HeaderValue::from_static("true"));
        answer
    }
}
