//! What does a cloud answer to this call, how fast, and what does it count?
//!
//! `Cloud::call` decides everything about an answer at the moment the call arrives: whether it is
//! admitted and by which deployment, how many tokens it has, how it is paced and where it breaks off.
//! The shell only writes that down on a socket and reports the end with `Cloud::finish`.
//! All time here is simulated; with `--speed N` it runs N times faster than the wall's.

use crate::rng::{Purpose, Rng};

mod call;
mod capacity;
mod counters;
mod fault;
mod metered;
mod provisioned;
mod quantiles;
mod spec;

#[cfg(test)]
mod tests;

use call::slowed;
use capacity::{Capacity, Full};
use counters::Tally;
use fault::{Effects, Faults};

pub use call::{Answer, Call, Deployed, Ending, Pacing, Reason, Refusal, Stall, Ticket, Usage, Verdict};
pub use capacity::{CapacitySpec, Gauge, SlotsSpec};
pub use counters::Counters;
pub use fault::{Fault, LiveFault, ScheduledFault};
pub use metered::{MeteredSpec, Quota, Rates};
pub use provisioned::ProvisionedSpec;
pub use quantiles::Quantiles;
pub use spec::{CloudSpec, DEFAULT_SPEC, DeploymentSpec, Dialect, Operation, Spec, SpecError};

/// Prompts from here on are cached, in steps of [`CACHE_STEP`] (OpenAI's prompt-caching rule).
const CACHED_FROM: u64 = 1_024;
const CACHE_STEP: u64 = 128;

/// More live faults than this at a time is a mistake.
const MAX_LIVE_FAULTS: usize = 32;

/// One provider: its deployments' capacity, its faults, its counts.
#[derive(Debug)]
pub struct Cloud {
    spec: CloudSpec,
    seed: u64,
    capacities: Vec<Capacity>,
    faults: Faults,
    total: Counters,
    counters: Vec<Counters>,
    calls: u64,
}

impl Cloud {
    pub fn new(spec: CloudSpec, seed: u64) -> Cloud {
        let capacities: Vec<_> = spec.deployments.iter().map(|d| Capacity::new(&d.capacity)).collect();
        let counters = vec![Counters::default(); capacities.len()];
        let faults = Faults::new(spec.faults.clone());
        Cloud { spec, seed, capacities, faults, total: Counters::default(), counters, calls: 0 }
    }

    pub fn spec(&self) -> &CloudSpec {
        &self.spec
    }

    pub fn deployment(&self, deployed: Deployed) -> &DeploymentSpec {
        &self.spec.deployments[deployed.0]
    }

    /// The deployment of that name, if it serves that operation.
    pub fn find(&self, name: &str, operation: Operation) -> Option<Deployed> {
        let serves = |d: &DeploymentSpec| d.name == name && d.operations.contains(&operation);
        self.spec.deployments.iter().position(serves).map(Deployed)
    }

    /// Decides about a call; the only place where capacity is taken.
    pub fn call(&mut self, at_ns: u64, call: &Call<'_>) -> Verdict {
        self.calls += 1;
        let primary = call.deployment.0;
        if self.faults.refuses_connections(at_ns) {
            self.count(Some(primary), |c| {
                c.requests += 1;
                c.failed += 1;
                c.faulted += 1;
            });
            return Verdict::Hang;
        }
        let first = match self.attempt(at_ns, primary, call) {
            Ok(admitted) => return Verdict::Serve(self.answer(at_ns, admitted, call, None)),
            Err(refused) => refused,
        };
        let mut spill_failed = None;
        if let Some(target) = self.spillover(primary, call, first.0) {
            match self.attempt(at_ns, target, call) {
                Ok(admitted) => {
                    return Verdict::Serve(self.answer(at_ns, admitted, call, Some(call.deployment)));
                }
                Err((reason, _)) => spill_failed = Some(reason),
            }
        }
        Verdict::Refuse(self.refusal(at_ns, primary, first, spill_failed))
    }

    /// The call of `ticket` is over, after `emitted` output tokens.
    pub fn finish(&mut self, at_ns: u64, ticket: Ticket, emitted: u64, ending: Ending) {
        let Ticket { deployment, charged, truth, claimed, .. } = ticket;
        let capacity = &mut self.capacities[deployment];
        let used = capacity.charge(truth.prompt, truth.cached, emitted);
        capacity.release(at_ns, charged, used);
        let mut tally =
            Tally { prompt: truth.prompt, cached: truth.cached, output: emitted, ..Tally::default() };
        if ending == Ending::Whole {
            (tally.reported_prompt, tally.reported_output) = (claimed.prompt, claimed.output);
        }
        self.count(Some(deployment), |c| c.ended(ending, tally));
    }

    /// A call that never got as far as capacity: key, path, model, body or content filter.
    pub fn reject(&mut self, deployment: Option<Deployed>) {
        self.count(deployment.map(|d| d.0), |c| {
            c.requests += 1;
            c.rejected += 1;
        });
    }

    /// Replaces the live faults; refuses the whole list if one of them makes no sense.
    pub fn put_faults(&mut self, at_ns: u64, faults: Vec<LiveFault>) -> Result<(), String> {
        if faults.len() > MAX_LIVE_FAULTS {
            return Err(format!("{} faults at a time, over {MAX_LIVE_FAULTS}", faults.len()));
        }
        for live in &faults {
            self.spec.check_deployment(live.deployment.as_deref())?;
            live.fault.check()?;
        }
        self.faults.put(at_ns, faults);
        Ok(())
    }

    pub fn live_faults(&self, at_ns: u64) -> impl Iterator<Item = &LiveFault> {
        self.faults.live(at_ns)
    }

    pub fn refuses_connections(&self, at_ns: u64) -> bool {
        self.faults.refuses_connections(at_ns)
    }

    pub fn total(&self) -> &Counters {
        &self.total
    }

    /// Each deployment with what it counted.
    pub fn counters(&self) -> impl Iterator<Item = (&DeploymentSpec, &Counters)> {
        self.spec.deployments.iter().zip(&self.counters)
    }

    /// The numbers of call `number` for `purpose`, for what the shell writes (text, request ids).
    pub fn stream(&self, purpose: Purpose, number: u64) -> Rng {
        Rng::stream(self.seed, &self.spec.name, purpose, number)
    }

    /// The number of the latest call, from 1.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    fn attempt(
        &mut self,
        at_ns: u64,
        index: usize,
        call: &Call<'_>,
    ) -> Result<Admitted, (Reason, Option<u64>)> {
        let spec = &self.spec.deployments[index];
        let effects = self.faults.effects(at_ns, &spec.name);
        // Each deployment draws for itself, or a spilled call would always share its first one's luck.
        let drawing = self.calls.wrapping_mul(self.capacities.len() as u64).wrapping_add(index as u64);
        let chance = Chance::draw(&mut self.stream(Purpose::Fault, drawing), &effects);
        if let Some((_, wait)) = effects.storm.filter(|_| chance.storm) {
            return Err((Reason::Storm, Some(wait)));
        }
        if let Some((_, status)) = effects.errors.filter(|_| chance.error) {
            return Err((Reason::BrownOut { status }, None));
        }
        let asked = call.prompt_tokens.saturating_add(call.max_tokens.unwrap_or(0));
        if asked > spec.context_tokens {
            return Err((Reason::ContextTooLong { context_tokens: spec.context_tokens, asked }, None));
        }
        let cached = cached_tokens(spec, call);
        let estimate = if call.operation == Operation::Embeddings {
            0
        } else {
            call.max_tokens.unwrap_or(spec.output_tokens.p50)
        };
        let capacity = &mut self.capacities[index];
        let charged = capacity.charge(call.prompt_tokens, cached, estimate);
        match capacity.admit(at_ns, charged, effects.limit_percent.unwrap_or(100)) {
            Ok(()) => Ok(Admitted { index, charged, cached, effects, chance }),
            Err(Full::Utilization(wait)) => Err((Reason::Utilization, Some(wait))),
            Err(Full::Quota(quota, wait)) => Err((Reason::Quota(quota), Some(wait))),
            Err(Full::Slots { status, retry_after_ns }) => {
                Err((Reason::Slots { status }, Some(retry_after_ns)))
            }
        }
    }

    /// Where Azure would serve the call instead; the deployment's own property wins over the header.
    fn spillover(&self, primary: usize, call: &Call<'_>, reason: Reason) -> Option<usize> {
        let spec = &self.spec.deployments[primary];
        let able = self.spec.dialect == Dialect::Azure
            && matches!(spec.capacity, CapacitySpec::Provisioned(_))
            && call.operation != Operation::Responses
            && reason.spills();
        let name = spec.spillover_deployment.as_deref().or(call.spill_to).filter(|_| able)?;
        let target = self.find(name, call.operation)?.0;
        (target != primary && self.spec.deployments[target].model == spec.model).then_some(target)
    }

    fn answer(
        &mut self,
        at_ns: u64,
        admitted: Admitted,
        call: &Call<'_>,
        spilled_from: Option<Deployed>,
    ) -> Answer {
        let Admitted { index, charged, cached, effects, chance } = admitted;
        let number = self.calls;
        let spec = &self.spec.deployments[index];
        let (output_tokens, at_limit) = self.output(spec, call);
        let slow_percent = effects.slow_percent.unwrap_or(100);
        let drawn_ms = spec.first_token_ms.draw(&mut self.stream(Purpose::FirstToken, number));
        let prefill_us = (call.prompt_tokens - cached).saturating_mul(spec.prefill_us_per_token);
        let first_token_ns =
            drawn_ms.saturating_mul(1_000_000).saturating_add(prefill_us.saturating_mul(1_000));
        let truth = Usage { prompt: call.prompt_tokens, cached, output: output_tokens };
        let claimed = effects.usage_percent.map_or(truth, |percent| truth.scaled(percent));
        let pacing =
            Pacing { rng: self.stream(Purpose::TokenGap, number), gap_us: spec.token_gap_us, slow_percent };
        let cut_after_chunks = effects.cut.filter(|_| chance.cut).map(|(_, after)| after);
        let stall = effects.stall.filter(|_| chance.stall);
        let stall = stall.map(|(_, after_chunks, for_ns)| Stall { after_chunks, for_ns });
        let faulted =
            slow_percent != 100 || claimed != truth || cut_after_chunks.is_some() || stall.is_some();
        self.count(Some(index), |c| {
            c.admitted(spilled_from.is_some());
            c.faulted += u64::from(faulted);
        });
        Answer {
            ticket: Ticket { deployment: index, number, charged, truth, claimed },
            served_by: Deployed(index),
            spilled_from,
            output_tokens,
            at_limit,
            usage: claimed,
            first_token_ns: slowed(first_token_ns, slow_percent),
            pacing,
            cut_after_chunks,
            stall,
            gauge: self.capacities[index].gauge(at_ns, effects.limit_percent.unwrap_or(100)),
        }
    }

    /// Output tokens, and whether `max_tokens` ended them.
    fn output(&self, spec: &DeploymentSpec, call: &Call<'_>) -> (u64, bool) {
        if call.operation == Operation::Embeddings {
            return (0, false);
        }
        if let Some(exact) = call.output_tokens {
            return (exact, false);
        }
        let drawn = spec.output_tokens.draw(&mut self.stream(Purpose::OutputLength, self.calls));
        match call.max_tokens {
            Some(most) if most < drawn => (most, true),
            _ => (drawn, false),
        }
    }

    fn refusal(
        &mut self,
        at_ns: u64,
        index: usize,
        (reason, retry_after_ns): (Reason, Option<u64>),
        spill_failed: Option<Reason>,
    ) -> Refusal {
        self.count(Some(index), |c| {
            c.requests += 1;
            c.faulted += u64::from(matches!(reason, Reason::Storm | Reason::BrownOut { .. }));
            match reason {
                Reason::Utilization | Reason::Quota(_) | Reason::Slots { .. } | Reason::Storm => {
                    c.throttled += 1
                }
                Reason::BrownOut { .. } => c.failed += 1,
                Reason::ContextTooLong { .. } => c.rejected += 1,
            }
        });
        let percent = self.faults.effects(at_ns, &self.spec.deployments[index].name).limit_percent;
        let gauge = self.capacities[index].gauge(at_ns, percent.unwrap_or(100));
        Refusal { by: Deployed(index), reason, retry_after_ns, gauge, spill_failed }
    }

    fn count(&mut self, deployment: Option<usize>, change: impl Fn(&mut Counters)) {
        change(&mut self.total);
        if let Some(index) = deployment {
            change(&mut self.counters[index]);
        }
    }
}

/// What an attempt found out, on the way to an answer.
struct Admitted {
    index: usize,
    charged: u64,
    cached: u64,
    effects: Effects,
    chance: Chance,
}

/// One draw for each kind of fault, in a fixed order, so that one fault doesn't shift another's draws.
struct Chance {
    storm: bool,
    error: bool,
    cut: bool,
    stall: bool,
}

impl Chance {
    fn draw(rng: &mut Rng, effects: &Effects) -> Chance {
        Chance {
            storm: rng.percent(effects.storm.map_or(0, |(percent, _)| percent)),
            error: rng.percent(effects.errors.map_or(0, |(percent, _)| percent)),
            cut: rng.percent(effects.cut.map_or(0, |(percent, _)| percent)),
            stall: rng.percent(effects.stall.map_or(0, |(percent, _, _)| percent)),
        }
    }
}

fn cached_tokens(spec: &DeploymentSpec, call: &Call<'_>) -> u64 {
    if let Some(given) = call.cached_tokens {
        return given.min(call.prompt_tokens);
    }
    if call.prompt_tokens < CACHED_FROM {
        return 0;
    }
    let share = u128::from(call.prompt_tokens) * u128::from(spec.cached_percent) / 100;
    u64::try_from(share).unwrap_or(u64::MAX) / CACHE_STEP * CACHE_STEP
}
