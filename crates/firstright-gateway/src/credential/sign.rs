//! How is a request or an assertion signed?

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use aws_lc_rs::{hmac, signature};
use bytes::Bytes;
use firstright_wire::auth::{base64, date, oci, sigv4};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::Secret;
use super::clock::Clock;
use crate::upstream::{BadHead, RequestHead};

/// A private RSA key. Its `Debug` hides it.
#[derive(Clone)]
pub struct SigningKey(Arc<KeyPair>);

/// Why a key or certificate cannot be used. What was read is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadKey {
    /// There is no private key in PEM.
    NoKey,
    /// It is encrypted.
    Encrypted,
    /// It is not an RSA key of 2,048 to 8,192 bits.
    NotRsa,
    /// There is no certificate in PEM.
    NoCertificate,
    /// It did not sign.
    Signing,
}

impl std::fmt::Display for BadKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoKey => "there is no private key in PEM",
            Self::Encrypted => {
                "the private key is encrypted: `openssl pkey -in KEY -out PLAIN` writes it plain"
            }
            Self::NotRsa => "the private key is not an RSA key of 2,048 to 8,192 bits",
            Self::NoCertificate => "there is no certificate in PEM",
            Self::Signing => "the private key does not sign",
        })
    }
}

impl std::error::Error for BadKey {}

impl SigningKey {
    /// Reads a key in PEM, as PKCS #8 or PKCS #1.
    ///
    /// # Errors
    /// If it is none, or no RSA key of a good size.
    pub fn from_pem(pem: &str) -> Result<SigningKey, BadKey> {
        if pem.contains("ENCRYPTED") {
            return Err(BadKey::Encrypted);
        }
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| BadKey::NoKey)?;
        let pair = match &key {
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(BadKey::NotRsa),
        };
        Ok(SigningKey(Arc::new(pair.map_err(|_| BadKey::NotRsa)?)))
    }

    /// Makes a new key of 2,048 bits, which takes a tenth of a second.
    ///
    /// # Errors
    /// If there is no randomness.
    pub(super) fn generate() -> Result<SigningKey, BadKey> {
        KeyPair::generate(KeySize::Rsa2048)
            .map(|pair| SigningKey(Arc::new(pair)))
            .map_err(|_| BadKey::Signing)
    }

    /// The public key, as certificates have it (RFC 5280 section 4.1.2.7).
    pub(super) fn public_der(&self) -> Result<Vec<u8>, BadKey> {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().map_err(|_| BadKey::Signing)?;
        Ok(der.as_ref().to_vec())
    }

    /// RSA (PKCS #1 v1.5) over SHA-256.
    pub(super) fn sign(&self, text: &[u8]) -> Result<Vec<u8>, BadKey> {
        let mut signed = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signed)
            .map_err(|_| BadKey::Signing)?;
        Ok(signed)
    }
}

impl PartialEq for SigningKey {
    /// Two keys with the same public part are one.
    fn eq(&self, other: &SigningKey) -> bool {
        self.0.public_key().as_ref() == other.0.public_key().as_ref()
    }
}

impl Eq for SigningKey {}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// The SHA-256 of the first certificate in a PEM text.
///
/// # Errors
/// If there is none.
pub fn thumbprint(pem: &str) -> Result<[u8; 32], BadKey> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| BadKey::NoCertificate)?;
    let mut thumbprint = [0; 32];
    thumbprint.copy_from_slice(digest::digest(&SHA256, &certificate).as_ref());
    Ok(thumbprint)
}

/// A user's API signing key at Oracle.
#[derive(Debug)]
pub struct OciKey {
    key_id: String,
    /// The key's name if that is a token, which is nobody else's to know.
    session: Option<Secret>,
    key: SigningKey,
    pub(super) clock: Clock,
}

impl OciKey {
    /// The id is `{tenancy}/{user}/{fingerprint}`.
    pub fn new(key_id: String, key: SigningKey) -> OciKey {
        OciKey { key_id, session: None, key, clock: Clock::default() }
    }

    /// A key that is called by a token.
    pub(super) fn of_session(name: &str, key: SigningKey) -> OciKey {
        OciKey { session: Some(Secret::new(name)), ..OciKey::new(String::new(), key) }
    }

    /// What is not to be shown.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        self.session.iter().cloned().collect()
    }

    pub(super) fn is_same(&self, other: &OciKey) -> bool {
        (&self.key_id, &self.session) == (&other.key_id, &other.session) && self.key == other.key
    }

    /// Signs a head at a second since 1970.
    pub(super) fn sign(
        &self,
        head: &mut RequestHead,
        host: &str,
        body: &[Bytes],
        now_s: u64,
    ) -> Result<(), BadHead> {
        let (date, sha256) = (date::http(now_s), base64::standard(&hash(body)));
        head.header("date", date.as_bytes())?;
        let (method, target) = (head.method().to_owned(), head.target().to_owned());
        let with_body = oci::signs_body(&method);
        if with_body {
            head.header("x-content-sha256", sha256.as_bytes())?;
            if head.value("content-type").is_none() {
                head.header("content-type", b"application/json")?;
            }
        }
        let content_type = head.value("content-type").unwrap_or_default();
        let length = body.iter().map(Bytes::len).sum();
        let signed_body = oci::Body { length, content_type, sha256: &sha256 };
        let text = oci::signing_string(&oci::Request {
            method: &method,
            target: &target,
            host,
            date: &date,
            body: with_body.then_some(signed_body),
        });
        // A key that could be read signs; if it ever did not, there is no value to write.
        let signed = self.key.sign(text.as_bytes());
        let signed = signed.map_err(|_| BadHead::Value("authorization".to_owned()))?;
        let key_id = self.session.as_ref().map_or(self.key_id.as_str(), Secret::text);
        let value = oci::authorization(key_id, with_body, &base64::standard(&signed));
        head.header("authorization", value.as_bytes()).map(drop)
    }
}

/// An access key of AWS's, for one region and service.
#[derive(Debug)]
pub struct AwsKey {
    access_key_id: String,
    secret: Secret,
    session_token: Option<Secret>,
    region: String,
    service: String,
    pub(super) clock: Clock,
    /// The key that signs for a day, which takes four HMACs to derive.
    day: Mutex<Option<(String, hmac::Key)>>,
}

impl AwsKey {
    /// The service is `bedrock` for the runtime hosts, and `bedrock-mantle` for those of `api.aws`.
    pub fn new(
        access_key_id: &str,
        secret: Secret,
        session_token: Option<Secret>,
        region: &str,
        service: &str,
    ) -> AwsKey {
        AwsKey {
            access_key_id: access_key_id.to_owned(),
            secret,
            session_token,
            region: region.to_owned(),
            service: service.to_owned(),
            clock: Clock::default(),
            day: Mutex::new(None),
        }
    }

    pub(super) fn is_same(&self, other: &AwsKey) -> bool {
        self.access_key_id == other.access_key_id
            && (&self.secret, &self.session_token) == (&other.secret, &other.session_token)
            && (&self.region, &self.service) == (&other.region, &other.service)
    }

    /// Signs a head at a second since 1970.
    pub(super) fn sign(
        &self,
        head: &mut RequestHead,
        host: &str,
        body: &[Bytes],
        now_s: u64,
    ) -> Result<(), BadHead> {
        let (time, body_sha256) = (date::amz(now_s), hex(&hash(body)));
        let content_type = head.value("content-type").map(str::to_owned);
        let mut headers: Vec<(&str, &str)> = Vec::with_capacity(4);
        headers.extend(content_type.as_deref().map(|value| ("content-type", value)));
        headers.extend([("host", host), ("x-amz-date", &time)]);
        headers.extend(self.session_token.as_ref().map(|token| ("x-amz-security-token", token.text())));
        let request = sigv4::Request {
            method: head.method(),
            target: head.target(),
            headers: &headers,
            body_sha256: &body_sha256,
        };
        let scope = sigv4::Scope { time: &time, region: &self.region, service: &self.service };
        let canonical = digest::digest(&SHA256, sigv4::canonical(&request).as_bytes());
        let text = sigv4::string_to_sign(&scope, &hex(canonical.as_ref()));
        let signature = hmac::sign(&self.key_for(&scope), text.as_bytes());
        let value = sigv4::authorization(&self.access_key_id, &scope, &headers, &hex(signature.as_ref()));
        head.header("x-amz-date", time.as_bytes())?;
        if let Some(token) = &self.session_token {
            head.header("x-amz-security-token", &token.0)?;
        }
        head.header("authorization", value.as_bytes()).map(drop)
    }

    /// Its id, which is no secret.
    pub(super) fn id(&self) -> &str {
        &self.access_key_id
    }

    /// What is not to be shown.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        std::iter::once(&self.secret).chain(&self.session_token).cloned().collect()
    }

    fn key_for(&self, scope: &sigv4::Scope<'_>) -> hmac::Key {
        let mut kept = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        let [day, ..] = scope.steps();
        if let Some((of, key)) = &*kept
            && of == day
        {
            return key.clone();
        }
        let first = [b"AWS4", &*self.secret.0].concat();
        let first = hmac::Key::new(hmac::HMAC_SHA256, &first);
        let key = scope.steps().iter().fold(first, |key, step| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, step.as_bytes()).as_ref())
        });
        *kept = Some((day.to_owned(), key.clone()));
        key
    }
}

fn hash(body: &[Bytes]) -> Vec<u8> {
    let mut context = digest::Context::new(&SHA256);
    for piece in body {
        context.update(piece);
    }
    context.finish().as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
