use super::*;
use crate::rng::Rng;

const SECOND: u64 = 1_000_000_000;

fn azure(seed: u64) -> Cloud {
    Cloud::new(Spec::reference().clouds.remove(0), seed)
}

fn chat(cloud: &Cloud, name: &str) -> Call<'static> {
    Call {
        operation: Operation::Chat,
        deployment: cloud.find(name, Operation::Chat).unwrap(),
        prompt_tokens: 1_000,
        cached_tokens: None,
        max_tokens: Some(1_000),
        output_tokens: Some(100),
        spill_to: None,
    }
}

fn served(verdict: Verdict) -> Answer {
    match verdict {
        Verdict::Serve(answer) => answer,
        other => panic!("not served: {other:?}"),
    }
}

fn refused(verdict: Verdict) -> Refusal {
    match verdict {
        Verdict::Refuse(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// 299,250 tokens fill the default bucket to 105 %.
fn filled(cloud: &mut Cloud) {
    let call = Call { prompt_tokens: 150_000, max_tokens: Some(100_000), ..chat(cloud, "gpt-5-ptu") };
    for _ in 0..2 {
        assert_eq!(served(cloud.call(0, &call)).spilled_from, None);
    }
}

#[test]
fn a_full_bucket_spills_to_the_named_deployment() {
    let mut cloud = azure(1);
    filled(&mut cloud);
    let call = chat(&cloud, "gpt-5-ptu");
    let answer = served(cloud.call(0, &call));
    assert_eq!(cloud.deployment(answer.served_by).name, "gpt-5-payg");
    assert_eq!(answer.spilled_from, Some(call.deployment));
    assert!(matches!(answer.gauge, Gauge::Rates(_)));
    assert_eq!(cloud.total().spilled, 1);
}

#[test]
fn the_responses_api_does_not_spill() {
    let mut cloud = azure(1);
    filled(&mut cloud);
    let call = Call { operation: Operation::Responses, ..chat(&cloud, "gpt-5-ptu") };
    let refusal = refused(cloud.call(0, &call));
    assert_eq!((refusal.reason, refusal.spill_failed), (Reason::Utilization, None));
    assert!(refusal.retry_after_ns.unwrap() > SECOND);
}

#[test]
fn a_failed_spill_says_so_and_keeps_the_first_refusal() {
    let mut cloud = azure(1);
    filled(&mut cloud);
    let call = Call { prompt_tokens: 300_000, max_tokens: Some(99_000), ..chat(&cloud, "gpt-5-payg") };
    served(cloud.call(0, &call));
    let call = Call { prompt_tokens: 60_000, ..chat(&cloud, "gpt-5-ptu") };
    let refusal = refused(cloud.call(0, &call));
    assert_eq!(refusal.reason, Reason::Utilization);
    assert_eq!(refusal.spill_failed, Some(Reason::Quota(Quota::Tokens)));
}

#[test]
fn a_context_too_long_for_ptu_spills_and_the_header_asks_for_it_too() {
    let mut spec = Spec::reference().clouds.remove(0);
    spec.deployments[0].spillover_deployment = None;
    let mut cloud = Cloud::new(spec, 1);
    let long = Call { prompt_tokens: 300_000, ..chat(&cloud, "gpt-5-ptu") };
    assert!(matches!(refused(cloud.call(0, &long)).reason, Reason::ContextTooLong { .. }));
    let asked = Call { spill_to: Some("gpt-5-payg"), ..long };
    assert!(served(cloud.call(0, &asked)).spilled_from.is_some());
    // A deployment of another model can't stand in.
    let other = Call { spill_to: Some("gpt-oss-120b"), ..long };
    refused(cloud.call(0, &other));
}

#[test]
fn output_is_exact_limited_or_drawn() {
    let mut cloud = azure(1);
    let base = chat(&cloud, "gpt-5-payg");
    assert_eq!(served(cloud.call(0, &base)).output_tokens, 100);
    let limited = Call { output_tokens: None, max_tokens: Some(2), ..base };
    let answer = served(cloud.call(0, &limited));
    assert_eq!((answer.output_tokens, answer.at_limit), (2, true));
    let free = Call { output_tokens: None, max_tokens: None, ..base };
    let answer = served(cloud.call(0, &free));
    assert!((4..=2_700).contains(&answer.output_tokens) && !answer.at_limit);
}

#[test]
fn long_prompts_are_cached_in_steps() {
    let mut spec = Spec::reference().clouds.remove(0);
    spec.deployments[1].cached_percent = 50;
    let mut cloud = Cloud::new(spec, 1);
    let cases =
        [(1_023, None, 0), (1_024, None, 512), (1_300, None, 640), (1_300, Some(7), 7), (5, Some(9), 5)];
    for (prompt_tokens, cached_tokens, wanted) in cases {
        let call = Call { prompt_tokens, cached_tokens, ..chat(&cloud, "gpt-5-payg") };
        assert_eq!(served(cloud.call(0, &call)).usage.cached, wanted, "{prompt_tokens}");
    }
}

#[test]
fn slots_come_back() {
    let mut spec = Spec::reference().clouds.remove(1);
    spec.deployments[0].capacity =
        CapacitySpec::Slots(SlotsSpec { concurrent: 1, refuse_with: 503, retry_after_ms: 250 });
    let mut cloud = Cloud::new(spec, 1);
    let call = chat(&cloud, "gpt-5");
    let first = served(cloud.call(0, &call));
    let refusal = refused(cloud.call(0, &call));
    assert_eq!((refusal.reason.status(), refusal.retry_after_ns), (503, Some(250_000_000)));
    cloud.finish(1, first.ticket, 100, Ending::Abandoned);
    served(cloud.call(2, &call));
    assert_eq!((cloud.total().throttled, cloud.total().abandoned), (1, 1));
}

#[test]
fn each_fault_does_what_its_name_says() {
    let put = |fault| {
        let mut cloud = azure(1);
        cloud.put_faults(0, vec![LiveFault { deployment: None, for_s: None, fault }]).unwrap();
        let call = chat(&cloud, "gpt-5-payg");
        let verdict = cloud.call(1, &call);
        (cloud.total().faulted, verdict)
    };
    let healthy = served(put(Fault::WrongUsage { percent: 100 }).1);

    let (faulted, verdict) = put(Fault::BrownOut { slow_percent: 1_000, error_percent: 0, status: 503 });
    let slow = served(verdict);
    assert_eq!((faulted, slow.first_token_ns), (1, healthy.first_token_ns * 10));
    assert_eq!(slow.pacing.clone().next_gap_ns(), healthy.pacing.clone().next_gap_ns() * 10);

    let broken = refused(put(Fault::BrownOut { slow_percent: 100, error_percent: 100, status: 502 }).1);
    assert_eq!(broken.reason, Reason::BrownOut { status: 502 });
    let storm = refused(put(Fault::ThrottleStorm { percent: 100, retry_after_ms: 70 }).1);
    assert_eq!((storm.reason, storm.retry_after_ns), (Reason::Storm, Some(70_000_000)));
    let cut = served(put(Fault::Cut { percent: 100, after_chunks: 3 }).1);
    assert_eq!(cut.cut_after_chunks, Some(3));
    let stall = served(put(Fault::Stall { percent: 100, after_chunks: 2, for_ms: 9 }).1);
    assert_eq!(stall.stall, Some(Stall { after_chunks: 2, for_ns: 9_000_000 }));
    let wrong = served(put(Fault::WrongUsage { percent: 150 }).1);
    assert_eq!((wrong.usage, wrong.output_tokens), (Usage { prompt: 1_500, cached: 0, output: 150 }, 100));
    assert!(matches!(put(Fault::RefuseConnections {}).1, Verdict::Hang));
    let lowered = refused(put(Fault::LoweredLimit { percent: 0 }).1);
    assert_eq!(lowered.reason, Reason::Quota(Quota::Requests));
}

#[test]
fn a_senseless_put_is_refused_whole() {
    let mut cloud = azure(1);
    let live = |deployment: Option<&str>, percent| LiveFault {
        deployment: deployment.map(str::to_owned),
        for_s: None,
        fault: Fault::Cut { percent, after_chunks: 1 },
    };
    assert!(cloud.put_faults(0, vec![live(None, 5), live(Some("nowhere"), 5)]).is_err());
    assert!(cloud.put_faults(0, vec![live(None, 101)]).is_err());
    assert!(cloud.put_faults(0, vec![live(None, 1); MAX_LIVE_FAULTS + 1]).is_err());
    assert_eq!(cloud.live_faults(0).count(), 0);
}

/// Random traffic over every deployment and fault; returns a hash of all that was decided.
fn run(seed: u64) -> (u64, Cloud) {
    let mut cloud = azure(seed);
    let mut rng = Rng::stream(seed, "traffic", Purpose::Fault, 0);
    let names = ["gpt-5-ptu", "gpt-5-ptu", "gpt-5-payg", "gpt-oss-120b"];
    let (mut at, mut open, mut hash) = (0, Vec::new(), 0);
    for step in 0..2_000_u64 {
        at += rng.below(SECOND);
        if step % 100 == 0 {
            cloud.put_faults(at, vec![random_fault(&mut rng)]).unwrap();
        }
        let max_tokens = rng.percent(50).then(|| 1 + rng.below(4_000));
        let prompt_tokens = rng.below(20_000);
        let name = names[rng.below(4) as usize];
        let call = Call { prompt_tokens, max_tokens, output_tokens: None, ..chat(&cloud, name) };
        let verdict = cloud.call(at, &call);
        hash = crate::rng::fingerprint(&format!("{hash} {verdict:?}"));
        if let Verdict::Serve(answer) = verdict {
            open.push(answer);
        }
        if open.len() > 20 {
            let answer = open.swap_remove(rng.below(20) as usize);
            let endings = [Ending::Whole, Ending::Whole, Ending::Cut, Ending::Abandoned];
            let ending = endings[rng.below(4) as usize];
            let emitted =
                if ending == Ending::Whole { answer.output_tokens } else { answer.output_tokens / 2 };
            cloud.finish(at, answer.ticket, emitted, ending);
        }
        if rng.percent(2) {
            cloud.reject(None);
        }
    }
    (hash, cloud)
}

fn random_fault(rng: &mut Rng) -> LiveFault {
    let fault = match rng.below(7) {
        0 => Fault::BrownOut { slow_percent: 400, error_percent: 40, status: 503 },
        1 => Fault::ThrottleStorm { percent: 50, retry_after_ms: 100 },
        2 => Fault::Cut { percent: 30, after_chunks: 4 },
        3 => Fault::Stall { percent: 30, after_chunks: 4, for_ms: 100 },
        4 => Fault::RefuseConnections {},
        5 => Fault::WrongUsage { percent: 130 },
        _ => Fault::LoweredLimit { percent: 20 },
    };
    LiveFault { deployment: None, for_s: Some(rng.below(60)), fault }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let (first, cloud) = run(42);
    let (second, again) = run(42);
    assert_eq!(first, second);
    assert_eq!(cloud.total(), again.total());
    assert_ne!(first, run(43).0);
}

#[test]
fn nothing_is_lost_or_counted_twice() {
    for seed in 0..20 {
        let (_, cloud) = run(seed);
        let total = cloud.total().clone();
        assert_eq!(total.requests, total.accounted(), "seed {seed}");
        assert!(
            total.served > 0 && total.throttled > 0 && total.spilled > 0 && total.failed > 0,
            "{total:?}"
        );
        let (mut requests, mut prompt, mut output) = (0, 0, 0);
        for (deployment, counters) in cloud.counters() {
            assert_eq!(counters.requests, counters.accounted(), "seed {seed}: {}", deployment.name);
            requests += counters.requests;
            prompt += counters.prompt_tokens;
            output += counters.output_tokens;
        }
        assert!(requests <= total.requests, "seed {seed}");
        assert_eq!((prompt, output), (total.prompt_tokens, total.output_tokens), "seed {seed}");
    }
}
