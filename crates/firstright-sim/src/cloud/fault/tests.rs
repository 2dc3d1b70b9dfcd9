use super::{Effects, Fault, Faults, LiveFault, SECOND, ScheduledFault};

fn scheduled(from_s: u64, until_s: u64, deployment: Option<&str>, fault: Fault) -> ScheduledFault {
    ScheduledFault { from_s, until_s, deployment: deployment.map(str::to_owned), fault }
}

#[test]
fn a_schedule_holds_between_its_moments_and_for_its_deployment() {
    let storm = Fault::ThrottleStorm { percent: 100, retry_after_ms: 500 };
    let faults = Faults::new(vec![scheduled(10, 20, Some("ptu"), storm)]);
    let cases =
        [(9, "ptu", false), (10, "ptu", true), (19, "ptu", true), (20, "ptu", false), (15, "payg", false)];
    for (at_s, deployment, wanted) in cases {
        assert_eq!(
            faults.effects(at_s * SECOND, deployment).storm.is_some(),
            wanted,
            "{deployment} at {at_s}"
        );
    }
}

#[test]
fn a_live_fault_wins_ends_and_is_replaced() {
    let mut faults = Faults::new(vec![scheduled(0, 100, None, Fault::WrongUsage { percent: 90 })]);
    let live = |percent, for_s| LiveFault { deployment: None, for_s, fault: Fault::WrongUsage { percent } };
    faults.put(5 * SECOND, vec![live(120, Some(10))]);
    assert_eq!(faults.effects(6 * SECOND, "any").usage_percent, Some(120));
    assert_eq!(faults.effects(15 * SECOND, "any").usage_percent, Some(90));
    faults.put(6 * SECOND, Vec::new());
    assert_eq!(faults.effects(7 * SECOND, "any").usage_percent, Some(90));
    assert_eq!(faults.effects(101 * SECOND, "any"), Effects::default());
}

#[test]
fn only_a_fault_of_the_whole_cloud_closes_the_port() {
    let mut faults = Faults::default();
    let refuse = |deployment: Option<&str>| LiveFault {
        deployment: deployment.map(str::to_owned),
        for_s: None,
        fault: Fault::RefuseConnections {},
    };
    faults.put(0, vec![refuse(Some("ptu"))]);
    assert!(!faults.refuses_connections(1));
    faults.put(0, vec![refuse(None)]);
    assert!(faults.refuses_connections(1));
}
