//! What is done with each request? It is checked against what is known, put on record, and answered.

use firstright_core::decision::Decision;
use firstright_core::fact::{Answer, Fact, LeaseEnding, OfferId, Terms};
use firstright_core::show;
use firstright_core::workload::JobId;
use firstright_core::world::{ProviderId, World};
use firstright_engine::Stepped;

use super::actor::Actor;
use super::{Log, Problem, ProblemKind, Reply, Request, Said};
use crate::board::refused;
use crate::job_file::{self, JobFile, did_you_mean};
use crate::local::Stop;

/// Characters of a reason that are kept: it goes into the journal.
const MAX_REASON: usize = 1_000;

impl Actor {
    /// Answers a request. Whoever asked may have gone: then the answer is dropped.
    pub(super) fn asked(&mut self, request: Request) {
        match request {
            Request::Submit { file, text, ask } => drop(ask.send(self.submit_file(&file, &text))),
            Request::Cancel { job, ask } => drop(ask.send(self.cancel_job(job))),
            Request::Answer { offer, by, reply, ask } => drop(ask.send(self.answer(offer, &by, reply))),
            Request::Counter { offer, agreed, ask } => {
                let known = self.known_offer(offer);
                drop(ask.send(known.and_then(|()| self.said(&Fact::CounterAnswered { offer, agreed }))));
            }
            Request::Quote { job, provider, hour, until, ask } => {
                let known = self.known_job(job).and_then(|()| provider_of(&self.world(), &provider));
                let said = known.and_then(|provider| self.said(&Fact::Quoted { job, provider, hour, until }));
                drop(ask.send(said));
            }
            Request::Declare { provider, accelerator, free, ask } => {
                drop(ask.send(self.declare(&provider, accelerator, free)));
            }
            Request::Lose { provider, ask } => drop(ask.send(self.lose(&provider))),
            Request::Jobs { ask } => drop(ask.send(Ok(self.board.jobs(&self.world())))),
            Request::Job { job, ask } => {
                let view = self.board.job(&self.world(), job);
                drop(ask.send(view.ok_or_else(|| no_job(job))));
            }
            Request::Offers { ask } => drop(ask.send(Ok(self.board.offers(&self.world())))),
            Request::Stop { ask } => drop(ask.send(Ok(()))),
            Request::Log { job, lease, ask } => {
                let found = self.known_job(job).and_then(|()| {
                    let found = self.board.lease_for_log(job, lease);
                    found.ok_or_else(|| {
                        Problem::unknown("no-lease", format!("job {} has no such lease", job.0))
                    })
                });
                let log = found.map(|(lease, piece, ended)| {
                    let path = self.jobs.lease(job, piece, lease).file("log");
                    Log { lease, path, ended, over: self.board.is_over(job) && !self.has_process(job) }
                });
                drop(ask.send(log));
            }
        }
    }

    fn submit_file(&mut self, name: &str, text: &str) -> Result<Said, Problem> {
        let bad = |problems: &[_]| {
            let message = job_file::render(problems, name, text);
            Problem::new(ProblemKind::Invalid, "bad-job", message)
        };
        let file = JobFile::read(name, text).map_err(|problems| bad(&problems))?;
        let tenant = file.resolve(&self.world()).map_err(|problems| bad(&problems))?;
        let now = self.engine.read(|_, now| now);
        let failed = |error: std::io::Error| {
            Problem::new(ProblemKind::Failed, "no-folder", format!("failed to write the job down: {error}"))
        };
        self.jobs.stage(text).map_err(failed)?;
        let mut fact = None;
        let (id, stepped) = self.engine.submit_job(|id| {
            let job = Fact::JobSubmitted(file.job(id, tenant, now));
            fact = Some(job.clone());
            job
        });
        if let Some(fact) = fact {
            self.noted(&fact, &stepped);
        }
        self.jobs.name(id).map_err(failed)?;
        Ok(Said { job: Some(id), ..self.words(&stepped) })
    }

    fn cancel_job(&mut self, job: JobId) -> Result<Said, Problem> {
        self.known_job(job)?;
        self.said(&Fact::JobCancelled { job })
    }

    fn answer(&mut self, offer: OfferId, by: &str, reply: Reply) -> Result<Said, Problem> {
        self.known_offer(offer)?;
        let world = self.world();
        let party = world.find_party(by).ok_or_else(|| {
            let names = world.parties.iter().map(|party| party.id.as_str());
            Problem::new(ProblemKind::Invalid, "unknown-party", unknown("party", by, names))
        })?;
        let answer = match reply {
            Reply::Accept => Answer::Accept,
            Reply::Decline(reason) => Answer::Decline(reason.chars().take(MAX_REASON).collect()),
            Reply::Partial(count) => Answer::Partial(count),
            Reply::Counter { count, hour } => {
                let duration = self.board.offered(offer).map(|terms| terms.duration).unwrap_or_default();
                Answer::Counter(Terms { count, hour: Some(hour), duration })
            }
        };
        self.said(&Fact::Answered { offer, by: party, answer })
    }

    fn declare(&mut self, provider: &str, accelerator: String, free: u32) -> Result<Said, Problem> {
        let world = self.world();
        let provider = provider_of(&world, provider)?;
        let pools = &world.provider(provider).pools;
        if !pools.iter().any(|pool| pool.accelerator == accelerator) {
            let names = pools.iter().map(|pool| pool.accelerator.as_str());
            let message = unknown("such accelerator", &accelerator, names);
            return Err(Problem::unknown("unknown-accelerator", message));
        }
        self.said(&Fact::PoolDeclared { provider, accelerator, free })
    }

    /// Nothing is free there from now on; each lease ends as lost as soon as nothing is left of its process, so that it
    /// never runs twice.
    fn lose(&mut self, provider: &str) -> Result<Said, Problem> {
        let world = self.world();
        let provider = provider_of(&world, provider)?;
        let mut said = Said { record: 0, job: None, decided: Vec::new() };
        for pool in &world.provider(provider).pools {
            let accelerator = pool.accelerator.clone();
            let next = self.said(&Fact::PoolDeclared { provider, accelerator, free: 0 })?;
            said.record = next.record;
            said.decided.extend(next.decided);
        }
        let [running, pending] = self.leases_at(&world, provider);
        for lease in running {
            said.decided.push(format!("kill lease {}", lease.0));
            if let Some(running) = self.running.get_mut(&lease) {
                running.lost = true;
                // Without the mark a restart before the end takes the loss for an interruption: worse, not wrong.
                let _ = running.files.mark_lost();
                running.stop.send_replace(Stop::AtOnce);
            }
        }
        for lease in pending {
            self.pending.retain(|one| *one != lease);
            self.end(lease, LeaseEnding::Lost, 0);
        }
        Ok(said)
    }

    /// Puts a fact on record, and says what followed; a fact without effect is a conflict.
    fn said(&mut self, fact: &Fact) -> Result<Said, Problem> {
        let stepped = self.submit(fact);
        let said = self.words(&stepped);
        match refused(&stepped.decisions) {
            None => Ok(said),
            Some(note) => {
                let reasons = show::reasons(&self.world(), note).join("; ");
                let message = format!("{reasons} (record {})", said.record);
                Err(Problem::new(ProblemKind::Conflict, "no-effect", message))
            }
        }
    }

    fn words(&self, stepped: &Stepped) -> Said {
        let world = self.world();
        let words = |decision: &Decision| show::decision(&world, decision);
        Said { record: stepped.record, job: None, decided: stepped.decisions.iter().map(words).collect() }
    }

    fn known_job(&self, job: JobId) -> Result<(), Problem> {
        self.board.job_of(job).map(|_| ()).ok_or_else(|| no_job(job))
    }

    fn known_offer(&self, offer: OfferId) -> Result<(), Problem> {
        let known = self.board.knows_offer(offer);
        known
            .then_some(())
            .ok_or_else(|| Problem::unknown("no-offer", format!("there is no offer {}", offer.0)))
    }
}

fn no_job(job: JobId) -> Problem {
    Problem::unknown("no-job", format!("there is no job {}", job.0))
}

fn provider_of(world: &World, id: &str) -> Result<ProviderId, Problem> {
    world.find_provider(id).ok_or_else(|| {
        let names = world.hosts().map(|(_, provider)| provider.id.as_str());
        Problem::unknown("unknown-provider", unknown("provider", id, names))
    })
}

fn unknown<'n>(what: &str, name: &str, names: impl Iterator<Item = &'n str>) -> String {
    let help = did_you_mean(name, names).map_or(String::new(), |help| format!("; {help}"));
    format!("there is no {what} `{name}`{help}")
}
