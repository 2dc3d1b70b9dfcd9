//! How does a machine get the keys of its role from AWS, and what does the answer say?
//!
//! Three ways, as AWS's own libraries know them: the instance metadata service in its second version (a session's token
//! first, so that no request that somebody is tricked into sending is answered), the credentials endpoint of containers
//! (ECS, EKS Pod Identity), and a web identity's token exchanged at STS (EKS, and any other issuer). [`Keys`] are secrets,
//! and an [`Ask`] may hold one: neither shows it.
//!
//! Source: "Use the Instance Metadata Service" of the EC2 user guide, "Container credential provider" of the SDKs' and
//! tools' reference guide, *AssumeRoleWithWebIdentity* of the STS API reference.

use serde_json::Value;

use super::date::parse_iso;
use super::token::{Ask, Refused, code, escape, get, post};

/// How long a session with the metadata service is asked for, in seconds: it serves two requests.
const SESSION_S: &str = "60";
/// The longest part of a key, in bytes: session tokens are some KiB, and a head of a request holds no more.
const MAX_PART_BYTES: usize = 16 << 10;
/// The longest lifetime that is believed, in seconds: a role's session is twelve hours at most.
const MAX_LIFETIME_S: u64 = 86_400;

/// Asks the metadata service for a session.
#[must_use]
pub fn session() -> Ask {
    Ask {
        method: "PUT",
        ..get("/latest/api/token".to_owned(), "x-aws-ec2-metadata-token-ttl-seconds", SESSION_S)
    }
}

/// Asks, within a session, for the name of the machine's role.
#[must_use]
pub fn role_name(session: &str) -> Ask {
    get(SECURITY.to_owned(), SESSION_HEADER, session)
}

/// Asks, within a session, for a role's keys.
#[must_use]
pub fn role_keys(role: &str, session: &str) -> Ask {
    get(format!("{SECURITY}{}", escape(role)), SESSION_HEADER, session)
}

const SECURITY: &str = "/latest/meta-data/iam/security-credentials/";
const SESSION_HEADER: &str = "x-aws-ec2-metadata-token";

/// Asks the endpoint of a container, with the text by which the platform knows it, where it gave one.
#[must_use]
pub fn container(path: &str, authorization: Option<&str>) -> Ask {
    let headers = authorization.map(|text| ("authorization", text.to_owned())).into_iter().collect();
    Ask { method: "GET", target: path.to_owned(), headers, body: String::new() }
}

/// Exchanges a web identity's token for a role's keys. The request isn't signed: the token is the proof.
#[must_use]
pub fn web_identity(path: &str, role_arn: &str, session_name: &str, token: &str) -> Ask {
    let path = if path.is_empty() { "/" } else { path };
    let fields = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", role_arn),
        ("RoleSessionName", session_name),
        ("WebIdentityToken", token),
    ];
    post(path, &fields)
}

/// A role's keys, and for how long they hold.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
    /// In seconds from when they were answered.
    pub lifetime_s: u64,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("lifetime_s", &self.lifetime_s).finish_non_exhaustive()
    }
}

/// Reads an answer that is one word: a session's token, or a role's name. Of several roles the first holds, as there is
/// never more than one.
///
/// # Errors
/// If it is a refusal, or no word that could stand in a header.
pub fn word(status: u16, body: &[u8]) -> Result<String, Refused> {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let first = text.lines().next().unwrap_or_default().trim();
    if status == 200 && is_part(first) { Ok(first.to_owned()) } else { Err(refused(status, None)) }
}

/// Reads keys as the metadata service and the endpoints of containers give them. `now_s` is the time in seconds since 1970,
/// by the clock that their end is told by.
///
/// # Errors
/// If it is a refusal, holds no keys, or keys that have ended.
pub fn keys(status: u16, body: &[u8], now_s: u64) -> Result<Keys, Refused> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    // The metadata service refuses with a success, and with a code of its own.
    let told = code(&body["Code"]).filter(|code| code != "Success").or_else(|| code(&body["code"]));
    if status != 200 || told.is_some() {
        return Err(refused(status, told));
    }
    let part = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    checked(
        status,
        [part("AccessKeyId"), part("SecretAccessKey"), part("Token")],
        parse_iso(&part("Expiration")),
        now_s,
    )
}

/// Reads keys as STS gives them, in XML. `now_s` as for [`keys`].
///
/// # Errors
/// As for [`keys`].
pub fn assumed(status: u16, body: &[u8], now_s: u64) -> Result<Keys, Refused> {
    let text = std::str::from_utf8(body).unwrap_or_default();
    if status != 200 {
        return Err(refused(status, code(&Value::from(element(text, "Code")))));
    }
    let given = element(text, "Credentials");
    let part = |name: &str| element(given, name).to_owned();
    checked(
        status,
        [part("AccessKeyId"), part("SecretAccessKey"), part("SessionToken")],
        parse_iso(element(given, "Expiration")),
        now_s,
    )
}

/// What the first element of this name holds; keys are of letters that XML leaves as they are.
fn element<'a>(text: &'a str, name: &str) -> &'a str {
    let inside =
        text.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    inside.map_or("", |(inside, _)| inside.trim())
}

fn checked(status: u16, parts: [String; 3], until_s: Option<u64>, now_s: u64) -> Result<Keys, Refused> {
    let [access_key_id, secret_access_key, session_token] = parts;
    // The id stands between signs of its own in the proof.
    let is_id = !access_key_id.is_empty() && access_key_id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let Some(until_s) = until_s.filter(|_| is_id && is_part(&secret_access_key) && is_part(&session_token))
    else {
        return Err(refused(status, None));
    };
    let lifetime_s = until_s.saturating_sub(now_s).min(MAX_LIFETIME_S);
    if lifetime_s == 0 {
        return Err(refused(status, Some("expired".to_owned())));
    }
    Ok(Keys { access_key_id, secret_access_key, session_token, lifetime_s })
}

fn is_part(text: &str) -> bool {
    (1..=MAX_PART_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn refused(status: u16, error: Option<String>) -> Refused {
    Refused { status, error, entra_code: None }
}

#[cfg(test)]
mod tests;
