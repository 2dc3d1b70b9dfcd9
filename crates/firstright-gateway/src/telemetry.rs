//! What happened to the requests, told to those who operate the gateway?
//!
//! Each request carries a [`Trail`]; when its answer is over, the trail is counted (`meters`), written to the access log
//! (`log`) and handed to the exporter of traces (`otlp`), whichever of these the configuration asks for. Nothing here is
//! touched while a stream flows, no lock is taken but for the moment in which a line is appended, and nothing waits for a
//! disk or a collector: what cannot be kept is dropped and counted. Prompts, keys and whatever else a caller wrote do not
//! come here; names are those of the law and of the configuration.

mod codes;
mod collect;
mod instrument;
mod json;
mod line;
mod log;
mod meters;
mod otlp;
mod prometheus;
mod trace;
mod trail;

pub use collect::{Family, Kind, METRICS, Metric, Point, Value};
pub use log::{AccessLog, LogTarget};
pub use otlp::{Exporter, OtlpConfig};
pub use prometheus::text;
pub use trace::Context;

pub(crate) use trail::Trail;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use arc_swap::ArcSwap;

use crate::held::Bodies;
use crate::listen::{Permits, Tls};
use crate::setup::Setup;

use meters::{Meters, Names};
use otlp::Queue;

/// What one process tells of its requests.
#[derive(Debug)]
pub struct Telemetry {
    meters: Meters,
    /// What numbers mean: replaced with each version of the configuration.
    names: ArcSwap<Names>,
    log: OnceLock<Arc<AccessLog>>,
    spans: OnceLock<Arc<Queue>>,
    bodies: Arc<Bodies>,
    permits: OnceLock<Permits>,
    tls: OnceLock<Arc<Tls>>,
    reloads: [AtomicU64; 2],
    /// From when instants are reckoned, and the wall clock's nanoseconds at that instant.
    base: Instant,
    wall: AtomicU64,
}

impl Telemetry {
    /// With nothing counted yet.
    pub(crate) fn new(setup: &Setup, bodies: Arc<Bodies>) -> Telemetry {
        let meters = Meters::default();
        let names = ArcSwap::from_pointee(Names::of(setup, &meters));
        Telemetry {
            meters,
            names,
            log: OnceLock::new(),
            spans: OnceLock::new(),
            bodies,
            permits: OnceLock::new(),
            tls: OnceLock::new(),
            reloads: [AtomicU64::new(0), AtomicU64::new(0)],
            base: Instant::now(),
            wall: AtomicU64::new(0),
        }
    }

    /// Another version of the configuration is in force.
    pub(crate) fn put(&self, setup: &Setup) {
        self.names.store(Arc::new(Names::of(setup, &self.meters)));
    }

    /// From now on each request has a line in the log. Once a process.
    pub fn log_to(&self, log: Arc<AccessLog>) {
        // A second log would be a mistake of the start: the first stays.
        let _ = self.log.set(log);
    }

    /// The access log, if there is one.
    pub fn access_log(&self) -> Option<&Arc<AccessLog>> {
        self.log.get()
    }

    /// From now on requests are traced. Once a process.
    pub fn export_to(&self, exporter: &Exporter) {
        let _ = self.spans.set(exporter.queue());
    }

    /// Whose open connections are counted. Once a process.
    pub fn watch(&self, permits: Permits, tls: Option<Arc<Tls>>) {
        let _ = self.permits.set(permits);
        if let Some(tls) = tls {
            let _ = self.tls.set(tls);
        }
    }

    /// A reload was asked for.
    pub fn reloaded(&self, done: bool) {
        self.reloads[usize::from(done)].fetch_add(1, Ordering::Relaxed);
    }

    /// What the wall clock says now: told now and then, so that it need not be asked for each request.
    pub fn set_wall(&self, unix_nanos: u64) {
        let since = u64::try_from(self.base.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.wall.store(unix_nanos.saturating_sub(since), Ordering::Relaxed);
    }

    /// Nanoseconds since 1970 at an instant.
    pub(crate) fn unix(&self, at: Instant) -> u64 {
        let since = u64::try_from(at.saturating_duration_since(self.base).as_nanos()).unwrap_or(u64::MAX);
        self.wall.load(Ordering::Relaxed).saturating_add(since)
    }
}

#[cfg(test)]
mod tests;
