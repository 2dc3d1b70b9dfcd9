//! What is told of requests, and to whom?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firstright_gateway::telemetry::{LogTarget, OtlpConfig};
use serde::Deserialize;

use super::SecretRef;
use super::deployment::target;

/// What is told of requests beside the metrics, which the admin API always has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TelemetryConfig {
    /// Where each request has a line.
    pub access_log: AccessLogName,
    /// The file, for an access log in one.
    pub access_log_file: Option<PathBuf>,
    /// A collector that speaks OTLP over HTTP.
    pub otlp: Option<OtlpSection>,
}

/// Where the access log goes, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessLogName {
    /// There is none.
    #[default]
    Off,
    /// To the standard output.
    Stdout,
    /// To a file.
    File,
}

/// A collector.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OtlpSection {
    /// Its base URL: `/v1/traces` and `/v1/metrics` are added.
    pub url: String,
    /// Headers that it wants.
    #[serde(default)]
    pub headers: BTreeMap<String, SecretRef>,
    /// The name of this service.
    #[serde(default = "default_service")]
    pub service: String,
    /// Of a hundred requests that belong to no trace yet, so many begin one.
    #[serde(default = "default_sample")]
    pub sample_percent: u32,
    /// How often metrics are sent; 0 is never.
    #[serde(default = "default_metrics")]
    pub metrics_every_s: u64,
}

fn default_service() -> String {
    "firstright".to_string()
}

fn default_sample() -> u32 {
    100
}

fn default_metrics() -> u64 {
    15
}

impl TelemetryConfig {
    /// Makes its path relative to `folder`.
    pub(super) fn beside(&mut self, folder: &Path) {
        if let Some(file) = &mut self.access_log_file {
            *file = folder.join(&*file);
        }
    }

    /// Where the access log goes; none if nowhere.
    ///
    /// # Errors
    /// If a file is wanted and not named, or the other way round.
    pub fn log(&self) -> Result<Option<LogTarget>, String> {
        match (self.access_log, &self.access_log_file) {
            (AccessLogName::Off, None) => Ok(None),
            (AccessLogName::Stdout, None) => Ok(Some(LogTarget::Stdout)),
            (AccessLogName::File, Some(file)) => Ok(Some(LogTarget::File(file.clone()))),
            (AccessLogName::File, None) => {
                Err("failed to use the access log: `access-log-file` is missing".to_string())
            }
            (_, Some(_)) => {
                Err("failed to use the access log: `access-log-file` goes with `access-log = \"file\"`"
                    .to_string())
            }
        }
    }

    /// The collector; secrets are read here.
    ///
    /// # Errors
    /// If its URL or a header cannot be used.
    pub fn collector(&self) -> Result<Option<OtlpConfig>, String> {
        let Some(section) = &self.otlp else { return Ok(None) };
        let fail = |why: String| format!("failed to use the collector: {why}");
        let (target, prefix) = target(&section.url).map_err(fail)?;
        let mut headers = Vec::new();
        for (name, reference) in &section.headers {
            let secret = reference.read().map_err(|why| fail(format!("header `{name}`: {why}")))?;
            if name.parse::<http::HeaderName>().is_err() {
                return Err(fail(format!("`{name}` is not a header's name")));
            }
            headers.push((name.clone(), secret));
        }
        if section.sample_percent > 100 {
            return Err(fail("`sample-percent` is more than 100".to_string()));
        }
        Ok(Some(OtlpConfig {
            target,
            prefix,
            headers,
            service: section.service.clone(),
            sample: section.sample_percent * 10_000,
            metrics_every: Duration::from_secs(section.metrics_every_s),
        }))
    }
}
