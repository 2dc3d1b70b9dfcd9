//! Who is calling? A virtual key names its tenant and the models it may use. Only its SHA-256 is kept: a key is 256 bits
//! of randomness, so nothing slower is needed, and the whole digest is the look-up key, so nothing shorter can collide.

use std::collections::HashMap;

use firstright_core::scope::{Glob, any};
use firstright_core::world::TenantId;
use sha2::{Digest, Sha256};

/// What a key may do.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The key's name in the configuration, for logs.
    pub key: String,
    /// Whose work it brings.
    pub tenant: TenantId,
    /// Models it may use, beside what the tenant may; empty means all of those.
    pub models: Vec<Glob>,
}

impl Principal {
    /// May it use the model?
    pub fn may_use(&self, model: &str) -> bool {
        any(&self.models, model)
    }
}

/// The keys that are known.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    by_digest: HashMap<[u8; 32], Principal>,
}

impl Keys {
    /// Adds a key by the SHA-256 of its text. False if that digest is known already.
    pub fn insert(&mut self, digest: [u8; 32], principal: Principal) -> bool {
        self.by_digest.insert(digest, principal).is_none()
    }

    /// The same keys where tenants have other numbers; one whose tenant has none is not known any more.
    #[must_use]
    pub(crate) fn under(mut self, tenant: impl Fn(TenantId) -> Option<TenantId>) -> Keys {
        self.by_digest.retain(|_, principal| match tenant(principal.tenant) {
            Some(tenant) => {
                principal.tenant = tenant;
                true
            }
            None => false,
        });
        self
    }

    /// Who presents this key.
    pub fn find(&self, presented: &[u8]) -> Option<&Principal> {
        let digest: [u8; 32] = Sha256::digest(presented).into();
        self.by_digest.get(&digest)
    }
}

/// The digest that is kept of a key.
pub fn digest_of(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}
