//! What does the law speak of? The world: parties, providers, deployments, tenants and agreements, as one immutable
//! value that `text` reads from `agreements/*.toml` and the broker holds.

pub(crate) mod numbering;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use self::numbering::Order;
use crate::clause::Clause;
use crate::scope::Glob;
use crate::units::{Currency, Money, Span, Timestamp};
use crate::usage::Tier;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u16);

        impl $name {
            /// Its place in the world's list.
            pub fn index(self) -> usize {
                usize::from(self.0)
            }
        }
    };
}

id!(
    /// A party's place in [`World::parties`].
    PartyId
);
id!(
    /// A provider's place in [`World::providers`].
    ProviderId
);
id!(
    /// A deployment's place in [`World::deployments`].
    DeploymentId
);
id!(
    /// A tenant's place in [`World::tenants`].
    TenantId
);
id!(
    /// A model's place in [`World::models`].
    ModelId
);
id!(
    /// An agreement's place in [`World::agreements`].
    AgreementId
);
id!(
    /// A clause's place in [`World::clauses`].
    ClauseId
);

/// A SHA-256 digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

/// All that the law speaks of, at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// SHA-256 over the names and texts of the files that it was read from.
    pub digest: Digest,
    /// The one currency in which prices are compared.
    pub currency: Currency,
    /// Legal persons.
    pub parties: Vec<Party>,
    /// How many calls may be open and waiting.
    pub limits: Limits,
    /// Places of capacity.
    pub providers: Vec<Provider>,
    /// Models served at providers.
    pub deployments: Vec<Deployment>,
    /// Whose workloads these are.
    pub tenants: Vec<Tenant>,
    /// Every model that a deployment, a tenant's substitute or a rate names, sorted.
    pub models: Vec<String>,
    /// Dated sets of clauses.
    pub agreements: Vec<Agreement>,
    /// Every clause of every agreement, in the order of the files.
    pub clauses: Vec<Entry>,
    /// What of the lists above is part of the law; all of them, as they stand, for the first law of a book. Later ones
    /// keep what open workloads may still name: see [`World::after`].
    pub(crate) order: Option<Order>,
}

/// A legal person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// Its id, as agreements write it.
    pub id: String,
    /// Its name in full.
    pub name: String,
    /// Does it run Firstright and own the work? Exactly one party does.
    pub operator: bool,
}

/// A place of capacity run by a party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its id.
    pub id: String,
    /// Who runs it.
    pub party: PartyId,
    /// Where it stands, for example `us-east`.
    pub region: String,
    /// Under whose law, for example `us` or `eu`.
    pub jurisdiction: String,
    /// Certifications it holds, for example `soc2`.
    pub certifications: Vec<String>,
    /// Hardware attestation it offers, for example `tdx`.
    pub attestation: Vec<String>,
    /// Encryption it offers, for example `at-rest`, `in-use`.
    pub encryption: Vec<String>,
    /// Data classes it is approved for; empty means `general` only.
    pub data_classes: Vec<String>,
    /// Accelerators for jobs.
    pub pools: Vec<Pool>,
}

/// Accelerators of one kind at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The kind, for example `h100`.
    pub accelerator: String,
    /// How many there are.
    pub count: u32,
    /// How they are connected, for example `infiniband`.
    pub interconnect: String,
    /// Catalogue price of one for an hour; a `price` clause overrides it. `None` is unpriced, never free.
    pub hour: Option<Money>,
}

/// A model served at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// Where.
    pub provider: ProviderId,
    /// Which model.
    pub model: ModelId,
    /// How its capacity is sold and limited.
    pub capacity: CapacityKind,
    /// Catalogue prices; a `price` clause overrides them. `None` is unpriced, never free.
    pub rates: Option<Rates>,
}

/// How a deployment's capacity is sold and limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapacityKind {
    /// Provisioned throughput (Azure PTU): a leaky bucket of `bucket` tokens that drains at `per_minute`. Paid for
    /// whether used or not.
    Provisioned {
        /// Tokens that drain in a minute.
        per_minute: u64,
        /// Units bought (PTU); what PTU-hours are reckoned from.
        units: u32,
        /// Tokens that it holds when full; a minute's worth if the file gives none.
        bucket: u64,
    },
    /// Pay as you go: tokens per minute, and requests per minute enforced in short slices.
    PayAsYouGo {
        /// Tokens a minute; `u64::MAX` if unlimited.
        tokens: u64,
        /// Requests a minute; `u64::MAX` if unlimited.
        requests: u64,
        /// The slice in which requests are enforced: 1 s or 10 s on Azure.
        slice: Span,
    },
    /// Self-hosted: so many calls at once.
    Concurrent {
        /// Calls at once.
        limit: u32,
    },
}

/// Prices in nano-units for a million tokens of each kind, unless said. What has no price is unpriced, never free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Input that is neither cached nor audio.
    pub input: Option<Money>,
    /// Input read from a cache; what input costs if it has no price of its own: no discount is presumed.
    pub cached_input: Option<Money>,
    /// Input written to a cache.
    pub cache_write: Option<Money>,
    /// Input written to a cache for an hour.
    pub cache_write_hour: Option<Money>,
    /// Visible output.
    pub output: Option<Money>,
    /// Reasoning; what output costs if it has no price of its own.
    pub reasoning: Option<Money>,
    /// Audio input.
    pub audio_input: Option<Money>,
    /// Audio output.
    pub audio_output: Option<Money>,
    /// One image made.
    pub image: Option<Money>,
    /// A minute of audio.
    pub minute: Option<Money>,
    /// A million characters of text.
    pub character: Option<Money>,
    /// A million tokens that a model is trained on.
    pub trained: Option<Money>,
    /// One request; nothing is asked for the request itself if it has no price. A price that names nothing else is for
    /// the request whole.
    pub request: Option<Money>,
}

impl Rates {
    /// Is the request priced, and nothing else?
    pub fn is_flat(&self) -> bool {
        *self == Rates { request: self.request, ..Rates::default() }
    }
}

/// What a tenant is charged for some models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Which.
    pub models: Glob,
    /// For calls that this tier served; for all if it names none.
    pub tier: Option<Tier>,
    /// How much.
    pub rates: Rates,
}

/// Whose workloads these are: a product or a team of the operator, or a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// Models it may call; empty means all.
    pub models: Vec<Glob>,
    /// Jurisdictions in which its work may run; empty means all.
    pub jurisdictions: Vec<Glob>,
    /// The class of its data.
    pub data_class: String,
    /// Labels that every workload of it carries.
    pub labels: Vec<String>,
    /// How long a call may wait in the queue when nobody who may serve it has room; zero to refuse at once.
    pub max_wait: Span,
    /// How long a call may wait for the holder of a first refusal, or for capacity that is paid for, when that has no
    /// room and others have; zero to spill at once.
    pub spill_after: Span,
    /// After how long without an answer a call is tried a second time, beside the first; zero never.
    pub hedge_after: Span,
    /// How much its calls matter when there is not room for all.
    pub class: Class,
    /// Its share among tenants of its class whose calls wait, beside theirs; 1 to [`MAX_WEIGHT`].
    pub weight: u32,
    /// Models it accepts instead when the one it asked for has no room: (asked for, instead).
    pub substitutes: Vec<(Glob, ModelId)>,
    /// What it is charged; the first that fits holds.
    pub charges: Vec<Charge>,
}

/// The largest weight of a tenant: more would be a class of its own.
pub const MAX_WEIGHT: u32 = 1_000;

/// How much a tenant's calls matter when there is not room for all; the first is served first and shed last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// Somebody waits for the answer, and is harmed if it does not come.
    Critical,
    /// Somebody waits for the answer.
    #[default]
    Standard,
    /// Nice to have.
    Sheddable,
    /// Nobody waits for the answer.
    Batch,
}

impl Class {
    /// All of them, the first served first.
    pub const ALL: [Class; 4] = [Class::Critical, Class::Standard, Class::Sheddable, Class::Batch];

    /// The word that the law uses.
    pub fn word(self) -> &'static str {
        match self {
            Class::Critical => "critical",
            Class::Standard => "standard",
            Class::Sheddable => "sheddable",
            Class::Batch => "batch",
        }
    }
}

/// How many calls may be open, and how many of them may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open calls at most, waiting ones too.
    pub open: u32,
    /// Waiting calls at most.
    pub waiting: u32,
}

impl Default for Limits {
    /// An open call costs about a kilobyte, and a gateway sheds long before; a waiting one is looked at again and again.
    fn default() -> Limits {
        Limits { open: 100_000, waiting: 10_000 }
    }
}

/// A dated, immutable set of clauses between parties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Its id.
    pub id: String,
    /// Who made it.
    pub parties: Vec<PartyId>,
    /// The agreement that it amends, if any.
    pub parent: Option<AgreementId>,
    /// From when.
    pub from: Timestamp,
    /// Until when, exclusive.
    pub until: Timestamp,
}

/// A clause in its agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which agreement says it.
    pub agreement: AgreementId,
    /// Its id within the agreement.
    pub id: String,
    /// In force from: the later of the agreement's and its own.
    pub from: Timestamp,
    /// In force until, exclusive: the earlier of the agreement's, its own, and the start of an amendment that replaces or
    /// removes it.
    pub until: Timestamp,
    /// What it says.
    pub clause: Clause,
}

impl Entry {
    /// Is the clause in force?
    pub fn in_force(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

/// A bug: an id that this world did not give.
const FOREIGN: &str = "an id of another world";

impl Tenant {
    /// What it is charged for a call that this tier served with this model.
    //= rights/tenants.md#TE-3
    pub fn charge(&self, model: &str, tier: Tier) -> Option<&Rates> {
        let fits = |one: &&Charge| one.models.matches(model) && one.tier.is_none_or(|own| own == tier);
        self.charges.iter().find(fits).map(|charge| &charge.rates)
    }
}

impl World {
    /// The party. Panics on an id of another world, which is a bug.
    pub fn party(&self, id: PartyId) -> &Party {
        self.parties.get(id.index()).expect(FOREIGN)
    }

    /// The provider. Panics on an id of another world, which is a bug.
    pub fn provider(&self, id: ProviderId) -> &Provider {
        self.providers.get(id.index()).expect(FOREIGN)
    }

    /// The deployment. Panics on an id of another world, which is a bug.
    pub fn deployment(&self, id: DeploymentId) -> &Deployment {
        self.deployments.get(id.index()).expect(FOREIGN)
    }

    /// The tenant. Panics on an id of another world, which is a bug.
    pub fn tenant(&self, id: TenantId) -> &Tenant {
        self.tenants.get(id.index()).expect(FOREIGN)
    }

    /// The model's name. Panics on an id of another world, which is a bug.
    pub fn model(&self, id: ModelId) -> &str {
        self.models.get(id.index()).expect(FOREIGN)
    }

    /// The agreement. Panics on an id of another world, which is a bug.
    pub fn agreement(&self, id: AgreementId) -> &Agreement {
        self.agreements.get(id.index()).expect(FOREIGN)
    }

    /// The clause's entry. Panics on an id of another world, which is a bug.
    pub fn clause(&self, id: ClauseId) -> &Entry {
        self.clauses.get(id.index()).expect(FOREIGN)
    }

    /// Who runs Firstright and owns the work.
    pub fn operator(&self) -> PartyId {
        let operator = |id: &PartyId| self.parties.get(id.index()).is_some_and(|party| party.operator);
        self.numbers(self.parties.len(), |order| &order.parties)
            .map(PartyId)
            .find(operator)
            .unwrap_or(PartyId(0))
    }

    /// The numbers of what is part of the law, in the order of the files.
    fn numbers<'w>(
        &'w self,
        all: usize,
        of: impl Fn(&'w Order) -> &'w Vec<u16>,
    ) -> impl Iterator<Item = u16> + 'w {
        let chosen = self.order.as_ref().map(of);
        let all = if chosen.is_some() { 0 } else { all };
        chosen.into_iter().flatten().copied().chain((0u16..).take(all))
    }

    /// Every clause of the law with its id, in the order of the files.
    pub fn entries(&self) -> impl Iterator<Item = (ClauseId, &Entry)> {
        let numbers = self.numbers(self.clauses.len(), |order| &order.clauses);
        numbers.filter_map(|number| Some((ClauseId(number), self.clauses.get(usize::from(number))?)))
    }

    /// Every provider of the law with its id, in the order of the files.
    pub fn hosts(&self) -> impl Iterator<Item = (ProviderId, &Provider)> {
        let numbers = self.numbers(self.providers.len(), |order| &order.providers);
        numbers.filter_map(|number| Some((ProviderId(number), self.providers.get(usize::from(number))?)))
    }

    /// Every deployment of the law with its id, in the order of the files.
    pub fn served(&self) -> impl Iterator<Item = (DeploymentId, &Deployment)> {
        let numbers = self.numbers(self.deployments.len(), |order| &order.deployments);
        numbers.filter_map(|number| Some((DeploymentId(number), self.deployments.get(usize::from(number))?)))
    }

    /// Every tenant of the law with its id, in the order of the files.
    pub fn customers(&self) -> impl Iterator<Item = (TenantId, &Tenant)> {
        let numbers = self.numbers(self.tenants.len(), |order| &order.tenants);
        numbers.filter_map(|number| Some((TenantId(number), self.tenants.get(usize::from(number))?)))
    }

    /// Every model of the law, sorted.
    pub fn names_of_models(&self) -> impl Iterator<Item = &String> {
        let numbers = self.numbers(self.models.len(), |order| &order.models);
        numbers.filter_map(|number| self.models.get(usize::from(number)))
    }

    /// Every clause in force at a time.
    pub fn in_force(&self, at: Timestamp) -> impl Iterator<Item = (ClauseId, &Entry)> {
        self.entries().filter(move |(_, entry)| entry.in_force(at))
    }

    /// The first time after `at` at which a clause begins or ends.
    pub fn next_change(&self, at: Timestamp) -> Timestamp {
        let changes = self.entries().flat_map(|(_, entry)| [entry.from, entry.until]);
        changes.filter(|change| *change > at).min().unwrap_or(Timestamp::MAX)
    }

    /// The party of that id.
    pub fn find_party(&self, id: &str) -> Option<PartyId> {
        let known = |number: &u16| self.parties.get(usize::from(*number)).is_some_and(|party| party.id == id);
        self.numbers(self.parties.len(), |order| &order.parties).find(known).map(PartyId)
    }

    /// The provider of that id.
    pub fn find_provider(&self, id: &str) -> Option<ProviderId> {
        self.hosts().find(|(_, provider)| provider.id == id).map(|(number, _)| number)
    }

    /// The deployment of that id.
    pub fn find_deployment(&self, id: &str) -> Option<DeploymentId> {
        self.served().find(|(_, deployment)| deployment.id == id).map(|(number, _)| number)
    }

    /// The tenant of that id.
    pub fn find_tenant(&self, id: &str) -> Option<TenantId> {
        self.customers().find(|(_, tenant)| tenant.id == id).map(|(number, _)| number)
    }

    /// The model of that name.
    pub fn find_model(&self, name: &str) -> Option<ModelId> {
        match &self.order {
            None => {
                let place = self.models.binary_search_by(|model| model.as_str().cmp(name)).ok()?;
                u16::try_from(place).ok().map(ModelId)
            }
            Some(order) => {
                let known = |number: &u16| self.models.get(usize::from(*number)).map(String::as_str);
                let place = order.models.binary_search_by(|number| known(number).cmp(&Some(name))).ok()?;
                order.models.get(place).copied().map(ModelId)
            }
        }
    }

    /// `agreement/clause`, as people cite it.
    pub fn cite(&self, id: ClauseId) -> String {
        let entry = self.clause(id);
        alloc::format!("{}/{}", self.agreement(entry.agreement).id, entry.id)
    }

    /// The ids that name more than one thing: a mistake of the file.
    pub(crate) fn duplicates<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        for id in ids {
            let count = seen.entry(id).or_default();
            *count = count.saturating_add(1);
        }
        seen.into_iter().filter(|(_, count)| *count > 1).map(|(id, _)| id).collect()
    }
}
