//! Does a trace come through whole, and is its journal a good one?

use firstright_core::journal::verify;
use firstright_core::units::{MINUTE, Span};
use firstright_sim::auditor::{Audit, Auditor};
use firstright_sim::replay::{self, Policy};
use firstright_sim::traces;

fn audited(journal: &[u8]) -> Audit {
    let mut auditor = Auditor::default();
    let verdict = verify(journal, false, |record, _| auditor.record(record));
    assert_eq!(verdict.fault, None);
    let audit = auditor.finish();
    assert_eq!(audit.findings, []);
    audit
}

#[test]
fn the_surge_of_jobs_overflows_less_the_longer_the_holder_may_think() {
    let trace = traces::jobs("surge-jobs.csv", traces::surge_jobs().as_bytes()).unwrap();
    let law = || replay::jobs_law(&trace, 64, Span(30 * MINUTE));
    let run = |policy| replay::jobs(&trace, law(), policy).unwrap();
    let (decline, silent, wait) = (run(Policy::Decline), run(Policy::Silent), run(Policy::Wait));
    for run in [&decline, &silent, &wait] {
        let audit = audited(&run.journal);
        let offers = audit.offers;
        assert_eq!((offers.made, audit.jobs, run.refused), (178, 178, 0));
        assert_eq!(offers.accepted + offers.declined + offers.silent, 178, "each offer has one outcome");
        assert_eq!(run.overflow_jobs, offers.declined + offers.silent);
    }
    assert!(decline.overflow_jobs > 20 && wait.overflow_jobs > 0);
    assert!(wait.overflow_jobs < decline.overflow_jobs, "{} {}", wait.overflow_jobs, decline.overflow_jobs);
}

#[test]
fn the_surge_of_calls_spills_only_when_the_holder_is_short() {
    let trace = traces::calls("surge-calls.csv", traces::surge_calls().as_bytes()).unwrap();
    let run = |per_minute| replay::calls(&trace, replay::calls_law(&trace, per_minute), 500).unwrap();
    let (small, large) = (run(20_000), run(10_000_000));
    assert_eq!((large.overflow_calls, large.calls), (0, 362));
    assert!(small.overflow_calls > 20 && small.overflow_calls < 362, "{}", small.overflow_calls);
    assert_eq!((small.refused, small.tokens), (0, large.tokens));
    let audit = audited(&small.journal);
    assert_eq!(audit.releases.get("Short"), Some(&small.overflow_calls));
    assert_eq!(audit.providers["market"].calls, small.overflow_calls);
    audited(&large.journal);
}
