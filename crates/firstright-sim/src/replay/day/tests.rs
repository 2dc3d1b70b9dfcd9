use firstright_core::check::check;
use firstright_core::text;

use super::*;
use crate::replay::{START, calls};
use crate::shares::Shares;

/// Two tenants, one of which brings ten calls a second for a minute out of three.
fn trace() -> Vec<TraceCall> {
    let call = |t_ms: u64, tenant: &str| TraceCall {
        t_ms,
        model: "m-large".to_string(),
        tenant: Some(tenant.to_string()),
        prompt_tokens: 900,
        output_tokens: 100,
    };
    let mut all: Vec<TraceCall> = (0..180).map(|second| call(second * 1_000, "m-large/calm")).collect();
    all.extend((600..1_200).map(|tenth| call(tenth * 100, "m-large/busy")));
    all.sort_by_key(|call| call.t_ms);
    all
}

fn run(arrangement: Arrangement) -> Shares {
    let trace = trace();
    let run = calls(&trace, day_law(&trace, arrangement), 0).unwrap();
    let mut shares = Shares::default();
    let verdict = firstright_core::journal::verify(&run.journal, false, |record, _| shares.record(record));
    assert!(verdict.fault.is_none(), "{:?}", verdict.fault);
    shares
}

#[test]
fn the_world_is_a_law_without_problems() {
    for arrangement in [Arrangement::Contract, Arrangement::HolderOnly, Arrangement::CheapestOnly] {
        let sources = day_law(&trace(), arrangement);
        let (world, mut problems) = text::read(&sources);
        let world = world.unwrap_or_else(|| panic!("{problems:?}"));
        problems.extend(check(&world, &sources, START));
        let errors: Vec<String> = problems
            .iter()
            .filter(|one| one.severity == text::Severity::Error)
            .map(|one| one.render(&sources))
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert!(world.find_tenant("m-large/busy").is_some());
    }
}

#[test]
fn the_holder_spills_its_surge_where_it_may_and_sheds_it_where_it_may_not() {
    let (contract, only, cheapest) =
        (run(Arrangement::Contract), run(Arrangement::HolderOnly), run(Arrangement::CheapestOnly));
    assert!(contract.spilled() > 0);
    assert!(only.refused() > contract.refused(), "{only}\n{contract}");
    assert_eq!(only.spilled() + cheapest.spilled(), 0, "nobody but a holder releases");
    // 180 k tokens of the calm tenant and 600 k of the busy one: nothing is provisioned for more than the median minute.
    assert_eq!(provisioned(&trace()).0 % 10, 0);
    assert!(cheapest.cost() > contract.cost(), "what is provisioned costs nothing by the call");
}
