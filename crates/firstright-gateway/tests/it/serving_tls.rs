//! Who gets past a listener's TLS, with which certificate, and for how long may a handshake last?

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use firstright_gateway::listen::{Limits, Tls, TlsFiles};
use firstright_gateway::relay::{Passing, Reply, Verdict};
use hyper::Response;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::peers::{Gateway, read_to_end, run, settle, write};

type Answer = Response<Reply<fn(Passing<'_>) -> Verdict>>;
type Client = TlsStream<tokio::net::TcpStream>;

/// An authority that tests alone trust.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, in PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// For `name`, valid until the end of `year`.
    fn vouch(&self, name: &str, year: i32) -> Pair {
        let mut params = CertificateParams::new(vec![name.to_string()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 12, 31);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }
}

/// A folder with a listener's files, removed at the test's end.
struct Folder(PathBuf);

impl Folder {
    fn new(pair: &Pair) -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("firstright-tls-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let folder = Folder(path);
        folder.put(pair);
        folder
    }

    fn put(&self, pair: &Pair) {
        std::fs::write(self.0.join("certificate.pem"), &pair.certificate).unwrap();
        std::fs::write(self.0.join("key.pem"), &pair.key).unwrap();
    }

    fn files(&self, client_ca: Option<&Authority>) -> TlsFiles {
        let client_ca = client_ca.map(|authority| {
            let path = self.0.join("clients.pem");
            std::fs::write(&path, authority.0.pem()).unwrap();
            path
        });
        TlsFiles { certificate: self.0.join("certificate.pem"), key: self.0.join("key.pem"), client_ca }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn serving(tls: &Arc<Tls>, limits: Limits) -> Gateway {
    Gateway::with_tls(Some(tls.clone()), limits, |_| async { Answer::new(Reply::whole("done")) })
}

/// A client that trusts `authority` and shows `own`, if any.
async fn connect(gateway: &Gateway, authority: &Authority, own: Option<&Pair>) -> std::io::Result<Client> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(authority.roots());
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let chain = vec![CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, gateway.connect().await).await
}

/// What is answered to a request; empty if the connection is ended instead. In TLS 1.3 a server looks at the client's
/// certificate after the client is done, so a refusal is seen only here.
async fn ask(client: std::io::Result<Client>) -> String {
    let Ok(mut client) = client else { return String::new() };
    let asked = client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let mut answer = Vec::new();
    match asked {
        Ok(()) => {
            let _ = client.read_to_end(&mut answer).await;
        }
        Err(_) => answer.clear(),
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_client_is_answered_over_tls_and_over_nothing_else() {
    run(async {
        let authority = Authority::new();
        let folder = Folder::new(&authority.vouch("localhost", 2100));
        let tls = Arc::new(Tls::new(folder.files(None).read().unwrap()));
        let gateway = serving(&tls, Limits::default());
        let answer = ask(connect(&gateway, &authority, None).await).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("done"), "{answer}");
        assert_eq!(tls.failed(), 0);

        let mut plain = gateway.connect().await;
        write(&mut plain, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let answer = read_to_end(&mut plain).await;
        assert!(!answer.contains("HTTP"), "{answer}");
        assert_eq!(tls.failed(), 1);

        let mut old = gateway.connect().await;
        old.write_all(&hello_of_tls_1_1()).await.unwrap();
        let mut alert = Vec::new();
        let _ = old.read_to_end(&mut alert).await;
        // RFC 8446 section 6: an alert (record type 21) that is fatal (2), a `handshake_failure` (40).
        assert_eq!((alert.first(), alert.get(5..)), (Some(&21), Some(&[2, 40][..])), "{alert:?}");
        assert_eq!(tls.failed(), 2);
    });
}

/// A ClientHello that offers TLS 1.1 at most (RFC 4346 section 7.4.1.2), with one cipher suite of its time.
fn hello_of_tls_1_1() -> Vec<u8> {
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    // No session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    hello.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    let mut record = vec![22, 3, 1, 0, u8::try_from(hello.len() + 4).unwrap()];
    record.extend([1, 0, 0, u8::try_from(hello.len()).unwrap()]);
    record.extend(hello);
    record
}

#[test]
fn a_client_shows_a_certificate_of_the_right_authority_or_is_not_spoken_with() {
    run(async {
        let (servers, clients, others) = (Authority::new(), Authority::new(), Authority::new());
        let folder = Folder::new(&servers.vouch("localhost", 2100));
        let tls = Arc::new(Tls::new(folder.files(Some(&clients)).read().unwrap()));
        let gateway = serving(&tls, Limits::default());
        let good = clients.vouch("caller", 2100);
        assert!(ask(connect(&gateway, &servers, Some(&good)).await).await.ends_with("done"));
        assert_eq!(tls.failed(), 0);
        let refused = [
            ("none", None),
            ("another authority's", Some(others.vouch("caller", 2100))),
            ("the server's authority's", Some(servers.vouch("caller", 2100))),
            ("an expired one", Some(clients.vouch("caller", 2020))),
        ];
        for (count, (what, own)) in (1..).zip(&refused) {
            let answer = ask(connect(&gateway, &servers, own.as_ref()).await).await;
            assert_eq!(answer, "", "{what}");
            assert_eq!(tls.failed(), count, "{what}");
        }
        assert_eq!(gateway.permits.open(), 0);
    });
}

#[test]
fn a_client_refuses_a_certificate_that_has_expired_or_that_nobody_it_trusts_vouches_for() {
    run(async {
        let (authority, others) = (Authority::new(), Authority::new());
        for (pair, trusted) in
            [(authority.vouch("localhost", 2020), &authority), (authority.vouch("localhost", 2100), &others)]
        {
            let folder = Folder::new(&pair);
            let tls = Arc::new(Tls::new(folder.files(None).read().unwrap()));
            let gateway = serving(&tls, Limits::default());
            assert!(connect(&gateway, trusted, None).await.is_err());
            settle().await;
            assert_eq!(tls.failed(), 1);
        }
    });
}

#[test]
fn a_handshake_that_does_not_end_costs_the_connection_and_its_place() {
    run(async {
        let authority = Authority::new();
        let folder = Folder::new(&authority.vouch("localhost", 2100));
        let tls = Arc::new(Tls::new(folder.files(None).read().unwrap()));
        let gateway = serving(&tls, Limits { connections: 1, ..Limits::default() });
        let start = Instant::now();
        let mut silent = gateway.connect().await;
        settle().await;
        // The cap counts those that have not shaken hands.
        assert!(connect(&gateway, &authority, None).await.is_err());
        read_to_end(&mut silent).await;
        assert!((10..=12).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        settle().await;
        assert_eq!((gateway.permits.open(), tls.failed()), (0, 1));
        // Nor does one hold up a drain.
        let _silent = gateway.connect().await;
        settle().await;
        gateway.ask_to_drain();
        let start = Instant::now();
        assert_eq!(gateway.drained().await.cut, 0);
        assert!(start.elapsed() <= Duration::from_secs(4), "{:?}", start.elapsed());
    });
}

#[test]
fn new_files_serve_the_connections_that_come_after_them_and_bad_ones_change_nothing() {
    run(async {
        let (before, after) = (Authority::new(), Authority::new());
        let folder = Folder::new(&before.vouch("localhost", 2100));
        let tls = Arc::new(Tls::new(folder.files(None).read().unwrap()));
        let gateway = serving(&tls, Limits::default());
        let kept = connect(&gateway, &before, None).await;

        folder.put(&Pair { certificate: "no certificate".to_string(), key: String::new() });
        let error = folder.files(None).read().unwrap_err().to_string();
        assert!(
            error.contains("failed to read the certificate in `") && error.contains("there is none"),
            "{error}"
        );
        let mixed = Pair { key: after.vouch("localhost", 2100).key, ..before.vouch("localhost", 2100) };
        folder.put(&mixed);
        let error = folder.files(None).read().unwrap_err().to_string();
        assert!(error.contains("with its key"), "{error}");
        assert!(ask(connect(&gateway, &before, None).await).await.ends_with("done"));

        folder.put(&after.vouch("localhost", 2100));
        tls.adopt(folder.files(None).read().unwrap());
        assert!(ask(connect(&gateway, &after, None).await).await.ends_with("done"));
        assert!(connect(&gateway, &before, None).await.is_err());
        // One that was open keeps what it agreed on.
        sleep(Duration::from_secs(1)).await;
        assert!(ask(kept).await.ends_with("done"));
    });
}

#[test]
fn what_is_wrong_with_a_file_is_said_without_what_stands_in_it() {
    let authority = Authority::new();
    let pair = authority.vouch("localhost", 2100);
    let folder = Folder::new(&pair);
    let wrong = |what: &str, files: TlsFiles| {
        let error = files.read().unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
        assert!(!error.contains("BEGIN") && !pair.key.lines().any(|line| error.contains(line)), "{error}");
    };
    let files = folder.files(None);
    let missing = Path::new("/nowhere/at-all.pem").to_path_buf();
    wrong("`/nowhere/at-all.pem`", TlsFiles { certificate: missing.clone(), ..files.clone() });
    wrong("`/nowhere/at-all.pem`", TlsFiles { key: missing.clone(), ..files.clone() });
    wrong("`/nowhere/at-all.pem`", TlsFiles { client_ca: Some(missing), ..files.clone() });
    let key = files.certificate.clone();
    wrong("failed to read the private key in `", TlsFiles { key, ..files.clone() });
    let certificate = files.key.clone();
    wrong("failed to read the certificate in `", TlsFiles { certificate, ..files });
}
