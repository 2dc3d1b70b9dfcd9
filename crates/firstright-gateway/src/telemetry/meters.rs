//! What is counted, and for whom? Series of the things that the law names: they are made when a configuration names the
//! thing, kept for as long as the process runs, and found by number while requests pass.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use firstright_core::codes::GROUNDS;
use firstright_core::world::{DeploymentId, ModelId, TenantId};

use super::codes::{ATTEMPTS, CLASSES, OUTCOMES, TOKENS};
use super::instrument::{Counter, DURATION, FIRST, Histogram, PER_TOKEN, TOKENS as TOKEN_BOUNDS};
use crate::setup::Setup;

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Meters {
    /// Requests that are being answered.
    pub in_flight: AtomicI64,
    /// By class and outcome.
    pub requests: [[Counter; OUTCOMES.len()]; CLASSES.len()],
    /// How often each word determined a decision about a call.
    pub grounds: [Counter; GROUNDS.len()],
    /// How long calls waited for room.
    pub waits: Histogram,
    /// By code; codes stand in the program's text, so there are few.
    pub refusals: Mutex<BTreeMap<&'static str, u64>>,
    /// Series by name.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    tenants: BTreeMap<String, Arc<OfTenant>>,
    deployments: BTreeMap<String, Arc<OfDeployment>>,
}

/// What a tenant's requests used.
#[derive(Debug, Default)]
pub(super) struct OfTenant {
    pub requests: [Counter; OUTCOMES.len()],
    pub tokens: [Counter; TOKENS.len()],
}

/// What was asked of a deployment, and how it answered.
#[derive(Debug, Default)]
pub(super) struct OfDeployment {
    pub attempts: [Counter; ATTEMPTS.len()],
    pub tokens: [Counter; TOKENS.len()],
    /// Calls that it served away from a holder of a right.
    pub spills: Counter,
    /// Calls that the provider served with other capacity of its own.
    pub native_spills: Counter,
    /// By class of operation, once there is one.
    pub served: [OnceLock<Served>; CLASSES.len()],
}

/// How long served requests of one class took, and what they used.
#[derive(Debug)]
pub(super) struct Served {
    /// From our taking of a request to the last byte that we had to give.
    pub server: Histogram,
    /// The attempt that served it, alone.
    pub client: Histogram,
    pub first: Histogram,
    pub per_token: Histogram,
    pub input: Histogram,
    pub output: Histogram,
}

impl Default for Meters {
    fn default() -> Meters {
        Meters {
            in_flight: AtomicI64::new(0),
            requests: Default::default(),
            grounds: std::array::from_fn(|_| Counter::default()),
            waits: Histogram::new(DURATION),
            refusals: Mutex::default(),
            known: Mutex::default(),
        }
    }
}

impl OfDeployment {
    pub(super) fn served(&self, class: usize) -> Option<&Served> {
        let made = || Served {
            server: Histogram::new(DURATION),
            client: Histogram::new(DURATION),
            first: Histogram::new(FIRST),
            per_token: Histogram::new(PER_TOKEN),
            input: Histogram::new(TOKEN_BOUNDS),
            output: Histogram::new(TOKEN_BOUNDS),
        };
        self.served.get(class).map(|served| served.get_or_init(made))
    }
}

impl Meters {
    /// A refusal of ours.
    pub(super) fn refused(&self, code: &'static str) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        *refusals.entry(code).or_default() += 1;
    }

    /// Every tenant that was ever named, with its series.
    pub(super) fn tenants(&self) -> Vec<(String, Arc<OfTenant>)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.tenants.iter().map(|(name, one)| (name.clone(), Arc::clone(one))).collect()
    }

    fn tenant(&self, name: &str) -> Arc<OfTenant> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.tenants.entry(name.to_string()).or_default())
    }

    fn deployment(&self, name: &str) -> Arc<OfDeployment> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.deployments.entry(name.to_string()).or_default())
    }
}

/// What numbers mean in one version of the configuration, and whose series they are. Numbers go on from law to law, so a
/// newer version knows those of all before it.
#[derive(Debug)]
pub(super) struct Names {
    pub version: u64,
    pub tenants: Vec<(String, Arc<OfTenant>)>,
    pub deployments: Vec<Name>,
    pub models: Vec<String>,
}

/// What is said of a deployment.
#[derive(Debug)]
pub(super) struct Name {
    pub id: String,
    pub provider: String,
    /// The provider by the name of the conventions for generative AI.
    pub kind: &'static str,
    pub model: String,
    /// The host and port that are dialled.
    pub address: Option<(String, u16)>,
    pub of: Arc<OfDeployment>,
}

impl Names {
    pub(super) fn of(setup: &Setup, meters: &Meters) -> Names {
        let world = &setup.world;
        let deployment = |(place, one): (usize, &firstright_core::world::Deployment)| {
            let endpoint = setup.endpoints.get(place).and_then(Option::as_ref);
            Name {
                id: one.id.clone(),
                provider: world.provider(one.provider).id.clone(),
                kind: endpoint.map_or("_OTHER", |endpoint| endpoint.dialect.provider_name()),
                model: world.model(one.model).to_string(),
                address: endpoint.map(|one| (one.target.host().to_string(), one.target.port())),
                of: meters.deployment(&one.id),
            }
        };
        Names {
            version: setup.version,
            tenants: world.tenants.iter().map(|one| (one.id.clone(), meters.tenant(&one.id))).collect(),
            deployments: world.deployments.iter().enumerate().map(deployment).collect(),
            models: world.models.clone(),
        }
    }

    pub(super) fn tenant(&self, id: TenantId) -> Option<&(String, Arc<OfTenant>)> {
        self.tenants.get(id.index())
    }

    pub(super) fn deployment(&self, id: DeploymentId) -> Option<&Name> {
        self.deployments.get(id.index())
    }

    /// The model's name; a number of no model has none.
    pub(super) fn model(&self, id: ModelId) -> &str {
        self.models.get(id.index()).map_or("other", String::as_str)
    }
}
