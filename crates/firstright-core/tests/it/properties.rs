//! Is every decision lawful, and does the journal hold what was decided? Over generated worlds and facts.

use firstright_core::decision::Action;
use firstright_core::fact::Fact;
use firstright_core::journal::{Chain, Fault, HEADER, header, verify};
use firstright_core::show;
use proptest::prelude::{any, prop};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::accounts;
use crate::generate::{Event, Play, Tape, play};
use crate::past::Past;
use crate::tamper;

/// Cases in a normal run, which are the same each time, so that a run that fails has something to do with what was changed.
/// `PROPTEST_CASES` asks for more, and for other ones each time.
const CASES: u32 = 2_000;

fn check(cases: u32, property: impl Fn(&Play) -> Result<(), String>) {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    let config = Config {
        cases: asked.map_or(cases, |asked: u32| asked.max(cases)),
        failure_persistence: None,
        ..Config::default()
    };
    let tapes = prop::collection::vec(any::<u16>(), 60..700);
    let mut runner = match asked {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
    let outcome = runner.run(&tapes, |tape| {
        let played = play(&mut Tape::new(tape));
        property(&played).map_err(|problem| TestCaseError::fail(problem + &story(&played)))
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// The case in words, for whoever reads the failure.
fn story(play: &Play) -> String {
    let Fact::Enacted { sources } = &play.records[0].fact else { return String::new() };
    let mut story = format!("\n{}", sources[0].1);
    for record in &play.records[1..] {
        let decided = show::decisions(play.world(), &record.decisions);
        story += &format!("\n{} {} {:?}\n    → {decided}", record.seq, record.at, record.fact);
    }
    story
}

/// Is every decision of the case in the set of lawful outcomes?
fn lawful(play: &Play) -> Result<(), String> {
    let mut past = Past::new(play.world());
    for (at, event) in &play.story {
        past.now = *at;
        if let Event::Decided(decision) = event {
            past.lawful(decision).map_err(|problem| format!("{at} {:?}: {problem}", decision.action))?;
        }
        past.take(event);
    }
    Ok(())
}

#[test]
fn every_decision_is_lawful() {
    check(CASES, lawful);
}

#[test]
fn every_account_adds_up_and_every_hard_budget_holds() {
    check(CASES, accounts::sums);
}

/// The specification must object to what is not lawful, or agreeing with it proves nothing: each decision of good runs is
/// tampered with in every way that fits it.
#[test]
fn whatever_is_tampered_with_is_objected_to() {
    let mut objected = std::collections::BTreeMap::new();
    for seed in 0..600 {
        let played = play(&mut Tape::seeded(seed, 600));
        let mut past = Past::new(played.world());
        for (at, event) in &played.story {
            past.now = *at;
            if let Event::Decided(decision) = event {
                for (what, tampered) in tamper::ways(&past, decision) {
                    assert!(
                        past.lawful(&tampered).is_err(),
                        "{what}: seed {seed}: {tampered:?}{}",
                        story(&played)
                    );
                    *objected.entry(what).or_insert(0u32) += 1;
                }
            }
            past.take(event);
            if let Event::Decided(decision) = event
                && matches!(
                    decision.action,
                    Action::Serve { .. } | Action::Refuse { .. } | Action::Settle { .. }
                )
            {
                assert!(past.lawful(decision).is_err(), "a second time: seed {seed}: {decision:?}");
                *objected.entry("a second time").or_insert(0) += 1;
            }
        }
    }
    let missing: Vec<&&str> = tamper::WAYS.iter().filter(|way| !objected.contains_key(**way)).collect();
    assert!(missing.is_empty(), "never tried: {missing:?}; tried: {objected:?}");
}

#[test]
fn the_same_facts_lead_to_the_same_decisions() {
    check(CASES / 4, |play| {
        let mut other = firstright_core::Broker::new();
        for (nth, record) in play.records.iter().enumerate() {
            let mut clone = other.clone();
            let decided = other.step(record.at, &record.fact);
            let cloned = clone.step(record.at, &record.fact);
            if decided != record.decisions || cloned != record.decisions {
                return Err(format!("record {} is decided differently", nth + 1));
            }
            if nth % 2 == 0 {
                other = clone;
            }
        }
        Ok(())
    });
}

fn frames(play: &Play) -> (Vec<u8>, Vec<Vec<u8>>) {
    let head = header([7; 16]);
    let mut chain = Chain::new(&head).expect("our own header");
    let frame = |record: &firstright_core::journal::Record| {
        let mut out = Vec::new();
        chain.append(record.at, &record.fact, &record.decisions, &mut out);
        out
    };
    let frames = play.records.iter().map(frame).collect();
    (head.to_vec(), frames)
}

fn named(fault: &Option<Fault>) -> Option<u64> {
    match fault {
        Some(
            Fault::Altered { seq }
            | Fault::Missing { seq, .. }
            | Fault::Reordered { seq, .. }
            | Fault::Torn { seq }
            | Fault::OtherRules { seq, .. },
        ) => Some(*seq),
        _ => None,
    }
}

#[test]
fn a_journal_reads_back_and_whatever_is_changed_in_it_is_named() {
    check(CASES / 4, |play| {
        let (head, frames) = frames(play);
        let whole = [head.clone(), frames.concat()].concat();
        let verdict = verify(&whole, false, |_, _| ());
        if verdict.fault.is_some() || verdict.records != frames.len() as u64 {
            return Err(format!("a good journal is refused: {:?}", verdict.fault));
        }
        // The case's own size says where the damage is done, so that it differs from case to case.
        let victim = (whole.len() * 31) % frames.len();
        let start = HEADER + frames[..victim].concat().len();
        let mut flipped = whole.clone();
        flipped[start + (whole.len() * 7) % frames[victim].len()] ^= 1 << (whole.len() % 8);
        let fault = verify(&flipped, true, |_, _| ()).fault;
        if named(&fault) != Some(victim as u64 + 1) {
            return Err(format!("a flipped bit in record {} is reported as {fault:?}", victim + 1));
        }
        if victim + 1 < frames.len() {
            let mut without = frames.clone();
            without.remove(victim);
            let fault = verify(&[head.clone(), without.concat()].concat(), true, |_, _| ()).fault;
            let missing = Fault::Missing { seq: victim as u64 + 1, found: victim as u64 + 2 };
            if fault != Some(missing) {
                return Err(format!("record {} was removed, which is reported as {fault:?}", victim + 1));
            }
            let mut swapped = frames.clone();
            swapped.swap(victim, victim + 1);
            let fault = verify(&[head, swapped.concat()].concat(), true, |_, _| ()).fault;
            if !matches!(fault, Some(Fault::Reordered { seq, .. }) if seq == victim as u64 + 1) {
                return Err(format!("record {} was moved, which is reported as {fault:?}", victim + 1));
            }
        }
        Ok(())
    });
}

/// What is generated must reach every part of the law, or the properties above prove nothing.
#[test]
fn the_cases_reach_every_action() {
    let mut seen = std::collections::BTreeMap::new();
    for seed in 0..4_000 {
        for record in play(&mut Tape::seeded(seed, 600)).records {
            for decision in record.decisions {
                let name = format!("{:?}", decision.action);
                let name = name.split([' ', '{']).next().unwrap_or_default().to_string();
                *seen.entry(name).or_insert(0u32) += 1;
                for ground in &decision.grounds {
                    let name = format!("{ground:?}");
                    let name = name.split(['(', ' ', '{']).next().unwrap_or_default();
                    *seen.entry(format!("ground:{name}")).or_insert(0) += 1;
                }
                if let Action::Serve { title, .. } | Action::Dispatch { title, .. } = &decision.action {
                    let evidence = title.releases().iter().flat_map(|one| one.evidence());
                    for one in evidence {
                        let name = format!("{one:?}");
                        let name = name.split([' ', '{']).next().unwrap_or_default().to_string();
                        *seen.entry(format!("release:{name}")).or_insert(0) += 1;
                    }
                }
            }
        }
    }
    let wanted = [
        "Serve",
        "Queue",
        "Refuse",
        "Settle",
        "Offer",
        "PutCounter",
        "Withdraw",
        "Dispatch",
        "Hold",
        "RefuseJob",
        "Cancel",
        "SettleLease",
        "Finish",
        "release:Short",
        "release:Failed",
        "release:Down",
        "release:Lost",
        "release:Probation",
        "release:Barred",
        "release:Absent",
        "release:Declined",
        "release:Silent",
        "release:PartTaken",
        "release:CarvedOut",
        "release:SetAside",
        "ground:Awaits",
        "ground:Shed",
        "ground:Crowded",
        "ground:LastResort",
        "ground:Hedges",
        "ground:Unhedged",
        "ground:GoesOn",
    ];
    let missing: Vec<&&str> = wanted.iter().filter(|name| !seen.contains_key(**name)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}; reached: {seen:?}");
}
