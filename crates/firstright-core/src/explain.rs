//! Who was weighed for a decision: who could serve, who could not and why, who held a right and what it answered? A
//! record keeps only the determining reasons; the rest is recomputed here, from the state just before it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::Broker;
use crate::clause::{Answering, Clause};
use crate::fact::Fact;
use crate::plan::{self, Plan};
use crate::show;
use crate::state::{Asked, OpenCall, OpenJob, State};
use crate::units::{Span, Timestamp};
use crate::workload::{Job, View};
use crate::world::World;

/// Everything that was weighed, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// What was to be placed.
    pub workload: String,
    /// The rights in the order of asking.
    pub rights: Vec<String>,
    /// Each place with such capacity, and how it stood.
    pub places: Vec<(String, String)>,
}

impl Broker {
    /// What was weighed when this fact came, if it led to placing a workload. `self` is the broker just before.
    pub fn explain(&self, at: Timestamp, fact: &Fact) -> Option<Explanation> {
        let state = self.state.as_ref()?;
        match fact {
            Fact::CallArrived(call) => {
                let first = call.hedges.and_then(|first| state.calls.get(&first));
                let open =
                    first.map_or_else(|| OpenCall::new(at, call), |first| OpenCall::second(at, call, first));
                Some(explain_call(state, at, &open))
            }
            Fact::AttemptFailed { call, .. } => {
                state.calls.get(call).map(|open| explain_call(state, at, open))
            }
            Fact::JobSubmitted(job) => Some(explain_job(state, at, &fresh_job(job))),
            Fact::Answered { offer, .. } | Fact::CounterAnswered { offer, .. } => {
                let job = state.offers.get(offer)?.job;
                state.jobs.get(&job).map(|open| explain_job(state, at, open))
            }
            Fact::LeaseEnded { lease, .. } => {
                let job = state.leases.get(lease)?.job;
                state.jobs.get(&job).map(|open| explain_job(state, at, open))
            }
            _ => None,
        }
    }
}

fn fresh_job(job: &Job) -> OpenJob {
    OpenJob::new(job)
}

fn explain_call(state: &State, at: Timestamp, open: &OpenCall) -> Explanation {
    let call = &open.call;
    let view = View::of_call(&state.world, call, call.model);
    let mut plan = plan::for_calls(&state.world, at, &view, call.model);
    state.accounts.narrow(&state.world, call, &mut plan);
    let asked = Asked::Call { call: open, model: call.model, patience: Timestamp(0) };
    let beside = call.hedges.map_or_else(String::new, |first| format!(", beside call {}", first.0));
    let workload = format!(
        "call {} of tenant {} to {}: {} input tokens, {} output at most{beside}",
        call.id.0,
        state.world.tenant(call.tenant).id,
        state.world.model(call.model),
        call.input,
        call.max_output,
    );
    weigh(state, at, &plan, &asked, workload)
}

fn explain_job(state: &State, at: Timestamp, open: &OpenJob) -> Explanation {
    let job = &open.job;
    let plan = plan::for_job(&state.world, at, &View::of_job(&state.world, job), open);
    let workload = format!(
        "job {} (`{}`) of tenant {}: {} of {} accelerators to be placed, {} to run",
        job.id.0,
        job.name,
        state.world.tenant(job.tenant).id,
        open.unplaced,
        job.count,
        open.left,
    );
    weigh(state, at, &plan, &Asked::Job { job: open }, workload)
}

fn weigh(state: &State, at: Timestamp, plan: &Plan, asked: &Asked<'_>, workload: String) -> Explanation {
    let world = &state.world;
    let rights = plan.rights.iter().map(|right| {
        let holder = &world.party(right.holder).id;
        format!("{} of {holder}, answering {}", world.cite(right.clause), answering(world, right.clause))
    });
    let admitted = plan.candidates.iter().map(|one| {
        let held = one.unless_outage.iter().find(|clause| !state.outage(at, **clause, plan));
        let standing = match (held, state.room(at, one, asked)) {
            (Some(clause), _) => format!("may not: exclusive to another ({}) [EX-1]", world.cite(*clause)),
            _ if asked.is_beside(one) => "serves the first attempt".to_string(),
            _ if asked.tried(one) => "may serve; it was tried and failed".to_string(),
            (_, Err(evidence)) => format!("may serve; {}", show::evidence(world, &evidence)),
            (_, Ok(free)) if asked.min_chunk() > free => format!("may serve; only {free} free"),
            (_, Ok(_)) => match asked.price(one) {
                None if !one.sunk => "may serve, has room; unpriced".to_string(),
                _ if one.sunk => "may serve, has room; paid for already".to_string(),
                _ => "may serve, has room".to_string(),
            },
        };
        (show::place(world, one.place), standing)
    });
    let barred = plan
        .barred
        .iter()
        .map(|(place, bar)| (show::place(world, *place), format!("may not: {}", show::bar(world, bar))));
    Explanation { workload, rights: rights.collect(), places: admitted.chain(barred).collect() }
}

fn answering(world: &World, clause: crate::world::ClauseId) -> String {
    match &world.clause(clause).clause {
        Clause::FirstRefusal(right) => match right.answering {
            Answering::Standing => "by its published capacity".to_string(),
            Answering::Within(Span(window)) => format!("within {}", Span(window)),
        },
        _ => String::new(),
    }
}
