//! What does the kernel say of processes? Read from `/proc`, so that nothing unsafe is needed.

use std::fs;
use std::sync::OnceLock;

use crate::meter::Uptime;

/// A line of `/proc/<pid>/stat`, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) group: u32,
    /// In clock ticks, which Linux reports as hundredths of a second on every architecture that it runs on here.
    pub(super) start: Uptime,
    /// Ended, and not waited for: it holds nothing any more.
    pub(super) dead: bool,
}

/// The process's line; `None` if there is no such process.
pub(super) fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name may hold spaces and parentheses, so fields are counted from the last parenthesis.
fn parse(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line.get(line.rfind(')')? + 1..)?.split_whitespace().collect();
    let dead = matches!(*fields.first()?, "Z" | "X" | "x");
    Some(Stat { dead, group: fields.get(2)?.parse().ok()?, start: Uptime(fields.get(19)?.parse().ok()?) })
}

/// The processes of a group that have not ended.
pub(super) fn members(group: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|stat| stat.group == group && !stat.dead)).collect()
}

/// Was the process started with this in its environment?
pub(super) fn has_environment(pid: u32, entries: &[Vec<u8>]) -> bool {
    let Ok(bytes) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    entries.iter().all(|entry| bytes.split(|byte| *byte == 0).any(|one| one == entry.as_slice()))
}

/// Names this boot of the machine: process ids of another mean nothing.
pub(super) fn boot() -> Option<&'static str> {
    static BOOT: OnceLock<Option<String>> = OnceLock::new();
    let read = || fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    BOOT.get_or_init(|| read().map(|id| id.trim().to_string())).as_deref()
}

/// Time since the boot. Zero where the kernel does not say, so that nothing is metered rather than something wrong.
pub(crate) fn uptime() -> Uptime {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split_whitespace().next().and_then(hundredths).unwrap_or_default()
}

/// `12.34` in hundredths.
pub(super) fn hundredths(text: &str) -> Option<Uptime> {
    let (whole, fraction) = text.split_once('.')?;
    let fraction: u64 = fraction.get(..2)?.parse().ok()?;
    Some(Uptime(whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(fraction)?))
}

#[cfg(test)]
mod tests;
