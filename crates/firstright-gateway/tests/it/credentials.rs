//! Does each request carry the proof that its provider wants, and does a secret go nowhere else?

use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use firstright_gateway::credential::{
    AuthError, AwsKey, Credential, Grant, OciKey, Proof, Secret, SigningKey, Subject, TokenUrl, Tokens, Used,
};
use firstright_gateway::upstream::{Budgets, Client, PoolLimits, RequestHead, SendErrorKind, Target};
use http::{HeaderMap, StatusCode};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{advance, sleep};

use crate::peers::{Provider, read_message, run, settle, write};

const CANARY: &str = "canary-client-secret";
const KEY: &str = include_str!("tls/rsa.key.pem");

/// Where nobody listens: what goes there is not sent.
fn provider() -> Target {
    Target::plain("127.0.0.1", 9).unwrap()
}

fn plain(provider: &Provider) -> Target {
    Target::plain("127.0.0.1", provider.address.port()).unwrap()
}

fn url(target: &Target) -> TokenUrl {
    let path = "/tenant/oauth2/v2.0/token".to_owned();
    TokenUrl { target: target.clone(), url: format!("http://{}{path}", target.authority()), path }
}

/// An application with a secret, whose tokens come from here.
fn entra(target: &Target) -> Arc<Tokens> {
    let subject = Subject::Secret(Secret::new(CANARY));
    let (client_id, scope) = ("app".to_owned(), "https://s/.default".to_owned());
    Tokens::new(Grant::Entra { client_id, scope, subject }, url(target))
}

fn answer(status: &str, extra: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{extra}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn token(name: &str, lifetime_s: u64) -> String {
    let body = format!(r#"{{"token_type":"Bearer","expires_in":{lifetime_s},"access_token":"{name}"}}"#);
    answer("200 OK", "", &body)
}

/// The `authorization` of a request to the provider, and what it was authorised with.
async fn authorise(credential: &Credential, client: &Client) -> Result<(String, Used), AuthError> {
    let target = provider();
    let mut head = RequestHead::new("POST", &target, "/v1/x").unwrap();
    let used = credential.authorise(client, &target, &mut head, &[Bytes::from_static(b"{}")]).await?;
    Ok((head.value("authorization").unwrap().to_owned(), used))
}

/// The provider answers 401: is it worth another try?
fn refused(credential: &Credential, used: Used) -> bool {
    credential.renew(used, StatusCode::UNAUTHORIZED, &HeaderMap::new())
}

fn client() -> Client {
    Client::new(PoolLimits::default())
}

/// A token endpoint, a credential that asks it, and who sends.
async fn with_entra() -> (Provider, Credential, Client) {
    let endpoint = Provider::start().await;
    let credential = Credential::new(Proof::Tokens(entra(&plain(&endpoint))), &provider());
    (endpoint, credential, client())
}

/// Answers one request for a token, and says what was asked.
async fn give(endpoint: &Provider, answer: String) -> String {
    let mut stream = endpoint.accept().await;
    let asked = read_message(&mut stream).await;
    write(&mut stream, &answer).await;
    asked
}

#[test]
fn the_request_for_a_token_and_what_comes_of_it() {
    run(async {
        let (endpoint, credential, client) = with_entra().await;
        let (got, asked) = tokio::join!(authorise(&credential, &client), give(&endpoint, token("t1", 3_600)));
        assert_eq!(got.unwrap().0, "Bearer t1");
        let port = endpoint.address.port();
        let body = format!(
            "grant_type=client_credentials&client_id=app&scope=https%3A%2F%2Fs%2F.default&client_secret={CANARY}"
        );
        assert_eq!(
            asked,
            format!(
                "POST /tenant/oauth2/v2.0/token HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\
                 content-type: application/x-www-form-urlencoded\r\naccept: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        );
        // From now on nobody waits: nothing is asked, and nobody would answer.
        assert_eq!(authorise(&credential, &client).await.unwrap().0, "Bearer t1");
        assert_eq!(credential.health().ends_in_s, Some(3_569));
    });
}

#[test]
fn a_token_is_renewed_ahead_of_its_end_while_calls_go_on() {
    run(async {
        let (endpoint, credential, client) = with_entra().await;
        let (got, _) = tokio::join!(authorise(&credential, &client), give(&endpoint, token("t1", 1_000)));
        got.unwrap();
        // Not before 70 % of its life.
        advance(Duration::from_secs(699)).await;
        assert_eq!(authorise(&credential, &client).await.unwrap().0, "Bearer t1");
        assert!(tokio::time::timeout(Duration::from_millis(1), endpoint.accept()).await.is_err());
        // After 85 % at the latest; who starts it does not wait for it.
        advance(Duration::from_secs(152)).await;
        assert_eq!(authorise(&credential, &client).await.unwrap().0, "Bearer t1");
        assert_eq!(authorise(&credential, &client).await.unwrap().0, "Bearer t1");
        give(&endpoint, token("t2", 1_000)).await;
        assert_eq!(authorise(&credential, &client).await.unwrap().0, "Bearer t2");
    });
}

#[test]
fn an_endpoint_that_is_away_costs_nothing_while_the_old_token_holds() {
    run(async {
        let (endpoint, credential, client) = with_entra().await;
        let (got, _) = tokio::join!(authorise(&credential, &client), give(&endpoint, token("t1", 1_000)));
        got.unwrap();
        let asked = Rc::new(std::cell::Cell::new(0));
        let count = Rc::clone(&asked);
        let refusing = spawn_local(async move {
            loop {
                give(&endpoint, answer("503 Busy", "", "")).await;
                count.set(count.get() + 1);
            }
        });
        // A call each second up to the token's end: all of them are served.
        for second in 1..=969 {
            sleep(Duration::from_secs(1)).await;
            let got = authorise(&credential, &client).await;
            assert_eq!(got.map(|got| got.0), Ok("Bearer t1".to_owned()), "after {second} s");
        }
        // The pause between two fetches grew to a minute.
        assert!((5..=12).contains(&asked.get()), "{}", asked.get());
        assert!(credential.health().failure.is_some());
        // Then calls fail, at once and with the reason.
        sleep(Duration::from_secs(2)).await;
        let failed = authorise(&credential, &client).await.unwrap_err();
        assert_eq!(failed.to_string(), "get a token from `127.0.0.1`: status 503");
        refusing.abort();
    });
}

#[test]
fn after_a_failure_the_endpoint_is_left_alone_for_a_moment() {
    run(async {
        let (endpoint, credential, client) = with_entra().await;
        let said = r#"{"error":"invalid_client","error_description":"AADSTS7000215: you sent canary-client-secret"}"#;
        let (got, _) =
            tokio::join!(authorise(&credential, &client), give(&endpoint, answer("401 No", "", said)));
        let failed = got.unwrap_err();
        let wanted = "get a token from `127.0.0.1`: status 401, `invalid_client`, `AADSTS7000215`";
        assert_eq!(failed.to_string(), wanted);
        // A thousand calls in the same second ask nobody.
        for _ in 0..1_000 {
            assert_eq!(authorise(&credential, &client).await.unwrap_err(), failed);
        }
        assert!(tokio::time::timeout(Duration::from_millis(1), endpoint.accept()).await.is_err());
        advance(Duration::from_secs(2)).await;
        let (got, _) = tokio::join!(authorise(&credential, &client), give(&endpoint, token("t1", 900)));
        assert_eq!(got.unwrap().0, "Bearer t1");
        assert_eq!(credential.health().failure, None);
    });
}

#[test]
fn a_slow_endpoint_is_waited_for_in_bounds_and_by_whoever_is_left() {
    run(async {
        let (endpoint, credential, client) = with_entra().await;
        // Who asked first goes away; the fetch goes on, and another call gets what comes of it.
        let (first, second) = (credential.clone(), client.clone());
        let gone = spawn_local(async move { authorise(&first, &second).await.map(drop) });
        let mut stream = endpoint.accept().await;
        read_message(&mut stream).await;
        gone.abort();
        let (got, ()) = tokio::join!(authorise(&credential, &client), async {
            sleep(Duration::from_secs(10)).await;
            write(&mut stream, &token("t1", 900)).await;
        });
        assert_eq!(got.unwrap().0, "Bearer t1");
        // One that never answers ends in a failure that says so.
        let credential = Credential::new(Proof::Tokens(entra(&plain(&endpoint))), &provider());
        let (got, _held) = tokio::join!(authorise(&credential, &client), endpoint.accept());
        let failed = got.unwrap_err();
        assert_eq!(
            failed,
            AuthError::Unreachable { host: "127.0.0.1".to_owned(), at: SendErrorKind::HeadTimeout }
        );
    });
}

#[test]
fn a_refused_token_is_renewed_once_and_not_again_at_once() {
    run(async {
        let (endpoint, credential, client) = with_entra().await;
        let (got, _) = tokio::join!(authorise(&credential, &client), give(&endpoint, token("t1", 900)));
        let (_, used) = got.unwrap();
        // Sixty-four calls are refused together: one fetch for all of them.
        assert!((0..64).all(|_| refused(&credential, used)));
        let (got, _) = tokio::join!(authorise(&credential, &client), give(&endpoint, token("t2", 900)));
        let (bearer, newer) = got.unwrap();
        assert_eq!(bearer, "Bearer t2");
        // One that comes late is told to take the new one.
        assert!(refused(&credential, used) && !refused(&credential, newer));
        assert_eq!(authorise(&credential, &client).await.unwrap().0, "Bearer t2");
        advance(Duration::from_secs(11)).await;
        assert!(refused(&credential, newer));
        // A key has nothing to renew.
        let key = Credential::new(Proof::key("api-key".parse().unwrap(), &Secret::new("k")), &provider());
        assert!(!refused(&key, used));
    });
}

#[test]
fn a_skewed_clock_is_told_with_the_refusal() {
    run(async {
        let endpoint = Provider::start().await;
        let credential = Credential::new(Proof::Tokens(entra(&plain(&endpoint))), &provider());
        let late =
            answer("400 Bad", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", r#"{"error":"invalid_request"}"#);
        let client = client();
        let (got, _) = tokio::join!(authorise(&credential, &client), give(&endpoint, late));
        let said = got.unwrap_err().to_string();
        assert!(
            said.contains("`invalid_request`; this machine's clock is ") && said.contains(" ahead of"),
            "{said}"
        );
    });
}

#[test]
fn nobody_is_followed_elsewhere() {
    run(async {
        let (endpoint, elsewhere) = (Provider::start().await, Provider::start().await);
        let credential = Credential::new(Proof::Tokens(entra(&plain(&endpoint))), &provider());
        let location = format!("Location: http://{}/token\r\n", elsewhere.address);
        let client = client();
        for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
            let redirect = answer(status, &location, r#"{"access_token":"t"}"#);
            let (got, _) = tokio::join!(authorise(&credential, &client), give(&endpoint, redirect));
            assert!(matches!(got, Err(AuthError::Refused { .. })), "{got:?}");
            advance(Duration::from_secs(61)).await;
        }
        assert!(tokio::time::timeout(Duration::from_millis(1), elsewhere.accept()).await.is_err());
    });
}

/// Every kind of secret, for one provider only.
fn every_kind(endpoint: &Target) -> Vec<Proof> {
    let key = SigningKey::from_pem(KEY).unwrap();
    let aws =
        AwsKey::new("AKIDEXAMPLE", Secret::new(CANARY), Some(Secret::new(CANARY)), "us-east-1", "bedrock");
    vec![
        Proof::key(http::header::AUTHORIZATION, &Secret::new(CANARY)),
        Proof::key("x-api-key".parse().unwrap(), &Secret::new(CANARY)),
        Proof::Tokens(entra(endpoint)),
        Proof::Oci(Arc::new(OciKey::new("t/u/f".to_owned(), key))),
        Proof::Aws(Arc::new(aws)),
    ]
}

#[test]
fn a_secret_goes_to_its_own_authority_and_is_shown_nowhere() {
    run(async {
        let (own, other) = (Provider::start().await, Provider::start().await);
        let target = plain(&own);
        let client = client();
        for proof in every_kind(&plain(&other)) {
            let credential = Credential::new(proof, &target);
            assert!(
                !format!("{credential:?}").contains(CANARY) && !format!("{credential:?}").contains("PRIVATE")
            );
            // Another port, another name for the same host, and TLS where there was none.
            let elsewhere = [
                plain(&other),
                Target::plain("localhost", own.address.port()).unwrap(),
                Target::tls("127.0.0.1", own.address.port(), firstright_gateway::upstream::Trust::Platform)
                    .unwrap(),
            ];
            for elsewhere in elsewhere {
                let mut head = RequestHead::new("POST", &elsewhere, "/").unwrap();
                let refused = credential.authorise(&client, &elsewhere, &mut head, &[]).await.unwrap_err();
                assert!(matches!(refused, AuthError::Elsewhere { .. }), "{refused}");
                assert_eq!(head.value("authorization").or(head.value("x-api-key")), None);
                // Nor if the head is for one and the call says the other.
                let refused = credential.authorise(&client, &target, &mut head, &[]).await.unwrap_err();
                assert!(matches!(refused, AuthError::Elsewhere { .. }), "{refused}");
            }
        }
        // A head that has a secret is sent to its own target, whoever asks.
        let mut head = RequestHead::new("POST", &target, "/").unwrap();
        let key = Credential::new(Proof::key(http::header::AUTHORIZATION, &Secret::new(CANARY)), &target);
        key.authorise(&client, &target, &mut head, &[]).await.unwrap();
        let refused = client.send(&plain(&other), head, vec![], &Budgets::default()).await.unwrap_err();
        assert_eq!((refused.kind, refused.sent), (SendErrorKind::Elsewhere, false));
        settle().await;
        for nobody in [own, other] {
            assert!(tokio::time::timeout(Duration::from_millis(1), nobody.accept()).await.is_err());
        }
    });
}

/// Four threads with sixteen calls each, and a token endpoint that answers when all of them wait.
#[test]
fn one_fetch_for_the_calls_of_all_threads() {
    const THREADS: usize = 4;
    const CALLS: usize = 16;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = Target::plain("127.0.0.1", listener.local_addr().unwrap().port()).unwrap();
    let fetches = Arc::new(AtomicUsize::new(0));
    let (waiting, all_wait) = mpsc::channel::<()>();
    let count = Arc::clone(&fetches);
    // It ends with the process: nothing tells it that no more will come.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 4096];
            let _ = stream.read(&mut bytes).unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            for _ in 0..THREADS * CALLS {
                all_wait.recv().unwrap();
            }
            stream.write_all(token("t1", 3_600).as_bytes()).unwrap();
        }
    });
    let credential = Credential::new(Proof::Tokens(entra(&target)), &provider());
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (credential, waiting) = (credential.clone(), waiting.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                LocalSet::new().block_on(&runtime, async {
                    let client = client();
                    let calls: Vec<_> = (0..CALLS)
                        .map(|_| {
                            let (credential, client) = (credential.clone(), client.clone());
                            let waiting = waiting.clone();
                            spawn_local(async move {
                                let call = authorise(&credential, &client);
                                let (got, ()) =
                                    tokio::join!(biased; call, async { waiting.send(()).unwrap() });
                                got.unwrap().0
                            })
                        })
                        .collect();
                    for call in calls {
                        assert_eq!(call.await.unwrap(), "Bearer t1");
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
}

/// A thread that stops while it fetches leaves nobody waiting.
#[test]
fn a_fetch_that_goes_down_with_its_thread_is_taken_up_by_another() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = Target::plain("127.0.0.1", listener.local_addr().unwrap().port()).unwrap();
    let credential = Credential::new(Proof::Tokens(entra(&target)), &provider());
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let client = client();
        let call = authorise(&credential, &client);
        let stopped = tokio::time::timeout(Duration::from_millis(50), call).await;
        assert!(stopped.is_err(), "nobody answers");
    });
    drop(runtime);
    run(async {
        let failed = authorise(&credential, &client()).await.unwrap_err();
        assert_eq!(failed, AuthError::Abandoned);
    });
}
