//! Does the auditor let good journals pass, and does it see whatever is tampered with?

use firstright_core::decision::{Action, Decision, Ground};
use firstright_core::fact::{Fact, OfferId};
use firstright_core::journal::Record;
use firstright_core::title::Evidence;
use firstright_sim::auditor::{Finding, audit};
use serde_json::Value;

use crate::generate::{Play, Tape, play};

fn case(seed: u64) -> Play {
    play(&mut Tape::seeded(seed, 600))
}

fn findings(records: &[Record]) -> Vec<Finding> {
    audit(records.iter()).findings
}

/// The record with its decisions changed in their text; `None` if the change does not apply.
fn tampered(record: &Record, change: impl FnOnce(&mut Vec<Value>) -> bool) -> Option<Record> {
    let mut decisions: Vec<Value> =
        record.decisions.iter().map(|one| serde_json::to_value(one).unwrap()).collect();
    if !change(&mut decisions) {
        return None;
    }
    let decisions = decisions.into_iter().map(|one| serde_json::from_value(one).unwrap()).collect();
    Some(Record { decisions, ..record.clone() })
}

/// Tampers with one record of a good journal after the other, and wants each to be found. Returns how often the change
/// applied.
fn every_one_is_found(what: &str, cases: u64, change: impl Fn(&mut Vec<Value>) -> bool) -> u64 {
    found_after(what, cases, |_| true, change)
}

/// The same for the records that `meant` picks.
fn found_after(
    what: &str,
    cases: u64,
    meant: impl Fn(&Record) -> bool,
    change: impl Fn(&mut Vec<Value>) -> bool,
) -> u64 {
    let mut times = 0;
    for seed in 0..cases {
        let good = case(seed);
        for nth in (0..good.records.len()).filter(|nth| meant(&good.records[*nth])) {
            let Some(bad) = tampered(&good.records[nth], &change) else { continue };
            let mut records = good.records.clone();
            records[nth] = bad;
            times += 1;
            assert!(
                !findings(&records).is_empty(),
                "{what} in record {} of case {seed} was not found",
                nth + 1
            );
        }
    }
    times
}

/// The first decision of that kind, as its fields.
fn first<'v>(decisions: &'v mut [Value], kind: &str) -> Option<&'v mut Value> {
    decisions.iter_mut().find_map(|one| one["action"].get_mut(kind))
}

#[test]
fn good_journals_pass_and_their_settlements_add_up() {
    // Two have a fact at the very moment of a deadline, which comes first; the last agree to counters that were not allowed.
    for seed in (0..1_500).chain([2_826, 6_486, 28_936, 38_225]) {
        let good = case(seed);
        let audit = audit(good.records.iter());
        let at = good.records.last().unwrap().at;
        let lines = good.broker.settlement(at);
        let sums = audit.settlement(good.world(), &lines);
        assert!(audit.findings.is_empty() && sums.is_empty(), "case {seed}: {:?} {sums:?}", audit.findings);
    }
}

#[test]
fn a_nano_more_or_less_is_found() {
    let cost = |kind: &'static str, key: &'static str| {
        move |decisions: &mut Vec<Value>| {
            let Some(sum) = first(decisions, kind).map(|one| &mut one[key]) else { return false };
            let Some(nanos) = sum.as_i64() else { return false };
            *sum = Value::from(nanos + 1);
            true
        }
    };
    assert!(every_one_is_found("a call's cost", 60, cost("Settle", "cost")) > 50);
    assert!(every_one_is_found("a call's charge", 60, cost("Settle", "charge")) > 50);
    assert!(every_one_is_found("a lease's cost", 60, cost("SettleLease", "cost")) > 30);
}

#[test]
fn a_release_without_its_evidence_is_found() {
    let times = every_one_is_found("a release without evidence", 150, |decisions| {
        let release = decisions.iter_mut().find_map(|one| {
            let kind = if one["action"].get("Serve").is_some() { "Serve" } else { "Dispatch" };
            one["action"].get_mut(kind)?["title"]["releases"].get_mut(0)
        });
        release.map(|release| release["evidence"] = Value::Array(vec![])).is_some()
    });
    assert!(times > 30, "{times}");
}

#[test]
fn a_right_that_is_passed_over_is_found() {
    let times = every_one_is_found("a release left out", 150, |decisions| {
        let releases = decisions.iter_mut().find_map(|one| {
            let kind = if one["action"].get("Serve").is_some() { "Serve" } else { "Dispatch" };
            one["action"].get_mut(kind)?["title"]["releases"].as_array_mut()
        });
        releases.and_then(Vec::pop).is_some()
    });
    assert!(times > 30, "{times}");
    let times = every_one_is_found("a holder's right used by nobody", 60, |decisions| {
        let holds = decisions.iter_mut().find_map(|one| {
            let kind = if one["action"].get("Serve").is_some() { "Serve" } else { "Dispatch" };
            Some(&mut one["action"].get_mut(kind)?["title"]["holds"]).filter(|holds| !holds.is_null())
        });
        holds.map(|holds| *holds = Value::Null).is_some()
    });
    assert!(times > 30, "{times}");
}

#[test]
fn what_is_sold_twice_is_found() {
    for kind in ["Dispatch", "Settle", "Finish", "Serve"] {
        let times = every_one_is_found(&format!("a second {kind}"), 60, |decisions| {
            let found = decisions.iter().find(|one| one["action"].get(kind).is_some()).cloned();
            decisions.extend(found.clone());
            found.is_some()
        });
        assert!(times > 20, "{kind}: {times}");
    }
    let times = every_one_is_found("more accelerators than were offered", 60, |decisions| {
        let count = first(decisions, "Dispatch").map(|one| &mut one["count"]);
        count.map(|count| *count = Value::from(count.as_u64().unwrap() + 1_000)).is_some()
    });
    assert!(times > 20, "{times}");
}

#[test]
fn a_call_that_is_forgotten_is_found() {
    for kind in ["Serve", "Refuse"] {
        let arrived = |record: &Record| matches!(record.fact, Fact::CallArrived(_));
        let times = found_after(&format!("a {kind} left out"), 40, arrived, |decisions| {
            let [only] = decisions.as_slice() else { return false };
            let found = only["action"].get(kind).is_some();
            decisions.retain(|_| !found);
            found
        });
        assert!(times > 20, "{kind}: {times}");
    }
}

/// An offer that a later placement rests on cannot be left out, nor be another's, nor have another window.
#[test]
fn an_offer_that_was_never_made_is_found() {
    let (mut dropped, mut shortened) = (0, 0);
    for seed in 0..400 {
        let good = case(seed);
        for nth in 0..good.records.len() {
            let offer =
                |decisions: &mut Vec<Value>| first(decisions, "Offer").map(|one| one["offer"].clone());
            let mut id = None;
            let without = tampered(&good.records[nth], |decisions| {
                id = offer(decisions);
                decisions.retain(|one| one["action"].get("Offer").is_none());
                id.is_some()
            });
            let (Some(bad), Some(id)) = (without, id) else { continue };
            let id = OfferId(id.as_u64().unwrap());
            let cited =
                good.records[nth + 1..].iter().flat_map(|record| &record.decisions).any(|one| cites(one, id));
            let mut records = good.records.clone();
            if cited {
                records[nth] = bad;
                dropped += 1;
                assert!(!findings(&records).is_empty(), "{id:?} of case {seed} was never made");
            }
            records[nth] = tampered(&good.records[nth], |decisions| {
                let until = first(decisions, "Offer").map(|one| &mut one["until"]);
                until.map(|until| *until = Value::from(until.as_u64().unwrap() - 1)).is_some()
            })
            .unwrap();
            shortened += 1;
            assert!(!findings(&records).is_empty(), "the window of {id:?} of case {seed} is shorter");
        }
    }
    assert!(dropped > 10 && shortened > 100, "{dropped} {shortened}");
}

/// Does a placement rest on the offer?
fn cites(decision: &Decision, id: OfferId) -> bool {
    let Action::Dispatch { title, .. } = &decision.action else { return false };
    title.releases().iter().flat_map(|one| one.evidence()).any(|one| match one {
        Evidence::Declined { offer, .. }
        | Evidence::Silent { offer, .. }
        | Evidence::PartTaken { offer, .. } => *offer == id,
        _ => false,
    })
}

const EXCLUSIVE: &str = r#"
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
[[provider.deployment]]
id = "azure-gpt"
model = "gpt-4o"
capacity = { concurrent = 8 }
[[provider]]
id = "oracle-east"
party = "oracle"
region = "us-east"
jurisdiction = "us"
[[provider.deployment]]
id = "oracle-gpt"
model = "gpt-4o"
capacity = { concurrent = 8 }
[[tenant]]
id = "app"
[[agreement]]
id = "hosting"
parties = ["us", "azure"]
from = 2025-01-01
"#;

/// What the broker makes of facts under a law.
fn journal(law: &str, facts: impl IntoIterator<Item = Fact>) -> Vec<Record> {
    use firstright_core::units::{DAY, Timestamp};
    let mut broker = firstright_core::Broker::new();
    let enacted = Fact::Enacted { sources: vec![("law.toml".to_string(), law.to_string())] };
    let facts = std::iter::once(enacted).chain(facts).zip(1..);
    let record = |(fact, seq): (Fact, u64)| {
        let at = Timestamp(20_454 * DAY + seq);
        let decisions = broker.step(at, &fact);
        Record { rules: firstright_core::journal::RULES, seq, at, fact, decisions }
    };
    facts.map(record).collect()
}

/// Callers may ask for as much as there are numbers, and a journal that somebody else wrote may say anything.
#[test]
fn sizes_that_nothing_has_are_audited_too() {
    use firstright_core::fact::{Ending, Source};
    use firstright_core::units::Span;
    use firstright_core::usage::{Tier, Usage};
    use firstright_core::workload::{Call, CallId};
    use firstright_core::world::{ModelId, TenantId};
    let most = u64::MAX;
    let all = Usage { input: most, cached_input: most, cache_write: most, output: most, ..Usage::default() };
    let facts = (1..3).flat_map(|id| {
        let (call, tier, source, ending) = (CallId(id), Tier::Default, Source::Counted, Ending::Complete);
        let (first_byte, observed, ran) = (Span(0), None, None);
        [
            Fact::CallArrived(Call::new(call, TenantId(0), ModelId(0), most, most)),
            Fact::CallSettled { call, usage: all, tier, source, ending, first_byte, observed, ran },
        ]
    });
    assert_eq!(findings(&journal(EXCLUSIVE, facts)), []);
}

/// A call that is moved to a provider whom one clause bars.
#[test]
fn a_call_at_a_barred_provider_is_found() {
    use firstright_core::workload::{Call, CallId};
    use firstright_core::world::{ModelId, TenantId};
    let bars = [
        "[[agreement.exclusivity]]\nid = \"x\"\nparty = \"azure\"\n",
        "[[agreement.licence]]\nid = \"x\"\nlicensor = \"us\"\nlicensee = \"azure\"\nmodels = [\"gpt-4o\"]\nacts = [\"serve\"]\n",
    ];
    for bar in bars {
        let call = Call::new(CallId(1), TenantId(0), ModelId(0), 10, 10);
        let mut records = journal(&format!("{EXCLUSIVE}{bar}"), [Fact::CallArrived(call)]);
        assert_eq!(findings(&records), []);
        records[1] = tampered(&records[1], |decisions| {
            first(decisions, "Serve").map(|one| one["deployment"] = Value::from(1)).is_some()
        })
        .unwrap();
        assert_eq!(findings(&records).len(), 1, "{bar}");
    }
}

#[test]
fn a_second_attempt_that_nobody_asked_for_is_found() {
    let is_hedge = |record: &Record| matches!(&record.fact, Fact::CallArrived(call) if call.hedges.is_some());
    let silent = |decisions: &mut Vec<Value>| {
        let says = |one: &&mut Value| {
            let grounds = one["grounds"].as_array().into_iter().flatten();
            one["action"].get("Serve").is_some() && grounds.into_iter().any(|one| one.get("Hedges").is_some())
        };
        decisions.iter_mut().find(says).map(|one| one["grounds"] = Value::Array(vec![])).is_some()
    };
    assert!(found_after("a second attempt that says nothing of the first", 300, is_hedge, silent) > 20);
    // The tenant's wish is taken out of the law: every second attempt is one too many.
    let mut times = 0;
    for seed in 0..300 {
        let good = case(seed);
        let served = |one: &Decision| {
            let says = one.grounds.iter().any(|one| matches!(one, Ground::Hedges(_)));
            says && matches!(one.action, Action::Serve { .. })
        };
        if !good.records.iter().any(|one| is_hedge(one) && one.decisions.iter().any(served)) {
            continue;
        }
        let mut records = good.records.clone();
        for record in &mut records {
            if let Fact::Enacted { sources } = &mut record.fact {
                sources.iter_mut().for_each(|(_, text)| *text = text.replace("hedge-after = \"20ms\"\n", ""));
            }
        }
        times += 1;
        assert!(!findings(&records).is_empty(), "case {seed}: a second attempt is let pass");
    }
    assert!(times > 10, "{times}");
}
