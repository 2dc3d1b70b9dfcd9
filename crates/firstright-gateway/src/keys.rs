//! Who is calling? A virtual key names its tenant and what it may use. Only its SHA-256 is kept: a key is 256 bits of
//! randomness, so nothing slower is needed, and the whole digest is the look-up key, so nothing shorter can collide.
//!
//! Some keys stand in the configuration, others in the book. Of the book's there is an index here, which is made from the
//! book at the start and follows every change at once; it is never more than an index, because the book itself decides
//! again on every call.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use firstright_core::account::{AccountId, AccountKind};
use firstright_core::scope::{Glob, any};
use firstright_core::units::Timestamp;
use firstright_core::world::{TenantId, World};
use firstright_core::{Broker, Known};
use firstright_engine::Engine;
use sha2::{Digest, Sha256};

/// The longest key that is looked up, in bytes: four times as long as ours. What is longer is not even hashed, so that
/// strangers cannot make work by long ones; an unknown one leaves nothing behind.
const MAX_KEY_BYTES: usize = 272;

/// What a key may do.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The key's name, for logs.
    pub key: String,
    /// Whose work it brings.
    pub tenant: TenantId,
    /// Models it may use, beside what the tenant may: those that fit every list; an empty list fits all.
    pub models: Vec<Vec<Glob>>,
    /// Its account in the book, whose permissions, limits and budgets hold.
    pub account: Option<AccountId>,
    /// It, or an account above it, has a hard budget: what its calls can cost must be bounded.
    pub bounded: bool,
}

impl Principal {
    /// A key that the configuration names, and that the book knows nothing of.
    pub fn fixed(key: &str, tenant: TenantId, models: Vec<Glob>) -> Principal {
        Principal { key: key.to_string(), tenant, models: vec![models], account: None, bounded: false }
    }

    /// May it use the model?
    pub fn may_use(&self, model: &str) -> bool {
        self.models.iter().all(|models| any(models, model))
    }
}

/// The keys that are known.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    fixed: HashMap<[u8; 32], Arc<Principal>>,
    book: Arc<BookKeys>,
}

impl Keys {
    /// Those of the book, and none of the configuration.
    pub fn of(book: Arc<BookKeys>) -> Keys {
        Keys { fixed: HashMap::new(), book }
    }

    /// Adds a key by the SHA-256 of its text. False if that digest is known already.
    pub fn insert(&mut self, digest: [u8; 32], principal: Principal) -> bool {
        self.fixed.insert(digest, Arc::new(principal)).is_none()
    }

    /// The same keys where tenants have other numbers; one whose tenant has none is not known any more.
    #[must_use]
    pub(crate) fn under(mut self, tenant: impl Fn(TenantId) -> Option<TenantId>) -> Keys {
        self.fixed.retain(|_, principal| match tenant(principal.tenant) {
            Some(tenant) => {
                Arc::make_mut(principal).tenant = tenant;
                true
            }
            None => false,
        });
        self
    }

    /// Who presents this key, under this law.
    pub fn find(&self, presented: &[u8], engine: &Engine, world: &World) -> Option<Arc<Principal>> {
        if presented.len() > MAX_KEY_BYTES {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(presented).into();
        self.fixed.get(&digest).cloned().or_else(|| self.book.find(&digest, engine, world))
    }
}

/// The keys that the book knows, by their digests.
#[derive(Debug, Default)]
pub struct BookKeys {
    index: RwLock<HashMap<[u8; 32], Entry>>,
}

/// A live version of a key.
#[derive(Clone, Debug)]
struct Entry {
    principal: Arc<Principal>,
    /// The tenant by its id, which stays the same under every law.
    tenant: String,
    /// Until when, exclusive.
    until: Timestamp,
}

impl BookKeys {
    /// Takes over what the book says of this account and of the keys below it; of every key if none is named.
    pub fn follow(&self, engine: &Engine, account: Option<AccountId>) {
        let fresh = engine.read(|broker, _| {
            let meant = |known: &&Known| account.is_none_or(|account| known.chain.contains(&account));
            let keys = broker.accounts().filter(|known| known.account.kind == AccountKind::Key);
            keys.filter(meant).map(|known| (known.number, entries(broker, known))).collect::<Vec<_>>()
        });
        let numbers: Vec<AccountId> = fresh.iter().map(|(number, _)| *number).collect();
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        // The numbers rise, as the book lists them.
        index.retain(|_, entry| {
            let own = entry.principal.account;
            account.is_some() && own.is_none_or(|own| numbers.binary_search(&own).is_err())
        });
        index.extend(fresh.into_iter().flat_map(|(_, entries)| entries));
    }

    fn find(&self, digest: &[u8; 32], engine: &Engine, world: &World) -> Option<Arc<Principal>> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let Entry { mut principal, tenant, until } = index.get(digest)?.clone();
        drop(index);
        let numbered = world.tenants.get(principal.tenant.index());
        if numbered.is_none_or(|numbered| numbered.id != tenant) {
            Arc::make_mut(&mut principal).tenant = world.find_tenant(&tenant)?;
        }
        // Only a version that another has taken the place of has an end, so that the lock is hardly ever asked for.
        (until == Timestamp::MAX || engine.read(|_, now| now < until)).then_some(principal)
    }
}

/// What the book says of a key: each live version, with what it may do by all that stands above it.
fn entries(broker: &Broker, key: &Known) -> Vec<([u8; 32], Entry)> {
    let Some(name) = &key.account.tenant else { return Vec::new() };
    // A tenant that the law does not know now may be one that the next knows.
    let tenant = broker.world().and_then(|world| world.find_tenant(name)).unwrap_or(TenantId(u16::MAX));
    let globs = |known: &Known| known.account.models.iter().cloned().map(Glob).collect();
    let chain = || broker.account_chain(key.number);
    let principal = Arc::new(Principal {
        key: key.account.id.clone(),
        tenant,
        models: chain().map(globs).collect(),
        account: Some(key.number),
        bounded: chain().any(|known| known.account.budgets.iter().any(|budget| budget.hard)),
    });
    if chain().any(|known| known.closed.is_some()) {
        return Vec::new();
    }
    let end = key.account.until.unwrap_or(Timestamp::MAX);
    let live = key.digests.iter();
    live.map(|(digest, until)| {
        let (principal, tenant, until) = (Arc::clone(&principal), name.clone(), (*until).min(end));
        (digest.0, Entry { principal, tenant, until })
    })
    .collect()
}

/// The digest that is kept of a key.
pub fn digest_of(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}
