//! How does a lease's process end? It is over only when nothing of it is left: its accelerators go to somebody else
//! then, and its checkpoint too.

use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{ProcessRef, SUPERSEDED, kernel};
use crate::folder::LeaseFiles;
use crate::meter::Uptime;

/// How often it is looked at: short against a metered second, and cheap, two small files of the kernel's.
const LOOK: Duration = Duration::from_millis(100);
/// After the command has ended, its output gets this long to reach the log; what the command left running is killed.
const DRAIN: Duration = Duration::from_secs(2);
/// Exit codes above this are signals, as shells count them.
const SIGNALS: std::ops::RangeInclusive<i32> = 129..=192;

/// What a lease's process is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// Go on.
    No,
    /// End, in its own way, within the grace.
    Politely,
    /// End now.
    AtOnce,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// By itself, with this code.
    Code(i32),
    /// By a signal, or in a way that nobody saw.
    Died,
}

/// The end of a lease's process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exit {
    pub(crate) outcome: Outcome,
    /// Until when it is known to have run.
    pub(crate) until: Uptime,
}

/// Watches a lease's process to its end. Resolves only when nothing of it is left. `child` is there if this very
/// process started it, and has to wait for it.
pub(crate) async fn watch(
    files: LeaseFiles,
    process: ProcessRef,
    mut child: Option<Child>,
    mut stop: watch::Receiver<Stop>,
    grace: Duration,
) -> Exit {
    let mut process = process;
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut polite, mut kill_at, mut drained_at): (bool, Option<Instant>, Option<Instant>) =
        (false, None, None);
    let mut until = Uptime(0);
    loop {
        tokio::select! {
            status = reaped(&mut child) => {
                child = None;
                if status == Some(SUPERSEDED) && let Some(first) = ProcessRef::read(&files) {
                    process = first;
                }
            }
            _ = looks.tick() => {}
            Ok(()) = stop.changed() => {}
        }
        let now = Instant::now();
        let wanted = *stop.borrow();
        if wanted == Stop::Politely && !polite {
            polite = true;
            kill_at = Some(now + grace);
            if alive(&process) {
                signal("TERM", &[format!("-{}", process.pid)]).await;
            }
        }
        let running = alive(&process);
        let ended = files.file("exit").exists();
        if running {
            if !ended {
                until = kernel::uptime();
            }
            drained_at = drained_at.or(ended.then_some(now + DRAIN));
        }
        let past = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let rest = if running { Vec::new() } else { left_over(&files, &process) };
        if running && (wanted == Stop::AtOnce || past(kill_at) || past(drained_at)) {
            signal("KILL", &[format!("-{}", process.pid)]).await;
        } else if !rest.is_empty() {
            let pids: Vec<String> = rest.iter().map(u32::to_string).collect();
            signal("KILL", &pids).await;
        } else if !running && child.is_none() {
            return exit(&files, until);
        }
    }
}

/// The exit code of the child, once it is waited for; never, if there is none.
async fn reaped(child: &mut Option<Child>) -> Option<i32> {
    match child {
        Some(child) => child.wait().await.ok().and_then(|status| status.code()),
        None => std::future::pending().await,
    }
}

/// Does the very process run, and not another that was given its id?
fn alive(process: &ProcessRef) -> bool {
    let same = kernel::stat(process.pid).is_some_and(|stat| stat.start == process.start && !stat.dead);
    same && kernel::boot().is_some_and(|boot| boot == process.boot)
}

/// What is left of the lease when its shell is gone: processes of its group that carry its environment. The group's
/// number alone is not enough, because it may have been given again.
fn left_over(files: &LeaseFiles, process: &ProcessRef) -> Vec<u32> {
    let lease = format!("FIRSTRIGHT_LEASE={}", files.lease.0).into_bytes();
    let mut checkpoint = b"FIRSTRIGHT_CHECKPOINT=".to_vec();
    checkpoint.extend_from_slice(files.checkpoint.as_os_str().as_encoded_bytes());
    let own = [lease, checkpoint];
    kernel::members(process.pid).into_iter().filter(|pid| kernel::has_environment(*pid, &own)).collect()
}

/// Sends a signal by the shell's own `kill`. What cannot be killed now is killed at the next look.
async fn signal(name: &str, to: &[String]) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "kill -s \"$0\" -- \"$@\" 2> /dev/null", name]).args(to).env_clear();
    // A process that is gone already is what was wanted.
    let _ = command.status().await;
}

fn exit(files: &LeaseFiles, seen: Uptime) -> Exit {
    let text = std::fs::read_to_string(files.file("exit")).unwrap_or_default();
    let mut words = text.split_whitespace();
    let code = words.next().and_then(|code| code.parse::<i32>().ok());
    let until = words.next().and_then(kernel::hundredths).unwrap_or(seen);
    let outcome = match code {
        Some(code) if SIGNALS.contains(&code) => Outcome::Died,
        Some(code) => Outcome::Code(code),
        None if files.done() => Outcome::Code(0),
        None => Outcome::Died,
    };
    Exit { outcome, until }
}
