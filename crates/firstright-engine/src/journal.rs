//! How does a record reach the disk? One file, one writer, group commit.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use firstright_core::journal::{Chain, Fault, HEADER, Record, header, number_of};

use crate::Shared;

/// The journal's name in its folder.
pub(crate) const FILE: &str = "journal.frj";
/// So many bytes of a book are read at once, and held with what one record needs.
const READ_AT_ONCE: u64 = 1 << 20;
/// The writer keeps its buffers up to this size between batches.
const KEEP_BUFFER: usize = 4 << 20;

/// A sync costs processor time whatever it carries, so after a batch the next one waits for this long for each record
/// that the batch held: a lone caller waits for nothing but the disk, and a crowd shares its syncs …
const GATHER_PER_RECORD: Duration = Duration::from_micros(40);
/// … but nobody waits for longer than this. A call takes hundreds of milliseconds at its provider.
const GATHER_MAX: Duration = Duration::from_millis(2);

/// Why a journal cannot be used.
#[derive(Debug)]
pub enum JournalError {
    /// The file system said no.
    Io {
        /// Doing what.
        doing: &'static str,
        /// On which path.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// Another process has it open.
    Locked {
        /// Which journal.
        path: PathBuf,
    },
    /// It is broken before its end.
    Broken {
        /// Which journal.
        path: PathBuf,
        /// Where and how.
        fault: Fault,
    },
}

impl std::fmt::Display for JournalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            JournalError::Io { doing, path, error } => {
                write!(f, "failed to {doing} `{}`: {error}", path.display())
            }
            JournalError::Locked { path } => {
                write!(f, "failed to open `{}`: another process has it open", path.display())
            }
            JournalError::Broken { path, fault } => {
                write!(
                    f,
                    "failed to read `{}`: {fault}; restore it from a copy, or begin a new book",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for JournalError {}

/// What was found at the journal's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Whole.
    Whole,
    /// A write had been cut off: so many bytes were removed.
    Cut(u64),
}

/// An open journal: read back to its end, ready to append.
pub(crate) struct Journal {
    pub file: File,
    pub chain: Chain,
    pub tail: Tail,
}

/// Opens or begins the journal in `folder`; every record that it holds goes to `each`.
pub(crate) fn open(
    folder: &Path,
    mut each: impl FnMut(&Record) -> Result<(), Fault>,
) -> Result<Journal, JournalError> {
    let path = folder.join(FILE);
    let io = |doing| move |error| (doing, error);
    let fail = |(doing, error)| JournalError::Io { doing, path: path.clone(), error };
    std::fs::create_dir_all(folder).map_err(io("create the folder of")).map_err(fail)?;
    let mut options = OpenOptions::new();
    // The journal tells who uses what and when: nobody else on the machine needs to read it.
    options.read(true).append(true).create(true).mode(0o600);
    let mut file = options.open(&path).map_err(io("open")).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Err(JournalError::Locked { path }),
        Err(std::fs::TryLockError::Error(error)) => return Err(fail(("lock", error))),
    }
    let length = file.metadata().map_err(io("look at")).map_err(fail)?.len();
    if length < HEADER as u64 {
        // Nothing was ever acknowledged before a whole header was on disk.
        let header = header(book()?);
        file.set_len(0).map_err(io("begin")).map_err(fail)?;
        file.write_all(&header).and_then(|()| file.sync_all()).map_err(io("begin")).map_err(fail)?;
        sync_folder(folder).map_err(io("sync the folder of")).map_err(fail)?;
        let chain =
            Chain::new(&header).map_err(|fault| JournalError::Broken { path: path.clone(), fault })?;
        return Ok(Journal { file, chain, tail: Tail::Whole });
    }
    let (chain, good) = read_back(&mut file, &mut each).map_err(|error| match error {
        Unread::Io(error) => fail(("read", error)),
        Unread::Fault(fault) => JournalError::Broken { path: path.clone(), fault },
    })?;
    let torn = length.saturating_sub(good);
    let tail = if torn == 0 { Tail::Whole } else { Tail::Cut(torn) };
    if torn > 0 {
        file.set_len(good)
            .and_then(|()| file.sync_all())
            .map_err(io("cut the torn tail of"))
            .map_err(fail)?;
    }
    Ok(Journal { file, chain, tail })
}

/// Why a journal was not read back.
enum Unread {
    Io(io::Error),
    Fault(Fault),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Unread {
        Unread::Io(error)
    }
}

impl From<Fault> for Unread {
    fn from(fault: Fault) -> Unread {
        Unread::Fault(fault)
    }
}

/// A part of the file that moves along with the reading: a book may be larger than memory.
struct Window<'f> {
    file: &'f mut File,
    bytes: Vec<u8>,
    /// So many of the bytes are done with.
    done: usize,
}

impl Window<'_> {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.done..]
    }

    /// Reads on; false at the end of the file.
    fn more(&mut self, bytes: u64) -> io::Result<bool> {
        self.bytes.drain(..self.done);
        self.done = 0;
        Ok(Read::by_ref(self.file).take(bytes).read_to_end(&mut self.bytes)? > 0)
    }
}

/// Hands on every record with the bytes that it takes, up to the end of the file or the first fault, which then stands at
/// the start of what the window still holds.
fn records(
    window: &mut Window<'_>,
    chain: &mut Chain,
    mut each: impl FnMut(&Record, usize) -> Result<(), Fault>,
) -> Result<Option<Fault>, Unread> {
    loop {
        match chain.read(window.rest()) {
            Ok(Some((record, length))) => {
                each(&record, length)?;
                window.done += length;
            }
            // What ends here may only end with what was read so far.
            Ok(None) | Err(Fault::Torn { .. }) if window.more(READ_AT_ONCE)? => {}
            Ok(None) => return Ok(None),
            Err(fault) => return Ok(Some(fault)),
        }
    }
}

/// Reads every record; returns the chain and how many bytes are good. A fault in the last frame is a torn tail if the
/// frame reaches the end of the file: a write that was cut off. Anything else is a broken middle.
fn read_back(
    file: &mut File,
    each: &mut impl FnMut(&Record) -> Result<(), Fault>,
) -> Result<(Chain, u64), Unread> {
    let mut chain = chain_of(file)?;
    let mut good = HEADER as u64;
    let mut window = Window { file, bytes: Vec::new(), done: 0 };
    let fault = records(&mut window, &mut chain, |record, length| {
        good += length as u64;
        each(record)
    })?;
    match fault {
        None => Ok((chain, good)),
        // A length that was altered in the middle also seems to reach past the end; but then a later frame still stands
        // whole behind it, which no cut-off write can leave.
        Some(Fault::Torn { seq }) if later_frame(window.rest(), seq) => Err(Fault::Altered { seq }.into()),
        Some(Fault::Torn { .. }) => Ok((chain, good)),
        Some(fault) => {
            window.more(u64::MAX)?;
            let is_tail = is_last_frame(window.rest()) && !matches!(fault, Fault::OtherRules { .. });
            if is_tail { Ok((chain, good)) } else { Err(fault.into()) }
        }
    }
}

/// The chain that begins with the file's header.
fn chain_of(file: &mut File) -> Result<Chain, Unread> {
    let mut head = [0; HEADER];
    file.read_exact(&mut head)?;
    Ok(Chain::new(&head)?)
}

/// Reads the journal in `folder` a part at a time, without recomputing what was decided: its chain is enough where an
/// engine is open on it. Gives the fault at which it ends, if it does not end well: the writer may be in the midst of a
/// record.
///
/// # Errors
/// If the file cannot be read.
pub fn read(folder: &Path, mut each: impl FnMut(&Record)) -> io::Result<Option<Fault>> {
    let mut file = File::open(folder.join(FILE))?;
    let read = chain_of(&mut file).and_then(|mut chain| {
        let mut window = Window { file: &mut file, bytes: Vec::new(), done: 0 };
        records(&mut window, &mut chain, |record, _| {
            each(record);
            Ok(())
        })
    });
    match read {
        Ok(fault) => Ok(fault),
        Err(Unread::Fault(fault)) => Ok(Some(fault)),
        Err(Unread::Io(error)) => Err(error),
    }
}

/// Does the frame at the start reach exactly the end? Its bytes were then being written when the power went: sectors
/// may reach the disk in any order.
fn is_last_frame(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return true };
    let length = u32::from_le_bytes(*length) as usize;
    length > 0 && length.checked_add(32).is_some_and(|all| all == rest.len())
}

/// Is there, anywhere behind, a frame that decodes as one of the next few records?
fn later_frame(bytes: &[u8], seq: u64) -> bool {
    (1..bytes.len().saturating_sub(4)).any(|start| {
        let Some((length, rest)) = bytes[start..].split_first_chunk::<4>() else { return false };
        let length = u32::from_le_bytes(*length) as usize;
        let Some(body) = rest.get(..length) else { return false };
        length > 8
            && rest.len() >= length + 32
            && number_of(body).is_some_and(|found| found > seq && found < seq + 1_000_000)
    })
}

/// A random id for a new book.
fn book() -> Result<[u8; 16], JournalError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| JournalError::Io {
        doing: "draw an id for",
        path: PathBuf::from(FILE),
        error: io::Error::other(error),
    })?;
    Ok(id)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Wakes the writer.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    rung: AtomicBool,
    stopped: AtomicBool,
    writer: OnceLock<Thread>,
}

impl Wake {
    /// There is something to write.
    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel)
            && let Some(writer) = self.writer.get()
        {
            writer.unpark();
        }
    }

    /// Nothing more will come.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }

    /// Waits for something to write; false when nothing more will come. A ring that comes before the wait is not lost:
    /// `unpark` leaves a token.
    fn wait(&self) -> bool {
        loop {
            let stopped = self.stopped.load(Ordering::Acquire);
            if self.rung.swap(false, Ordering::AcqRel) {
                return true;
            }
            if stopped {
                return false;
            }
            std::thread::park();
        }
    }
}

/// What the writer has done so far.
#[derive(Debug, Default)]
pub(crate) struct Syncs {
    count: AtomicU64,
    nanos: AtomicU64,
    bytes: AtomicU64,
}

impl Syncs {
    fn count(&self, took: Duration, bytes: usize) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// How far the journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The last record.
    pub appended: u64,
    /// The last record that is on disk.
    pub durable: u64,
    /// Writes with their syncs since the start.
    pub syncs: u64,
    /// What they took together.
    pub sync_time: Duration,
    /// What they wrote together, in bytes.
    pub bytes: u64,
}

impl Progress {
    pub(crate) fn of(appended: u64, durable: u64, syncs: &Syncs) -> Progress {
        let load = |one: &AtomicU64| one.load(Ordering::Relaxed);
        let sync_time = Duration::from_nanos(load(&syncs.nanos));
        Progress { appended, durable, syncs: load(&syncs.count), sync_time, bytes: load(&syncs.bytes) }
    }
}

/// Starts the writer.
pub(crate) fn start_writer(shared: Arc<Shared>, mut file: File) -> io::Result<JoinHandle<()>> {
    let wake = Arc::clone(&shared);
    let writer = std::thread::Builder::new().name("journal".to_string()).spawn(move || {
        let mut batch = Vec::new();
        let mut before = 0;
        let mut go_on = true;
        while go_on {
            go_on = shared.wake.wait();
            let began = Instant::now();
            batch.clear();
            batch.shrink_to(KEEP_BUFFER);
            let last = shared.take(&mut batch);
            if !batch.is_empty() {
                persist(&mut file, &batch);
                shared.syncs.count(began.elapsed(), batch.len());
                shared.waiters.reach(last);
            }
            let records = u32::try_from(last.saturating_sub(before)).unwrap_or(u32::MAX);
            before = last;
            let gather = GATHER_PER_RECORD.saturating_mul(records).min(GATHER_MAX);
            if go_on && let Some(rest) = gather.checked_sub(began.elapsed()) {
                std::thread::sleep(rest);
            }
        }
    })?;
    // Set once, here: the engine is not handed out before.
    let _ = wake.wake.writer.set(writer.thread().clone());
    wake.wake.ring();
    Ok(writer)
}

/// Writes and syncs, or stops the process: after a failed sync nobody knows what the disk holds, and a second sync may
/// wrongly succeed.
fn persist(file: &mut File, batch: &[u8]) {
    let written = file.write_all(batch).and_then(|()| file.sync_data());
    if let Err(error) = written {
        eprintln!("firstright: failed to write the journal: {error}; stopping");
        std::process::abort();
    }
}
