use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use firstright_core::fact::LeaseId;
use firstright_core::workload::JobId;
use tokio::sync::watch as channel;

use super::*;
use crate::folder::Jobs;

/// A folder of its own for each test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("firstright-local-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Folder(path)
    }

    /// The files of a job's lease, with the job's folder made.
    fn lease(&self, lease: u64) -> LeaseFiles {
        let jobs = Jobs::open(&self.0).unwrap();
        fs::create_dir_all(jobs.folder(JobId(1))).unwrap();
        jobs.lease(JobId(1), 0, LeaseId(lease))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const TOLD: Told<'static> =
    Told { job: 1, attempt: 1, piece: 0, provider: "here", accelerators: 8, max_log_bytes: 1 << 20 };
const GRACE: Duration = Duration::from_millis(300);

fn shell(line: &str) -> Command {
    Command::Shell(line.to_string())
}

/// Waits until the lease's process has made its pid file.
async fn named(files: &LeaseFiles) -> ProcessRef {
    for _ in 0..600 {
        if let Some(process) = ProcessRef::read(files) {
            return process;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the process does not name itself")
}

#[tokio::test]
async fn a_lease_that_is_started_twice_runs_once() {
    let folder = Folder::new("twice");
    let files = folder.lease(1);
    let line = shell("echo run >> runs; while ! test -e go; do sleep 0.05; done; exit 4");
    let (mut first, seen) = start(&line, &files, &TOLD).unwrap();
    assert_eq!(named(&files).await, seen);
    // Whoever starts it again is led to the one that runs, and watches that.
    let (second, other) = start(&line, &files, &TOLD).unwrap();
    assert_ne!(seen, other);
    let (_stop, stops) = channel::channel(Stop::No);
    let watched = tokio::spawn(watch(files.clone(), other, Some(second), stops, GRACE));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!watched.is_finished(), "the first one runs");
    fs::write(files.checkpoint.join("go"), "").unwrap();
    assert_eq!(first.wait().await.unwrap().code(), Some(0), "its shell wrote the code down");
    assert_eq!(watched.await.unwrap().outcome, Outcome::Code(4));
    assert_eq!(fs::read_to_string(files.checkpoint.join("runs")).unwrap(), "run\n");
}

#[tokio::test]
async fn an_id_that_was_given_again_is_left_alone() {
    let folder = Folder::new("reused");
    let files = folder.lease(1);
    let mut stranger = tokio::process::Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
    let own = ProcessRef::of(stranger.id().unwrap()).unwrap();
    let before = ProcessRef { start: Uptime(own.start.0 - 1), ..own.clone() };
    let elsewhere = ProcessRef { boot: "another".to_string(), ..own };
    for process in [before, elsewhere] {
        let (_stop, stops) = channel::channel(Stop::AtOnce);
        let exit = watch(files.clone(), process, None, stops, GRACE).await;
        assert_eq!(
            (exit.outcome, exit.until),
            (Outcome::Died, Uptime(0)),
            "nothing is metered that was not seen"
        );
    }
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger runs on");
    stranger.kill().await.unwrap();
}

#[tokio::test]
async fn signals_and_codes_are_told_apart() {
    let folder = Folder::new("codes");
    let cases = [
        ("exit 0", Outcome::Code(0)),
        ("exit 3", Outcome::Code(3)),
        ("exit 128", Outcome::Code(128)),
        ("kill -s KILL $$", Outcome::Died),
        ("kill -s SEGV $$", Outcome::Died),
        ("exit 255", Outcome::Code(255)),
    ];
    for (nth, (line, expected)) in (1..).zip(cases) {
        let files = folder.lease(nth);
        let (child, process) = start(&shell(line), &files, &TOLD).unwrap();
        let (_stop, stops) = channel::channel(Stop::No);
        let exit = watch(files.clone(), process.clone(), Some(child), stops, GRACE).await;
        assert_eq!(exit.outcome, expected, "{line}");
        assert!(exit.until >= process.start, "{line}");
    }
}

#[tokio::test]
async fn the_completion_marker_speaks_when_nobody_else_does() {
    let folder = Folder::new("marker");
    let files = folder.lease(1);
    let (child, process) = start(&shell("exit 0"), &files, &TOLD).unwrap();
    let (_stop, stops) = channel::channel(Stop::No);
    watch(files.clone(), process.clone(), Some(child), stops.clone(), GRACE).await;
    assert!(files.done());
    fs::remove_file(files.file("exit")).unwrap();
    let exit = watch(files, process, None, stops, GRACE).await;
    assert_eq!(exit.outcome, Outcome::Code(0));
}

#[test]
fn the_fence_only_rises() {
    let folder = Folder::new("fence");
    folder.lease(3).fence().unwrap();
    folder.lease(5).fence().unwrap();
    let stale = folder.lease(4).fence().unwrap_err();
    assert!(stale.to_string().contains("lease 4 was superseded"));
    assert_eq!(fs::read_to_string(folder.lease(5).checkpoint.join(".lease")).unwrap(), "5\n");
}
