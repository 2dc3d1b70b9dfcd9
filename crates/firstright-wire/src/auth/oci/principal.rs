//! How do a machine and a resource of Oracle's cloud prove who they are?
//!
//! A machine has a certificate from its metadata service. It shows that to the federation service, with a public key of its
//! own, in a request that the certificate's key signs, and gets a token; requests are then signed with the own key, whose
//! name is the token. A resource (a function, a container) finds token and key in files that the platform writes anew.
//!
//! Source: "Calling Services from an Instance" of the OCI documentation, and Oracle's client libraries, which the
//! documentation leaves the request to.

use serde::Serialize;
use serde_json::Value;

use crate::auth::base64;
use crate::auth::token::{Ask, Refused, code, get};

/// The path of the federation service.
pub const FEDERATION_PATH: &str = "/v1/x509";
/// The longest lifetime that is believed, in seconds; tokens hold for less than an hour.
const MAX_LIFETIME_S: u64 = 86_400;
/// The longest token, in bytes: a head of a request holds no more beside its other lines.
const MAX_TOKEN_BYTES: usize = 16 << 10;
/// What stands before the tenancy in a certificate's subject.
const TENANCY: [&[u8]; 2] = [b"opc-tenant:", b"opc-identity:"];

/// One of the parts of a machine's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Certificate,
    Key,
    Intermediate,
}

/// Asks the metadata service, in its second version.
#[must_use]
pub fn metadata(part: Part) -> Ask {
    let file = match part {
        Part::Certificate => "cert",
        Part::Key => "key",
        Part::Intermediate => "intermediate",
    };
    get(format!("/opc/v2/identity/{file}.pem"), "authorization", "Bearer Oracle")
}

/// Asks the federation service for a token: certificates and the public key in DER. The request has to be signed by the
/// certificate's key, which is called [`federated_key_id`].
#[must_use]
pub fn federation(path: &str, certificate: &[u8], intermediates: &[Vec<u8>], public_key: &[u8]) -> Ask {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        certificate: String,
        public_key: String,
        intermediate_certificates: Vec<String>,
        purpose: &'static str,
    }
    let body = Body {
        certificate: base64::standard(certificate),
        public_key: base64::standard(public_key),
        intermediate_certificates: intermediates.iter().map(|one| base64::standard(one)).collect(),
        purpose: "DEFAULT",
    };
    let headers = vec![("content-type", "application/json".to_owned())];
    // INVARIANT: strings can't fail to be written.
    let body = serde_json::to_string(&body).unwrap_or_default();
    Ask { method: "POST", target: format!("{path}{FEDERATION_PATH}"), headers, body }
}

/// The name of a certificate's key, by the SHA-1 of the certificate.
#[must_use]
pub fn federated_key_id(tenancy: &str, sha1: &[u8]) -> String {
    let digits: Vec<String> = sha1.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{tenancy}/fed-x509/{}", digits.join(":"))
}

/// The tenancy that a machine's certificate is of, by its DER.
///
/// It stands in a value of the subject that is told by its own beginning. The value's length is the byte before it: a
/// string of DER has its tag, its length and its bytes, and this one is shorter than 128.
#[must_use]
pub fn tenancy(certificate: &[u8]) -> Option<String> {
    TENANCY.iter().find_map(|prefix| {
        let at = certificate.windows(prefix.len()).position(|window| window == *prefix)?;
        let length = usize::from(*certificate.get(at.checked_sub(1)?)?);
        let value = certificate.get(at..at.checked_add(length)?)?.strip_prefix(*prefix)?;
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        let good = length < 0x80 && value.starts_with(b"ocid1.tenancy.") && value.iter().all(plain);
        good.then(|| String::from_utf8_lossy(value).into_owned())
    })
}

/// A token that names a key, and for how long it holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// What the key is called: `ST$` and the token.
    pub key_id: String,
    /// In seconds from now on.
    pub lifetime_s: u64,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("lifetime_s", &self.lifetime_s).finish_non_exhaustive()
    }
}

/// Reads the federation service's answer. `now_s` is the time in seconds since 1970, by the clock that tokens end by.
///
/// # Errors
/// If it is a refusal, or holds no token that holds.
pub fn answer(status: u16, body: &[u8], now_s: u64) -> Result<Session, Refused> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let refused = |error| Refused { status, error, entra_code: None };
    if status != 200 {
        return Err(refused(code(&body["code"])));
    }
    let token = body["token"].as_str().unwrap_or_default();
    match session(token, now_s) {
        Some(session) if session.lifetime_s > 0 => Ok(session),
        Some(_) => Err(refused(Some("expired".to_owned()))),
        None => Err(refused(None)),
    }
}

/// Reads a token, which is a JWT. Its signature is for Oracle to check; here only its end is looked at. `None` if it is
/// none, or does not say its end.
#[must_use]
pub fn session(token: &str, now_s: u64) -> Option<Session> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !(1..=MAX_TOKEN_BYTES).contains(&token.len()) || !token.bytes().all(plain) {
        return None;
    }
    let claims = base64::from_urls(token.split('.').nth(1)?)?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let end = claims["exp"].as_u64()?;
    let lifetime_s = end.saturating_sub(now_s).min(MAX_LIFETIME_S);
    Some(Session { key_id: format!("ST${token}"), lifetime_s })
}

#[cfg(test)]
mod tests;
