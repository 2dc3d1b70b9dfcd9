//! Which worlds may there be, and what may happen in them? Both are drawn from a tape of numbers, so that a case that
//! fails shrinks to a short tape, and a seed names a case. Every world is a text that `text::read` accepts.

use std::fmt::Write as _;

use firstright_core::Broker;
use firstright_core::account::{Account, AccountId, AccountKind, Budget, BudgetPeriod, Limits};
use firstright_core::decision::{Action, Decision};
use firstright_core::fact::{
    Answer, Ending, Fact, Failure, FailureKind, LeaseEnding, LeaseId, Observation, OfferId, Source, Terms,
};
use firstright_core::journal::{RULES, Record};
use firstright_core::units::{DAY, HOUR, MINUTE, Money, SECOND, Span, Timestamp};
use firstright_core::usage::{Tier, Usage};
use firstright_core::workload::{Call, CallId, Family, Job, JobId, Purpose};
use firstright_core::world::{DeploymentId, Digest, ModelId, PartyId, ProviderId, TenantId, World};

/// One thing that happened. The decisions that deadlines brought come before the fact of their record.
#[derive(Clone, Debug)]
pub enum Event {
    Fact(Fact),
    Decided(Decision),
}

/// Numbers to choose by. A tape that has run out says nought for ever.
pub struct Tape {
    numbers: Vec<u16>,
    next: usize,
}

impl Tape {
    pub fn new(numbers: Vec<u16>) -> Tape {
        Tape { numbers, next: 0 }
    }

    /// A tape of so many numbers from a seed (splitmix64).
    pub fn seeded(seed: u64, length: usize) -> Tape {
        let mut state = seed;
        let mut draw = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (mixed ^ (mixed >> 31)) as u16
        };
        Tape::new((0..length).map(|_| draw()).collect())
    }

    pub fn is_over(&self) -> bool {
        self.next >= self.numbers.len()
    }

    /// A number below `n`.
    fn below(&mut self, n: usize) -> usize {
        let number = self.numbers.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        usize::from(number) % n.max(1)
    }

    /// True so many times in a hundred; never when the tape is over.
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

const MODELS: [&str; 2] = ["gpt-4o", "gpt-mini"];
const REGIONS: [&str; 2] = ["us-east", "eu-west"];
const PARTIES: [&str; 5] = ["us", "azure", "oracle", "core", "soft"];

/// The text of a world: 2 to 5 parties, several agreements that overlap, every kind of clause.
pub fn law(tape: &mut Tape) -> String {
    let mut text = String::from("currency = \"USD\"\n");
    if tape.chance(25) {
        let _ =
            writeln!(text, "limits = {{ open = {}, waiting = {} }}", 4 + tape.below(9), 1 + tape.below(3));
    }
    text += "[[party]]\nid = \"us\"\noperator = true\n";
    let others = 1 + tape.below(4);
    for party in &PARTIES[1..=others] {
        let _ = write!(text, "[[party]]\nid = \"{party}\"\n");
    }
    let providers = others + tape.below(3);
    for nth in 0..providers {
        provider(tape, &mut text, nth, PARTIES[1 + nth % others]);
    }
    let tenants = 1 + tape.below(3);
    for nth in 0..tenants {
        tenant(tape, &mut text, nth);
    }
    for nth in 0..1 + tape.below(4) {
        let other = PARTIES[1 + tape.below(others)];
        let from = tape.pick(&["2025-01-01", "2026-01-01", "2026-01-02T06:00:00Z"]);
        let _ =
            write!(text, "[[agreement]]\nid = \"g{nth}\"\nparties = [\"us\", \"{other}\"]\nfrom = {from}\n");
        if tape.chance(30) {
            let _ = writeln!(text, "until = {}", tape.pick(&["2026-01-03", "2030-12-31"]));
        }
        for clause in 0..1 + tape.below(4) {
            let party = PARTIES[1 + tape.below(others)];
            self::clause(tape, &mut text, clause, party);
        }
    }
    text
}

fn provider(tape: &mut Tape, text: &mut String, nth: usize, party: &str) {
    let place = tape.below(2);
    let (region, jurisdiction) = [("us-east", "us"), ("eu-west", "eu")][place];
    let _ = write!(
        text,
        "[[provider]]\nid = \"p{nth}\"\nparty = \"{party}\"\nregion = \"{region}\"\njurisdiction = \"{jurisdiction}\"\n"
    );
    for (key, value, often) in [
        ("certifications", "soc2", 60),
        ("attestation", "tdx", 40),
        ("encryption", "at-rest", 60),
        ("data-classes", "health", 50),
    ] {
        if tape.chance(often) {
            let _ = writeln!(text, "{key} = [\"{value}\"]");
        }
    }
    for accelerator in ["h100", "a100"] {
        if tape.chance(60) {
            let count = 4 << tape.below(4);
            let _ = write!(text, "[[provider.pool]]\naccelerator = \"{accelerator}\"\ncount = {count}\n");
            if tape.chance(80) {
                let _ = writeln!(text, "hour = \"{} USD/h\"", 1 + tape.below(5));
            }
        }
    }
    for (place, model) in MODELS.iter().enumerate() {
        // Each model stands somewhere, so that agreements may name it.
        if nth > 0 && !tape.chance(65) {
            continue;
        }
        let size = 1 + tape.below(4);
        let capacity = match tape.below(3) {
            0 => format!("{{ concurrent = {size} }}"),
            1 => format!("{{ provisioned = {{ per-minute = {}, units = {size} }} }}", size * 2_000),
            _ => format!(
                "{{ pay-as-you-go = {{ tokens-per-minute = {}, requests-per-minute = {} }} }}",
                size * 3_000,
                size * 20
            ),
        };
        let _ = write!(
            text,
            "[[provider.deployment]]\nid = \"d{nth}-{place}\"\nmodel = \"{model}\"\ncapacity = {capacity}\n"
        );
        if tape.chance(80) {
            let (input, output) = (1 + tape.below(5), 2 + tape.below(9));
            let _ = writeln!(
                text,
                "price = {{ input = \"{input}.25 USD/Mtok\", cached-input = \"0.5 USD/Mtok\", cache-write-hour = \"4 USD/Mtok\", \
                 output = \"{output} USD/Mtok\", trained = \"3 USD/Mtok\" }}"
            );
        }
    }
}

fn tenant(tape: &mut Tape, text: &mut String, nth: usize) {
    let _ = write!(text, "[[tenant]]\nid = \"t{nth}\"\n");
    let lines: [(&str, usize); 10] = [
        ("models = [\"gpt-4*\"]", 10),
        ("jurisdictions = [\"us\"]", 20),
        ("data-class = \"health\"", 20),
        ("labels = [\"gold\"]", 40),
        ("max-wait = \"45s\"", 60),
        ("spill-after = \"3s\"", 40),
        ("hedge-after = \"20ms\"", 50),
        ("weight = 3", 25),
        (["class = \"batch\"", "class = \"sheddable\"", "class = \"critical\""][nth % 3], 50),
        ("substitutes = { \"gpt-4o\" = \"gpt-mini\" }", 40),
    ];
    for (line, often) in lines {
        if tape.chance(often) {
            let _ = writeln!(text, "{line}");
        }
    }
    if tape.chance(70) {
        let _ = write!(
            text,
            "[[tenant.charge]]\ninput = \"5 USD/Mtok\"\ncache-write-hour = \"9 USD/Mtok\"\noutput = \"15 USD/Mtok\"\ntrained = \"8 USD/Mtok\"\n"
        );
    }
}

/// `kinds` is fixed where the clause asks for it.
fn scope(tape: &mut Tape, kinds: Option<&str>) -> String {
    let kinds = kinds.unwrap_or_else(|| tape.pick(&["any", "calls", "jobs"]));
    let mut keys = vec![format!("kinds = \"{kinds}\"")];
    let mut list = |tape: &mut Tape, often, key: &str, of: &[&str]| {
        if tape.chance(often) {
            keys.push(format!("{key} = [\"{}\"]", tape.pick(of)));
        }
    };
    list(tape, 25, "models", &["gpt-4o", "gpt-mini", "gpt-*"]);
    list(tape, 15, "tenants", &["t0", "t*"]);
    list(tape, 15, "regions", &REGIONS);
    list(tape, 10, "data-classes", &["health", "general"]);
    list(tape, 15, "labels", &["gold"]);
    if kinds == "jobs" {
        list(tape, 15, "purposes", &["training", "research"]);
        list(tape, 15, "accelerators", &["h100", "a*"]);
        if tape.chance(20) {
            keys.push(format!("at-least = {}", 2 + tape.below(8)));
        }
    }
    format!("{{ {} }}", keys.join(", "))
}

fn clause(tape: &mut Tape, text: &mut String, nth: usize, party: &str) {
    let kind = tape.below(14);
    let kinds = [
        "first-refusal",
        "first-refusal",
        "exclusivity",
        "licence",
        "commitment",
        "revenue-share",
        "price",
        "assurance",
        "service-level",
        "first-refusal",
        "first-refusal",
        "first-refusal",
        "commitment",
        "exclusivity",
    ];
    let _ = write!(text, "[[agreement.{}]]\nid = \"c{nth}\"\n", kinds[kind]);
    if tape.chance(15) {
        let _ = writeln!(text, "from = 2026-01-01T12:00:00Z");
    }
    if tape.chance(15) {
        let _ = writeln!(text, "until = 2026-01-02T12:00:00Z");
    }
    match kinds[kind] {
        "first-refusal" => first_refusal(tape, text, party),
        "exclusivity" | "licence" | "assurance" => constraint(tape, text, party, kinds[kind]),
        kind => money(tape, text, party, kind),
    }
}

/// A clause that bars: the order of draws is that of `clause` before it was parted, so that seeds name the same cases.
fn constraint(tape: &mut Tape, text: &mut String, party: &str, kind: &str) {
    match kind {
        "exclusivity" => {
            let _ = write!(text, "party = \"{party}\"\nscope = {}\n", scope(tape, None));
            if tape.chance(50) {
                let _ = writeln!(text, "exceptions = [{}]", scope(tape, None));
            }
            if tape.chance(60) {
                let _ = writeln!(text, "outage = \"{}\"", tape.pick(&["1s", "1m"]));
            }
        }
        "licence" => {
            let _ = write!(
                text,
                "licensor = \"us\"\nlicensee = \"{party}\"\nmodels = [\"{}\"]\n",
                tape.pick(&MODELS)
            );
            let _ =
                writeln!(text, "acts = [{}]", tape.pick(&["\"serve\"", "\"train\"", "\"serve\", \"train\""]));
            if tape.chance(25) {
                let _ = writeln!(text, "regions = [\"{}\"]", tape.pick(&REGIONS));
            }
        }
        _ => {
            let asks = tape.pick(&[
                "certifications = [\"soc2\"]",
                "attestation = [\"tdx\"]",
                "encryption = [\"at-rest\"]",
                "jurisdictions = [\"us\"]",
                "qualification = { providers = [\"p*\"], good-runs = 3, calls = 1, accelerators = 8 }",
            ]);
            let _ = write!(text, "scope = {}\n{asks}\n", scope(tape, None));
        }
    }
}

/// A clause about money.
fn money(tape: &mut Tape, text: &mut String, party: &str, kind: &str) {
    match kind {
        "commitment" => {
            let measure = tape.pick(&[
                "measure = \"money\"\namount = \"1 USD\"",
                "measure = \"gpu-hours\"\namount = 10\nunit-price = \"2 USD/h\"",
                "measure = \"tokens\"\namount = 9000\nunit-price = \"2 USD/Mtok\"",
                "measure = \"ptu-hours\"\namount = 100\nunit-price = \"1 USD/h\"",
            ]);
            let scope = scope(tape, None);
            let _ = write!(
                text,
                "by = \"us\"\nto = \"{party}\"\n{measure}\nscope = {scope}\nrollover = \"50 %\"\n"
            );
        }
        "revenue-share" => {
            let share = tape.pick(&[
                "base = \"gross\"\nshare = \"20 %\"",
                "base = \"net\"\ntiers = [{ up-to = \"0.01 USD\", share = \"30 %\" }, { share = \"10 %\" }]",
                "legs = [{ base = \"gross\", share = \"5 %\" }, { base = \"net\", share = \"25 %\" }]\ncombine = \"higher\"\nfloor = \"0.02 USD\"",
            ]);
            let _ =
                write!(text, "payer = \"us\"\npayee = \"{party}\"\n{share}\nscope = {}\n", scope(tape, None));
        }
        "price" => {
            let price = tape.pick(&[
                "input = \"2 USD/Mtok\"\noutput = \"7 USD/Mtok\"",
                "over-input = 1000\ninput = \"4 USD/Mtok\"\noutput = \"14 USD/Mtok\"",
                "tier = \"priority\"\ninput = \"6 USD/Mtok\"\noutput = \"20 USD/Mtok\"",
                "capacity = [\"pay-as-you-go\"]\nrequest = \"0.01 USD/request\"",
            ]);
            let _ = write!(text, "party = \"{party}\"\n{price}\n");
        }
        _ => {
            let scope = scope(tape, None);
            let credits = "credits = [{ below = \"99.9 %\", share = \"10 %\" }, { below = \"90 %\", share = \"50 %\" }]";
            let _ = write!(text, "party = \"{party}\"\nscope = {scope}\nfirst-byte = \"2s\"\n{credits}\n");
        }
    }
}

fn first_refusal(tape: &mut Tape, text: &mut String, party: &str) {
    let within = tape.chance(60);
    let _ = write!(text, "holder = \"{party}\"\nrank = {}\n", 1 + tape.below(3));
    let _ = writeln!(text, "scope = {}", scope(tape, within.then_some("jobs")));
    if within {
        let _ = writeln!(text, "answering = {{ within = \"{}\" }}", tape.pick(&["72h", "1h", "30m"]));
        for (line, often) in [
            ("variant = \"matching\"", 30),
            ("silence = \"accepts\"", 25),
            ("counter = true", 50),
            ("protection = \"2h\"", 40),
        ] {
            if tape.chance(often) {
                let _ = writeln!(text, "{line}");
            }
        }
    } else {
        let _ = writeln!(text, "answering = \"standing\"");
    }
    if tape.chance(50) {
        let _ = writeln!(text, "partial = true");
    }
    if tape.chance(30) {
        let carve_out = if tape.chance(50) {
            "{ emergency = \"40h\" }".to_string()
        } else {
            format!("{{ scope = {} }}", scope(tape, None))
        };
        let _ = writeln!(text, "carve-outs = [{carve_out}]");
    }
}

/// A broker at play, and what the outside knows of it.
pub struct Play {
    pub broker: Broker,
    pub records: Vec<Record>,
    /// The same in the order in which it happened.
    pub story: Vec<(Timestamp, Event)>,
    sources: Vec<(String, String)>,
    pub now: Timestamp,
    pub served: Vec<CallId>,
    waiting: Vec<CallId>,
    /// Most calls fail.
    flaky: bool,
    /// Most of what happens is calls.
    busy: bool,
    offers: Vec<(OfferId, PartyId, Terms)>,
    leases: Vec<(LeaseId, u32)>,
    numbers: u64,
}

/// A fact at most for each; a case stays small enough to read.
const MAX_FACTS: usize = 80;

/// The whole case of a tape: the law, then facts until the tape is over.
pub fn play(tape: &mut Tape) -> Play {
    let law = law(tape);
    let (flaky, busy) = (tape.chance(30), tape.chance(20));
    let mut play = under(law);
    (play.flaky, play.busy) = (flaky, busy);
    while !tape.is_over() && play.records.len() < MAX_FACTS {
        play.wait(tape);
        let fact = play.fact(tape);
        play.step(fact);
    }
    play
}

/// A case under this law, in which nothing has happened yet.
pub fn under(law: String) -> Play {
    let sources = vec![("law.toml".to_string(), law)];
    let start = Timestamp(DAY * 20_454); // 2026-01-01
    let mut play = Play {
        broker: Broker::new(),
        records: Vec::new(),
        story: Vec::new(),
        sources: sources.clone(),
        now: start,
        served: Vec::new(),
        waiting: Vec::new(),
        flaky: false,
        busy: false,
        offers: Vec::new(),
        leases: Vec::new(),
        numbers: 0,
    };
    play.step(Fact::Enacted { sources });
    let enacted = matches!(play.records[0].decisions[0].action, Action::Enact);
    assert!(enacted, "a generated law is refused: {:?}\n{}", play.records[0].decisions, play.sources[0].1);
    play
}

impl Play {
    pub fn world(&self) -> &World {
        self.broker.world().expect("a law was enacted")
    }

    pub fn step(&mut self, fact: Fact) {
        // What deadlines bring comes first, and would come without the fact too.
        let is_due = self.broker.next_deadline().is_some_and(|due| due <= self.now);
        let due = if is_due { self.broker.clone().step(self.now, &Fact::Ticked).len() } else { 0 };
        let decisions = self.broker.step(self.now, &fact);
        let mut story: Vec<Event> = decisions.iter().cloned().map(Event::Decided).collect();
        story.insert(due, Event::Fact(fact.clone()));
        self.story.extend(story.into_iter().map(|event| (self.now, event)));
        match &fact {
            Fact::CallSettled { call, .. } | Fact::AttemptFailed { call, .. } => {
                self.served.retain(|one| one != call);
            }
            Fact::LeaseEnded { lease, .. } => self.leases.retain(|(one, _)| one != lease),
            _ => {}
        }
        for decision in &decisions {
            match &decision.action {
                Action::Serve { call, .. } => {
                    self.served.push(*call);
                    self.waiting.retain(|one| one != call);
                }
                Action::Queue { call, .. } => self.waiting.push(*call),
                Action::Refuse { call, .. } => self.waiting.retain(|one| one != call),
                Action::Offer { offer, holder, terms, .. } => self.offers.push((*offer, *holder, *terms)),
                Action::Dispatch { lease, count, .. } => self.leases.push((*lease, *count)),
                _ => {}
            }
        }
        let seq = self.records.len() as u64 + 1;
        self.records.push(Record { rules: RULES, seq, at: self.now, fact, decisions });
    }

    /// Time passes: a moment, a while, or until something falls due.
    fn wait(&mut self, tape: &mut Tape) {
        let next = Timestamp(self.now.0 + 1);
        let size = 1 + tape.below(90) as u64;
        self.now = match tape.below(12) {
            0..=6 => next.plus(Span(size * 1_000_000)),
            7 | 8 => next.plus(Span(size * SECOND)),
            9 => next.plus(Span(size * MINUTE * 10)),
            _ => self.broker.next_deadline().map_or(next, |due| due.max(next)),
        };
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn fact(&mut self, tape: &mut Tape) -> Fact {
        let asked = self.records.last().is_some_and(|one| {
            one.decisions.iter().any(|decision| matches!(decision.action, Action::Offer { .. }))
        });
        if asked && tape.chance(50) {
            return self.answered(tape);
        }
        if self.flaky && tape.chance(50) {
            return if self.served.is_empty() { self.call(tape) } else { self.failed(tape) };
        }
        if self.busy && tape.chance(60) {
            return self.call(tape);
        }
        match tape.below(41) {
            37..=40 => self.hedge(tape),
            35 | 36 => self.account(tape),
            0..=7 => self.call(tape),
            8 | 9 => self.failed(tape),
            10..=14 if self.flaky && tape.chance(80) => self.failed(tape),
            10..=14 => self.settled(tape),
            15 => match self.waiting.first() {
                Some(call) => Fact::CallAbandoned { call: *call },
                None => Fact::Ticked,
            },
            16 => {
                let deployment = DeploymentId(tape.below(self.world().deployments.len()) as u16);
                Fact::CapacityObserved { deployment, observation: observation(tape) }
            }
            17..=20 => self.job(tape),
            21..=24 => self.answered(tape),
            25 => match self.offers.last() {
                Some((offer, ..)) => Fact::CounterAnswered { offer: *offer, agreed: tape.chance(60) },
                None => Fact::Ticked,
            },
            26 => Fact::Quoted {
                job: JobId(1 + tape.below(self.numbers as usize + 1) as u64),
                provider: ProviderId(tape.below(self.world().providers.len()) as u16),
                hour: Money(tape.below(6) as i128 * 500_000_000),
                until: self.now.plus(Span(HOUR * (1 + tape.below(40) as u64))),
            },
            27 | 28 => Fact::PoolDeclared {
                provider: ProviderId(tape.below(self.world().providers.len()) as u16),
                accelerator: tape.pick(&["h100", "a100"]).to_string(),
                free: tape.below(40) as u32,
            },
            29..=31 => self.lease(tape),
            32 if tape.chance(50) => {
                Fact::JobCancelled { job: JobId(1 + tape.below(self.numbers as usize + 1) as u64) }
            }
            34 => match self.served.get(tape.below(self.served.len())) {
                Some(call) => {
                    Fact::AnswerAwaited { call: *call, waited: Span(SECOND * (1 + tape.below(9) as u64)) }
                }
                None => Fact::Ticked,
            },
            33 if tape.chance(20) => Fact::Enacted { sources: self.sources.clone() },
            _ => Fact::Ticked,
        }
    }

    fn call(&mut self, tape: &mut Tape) -> Fact {
        let world = self.world();
        let (tenants, models, providers) = (world.tenants.len(), world.models.len(), world.providers.len());
        let tenant = TenantId(tape.below(tenants) as u16);
        let accounts = self.broker.accounts().count();
        let some = accounts > 0 && tape.chance(40);
        // Now and then one that nobody has.
        let many = if tape.chance(5) { accounts + 1 } else { accounts };
        let key = some.then(|| AccountId(1 + tape.below(many) as u32));
        // Mostly for the tenant whose key it is.
        let own = key.and_then(|key| self.broker.account(key)).and_then(|key| key.account.tenant.clone());
        let own = own.and_then(|own| world.find_tenant(&own)).filter(|_| tape.chance(90));
        let tenant = own.unwrap_or(tenant);
        let model = ModelId(tape.below(models) as u16);
        let (input, max_output) = (1 + tape.below(2_500) as u64, tape.below(1_500) as u64);
        let most = tape.below(300) as u64;
        let family = if tape.chance(10) { Family::Store } else { Family::Inference };
        let tier = if tape.chance(10) { Tier::Priority } else { Tier::Default };
        let id = CallId(self.number());
        Fact::CallArrived(Call {
            region: tape.chance(15).then(|| tape.pick(&REGIONS).to_string()),
            home: tape.chance(10).then(|| ProviderId(tape.below(providers) as u16)),
            trains: tape.chance(5),
            // Without a draw, so that seeds go on to name the cases that they named.
            runs: (family == Family::Store && id.0.is_multiple_of(2))
                .then(|| ModelId((id.0 / 2 % models as u64) as u16)),
            key,
            family,
            tier,
            input_most: input + most,
            ..Call::new(id, tenant, model, input, max_output)
        })
    }

    /// A second attempt beside a call that is served: mostly the newest, now and then one that is not like it.
    fn hedge(&mut self, tape: &mut Tape) -> Fact {
        let newest = self.served.len().saturating_sub(1);
        let which = if tape.chance(50) { newest } else { tape.below(self.served.len()) };
        let Some(first) = self.served.get(which).copied() else { return Fact::Ticked };
        let asked = self.records.iter().find_map(|record| match &record.fact {
            Fact::CallArrived(call) if call.id == first => Some(call.clone()),
            _ => None,
        });
        let Some(asked) = asked else { return Fact::Ticked };
        let id = CallId(self.number());
        let input = asked.input + u64::from(tape.chance(5));
        Fact::CallArrived(Call { id, hedges: Some(first), input, ..asked })
    }

    fn failed(&mut self, tape: &mut Tape) -> Fact {
        let Some(call) = self.served.get(tape.below(self.served.len())).copied() else { return Fact::Ticked };
        let kinds = [
            FailureKind::ServerError,
            FailureKind::Unreachable,
            FailureKind::ServerError,
            FailureKind::Throttled,
            FailureKind::TimedOut,
            FailureKind::Unauthorised,
            FailureKind::Rejected,
            FailureKind::Unsuitable,
        ];
        let kinds = if self.flaky { &kinds[..3] } else { &kinds };
        let kind = kinds[tape.below(kinds.len())];
        let retry_after = tape.chance(50).then(|| Span(SECOND * tape.below(30) as u64));
        Fact::AttemptFailed {
            call,
            failure: Failure {
                kind,
                status: if kind == FailureKind::ServerError { 503 } else { 0 },
                retry_after,
                evidence: Digest::default(),
            },
        }
    }

    fn settled(&mut self, tape: &mut Tape) -> Fact {
        let Some(call) = self.served.get(tape.below(self.served.len())).copied() else { return Fact::Ticked };
        let mut usage = Usage {
            input: tape.below(2_500) as u64,
            cached_input: tape.below(300) as u64,
            output: tape.below(1_500) as u64,
            reasoning: tape.below(200) as u64,
            audio_out: if tape.chance(5) { 7 } else { 0 },
            cache_write_hour: if tape.chance(5) { 5 } else { 0 },
            trained: if tape.chance(5) { 11 } else { 0 },
            requests: 1,
            ..Usage::default()
        };
        // Mostly no more than the call said that it could be.
        let said = self.records.iter().find_map(|record| match &record.fact {
            Fact::CallArrived(one) if one.id == call => Some(one),
            _ => None,
        });
        if let Some(said) = said.filter(|_| tape.chance(75)) {
            usage.cached_input = usage.cached_input.min(said.input_most);
            usage.input = usage.input.min(said.input_most - usage.cached_input);
            usage.reasoning = usage.reasoning.min(said.max_output);
            usage.output = usage.output.min(said.max_output - usage.reasoning);
        }
        let asked = said.map_or(Tier::Default, |said| said.tier);
        let endings = [
            Ending::Complete,
            Ending::Complete,
            Ending::Complete,
            Ending::Cut,
            Ending::Abandoned,
            Ending::Lost,
        ];
        let ending = endings[tape.below(endings.len())];
        let observed = tape.chance(25).then(|| observation(tape));
        let first_byte = Span(SECOND * tape.below(4) as u64);
        let tier = if tape.chance(60) { asked } else { Tier::Default };
        let source = Source::Provider;
        let models = self.broker.world().map_or(1, |world| world.models.len());
        let ran = tape.chance(10).then(|| ModelId(tape.below(models) as u16));
        Fact::CallSettled { call, usage, tier, source, ending, first_byte, observed, ran }
    }

    /// An account is made, set anew, drawn anew or closed; now and then one that cannot be.
    fn account(&mut self, tape: &mut Tape) -> Fact {
        let ids = ["acme", "search", "ads", "k1", "k2", "k3"];
        let nth = tape.below(ids.len());
        let id = ids[nth].to_string();
        let digest = Digest([self.records.len() as u8 % 97; 32]);
        match tape.below(12) {
            0 => return Fact::AccountClosed { account: id },
            1 => return Fact::KeyRotated { account: id, digest, grace: Span(SECOND) },
            _ => {}
        }
        let kind = match nth {
            0 => AccountKind::Organisation,
            1 | 2 => AccountKind::Team,
            _ => AccountKind::Key,
        };
        let above: &[Option<&str>] = match kind {
            AccountKind::Organisation => &[None],
            AccountKind::Team => &[Some("acme"), None],
            AccountKind::Key => &[Some("search"), Some("ads"), Some("acme"), None],
        };
        let known = self.broker.find_account(&id).map(|known| known.account.clone());
        let same = known.as_ref().filter(|_| tape.chance(90));
        let parent = above[tape.below(above.len())].map(str::to_string);
        let (tenants, tenant) = (&self.world().tenants, tape.below(3));
        let tenant = tenants[tenant % tenants.len()].id.clone();
        let tenant = (kind == AccountKind::Key).then_some(tenant);
        let budget = |tape: &mut Tape, hard| Budget {
            limit: Money(tape.below(60) as i128 * 1_000_000),
            period: [BudgetPeriod::Day, BudgetPeriod::Month, BudgetPeriod::Total][tape.below(3)],
            hard,
        };
        let budgets =
            [(true, 60), (false, 30)].map(|(hard, often)| tape.chance(often).then(|| budget(tape, hard)));
        let limit = |tape: &mut Tape, most: usize| tape.chance(15).then(|| 1 + tape.below(most) as u64);
        let list = |tape: &mut Tape, of: &[&str]| -> Vec<String> {
            let named = tape.chance(25);
            named.then(|| tape.pick(of).to_string()).into_iter().collect()
        };
        let account = Account {
            id,
            kind,
            parent: same.map_or(parent, |same| same.parent.clone()),
            tenant: same.map_or(tenant, |same| same.tenant.clone()),
            digest: (kind == AccountKind::Key && known.is_none()).then_some(digest),
            fixed: false,
            models: list(tape, &["gpt-4o", "gpt-mini", "gpt-*"]),
            regions: list(tape, &REGIONS),
            families: if tape.chance(15) { vec![Family::Inference] } else { vec![] },
            budgets: budgets.into_iter().flatten().collect(),
            limits: Limits {
                requests_per_minute: limit(tape, 5),
                tokens_per_minute: limit(tape, 9_000),
                concurrent: limit(tape, 3).map(|most| most as u32),
            },
            until: tape.chance(5).then(|| self.now.plus(Span(MINUTE * 10))),
        };
        Fact::AccountSet { account }
    }

    fn job(&mut self, tape: &mut Tape) -> Fact {
        let purposes = [Purpose::Training, Purpose::FineTuning, Purpose::Batch, Purpose::Research];
        let tenants = self.world().tenants.len();
        let count = 1 + tape.below(24) as u32;
        Fact::JobSubmitted(Job {
            id: JobId(self.number()),
            name: "job".to_string(),
            tenant: TenantId(tape.below(tenants) as u16),
            purpose: purposes[tape.below(4)],
            model: tape.chance(40).then(|| tape.pick(&MODELS).to_string()),
            accelerators: if tape.chance(40) {
                vec![tape.pick(&["h100", "a100"]).to_string()]
            } else {
                vec![]
            },
            count,
            min_chunk: if tape.chance(50) { 1 + tape.below(count.min(5) as usize) as u32 } else { count },
            interconnect: None,
            duration: Span(HOUR * (1 + tape.below(60) as u64)),
            region: tape.chance(15).then(|| tape.pick(&REGIONS).to_string()),
            data_class: if tape.chance(15) { "health".to_string() } else { String::new() },
            labels: if tape.chance(20) { vec!["gold".to_string()] } else { vec![] },
            deadline: tape.chance(25).then(|| self.now.plus(Span(HOUR * tape.below(80) as u64 + 1))),
            budget: tape.chance(15).then(|| Money(1_000_000_000 * tape.below(2_000) as i128)),
        })
    }

    /// Mostly the right answer to the newest offer; sometimes to an old one, twice, or by somebody else.
    fn answered(&mut self, tape: &mut Tape) -> Fact {
        let many = self.offers.len();
        let which = if tape.chance(20) { tape.below(many) } else { many.saturating_sub(1) };
        let Some((offer, holder, terms)) = self.offers.get(which).copied() else { return Fact::Ticked };
        let by =
            if tape.chance(12) { PartyId(tape.below(self.world().parties.len()) as u16) } else { holder };
        let count = 1 + tape.below(24) as u32;
        let answer = match tape.below(6) {
            0 | 1 => Answer::Accept,
            2 | 3 => Answer::Decline(String::new()),
            4 => Answer::Partial(1 + tape.below(6) as u32),
            _ => {
                let duration = if tape.chance(80) { terms.duration } else { Span(HOUR) };
                Answer::Counter(Terms { count, hour: Some(Money(3_000_000_000)), duration })
            }
        };
        Fact::Answered { offer, by, answer }
    }

    fn lease(&mut self, tape: &mut Tape) -> Fact {
        let which = tape.below(self.leases.len());
        let Some((lease, count)) = self.leases.get(which).copied() else { return Fact::Ticked };
        let accelerator_seconds = u64::from(count) * 600 * tape.below(60) as u64;
        let ending = match tape.below(8) {
            0 => return Fact::LeaseStarted { lease, engine: "pid 7".to_string() },
            1 => return Fact::LeaseMetered { lease, accelerator_seconds },
            2 => LeaseEnding::Failed(1),
            3 => LeaseEnding::Interrupted,
            4 | 5 => LeaseEnding::Lost,
            6 => LeaseEnding::Cancelled,
            _ => LeaseEnding::Completed,
        };
        Fact::LeaseEnded { lease, ending, accelerator_seconds }
    }
}

fn observation(tape: &mut Tape) -> Observation {
    let mut seen = Observation { spilled: tape.chance(10), ..Observation::default() };
    if tape.chance(50) {
        seen.utilisation = Some(tape.below(1_200) as u32 * 1_000);
    }
    if tape.chance(50) {
        seen.remaining_tokens = Some(tape.below(9_000) as u64);
    }
    if tape.chance(15) {
        (seen.limit_tokens, seen.limit_requests) = (Some(6_000), Some(30));
    }
    seen
}
