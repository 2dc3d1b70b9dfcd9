//! By what is a request handled? One immutable version of the configuration, with the law that its numbers belong to.

use std::sync::Arc;
use std::time::Duration;

use firstright_core::world::{ModelId, ProviderId, TenantId, World};
use http::HeaderName;

use crate::endpoint::Endpoint;
use crate::homes::HomeBook;
use crate::keys::Keys;
use crate::listen::BodyLimits;
use crate::told::Labels;
use crate::upstream::Budgets;

/// A model's name without the date that stands behind it, as in `gpt-4o-2024-08-06`.
pub(crate) fn undated(name: &str) -> Option<&str> {
    let (name, date) = name.split_at_checked(name.len().checked_sub("-2024-08-06".len())?)?;
    let fits = date.bytes().zip(*b"-dddd-dd-dd").all(|(byte, form)| match form {
        b'd' => byte.is_ascii_digit(),
        dash => byte == dash,
    });
    fits.then_some(name)
}

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
    /// The law's model that a provider means by a name: by that of one of its deployments, by the law's own, or by either
    /// with a date behind it.
    pub(crate) fn model_at(&self, provider: ProviderId, name: &str) -> Option<ModelId> {
        let named = |name: &str| {
            let mut own = self.world.served().filter(|(_, one)| one.provider == provider);
            let found = own.find(|(id, _)| {
                let endpoint = self.endpoints.get(id.index()).and_then(Option::as_ref);
                endpoint.is_some_and(|endpoint| endpoint.name == name)
            });
            found.map(|(_, one)| one.model).or_else(|| self.world.find_model(name))
        };
        // One made of another is billed as that is, if the law does not know it by its own name.
        let base = || name.strip_prefix("ft:")?.split(':').next();
        named(name)
            .or_else(|| named(undated(name)?))
            .or_else(|| named(base()?))
            .or_else(|| named(undated(base()?)?))
    }

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
