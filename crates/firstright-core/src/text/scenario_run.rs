//! What does the broker make of a scenario? The runner does what the engine does: it submits each line's fact at its
//! time, and a tick whenever a deadline falls between two lines.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::Broker;
use crate::account::AccountId;
use crate::decision::{Action, Decision};
use crate::fact::{Answer, Fact, Failure, LeaseId, Observation, OfferId, Source, Terms};
use crate::show;
use crate::text::scenario::{Law, Problem, Scenario, Step, clock};
use crate::text::scenario_lines::{CallLine, Event, JobLine, Reply, Seen};
use crate::units::Timestamp;
use crate::workload::{Call, CallId, Job, JobId};
use crate::world::{Digest, ModelId, World};

/// Ticks between two lines at most, so that a mistake in the broker cannot make a scenario run for ever.
const MAX_TICKS: usize = 10_000;

/// Runs the scenario and returns its actual output. `load` gives the text of a file of the law, by the name that the
/// scenario gives.
///
/// # Errors
/// A file that cannot be loaded, a law that is wrong, or a line that names something that the law does not know.
pub fn run(
    scenario: &Scenario,
    load: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<String, Problem> {
    let problem = |line, message| Problem { file: scenario.name.clone(), line, message };
    let mut sources: Vec<(String, String)> = Vec::new();
    for ((line, law), number) in scenario.law.iter().zip(1u32..) {
        sources.push(match law {
            Law::File(name) => (name.clone(), load(name).map_err(|message| problem(*line, message))?),
            Law::Inline(text) => (format!("{} law {number}", scenario.name), text.clone()),
        });
    }
    let first = scenario.law.first().map_or(1, |(line, _)| *line);
    let start = Timestamp(scenario.steps.first().map_or(scenario.day.0, |step| step.at.0).saturating_sub(1));
    let mut runner =
        Runner { scenario, broker: Broker::new(), sources, names: Names::default(), out: String::new() };
    runner.enact(start, None).map_err(|message| problem(first, message))?;
    for step in &scenario.steps {
        runner.step(step, load).map_err(|message| problem(step.line, message))?;
    }
    if scenario.settlement {
        let at = scenario.steps.last().map_or(scenario.day, |step| step.at);
        runner.settlement(at);
    }
    Ok(runner.out)
}

struct Runner<'s> {
    scenario: &'s Scenario,
    broker: Broker,
    sources: Vec<(String, String)>,
    names: Names,
    out: String,
}

/// The scenario's names for calls and jobs, in the order in which they first came.
#[derive(Default)]
struct Names {
    calls: Vec<String>,
    jobs: Vec<String>,
    accounts: Vec<String>,
    asked: BTreeMap<CallId, Call>,
    offered: BTreeMap<u64, Terms>,
}

impl Names {
    fn call(&mut self, name: &str) -> CallId {
        CallId(place(&mut self.calls, name))
    }

    fn asked(&mut self, call: Call) -> Call {
        self.asked.insert(call.id, call.clone());
        call
    }

    /// The same as the first attempt in everything.
    fn hedge(&mut self, name: &str, first: &str) -> Result<Call, String> {
        let first = self.call(first);
        let asked = self.asked.get(&first).cloned().ok_or("expected a call that came before")?;
        let id = self.call(name);
        Ok(self.asked(Call { id, hedges: Some(first), ..asked }))
    }

    fn job(&mut self, name: &str) -> JobId {
        JobId(place(&mut self.jobs, name))
    }

    fn known(&self, kind: &str, id: u64) -> Option<String> {
        let nth = usize::try_from(id.checked_sub(1)?).ok()?;
        match kind {
            "call" => self.calls.get(nth).cloned(),
            "job" => self.jobs.get(nth).cloned(),
            "account" => self.accounts.get(nth).cloned(),
            "offer" => Some(format!("o{id}")),
            "lease" => Some(format!("l{id}")),
            _ => None,
        }
    }
}

fn place(names: &mut Vec<String>, name: &str) -> u64 {
    let nth = names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_string());
        names.len().saturating_sub(1)
    });
    u64::try_from(nth).unwrap_or(u64::MAX).saturating_add(1)
}

impl Runner<'_> {
    /// Puts the law in force; a law that is wrong at the start is no scenario.
    fn enact(&mut self, at: Timestamp, name: Option<(String, String)>) -> Result<(), String> {
        let first = name.is_none();
        let mut sources = self.sources.clone();
        sources.retain(|(known, _)| name.as_ref().is_none_or(|(new, _)| new != known));
        sources.extend(name);
        let decisions = self.broker.step(at, &Fact::Enacted { sources: sources.clone() });
        let kept = decisions.iter().find_map(|one| match &one.action {
            Action::KeepLaw { problem } => Some(problem.clone()),
            _ => None,
        });
        match kept {
            Some(problem) if first => return Err(format!("failed to read the law: {problem}")),
            None => self.sources = sources,
            Some(_) => {}
        }
        if !first {
            self.show(at, &decisions);
        }
        Ok(())
    }

    fn step(
        &mut self,
        step: &Step,
        load: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<(), String> {
        for _ in 0..MAX_TICKS {
            match self.broker.next_deadline() {
                Some(due) if due < step.at => {
                    // The engine's clock rises from fact to fact, so a deadline that is past is dealt with now.
                    let at = due.max(Timestamp(self.broker.last().0.saturating_add(1)));
                    if at >= step.at {
                        break;
                    }
                    let decisions = self.broker.step(at, &Fact::Ticked);
                    self.show(at, &decisions);
                }
                _ => break,
            }
        }
        if let Event::Enact { file } = &step.event {
            let text = load(file)?;
            return self.enact(step.at, Some((file.clone(), text)));
        }
        let fact = self.fact(step)?;
        let decisions = self.broker.step(step.at, &fact);
        self.show(step.at, &decisions);
        Ok(())
    }

    fn show(&mut self, at: Timestamp, decisions: &[Decision]) {
        let Some(world) = self.broker.world().cloned() else { return };
        self.names.accounts = self.broker.accounts().map(|known| known.account.id.clone()).collect();
        for decision in decisions {
            if let Action::Offer { offer, terms, .. } = &decision.action {
                self.names.offered.insert(offer.0, *terms);
            }
            let text = show::decision(&world, decision);
            let text = named(&text, &self.names, self.scenario.day);
            self.out.push_str(&format!("{}  {text}\n", clock(self.scenario.day, at)));
        }
    }

    fn settlement(&mut self, at: Timestamp) {
        let Some(world) = self.broker.world().cloned() else { return };
        self.out.push_str("settlement\n");
        for line in self.broker.settlement(at) {
            self.out.push_str(&format!("  {}\n", show::line(&world, &line)));
        }
    }

    fn fact(&mut self, step: &Step) -> Result<Fact, String> {
        let world = self.broker.world().cloned().ok_or("expected a law")?;
        let names = &mut self.names;
        Ok(match &step.event {
            Event::Call(line) => {
                let key = line.key.as_ref().map(|key| self.broker.find_account(key).map(|key| key.number));
                let key = key.map(|key| key.ok_or("expected a key that was made")).transpose()?;
                Fact::CallArrived(call(&world, names, line, key)?)
            }
            Event::Hedge { name, first } => Fact::CallArrived(names.hedge(name, first)?),
            Event::Account(line) => line.fact(self.broker.records()),
            Event::Settle { name, usage, tier, ending, first_byte, seen, ran } => Fact::CallSettled {
                call: names.call(name),
                usage: *usage,
                tier: *tier,
                source: Source::Provider,
                ending: *ending,
                first_byte: *first_byte,
                observed: seen.observation(),
                ran: model_of(&world, ran.as_ref())?,
            },
            Event::Fail { name, kind, status, retry_after } => {
                let (kind, status, retry_after) = (*kind, *status, *retry_after);
                let failure = Failure { kind, status, retry_after, evidence: Digest::default() };
                Fact::AttemptFailed { call: names.call(name), failure }
            }
            Event::Awaited { name, waited } => {
                Fact::AnswerAwaited { call: names.call(name), waited: *waited }
            }
            Event::Abandon { name } => Fact::CallAbandoned { call: names.call(name) },
            Event::Observe { deployment, seen } => Fact::CapacityObserved {
                deployment: known(world.find_deployment(deployment), "a deployment", deployment)?,
                observation: seen.observation().unwrap_or_default(),
            },
            Event::Job(line) => Fact::JobSubmitted(job(&world, names, line, step.at)?),
            Event::Answer { offer, by, answer } => Fact::Answered {
                offer: OfferId(*offer),
                by: known(world.find_party(by), "a party", by)?,
                answer: names.answer(*offer, answer),
            },
            Event::Counter { offer, agreed } => {
                Fact::CounterAnswered { offer: OfferId(*offer), agreed: *agreed }
            }
            Event::Quote { job, provider, hour, span } => Fact::Quoted {
                job: names.job(job),
                provider: known(world.find_provider(provider), "a provider", provider)?,
                hour: *hour,
                until: step.at.plus(*span),
            },
            Event::Declare { provider, accelerator, free } => Fact::PoolDeclared {
                provider: known(world.find_provider(provider), "a provider", provider)?,
                accelerator: accelerator.clone(),
                free: *free,
            },
            Event::Started { lease, engine } => {
                Fact::LeaseStarted { lease: LeaseId(*lease), engine: engine.clone() }
            }
            Event::Metered { lease, seconds } => {
                Fact::LeaseMetered { lease: LeaseId(*lease), accelerator_seconds: *seconds }
            }
            Event::Ended { lease, ending, seconds } => {
                Fact::LeaseEnded { lease: LeaseId(*lease), ending: *ending, accelerator_seconds: *seconds }
            }
            Event::Cancel { job } => Fact::JobCancelled { job: names.job(job) },
            Event::Enact { .. } | Event::Tick => Fact::Ticked,
        })
    }
}

fn known<T>(found: Option<T>, what: &str, name: &str) -> Result<T, String> {
    found.ok_or_else(|| format!("expected {what}, not `{name}`"))
}

fn model_of(world: &World, name: Option<&String>) -> Result<Option<ModelId>, String> {
    name.map(|name| known(world.find_model(name), "a model that a deployment serves", name)).transpose()
}

fn call(world: &World, names: &mut Names, line: &CallLine, key: Option<AccountId>) -> Result<Call, String> {
    let tenant = known(world.find_tenant(&line.tenant), "a tenant", &line.tenant)?;
    let model = known(world.find_model(&line.model), "a model that a deployment serves", &line.model)?;
    let call = Call {
        key,
        region: line.region.clone(),
        home: line
            .home
            .as_ref()
            .map(|home| known(world.find_provider(home), "a provider", home))
            .transpose()?,
        trains: line.trains,
        runs: model_of(world, line.runs.as_ref())?,
        family: line.family,
        tier: line.tier,
        input_most: line.input_most.unwrap_or(line.input),
        media: line.media,
        ..Call::new(names.call(&line.name), tenant, model, line.input, line.max_output)
    };
    Ok(names.asked(call))
}

fn job(world: &World, names: &mut Names, line: &JobLine, at: Timestamp) -> Result<Job, String> {
    Ok(Job {
        id: names.job(&line.name),
        name: line.name.clone(),
        tenant: known(world.find_tenant(&line.tenant), "a tenant", &line.tenant)?,
        purpose: line.purpose,
        model: line.model.clone(),
        accelerators: line.accelerators.clone(),
        count: line.count,
        min_chunk: line.min_chunk.unwrap_or(line.count),
        interconnect: line.interconnect.clone(),
        duration: line.duration,
        region: line.region.clone(),
        data_class: line.data_class.clone(),
        labels: line.labels.clone(),
        deadline: line.deadline.map(|span| at.plus(span)),
        budget: line.budget,
    })
}

impl Names {
    /// What a counter leaves out stays as it was offered.
    fn answer(&self, offer: u64, answer: &Reply) -> Answer {
        match answer {
            Reply::Accept => Answer::Accept,
            Reply::Decline(why) => Answer::Decline(why.clone()),
            Reply::Partial(count) => Answer::Partial(*count),
            Reply::Counter { count, hour, duration } => {
                let offered = self.offered.get(&offer);
                Answer::Counter(Terms {
                    count: count.or(offered.map(|terms| terms.count)).unwrap_or(1),
                    hour: hour.or(offered.and_then(|terms| terms.hour)),
                    duration: duration.or(offered.map(|terms| terms.duration)).unwrap_or_default(),
                })
            }
        }
    }
}

impl Seen {
    fn observation(&self) -> Option<Observation> {
        let any =
            self.utilisation.is_some() || self.remaining.is_some() || self.limit.is_some() || self.spilled;
        any.then_some(Observation {
            limit_tokens: self.limit,
            remaining_tokens: self.remaining,
            limit_requests: None,
            remaining_requests: None,
            utilisation: self.utilisation,
            spilled: self.spilled,
        })
    }
}

/// The text with the scenario's names for `call 1`, `job 1`, `offer 1` and `lease 1`, and its short times.
fn named(text: &str, names: &Names, day: Timestamp) -> String {
    let mut out: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let end = word.trim_end_matches([')', ',', ';', ':']).len();
        let (body, tail) = word.split_at_checked(end).unwrap_or((word, ""));
        let head = body.len().saturating_sub(body.trim_start_matches('(').len());
        let (lead, body) = body.split_at_checked(head).unwrap_or(("", body));
        let id = body.parse::<u64>().ok();
        let name =
            id.and_then(|id| names.known(out.last().map_or("", |last| last.trim_start_matches('(')), id));
        if let Some(name) = name {
            let kind = out.pop().unwrap_or_default();
            let open = if kind.starts_with('(') { "(" } else { "" };
            // At the start of a line `offer` is what is done, elsewhere it says what `o1` is.
            let verb = if out.is_empty() { "offer " } else { "" };
            out.push(format!("{open}{verb}{name}{tail}"));
        } else if let Some(at) = time(body) {
            out.push(format!("{lead}{}{tail}", clock(day, at)));
        } else {
            out.push(word.to_string());
        }
    }
    out.join(" ")
}

/// A time as [`Timestamp`] prints it.
fn time(word: &str) -> Option<Timestamp> {
    let stamp = word.ends_with('Z') && word.contains('T');
    let date = stamp.then(|| word.parse::<toml_datetime::Datetime>().ok()).flatten()?;
    crate::text::value::time(&date, false).ok()
}
