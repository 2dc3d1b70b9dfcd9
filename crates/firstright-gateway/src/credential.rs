//! How does a request prove to its provider who sends it?
//!
//! A [`Credential`] is a [`Proof`] bound to one authority: a host, a port, with or without TLS. It writes into heads that
//! were made for that authority and into no other, and nothing of it is ever printed. Most need no waiting: a key is
//! there, a signature is computed, a token that still holds is taken. Only who finds no token waits for one, and then
//! one request asks for all ([`tokens`](self)).

mod clock;
mod grant;
mod principal;
mod role;
mod sign;
mod tokens;

use std::sync::Arc;

use bytes::Bytes;
use firstright_wire::auth::token::Refused;
use http::{HeaderMap, HeaderName, StatusCode, header};

use crate::upstream::{BadHead, Client, RequestHead, SendErrorKind, Target};

pub(crate) use clock::clock_ahead_s;
pub use grant::{Grant, Subject, TokenUrl};
pub use principal::{OciInstance, OciPrincipal};
pub use role::{Authorization, AwsRole, AwsSource};
pub use sign::{AwsKey, BadKey, OciKey, SigningKey, thumbprint};
use tokens::Held;
pub use tokens::{Kind, Tokens};

/// A clock that is off by more than this, in seconds, is told of: AWS and Oracle take five minutes, and a Date header is
/// older than its answer by the way it came.
pub const SKEW_TOLD_S: i64 = 120;

/// A secret that is written to an upstream's head and nowhere else: it has no `Display`, and its `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Bytes);

impl Secret {
    /// Keeps the secret's bytes; white space around it (a trailing newline of a file) is not part of it.
    pub fn new(secret: &str) -> Secret {
        Secret(Bytes::copy_from_slice(secret.trim().as_bytes()))
    }

    /// `Bearer` and the secret, as one.
    fn bearer(secret: &str) -> Secret {
        Secret(Bytes::from([b"Bearer ", secret.trim().as_bytes()].concat()))
    }

    /// The secret itself, for the one header that it goes into.
    pub(crate) fn reveal(&self) -> &[u8] {
        &self.0
    }

    fn text(&self) -> &str {
        // INVARIANT: it was made from a text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a provider takes for proof. Clones share a token, and what is known of it.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A header with this name and value.
    Header(HeaderName, Secret),
    /// A token that is fetched and renewed; or the keys of a role at AWS, or of a principal at Oracle, which sign.
    Tokens(Arc<Tokens>),
    /// Oracle's request signature.
    Oci(Arc<OciKey>),
    /// AWS's request signature.
    Aws(Arc<AwsKey>),
}

/// A proof for one authority.
#[derive(Clone, Debug)]
pub struct Credential {
    proof: Proof,
    bound: Bound,
}

/// An authority: a secret for one goes to no other.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    host: String,
    port: u16,
    tls: bool,
}

/// What authorised a request, for the case that the provider does not take it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    token: Option<u64>,
}

/// Why a request cannot be authorised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthError {
    /// The head was made for an authority that this secret is not for.
    Elsewhere {
        /// Host and port that the secret is for.
        bound: String,
        /// Host and port of the head.
        asked: String,
    },
    /// The secret or signature cannot stand in a head.
    Head(BadHead),
    /// The token endpoint gave no answer.
    Unreachable {
        /// Its host.
        host: String,
        /// How far it came.
        at: SendErrorKind,
    },
    /// The token endpoint's answer broke off or is too long.
    Cut {
        /// Its host.
        host: String,
    },
    /// The token endpoint gave none.
    Refused {
        /// Its host.
        host: String,
        /// What it said.
        refused: Refused,
        /// Its clock less ours in seconds, if that tells.
        skew_s: Option<i64>,
    },
    /// The proof for the token endpoint cannot be made: a file that is gone, a key that does not sign.
    Proof(String),
    /// The thread that asked for the token went away; ask again.
    Abandoned,
}

impl std::fmt::Display for AuthError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Elsewhere { bound, asked } => {
                write!(f, "authorise a request to `{asked}`: the credential is for `{bound}` alone")
            }
            Self::Head(bad) => write!(f, "{bad}"),
            Self::Unreachable { host, at } => write!(f, "get a token from `{host}`: {at}"),
            Self::Cut { host } => write!(f, "get a token from `{host}`: its answer broke off"),
            Self::Refused { host, refused, skew_s } => {
                write!(f, "get a token from `{host}`: {refused}")?;
                match skew_s {
                    Some(skew_s) => write!(f, "; {}", Skew(*skew_s)),
                    None => Ok(()),
                }
            }
            Self::Proof(why) => write!(f, "prove who asks for a token: {why}"),
            Self::Abandoned => f.write_str("get a token: who asked for it went away"),
        }
    }
}

impl std::error::Error for AuthError {}

/// How far our clock is off, in words: what the other's is ahead of ours, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Skew(pub i64);

impl std::fmt::Display for Skew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = if self.0 > 0 { "behind" } else { "ahead of" };
        write!(f, "this machine's clock is {} s {side} theirs", self.0.unsigned_abs())
    }
}

/// What is known of a credential, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// In one word: `header`, `token`, `aws-role`, `oci-principal`, `oci-signature` or `aws-signature`.
    pub kind: &'static str,
    /// For a token: seconds until it ends; none if there is none.
    pub ends_in_s: Option<u64>,
    /// Why the last fetch gave none; none once one did.
    pub failure: Option<AuthError>,
    /// Their clock less ours, in seconds, if a refusal taught it.
    pub clock_ahead_s: Option<i64>,
}

impl Proof {
    /// A key in a header; one in `authorization` goes after `Bearer`.
    pub fn key(name: HeaderName, secret: &Secret) -> Proof {
        let value =
            if name == header::AUTHORIZATION { Secret::bearer(secret.text()) } else { secret.clone() };
        Proof::Header(name, value)
    }

    /// Do both prove the same by the same means? What one has learnt (its token, their clock) then holds for the other.
    pub fn is_same(&self, other: &Proof) -> bool {
        match (self, other) {
            (Proof::Header(name, value), Proof::Header(other, its)) => name == other && value == its,
            (Proof::Tokens(tokens), Proof::Tokens(other)) => tokens.is_same(other),
            (Proof::Oci(key), Proof::Oci(other)) => key.is_same(other),
            (Proof::Aws(key), Proof::Aws(other)) => key.is_same(other),
            _ => false,
        }
    }
}

impl Credential {
    /// Binds a proof to the authority of a target.
    pub fn new(proof: Proof, target: &Target) -> Credential {
        Credential { proof, bound: Bound::of(target) }
    }

    /// Writes the proof into a head that has all its other headers already: a signature may cover them.
    ///
    /// Must run inside a `LocalSet`. Waits only if a token is needed and none is there.
    ///
    /// # Errors
    /// If the head is for another authority, or there is no token to be had.
    pub async fn authorise(
        &self,
        client: &Client,
        target: &Target,
        head: &mut RequestHead,
        body: &[Bytes],
    ) -> Result<Used, AuthError> {
        let asked = Bound::of(target);
        if asked != self.bound || !head.is_for(target) {
            return Err(AuthError::Elsewhere { bound: self.bound.shown(), asked: asked.shown() });
        }
        let mut used = Used::default();
        match &self.proof {
            Proof::Header(name, secret) => head.header(name.as_str(), &secret.0).map(drop),
            Proof::Tokens(tokens) => {
                let (held, number) = tokens.held(client).await?;
                used.token = Some(number);
                match held {
                    Held::Bearer(bearer) => head.header("authorization", &bearer.0).map(drop),
                    Held::Aws(key) => key.sign(head, target.authority(), body, tokens.clock.now_s()),
                    Held::Oci(key) => key.sign(head, target.authority(), body, tokens.clock.now_s()),
                }
            }
            Proof::Oci(key) => key.sign(head, target.authority(), body, key.clock.now_s()),
            Proof::Aws(key) => key.sign(head, target.authority(), body, key.clock.now_s()),
        }
        .map_err(AuthError::Head)?;
        Ok(used)
    }

    /// The provider refused what was sent. True if the attempt is worth one more try, because a new token or another time
    /// may do better; nothing was billed for the refusal.
    pub fn renew(&self, used: Used, status: StatusCode, headers: &HeaderMap) -> bool {
        let (unauthorised, forbidden) = (StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN);
        let clock = match &self.proof {
            Proof::Tokens(tokens) if tokens.kind() != Kind::Bearer => {
                let ended = match tokens.kind() {
                    Kind::AwsRole => has_ended(headers),
                    // Another time may do as well as another key, and costs nothing.
                    _ => status == unauthorised && tokens.clock.news(headers).is_none(),
                };
                if used.token.is_some_and(|number| ended && tokens.renew(number)) {
                    return true;
                }
                &tokens.clock
            }
            Proof::Tokens(tokens) => {
                return status == unauthorised && used.token.is_some_and(|number| tokens.renew(number));
            }
            Proof::Header(..) => return false,
            Proof::Oci(key) => &key.clock,
            Proof::Aws(key) => &key.clock,
        };
        let learnt = (status == unauthorised || status == forbidden) && clock.learn(headers);
        if learnt {
            let (host, skew) = (&self.bound.host, Skew(clock.ahead_s()));
            eprintln!("firstright: `{host}` refused a signature: {skew}; requests are signed with theirs");
        }
        learnt
    }

    /// What it proves with.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// A text of the provider's without the secret, should it repeat it.
    pub fn redacted(&self, text: &str) -> String {
        let secrets = match &self.proof {
            Proof::Header(_, secret) => vec![secret.clone()],
            Proof::Tokens(tokens) => tokens.secrets(),
            Proof::Oci(_) => Vec::new(),
            Proof::Aws(key) => key.secrets(),
        };
        secrets.iter().fold(text.to_owned(), |text, secret| {
            let secret = secret.text();
            // Whole, or without what only says its kind.
            let bare = ["Bearer ", "ST$"].iter().find_map(|kind| secret.strip_prefix(kind)).unwrap_or(secret);
            if bare.is_empty() { text } else { text.replace(secret, "…").replace(bare, "…") }
        })
    }

    /// What is known of it.
    pub fn health(&self) -> Health {
        let plain = |kind, ahead_s: i64| {
            let clock_ahead_s = (ahead_s != 0).then_some(ahead_s);
            Health { kind, ends_in_s: None, failure: None, clock_ahead_s }
        };
        match &self.proof {
            Proof::Header(..) => plain("header", 0),
            Proof::Tokens(tokens) => tokens.health(),
            Proof::Oci(key) => plain("oci-signature", key.clock.ahead_s()),
            Proof::Aws(key) => plain("aws-signature", key.clock.ahead_s()),
        }
    }
}

/// Does AWS say with its refusal that the keys are not good any more? A right that is missing is another matter: new keys
/// would have it as little.
fn has_ended(headers: &HeaderMap) -> bool {
    let told = headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok()).unwrap_or_default();
    ["ExpiredToken", "UnrecognizedClient", "InvalidClientTokenId"].iter().any(|ended| told.starts_with(ended))
}

impl Bound {
    fn of(target: &Target) -> Bound {
        Bound { host: target.host().to_owned(), port: target.port(), tls: target.is_tls() }
    }

    fn shown(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests;
