//! What has this cloud counted, and what is to break next? `GET` and `PUT /__sandbox`.

use std::collections::BTreeMap;

use firstright_sim::cloud::{Counters, LiveFault};
use serde::{Deserialize, Serialize};

use super::shared::Shared;

pub(super) const PATH: &str = "/__sandbox";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    faults: Vec<LiveFault>,
}

#[derive(Serialize)]
struct State<'a> {
    cloud: &'a str,
    speed: u32,
    /// Simulated seconds since the start.
    at_s: u64,
    faults: Vec<&'a LiveFault>,
    total: &'a Counters,
    deployments: BTreeMap<&'a str, &'a Counters>,
}

pub(super) fn get(shared: &Shared) -> String {
    let (at_ns, cloud) = (shared.clock.now_ns(), shared.cloud());
    let state = State {
        cloud: &cloud.spec().name,
        speed: shared.clock.speed(),
        at_s: at_ns / 1_000_000_000,
        faults: cloud.live_faults(at_ns).collect(),
        total: cloud.total(),
        deployments: cloud
            .counters()
            .map(|(deployment, counters)| (deployment.name.as_str(), counters))
            .collect(),
    };
    serde_json::to_string(&state).unwrap_or_default()
}

/// The error is what the client is told, with status 400.
pub(super) fn put(shared: &Shared, body: &[u8]) -> Result<(), String> {
    let put: Put =
        serde_json::from_slice(body).map_err(|error| format!("failed to parse the faults: {error}"))?;
    shared.put_faults(put.faults)
}

/// The cloud that `?cloud=NAME` names; a cloud that refuses connections is mended through another.
pub(super) fn chosen(query: Option<&str>) -> Option<&str> {
    query?.split('&').find_map(|pair| pair.strip_prefix("cloud="))
}
