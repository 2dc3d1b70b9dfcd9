//! Where do lines of the access log go, and what if that is slow? Into a buffer under a short lock; a thread of its own
//! writes what has gathered. If the buffer is full, lines are dropped and counted: no request waits for a log.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes that may wait to be written: some seconds of a busy gateway's lines.
const MAX_PENDING: usize = 8 << 20;
/// How often what has gathered is written.
const EVERY: Duration = Duration::from_millis(200);

/// Where the lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// To the standard output.
    Stdout,
    /// To the end of a file, which only its owner reads.
    File(PathBuf),
}

/// The access log.
#[derive(Debug)]
pub struct AccessLog {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    target: LogTarget,
    pending: Mutex<Vec<u8>>,
    dropped: AtomicU64,
    written: AtomicU64,
    reopen: AtomicBool,
    stop: AtomicBool,
}

impl AccessLog {
    /// Opens it, and starts its thread.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(target: LogTarget) -> io::Result<Arc<AccessLog>> {
        let mut out = open(&target)?;
        let shared = Arc::new(Shared {
            target,
            pending: Mutex::default(),
            dropped: AtomicU64::new(0),
            written: AtomicU64::new(0),
            reopen: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("access-log".to_string()).spawn(move || {
            let mut batch = Vec::new();
            loop {
                let stop = own.stop.load(Ordering::Acquire);
                own.turn(&mut out, &mut batch);
                if stop {
                    return;
                }
                std::thread::park_timeout(EVERY);
            }
        })?;
        Ok(Arc::new(AccessLog { shared, thread: Mutex::new(Some(thread)) }))
    }

    /// Appends a line.
    pub(super) fn write(&self, line: impl FnOnce(&mut Vec<u8>)) {
        let shared = &self.shared;
        let mut pending = shared.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.len() >= MAX_PENDING {
            drop(pending);
            shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        line(&mut pending);
    }

    /// Lines that were dropped.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Opens the file anew: it may have been moved away. What has gathered goes to the new one.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
    }

    /// Writes what has gathered, and ends the thread.
    pub fn close(&self) {
        self.shared.stop.store(true, Ordering::Release);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            thread.thread().unpark();
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Writes what has gathered. What cannot be written is lost, and its lines are counted.
    fn turn(&self, out: &mut Out, batch: &mut Vec<u8>) {
        if self.reopen.swap(false, Ordering::AcqRel) {
            match open(&self.target) {
                Ok(new) => *out = new,
                Err(error) => eprintln!("firstright: failed to open the access log anew: {error}"),
            }
        }
        batch.clear();
        batch.shrink_to(MAX_PENDING);
        std::mem::swap(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner), batch);
        if batch.is_empty() {
            return;
        }
        let lines = batch.iter().filter(|byte| **byte == b'\n').count() as u64;
        let done = match out {
            Out::Stdout(out) => out.write_all(batch).and_then(|()| out.flush()),
            Out::File(file) => file.write_all(batch),
        };
        let counter = if done.is_ok() { &self.written } else { &self.dropped };
        counter.fetch_add(lines, Ordering::Relaxed);
    }
}

enum Out {
    Stdout(io::Stdout),
    File(File),
}

fn open(target: &LogTarget) -> io::Result<Out> {
    Ok(match target {
        LogTarget::Stdout => Out::Stdout(io::stdout()),
        LogTarget::File(path) => {
            Out::File(OpenOptions::new().append(true).create(true).mode(0o600).open(path)?)
        }
    })
}
