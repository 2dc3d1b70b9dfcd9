//! What becomes of a socket? Realtime sessions, and Responses over WebSocket.
//!
//! A socket is a row of calls, one for each answer that a model gives on it: each is decided, reserved, metered and settled
//! like a call of its own, and each but the first has the first one's provider for its home, because that is where the
//! session lives. A realtime session opens its first call at once, and the next when an answer is done; Responses opens one
//! with each `response.create`.
//!
//! Frames pass as they came. Of text it is read which answer is done and what it used; ids are signed on their way out and
//! unsigned on their way in.

mod event;
mod session;

use std::time::Duration;

use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::answer::Answer;
use crate::listen::{Upgrade, Upgraded};
use crate::refuse::No;
use crate::relay::Reply;

pub(crate) use session::Session;

/// The largest message either way, in bytes: OpenAI's own bound for a piece of sound is 15 MiB.
const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// Without a word from either side a socket is closed: OpenAI's clients ping every 20 seconds.
const SILENCE: Duration = Duration::from_secs(300);
/// The longest session; OpenAI's own bound is an hour.
const LONGEST: Duration = Duration::from_secs(3_600);
/// A browser cannot set a header, and puts its key into a subprotocol of this beginning.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// A side of a socket.
type Side<T> = WebSocketStream<T>;

/// What a request for a socket says of itself.
pub(crate) struct Wish {
    accept: HeaderValue,
    /// The subprotocol that is agreed upon.
    protocol: Option<HeaderValue>,
    upgrade: Upgrade,
}

/// The key that a subprotocol carries.
pub(crate) fn key_in_protocol(headers: &HeaderMap) -> Option<&[u8]> {
    let offered =
        headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let mut names = offered.flat_map(|value| value.split(',')).map(str::trim);
    names.find_map(|name| name.strip_prefix(KEY_PROTOCOL)).map(str::as_bytes)
}

/// Reads the wish for a socket.
///
/// # Errors
/// If the request asks for none, or not as RFC 6455 has it.
pub(crate) fn wish(parts: &mut Parts) -> Result<Wish, No> {
    let has = |name: &str, wanted: &str| {
        let values = parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        values.split(',').any(|value| value.trim().eq_ignore_ascii_case(wanted))
    };
    let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
    let asks =
        has("upgrade", "websocket") && has("connection", "upgrade") && has("sec-websocket-version", "13");
    let (Some(key), true) = (key, asks) else {
        let message = "this path takes a WebSocket: ask for the upgrade as RFC 6455 has it";
        return Err(No::bad(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message));
    };
    let accept = HeaderValue::from_str(&derive_accept_key(key)).map_err(|_| No::undecided())?;
    let offered =
        parts.headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let mut names = offered.flat_map(|value| value.split(',')).map(str::trim);
    let protocol = names.find(|name| *name == "realtime").map(|_| HeaderValue::from_static("realtime"));
    let upgrade = parts.extensions.remove::<Upgrade>().ok_or_else(No::undecided)?;
    Ok(Wish { accept, protocol, upgrade })
}

impl Wish {
    /// Answers 101; then the session runs in the connection's own task.
    pub(crate) fn grant(self, session: Session) -> Answer {
        self.upgrade.leave(move |upgraded| run(session, upgraded));
        let mut answer = Response::new(Reply::whole(""));
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(protocol) = self.protocol {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        answer
    }
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES))
        .max_write_buffer_size(2 * MAX_MESSAGE_BYTES)
}

/// Passes messages until one side ends, or the session may not go on.
async fn run(mut session: Session, upgraded: Upgraded) {
    let ahead = upgraded.ahead.to_vec();
    let mut client =
        WebSocketStream::from_partially_read(upgraded.io, ahead, Role::Server, Some(limits())).await;
    let ended = tokio::time::timeout(LONGEST, pass(&mut session, &mut client)).await;
    let (code, reason) = match ended {
        Ok(End::Client) => (CloseCode::Normal, ""),
        Ok(End::Provider(frame)) => {
            let frame = frame.map(|frame| (frame.code, frame.reason.to_string()));
            let (code, reason) = frame.unwrap_or((CloseCode::Error, "the provider broke off".to_string()));
            session.end(code != CloseCode::Error);
            close(&mut client, code, &reason).await;
            return;
        }
        Ok(End::Refused(event)) => {
            // Told in the language of events first: clients show those, and not the reason of an end.
            let _ = client.send(Message::text(event)).await;
            (CloseCode::Policy, "refused")
        }
        Ok(End::Silence) => (CloseCode::Away, "nothing was said for too long"),
        Err(_) => (CloseCode::Away, "the session lasted too long"),
    };
    session.end(true);
    close(&mut client, code, reason).await;
}

/// How a session ends.
enum End {
    /// The client closed it, or went away.
    Client,
    /// The provider closed it, or broke off.
    Provider(Option<CloseFrame>),
    /// It may not go on; the event says why.
    Refused(String),
    Silence,
}

async fn pass<T>(session: &mut Session, client: &mut Side<T>) -> End
where
    Side<T>: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    let mut provider: Option<Side<crate::upstream::socket::Stream>> = None;
    if let Some(raw) = session.take_raw() {
        provider = Some(raw.into_side(limits()).await);
    }
    loop {
        let from_provider = async {
            match &mut provider {
                Some(side) => side.next().await,
                None => std::future::pending().await,
            }
        };
        let step = tokio::select! {
            message = client.next() => Step::Client(message),
            message = from_provider => Step::Provider(message),
            () = tokio::time::sleep(SILENCE) => return End::Silence,
        };
        match step {
            Step::Client(None | Some(Err(_) | Ok(Message::Close(_)))) => return End::Client,
            Step::Client(Some(Ok(message))) => {
                let message = match session.client_said(message).await {
                    Ok(message) => message,
                    Err(refusal) => return End::Refused(refusal),
                };
                if let Some(raw) = session.take_raw() {
                    provider = Some(raw.into_side(limits()).await);
                }
                let Some(side) = &mut provider else { continue };
                if side.send(message).await.is_err() {
                    return End::Provider(None);
                }
            }
            Step::Provider(None | Some(Err(_))) => return End::Provider(None),
            Step::Provider(Some(Ok(Message::Close(frame)))) => return End::Provider(frame),
            Step::Provider(Some(Ok(message))) => {
                let (message, begins) = session.provider_said(message).await;
                if client.send(message).await.is_err() {
                    return End::Client;
                }
                if begins && let Err(refusal) = session.begin().await {
                    return End::Refused(refusal);
                }
            }
        }
    }
}

enum Step {
    Client(Option<Result<Message, Error>>),
    Provider(Option<Result<Message, Error>>),
}

/// Says good-bye; who does not listen any more has left already.
async fn close<T>(side: &mut Side<T>, code: CloseCode, reason: &str)
where
    Side<T>: Sink<Message, Error = Error> + Unpin,
{
    let frame = CloseFrame { code, reason: reason.to_string().into() };
    let _ = tokio::time::timeout(Duration::from_secs(2), side.send(Message::Close(Some(frame)))).await;
}
