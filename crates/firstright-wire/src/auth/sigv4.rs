//! What does AWS want signed? Signature Version 4.
//!
//! Source: "Create a signed AWS API request" of the IAM user guide, and the test suite published with it. The hashes and
//! the signature are computed by whoever holds the key: [`canonical`] is hashed into [`string_to_sign`], which is signed
//! with the last of the [`Scope::steps`].

/// What all requests are signed with in this version.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// When, where and for which service a signature holds.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// As [`super::date::amz`] writes it.
    pub time: &'a str,
    /// For example `us-east-1`.
    pub region: &'a str,
    /// `bedrock` for the runtime hosts, `bedrock-mantle` for those of `api.aws`.
    pub service: &'a str,
}

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Path and query as they go on the wire.
    pub target: &'a str,
    /// Names in lower case, sorted by name; each goes on the wire as it stands here.
    pub headers: &'a [(&'a str, &'a str)],
    /// The SHA-256 of the body, in hexadecimal.
    pub body_sha256: &'a str,
}

impl<'a> Scope<'a> {
    /// The day, which is the first part of the scope.
    fn day(&self) -> &'a str {
        self.time.get(..8).unwrap_or(self.time)
    }

    /// What the secret key, after `AWS4`, is keyed with, one HMAC behind the other: the last one's value signs.
    #[must_use]
    pub fn steps(&self) -> [&'a str; 4] {
        [self.day(), self.region, self.service, "aws4_request"]
    }

    fn text(&self) -> String {
        self.steps().join("/")
    }
}

/// The canonical request.
#[must_use]
pub fn canonical(request: &Request<'_>) -> String {
    let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
    let mut text = String::with_capacity(256);
    text.push_str(request.method);
    text.push('\n');
    // The path is encoded once more than on the wire, for every service but S3.
    encode(path.as_bytes(), b"/", &mut text);
    text.push('\n');
    text.push_str(&canonical_query(query));
    text.push('\n');
    for (name, value) in request.headers {
        text.push_str(name);
        text.push(':');
        let mut words = value.split_ascii_whitespace();
        text.push_str(words.next().unwrap_or_default());
        for word in words {
            text.push(' ');
            text.push_str(word);
        }
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&signed_headers(request.headers));
    text.push('\n');
    text.push_str(request.body_sha256);
    text
}

/// What is signed, from the SHA-256 of the canonical request in hexadecimal.
#[must_use]
pub fn string_to_sign(scope: &Scope<'_>, canonical_sha256: &str) -> String {
    format!("{ALGORITHM}\n{}\n{}\n{canonical_sha256}", scope.time, scope.text())
}

/// The `authorization` header, from the signature in hexadecimal.
#[must_use]
pub fn authorization(key_id: &str, scope: &Scope<'_>, headers: &[(&str, &str)], signature: &str) -> String {
    let (scope, headers) = (scope.text(), signed_headers(headers));
    format!("{ALGORITHM} Credential={key_id}/{scope}, SignedHeaders={headers}, Signature={signature}")
}

fn signed_headers(headers: &[(&str, &str)]) -> String {
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    names.join(";")
}

/// Parameters sorted by name and value, each encoded as strictly as can be.
fn canonical_query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let strict = |part: &str| {
                let mut text = String::new();
                encode(&decode(part), b"", &mut text);
                text
            };
            (strict(name), strict(value))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// Percent-encodes everything but RFC 3986's unreserved characters and those of `kept`.
pub(crate) fn encode(bytes: &[u8], kept: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || kept.contains(byte) {
            out.push(char::from(*byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// Undoes percent-encoding; a `%` that begins none stays as it is.
fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).filter(|two| two.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
