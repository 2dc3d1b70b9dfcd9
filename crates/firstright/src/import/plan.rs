//! What is written for what was read? Parties, providers, deployments, tenants and clauses before they are text, and the
//! names that they get.

mod render;

pub use render::{auth, config, law};

/// Whoever runs Firstright, in a law that was imported: a gateway's configuration does not say its name.
pub const OPERATOR: &str = "us";
/// What a provider's region or jurisdiction is called that the source does not tell. It matches no residency, so that
/// work which must stay somewhere does not go there until somebody has written where it is.
pub const UNKNOWN: &str = "unknown";

/// All that is written.
#[derive(Debug, Default)]
pub struct Plan {
    /// Counterparties in the order of their first use.
    pub parties: Vec<String>,
    pub providers: Vec<Provider>,
    pub tenants: Vec<Tenant>,
    pub commitments: Vec<Commitment>,
    pub preferences: Vec<Preference>,
    pub gateway: Gateway,
    pub account: Account,
    /// The day of the import, on which agreements without a date of their own begin.
    pub today: String,
    /// What it was made from, for the files' first line.
    pub source: String,
}

/// Settings of the API plane's listener that the source gives.
#[derive(Debug, Default)]
pub struct Gateway {
    pub first_byte_timeout_s: Option<u64>,
    pub max_body_bytes: Option<u64>,
}

/// The organisation that everybody's keys can stand under, for what the source limits for all together.
#[derive(Debug, Default)]
pub struct Account {
    /// A hard budget as the configuration writes it.
    pub budget: Option<String>,
    /// Calls at once.
    pub concurrent: Option<u64>,
}

impl Account {
    /// Its id.
    pub const ID: &str = "imported";
}

#[derive(Debug)]
pub struct Provider {
    pub id: String,
    pub party: String,
    pub region: String,
    pub jurisdiction: String,
    pub deployments: Vec<Deployment>,
}

#[derive(Debug)]
pub struct Deployment {
    pub id: String,
    pub model: String,
    pub capacity: Capacity,
    pub price: Price,
    pub endpoint: Endpoint,
}

#[derive(Clone, Copy, Debug)]
pub enum Capacity {
    /// Tokens a minute, and the units bought.
    Provisioned { per_minute: u64, units: u64 },
    /// Limits of a minute; what is left out is unlimited as far as the source knows.
    PayAsYouGo { tokens: Option<u64>, requests: Option<u64> },
    /// Calls at once.
    Concurrent(u64),
}

/// Prices by the law's keys, written out with their units.
pub type Price = Vec<(&'static str, String)>;

/// Where a deployment is, and in what language it is spoken to.
#[derive(Debug)]
pub struct Endpoint {
    pub url: String,
    pub dialect: Dialect,
    pub version: Option<String>,
    pub name: String,
    pub proof: Proof,
    /// The compartment at Oracle, which requests must name.
    pub compartment: Option<String>,
    /// The language within Oracle's own, where the name does not tell it.
    pub api_format: Option<&'static str>,
    /// May its host's name lead to a private address? For servers of the operator's own.
    pub private: bool,
}

impl Endpoint {
    /// An endpoint that speaks OpenAI's language, and asks nobody who calls.
    pub fn open_ai(url: String, name: &str) -> Endpoint {
        Endpoint {
            url,
            dialect: Dialect::OpenAi,
            version: None,
            name: name.to_string(),
            proof: Proof::None,
            compartment: None,
            api_format: None,
            private: false,
        }
    }
}

/// How an endpoint is told who calls.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// It is not asked for.
    #[default]
    None,
    /// A key, in this variable.
    Key(String),
    /// An application registered with Entra, its secret in a variable.
    Entra { tenant: String, client: String, secret: String },
    /// The Azure identity of the machine.
    ManagedIdentity { client: Option<String> },
    /// An access key of AWS, its parts in variables.
    Amazon { region: String, id: String, secret: String, session: Option<String> },
    /// A user's signing key at Oracle.
    Oracle { tenancy: String, user: String, fingerprint: String, file: String },
    /// A Google service account, by its key's file or the machine's own.
    Google { file: Option<String> },
}

/// Languages that endpoints speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    OpenAi,
    AzureV1,
    AzureDated,
    Anthropic,
    Bedrock,
    Gemini,
    Oci,
}

impl Dialect {
    /// As `firstright.toml` writes it.
    pub fn word(self) -> &'static str {
        match self {
            Dialect::OpenAi => "open-ai",
            Dialect::AzureV1 => "azure-v1",
            Dialect::AzureDated => "azure-dated",
            Dialect::Anthropic => "anthropic",
            Dialect::Bedrock => "bedrock",
            Dialect::Gemini => "gemini",
            Dialect::Oci => "oci",
        }
    }
}

#[derive(Debug, Default)]
pub struct Tenant {
    pub id: String,
    pub models: Vec<String>,
    /// Asked for, and accepted instead.
    pub substitutes: Vec<(String, String)>,
}

/// Provisioned units that were bought.
#[derive(Debug)]
pub struct Commitment {
    pub id: String,
    pub to: String,
    pub model: String,
    pub from: Option<String>,
    pub until: Option<String>,
    /// PTU-hours in a month, or in the term when both ends are known.
    pub hours: u64,
    pub unit_price: String,
}

/// A party that is to be asked first for a model.
#[derive(Debug)]
pub struct Preference {
    pub model: String,
    pub party: String,
    pub rank: u64,
}

impl Plan {
    /// The provider of that place, made if it is not there yet.
    pub fn provider(&mut self, id: &str, party: &str, region: &str, jurisdiction: &str) -> &mut Provider {
        if party != OPERATOR && !self.parties.iter().any(|known| known == party) {
            self.parties.push(party.to_string());
        }
        let same = |one: &Provider| {
            one.party == party
                && one.region == region
                && one.jurisdiction == jurisdiction
                && (one.id == id || one.id == format!("{id}-{region}"))
        };
        let at = match self.providers.iter().position(same) {
            Some(at) => at,
            None => {
                let taken = |id: &str| self.providers.iter().any(|one| one.id == id);
                let id = if taken(id) { free(&format!("{id}-{region}"), taken) } else { id.to_string() };
                self.providers.push(Provider {
                    id,
                    party: party.to_string(),
                    region: region.to_string(),
                    jurisdiction: jurisdiction.to_string(),
                    deployments: Vec::new(),
                });
                self.providers.len() - 1
            }
        };
        &mut self.providers[at]
    }

    /// An id that no deployment has yet.
    pub fn deployment_id(&self, wanted: &str) -> String {
        let taken = |id: &str| {
            self.providers.iter().flat_map(|one| &one.deployments).any(|deployment| deployment.id == id)
        };
        free(wanted, taken)
    }

    /// Does anything serve the model?
    pub fn serves(&self, model: &str) -> bool {
        self.providers.iter().flat_map(|one| &one.deployments).any(|deployment| deployment.model == model)
    }

    /// Does a deployment of this provider serve the model?
    pub fn serves_of(&self, model: &str, provider: &str) -> bool {
        let own = self.providers.iter().filter(|one| one.id == provider).flat_map(|one| &one.deployments);
        own.into_iter().any(|deployment| deployment.model == model)
    }

    /// Turns an order of deployments of one model into rights: each party is asked by the first place that it has in the
    /// order, and the last needs no right. True if the parties alone tell the whole order.
    pub fn prefer(&mut self, model: &str, order: &[(u64, String)]) -> bool {
        let mut first: Vec<(u64, &str)> = Vec::new();
        for (place, party) in order {
            match first.iter_mut().find(|(_, known)| known == party) {
                Some((known, _)) => *known = (*known).min(*place),
                None => first.push((*place, party)),
            }
        }
        first.sort_by_key(|(place, _)| *place);
        let last = first.last().map_or(0, |(place, _)| *place);
        let mut ranks: Vec<u64> = first.iter().map(|(place, _)| *place).collect();
        ranks.dedup();
        for (place, party) in first.iter().filter(|(place, party)| *place < last && *party != OPERATOR) {
            let rank = ranks.iter().position(|known| known == place).unwrap_or(0) as u64 + 1;
            self.preferences.push(Preference { model: model.to_string(), party: party.to_string(), rank });
        }
        let told =
            |(place, party): &(u64, String)| first.iter().any(|(own, known)| known == party && own == place);
        order.iter().all(told) && first.len() == ranks.len()
    }
}

fn free(wanted: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(wanted) {
        return wanted.to_string();
    }
    (2..).map(|number| format!("{wanted}-{number}")).find(|id| !taken(id)).unwrap_or_default()
}

/// A name as the law allows ids: other characters become `-`. Never empty, and never an address, which may hold a secret.
pub fn id_of(name: &str) -> String {
    let mut id = String::new();
    if is_address(name) {
        return "unnamed".to_string();
    }
    for c in name.chars().take(200) {
        let kept = c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/');
        if kept {
            id.push(c);
        } else if !id.ends_with('-') {
            id.push('-');
        }
    }
    let id = id.trim_matches('-');
    if id.is_empty() { "unnamed".to_string() } else { id.to_string() }
}

/// Is it an address where a name should stand?
pub fn is_address(text: &str) -> bool {
    text.contains("://")
}

/// A variable's name for the key of a provider.
pub fn variable_of(provider: &str) -> String {
    let upper = provider.to_ascii_uppercase();
    let name: String = upper.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("{name}_API_KEY")
}

#[cfg(test)]
mod tests;
