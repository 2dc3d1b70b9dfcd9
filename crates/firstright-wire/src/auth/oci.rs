//! What does Oracle Cloud want signed? Version 1 of its request signatures.
//!
//! Source: "Request Signatures" of the OCI documentation, and its test values. The key signs with RSA (PKCS #1 v1.5) over
//! SHA-256; the parameters of the header stand in the order in which Oracle's own clients write them.

pub mod principal;

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// In upper case, as on the wire.
    pub method: &'a str,
    /// Path and query as they go on the wire.
    pub target: &'a str,
    /// As the Host header says it.
    pub host: &'a str,
    /// As [`super::date::http`] writes it. More than five minutes off, and the request is refused with a 401.
    pub date: &'a str,
    /// For the methods that have one, also if it is empty.
    pub body: Option<Body<'a>>,
}

/// What is signed of a body.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    /// In bytes.
    pub length: usize,
    pub content_type: &'a str,
    /// Its SHA-256 in Base64, which goes out as `x-content-sha256`.
    pub sha256: &'a str,
}

/// The headers that are signed of a request without a body, in order.
const WITHOUT_BODY: &str = "date (request-target) host";
/// The same of one with a body.
const WITH_BODY: &str = "date (request-target) host content-length content-type x-content-sha256";

/// Whether Oracle wants the body of a request with this method signed.
#[must_use]
pub fn signs_body(method: &str) -> bool {
    matches!(method, "POST" | "PUT" | "PATCH")
}

/// The text to sign.
#[must_use]
pub fn signing_string(request: &Request<'_>) -> String {
    let Request { target, host, date, .. } = request;
    let method = request.method.to_ascii_lowercase();
    let mut text = format!("date: {date}\n(request-target): {method} {target}\nhost: {host}");
    if let Some(Body { length, content_type, sha256 }) = request.body {
        text.push_str(&format!(
            "\ncontent-length: {length}\ncontent-type: {content_type}\nx-content-sha256: {sha256}"
        ));
    }
    text
}

/// The name of a user's key: `{tenancy}/{user}/{fingerprint}`.
#[must_use]
pub fn key_id(tenancy: &str, user: &str, fingerprint: &str) -> String {
    format!("{tenancy}/{user}/{fingerprint}")
}

/// The `authorization` header, from the signature in Base64.
#[must_use]
pub fn authorization(key_id: &str, with_body: bool, signature: &str) -> String {
    let headers = if with_body { WITH_BODY } else { WITHOUT_BODY };
    format!(
        "Signature version=\"1\",headers=\"{headers}\",keyId=\"{key_id}\",algorithm=\"rsa-sha256\",signature=\"{signature}\""
    )
}

#[cfg(test)]
mod tests;
