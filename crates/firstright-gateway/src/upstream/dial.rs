//! How does a connection to a target come about?

use std::io;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::connection::{Connection, Transport};
use super::exchange::{SendError, SendErrorKind};
use super::target::Target;

/// Resolves once, tries each address in order, and shakes hands, all within `budget`.
pub(super) async fn dial(target: &Target, budget: Duration) -> Result<Connection, SendError> {
    match tokio::time::timeout(budget, dial_without_end(target)).await {
        Ok(result) => result,
        Err(_) => Err(SendError::unsent(SendErrorKind::ConnectTimeout, None)),
    }
}

async fn dial_without_end(target: &Target) -> Result<Connection, SendError> {
    let stream = connect(target).await?;
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

async fn connect(target: &Target) -> Result<TcpStream, SendError> {
    let resolve = |error| SendError::unsent(SendErrorKind::Resolve, error);
    let addresses = tokio::net::lookup_host((target.host(), target.port()))
        .await
        .map_err(|error| resolve(Some(error)))?;
    let mut last = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) => SendError::unsent(SendErrorKind::Connect, Some(error)),
        None => resolve(None),
    })
}
