//! What can be asked of the process that runs? Whether it is well, what it has counted, and to read its files again.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use firstright_engine::Engine;
use firstright_gateway::{Gateway, telemetry};

use crate::accounts::Desk;
use crate::reload::Reloader;

/// How often the pulse is taken.
const PULSE: Duration = Duration::from_secs(1);
/// A record that waits for the disk for longer than this says that the disk is stuck: a slow one takes tens of
/// milliseconds.
const STUCK: Duration = Duration::from_secs(5);
/// What is written into the book's folder to see whether it takes writes.
const PROBE: &str = "probe.tmp";

/// What the admin API asks.
#[derive(Debug)]
pub struct Operating {
    /// The decisions and their journal.
    pub engine: Arc<Engine>,
    /// The API plane.
    pub gateway: Arc<Gateway>,
    /// The accounts.
    pub accounts: Desk,
    /// What reads the files again; none if the configuration came from no file.
    pub reloader: Option<Arc<Reloader>>,
}

impl Operating {
    /// Tells the telemetry what time it is.
    pub(crate) fn tell_time(&self) {
        self.gateway.telemetry().set_wall(self.engine.read(|_, now| now.0));
    }

    /// Every metric, as Prometheus reads it.
    pub(crate) fn metrics(&self) -> String {
        telemetry::text(&self.gateway.telemetry().collect(&self.engine, self.gateway.readiness()))
    }
}

/// A thread that looks after the process's readiness. It ends when this is dropped.
#[derive(Debug)]
pub struct Pulse {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pulse {
    /// Starts it.
    ///
    /// # Errors
    /// If the machine has no thread to give.
    pub fn start(operating: Arc<Operating>, data: PathBuf) -> io::Result<Pulse> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("pulse".to_string()).spawn(move || {
            let mut behind = Behind::default();
            while !stopped.load(Ordering::Acquire) {
                let stuck = behind.for_long(&operating.engine) || !takes_writes(&data);
                operating.gateway.readiness().stuck(stuck);
                operating.tell_time();
                std::thread::park_timeout(PULSE);
            }
        })?;
        Ok(Pulse { stop, thread: Some(thread) })
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Since when the disk has not come forward although records wait for it.
#[derive(Default)]
struct Behind {
    durable: u64,
    since: Option<Instant>,
}

impl Behind {
    fn for_long(&mut self, engine: &Engine) -> bool {
        let now = engine.progress();
        if now.durable == now.appended || now.durable != self.durable {
            (self.durable, self.since) = (now.durable, None);
            return false;
        }
        self.since.get_or_insert_with(Instant::now).elapsed() > STUCK
    }
}

/// Does the folder take a file with a byte in it? A full disk takes the name and not the byte.
fn takes_writes(folder: &Path) -> bool {
    let path = folder.join(PROBE);
    let written = OpenOptions::new().write(true).create(true).truncate(true).open(&path);
    let written = written.and_then(|mut file| file.write_all(&[0; 4096])).is_ok();
    written && std::fs::remove_file(&path).is_ok()
}
