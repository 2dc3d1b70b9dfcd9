//! Has this deployment room for one more call? One enum over the three ways of selling capacity.

use serde::Deserialize;

use super::metered::{Meter, MeteredSpec, Quota, Rates};
use super::provisioned::{Bucket, ProvisionedSpec};

/// How a deployment's capacity is sold.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum CapacitySpec {
    Provisioned(ProvisionedSpec),
    Metered(MeteredSpec),
    Slots(SlotsSpec),
}

/// So many calls at a time; the rest get `refuse_with`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct SlotsSpec {
    pub concurrent: u64,
    /// 429 or 503.
    pub refuse_with: u16,
    pub retry_after_ms: u64,
}

impl CapacitySpec {
    pub(super) fn check(&self) -> Result<(), String> {
        // 2^40 keeps every product of these in range; nobody buys that much.
        let sane = |key: &str, value: u64| match value {
            1..=0x100_0000_0000 => Ok(()),
            _ => Err(format!("`{key}` is `{value}`, not 1 to 2^40")),
        };
        match self {
            CapacitySpec::Provisioned(spec) => {
                sane("units", spec.units)?;
                sane("tokens_per_minute_per_unit", spec.tokens_per_minute_per_unit)?;
                sane("window_seconds", spec.window_seconds)?;
                sane("output_weight", spec.output_weight)?;
                sane("burst_percent", spec.burst_percent.saturating_add(1))
            }
            CapacitySpec::Metered(spec) => {
                sane("tokens_per_minute", spec.tokens_per_minute)?;
                sane("requests_per_minute", spec.requests_per_minute)?;
                match spec.slice_seconds {
                    1..=60 if 60 % spec.slice_seconds == 0 => Ok(()),
                    seconds => Err(format!("`slice_seconds` is `{seconds}`, which doesn't divide 60")),
                }
            }
            CapacitySpec::Slots(spec) => match spec.refuse_with {
                429 | 503 => sane("concurrent", spec.concurrent),
                status => Err(format!("`refuse_with` is `{status}`, not 429 or 503")),
            },
        }
    }
}

/// Why capacity refuses, and for how many nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    Utilization(u64),
    Quota(Quota, u64),
    Slots { status: u16, retry_after_ns: u64 },
}

/// What the capacity headers show after a call was admitted or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gauge {
    /// Thousandths of 100 %.
    Utilization(u64),
    Rates(Rates),
    Unsaid,
}

#[derive(Clone, Debug)]
pub(super) enum Capacity {
    Provisioned(Bucket),
    Metered(Meter),
    Slots { spec: SlotsSpec, taken: u64 },
}

impl Capacity {
    pub(super) fn new(spec: &CapacitySpec) -> Capacity {
        match spec {
            CapacitySpec::Provisioned(spec) => Capacity::Provisioned(Bucket::new(spec.clone())),
            CapacitySpec::Metered(spec) => Capacity::Metered(Meter::new(spec.clone())),
            CapacitySpec::Slots(spec) => Capacity::Slots { spec: spec.clone(), taken: 0 },
        }
    }

    /// What the call counts for on arrival.
    pub(super) fn charge(&self, prompt: u64, cached: u64, output: u64) -> u64 {
        match self {
            Capacity::Provisioned(bucket) => bucket.charge(prompt, cached, output),
            Capacity::Metered(_) | Capacity::Slots { .. } => prompt.saturating_add(output),
        }
    }

    pub(super) fn admit(&mut self, at_ns: u64, charge: u64, limit_percent: u32) -> Result<(), Full> {
        match self {
            Capacity::Provisioned(bucket) => bucket.admit(at_ns, charge).map_err(Full::Utilization),
            Capacity::Metered(meter) => {
                meter.admit(at_ns, charge, limit_percent).map_err(|(quota, wait)| Full::Quota(quota, wait))
            }
            Capacity::Slots { spec, taken } if *taken < spec.concurrent => {
                *taken += 1;
                Ok(())
            }
            Capacity::Slots { spec, .. } => Err(Full::Slots {
                status: spec.refuse_with,
                retry_after_ns: spec.retry_after_ms.saturating_mul(1_000_000),
            }),
        }
    }

    /// The call ended: gives back its slot, or corrects its charge.
    pub(super) fn release(&mut self, at_ns: u64, charged: u64, used: u64) {
        match self {
            Capacity::Provisioned(bucket) => bucket.correct(at_ns, charged, used),
            Capacity::Metered(_) => {}
            Capacity::Slots { taken, .. } => *taken = taken.saturating_sub(1),
        }
    }

    pub(super) fn gauge(&mut self, at_ns: u64, limit_percent: u32) -> Gauge {
        match self {
            Capacity::Provisioned(bucket) => Gauge::Utilization(bucket.utilization_permille(at_ns)),
            Capacity::Metered(meter) => Gauge::Rates(meter.rates(at_ns, limit_percent)),
            Capacity::Slots { .. } => Gauge::Unsaid,
        }
    }
}
