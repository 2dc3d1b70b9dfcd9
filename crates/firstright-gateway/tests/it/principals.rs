//! Does a request to Oracle carry the signature of the machine's, or the resource's, principal?

use std::path::PathBuf;
use std::time::Duration;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use bytes::Bytes;
use firstright_gateway::credential::{
    AuthError, Credential, OciInstance, OciPrincipal, Proof, TokenUrl, Tokens, Used,
};
use firstright_gateway::upstream::{Client, PoolLimits, RequestHead, Target};
use firstright_wire::auth::base64;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::time::advance;

use crate::peers::{Provider, read_message, run, write};

const KEY: &str = include_str!("tls/rsa.key.pem");
/// Made for tests from that key: `openssl req -x509 -key rsa.key.pem -subj /CN=…/OU=opc-certtype:instance/OU=opc-tenant:…`.
const CERTIFICATE: &str = include_str!("tls/oci-instance.cert.pem");

/// Where nobody listens: what goes there is not sent.
fn oracle() -> Target {
    Target::plain("127.0.0.1", 9).unwrap()
}

fn client() -> Client {
    Client::new(PoolLimits::default())
}

fn url(provider: &Provider) -> TokenUrl {
    let target = Target::plain("127.0.0.1", provider.address.port()).unwrap();
    TokenUrl { url: format!("http://{}", target.authority()), target, path: String::new() }
}

/// A JWT that ends an hour after the answers' date.
fn token(name: &str) -> String {
    // 1 January 2026, 01:00.
    let claims = base64::for_urls(json!({ "sub": name, "exp": 1_767_229_200_u64 }).to_string().as_bytes());
    format!("e30.{claims}.canary-{name}")
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

async fn give(endpoint: &Provider, answers: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut asked = Vec::new();
    for answer in answers {
        let mut stream = endpoint.accept().await;
        asked.push(read_message(&mut stream).await);
        write(&mut stream, &answer).await;
    }
    asked
}

/// A request that was authorised: its proof, and the text that was signed.
struct Signed {
    proof: String,
    text: String,
    used: Used,
}

async fn authorise(credential: &Credential, client: &Client) -> Result<Signed, AuthError> {
    let target = oracle();
    let mut head = RequestHead::new("POST", &target, "/20231130/actions/chat").unwrap();
    let used = credential.authorise(client, &target, &mut head, &[Bytes::from_static(b"{}")]).await?;
    let value = |name: &str| head.value(name).unwrap_or_default().to_owned();
    let text = format!(
        "date: {}\n(request-target): post /20231130/actions/chat\nhost: 127.0.0.1:9\ncontent-length: 2\ncontent-type: {}\nx-content-sha256: {}",
        value("date"),
        value("content-type"),
        value("x-content-sha256")
    );
    Ok(Signed { proof: value("authorization"), text, used })
}

/// A part of the proof, such as `keyId`.
fn part<'a>(proof: &'a str, name: &str) -> &'a str {
    let (_, rest) = proof.split_once(&format!("{name}=\"")).unwrap();
    rest.split_once('"').unwrap().0
}

fn from_base64(text: &str) -> Vec<u8> {
    base64::from_urls(&text.replace('+', "-").replace('/', "_")).unwrap()
}

fn verifies(public_key: &[u8], text: &str, proof: &str) -> bool {
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key);
    key.verify(text.as_bytes(), &from_base64(part(proof, "signature"))).is_ok()
}

/// The lines between those that say what a PEM text is.
fn der(pem: &str) -> Vec<u8> {
    from_base64(&pem.lines().filter(|line| !line.starts_with('-')).collect::<String>())
}

#[test]
fn a_machine_shows_its_certificate_and_signs_with_a_key_of_its_own() {
    run(async {
        let (metadata, federation, client) = (Provider::start().await, Provider::start().await, client());
        let instance = OciInstance::new(url(&metadata), url(&federation));
        let tokens = Tokens::of_principal(OciPrincipal::Instance(instance));
        let credential = Credential::new(Proof::Tokens(tokens), &oracle());
        let identity = || [CERTIFICATE, KEY, CERTIFICATE].map(|pem| answer("200 OK", pem));
        let given = |name: &str| [answer("200 OK", &json!({ "token": token(name) }).to_string())];
        let (got, parts, asked) = tokio::join!(
            authorise(&credential, &client),
            give(&metadata, identity()),
            give(&federation, given("one"))
        );
        let signed = got.unwrap();
        for (asked, file) in parts.iter().zip(["cert", "key", "intermediate"]) {
            assert!(asked.starts_with(&format!("GET /opc/v2/identity/{file}.pem HTTP/1.1\r\n")), "{asked}");
            assert!(asked.contains("\r\nauthorization: Bearer Oracle\r\n"), "{asked}");
        }
        // What the federation service gets: signed by the certificate's key, and with the machine's own.
        let (head, body) = asked[0].split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /v1/x509 HTTP/1.1\r\n"), "{head}");
        let key_id = part(head, "keyId");
        assert_eq!(
            key_id,
            "ocid1.tenancy.oc1..aaaatest/fed-x509/89:9b:d5:43:ce:49:87:97:c8:d7:23:dd:2d:5a:6e:fa:47:d1:99:3b"
        );
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(from_base64(body["certificate"].as_str().unwrap()), der(CERTIFICATE));
        assert_eq!(from_base64(body["intermediateCertificates"][0].as_str().unwrap()), der(CERTIFICATE));
        assert_eq!(body["purpose"], "DEFAULT");
        let own = from_base64(body["publicKey"].as_str().unwrap());
        // What Oracle gets: signed by that key, which the token names.
        assert_eq!(part(&signed.proof, "keyId"), format!("ST${}", token("one")));
        assert!(verifies(&own, &signed.text, &signed.proof), "{}", signed.proof);
        let health = credential.health();
        assert_eq!((health.kind, health.ends_in_s), ("oci-principal", Some(3_569)));
        let shown = format!("{credential:?}");
        assert!(!shown.contains("canary") && !shown.contains("PRIVATE"), "{shown}");
        assert_eq!(credential.redacted(&format!("you sent ST${}", token("one"))), "you sent …");
        assert_eq!(
            credential.redacted(&format!("the token {} has ended", token("one"))),
            "the token … has ended"
        );
        // A token that is refused is renewed, with the same key of the machine's own.
        let refused = |used| credential.renew(used, StatusCode::UNAUTHORIZED, &HeaderMap::new());
        assert!(refused(signed.used));
        let (got, _, asked) = tokio::join!(
            authorise(&credential, &client),
            give(&metadata, identity()),
            give(&federation, given("two"))
        );
        let again = got.unwrap();
        assert_eq!(part(&again.proof, "keyId"), format!("ST${}", token("two")));
        assert!(verifies(&own, &again.text, &again.proof));
        let (_, body) = asked[0].split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(from_base64(body["publicKey"].as_str().unwrap()), own);
        assert!(!refused(again.used), "not again at once");
    });
}

#[test]
fn a_machine_without_an_identity_is_told() {
    run(async {
        let (metadata, federation, client) = (Provider::start().await, Provider::start().await, client());
        let missing = answer("404 Not Found", "canary");
        let other = include_str!("tls/rsa.cert.pem");
        for (answers, wanted) in [
            (vec![missing], "get a token from `127.0.0.1`: status 404"),
            ([other, KEY, other].map(|pem| answer("200 OK", pem)).to_vec(), "does not say its tenancy"),
            (["canary", KEY, CERTIFICATE].map(|pem| answer("200 OK", pem)).to_vec(), "no certificate in PEM"),
            (
                [CERTIFICATE, "canary", CERTIFICATE].map(|pem| answer("200 OK", pem)).to_vec(),
                "no private key in PEM",
            ),
        ] {
            let instance = OciInstance::new(url(&metadata), url(&federation));
            let tokens = Tokens::of_principal(OciPrincipal::Instance(instance));
            let credential = Credential::new(Proof::Tokens(tokens), &oracle());
            let (got, _) = tokio::join!(authorise(&credential, &client), give(&metadata, answers));
            let told = got.map(|signed| signed.proof).unwrap_err().to_string();
            assert!(told.contains(wanted) && !told.contains("canary"), "{told}");
        }
        assert!(tokio::time::timeout(Duration::from_millis(1), federation.accept()).await.is_err());
    });
}

/// Files that the platform writes anew.
struct Files(PathBuf);

impl Files {
    fn new() -> Files {
        let folder = std::env::temp_dir().join(format!("firstright-principal-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Files(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_resource_signs_with_what_its_files_say_at_the_time() {
    run(async {
        let (files, client) = (Files::new(), client());
        let claims =
            |end: u64| format!("e30.{}.canary", base64::for_urls(format!(r#"{{"exp":{end}}}"#).as_bytes()));
        // By this machine's own clock, since nobody is asked: the end of the century, and its beginning.
        let (good, ended) = (claims(4_102_444_800), claims(946_684_800));
        let (path, key) = (files.write("rpst", &format!("{good}\n")), files.write("private.pem", KEY));
        let principal =
            || Tokens::of_principal(OciPrincipal::Resource { token: path.clone(), key: key.clone() });
        let credential = Credential::new(Proof::Tokens(principal()), &oracle());
        let signed = authorise(&credential, &client).await.map(|signed| signed.proof).unwrap();
        assert_eq!(part(&signed, "keyId"), format!("ST${good}"));
        // Read anew a day later, which is the longest that a token is believed.
        files.write("rpst", &ended);
        advance(Duration::from_secs(86_400)).await;
        let told = |told: Result<Signed, AuthError>| told.map(|signed| signed.proof).unwrap_err().to_string();
        let ended = told(authorise(&credential, &client).await);
        assert!(ended.contains("rpst` has ended") && !ended.contains("canary"), "{ended}");
        for (name, text, wanted) in
            [("rpst", "canary", "rpst` holds no token"), ("private.pem", "canary", "no private key in PEM")]
        {
            files.write(name, text);
            let credential = Credential::new(Proof::Tokens(principal()), &oracle());
            let problem = told(authorise(&credential, &client).await);
            assert!(problem.contains(wanted) && !problem.contains("canary"), "{problem}");
        }
    });
}
