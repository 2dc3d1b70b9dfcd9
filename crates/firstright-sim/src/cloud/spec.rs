//! Which clouds are there, with how much capacity, how fast, and with which faults?
//!
//! `default.toml` is both the default and the reference: each key stands there with its meaning.

use serde::Deserialize;

use super::capacity::CapacitySpec;
use super::fault::{Fault, ScheduledFault};
use super::quantiles::Quantiles;

#[cfg(test)]
mod tests;

/// The commented default, also printed by `firstright sandbox --print-config`.
pub const DEFAULT_SPEC: &str = include_str!("default.toml");

/// More clouds, deployments, keys or faults than this is a mistake in the file.
const MAX_ENTRIES: usize = 64;

/// No model writes longer answers, and each is held in memory.
const MAX_OUTPUT_TOKENS: u64 = 500_000;

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Address of the first cloud; the next ones follow on the next ports. Port 0 lets the system choose all.
    pub listen_base: String,
    /// Tokens that would be written within this much wall time go out as one chunk.
    pub coalesce_ms: u64,
    pub clouds: Vec<CloudSpec>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct CloudSpec {
    pub name: String,
    pub dialect: Dialect,
    pub region: String,
    /// Plain test strings, never real secrets.
    pub keys: Vec<String>,
    /// For readers and for the demo's pages; the sandbox doesn't compute with it.
    pub price_note: String,
    pub deployments: Vec<DeploymentSpec>,
    #[serde(default)]
    pub faults: Vec<ScheduledFault>,
}

/// Paths, authentication, headers, errors and content-filter annotations.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    Azure,
    Openai,
    /// The Messages API; chat only.
    Anthropic,
    /// Converse, and embeddings by `/invoke` of Titan and Cohere.
    Bedrock,
    /// `generateContent`, at the paths of the Gemini API and of Vertex AI, and their embeddings.
    Gemini,
    /// OCI Generative AI's native chat, in its formats `GENERIC` and `COHEREV2`; chat only.
    Oci,
}

impl Dialect {
    /// Whether it speaks of more than chat.
    fn serves(self, operation: Operation) -> bool {
        matches!(self, Self::Azure | Self::Openai) || operation == Operation::Chat
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    Chat,
    Responses,
    Embeddings,
    Images,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct DeploymentSpec {
    /// What a request calls it: the deployment at Azure, the model elsewhere.
    pub name: String,
    /// What answers call the model.
    pub model: String,
    pub operations: Vec<Operation>,
    pub capacity: CapacitySpec,
    /// Azure's `spilloverDeploymentName`; wins over the request header.
    pub spillover_deployment: Option<String>,
    pub context_tokens: u64,
    pub output_tokens: Quantiles,
    pub first_token_ms: Quantiles,
    pub prefill_us_per_token: u64,
    pub token_gap_us: Quantiles,
    /// Share of a long prompt that counts as cached, unless the request says otherwise.
    pub cached_percent: u64,
}

/// What is wrong with a spec, completing "failed to read the sandbox spec: …".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError(String);

impl std::fmt::Display for SpecError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "failed to read the sandbox spec: {}", self.0)
    }
}

impl std::error::Error for SpecError {}

impl Spec {
    pub fn parse(text: &str) -> Result<Spec, SpecError> {
        let spec: Spec = toml::from_str(text).map_err(|error| SpecError(error.to_string()))?;
        spec.check().map_err(SpecError)?;
        Ok(spec)
    }

    /// The embedded default.
    pub fn reference() -> Spec {
        Spec::parse(DEFAULT_SPEC).expect("the embedded default is parsed by a test")
    }

    fn check(&self) -> Result<(), String> {
        count("clouds", self.clouds.len(), 1)?;
        for (index, cloud) in self.clouds.iter().enumerate() {
            plain_name(&cloud.name)?;
            if self.clouds[..index].iter().any(|other| other.name == cloud.name) {
                return Err(format!("two clouds are called `{}`", cloud.name));
            }
            cloud.check().map_err(|error| format!("cloud `{}`: {error}", cloud.name))?;
        }
        Ok(())
    }
}

impl CloudSpec {
    fn check(&self) -> Result<(), String> {
        count("keys", self.keys.len(), 1)?;
        count("deployments", self.deployments.len(), 1)?;
        count("faults", self.faults.len(), 0)?;
        let visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !visible(&self.region) || !self.keys.iter().all(|key| visible(key)) {
            return Err("`region` and `keys` are sent in headers, so they are plain ASCII".to_owned());
        }
        for (index, deployment) in self.deployments.iter().enumerate() {
            plain_name(&deployment.name)?;
            plain_name(&deployment.model)?;
            if self.deployments[..index].iter().any(|other| other.name == deployment.name) {
                return Err(format!("two deployments are called `{}`", deployment.name));
            }
            deployment.check().map_err(|error| format!("deployment `{}`: {error}", deployment.name))?;
            if !deployment.operations.iter().all(|operation| self.dialect.serves(*operation)) {
                return Err(format!("deployment `{}`: its dialect serves `chat` alone", deployment.name));
            }
            if let Some(target) = &deployment.spillover_deployment {
                self.check_spillover(deployment, target)?;
            }
        }
        for fault in &self.faults {
            self.check_deployment(fault.deployment.as_deref())?;
            fault.fault.check()?;
        }
        Ok(())
    }

    /// Whether a fault names a deployment that exists.
    pub fn check_deployment(&self, name: Option<&str>) -> Result<(), String> {
        match name {
            Some(name) if !self.deployments.iter().any(|deployment| deployment.name == name) => {
                Err(format!("a fault names the unknown deployment `{name}`"))
            }
            _ => Ok(()),
        }
    }

    fn check_spillover(&self, from: &DeploymentSpec, target: &str) -> Result<(), String> {
        if self.dialect != Dialect::Azure {
            return Err(format!("`{}` spills over, which only the azure dialect knows", from.name));
        }
        match self.deployments.iter().find(|deployment| deployment.name == target) {
            Some(to) if to.name != from.name && to.model == from.model => Ok(()),
            Some(_) => Err(format!(
                "`{}` must spill to another deployment of its model, not to `{target}`",
                from.name
            )),
            None => Err(format!("`{}` spills to the unknown deployment `{target}`", from.name)),
        }
    }
}

impl DeploymentSpec {
    fn check(&self) -> Result<(), String> {
        count("operations", self.operations.len(), 1)?;
        for (key, quantiles) in [
            ("output_tokens", self.output_tokens),
            ("first_token_ms", self.first_token_ms),
            ("token_gap_us", self.token_gap_us),
        ] {
            if !quantiles.is_ordered() {
                return Err(format!("`{key}` must rise from `p1` to `p99`"));
            }
        }
        if self.output_tokens.p99 > MAX_OUTPUT_TOKENS {
            return Err(format!("`output_tokens` goes beyond {MAX_OUTPUT_TOKENS}"));
        }
        if self.cached_percent > 100 {
            return Err(format!("`cached_percent` is `{}`, over 100", self.cached_percent));
        }
        self.capacity.check()
    }
}

impl Fault {
    /// Shares are percents, a status is an error's.
    pub fn check(&self) -> Result<(), String> {
        let (share, status) = match *self {
            Fault::BrownOut { error_percent, status, .. } => (error_percent, status),
            Fault::ThrottleStorm { percent, .. }
            | Fault::Cut { percent, .. }
            | Fault::Stall { percent, .. } => (percent, 500),
            Fault::LoweredLimit { percent } => (percent, 500),
            Fault::WrongUsage { .. } | Fault::RefuseConnections {} => (0, 500),
        };
        if share > 100 {
            return Err(format!("a fault's share is `{share}` percent, over 100"));
        }
        if !(500..=599).contains(&status) {
            return Err(format!("a brown-out's `status` is `{status}`, not a 5xx"));
        }
        Ok(())
    }
}

fn count(key: &str, found: usize, least: usize) -> Result<(), String> {
    if (least..=MAX_ENTRIES).contains(&found) {
        return Ok(());
    }
    Err(format!("`{key}` has {found} entries, not {least} to {MAX_ENTRIES}"))
}

/// Names stand in JSON, headers and paths as they are.
fn plain_name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(plain) {
        return Ok(());
    }
    Err(format!("`{name}` is not a name of at most 64 letters, digits, `-`, `.` and `_`"))
}
