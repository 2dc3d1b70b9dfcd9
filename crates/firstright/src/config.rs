//! How is Firstright plumbed: ports, endpoints and secrets by reference? The law stands elsewhere, in agreements.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firstright_core::world::{DeploymentId, World};
use firstright_gateway::credential::{Credential, Proof, Secret};
use firstright_gateway::endpoint::{Dialect, Endpoint};
use firstright_gateway::keys::digest_of;
use firstright_gateway::upstream::{Budgets, Target, Trust};
use firstright_wire::language::Language;
use firstright_wire::oci::ApiFormat;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;

mod accounts;
mod auth;
mod operating;
mod telemetry;

use crate::accounts::wire::AccountBody;

use auth::{AuthConfig, Proofs};

pub(crate) use auth::{AwsConfig, OciConfig};

pub use operating::TlsConfig;
pub use telemetry::{AccessLogName, OtlpSection, TelemetryConfig};

/// Headers by which callers say who they are, and those that would change where or how a request goes.
const CREDENTIALS: [&str; 15] = [
    "authorization",
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
    "x-content-sha256",
    "date",
    "cookie",
    "proxy-authorization",
    "host",
    "content-length",
    "transfer-encoding",
    "x-ms-spillover-deployment",
];

/// The commented default file: the reference of every key.
pub const REFERENCE: &str = include_str!("config/firstright.toml");

/// What `firstright.toml` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The file that it was read from, if it was.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// That file's text.
    #[serde(skip)]
    pub text: String,
    /// Files of the law, relative to this file.
    pub agreements: Vec<PathBuf>,
    /// Where the journal and the jobs' folders are kept, relative to this file.
    #[serde(default = "default_data")]
    pub data: PathBuf,
    /// How often the files are looked at for changes, in seconds; 0 is never.
    #[serde(default)]
    pub watch_s: u64,
    /// The API plane's listener.
    #[serde(default)]
    pub gateway: GatewayConfig,
    /// The admin listener.
    #[serde(default)]
    pub admin: AdminConfig,
    /// Organisations and teams.
    #[serde(default, rename = "account")]
    pub accounts: Vec<AccountBody>,
    /// What is told of requests.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
    /// Keys that callers present.
    #[serde(default, rename = "key")]
    pub keys: Vec<KeyConfig>,
    /// Where deployments are.
    #[serde(default, rename = "deployment")]
    pub deployments: Vec<DeploymentConfig>,
}

/// The API plane's listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GatewayConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// Its certificate; without one it speaks plain HTTP.
    pub tls: Option<TlsConfig>,
    /// Threads, each with a listener of its own; 0 is one a core.
    pub threads: usize,
    /// The largest request body.
    pub max_body_bytes: usize,
    /// The largest form: files come as forms.
    pub max_form_bytes: usize,
    /// The model of requests that name none, where their operation has no default of its own.
    pub default_model: Option<String>,
    /// May tenants list what lives in a provider's account that they share?
    pub shared_lists: bool,
    /// Bytes that bodies of requests and whole answers may hold at once.
    pub max_held_bytes: usize,
    /// Open connections at most.
    pub max_connections: usize,
    /// Longest that a request's head may take, from its first byte or from the connection's start.
    pub head_timeout_s: u64,
    /// Longest that a request's body may take.
    pub body_timeout_s: u64,
    /// Longest that a connection is kept without a request.
    pub idle_timeout_s: u64,
    /// Longest that a client may take nothing of what there is for it.
    pub write_stall_timeout_s: u64,
    /// Longest wait for a provider's first byte.
    pub first_byte_timeout_s: u64,
    /// Longest silence within a provider's answer.
    pub gap_timeout_s: u64,
    /// Longest that a provider's whole answer may take.
    pub answer_timeout_s: u64,
    /// Longest wait for those in flight when asked to stop.
    pub drain_s: u64,
    /// How long, before that, `/readyz` says no while requests are still taken: until load balancers have seen it.
    pub drain_notice_s: u64,
    /// After so long a stream that waits for room is answered with a comment, and again each time; 0 is never.
    pub keep_alive_s: u64,
    /// Request headers that pass to providers beside content type and accept.
    pub forward_headers: Vec<String>,
}

impl Default for GatewayConfig {
    fn default() -> GatewayConfig {
        GatewayConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls: None,
            threads: 0,
            max_body_bytes: 20 << 20,
            max_form_bytes: 64 << 20,
            default_model: None,
            shared_lists: false,
            max_held_bytes: 1 << 30,
            max_connections: 10_000,
            head_timeout_s: 10,
            body_timeout_s: 60,
            idle_timeout_s: 75,
            write_stall_timeout_s: 60,
            first_byte_timeout_s: 600,
            gap_timeout_s: 300,
            answer_timeout_s: 3_600,
            drain_s: 60,
            drain_notice_s: 0,
            keep_alive_s: 15,
            forward_headers: Vec::new(),
        }
    }
}

/// The admin listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AdminConfig {
    /// Address and port; without TLS on loopback only.
    pub listen: SocketAddr,
    /// Its certificate.
    pub tls: Option<TlsConfig>,
    /// Its token; a new one for each start if there is none.
    pub token: Option<SecretRef>,
}

impl Default for AdminConfig {
    fn default() -> AdminConfig {
        AdminConfig { listen: SocketAddr::from(([127, 0, 0, 1], 8081)), tls: None, token: None }
    }
}

/// A key that callers present.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeyConfig {
    /// Its name, for logs.
    pub id: String,
    /// Whose work it brings.
    pub tenant: String,
    /// Models it may use; empty means all that the tenant may.
    #[serde(default)]
    pub models: Vec<String>,
    /// The SHA-256 of the key, in hexadecimal.
    pub sha256: String,
    /// The team or organisation above it.
    #[serde(default, rename = "in")]
    pub parent: Option<String>,
    /// Regions in which it may be served.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Families of operations that it may use.
    #[serde(default)]
    pub operations: Vec<String>,
    /// Hard budgets.
    #[serde(default)]
    pub budgets: Vec<String>,
    /// Soft budgets.
    #[serde(default)]
    pub soft_budgets: Vec<String>,
    /// Calls a minute.
    pub requests_per_minute: Option<u64>,
    /// Tokens a minute.
    pub tokens_per_minute: Option<u64>,
    /// Calls at once.
    pub concurrent: Option<u32>,
    /// Until when it may call.
    pub until: Option<String>,
}

/// Where a deployment of the law is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeploymentConfig {
    /// Its id in the law.
    pub id: String,
    /// Base URL, for example `https://api.openai.com/v1`.
    pub url: String,
    /// Its language.
    #[serde(default)]
    pub dialect: DialectName,
    /// The API version, for `azure-dated`.
    pub version: Option<String>,
    /// The OCID of the compartment that pays, for `oci`.
    pub compartment: Option<String>,
    /// The language within a call, for `oci`; told by the model's name unless that is an OCID.
    pub api_format: Option<ApiFormatName>,
    /// What the provider calls the model or deployment; the law's model if absent.
    pub name: Option<String>,
    /// Its key, in the header that its language has for it.
    pub key: Option<SecretRef>,
    /// Another credential than a key.
    pub auth: Option<AuthConfig>,
    /// Headers that every request to it carries, none of them secret.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The host's name may lead to a private address.
    #[serde(default)]
    pub allow_private: bool,
}

/// Languages by name.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum DialectName {
    /// OpenAI's.
    #[default]
    OpenAi,
    /// Azure's v1 path.
    AzureV1,
    /// Azure's dated deployment paths.
    AzureDated,
    /// Anthropic's messages.
    Anthropic,
    /// Amazon Bedrock's Converse.
    Bedrock,
    /// Google's `generateContent`.
    Gemini,
    /// Oracle's own chat.
    Oci,
}

/// Languages within Oracle's own.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum ApiFormatName {
    /// Llama, Grok, Gemini, OpenAI's models.
    Generic,
    /// Cohere's Command models.
    Cohere,
    /// The later of these.
    CohereV2,
}

/// An entry's deployment and endpoint, or why it cannot be used.
pub(crate) type Made = Result<(DeploymentId, Endpoint), String>;

/// Where a secret is: never in the file itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// In an environment variable.
    Env(String),
    /// In a file.
    File(PathBuf),
}

/// What is wrong with the file, and where. The library's own text would repeat the line, and with it a secret that stands
/// where only a reference may.
fn told(file: &str, text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    let key =
        text.lines().nth(line - 1).and_then(|line| line.split_once('=')).map_or("", |(key, _)| key.trim());
    let key = if key.is_empty() { String::new() } else { format!(" (`{key}`)") };
    format!("failed to read `{file}`, line {line}{key}, column {column}: {}", error.message())
}

/// Reads a reference without ever repeating what stands in its place.
impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<SecretRef, D::Error> {
        struct Reference;

        const WANTED: &str =
            "a reference to a secret: `{ env = \"NAME\" }` or `{ file = \"PATH\" }`, never the secret itself";

        impl<'de> serde::de::Visitor<'de> for Reference {
            type Value = SecretRef;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(WANTED)
            }

            fn visit_str<E: serde::de::Error>(self, _secret: &str) -> Result<SecretRef, E> {
                Err(E::custom(format!("expected {WANTED}")))
            }

            fn visit_map<M: serde::de::MapAccess<'de>>(self, mut map: M) -> Result<SecretRef, M::Error> {
                use serde::de::Error;
                let wrong = || M::Error::custom(format!("expected {WANTED}"));
                let reference = match map.next_key::<String>()?.as_deref() {
                    Some("env") => SecretRef::Env(map.next_value()?),
                    Some("file") => SecretRef::File(map.next_value()?),
                    Some(other) => {
                        return Err(M::Error::custom(format!("unknown key `{other}`, expected {WANTED}")));
                    }
                    None => return Err(wrong()),
                };
                if map.next_key::<String>()?.is_some() { Err(wrong()) } else { Ok(reference) }
            }
        }

        from.deserialize_any(Reference)
    }
}

fn default_data() -> PathBuf {
    PathBuf::from("firstright-data")
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// With the file, line and key of what is wrong.
    pub fn read(path: &Path) -> Result<Config, String> {
        let shown = path.display();
        let text =
            std::fs::read_to_string(path).map_err(|error| format!("failed to read `{shown}`: {error}"))?;
        let mut config: Config =
            toml::from_str(&text).map_err(|error| told(&shown.to_string(), &text, &error))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.data = folder.join(&config.data);
        for file in &mut config.agreements {
            *file = folder.join(&*file);
        }
        config.telemetry.beside(folder);
        config.file = Some(path.to_path_buf());
        config.text = text;
        for tls in [&mut config.gateway.tls, &mut config.admin.tls].into_iter().flatten() {
            tls.beside(folder);
        }
        Ok(config)
    }

    /// The endpoints in the order of the law's deployments. A deployment that is not configured has none. `before`: those of
    /// the configuration in force, if there is one; equal credentials keep their tokens.
    ///
    /// # Errors
    /// If an entry names no deployment of the law, or its URL, dialect or secret cannot be used.
    pub fn endpoints(
        &self,
        world: &World,
        before: &[Option<Endpoint>],
    ) -> Result<Vec<Option<Endpoint>>, String> {
        let mut endpoints = vec![None; world.deployments.len()];
        for (entry, made) in self.each_endpoint(world, before) {
            let fail = |why: String| format!("failed to use deployment `{}`: {why}", entry.id);
            let (id, endpoint) = made.map_err(fail)?;
            if endpoints[id.index()].replace(endpoint).is_some() {
                return Err(fail("it is configured twice".to_string()));
            }
        }
        Ok(endpoints)
    }

    /// Each entry with its endpoint, or why it cannot be used. Equal credentials are one.
    pub(crate) fn each_endpoint(
        &self,
        world: &World,
        before: &[Option<Endpoint>],
    ) -> Vec<(&DeploymentConfig, Made)> {
        let mut proofs = Proofs::after(before);
        let mut made = |entry: &DeploymentConfig| {
            let id = world.find_deployment(&entry.id);
            let id = id.ok_or_else(|| "the law has no deployment of this id".to_string())?;
            let endpoint = entry.endpoint(world.model(world.deployment(id).model), &mut proofs)?;
            Ok((id, endpoint))
        };
        self.deployments.iter().map(|entry| (entry, made(entry))).collect()
    }

    /// Request headers that pass to providers beside the usual.
    ///
    /// # Errors
    /// If one is not a header's name, or carries a caller's credentials.
    pub fn forwarded(&self) -> Result<Vec<HeaderName>, String> {
        let mut names = Vec::new();
        for name in &self.gateway.forward_headers {
            let name: HeaderName =
                name.parse().map_err(|_| format!("failed to forward `{name}`: not a header's name"))?;
            if CREDENTIALS.contains(&name.as_str()) {
                return Err(format!(
                    "failed to forward `{name}`: a caller's credentials are for this gateway alone"
                ));
            }
            names.push(name);
        }
        Ok(names)
    }

    /// How often a stream that waits for room is heard of, if it is.
    pub fn keep_alive(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.gateway.keep_alive_s)).filter(|every| !every.is_zero())
    }

    /// How long each part of an attempt may take.
    pub fn budgets(&self) -> Budgets {
        Budgets {
            head: Duration::from_secs(self.gateway.first_byte_timeout_s),
            gap: Duration::from_secs(self.gateway.gap_timeout_s),
            total: Duration::from_secs(self.gateway.answer_timeout_s),
            ..Budgets::default()
        }
    }
}

impl DeploymentConfig {
    /// Oracle's language for a model, which its name tells, unless that is an OCID.
    fn oci(&self, name: &str) -> Result<Language, String> {
        let compartment = self.compartment.clone().ok_or("`oci` needs a `compartment`, by its OCID")?;
        let format = match self.api_format {
            Some(ApiFormatName::Generic) => ApiFormat::Generic,
            Some(ApiFormatName::Cohere) => ApiFormat::Cohere,
            Some(ApiFormatName::CohereV2) => ApiFormat::CohereV2,
            None if name.starts_with("ocid1.") => {
                return Err(
                    "`name` is an OCID, which does not tell the model: `oci` needs an `api-format` too"
                        .to_string(),
                );
            }
            None => ApiFormat::of(name),
        };
        Ok(Language::Oci { compartment, format })
    }

    fn endpoint(&self, model: &str, proofs: &mut Proofs) -> Result<Endpoint, String> {
        let (target, prefix) = target(&self.url)?;
        let target = if self.allow_private { target.allow_private() } else { target };
        let dialect = match (self.dialect, &self.version) {
            (DialectName::OpenAi, None) => Dialect::OpenAi { prefix },
            (DialectName::AzureV1, None) => Dialect::AzureV1,
            (DialectName::AzureDated, Some(version)) => Dialect::AzureDated { version: version.clone() },
            (DialectName::AzureDated, None) => return Err("`azure-dated` needs a `version`".to_string()),
            (DialectName::Anthropic, None) => Dialect::Translated { prefix, language: Language::Anthropic },
            (DialectName::Bedrock, None) => Dialect::Translated { prefix, language: Language::Bedrock },
            (DialectName::Gemini, None) => Dialect::Translated { prefix, language: Language::Gemini },
            (DialectName::Oci, None) => {
                let name = self.name.as_deref().unwrap_or(model);
                Dialect::Translated { prefix, language: self.oci(name)? }
            }
            (_, Some(_)) => return Err("`version` goes with `azure-dated` only".to_string()),
        };
        if (self.compartment.is_some() || self.api_format.is_some()) && self.dialect != DialectName::Oci {
            return Err("`compartment` and `api-format` go with `oci` only".to_string());
        }
        let proof = match (&self.key, &self.auth) {
            (Some(_), Some(_)) => {
                return Err("it has both `key` and `auth`: one credential is enough".to_string());
            }
            (Some(key), None) => Some(Proof::key(dialect.key_header(), &key.read()?)),
            (None, Some(auth)) => Some(proofs.of(auth, target.host())?),
            (None, None) => None,
        };
        let credential = proof.map(|proof| Credential::new(proof, &target));
        let name = self.name.clone().unwrap_or(model.to_string());
        let headers = fixed_headers(&self.headers)?;
        let endpoint = Endpoint { target, dialect, name, credential, headers };
        let chat = firstright_wire::operation::Operation::ChatCompletions;
        endpoint.path(chat, chat.suffix(), None).map_err(|error| format!("failed to {error}"))?;
        Ok(endpoint)
    }
}

/// Headers for every request. A credential among them would stand in the file for all to read.
fn fixed_headers(said: &BTreeMap<String, String>) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let one = |(name, value): (&String, &String)| {
        let parsed: HeaderName = name.parse().map_err(|_| format!("`{name}` is not a header's name"))?;
        if CREDENTIALS.contains(&parsed.as_str()) || ["connection", "content-type"].contains(&parsed.as_str())
        {
            return Err(format!("`{name}` is not for `headers`: a credential goes into `key` or `auth`"));
        }
        let value = value.parse().map_err(|_| format!("the value of `{name}` cannot stand in a header"))?;
        Ok((parsed, value))
    };
    said.iter().map(one).collect()
}

/// Where a URL leads, and its path without a slash at its end.
fn target(text: &str) -> Result<(Target, String), String> {
    let url: http::Uri = text.parse().map_err(|_| format!("`{text}` is not a URL"))?;
    let host = url.host().ok_or_else(|| format!("`{text}` names no host"))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let target = match url.scheme_str() {
        Some("https") => Target::tls(bare, url.port_u16().unwrap_or(443), Trust::Platform),
        Some("http") => Target::plain(bare, url.port_u16().unwrap_or(80)),
        _ => return Err(format!("`{text}` begins with neither `https://` nor `http://`")),
    };
    let target = target.map_err(|error| format!("failed to {error}"))?;
    Ok((target, url.path().trim_end_matches('/').to_string()))
}

/// Says where it is, not what.
impl std::fmt::Display for SecretRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SecretRef::Env(name) => write!(f, "the environment variable `{name}`"),
            SecretRef::File(path) => write!(f, "the file `{}`", path.display()),
        }
    }
}

impl SecretRef {
    /// A secret that can stand in a header.
    fn read(&self) -> Result<Secret, String> {
        self.text().map(|text| Secret::new(&text))
    }

    /// What it refers to, which can stand in a header.
    ///
    /// # Errors
    /// If it is not there, is empty, or has bytes that cannot stand in a header.
    pub(crate) fn text(&self) -> Result<String, String> {
        let text = self.whole()?;
        if text.trim().is_empty() {
            return Err("its key is empty".to_string());
        }
        if !text.trim().bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
            return Err("its key has white space or other bytes that cannot stand in a header".to_string());
        }
        Ok(text.trim().to_string())
    }

    /// What it refers to, as it is: a key in PEM has lines.
    fn whole(&self) -> Result<String, String> {
        Ok(match self {
            SecretRef::Env(name) => {
                std::env::var(name).map_err(|_| format!("the environment variable `{name}` is not set"))?
            }
            SecretRef::File(path) => {
                let shown = path.display();
                std::fs::read_to_string(path).map_err(|error| format!("failed to read `{shown}`: {error}"))?
            }
        })
    }
}

/// 64 hexadecimal digits as 32 bytes.
fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(bytes)
}

/// The digest of a key as configuration writes it.
pub fn hex_digest(key: &str) -> String {
    digest_of(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the files of the law.
///
/// # Errors
/// With the name of the file that cannot be read.
pub fn read_law(files: &[PathBuf]) -> Result<Vec<(String, String)>, String> {
    let read = |file: &PathBuf| {
        let shown = file.display().to_string();
        let text =
            std::fs::read_to_string(file).map_err(|error| format!("failed to read `{shown}`: {error}"))?;
        Ok((shown, text))
    };
    files.iter().map(read).collect()
}

#[cfg(test)]
mod tests;
