//! How many clients may be connected, as far as the files go that this process may open?
//!
//! A call in flight is two files, its client's connection and its provider's. If clients could take them all, nothing
//! would be left for providers, the admin API and the next journal.

/// Files for everything else: the journal, logs, listeners and their runtimes, and the admin API's connections.
const OTHERS: usize = 192;

/// So many connections leave room for everything else; none if the system does not say how many files may be open.
#[must_use]
pub fn connections() -> Option<usize> {
    Some(room(soft_limit(&std::fs::read_to_string("/proc/self/limits").ok()?)?))
}

/// Where few files may be open, everything else has half of them.
fn room(files: usize) -> usize {
    ((files - OTHERS.min(files / 2)) / 2).max(1)
}

/// The limit that holds now, of the kernel's table: name, soft limit, hard limit, unit.
fn soft_limit(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_is_left_beside_everything_else() {
        let table = "Limit                     Soft Limit           Hard Limit           Units     \n\
                     Max processes             95960                95960                processes \n\
                     Max open files            1024                 524288               files     \n";
        assert_eq!(soft_limit(table), Some(1024));
        assert_eq!(soft_limit("Max open files unlimited unlimited files"), None);
        for (files, connections) in [(1024, 416), (256, 64), (20_000, 9_904), (4, 1), (0, 1)] {
            assert_eq!(room(files), connections, "{files}");
        }
    }
}
