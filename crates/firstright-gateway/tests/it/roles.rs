//! Does a request to AWS carry the signature of the role that this machine, container or pod has, and are the role's keys
//! renewed before they end?

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use firstright_gateway::credential::{
    AuthError, Authorization, AwsRole, AwsSource, Credential, Proof, Secret, TokenUrl, Tokens, Used,
};
use firstright_gateway::upstream::{Client, PoolLimits, RequestHead, Target};
use http::{HeaderMap, StatusCode};
use tokio::time::advance;

use crate::peers::{Provider, read_message, run, write};

/// Where nobody listens: what goes there is not sent.
fn bedrock() -> Target {
    Target::plain("127.0.0.1", 9).unwrap()
}

fn client() -> Client {
    Client::new(PoolLimits::default())
}

/// The role of who is told so by `endpoint`.
fn role(endpoint: &Provider, path: &str, source: AwsSource) -> Credential {
    let target = Target::plain("127.0.0.1", endpoint.address.port()).unwrap();
    let url = TokenUrl { url: format!("http://{}{path}", target.authority()), target, path: path.to_owned() };
    let role = AwsRole { source, region: "eu-west-1".to_owned(), service: "bedrock".to_owned() };
    Credential::new(Proof::Tokens(Tokens::of_role(role, url)), &bedrock())
}

/// The proof, the session's token and what it was authorised with.
async fn authorise(credential: &Credential, client: &Client) -> Result<(String, String, Used), AuthError> {
    let target = bedrock();
    let mut head = RequestHead::new("POST", &target, "/model/m/converse").unwrap();
    let used = credential.authorise(client, &target, &mut head, &[Bytes::from_static(b"{}")]).await?;
    let value = |name: &str| head.value(name).unwrap_or_default().to_owned();
    Ok((value("authorization"), value("x-amz-security-token"), used))
}

/// Seconds that keys hold from now on, as an answer says it.
fn keys(id: &str, token: &str) -> String {
    // The endpoint's clock is told with the answer, so its day does not matter.
    format!(
        r#"{{"Code":"Success","AccessKeyId":"{id}","SecretAccessKey":"canary-secret","Token":"{token}","Expiration":"2026-01-01T01:00:00Z"}}"#
    )
}

fn answer(status: &str, extra: &str, body: &str) -> String {
    let date = "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n";
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{date}{extra}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Answers one request after the other, and says what was asked.
async fn give(endpoint: &Provider, answers: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut asked = Vec::new();
    for answer in answers {
        let mut stream = endpoint.accept().await;
        asked.push(read_message(&mut stream).await);
        write(&mut stream, &answer).await;
    }
    asked
}

fn ok(body: &str) -> String {
    answer("200 OK", "", body)
}

#[test]
fn a_machine_is_asked_within_a_session() {
    run(async {
        let (endpoint, client) = (Provider::start().await, client());
        let credential = role(&endpoint, "", AwsSource::Machine { role: None });
        let answers = [ok("s3ss10n"), ok("gateway-role"), ok(&keys("ASIAONE", "canary-token-1"))];
        let (got, asked) = tokio::join!(authorise(&credential, &client), give(&endpoint, answers));
        let (proof, token, _) = got.unwrap();
        assert!(proof.starts_with("AWS4-HMAC-SHA256 Credential=ASIAONE/"), "{proof}");
        assert!(proof.contains("/eu-west-1/bedrock/aws4_request, SignedHeaders="), "{proof}");
        assert!(proof.contains("x-amz-security-token"), "{proof}");
        assert_eq!(token, "canary-token-1");
        let port = endpoint.address.port();
        let security = "/latest/meta-data/iam/security-credentials/";
        assert_eq!(
            asked,
            [
                format!(
                    "PUT /latest/api/token HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\
                     x-aws-ec2-metadata-token-ttl-seconds: 60\r\ncontent-length: 0\r\n\r\n"
                ),
                format!(
                    "GET {security} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nx-aws-ec2-metadata-token: s3ss10n\r\n\r\n"
                ),
                format!(
                    "GET {security}gateway-role HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nx-aws-ec2-metadata-token: s3ss10n\r\n\r\n"
                ),
            ]
        );
        // From now on nobody is asked, nothing is shown, and what the provider repeats is hidden.
        assert_eq!(authorise(&credential, &client).await.unwrap().1, "canary-token-1");
        let health = credential.health();
        assert_eq!((health.kind, health.ends_in_s), ("aws-role", Some(3_569)));
        assert!(!format!("{credential:?}").contains("canary"));
        assert_eq!(credential.redacted("sent canary-secret, canary-token-1"), "sent …, …");
        let Proof::Tokens(tokens) = credential.proof() else { panic!("another proof") };
        assert_eq!(tokens.key_id().as_deref(), Some("ASIAONE"));
    });
}

#[test]
fn keys_are_renewed_ahead_of_their_end_while_calls_go_on() {
    run(async {
        let (endpoint, client) = (Provider::start().await, client());
        let named = AwsSource::Machine { role: Some("gateway-role".to_owned()) };
        let credential = role(&endpoint, "", named);
        let first = [ok("s1"), ok(&keys("ASIAONE", "t1"))];
        let (got, asked) = tokio::join!(authorise(&credential, &client), give(&endpoint, first));
        got.unwrap();
        assert_eq!(asked.len(), 2, "a role that is named is not asked for");
        advance(Duration::from_secs(3_600 * 69 / 100)).await;
        assert_eq!(authorise(&credential, &client).await.unwrap().1, "t1");
        assert!(tokio::time::timeout(Duration::from_millis(1), endpoint.accept()).await.is_err());
        advance(Duration::from_secs(3_600 * 17 / 100)).await;
        assert_eq!(authorise(&credential, &client).await.unwrap().1, "t1");
        give(&endpoint, [ok("s2"), ok(&keys("ASIATWO", "t2"))]).await;
        let (proof, token, _) = authorise(&credential, &client).await.unwrap();
        assert!(proof.contains("Credential=ASIATWO/") && token == "t2", "{proof}");
    });
}

/// A file that the platform writes anew.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> File {
        let file = File(std::env::temp_dir().join(format!("firstright-role-{}-{name}", std::process::id())));
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.0, text).unwrap();
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_container_is_known_by_what_its_file_says_at_the_time() {
    run(async {
        let (endpoint, client) = (Provider::start().await, client());
        let file = File::new("container", "canary-pod-1\n");
        let container = |authorization| AwsSource::Container { authorization };
        let credential = role(&endpoint, "/v1/credentials", container(Authorization::File(file.0.clone())));
        let given = || [ok(&keys("ASIAONE", "t1"))];
        let (got, asked) = tokio::join!(authorise(&credential, &client), give(&endpoint, given()));
        got.unwrap();
        assert!(asked[0].starts_with("GET /v1/credentials HTTP/1.1\r\n"), "{}", asked[0]);
        assert!(asked[0].contains("\r\nauthorization: canary-pod-1\r\n"), "{}", asked[0]);
        file.write("canary-pod-2\n");
        advance(Duration::from_secs(3_600)).await;
        let (got, asked) = tokio::join!(authorise(&credential, &client), give(&endpoint, given()));
        got.unwrap();
        assert!(asked[0].contains("\r\nauthorization: canary-pod-2\r\n"), "{}", asked[0]);
        for (authorization, wanted) in
            [(Authorization::None, false), (Authorization::Text(Secret::new("text")), true)]
        {
            let credential = role(&endpoint, "/v2/x", container(authorization));
            let (got, asked) = tokio::join!(authorise(&credential, &client), give(&endpoint, given()));
            got.unwrap();
            assert_eq!(asked[0].contains("\r\nauthorization: text\r\n"), wanted, "{}", asked[0]);
        }
    });
}

#[test]
fn a_web_identity_is_exchanged_at_sts() {
    run(async {
        let (endpoint, client) = (Provider::start().await, client());
        let file = File::new("web", "a.b.c\n");
        let source = AwsSource::WebIdentity {
            role: "arn:aws:iam::1:role/r".to_owned(),
            session: "firstright".to_owned(),
            token: file.0.clone(),
        };
        let credential = role(&endpoint, "", source);
        let refusal = "<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>canary</Message></Error></ErrorResponse>";
        let (got, _) =
            tokio::join!(authorise(&credential, &client), give(&endpoint, [answer("400 Bad", "", refusal)]));
        // The clocks differ by years here, which is told too.
        let told = got.unwrap_err().to_string();
        assert!(
            told.starts_with("get a token from `127.0.0.1`: status 400, `ExpiredTokenException`"),
            "{told}"
        );
        assert!(!told.contains("canary"), "{told}");
        advance(Duration::from_secs(2)).await;
        let given = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAWEB</AccessKeyId>\
            <SecretAccessKey>canary-secret</SecretAccessKey><SessionToken>t1</SessionToken><Expiration>2026-01-01T01:00:00Z</Expiration>\
            </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
        let (got, asked) = tokio::join!(authorise(&credential, &client), give(&endpoint, [ok(given)]));
        let (proof, token, _) = got.unwrap();
        assert!(proof.contains("Credential=ASIAWEB/") && token == "t1", "{proof}");
        assert!(asked[0].starts_with("POST / HTTP/1.1\r\n"), "{}", asked[0]);
        assert!(asked[0].ends_with("&RoleSessionName=firstright&WebIdentityToken=a.b.c"), "{}", asked[0]);
        // The file is gone: no request is made without its token.
        drop(file);
        advance(Duration::from_secs(3_600)).await;
        let told = authorise(&credential, &client).await.unwrap_err().to_string();
        assert!(told.contains("failed to read `"), "{told}");
    });
}

#[test]
fn what_gives_no_keys_is_told_without_what_it_said() {
    run(async {
        let (endpoint, client) = (Provider::start().await, client());
        let (none, denied) =
            (answer("404 Not Found", "", "<html>canary</html>"), answer("403 Forbidden", "", "canary"));
        let ended = keys("ASIAONE", "t").replace("T01:00", "T00:00");
        let unable = r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"canary"}"#;
        for (answers, wanted) in [
            (vec![denied], "status 403"),
            (vec![ok("s"), none], "status 404"),
            (vec![ok("s"), ok("r"), ok(unable)], "status 200, `AssumeRoleUnauthorizedAccess`"),
            (vec![ok("s"), ok("r"), ok(&ended)], "status 200, `expired`"),
            (vec![ok("s"), ok("r"), ok("{}")], "status 200"),
        ] {
            let credential = role(&endpoint, "", AwsSource::Machine { role: None });
            let (got, _) = tokio::join!(authorise(&credential, &client), give(&endpoint, answers));
            let told = got.unwrap_err().to_string();
            assert!(told.starts_with(&format!("get a token from `127.0.0.1`: {wanted}")), "{told}");
            assert!(!told.contains("canary"), "{told}");
        }
    });
}

/// New keys for those that have ended, once in a while; none for a right that is missing.
#[test]
fn keys_that_aws_says_have_ended_are_renewed() {
    run(async {
        let (endpoint, client) = (Provider::start().await, client());
        let credential = role(&endpoint, "/x", AwsSource::Container { authorization: Authorization::None });
        let given = |token: &str| [ok(&keys("ASIAONE", token))];
        let (got, _) = tokio::join!(authorise(&credential, &client), give(&endpoint, given("t1")));
        let used = got.unwrap().2;
        let refused = |credential: &Credential, used, kind: &'static str| {
            let headers =
                HeaderMap::from_iter([("x-amzn-errortype".parse().unwrap(), kind.parse().unwrap())]);
            credential.renew(used, StatusCode::FORBIDDEN, &headers)
        };
        assert!(!refused(&credential, used, "AccessDeniedException"));
        assert_eq!(authorise(&credential, &client).await.unwrap().1, "t1");
        assert!(refused(&credential, used, "ExpiredTokenException:http://internal.amazon.com/"));
        let (got, _) = tokio::join!(authorise(&credential, &client), give(&endpoint, given("t2")));
        let (_, token, used) = got.unwrap();
        assert_eq!(token, "t2");
        assert!(!refused(&credential, used, "UnrecognizedClientException"), "not again at once");
        advance(Duration::from_secs(11)).await;
        assert!(refused(&credential, used, "UnrecognizedClientException"));
    });
}

/// A role's keys sign for their own provider, and for nobody else.
#[test]
fn a_roles_keys_go_nowhere_else() {
    run(async {
        let (endpoint, other) = (Provider::start().await, Provider::start().await);
        let credential = role(&endpoint, "/x", AwsSource::Container { authorization: Authorization::None });
        let credential = Arc::new(credential);
        let elsewhere = Target::plain("127.0.0.1", other.address.port()).unwrap();
        let mut head = RequestHead::new("POST", &elsewhere, "/").unwrap();
        let refused = credential.authorise(&client(), &elsewhere, &mut head, &[]).await.unwrap_err();
        assert!(matches!(refused, AuthError::Elsewhere { .. }), "{refused}");
        for nobody in [endpoint, other] {
            assert!(tokio::time::timeout(Duration::from_millis(1), nobody.accept()).await.is_err());
        }
    });
}
