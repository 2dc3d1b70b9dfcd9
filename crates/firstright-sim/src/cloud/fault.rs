//! What is broken at this moment, and for whom?
//!
//! Faults come from the spec's schedule or are put live; when two of one kind hold at the same time,
//! the one that stands later wins, and live ones stand after scheduled ones.

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// One way to fail. Shares are whole percents of calls; times are simulated.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Latencies become `slow_percent` percent of usual, and `error_percent` of calls get `status`.
    BrownOut { slow_percent: u32, error_percent: u32, status: u16 },
    /// `percent` of calls get a 429 whatever the capacity says.
    ThrottleStorm { percent: u32, retry_after_ms: u64 },
    /// `percent` of answers break off after `after_chunks` content chunks.
    Cut { percent: u32, after_chunks: u32 },
    /// `percent` of answers pause for `for_ms` after `after_chunks` content chunks.
    Stall { percent: u32, after_chunks: u32, for_ms: u64 },
    /// Nobody listens on the port any more, and open connections are dropped at the next call.
    RefuseConnections {},
    /// Usage is reported as `percent` percent of the truth.
    WrongUsage { percent: u32 },
    /// Pay-as-you-go limits are silently `percent` percent of the configured ones.
    LoweredLimit { percent: u32 },
}

/// A fault of the spec, between two moments of simulated time.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ScheduledFault {
    pub from_s: u64,
    pub until_s: u64,
    /// Only this deployment; all when absent.
    pub deployment: Option<String>,
    pub fault: Fault,
}

/// A fault that is put at run time, for as long as it says, or until the next put.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct LiveFault {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// Simulated seconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_s: Option<u64>,
    pub fault: Fault,
}

/// What the faults of one moment add up to, for one deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    pub slow_percent: Option<u32>,
    pub errors: Option<(u32, u16)>,
    /// Share of calls, and the wait that is told, in nanoseconds.
    pub storm: Option<(u32, u64)>,
    pub cut: Option<(u32, u32)>,
    /// Share of answers, content chunks before it, nanoseconds.
    pub stall: Option<(u32, u32, u64)>,
    pub refuses_connections: bool,
    pub usage_percent: Option<u32>,
    pub limit_percent: Option<u32>,
}

#[derive(Clone, Debug, Default)]
pub struct Faults {
    scheduled: Vec<ScheduledFault>,
    live: Vec<(u64, LiveFault)>,
}

impl Faults {
    pub fn new(scheduled: Vec<ScheduledFault>) -> Faults {
        Faults { scheduled, live: Vec::new() }
    }

    /// Replaces the live faults; those that say how long begin now.
    pub fn put(&mut self, at_ns: u64, faults: Vec<LiveFault>) {
        let until = |fault: &LiveFault| {
            fault.for_s.map_or(u64::MAX, |s| at_ns.saturating_add(s.saturating_mul(SECOND)))
        };
        self.live = faults.into_iter().map(|fault| (until(&fault), fault)).collect();
    }

    /// The live faults that still hold.
    pub fn live(&self, at_ns: u64) -> impl Iterator<Item = &LiveFault> {
        self.live.iter().filter(move |(until, _)| at_ns < *until).map(|(_, fault)| fault)
    }

    pub fn effects(&self, at_ns: u64, deployment: &str) -> Effects {
        let concerns = |only: &Option<String>| only.as_deref().is_none_or(|name| name == deployment);
        let scheduled = self
            .scheduled
            .iter()
            .filter(|s| (s.from_s.saturating_mul(SECOND)..s.until_s.saturating_mul(SECOND)).contains(&at_ns))
            .filter(|s| concerns(&s.deployment))
            .map(|s| &s.fault);
        let live = self.live(at_ns).filter(|l| concerns(&l.deployment)).map(|l| &l.fault);
        let mut effects = Effects::default();
        for fault in scheduled.chain(live) {
            effects.add(fault);
        }
        effects
    }

    /// Whether the cloud as a whole takes connections; a refusal of one deployment doesn't close the port.
    pub fn refuses_connections(&self, at_ns: u64) -> bool {
        self.effects(at_ns, "").refuses_connections
    }
}

impl Effects {
    fn add(&mut self, fault: &Fault) {
        match *fault {
            Fault::BrownOut { slow_percent, error_percent, status } => {
                self.slow_percent = Some(slow_percent);
                self.errors = Some((error_percent, status));
            }
            Fault::ThrottleStorm { percent, retry_after_ms } => {
                self.storm = Some((percent, retry_after_ms.saturating_mul(MILLI)));
            }
            Fault::Cut { percent, after_chunks } => self.cut = Some((percent, after_chunks)),
            Fault::Stall { percent, after_chunks, for_ms } => {
                self.stall = Some((percent, after_chunks, for_ms.saturating_mul(MILLI)));
            }
            Fault::RefuseConnections {} => self.refuses_connections = true,
            Fault::WrongUsage { percent } => self.usage_percent = Some(percent),
            Fault::LoweredLimit { percent } => self.limit_percent = Some(percent),
        }
    }
}
