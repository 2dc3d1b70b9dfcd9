//! What does an assertion say that is exchanged for a token? JSON Web Tokens (RFC 7519), signed with RS256.

use serde_json::json;

use super::base64::for_urls;

/// How long an assertion holds, in seconds: it is used at once. Google takes an hour at most.
pub const LIFETIME_S: u64 = 600;

/// What a Google service account says (RFC 7523, as Google's "Using OAuth 2.0 for server to server applications" has it).
/// Times are seconds since 1970.
#[must_use]
pub fn google(email: &str, key_id: &str, scope: &str, audience: &str, now_s: u64) -> String {
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": key_id });
    let exp = now_s.saturating_add(LIFETIME_S);
    let claims = json!({ "iss": email, "scope": scope, "aud": audience, "iat": now_s, "exp": exp });
    signing_input(&header, &claims)
}

/// What an Entra application with a certificate says ("Microsoft identity platform application authentication certificate
/// credentials"): `thumbprint` is the SHA-256 of the certificate in DER, `id` is new each time.
#[must_use]
pub fn entra(client_id: &str, thumbprint: &[u8], audience: &str, id: &str, now_s: u64) -> String {
    let header = json!({ "alg": "RS256", "typ": "JWT", "x5t#S256": for_urls(thumbprint) });
    let exp = now_s.saturating_add(LIFETIME_S);
    let claims = json!({
        "aud": audience, "iss": client_id, "sub": client_id, "jti": id, "nbf": now_s, "iat": now_s, "exp": exp,
    });
    signing_input(&header, &claims)
}

/// The whole token, from what was signed and the signature.
#[must_use]
pub fn assemble(signing_input: &str, signature: &[u8]) -> String {
    format!("{signing_input}.{}", for_urls(signature))
}

fn signing_input(header: &serde_json::Value, claims: &serde_json::Value) -> String {
    format!("{}.{}", for_urls(header.to_string().as_bytes()), for_urls(claims.to_string().as_bytes()))
}

#[cfg(test)]
mod tests;
