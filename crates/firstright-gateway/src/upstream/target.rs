//! Where may a request be sent?

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::time::Instant;

use super::egress::Reach;
use super::tls::Trust;

/// An authority that configuration has fixed. Nothing of a request can make or change one, so a credential that is
/// bound to a target cannot go elsewhere.
#[derive(Debug, Clone)]
pub struct Target {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: u64,
    host: String,
    port: u16,
    /// How far in its name may lead.
    reach: Reach,
    /// As the Host header says it.
    authority: String,
    tls: Option<(ServerName<'static>, Trust)>,
    /// Where its name led when it was last resolved.
    led: Mutex<Option<(Vec<SocketAddr>, Instant)>>,
}

/// How long a name is believed to lead where it led, while the resolver is away. An hour outlasts what resolvers have; a
/// provider that moves away from an address keeps it for longer.
const REMEMBERED_FOR: Duration = Duration::from_secs(3_600);

/// Why a target cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadTarget {
    host: String,
}

impl std::fmt::Display for BadTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "use `{}` as a host name or address", self.host)
    }
}

impl std::error::Error for BadTarget {}

/// Targets are few and live as long as their configuration, so numbers are never used again.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl Target {
    /// Without TLS: for loopback and private networks.
    pub fn plain(host: &str, port: u16) -> Result<Self, BadTarget> {
        Self::new(host, port, 80, None)
    }

    /// With TLS, the certificate being checked against `host`.
    pub fn tls(host: &str, port: u16, trust: Trust) -> Result<Self, BadTarget> {
        Self::new(host, port, 443, Some(trust))
    }

    fn new(host: &str, port: u16, default_port: u16, trust: Option<Trust>) -> Result<Self, BadTarget> {
        let bad = || BadTarget { host: host.to_owned() };
        // The TLS library's grammar of names serves for both: no path, no user, no space.
        let name = ServerName::try_from(host.to_owned()).map_err(|_| bad())?;
        let shown = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let authority = if port == default_port { shown } else { format!("{shown}:{port}") };
        let inner = Inner {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            host: host.to_owned(),
            port,
            reach: Reach::Public,
            authority,
            tls: trust.map(|trust| (name, trust)),
            led: Mutex::new(None),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The same authority, whose name may lead to a private address: a private endpoint, or a server of one's own. It is
    /// another target: no connection and no head is shared.
    #[must_use]
    pub fn allow_private(&self) -> Self {
        self.reaching(Reach::Private)
    }

    /// The same authority, which may be a metadata service: for what gives keys and tokens alone. It is another target.
    #[must_use]
    pub fn allow_metadata(&self) -> Self {
        self.reaching(Reach::Metadata)
    }

    fn reaching(&self, reach: Reach) -> Self {
        let Inner { host, port, authority, tls, .. } = &*self.inner;
        let inner = Inner {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            host: host.clone(),
            port: *port,
            reach,
            authority: authority.clone(),
            tls: tls.clone(),
            led: Mutex::new(None),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Notes where its name leads.
    pub(super) fn remember(&self, addresses: &[SocketAddr]) {
        let mut led = self.inner.led.lock().unwrap_or_else(PoisonError::into_inner);
        *led = Some((addresses.to_vec(), Instant::now()));
    }

    /// Where its name led a short while ago.
    pub(super) fn remembered(&self) -> Option<Vec<SocketAddr>> {
        let led = self.inner.led.lock().unwrap_or_else(PoisonError::into_inner);
        led.as_ref()
            .filter(|(_, when)| when.elapsed() < REMEMBERED_FOR)
            .map(|(addresses, _)| addresses.clone())
    }

    /// Whether its name may lead to a private address.
    pub fn may_be_private(&self) -> bool {
        self.inner.reach != Reach::Public
    }

    pub(super) fn reach(&self) -> Reach {
        self.inner.reach
    }

    /// The host name or address that is dialled.
    pub fn host(&self) -> &str {
        &self.inner.host
    }

    /// The TCP port that is dialled.
    pub fn port(&self) -> u16 {
        self.inner.port
    }

    /// What the Host header says.
    pub fn authority(&self) -> &str {
        &self.inner.authority
    }

    /// Whether TLS is spoken with it.
    pub fn is_tls(&self) -> bool {
        self.inner.tls.is_some()
    }

    pub(super) fn id(&self) -> u64 {
        self.inner.id
    }

    pub(super) fn handshake(&self) -> Option<(&ServerName<'static>, &Trust)> {
        self.inner.tls.as_ref().map(|(name, trust)| (name, trust))
    }
}
