//! Has a file changed? Looked at now and then, where the configuration asks for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use super::Reloader;

/// A thread that looks at the files. It ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// By what a changed file is told: its time and its length. `None` where there is no file.
type Print = Vec<Option<(SystemTime, u64)>>;

impl Watch {
    /// Looks every so often. What a reload says goes to the log.
    ///
    /// # Errors
    /// If the machine has no thread to give.
    pub fn start(reloader: Arc<Reloader>, every: Duration) -> std::io::Result<Watch> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("reload".to_string()).spawn(move || {
            let mut seen = print(reloader.files());
            while !stopped.load(Ordering::Acquire) {
                std::thread::park_timeout(every);
                let now = print(reloader.files());
                // A file that is being written is read once it stays as it is for a whole round; a bad one is not read
                // again until it changes again.
                if now != seen && settled(&reloader, &now, every, &stopped) {
                    seen = now;
                    say(&reloader);
                }
            }
        })?;
        Ok(Watch { stop, thread: Some(thread) })
    }
}

/// Do the files stay as they are?
fn settled(reloader: &Reloader, now: &Print, every: Duration, stopped: &AtomicBool) -> bool {
    std::thread::park_timeout(every);
    !stopped.load(Ordering::Acquire) && print(reloader.files()) == *now
}

fn print(files: Vec<PathBuf>) -> Print {
    let one = |path: PathBuf| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.modified().ok()?, found.len()))
    };
    files.into_iter().map(one).collect()
}

/// Reloads, and says what came of it.
pub(crate) fn say(reloader: &Reloader) {
    match reloader.reload() {
        Ok(report) => eprintln!("firstright: {report}"),
        Err(problem) => eprintln!("firstright: nothing was reloaded; what was in force stays\n{problem}"),
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}
