//! Whose certificate is believed, and do bodies come whole over TLS?
//!
//! `tls/localhost.*.der` is a self-signed certificate for `localhost` and its key, made for this test alone:
//! `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -addext
//! subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE`.

use std::sync::Arc;

use firstright_gateway::upstream::{Budgets, Client, PoolLimits, RequestHead, SendErrorKind, Target, Trust};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::peers::{Provider, run};

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from(&include_bytes!("tls/localhost.cert.der")[..])
}

fn acceptor() -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(&include_bytes!("tls/localhost.key.der")[..]));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![certificate()], key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn trust() -> Trust {
    let mut store = RootCertStore::empty();
    store.add(certificate()).unwrap();
    Trust::roots(store)
}

/// Answers every request with a body of 300,000 bytes in chunks, over one connection after the other.
async fn serve(provider: Provider) {
    let acceptor = acceptor();
    loop {
        let stream = provider.accept().await;
        let Ok(mut stream) = acceptor.accept(stream).await else { continue };
        tokio::task::spawn_local(async move {
            let mut request = [0; 1000];
            while stream.read(&mut request).await.is_ok_and(|count| count > 0) {
                let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
                for index in 0..300_u32 {
                    answer.extend_from_slice(b"3e8\r\n");
                    answer.extend_from_slice(&[index as u8; 1000]);
                    answer.extend_from_slice(b"\r\n");
                }
                answer.extend_from_slice(b"0\r\n\r\n");
                stream.write_all(&answer).await.unwrap();
                stream.flush().await.unwrap();
            }
        });
    }
}

#[test]
fn a_trusted_provider_is_talked_to_and_its_connection_kept() {
    run(async {
        let provider = Provider::start().await;
        let target = Target::tls("localhost", provider.address.port(), trust()).unwrap();
        tokio::task::spawn_local(serve(provider));
        let client = Client::new(PoolLimits::default());
        for reused in [false, true] {
            let head = RequestHead::new("GET", &target, "/").unwrap();
            let mut answer = client.send(&target, head, vec![], &Budgets::default()).await.unwrap();
            assert_eq!(answer.reused, reused);
            let body = answer.body.read_whole(1 << 20).await.unwrap();
            assert_eq!(body.len(), 300_000);
            assert!(
                (0..300).all(|index| body[index * 1000..][..1000].iter().all(|byte| *byte == index as u8))
            );
            assert_eq!(client.idle(), 1);
        }
    });
}

#[test]
fn a_provider_without_a_good_certificate_gets_nothing() {
    run(async {
        let provider = Provider::start().await;
        let port = provider.address.port();
        tokio::task::spawn_local(serve(provider));
        let targets = [
            // Another name than the certificate's, no authority at all, and one that only this test knows.
            Target::tls("127.0.0.1", port, trust()).unwrap(),
            Target::tls("localhost", port, Trust::roots(RootCertStore::empty())).unwrap(),
            Target::tls("localhost", port, Trust::Platform).unwrap(),
        ];
        for target in targets {
            let head = RequestHead::new("GET", &target, "/").unwrap();
            let error = Client::new(PoolLimits::default())
                .send(&target, head, vec![], &Budgets::default())
                .await
                .unwrap_err();
            assert_eq!((error.kind, error.sent), (SendErrorKind::Tls, false), "{target:?}");
        }
    });
}
