//! What did the audit find? Findings by record, and counts by provider and by ground.

use std::collections::BTreeMap;
use std::fmt;

use firstright_core::decision::{Action, Decision};
use firstright_core::settle::Line;
use firstright_core::units::Money;
use firstright_core::world::World;

use super::{kind_of, sums::Sums};

/// Something that ought not to stand in a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// At which record; 0 for what concerns the settlement as a whole.
    pub record: u64,
    /// What is wrong.
    pub what: String,
}

/// What one provider got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls that were sent there.
    pub calls: u64,
    /// Tokens of the calls that were settled.
    pub tokens: u64,
    /// Leases that were opened there.
    pub leases: u64,
    /// Accelerator-seconds that were metered.
    pub accelerator_seconds: u64,
    /// What it is owed for all of it.
    pub cost: Money,
}

/// What became of the offers: each has one of these outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// Offers made.
    pub made: u64,
    /// Taken whole, by word or by silence that accepts.
    pub accepted: u64,
    /// Taken in part.
    pub in_part: u64,
    /// Declined.
    pub declined: u64,
    /// Unanswered at the window's end.
    pub silent: u64,
    /// Taken back, because the job was gone.
    pub withdrawn: u64,
    /// Still open at the journal's end.
    pub open: u64,
}

/// What a journal shows.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// What is wrong; none is the good case.
    pub findings: Vec<Finding>,
    /// Records that were read.
    pub records: u64,
    /// Calls that arrived.
    pub calls: u64,
    /// Calls whose callers went away before they were served.
    pub abandoned: u64,
    /// Jobs that were submitted.
    pub jobs: u64,
    /// Jobs that were refused, whole or in part.
    pub refused_jobs: u64,
    /// What became of the offers.
    pub offers: Offers,
    /// By provider id.
    pub providers: BTreeMap<String, Tally>,
    /// Grounds of decisions, by their kind.
    pub grounds: BTreeMap<String, u64>,
    /// Evidence by which rights were released, by its kind.
    pub releases: BTreeMap<String, u64>,
    pub(super) sums: Sums,
}

impl Audit {
    /// What in the settlement does not follow from the journal?
    pub fn settlement(&self, world: &World, lines: &[Line]) -> Vec<Finding> {
        self.sums.check(world, lines)
    }

    pub(super) fn count(&mut self, decision: &Decision) {
        for ground in &decision.grounds {
            *self.grounds.entry(kind_of(ground)).or_default() += 1;
        }
        if let Action::Serve { title, .. } | Action::Dispatch { title, .. } = &decision.action {
            for evidence in title.releases().iter().flat_map(|one| one.evidence()) {
                *self.releases.entry(kind_of(evidence)).or_default() += 1;
            }
        }
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} records, {} calls, {} jobs", self.records, self.calls, self.jobs)?;
        let Offers { made, accepted, in_part, declined, silent, withdrawn, open } = self.offers;
        if made > 0 {
            writeln!(
                f,
                "{made} offers: {accepted} accepted, {in_part} in part, {declined} declined, {silent} silent, \
                 {withdrawn} withdrawn, {open} open"
            )?;
        }
        writeln!(
            f,
            "{:<24} {:>10} {:>14} {:>8} {:>14} {:>16}",
            "provider", "calls", "tokens", "leases", "GPU-hours", "cost"
        )?;
        for (provider, tally) in &self.providers {
            let hours = tally.accelerator_seconds / 3_600;
            let (calls, tokens, leases) = (tally.calls, tally.tokens, tally.leases);
            writeln!(
                f,
                "{provider:<24} {calls:>10} {tokens:>14} {leases:>8} {hours:>14} {:>16}",
                tally.cost.to_string()
            )?;
        }
        for (title, counts) in [("ground", &self.grounds), ("released by", &self.releases)] {
            if !counts.is_empty() {
                writeln!(f, "{title:<24} {:>10}", "times")?;
            }
            for (name, count) in counts {
                writeln!(f, "{name:<24} {count:>10}")?;
            }
        }
        writeln!(f, "{} findings", self.findings.len())?;
        for finding in &self.findings {
            writeln!(f, "record {}: {}", finding.record, finding.what)?;
        }
        Ok(())
    }
}
