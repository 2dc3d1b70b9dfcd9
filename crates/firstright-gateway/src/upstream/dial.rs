//! How does a connection to a target come about?

use std::io;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::connection::{Connection, Transport};
use super::egress::allowed;
use super::exchange::{SendError, SendErrorKind};
use super::target::Target;

/// Addresses of one name that are tried; with more of them each would have too little time.
const ADDRESSES_MAX: usize = 4;

/// Resolves once, tries each address in order, and shakes hands, all within `budget`.
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
    let resolve = |error| SendError::unsent(SendErrorKind::Resolve, error);
    let found = tokio::net::lookup_host((target.host(), target.port())).await;
    let found: Vec<_> = found.map_err(|error| resolve(Some(error)))?.collect();
    let none_found = found.is_empty();
    let mut addresses = allowed(target.host(), target.may_be_private(), found);
    if addresses.is_empty() && !none_found {
        return Err(SendError::unsent(SendErrorKind::Private, None));
    }
    addresses.truncate(ADDRESSES_MAX);
    let share = budget / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    let mut last = resolve(None);
    for address in addresses {
        last = match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => SendError::unsent(SendErrorKind::Connect, Some(error)),
            Err(_) => SendError::unsent(SendErrorKind::ConnectTimeout, None),
        };
    }
    Err(last)
}
