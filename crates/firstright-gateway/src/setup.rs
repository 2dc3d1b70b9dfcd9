//! By what is a request handled? One immutable version of the configuration, with the law that its numbers belong to.

use std::sync::Arc;
use std::time::Duration;

use firstright_core::world::{TenantId, World};
use http::HeaderName;

use crate::endpoint::Endpoint;
use crate::homes::HomeBook;
use crate::keys::Keys;
use crate::listen::BodyLimits;
use crate::told::Labels;
use crate::upstream::Budgets;

/// What a request's handling reads. It never changes: a reload makes another one.
#[derive(Debug)]
pub struct Setup {
    /// Which version it is: the first is 1, and each reload makes the next.
    pub version: u64,
    /// The law that ids are resolved by.
    pub world: Arc<World>,
    /// Where each deployment of the law is, by its number; none for one that configuration does not reach.
    pub endpoints: Vec<Option<Endpoint>>,
    /// Where the things live that ids name.
    pub homes: HomeBook,
    /// The model of requests that name none, where their operation has no default of its own.
    pub default_model: Option<String>,
    /// Who may call.
    pub keys: Keys,
    /// How long each part of an attempt may take.
    pub budgets: Budgets,
    /// What a request's body may be.
    pub body: BodyLimits,
    /// What a form may be: files come as forms.
    pub form: BodyLimits,
    /// Bytes that bodies of requests and whole answers may hold at once; see [`crate::held`].
    pub held_bytes: usize,
    /// After so long a stream that waits for room is answered with a comment, and again each time; none: it is not.
    pub keep_alive: Option<Duration>,
    /// What callers are told again and again.
    pub labels: Labels,
    /// Headers of a request that pass to providers beside the usual.
    pub forward: Vec<HeaderName>,
}

impl Setup {
    /// The same under `world`, which says the same as its own and may number it otherwise.
    #[must_use]
    pub fn under(mut self, world: Arc<World>) -> Setup {
        let mut endpoint = |id: &str| {
            let before = self.world.find_deployment(id)?;
            self.endpoints.get_mut(before.index())?.take()
        };
        self.endpoints = world.deployments.iter().map(|one| endpoint(&one.id)).collect();
        let tenant = |id: TenantId| world.find_tenant(&self.world.tenant(id).id);
        self.keys = self.keys.under(tenant);
        self.homes = self.homes.under(&world);
        self.labels = Labels::of(&world);
        self.world = world;
        self
    }
}
