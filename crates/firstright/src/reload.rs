//! How does a changed configuration or law come into force while calls are served? All of it is read and checked before
//! any of it holds; then law and plumbing change at once, between two calls. Whatever is wrong leaves everything as it was.

mod diff;
mod watch;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use firstright_core::account::Account;
use firstright_core::check::check;
use firstright_core::decision::Action;
use firstright_core::text::{self, Severity};
use firstright_core::world::World;
use firstright_engine::Engine;
use firstright_gateway::listen::{Tls, TlsFiles, TlsLoaded};
use firstright_gateway::{Gateway, Setup};
use toml::Table;

use crate::accounts::Desk;
use crate::config::{Config, TlsConfig, read_law};
use crate::serve::setup;

pub use watch::Watch;
pub(crate) use watch::say;

/// Keys that a running process cannot change: what begins with one of these holds from the next start on.
const AT_NEXT_START: [&str; 13] = [
    "data",
    "watch-s",
    "gateway.listen",
    "gateway.threads",
    "gateway.max-connections",
    "gateway.head-timeout-s",
    "gateway.idle-timeout-s",
    "gateway.write-stall-timeout-s",
    "gateway.drain-s",
    "gateway.drain-notice-s",
    "admin.listen",
    "admin.token",
    "telemetry",
];

/// Certificates of the listeners that have any.
#[derive(Debug, Default)]
pub struct Certificates {
    /// The API plane's.
    pub gateway: Option<Arc<Tls>>,
    /// The admin API's.
    pub admin: Option<Arc<Tls>>,
}

/// What reads the files again. One reload goes on at a time.
#[derive(Debug)]
pub struct Reloader {
    path: PathBuf,
    engine: Arc<Engine>,
    gateway: Arc<Gateway>,
    accounts: Desk,
    certificates: Certificates,
    held: Mutex<Held>,
}

/// What was read last.
#[derive(Debug)]
struct Held {
    version: u64,
    config: Config,
    sources: Vec<(String, String)>,
}

/// What a reload brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The version in force; the first is 1.
    pub version: u64,
    /// The record that holds the new law, if the law changed.
    pub record: Option<u64>,
    /// What changed, one a line.
    pub changes: Vec<String>,
    /// What the law may not mean, rendered with its places.
    pub warnings: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {} is in force", self.version)?;
        if let Some(record) = self.record {
            write!(f, ", its law by record {record}")?;
        }
        if self.changes.is_empty() {
            write!(f, "\n  nothing changed but what secrets and certificates may hold")?;
        }
        for line in self.changes.iter().chain(&self.warnings) {
            write!(f, "\n  {}", line.replace('\n', "\n  "))?;
        }
        Ok(())
    }
}

/// Everything that a reload read, before any of it holds.
struct Read {
    config: Config,
    sources: Vec<(String, String)>,
    setup: Setup,
    accounts: Vec<Account>,
    changes: Vec<String>,
    warnings: Vec<String>,
    certificates: [Option<(Arc<Tls>, TlsLoaded)>; 2],
}

impl Reloader {
    /// For what runs under this configuration and this law; `None` if the configuration came from no file.
    pub fn new(
        engine: Arc<Engine>,
        gateway: Arc<Gateway>,
        accounts: Desk,
        certificates: Certificates,
        config: &Config,
        sources: Vec<(String, String)>,
    ) -> Option<Reloader> {
        let path = config.file.clone()?;
        let held = Mutex::new(Held { version: 1, config: config.clone(), sources });
        Some(Reloader { path, engine, gateway, accounts, certificates, held })
    }

    /// The version in force.
    pub fn version(&self) -> u64 {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).version
    }

    /// The files that are read: configuration, law, certificates.
    fn files(&self) -> Vec<PathBuf> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let config = &held.config;
        let tls = [&config.gateway.tls, &config.admin.tls].into_iter().flatten().flat_map(TlsConfig::files);
        std::iter::once(self.path.clone()).chain(config.agreements.iter().cloned()).chain(tls).collect()
    }

    /// Reads everything, and puts it in force. Blocks the thread until a new law is on disk.
    ///
    /// # Errors
    /// With every problem that was found; nothing has changed then.
    pub fn reload(&self) -> Result<Report, String> {
        let telemetry = self.gateway.telemetry();
        if let Some(log) = telemetry.access_log() {
            log.reopen();
        }
        let done = self.put_in_force();
        telemetry.reloaded(done.is_ok());
        done
    }

    fn put_in_force(&self) -> Result<Report, String> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let version = held.version + 1;
        let read = self.read(&held, version)?;
        let Read { config, sources, setup, accounts, changes, mut warnings, certificates } = read;
        let world = self.engine.world();
        let record = if setup.world.digest == world.digest {
            self.gateway.put(setup.under(world));
            None
        } else {
            let mut setup = Some(setup);
            let put = |world: &Arc<World>| {
                if let Some(setup) = setup.take() {
                    self.gateway.put(setup.under(Arc::clone(world)));
                }
            };
            let stepped = self.engine.enact(sources.clone(), put);
            self.engine.wait_durable(stepped.record);
            for decision in &stepped.decisions {
                if let Action::KeepLaw { problem } = &decision.action {
                    return Err(problem.clone());
                }
            }
            Some(stepped.record)
        };
        for (tls, loaded) in certificates.into_iter().flatten() {
            tls.adopt(loaded);
        }
        // What does not go with the accounts of the book is said, and stays as it was.
        warnings.extend(self.accounts.sync(&accounts).err());
        *held = Held { version, config, sources };
        Ok(Report { version, record, changes, warnings })
    }

    fn read(&self, held: &Held, version: u64) -> Result<Read, String> {
        let config = Config::read(&self.path)?;
        let sources = read_law(&config.agreements)?;
        let (world, mut problems) = text::read(&sources);
        if let Some(world) = &world {
            problems.extend(check(world, &sources, self.engine.read(|_, now| now)));
        }
        let (errors, warnings): (Vec<_>, Vec<_>) =
            problems.iter().partition(|one| one.severity == Severity::Error);
        let rendered =
            |list: Vec<&text::Diagnostic>| list.iter().map(|one| one.render(&sources)).collect::<Vec<_>>();
        let world = match world {
            Some(world) if errors.is_empty() => world,
            _ => return Err(rendered(errors).join("\n")),
        };
        let warnings = rendered(warnings);
        let accounts = config.accounts(&world)?;
        let before = self.gateway.setup();
        let next = setup(&config, Arc::new(world), self.accounts.keys(), &before.endpoints)?;
        let setup = Setup { version, ..next };
        let certificates = [
            certificate("gateway", self.certificates.gateway.as_ref(), config.gateway.tls.as_ref())?,
            certificate("admin", self.certificates.admin.as_ref(), config.admin.tls.as_ref())?,
        ];
        let mut changes = changed_config(&held.config.text, &config.text);
        changes.extend(changed_law(&held.sources, &sources));
        Ok(Read { config, sources, setup, accounts, changes, warnings, certificates })
    }
}

/// Reads a listener's files again, wherever the new configuration says that they are.
fn certificate(
    listener: &str,
    tls: Option<&Arc<Tls>>,
    config: Option<&TlsConfig>,
) -> Result<Option<(Arc<Tls>, TlsLoaded)>, String> {
    match (tls, config) {
        (None, None) => Ok(None),
        (Some(tls), Some(config)) => {
            let loaded = TlsFiles::from(config).read().map_err(|error| error.to_string())?;
            Ok(Some((Arc::clone(tls), loaded)))
        }
        // What is in force must be what stands in the file: half of a change would be neither.
        (None, Some(_)) | (Some(_), None) => Err(format!(
            "failed to reload: whether the `{listener}` listener speaks TLS can change at the next start only"
        )),
    }
}

/// The differences of the configuration's file; it has been read, so it is TOML.
fn changed_config(old: &str, new: &str) -> Vec<String> {
    let table = |text: &str| text.parse::<Table>().unwrap_or_default();
    let told = |line: String| {
        let later = AT_NEXT_START
            .iter()
            .any(|key| line.strip_prefix(key).is_some_and(|rest| rest.starts_with([':', '.'])));
        if later { format!("{line} (at the next start)") } else { line }
    };
    diff::diff(&table(old), &table(new)).into_iter().map(told).collect()
}

/// The differences of the law's files, each with its file.
fn changed_law(old: &[(String, String)], new: &[(String, String)]) -> Vec<String> {
    let table = |text: &str| text.parse::<Table>().unwrap_or_default();
    let mut lines = Vec::new();
    for (name, before) in old {
        match new.iter().find(|(one, _)| one == name) {
            None => lines.push(format!("{name}: removed")),
            Some((_, after)) if before == after => {}
            Some((_, after)) => {
                let changes = diff::diff(&table(before), &table(after));
                if changes.is_empty() {
                    lines.push(format!("{name}: nothing but its words' order and its comments"));
                }
                lines.extend(changes.into_iter().map(|line| format!("{name}: {line}")));
            }
        }
    }
    let added = new.iter().filter(|(name, _)| !old.iter().any(|(one, _)| one == name));
    lines.extend(added.map(|(name, _)| format!("{name}: added")));
    lines
}
