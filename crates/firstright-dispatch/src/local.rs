//! The embedded engine: how is a lease's work run as a process of this machine?
//!
//! A lease starts once. Its first act is to make its pid file, which only one process can: whoever starts a lease again
//! because it did not see the first one finds the file made and goes away. It outlives Firstright: its output goes
//! through a `cat` of its own, its exit code is written by its own shell, and a restart looks for it by its process id
//! and start time.

mod kernel;
mod watch;

use std::io;
use std::process::Stdio;

use tokio::process::{Child, Command as Process};

use crate::folder::LeaseFiles;
use crate::job_file::Command;
use crate::meter::Uptime;

pub(crate) use kernel::uptime;
pub(crate) use watch::{Exit, Outcome, Stop, watch};

/// The shell that every lease runs in. `$1` prefix of the lease's files, `$2` completion marker, `$3` lease, `$4` the
/// log's limit in blocks of 512 bytes, `$5` its note; then the command.
const SHELL: &str = include_str!("local/lease.sh");
/// What a lease's shell ends with if another process has the lease.
const SUPERSEDED: i32 = 75;
/// Environment that a job inherits; everything else might be a secret of Firstright's.
const INHERITED: [&str; 3] = ["PATH", "HOME", "LANG"];

/// A process by what no other can share: its id alone may be given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProcessRef {
    pub(crate) pid: u32,
    /// Hundredths of a second after the boot.
    pub(crate) start: Uptime,
    pub(crate) boot: String,
}

impl ProcessRef {
    /// What the pid file says; `None` if the lease was not started.
    pub(crate) fn read(files: &LeaseFiles) -> Option<ProcessRef> {
        let text = std::fs::read_to_string(files.file("pid")).ok()?;
        let mut words = text.split_whitespace();
        let pid = words.next()?.parse().ok()?;
        let start = Uptime(words.next()?.parse().ok()?);
        Some(ProcessRef { pid, start, boot: words.next()?.to_string() })
    }

    /// The process of that id, as it is now.
    fn of(pid: u32) -> Option<ProcessRef> {
        Some(ProcessRef { pid, start: kernel::stat(pid)?.start, boot: kernel::boot()?.to_string() })
    }

    /// How the engine calls it, for the record.
    pub(crate) fn name(&self) -> String {
        format!("local:{}@{}", self.pid, self.start.0)
    }
}

/// What a lease's process is told by its environment.
pub(crate) struct Told<'a> {
    pub(crate) job: u64,
    pub(crate) attempt: u32,
    pub(crate) piece: u32,
    pub(crate) provider: &'a str,
    pub(crate) accelerators: u32,
    pub(crate) max_log_bytes: u64,
}

/// Starts a lease's work.
pub(crate) fn start(
    command: &Command,
    files: &LeaseFiles,
    told: &Told<'_>,
) -> io::Result<(Child, ProcessRef)> {
    files.fence()?;
    let lease = files.lease.0.to_string();
    let blocks = (told.max_log_bytes / 512).max(1).to_string();
    let note = format!("firstright: the log is full at {} bytes; the rest is not kept", told.max_log_bytes);
    let mut process = Process::new("/bin/sh");
    process.arg("-c").arg(SHELL).arg("firstright-lease");
    process.arg(files.file("")).arg(files.checkpoint.join(".done")).args([&lease, &blocks, &note]);
    match command {
        Command::Shell(line) => process.args(["/bin/sh", "-c", line]),
        Command::Program(words) => process.args(words),
    };
    process.env_clear();
    process.envs(INHERITED.iter().filter_map(|key| Some((key, std::env::var_os(key)?))));
    process.env("FIRSTRIGHT_CHECKPOINT", &files.checkpoint);
    process.env("FIRSTRIGHT_JOB", told.job.to_string());
    process.env("FIRSTRIGHT_LEASE", &lease);
    process.env("FIRSTRIGHT_ATTEMPT", told.attempt.to_string());
    process.env("FIRSTRIGHT_PIECE", told.piece.to_string());
    process.env("FIRSTRIGHT_PROVIDER", told.provider);
    process.env("FIRSTRIGHT_ACCELERATORS", told.accelerators.to_string());
    process.current_dir(&files.checkpoint).process_group(0);
    process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = process.spawn()?;
    // It cannot have been reaped yet, so its entry is there even if it has ended.
    let pid = child.id().unwrap_or_default();
    let own =
        ProcessRef::of(pid).ok_or_else(|| io::Error::other("the process is not to be seen in /proc"))?;
    Ok((child, own))
}

#[cfg(test)]
mod tests;
