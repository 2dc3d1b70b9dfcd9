//! Who may speak with the admin API? Whoever shows the token.

use std::fmt;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Bytes of a token that is made here.
const TOKEN_BYTES: usize = 32;
/// The shortest token that is taken from a configuration: shorter ones can be guessed.
const MIN_TOKEN: usize = 16;

/// A secret: it is never printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token from the configuration; `None` if it is too short, or has characters that RFC 6750 does not give to
    /// bearer tokens.
    pub fn new(token: &str) -> Option<Token> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        let fit = token.len() >= MIN_TOKEN && token.bytes().all(plain);
        fit.then(|| Token(token.to_string()))
    }

    /// A new one.
    ///
    /// # Errors
    /// If the machine has no randomness to give.
    pub fn random() -> std::io::Result<Token> {
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Token(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// The secret itself, for the one file and the one header that it goes into.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Tells the token from others. Holds its digest only.
#[derive(Clone)]
pub struct Access {
    digest: [u8; 32],
}

impl Access {
    /// For this token.
    pub fn new(token: &Token) -> Access {
        Access { digest: Sha256::digest(token.0.as_bytes()).into() }
    }

    /// Do the headers show the token? Digests are compared, in constant time, so that neither length nor first letters
    /// can be learnt from how long it takes.
    pub fn allows(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
        let shown = shown.strip_prefix(b"Bearer ").unwrap_or_default();
        let digest: [u8; 32] = Sha256::digest(shown).into();
        digest.ct_eq(&self.digest).into()
    }
}

#[cfg(test)]
mod tests;
