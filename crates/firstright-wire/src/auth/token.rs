//! How is a token asked for, and what does the answer say?
//!
//! OAuth 2.0 (RFC 6749 section 4.4, RFC 7523) as Entra and Google speak it, and the metadata services of the machines
//! that run in their clouds. An [`Ask`] may hold a secret, a [`Token`] is one: neither shows it.

use serde_json::Value;

/// The longest answer of a token endpoint that is read, in bytes: a token is a few KiB.
pub const MAX_ANSWER_BYTES: usize = 64 << 10;
/// The longest token, in bytes: a head of a request holds no more beside its other lines.
const MAX_TOKEN_BYTES: usize = 16 << 10;
/// What is assumed of a token whose answer does not say how long it holds, in seconds.
const ASSUMED_LIFETIME_S: u64 = 300;
/// The longest lifetime that is believed, in seconds. Managed identities have tokens for a day.
const MAX_LIFETIME_S: u64 = 86_400;

/// A request for a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Ask {
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ask").field("method", &self.method).finish_non_exhaustive()
    }
}

/// How an Entra application proves who it is.
#[derive(Clone, Copy)]
pub enum Proof<'a> {
    /// Its secret.
    Secret(&'a str),
    /// A signed assertion: by its certificate, or by whom it federates with.
    Assertion(&'a str),
}

/// Entra's client credentials: `POST {path}` with a form. The path is `/{tenant}/oauth2/v2.0/token`.
#[must_use]
pub fn entra(path: &str, client_id: &str, scope: &str, proof: Proof<'_>) -> Ask {
    let mut fields = vec![("grant_type", "client_credentials"), ("client_id", client_id), ("scope", scope)];
    match proof {
        Proof::Secret(secret) => fields.push(("client_secret", secret)),
        Proof::Assertion(assertion) => fields.extend([
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion),
        ]),
    }
    post(path, &fields)
}

/// A Google service account's assertion.
#[must_use]
pub fn google(path: &str, assertion: &str) -> Ask {
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    post(path, &[("grant_type", grant), ("assertion", assertion)])
}

/// The metadata server of a Google machine, for one of its service accounts (`default` for the first).
#[must_use]
pub fn google_metadata(account: &str) -> Ask {
    let target = format!("/computeMetadata/v1/instance/service-accounts/{}/token", escape(account));
    get(target, "metadata-flavor", "Google")
}

/// The metadata service of an Azure machine. Without a client id the machine has one identity only.
#[must_use]
pub fn azure_metadata(resource: &str, client_id: Option<&str>) -> Ask {
    let target = format!(
        "/metadata/identity/oauth2/token?api-version=2018-02-01&resource={}{}",
        escape(resource),
        with_client(client_id)
    );
    get(target, "metadata", "true")
}

/// The identity endpoint that App Service and Container Apps put in a process's environment, with the secret that they
/// put beside it.
#[must_use]
pub fn azure_app_service(path: &str, secret: &str, resource: &str, client_id: Option<&str>) -> Ask {
    let target =
        format!("{path}?api-version=2019-08-01&resource={}{}", escape(resource), with_client(client_id));
    get(target, "x-identity-header", secret)
}

fn with_client(client_id: Option<&str>) -> String {
    client_id.map(|id| format!("&client_id={}", escape(id))).unwrap_or_default()
}

pub(super) fn get(target: String, name: &'static str, value: &str) -> Ask {
    Ask { method: "GET", target, headers: vec![(name, value.to_owned())], body: String::new() }
}

pub(super) fn post(path: &str, fields: &[(&str, &str)]) -> Ask {
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    let headers = vec![
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("accept", "application/json".to_owned()),
    ];
    Ask { method: "POST", target: path.to_owned(), headers, body: pairs.join("&") }
}

/// Percent-encodes everything but RFC 3986's unreserved characters: right in forms, queries and path segments alike.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A token, and for how long it holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub access_token: String,
    /// In seconds from when it was answered.
    pub lifetime_s: u64,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("lifetime_s", &self.lifetime_s).finish_non_exhaustive()
    }
}

/// Why there is no token. What the endpoint wrote in prose is not repeated: it might hold what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The answer's status.
    pub status: u16,
    /// OAuth's code, such as `invalid_client`.
    pub error: Option<String>,
    /// Entra's own, such as `AADSTS7000215`.
    pub entra_code: Option<String>,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "status {}", self.status)?;
        for code in [&self.error, &self.entra_code].into_iter().flatten() {
            write!(f, ", `{code}`")?;
        }
        Ok(())
    }
}

/// Reads an answer. `now_s` is the time in seconds since 1970, for services that say when a token ends by the clock.
///
/// # Errors
/// If it is a refusal, or holds no token that could stand in a header.
pub fn answer(status: u16, body: &[u8], now_s: u64) -> Result<Token, Refused> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let refused = || Refused { status, error: code(&body["error"]), entra_code: entra_code(&body) };
    if !(200..300).contains(&status) {
        return Err(refused());
    }
    let token = body["access_token"].as_str().filter(|token| {
        (1..=MAX_TOKEN_BYTES).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())
    });
    let access_token = token.ok_or_else(refused)?.to_owned();
    let until = || number(&body["expires_on"]).map(|end| end.saturating_sub(now_s));
    let lifetime_s = number(&body["expires_in"]).or_else(until).unwrap_or(ASSUMED_LIFETIME_S);
    Ok(Token { access_token, lifetime_s: lifetime_s.min(MAX_LIFETIME_S) })
}

/// A number, or one in quotes as Azure's metadata services write it.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// A code is letters, digits and a few signs; anything else could be a text that repeats what was sent.
pub(super) fn code(value: &Value) -> Option<String> {
    let text = value.as_str().or_else(|| value["code"].as_str())?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    (plain && (1..=48).contains(&text.len())).then(|| text.to_owned())
}

fn entra_code(body: &Value) -> Option<String> {
    let text = body["error_description"].as_str()?;
    let digits = text.strip_prefix("AADSTS")?;
    let digits: String = digits.chars().take_while(char::is_ascii_digit).take(9).collect();
    (!digits.is_empty()).then(|| format!("AADSTS{digits}"))
}

#[cfg(test)]
mod tests;
