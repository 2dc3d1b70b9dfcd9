//! Which commands speak with the job plane, and what do they print?

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firstright_dispatch::board::{JobView, OfferView};
use firstright_dispatch::job_file::{self, JobFile};

use super::access::{AccessArgs, Found, find};
use super::client::{Answer, get, post, send};
use super::show;
use crate::admin::answer::FILE_NAME;
use crate::admin::{AnswerBody, CounterBody, DeclareBody, ReloadBody, SaidBody, logs};
use crate::reload::Report;

/// How often a job that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// The commands of the job plane.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Submit a job.
    Submit {
        /// Its job file.
        #[arg(value_name = "JOB.TOML")]
        file: PathBuf,
        /// Wait for its end, and fail if it does not complete.
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// List the jobs, or show one with its leases, offers and reasons.
    Jobs {
        /// One job.
        job: Option<u64>,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// List the offers to holders of a first right.
    Offers {
        #[command(flatten)]
        access: AccessArgs,
    },
    /// Answer an offer, for the party that holds the right.
    Answer {
        /// Which offer.
        offer: u64,
        /// For whom: the party's id.
        #[arg(long = "as", value_name = "PARTY", global = true)]
        by: Option<String>,
        #[command(subcommand)]
        answer: AnswerWord,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// Answer a holder's counter, for the operator.
    Counter {
        /// Which offer.
        offer: u64,
        /// What to say.
        answer: CounterWord,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// Cancel a job.
    Cancel {
        /// Which job.
        job: u64,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// Print what a job wrote.
    Logs {
        /// Which job.
        job: u64,
        /// Of which lease; of the newest if it is left out.
        #[arg(long)]
        lease: Option<u64>,
        /// Go on until the job is over.
        #[arg(long)]
        follow: bool,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// Read configuration, law and certificates again, and put them in force; all of it or nothing.
    Reload {
        #[command(flatten)]
        access: AccessArgs,
    },
    /// Say what has become of a provider's capacity.
    Provider {
        #[command(subcommand)]
        said: ProviderWord,
        #[command(flatten)]
        access: AccessArgs,
    },
}

/// A holder's answer.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum AnswerWord {
    /// Take all of it.
    Accept,
    /// Take none of it.
    Decline {
        /// Why.
        reason: Option<String>,
    },
    /// Take a part of it.
    Partial {
        /// How many accelerators.
        count: u32,
    },
    /// Propose other terms.
    Counter {
        /// How many accelerators.
        #[arg(long)]
        count: u32,
        /// For how much an hour of one: `2.50 USD`.
        #[arg(long)]
        hour: String,
    },
}

/// The operator's answer to a counter.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterWord {
    /// It is agreed.
    Agree,
    /// It is not; the window runs on.
    Refuse,
}

/// What has become of a provider's capacity.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum ProviderWord {
    /// It is lost: its leases end, and their jobs go on elsewhere.
    Lose {
        /// Which provider.
        provider: String,
    },
    /// So much is free.
    Declare {
        /// Which provider.
        provider: String,
        /// Which kind.
        accelerator: String,
        /// How many.
        free: u32,
    },
}

/// Why a command failed, for people.
#[derive(Debug)]
pub struct CommandError(String);

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.trim_end())
    }
}

impl std::error::Error for CommandError {}

/// Runs a command.
///
/// # Errors
/// If the admin API is not found, or refuses.
pub fn run(command: &Command) -> Result<(), CommandError> {
    let mut out = std::io::stdout().lock();
    done(command, &mut out).map_err(CommandError)
}

fn done(command: &Command, out: &mut impl Write) -> Result<(), String> {
    match command {
        Command::Submit { file, wait, access } => submit(file, *wait, access, out),
        Command::Jobs { job: None, access } => {
            let answer = get(&find(access)?, "/admin/jobs")?;
            print(out, access, &answer, |answer| Ok(show::jobs(&answer.json::<Vec<JobView>>()?)))
        }
        Command::Jobs { job: Some(job), access } => {
            let answer = get(&find(access)?, &format!("/admin/jobs/{job}"))?;
            print(out, access, &answer, |answer| Ok(show::job(&answer.json()?)))
        }
        Command::Offers { access } => {
            let answer = get(&find(access)?, "/admin/offers")?;
            print(out, access, &answer, |answer| Ok(show::offers(&answer.json::<Vec<OfferView>>()?)))
        }
        Command::Answer { offer, by, answer, access } => {
            let by = by.clone().ok_or("failed to answer: say for which party, with `--as PARTY`")?;
            let body = body_of(by, answer);
            said(out, access, &post(&find(access)?, &format!("/admin/offers/{offer}/answer"), &body)?)
        }
        Command::Counter { offer, answer, access } => {
            let body = CounterBody { agreed: *answer == CounterWord::Agree };
            said(out, access, &post(&find(access)?, &format!("/admin/offers/{offer}/counter"), &body)?)
        }
        Command::Cancel { job, access } => {
            said(out, access, &send(&find(access)?, "DELETE", &format!("/admin/jobs/{job}"), &[], b"")?)
        }
        Command::Logs { job, lease, follow, access } => read_logs(&find(access)?, *job, *lease, *follow, out),
        Command::Reload { access } => reload(out, access),
        Command::Provider { said: word, access } => {
            let found = find(access)?;
            let answer = match word {
                ProviderWord::Lose { provider } => {
                    send(&found, "POST", &format!("/admin/providers/{}/lose", segment(provider)?), &[], b"")?
                }
                ProviderWord::Declare { provider, accelerator, free } => {
                    let body = DeclareBody { accelerator: accelerator.clone(), free: *free };
                    post(&found, &format!("/admin/providers/{}/declare", segment(provider)?), &body)?
                }
            };
            said(out, access, &answer)
        }
    }
}

fn reload(out: &mut impl Write, access: &AccessArgs) -> Result<(), String> {
    let answer = send(&find(access)?, "POST", "/admin/reload", &[], b"")?;
    print(out, access, &answer, |answer| {
        let ReloadBody { version, record, changes, warnings } = answer.json()?;
        Ok(format!("{}\n", Report { version, record, changes, warnings }))
    })
}

/// Ids go into the path as they are; what could change its meaning is no id.
fn segment(id: &str) -> Result<&str, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let fit = !id.is_empty() && id.bytes().all(plain);
    fit.then_some(id).ok_or_else(|| format!("there is no provider `{id}`"))
}

fn body_of(by: String, answer: &AnswerWord) -> AnswerBody {
    let (word, reason, count, hour) = match answer {
        AnswerWord::Accept => ("accept", None, None, None),
        AnswerWord::Decline { reason } => ("decline", reason.clone(), None, None),
        AnswerWord::Partial { count } => ("partial", None, Some(*count), None),
        AnswerWord::Counter { count, hour } => ("counter", None, Some(*count), Some(hour.clone())),
    };
    AnswerBody { by, answer: word.to_string(), reason, count, hour }
}

fn submit(path: &Path, wait: bool, access: &AccessArgs, out: &mut impl Write) -> Result<(), String> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| format!("failed to read `{shown}`: {error}"))?;
    // What is wrong with the file itself is said here, without a server.
    JobFile::read(&shown, &text).map_err(|problems| job_file::render(&problems, &shown, &text))?;
    let found = find(access)?;
    let name = Some(shown.as_str()).filter(|name| name.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    let headers = [(FILE_NAME, name.unwrap_or("job.toml"))];
    let answer = send(&found, "POST", "/admin/jobs", &headers, text.as_bytes())?;
    let job = answer.json::<SaidBody>()?.job.ok_or("failed to read the answer: it names no job")?;
    if !wait {
        return print(out, access, &answer, |answer| {
            let said: SaidBody = answer.json()?;
            Ok(format!("job {job} is submitted (record {})\n{}", said.record, lines(&said.decided)))
        });
    }
    loop {
        let answer = get(&found, &format!("/admin/jobs/{job}"))?;
        let view: JobView = answer.json()?;
        if ["completed", "failed", "cancelled", "refused"].contains(&view.state.as_str()) {
            print(out, access, &answer, |_| Ok(show::job(&view)))?;
            let done = view.state == "completed";
            return done
                .then_some(())
                .ok_or_else(|| format!("job {job} is not completed: it is {}", view.state));
        }
        std::thread::sleep(LOOK);
    }
}

fn read_logs(
    found: &Found,
    job: u64,
    lease: Option<u64>,
    follow: bool,
    out: &mut impl Write,
) -> Result<(), String> {
    let (mut current, mut offset) = (lease, 0);
    loop {
        let lease_part = current.map_or(String::new(), |lease| format!("&lease={lease}"));
        let follow_part = u8::from(follow);
        let path = format!("/admin/jobs/{job}/logs?offset={offset}&follow={follow_part}{lease_part}");
        let answer = get(found, &path)?;
        out.write_all(&answer.body)
            .and_then(|()| out.flush())
            .map_err(|error| format!("failed to print: {error}"))?;
        current = current.or(answer.number(logs::LEASE));
        offset = answer.number(logs::OFFSET).unwrap_or(offset);
        if !answer.body.is_empty() {
            continue;
        }
        let flag = |name| answer.number(name) == Some(1);
        if !follow {
            return Ok(());
        }
        if !flag(logs::ENDED) {
            continue;
        }
        // The job may have gone on: its next lease is followed from its beginning. Whether the job is over was said
        // before the leases are looked at, so that none is missed.
        let view: JobView = get(found, &format!("/admin/jobs/{job}"))?.json()?;
        let next = view.leases.iter().map(|one| one.id).find(|id| Some(*id) > current);
        match next {
            _ if lease.is_some() => return Ok(()),
            Some(next) => (current, offset) = (Some(next), 0),
            None if flag(logs::OVER) => return Ok(()),
            None => std::thread::sleep(LOOK),
        }
    }
}

fn said(out: &mut impl Write, access: &AccessArgs, answer: &Answer) -> Result<(), String> {
    print(out, access, answer, |answer| {
        let said: SaidBody = answer.json()?;
        Ok(format!("record {}\n{}", said.record, lines(&said.decided)))
    })
}

fn lines(all: &[String]) -> String {
    all.iter().map(|line| format!("{line}\n")).collect()
}

/// The answer as it came, or in words.
fn print(
    out: &mut impl Write,
    access: &AccessArgs,
    answer: &Answer,
    words: impl FnOnce(&Answer) -> Result<String, String>,
) -> Result<(), String> {
    let text =
        if access.json { format!("{}\n", String::from_utf8_lossy(&answer.body)) } else { words(answer)? };
    out.write_all(text.as_bytes()).map_err(|error| format!("failed to print: {error}"))
}
