//! What does one line of a scenario say? Comments and the law above, timed events below.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::fact::{Ending, FailureKind, LeaseEnding};
use crate::text::scenario::{Law, Problem, Scenario, Step};
use crate::text::scenario_accounts::AccountLine;
use crate::text::scenario_args::{Args, date, hour, number, one_of, said, span};
use crate::text::value;
use crate::units::{DAY, Money, SECOND, Span, Timestamp, days_of};
use crate::usage::{Tier, Usage};
use crate::workload::{Family, Media, Purpose};

/// What happens, in the names that the scenario gives.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A call arrives.
    Call(CallLine),
    /// A call ends.
    Settle {
        name: String,
        usage: Usage,
        tier: Tier,
        ending: Ending,
        first_byte: Span,
        seen: Seen,
        ran: Option<String>,
    },
    /// An attempt fails.
    Fail { name: String, kind: FailureKind, status: u16, retry_after: Option<Span> },
    /// The first byte of a stream is awaited for so long already.
    Awaited { name: String, waited: Span },
    /// A second attempt is wanted beside a call's first.
    Hedge { name: String, first: String },
    /// The caller goes away.
    Abandon { name: String },
    /// A deployment's capacity is observed.
    Observe { deployment: String, seen: Seen },
    /// A job is submitted.
    Job(JobLine),
    /// A party answers an offer.
    Answer { offer: u64, by: String, answer: Reply },
    /// The operator answers a counter.
    Counter { offer: u64, agreed: bool },
    /// A third party quotes.
    Quote { job: String, provider: String, hour: Money, span: Span },
    /// A provider declares what is free.
    Declare { provider: String, accelerator: String, free: u32 },
    /// A lease's work starts.
    Started { lease: u64, engine: String },
    /// A lease is metered.
    Metered { lease: u64, seconds: u64 },
    /// A lease's work ends.
    Ended { lease: u64, ending: LeaseEnding, seconds: u64 },
    /// The owner cancels a job.
    Cancel { job: String },
    /// A file joins the law.
    Enact { file: String },
    /// Something becomes of an account.
    Account(AccountLine),
    /// Time passes.
    Tick,
}

/// A call, in the names that the scenario gives.
#[derive(Clone, Debug)]
pub(crate) struct CallLine {
    pub name: String,
    pub model: String,
    pub tenant: String,
    pub input: u64,
    pub max_output: u64,
    pub region: Option<String>,
    pub home: Option<String>,
    pub trains: bool,
    pub runs: Option<String>,
    pub key: Option<String>,
    pub family: Family,
    pub tier: Tier,
    pub input_most: Option<u64>,
    pub media: Media,
}

/// What is seen of a deployment's capacity.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// Parts per million.
    pub utilisation: Option<u32>,
    /// Tokens left in the minute.
    pub remaining: Option<u64>,
    /// The token limit in force.
    pub limit: Option<u64>,
    /// Spilled by the provider itself.
    pub spilled: bool,
}

/// What a holder says.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// All.
    Accept,
    /// Nothing, and why.
    Decline(String),
    /// A part.
    Partial(u32),
    /// Other terms; what is left out stays as it was offered.
    Counter { count: Option<u32>, hour: Option<Money>, duration: Option<Span> },
}

/// A job as it is submitted.
#[derive(Clone, Debug)]
pub(crate) struct JobLine {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub tenant: String,
    /// What it is for.
    pub purpose: Purpose,
    /// How many accelerators.
    pub count: u32,
    /// Which will do.
    pub accelerators: Vec<String>,
    /// The smallest piece; all of it if it is left out.
    pub min_chunk: Option<u32>,
    /// How long.
    pub duration: Span,
    /// At most so much in all.
    pub budget: Option<Money>,
    /// From its submission.
    pub deadline: Option<Span>,
    /// Where.
    pub region: Option<String>,
    /// Which model.
    pub model: Option<String>,
    /// Which interconnect.
    pub interconnect: Option<String>,
    /// Its data class.
    pub data_class: String,
    /// Its labels.
    pub labels: Vec<String>,
}

/// The day of a scenario that names none: a Monday.
const DEFAULT_DAY: (u64, u64, u64) = (2026, 3, 2);

/// The failures by their words.
const FAILURES: [(&str, FailureKind); 7] = [
    ("throttled", FailureKind::Throttled),
    ("server-error", FailureKind::ServerError),
    ("unreachable", FailureKind::Unreachable),
    ("timed-out", FailureKind::TimedOut),
    ("rejected", FailureKind::Rejected),
    ("unauthorised", FailureKind::Unauthorised),
    ("unsuitable", FailureKind::Unsuitable),
];

/// Reads a scenario line by line.
pub(super) struct Reader {
    file: String,
    about: Vec<String>,
    proves: Vec<String>,
    law: Vec<(u32, Law)>,
    steps: Vec<Step>,
    settlement: bool,
    day: Timestamp,
    last: Timestamp,
}

impl Reader {
    pub fn new(name: &str) -> Reader {
        let (year, month, day) = DEFAULT_DAY;
        let day = Timestamp(days_of(year, month, day).unwrap_or(0).saturating_mul(DAY));
        Reader {
            file: name.to_string(),
            about: Vec::new(),
            proves: Vec::new(),
            law: Vec::new(),
            steps: Vec::new(),
            settlement: false,
            day,
            last: day,
        }
    }

    pub fn problem(&self, line: u32, message: impl Into<String>) -> Problem {
        Problem { file: self.file.clone(), line, message: message.into() }
    }

    pub fn inline(&mut self, line: u32, law: String) {
        self.law.push((line, Law::Inline(law)));
    }

    pub fn line(&mut self, number: u32, line: &str) -> Result<(), Problem> {
        if let Some(comment) = line.strip_prefix('#') {
            match comment.trim().strip_prefix("proves ") {
                Some(ids) => self.proves.extend(ids.split_whitespace().map(ToString::to_string)),
                None if self.law.is_empty() => self.about.push(comment.trim().to_string()),
                None => {}
            }
            return Ok(());
        }
        let mut args = Args::of(line).map_err(|message| self.problem(number, message))?;
        let Some(first) = args.next() else { return Ok(()) };
        self.said(number, &first, args).map_err(|message| self.problem(number, message))
    }

    fn said(&mut self, line: u32, first: &str, mut args: Args) -> Result<(), String> {
        match first {
            "use" => self.law.push((line, Law::File(args.need("a file of the law")?))),
            "day" => {
                self.day = date(&args.need("a day such as 2026-03-02")?)?;
                self.last = self.day;
            }
            "settlement" => self.settlement = true,
            "until" => {
                let at = self.time(&args.need("a time")?)?;
                self.push(line, at, Event::Tick)?;
            }
            time => {
                let at = self.time(time)?;
                let verb = args.need("what happens, for example `call`")?;
                let event = event(&verb, &mut args)?;
                self.push(line, at, event)?;
            }
        }
        args.end()
    }

    fn push(&mut self, line: u32, at: Timestamp, event: Event) -> Result<(), String> {
        if !self.steps.is_empty() && at <= self.last {
            return Err("expected a later time than that of the line before".to_string());
        }
        self.last = at;
        self.steps.push(Step { at, line, event });
        Ok(())
    }

    /// `09:00:00` on the scenario's day, `2026-03-05T09:00:00`, or `+10s` after the line before.
    fn time(&self, text: &str) -> Result<Timestamp, String> {
        if let Some(later) = text.strip_prefix('+') {
            return Ok(self.last.plus(span(later)?));
        }
        let (day, time) = match text.split_once('T') {
            Some((day, time)) => (date(day)?, time),
            None => (self.day, text),
        };
        let bad = || {
            format!("expected a time such as `09:00:00` or `+10s`, or `use`, `day`, `until`, not `{text}`")
        };
        let mut parts = time.splitn(3, ':');
        let mut part = |most: u64| {
            let text = parts.next().unwrap_or("0");
            text.parse::<u64>().ok().filter(|part| *part <= most && text.len() == 2 || text == "0")
        };
        let (hour, minute) = (part(23).ok_or_else(bad)?, part(59).ok_or_else(bad)?);
        let second = part(59).ok_or_else(bad)?;
        if !time.contains(':') {
            return Err(bad());
        }
        let seconds =
            hour.saturating_mul(3_600).saturating_add(minute.saturating_mul(60)).saturating_add(second);
        Ok(day.plus(Span(seconds.saturating_mul(SECOND))))
    }

    pub fn finish(self, input: String, expected: String) -> Result<Scenario, Problem> {
        if self.law.is_empty() {
            return Err(self.problem(1, "expected `use` with a file of the law, or a `---law` block"));
        }
        Ok(Scenario {
            name: self.file,
            about: self.about.join("\n"),
            proves: self.proves,
            law: self.law,
            steps: self.steps,
            settlement: self.settlement,
            day: self.day,
            expected,
            input,
        })
    }
}

fn event(verb: &str, args: &mut Args) -> Result<Event, String> {
    Ok(match verb {
        "call" => call(args)?,
        "settle" => settle(args)?,
        "fail" => fail(args)?,
        "late" => {
            let (name, waited) = (args.need("a call's name")?, args.need("a span such as 1s")?);
            Event::Awaited { name, waited: span(&waited)? }
        }
        "hedge" => {
            let name = args.need("a name for the second attempt")?;
            args.word("of")?;
            Event::Hedge { name, first: args.need("the call's name")? }
        }
        "abandon" => Event::Abandon { name: args.need("a call's name")? },
        "observe" => Event::Observe { deployment: args.need("a deployment")?, seen: seen(args)? },
        "job" => Event::Job(job(args)?),
        "answer" => answer(args)?,
        "counter" => {
            let offer = args.number('o')?;
            let word = args.need("`agreed` or `refused`")?;
            let agreed = one_of(&word, &[("agreed", true), ("refused", false)])?;
            Event::Counter { offer, agreed }
        }
        "quote" => {
            let (job, provider) = (args.need("a job's name")?, args.need("a provider")?);
            let hour = hour(&args.need("a price such as \"2.10 USD\"")?)?;
            args.word("for")?;
            Event::Quote { job, provider, hour, span: span(&args.need("a span such as 2h")?)? }
        }
        "declare" => {
            let (provider, accelerator) = (args.need("a provider")?, args.need("an accelerator")?);
            Event::Declare { provider, accelerator, free: args.key_of("free")?.ok_or("expected `free=`")? }
        }
        "started" => {
            Event::Started { lease: args.number('l')?, engine: args.need("the engine's name for it")? }
        }
        "metered" => {
            let lease = args.number('l')?;
            Event::Metered { lease, seconds: number(&args.need("accelerator-seconds")?)? }
        }
        "ended" => ended(args)?,
        "cancel" => Event::Cancel { job: args.need("a job's name")? },
        "enact" => Event::Enact { file: args.need("a file of the law")? },
        "tick" => Event::Tick,
        _ => {
            if let Some(line) = AccountLine::read(verb, args)? {
                return Ok(Event::Account(line));
            }
            let verbs = "call, settle, fail, late, hedge, abandon, observe, job, answer, counter, quote, declare, started, metered, \
                         ended, cancel, enact, organisation, team, key, rotate, close or tick";
            return Err(format!("expected {verbs}, not `{verb}`"));
        }
    })
}

fn call(args: &mut Args) -> Result<Event, String> {
    let (name, model) = (args.need("a name for the call")?, args.need("a model")?);
    let tenant = args.need("a tenant")?;
    let size = args.need("a size such as 1200+300")?;
    let expected = || format!("expected a size such as `1200+300`, not `{size}`");
    let (input, output) = size.split_once('+').ok_or_else(expected)?;
    let (input, max_output) = (number(input)?, number(output)?);
    let media = Media {
        audio: args.flag("audio"),
        images: args.key_of("images")?.unwrap_or(0),
        audio_seconds: args.key_of("seconds")?.unwrap_or(0),
        characters: args.key_of("characters")?.unwrap_or(0),
    };
    Ok(Event::Call(CallLine {
        name,
        model,
        tenant,
        input,
        max_output,
        region: args.key("region"),
        home: args.key("home"),
        trains: args.flag("trains"),
        runs: args.key("runs"),
        key: args.key("key"),
        family: args.key("family").map_or(Ok(Family::default()), |word| one_of(&word, &Family::ALL))?,
        tier: tier(args)?,
        input_most: args.key_of("most")?,
        media,
    }))
}

fn settle(args: &mut Args) -> Result<Event, String> {
    let name = args.need("a call's name")?;
    let mut used = |key| args.key_of::<u64>(key).map(|used| used.unwrap_or(0));
    let usage = Usage {
        input: used("input")?,
        cached_input: used("cached")?,
        cache_write: used("cache-write")?,
        cache_write_hour: used("cache-write-hour")?,
        output: used("output")?,
        reasoning: used("reasoning")?,
        audio_in: used("audio-in")?,
        audio_out: used("audio-out")?,
        images: used("images")?,
        audio_seconds: used("seconds")?,
        characters: used("characters")?,
        trained: used("trained")?,
        requests: 1,
    };
    let tier = tier(args)?;
    let first_byte = args.key("first-byte").map_or(Ok(Span(0)), |text| span(&text))?;
    let seen = seen(args)?;
    let ran = args.key("ran");
    let words = [
        ("complete", Ending::Complete),
        ("cut", Ending::Cut),
        ("abandoned", Ending::Abandoned),
        ("lost", Ending::Lost),
    ];
    let ending = args.next().map_or(Ok(Ending::Complete), |word| one_of(&word, &words))?;
    Ok(Event::Settle { name, usage, tier, ending, first_byte, seen, ran })
}

fn tier(args: &mut Args) -> Result<Tier, String> {
    args.key("tier").map_or(Ok(Tier::Default), |word| one_of(&word, &Tier::NAMED))
}

fn seen(args: &mut Args) -> Result<Seen, String> {
    let share = |text: String| value::share_or_more(&text).map_err(said);
    Ok(Seen {
        utilisation: args.key("utilisation").map(share).transpose()?,
        remaining: args.key_of("remaining")?,
        limit: args.key_of("limit")?,
        spilled: args.flag("spilled"),
    })
}

fn fail(args: &mut Args) -> Result<Event, String> {
    let name = args.need("a call's name")?;
    let retry_after = args.key("retry-after").map(|text| span(&text)).transpose()?;
    let kind = one_of(&args.need("how it failed")?, &FAILURES)?;
    let status = args.next().map_or(Ok(0), |word| number(&word))?;
    Ok(Event::Fail { name, kind, status: u16::try_from(status).unwrap_or(u16::MAX), retry_after })
}

fn job(args: &mut Args) -> Result<JobLine, String> {
    let (name, tenant) = (args.need("a name for the job")?, args.need("a tenant")?);
    let purposes = crate::text::scopes::JOB_PURPOSES.map(|purpose| (purpose.word(), purpose));
    let purpose = one_of(&args.need("a purpose such as training")?, &purposes)?;
    let list = |text: Option<String>| -> Vec<String> {
        text.map(|text| text.split(',').map(ToString::to_string).collect()).unwrap_or_default()
    };
    let hours: u64 = args.key_of("hours")?.ok_or("expected `hours=`")?;
    Ok(JobLine {
        name,
        tenant,
        purpose,
        count: args.key_of("count")?.ok_or("expected `count=`")?,
        accelerators: list(args.key("accelerators")),
        min_chunk: args.key_of("min-chunk")?,
        duration: Span(hours.saturating_mul(crate::units::HOUR)),
        budget: args.key("budget").map(|text| hour(&text)).transpose()?,
        deadline: args.key("deadline").map(|text| span(text.trim_start_matches('+'))).transpose()?,
        region: args.key("region"),
        model: args.key("model"),
        interconnect: args.key("interconnect"),
        data_class: args.key("data-class").unwrap_or_default(),
        labels: list(args.key("labels")),
    })
}

fn answer(args: &mut Args) -> Result<Event, String> {
    let offer = args.number('o')?;
    args.word("by")?;
    let by = args.need("a party")?;
    let answer = match args.need("accept, decline, partial or counter")?.as_str() {
        "accept" => Reply::Accept,
        "decline" => Reply::Decline(args.next().unwrap_or_default()),
        "partial" => Reply::Partial(u32::try_from(number(&args.need("how many")?)?).unwrap_or(u32::MAX)),
        "counter" => Reply::Counter {
            count: args.key_of("count")?,
            hour: args.key("hour").map(|text| hour(&text)).transpose()?,
            duration: args
                .key_of::<u64>("hours")?
                .map(|hours| Span(hours.saturating_mul(crate::units::HOUR))),
        },
        other => return Err(format!("expected accept, decline, partial or counter, not `{other}`")),
    };
    Ok(Event::Answer { offer, by, answer })
}

fn ended(args: &mut Args) -> Result<Event, String> {
    let lease = args.number('l')?;
    let seconds = args.key_of("seconds")?.unwrap_or(0);
    let word = args.need("how it ended")?;
    let ending = match word.as_str() {
        "failed" => {
            let code = args.next().map_or(Ok(1), |code| number(&code))?;
            LeaseEnding::Failed(i32::try_from(code).unwrap_or(1))
        }
        _ => one_of(
            &word,
            &[
                ("completed", LeaseEnding::Completed),
                ("interrupted", LeaseEnding::Interrupted),
                ("lost", LeaseEnding::Lost),
                ("cancelled", LeaseEnding::Cancelled),
            ],
        )?,
    };
    Ok(Event::Ended { lease, ending, seconds })
}
