//! How is a socket opened at a provider? The same checked head as every request, with a wish to change the protocol; what
//! comes back is a stream, or a refusal.
//! Source: RFC 6455, section 4.1.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::connection::Transport;
use super::exchange::{SendError, SendErrorKind};
use super::{BadResponse, Budgets, RequestHead, Target, dial};

/// The longest head of an answer, in bytes; a refusal's body is read with it.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Headers of an answer at most.
const HEADERS_MAX: usize = 100;

/// What a provider said to the wish for a socket.
pub(crate) enum Opening {
    Open(Raw),
    Refused { status: StatusCode, headers: HeaderMap, body: Bytes },
}

/// The bytes of a socket, with those that came along with the head.
pub(crate) struct Raw {
    pub transport: Transport,
    pub ahead: Vec<u8>,
}

/// The provider's side, in messages.
pub(crate) type Stream = Transport;

impl Raw {
    /// Reads and writes messages from here on.
    pub(crate) async fn into_side(self, limits: WebSocketConfig) -> WebSocketStream<Stream> {
        WebSocketStream::from_partially_read(self.transport, self.ahead, Role::Client, Some(limits)).await
    }
}

/// Opens a socket at `target`.
///
/// # Errors
/// If there is no connection, or no head of an answer within the budgets.
pub(crate) async fn open(
    target: &Target,
    mut head: RequestHead,
    budgets: &Budgets,
) -> Result<Opening, SendError> {
    if !head.is_for(target) {
        return Err(SendError::unsent(SendErrorKind::Elsewhere, None));
    }
    let key = generate_key();
    head.upgrade(&key);
    let mut transport = dial::dial(target, budgets.connect).await?.into_transport();
    match tokio::time::timeout(budgets.head, shake(&mut transport, head.finish(0), &key)).await {
        Err(_) => Err(failed(SendErrorKind::HeadTimeout, None)),
        Ok(Err(error)) => Err(error),
        Ok(Ok(Answer::Open(ahead))) => Ok(Opening::Open(Raw { transport, ahead })),
        Ok(Ok(Answer::Refused { status, headers, body })) => Ok(Opening::Refused { status, headers, body }),
    }
}

enum Answer {
    Open(Vec<u8>),
    Refused { status: StatusCode, headers: HeaderMap, body: Bytes },
}

async fn shake(transport: &mut Transport, head: Vec<u8>, key: &str) -> Result<Answer, SendError> {
    transport.write_all(&head).await.map_err(|error| failed(SendErrorKind::Write, Some(error)))?;
    transport.flush().await.map_err(|error| failed(SendErrorKind::Write, Some(error)))?;
    let mut bytes = Vec::new();
    loop {
        let bad = |bad| failed(SendErrorKind::BadHead(bad), None);
        if let Some(answer) = read(&bytes, key).map_err(bad)? {
            return Ok(answer);
        }
        if bytes.len() > HEAD_BYTES_MAX {
            return Err(bad(BadResponse::TooLong));
        }
        let mut part = [0; 4096];
        let count = transport.read(&mut part).await;
        let count = count.map_err(|error| failed(SendErrorKind::ClosedBeforeHead, Some(error)))?;
        if count == 0 {
            return Err(failed(SendErrorKind::ClosedBeforeHead, None));
        }
        bytes.extend_from_slice(&part[..count]);
    }
}

/// The answer, once its head is whole. A refusal's body is what of it has come: enough to say why.
fn read(bytes: &[u8], key: &str) -> Result<Option<Answer>, BadResponse> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = answer.parse(bytes).map_err(|_| BadResponse::Grammar)? else {
        return Ok(None);
    };
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(BadResponse::Status)?;
    let mut map = HeaderMap::new();
    for header in answer.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| BadResponse::Grammar)?;
        map.append(name, HeaderValue::from_bytes(header.value).map_err(|_| BadResponse::Grammar)?);
    }
    let rest = &bytes[length..];
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Some(Answer::Refused { status, headers: map, body: Bytes::copy_from_slice(rest) }));
    }
    let accepted = map
        .get("sec-websocket-accept")
        .is_some_and(|value| value == derive_accept_key(key.as_bytes()).as_str());
    if accepted { Ok(Some(Answer::Open(rest.to_vec()))) } else { Err(BadResponse::Grammar) }
}

fn failed(kind: SendErrorKind, io: Option<io::Error>) -> SendError {
    SendError::sent(kind, io)
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
