//! May one more connection be held?

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Limits;

/// Counts the open connections of all threads against the caps.
#[derive(Debug, Clone)]
pub struct Permits {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    open: AtomicUsize,
    limit: usize,
    by_ip: Option<ByIp>,
}

/// Touched once as a connection opens and once as it closes, so one lock serves.
#[derive(Debug)]
struct ByIp {
    limit: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// The right of one connection to be open; given back on drop.
#[derive(Debug)]
pub(super) struct Permit {
    shared: Arc<Shared>,
    ip: Option<IpAddr>,
}

impl Permits {
    /// Starts with nothing open.
    pub fn new(limits: &Limits) -> Self {
        let by_ip = limits.connections_per_ip.map(|limit| ByIp { limit, open: Mutex::default() });
        Self { shared: Arc::new(Shared { open: AtomicUsize::new(0), limit: limits.connections, by_ip }) }
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    pub(super) fn take(&self, ip: IpAddr) -> Option<Permit> {
        let shared = &self.shared;
        if shared.open.fetch_add(1, Ordering::Relaxed) >= shared.limit {
            shared.open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        // From here on dropping the permit gives the place back.
        let mut permit = Permit { shared: shared.clone(), ip: None };
        if let Some(by_ip) = &shared.by_ip {
            // A v4 client on a v6 socket is the same client.
            let ip = ip.to_canonical();
            let mut open = by_ip.open.lock().unwrap_or_else(PoisonError::into_inner);
            let held = open.get(&ip).copied().unwrap_or(0);
            if held >= by_ip.limit {
                drop(open);
                return None;
            }
            open.insert(ip, held + 1);
            permit.ip = Some(ip);
        }
        Some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
        let (Some(ip), Some(by_ip)) = (self.ip, &self.shared.by_ip) else { return };
        let mut open = by_ip.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&ip) {
            Some(held) if *held > 1 => *held -= 1,
            _ => {
                open.remove(&ip);
            }
        }
    }
}
