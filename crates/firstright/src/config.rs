//! How is Firstright plumbed: ports, endpoints and secrets by reference? The law stands elsewhere, in agreements.

mod accounts;
mod auth;
mod deployment;
mod operating;
mod secret;
mod telemetry;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firstright_core::world::{DeploymentId, World};
use firstright_gateway::endpoint::Endpoint;
use firstright_gateway::keys::digest_of;
use firstright_gateway::upstream::Budgets;
use http::HeaderName;
use serde::Deserialize;

use self::auth::Proofs;
pub(crate) use self::auth::{AwsConfig, OciConfig};
pub use self::deployment::{ApiFormatName, DeploymentConfig, DialectName};
pub use self::operating::TlsConfig;
pub use self::secret::SecretRef;
pub use self::telemetry::{AccessLogName, OtlpSection, TelemetryConfig};
use crate::accounts::wire::AccountBody;

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

/// An entry's deployment and endpoint, or why it cannot be used.
pub(crate) type Made = Result<(DeploymentId, Endpoint), String>;

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
