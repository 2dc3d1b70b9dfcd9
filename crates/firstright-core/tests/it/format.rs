//! Are the journal's bytes still those of yesterday? The file `journal.frj` holds one record of every fact; it was written
//! once, and a change of it is a change of the one stable format. `UPDATE_EXPECT=1` writes it anew.

use std::fs;
use std::path::{Path, PathBuf};

use firstright_core::Broker;
use firstright_core::account::{Account, AccountId, AccountKind, Budget, BudgetPeriod, Limits};
use firstright_core::fact::{
    Answer, Ending, Fact, Failure, FailureKind, LeaseEnding, LeaseId, Observation, OfferId, Source, Terms,
};
use firstright_core::journal::{Chain, Fault, header, verify};
use firstright_core::units::{HOUR, Money, SECOND, Span, Timestamp};
use firstright_core::usage::{Tier, Usage};
use firstright_core::workload::{Call, CallId, Family, Job, JobId, Media, Purpose};
use firstright_core::world::{DeploymentId, Digest, ModelId, PartyId, ProviderId, TenantId};

const LAW: &str = r#"
currency = "USD"
[[party]]
id = "us"
operator = true
[[party]]
id = "azure"
[[party]]
id = "oracle"
[[provider]]
id = "azure-east"
party = "azure"
region = "us-east"
jurisdiction = "us"
[[provider.pool]]
accelerator = "h100"
count = 64
hour = "3 USD/h"
[[provider.deployment]]
id = "azure-gpt-4o"
model = "gpt-4o"
capacity = { provisioned = { per-minute = 6_000, units = 2 } }
[[provider]]
id = "oracle-west"
party = "oracle"
region = "us-west"
jurisdiction = "us"
[[provider.pool]]
accelerator = "h100"
count = 64
hour = "2 USD/h"
[[provider.deployment]]
id = "oracle-gpt-4o"
model = "gpt-4o"
capacity = { concurrent = 1 }
price = { input = "2 USD/Mtok", output = "8 USD/Mtok" }
[[tenant]]
id = "app"
max-wait = "5s"
hedge-after = "1s"
[[agreement]]
id = "deal"
parties = ["us", "azure"]
from = 2025-01-01
[[agreement.first-refusal]]
id = "calls"
holder = "azure"
scope = { kinds = "calls" }
answering = "standing"
[[agreement.first-refusal]]
id = "jobs"
holder = "azure"
scope = { kinds = "jobs" }
answering = { within = "1h" }
partial = true
counter = true
"#;

fn call(id: u64, input: u64) -> Fact {
    let (tenant, model) = (TenantId(0), ModelId(0));
    Fact::CallArrived(Call::new(CallId(id), tenant, model, input, 100))
}

fn hedge(id: u64, first: u64, input: u64) -> Fact {
    let call = Call::new(CallId(id), TenantId(0), ModelId(0), input, 100);
    Fact::CallArrived(Call { hedges: Some(CallId(first)), ..call })
}

fn call_by(id: u64, key: AccountId) -> Fact {
    let call = Call::new(CallId(id), TenantId(0), ModelId(0), 100, 100);
    let media = Media { audio: false, images: 1, audio_seconds: 2, characters: 3 };
    Fact::CallArrived(Call { key: Some(key), tier: Tier::Flex, input_most: 400, media, ..call })
}

fn account(kind: AccountKind, id: &str, parent: Option<&str>) -> Fact {
    let key = kind == AccountKind::Key;
    let budget = Budget { limit: Money(5_000_000_000), period: BudgetPeriod::Day, hard: false };
    Fact::AccountSet {
        account: Account {
            id: id.to_string(),
            kind,
            parent: parent.map(str::to_string),
            tenant: key.then(|| "app".to_string()),
            digest: key.then_some(Digest([8; 32])),
            fixed: false,
            models: vec!["gpt-*".to_string()],
            regions: vec!["us-east".to_string()],
            families: vec![Family::Inference],
            budgets: vec![budget],
            limits: Limits {
                requests_per_minute: Some(60),
                tokens_per_minute: Some(9_000),
                concurrent: Some(4),
            },
            until: Some(Timestamp::MAX),
        },
    }
}

fn job(id: u64) -> Fact {
    Fact::JobSubmitted(Job {
        id: JobId(id),
        name: "train".to_string(),
        tenant: TenantId(0),
        purpose: Purpose::Training,
        model: Some("gpt-5".to_string()),
        accelerators: vec!["h100".to_string()],
        count: 32,
        min_chunk: 8,
        interconnect: None,
        duration: Span(HOUR),
        region: None,
        data_class: String::new(),
        labels: vec!["team=a".to_string()],
        deadline: None,
        budget: Some(Money(500_000_000_000)),
    })
}

/// One of every fact, in an order in which each has an effect.
fn facts() -> Vec<Fact> {
    let failure = Failure {
        kind: FailureKind::Throttled,
        status: 429,
        retry_after: Some(Span(2 * SECOND)),
        evidence: Digest([7; 32]),
    };
    let observed = Observation { utilisation: Some(950_000), ..Observation::default() };
    let usage =
        Usage { input: 900, cached_input: 64, output: 80, reasoning: 20, requests: 1, ..Usage::default() };
    let settled = |call| Fact::CallSettled {
        call: CallId(call),
        usage,
        tier: Tier::Default,
        source: Source::Provider,
        ending: Ending::Complete,
        first_byte: Span(SECOND / 4),
        observed: Some(observed),
        ran: None,
    };
    let answered = |offer, answer| Fact::Answered { offer: OfferId(offer), by: PartyId(1), answer };
    let terms = Terms { count: 32, hour: Some(Money(3_500_000_000)), duration: Span(HOUR) };
    let ended = |lease, ending| Fact::LeaseEnded { lease: LeaseId(lease), ending, accelerator_seconds: 60 };
    vec![
        Fact::Enacted { sources: vec![("law.toml".to_string(), LAW.to_string())] },
        call(1, 1_000),
        Fact::AttemptFailed { call: CallId(1), failure },
        call(2, 1_000),
        Fact::AnswerAwaited { call: CallId(1), waited: Span(SECOND) },
        settled(1),
        Fact::CapacityObserved { deployment: DeploymentId(0), observation: observed },
        call(3, 5_000),
        Fact::CallAbandoned { call: CallId(3) },
        Fact::PoolDeclared { provider: ProviderId(0), accelerator: "h100".to_string(), free: 48 },
        job(4),
        Fact::Quoted {
            job: JobId(4),
            provider: ProviderId(1),
            hour: Money(1_900_000_000),
            until: Timestamp::MAX,
        },
        answered(1, Answer::Counter(terms)),
        Fact::CounterAnswered { offer: OfferId(1), agreed: false },
        answered(1, Answer::Partial(16)),
        answered(1, Answer::Accept),
        Fact::LeaseStarted { lease: LeaseId(5), engine: "pid-7".to_string() },
        Fact::LeaseMetered { lease: LeaseId(5), accelerator_seconds: 600 },
        ended(5, LeaseEnding::Interrupted),
        ended(6, LeaseEnding::Lost),
        Fact::Ticked,
        Fact::JobCancelled { job: JobId(4) },
        job(5),
        answered(3, Answer::Decline("no room".to_string())),
        account(AccountKind::Team, "search", None),
        account(AccountKind::Key, "search-1", Some("search")),
        call_by(6, AccountId(2)),
        Fact::KeyRotated { account: "search-1".to_string(), digest: Digest([9; 32]), grace: Span(HOUR) },
        Fact::AccountClosed { account: "search".to_string() },
        call_by(7, AccountId(2)),
        call(8, 100),
        Fact::AttemptFailed { call: CallId(8), failure },
        Fact::Ticked,
        Fact::Ticked,
        hedge(9, 8, 100),
        hedge(10, 8, 100),
    ]
}

fn written() -> Vec<u8> {
    let head = header(*b"firstright-test!");
    let mut chain = Chain::new(&head).expect("it is a header");
    let mut bytes = head.to_vec();
    let mut broker = Broker::new();
    for (fact, nth) in facts().iter().zip(1u64..) {
        let at = Timestamp(1_767_225_600 * SECOND + nth * SECOND);
        let decisions = broker.step(at, fact);
        chain.append(at, fact, &decisions, &mut bytes);
    }
    bytes
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/journal.frj")
}

#[test]
fn the_bytes_are_those_of_yesterday() {
    let bytes = written();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(golden(), &bytes).unwrap();
    }
    let known = fs::read(golden()).unwrap();
    let first = bytes.iter().zip(&known).position(|(a, b)| a != b).unwrap_or(bytes.len().min(known.len()));
    assert!(bytes == known, "the journal's format changed: the first other byte is at {first}");
}

#[test]
fn yesterdays_journal_verifies_and_holds_every_fact() {
    let mut kinds = std::collections::BTreeSet::new();
    let verdict = verify(&fs::read(golden()).unwrap(), false, |record, _| {
        let name = format!("{:?}", record.fact);
        kinds.insert(name.split([' ', '(', '{']).next().unwrap_or_default().to_string());
    });
    assert_eq!(verdict.fault, None);
    assert_eq!(kinds.len(), 20, "{kinds:?}");
}

/// What older rules decided is named as such, and is never replayed by these.
#[test]
fn a_journal_of_other_rules_is_refused_by_name() {
    let old = fs::read(golden().with_file_name("journal-rules-1.frj")).unwrap();
    let verdict = verify(&old, false, |_, _| panic!("nothing of it is read as if it were ours"));
    assert_eq!(verdict.fault, Some(Fault::OtherRules { seq: 1, rules: 1 }));
}
