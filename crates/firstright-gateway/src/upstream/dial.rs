//! How does a connection to a target come about?

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::connection::{Connection, Transport};
use super::egress::allowed;
use super::exchange::{SendError, SendErrorKind};
use super::target::Target;

/// `EMFILE` and `ENFILE`: as many files are open as this process, or the machine, may have. The standard library has no
/// kinds for them.
const TOO_MANY_FILES: [i32; 2] = [24, 23];

/// Addresses of one name that are tried; with more of them each would have too little time.
const ADDRESSES_MAX: usize = 4;

/// Resolves, tries each address in order, and shakes hands, all within `budget`.
pub(super) async fn dial(target: &Target, budget: Duration) -> Result<Connection, SendError> {
    match tokio::time::timeout(budget, dial_in(target, budget)).await {
        Ok(result) => result,
        Err(_) => Err(SendError::unsent(SendErrorKind::ConnectTimeout, None)),
    }
}

async fn dial_in(target: &Target, budget: Duration) -> Result<Connection, SendError> {
    let stream = connect(target, budget).await?;
    // A head and its body leave together; waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let transport = match target.handshake() {
        None => Transport::Plain(stream),
        Some((name, trust)) => {
            let name: ServerName<'static> = name.clone();
            let fail = |error: io::Error| SendError::unsent(SendErrorKind::Tls, Some(error));
            let config = trust.config().map_err(|error| fail(io::Error::other(error)))?;
            let stream = TlsConnector::from(config).connect(name, stream).await.map_err(fail)?;
            Transport::Tls(Box::new(stream))
        }
    };
    Ok(Connection::new(transport, target.id()))
}

/// Each address gets an equal share of the budget, so that one which does not answer leaves time for the next.
async fn connect(target: &Target, budget: Duration) -> Result<TcpStream, SendError> {
    let addresses = resolve(target, budget / 2).await?;
    let share = budget / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    let mut last = SendError::unsent(SendErrorKind::Resolve, None);
    for address in addresses {
        last = match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) if is_of_files(&error) => {
                return Err(SendError::unsent(SendErrorKind::Files, Some(error)));
            }
            Ok(Err(error)) => SendError::unsent(SendErrorKind::Connect, Some(error)),
            Err(_) => SendError::unsent(SendErrorKind::ConnectTimeout, None),
        };
    }
    Err(last)
}

/// The addresses that may be dialled. While the resolver is away, a name leads where it led before.
async fn resolve(target: &Target, budget: Duration) -> Result<Vec<SocketAddr>, SendError> {
    let looking = tokio::net::lookup_host((target.host(), target.port()));
    let error = match tokio::time::timeout(budget, looking).await {
        Ok(Ok(found)) => {
            let found: Vec<SocketAddr> = found.collect();
            let is_found = !found.is_empty();
            let mut addresses = allowed(target.host(), target.reach(), found);
            if addresses.is_empty() && is_found {
                return Err(SendError::unsent(SendErrorKind::Private, None));
            }
            addresses.truncate(ADDRESSES_MAX);
            if is_found {
                target.remember(&addresses);
            }
            return Ok(addresses);
        }
        Ok(Err(error)) => error,
        Err(_) => io::Error::new(io::ErrorKind::TimedOut, "the resolver does not answer"),
    };
    target.remembered().ok_or_else(|| {
        let kind = if is_without_files() { SendErrorKind::Files } else { SendErrorKind::Resolve };
        SendError::unsent(kind, Some(error))
    })
}

fn is_of_files(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code))
}

/// Can no file be opened now? A resolver that can open none says only that it knows of nobody.
fn is_without_files() -> bool {
    std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).is_err_and(|error| is_of_files(&error))
}

#[cfg(test)]
mod tests;
