//! Which world does the demo show? A law, made larger if the surge is played faster, and clouds made from it: what each
//! provider publishes in the law, its sandbox cloud really has, or a little less.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use firstright_core::world::{CapacityKind, Deployment, Provider, World};
use firstright_sim::cloud::Spec;

use crate::config::{
    AdminConfig, Config, DeploymentConfig, DialectName, GatewayConfig, KeyConfig, SecretRef, TelemetryConfig,
    hex_digest,
};
use crate::sandbox::Running as Clouds;

/// The sample world: the arrangement of January 2025, with windows shortened for an audience.
pub const STARGATE: [(&str, &str); 2] = [
    ("agreements/stargate.toml", include_str!("../../../../agreements/stargate.toml")),
    ("agreements/stargate-demo.toml", include_str!("../../../../agreements/stargate-demo.toml")),
];

/// What a provisioned deployment really takes, of what it publishes: a holder that is a little smaller than it says makes
/// its refusals visible as evidence.
const PUBLISHED_OVER_REAL_PERCENT: u64 = 96;

/// Keys of the law that hold capacities.
const CAPACITIES: [&str; 5] =
    ["per-minute", "bucket", "tokens-per-minute", "requests-per-minute", "concurrent"];

/// The same law with every capacity `factor` times larger: a surge that is played faster needs as many more tokens a
/// minute. The journal holds this text, so that nobody takes it for the original.
pub fn enlarge(text: &str, factor: u64) -> String {
    if factor == 1 {
        return text.to_string();
    }
    let mut out = format!(
        "# Every capacity in this copy is multiplied by {factor}, for a surge that is played faster than it was.\n"
    );
    for line in text.lines() {
        out.push_str(&enlarge_line(line, factor));
        out.push('\n');
    }
    out
}

fn enlarge_line(line: &str, factor: u64) -> String {
    if !line.trim_start().starts_with("capacity") {
        return line.to_string();
    }
    let mut out = String::with_capacity(line.len() + 8);
    let mut rest = line;
    while let Some(at) = rest.find('=') {
        let (before, after) = rest.split_at(at + 1);
        out.push_str(before);
        rest = after;
        let key = before.trim_end_matches('=').trim_end().rsplit([' ', '{', ',']).next().unwrap_or("");
        let number = after.trim_start();
        let digits: String = number.chars().take_while(|c| c.is_ascii_digit() || *c == '_').collect();
        let value = digits.replace('_', "").parse::<u64>();
        if let (true, Ok(value)) = (CAPACITIES.contains(&key), value) {
            let _ = write!(out, " {}", value.saturating_mul(factor));
            rest = number.get(digits.len()..).unwrap_or("");
        }
    }
    out.push_str(rest);
    out
}

/// Clouds that have what the law's providers publish, each on a port of its own choosing.
///
/// # Errors
/// If the spec made from the law is not one, which is a bug.
pub fn clouds(world: &World) -> Result<Spec, String> {
    // Tokens that come within a tenth of a second share a chunk: an audience sees streams, not timers.
    let mut text = String::from("listen_base = \"127.0.0.1:0\"\ncoalesce_ms = 100\n");
    for (provider, id) in world.providers.iter().zip(0u16..) {
        let own: Vec<&Deployment> = world.deployments.iter().filter(|one| one.provider.0 == id).collect();
        if !own.is_empty() {
            cloud(&mut text, world, provider, &own);
        }
    }
    Spec::parse(&text).map_err(|error| format!("failed to make the sandbox clouds from the law: {error}"))
}

/// Is it a provider that speaks Azure's dialect in the sandbox?
fn is_azure(provider: &Provider) -> bool {
    provider.id.starts_with("azure")
}

fn cloud(text: &mut String, world: &World, provider: &Provider, own: &[&Deployment]) {
    let dialect = if is_azure(provider) { "azure" } else { "openai" };
    let (id, region) = (&provider.id, &provider.region);
    let _ = write!(
        text,
        "\n[[clouds]]\nname = \"{id}\"\ndialect = \"{dialect}\"\nregion = \"{region}\"\nkeys = [\"{}\"]\nprice_note = \"\"\nfaults = []\n",
        key(id)
    );
    for deployment in own {
        let model = world.model(deployment.model);
        let name = name(world, provider, deployment);
        let operations = match model {
            model if model.contains("embedding") => "\"embeddings\"",
            model if model.contains("image") => "\"images\"",
            _ => "\"chat\", \"responses\"",
        };
        let _ = write!(
            text,
            "\n[[clouds.deployments]]\nname = \"{name}\"\nmodel = \"{model}\"\noperations = [{operations}]\n\
             context_tokens = 272000\noutput_tokens = {{ p1 = 4, p50 = 180, p90 = 620, p99 = 1800 }}\n\
             first_token_ms = {{ p1 = 120, p50 = 280, p90 = 520, p99 = 1200 }}\n\
             token_gap_us = {{ p1 = 4000, p50 = 8000, p90 = 14000, p99 = 30000 }}\n\
             prefill_us_per_token = 20\ncached_percent = 0\n"
        );
        capacity(text, deployment);
    }
}

fn capacity(text: &mut String, deployment: &Deployment) {
    let _ = match deployment.capacity {
        CapacityKind::Provisioned { per_minute, .. } => {
            let real = (per_minute / 100).saturating_mul(PUBLISHED_OVER_REAL_PERCENT).max(1);
            write!(
                text,
                "[clouds.deployments.capacity.provisioned]\nunits = 1\ntokens_per_minute_per_unit = {real}\n\
                 window_seconds = 60\nburst_percent = 0\noutput_weight = 1\n"
            )
        }
        CapacityKind::PayAsYouGo { tokens, requests, slice } => {
            let seconds = (slice.0 / firstright_core::units::SECOND).max(1);
            let (tokens, requests) = (tokens.min(1 << 40), requests.min(1 << 30));
            write!(
                text,
                "[clouds.deployments.capacity.metered]\ntokens_per_minute = {tokens}\n\
                 requests_per_minute = {requests}\nslice_seconds = {seconds}\n"
            )
        }
        CapacityKind::Concurrent { limit } => write!(
            text,
            "[clouds.deployments.capacity.slots]\nconcurrent = {limit}\nrefuse_with = 429\nretry_after_ms = 500\n"
        ),
    };
}

/// What the cloud calls the deployment: its own id at Azure, the model elsewhere.
fn name(world: &World, provider: &Provider, deployment: &Deployment) -> String {
    if is_azure(provider) { deployment.id.clone() } else { world.model(deployment.model).to_string() }
}

/// The sandbox key of a provider: a test string, no secret.
fn key(provider: &str) -> String {
    format!("sandbox-{provider}-key")
}

/// A tenant's demo key: a test string that is good on this machine only, while the demo runs.
pub fn tenant_key(tenant: &str) -> String {
    format!("fr-demo-{tenant}")
}

/// The plumbing that leads to the clouds. Sandbox keys go through files, as secrets do.
///
/// # Errors
/// If a key's file cannot be written.
pub fn config(
    world: &World,
    clouds: &Clouds,
    data: &Path,
    ports: (SocketAddr, SocketAddr),
) -> Result<Config, String> {
    let keys = world.tenants.iter().map(|tenant| KeyConfig {
        id: format!("demo-{}", tenant.id),
        tenant: tenant.id.clone(),
        sha256: hex_digest(&tenant_key(&tenant.id)),
        ..KeyConfig::default()
    });
    let mut deployments = Vec::new();
    for deployment in &world.deployments {
        let provider = world.provider(deployment.provider);
        let Some(cloud) = clouds.cloud(&provider.id) else { continue };
        let (dialect, path) =
            if is_azure(provider) { (DialectName::AzureV1, "") } else { (DialectName::OpenAi, "/v1") };
        let file = data.join(format!("{}.key", provider.id));
        std::fs::write(&file, key(&provider.id))
            .map_err(|error| format!("failed to write `{}`: {error}", file.display()))?;
        deployments.push(DeploymentConfig {
            compartment: None,
            api_format: None,
            id: deployment.id.clone(),
            url: format!("http://{}{path}", cloud.address),
            dialect,
            version: None,
            name: Some(name(world, provider, deployment)),
            key: Some(SecretRef::File(file)),
            auth: None,
            allow_private: false,
            headers: Default::default(),
        });
    }
    let (listen, admin) = ports;
    Ok(Config {
        file: None,
        text: String::new(),
        watch_s: 0,
        telemetry: TelemetryConfig::default(),
        agreements: Vec::new(),
        data: data.to_path_buf(),
        gateway: GatewayConfig {
            listen,
            drain_s: 10,
            forward_headers: vec!["x-sandbox-tokens".to_string()],
            ..GatewayConfig::default()
        },
        admin: AdminConfig { listen: admin, ..AdminConfig::default() },
        accounts: Vec::new(),
        keys: keys.collect(),
        deployments,
    })
}

#[cfg(test)]
mod tests;
