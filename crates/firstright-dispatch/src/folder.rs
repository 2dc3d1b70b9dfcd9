//! Where does a job keep its files?
//!
//! ```text
//! <data>/jobs/<job>/
//! ├─ job.toml              what was submitted
//! ├─ checkpoint/           kept over every resumption; a further piece of a split job has checkpoint-2/, …
//! │  ├─ .lease             the fencing token: the number of the lease that may write here; it only rises
//! │  └─ .done              the completion marker: the piece is done, never run it again
//! ├─ lease-<n>.pid         process id, its start time, the boot's id; made once, so a lease starts once
//! ├─ lease-<n>.log         standard output and error
//! ├─ lease-<n>.exit        exit code, and when
//! └─ lease-<n>.lost        the provider lost it: what remains of it is killed
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use firstright_core::fact::LeaseId;
use firstright_core::workload::JobId;

/// A submitted job's folder before its number is known. The actor submits one at a time, so there is one.
const INCOMING: &str = ".incoming";
const JOB_FILE: &str = "job.toml";
/// Folders of one number that are moved aside at most: each is one journal that was put back.
const MAX_ASIDE: u32 = 1_000;

/// The folder of all jobs.
#[derive(Clone, Debug)]
pub struct Jobs {
    root: PathBuf,
}

/// The files of one lease.
#[derive(Clone, Debug)]
pub struct LeaseFiles {
    folder: PathBuf,
    /// The lease.
    pub lease: LeaseId,
    /// Its piece's checkpoint folder.
    pub checkpoint: PathBuf,
}

impl Jobs {
    /// The jobs of a book's folder.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn open(data: &Path) -> io::Result<Jobs> {
        let root = std::path::absolute(data)?.join("jobs");
        make(&root)?;
        Ok(Jobs { root })
    }

    /// A job's folder.
    pub fn folder(&self, job: JobId) -> PathBuf {
        self.root.join(job.0.to_string())
    }

    /// Writes a job file down before its job is submitted, so that no job on record is without its command.
    pub(crate) fn stage(&self, text: &str) -> io::Result<()> {
        let folder = self.root.join(INCOMING);
        remove(&folder)?;
        make(&folder)?;
        write(&folder.join(JOB_FILE), text)?;
        sync(&folder)
    }

    /// Gives the staged folder its job's number. A folder of that number is left over from a record that was cut off,
    /// in which nothing was started; or the journal was put back to an older one, and it holds somebody's checkpoints.
    /// So it is moved aside, never removed.
    pub(crate) fn name(&self, job: JobId) -> io::Result<()> {
        let folder = self.folder(job);
        if folder.exists() {
            let mut names = (1..MAX_ASIDE).map(|nth| self.root.join(format!("{}.before-{nth}", job.0)));
            let aside = names.find(|aside| !aside.exists());
            fs::rename(&folder, aside.ok_or_else(|| io::Error::other("too many folders of that number"))?)?;
        }
        fs::rename(self.root.join(INCOMING), folder)?;
        sync(&self.root)
    }

    /// The staged job file that was not named before the process stopped, if there is one.
    pub(crate) fn staged(&self) -> Option<String> {
        fs::read_to_string(self.root.join(INCOMING).join(JOB_FILE)).ok()
    }

    /// Does the job have its file?
    pub(crate) fn has(&self, job: JobId) -> bool {
        self.folder(job).join(JOB_FILE).exists()
    }

    /// What was submitted.
    pub(crate) fn read(&self, job: JobId) -> io::Result<String> {
        fs::read_to_string(self.folder(job).join(JOB_FILE))
    }

    /// The files of a lease of a job's piece.
    pub fn lease(&self, job: JobId, piece: u32, lease: LeaseId) -> LeaseFiles {
        let folder = self.folder(job);
        let checkpoint = match piece {
            0 => folder.join("checkpoint"),
            later => folder.join(format!("checkpoint-{}", u64::from(later) + 1)),
        };
        LeaseFiles { folder, lease, checkpoint }
    }
}

impl LeaseFiles {
    /// The lease's file of that kind.
    pub fn file(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("lease-{}.{kind}", self.lease.0))
    }

    /// Is the piece done?
    pub(crate) fn done(&self) -> bool {
        self.checkpoint.join(".done").exists()
    }

    /// Takes the checkpoint folder for this lease. A process of an earlier one that looks at the token sees that it has
    /// been superseded.
    pub(crate) fn fence(&self) -> io::Result<()> {
        make(&self.checkpoint)?;
        let token = self.checkpoint.join(".lease");
        let held = fs::read_to_string(&token).ok().and_then(|held| held.trim().parse::<u64>().ok());
        if held.is_some_and(|held| held > self.lease.0) {
            return Err(io::Error::other(format!("lease {} was superseded", self.lease.0)));
        }
        replace(&token, &format!("{}\n", self.lease.0))
    }

    /// Notes that the provider lost the lease, before its process is killed: a restart in between must not take it for
    /// an interruption.
    pub(crate) fn mark_lost(&self) -> io::Result<()> {
        replace(&self.file("lost"), "")
    }
}

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension(format!("{}.new", path.extension().unwrap_or_default().display()));
    write(&new, text)?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), sync)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
