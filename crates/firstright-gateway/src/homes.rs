//! Where do the things live that ids name? The signatures of one configuration, and the providers that they name.

use std::collections::HashMap;

use firstright_core::world::{ProviderId, World};
use firstright_wire::home::{Homes, Signer, Tag, Unsigned};
use sha2::{Digest, Sha256};

/// The homes of one law.
#[derive(Debug)]
pub struct HomeBook {
    homes: Homes,
    tags: Vec<Tag>,
    providers: HashMap<Tag, ProviderId>,
    tenants: usize,
    reachable: usize,
    shared_lists: bool,
}

impl HomeBook {
    /// The homes of a world's providers, signed with this secret. `reachable` providers have a configured deployment;
    /// `shared_lists` lets tenants list accounts that they share.
    pub fn new(secret: &[u8; 32], world: &World, reachable: usize, shared_lists: bool) -> HomeBook {
        let (tags, providers) = (Vec::new(), HashMap::new());
        let book =
            HomeBook { homes: Homes::new(secret), tags, providers, tenants: 0, reachable, shared_lists };
        book.under(world)
    }

    /// The same where providers have other numbers.
    #[must_use]
    pub(crate) fn under(mut self, world: &World) -> HomeBook {
        self.tags = world.providers.iter().map(|provider| tag_of(&provider.id)).collect();
        self.providers = self.tags.iter().zip(0u16..).map(|(tag, place)| (*tag, ProviderId(place))).collect();
        self.tenants = world.customers().count();
        self
    }

    pub(crate) fn unsign(&self, tenant: &str, text: &[u8]) -> Unsigned {
        self.homes.unsign(tenant, text)
    }

    /// Where the JSON names an id that was not given out here, where it may be another tenant's.
    pub(crate) fn stranger(&self, text: &[u8], unsigned: &Unsigned) -> Option<String> {
        if self.is_alone_tenant() { None } else { self.homes.stranger(text, unsigned) }
    }

    /// The same of a field of a form.
    pub(crate) fn stranger_in_field(&self, name: &str, text: &[u8], unsigned: &Unsigned) -> Option<String> {
        if self.is_alone_tenant() { None } else { self.homes.stranger_in_field(name, text, unsigned) }
    }

    /// The same of a query.
    pub(crate) fn stranger_in_query(&self, query: &str, unsigned: &Unsigned) -> Option<String> {
        if self.is_alone_tenant() { None } else { self.homes.stranger_in_query(query, unsigned) }
    }

    /// The same of a line of a batch, also where there is one tenant only: another provider may have given it out.
    pub(crate) fn stranger_in_line(&self, text: &[u8], unsigned: &Unsigned) -> Option<String> {
        self.homes.stranger(text, unsigned)
    }

    /// Signs what a provider gives to a tenant.
    pub(crate) fn signer(&self, tenant: &str, provider: ProviderId) -> Option<Signer> {
        self.tags.get(provider.index()).map(|tag| self.homes.signer(tenant, *tag))
    }

    pub(crate) fn provider(&self, tag: Tag) -> Option<ProviderId> {
        self.providers.get(&tag).copied()
    }

    /// One tenant only: whatever lives at a provider is its own.
    pub(crate) fn is_alone_tenant(&self) -> bool {
        self.tenants <= 1
    }

    /// One tenant and one provider: what is not signed can only live there.
    pub(crate) fn is_alone(&self) -> bool {
        self.tenants <= 1 && self.reachable <= 1
    }

    /// May a tenant see what a provider's account holds?
    pub(crate) fn may_list(&self) -> bool {
        self.tenants <= 1 || self.shared_lists
    }
}

/// Four bytes are enough to tell a law's providers apart; a signature is over them and the id.
fn tag_of(provider: &str) -> Tag {
    let digest: [u8; 32] = Sha256::digest(provider.as_bytes()).into();
    [digest[0], digest[1], digest[2], digest[3]]
}
