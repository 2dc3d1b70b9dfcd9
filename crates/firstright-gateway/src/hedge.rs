//! When is a call tried a second time beside its first attempt, and which of the two answers? Whether there is a second one,
//! and where, the core says; here the two are raced, and the one that loses is given up.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use firstright_core::decision::{Action, Decision, Ground};
use firstright_core::fact::{Fact, FailureKind};
use firstright_core::workload::{Call, CallId, Family};
use firstright_engine::Noted;

use crate::asked::Asked;
use crate::attempt::Failed;
use crate::call::{Fallen, Placed};
use crate::handler::Handling;
use crate::open_call::{OpenCall, Reserved};

/// What is raced: the call, and after how long without an answer.
pub(crate) struct Wish {
    like: Call,
    held: Reserved,
    after: Duration,
    stream: bool,
}

/// Which of two was first.
enum Either<A, B> {
    First(A),
    Second(B),
}

impl Wish {
    /// The tenant's wish for the call, unless it is about what lives at a provider.
    pub(crate) fn of(
        handling: &Handling<'_>,
        asked: &Asked<'_>,
        call: &Call,
        held: Reserved,
    ) -> Option<Box<Wish>> {
        let after = handling.setup.world.tenant(call.tenant).hedge_after;
        if after.0 == 0 || call.family != Family::Inference {
            return None;
        }
        let lives = call.home.is_some() || call.trains || asked.is_kept();
        let wish = || Wish {
            like: call.clone(),
            held,
            after: Duration::from_nanos(after.0),
            stream: asked.content.stream(),
        };
        (!lives).then(|| Box::new(wish()))
    }
}

impl Handling<'_> {
    /// Sends a call where it was placed, and if no answer comes in time, a second attempt where the core says.
    //= rights/choosing.md#CH-25
    pub(crate) async fn race<T>(
        &self,
        mut first: OpenCall,
        placed: Placed,
        wish: &Wish,
        attempt: &impl AsyncFn(&mut OpenCall, &Placed) -> Result<T, Failed>,
    ) -> Result<(OpenCall, Placed, T), Box<Fallen>> {
        let id = first.id;
        let mut sent = Box::pin(attempt(&mut first, &placed));
        if let Ok(done) = tokio::time::timeout(wish.after, sent.as_mut()).await {
            drop(sent);
            return ended(first, placed, done);
        }
        let Some((mut second, beside)) = self.second(id, wish) else {
            let done = sent.await;
            return ended(first, placed, done);
        };
        let mut other = Box::pin(attempt(&mut second, &beside));
        match either(sent.as_mut(), other.as_mut()).await {
            Either::First(Ok(answered)) => {
                drop((sent, other));
                second.give_up(wish.stream);
                Ok((first, placed, answered))
            }
            Either::Second(Ok(answered)) => {
                drop((sent, other));
                first.give_up(wish.stream);
                Ok((second, beside, answered))
            }
            Either::First(Err(failed)) => {
                drop(sent);
                let rejected = failed.kind == FailureKind::Rejected;
                let fallen = Fallen::of(first, placed, failed);
                if !rejected && fallen.next.as_ref().is_some_and(goes_on) {
                    let done = other.await;
                    return ended(second, beside, done);
                }
                drop(other);
                second.give_up(wish.stream);
                Err(Box::new(fallen))
            }
            Either::Second(Err(failed)) => {
                drop(other);
                // The first goes on, whatever the second found.
                drop(Fallen::of(second, beside, failed));
                let done = sent.await;
                ended(first, placed, done)
            }
        }
    }

    /// Asks the core for a second attempt. There is none if it says so, or if another law holds by now.
    fn second(&self, first: CallId, wish: &Wish) -> Option<(OpenCall, Placed)> {
        let make = |id| Fact::CallArrived(Call { id, hedges: Some(first), ..wish.like.clone() });
        let (id, stepped) = self.engine.submit_call(&self.setup.world, make)?;
        let mut second = OpenCall::new(Arc::clone(self.engine), self.trail.clone(), id, wish.held);
        let noted = second.heed_beside(stepped.record, stepped.decisions)?;
        let placed = Placed::of(noted)?;
        Some((second, placed))
    }
}

fn ended<T>(
    open: OpenCall,
    placed: Placed,
    done: Result<T, Failed>,
) -> Result<(OpenCall, Placed, T), Box<Fallen>> {
    match done {
        Ok(answered) => Ok((open, placed, answered)),
        Err(failed) => Err(Box::new(Fallen::of(open, placed, failed))),
    }
}

/// Waits for whichever is first; for the first of them if both are ready.
async fn either<A, B>(
    mut first: Pin<&mut impl Future<Output = A>>,
    mut second: Pin<&mut impl Future<Output = B>>,
) -> Either<A, B> {
    poll_fn(|context| {
        if let Poll::Ready(done) = first.as_mut().poll(context) {
            return Poll::Ready(Either::First(done));
        }
        second.as_mut().poll(context).map(Either::Second)
    })
    .await
}

/// Does the other attempt go on as the call?
fn goes_on(noted: &Noted) -> bool {
    noted.decision.grounds.iter().any(|ground| matches!(ground, Ground::GoesOn(_)))
}

/// Is this a second attempt beside another?
pub(crate) fn is_second(decision: &Decision) -> bool {
    let grounds = || decision.grounds.iter().any(|ground| matches!(ground, Ground::Hedges(_)));
    matches!(decision.action, Action::Serve { .. }) && grounds()
}
