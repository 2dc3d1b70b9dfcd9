//! Do tokens come and go without a caller noticing, and does their secret stay where it belongs?

use std::fs;

use firstright_core::fact::{Fact, FailureKind};
use serde_json::json;

use crate::world::{Folder, LAW, Recorder, World, ask, clouds, configure_at};

const CANARY: &str = "canary-client-secret";
const CHAT: &str = r#"{"id":"c","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}"#;

fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn token(name: &str) -> Vec<u8> {
    answer("200 OK", &format!(r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"{name}"}}"#))
}

/// Azure's deployments behind a recorder, with tokens from another; the other clouds as they are.
fn world(azure: &Recorder, tokens: &Recorder) -> World {
    let folder = Folder::new();
    let secret = folder.write("client.secret", CANARY);
    let auth = format!(
        "auth = {{ entra = {{ tenant = 't', client-id = 'c', client-secret = {{ file = {secret:?} }}, authority = 'http://{}' }} }}",
        tokens.address
    );
    world_with(folder, azure, &auth)
}

/// The same with another credential.
fn world_with(folder: Folder, azure: &Recorder, auth: &str) -> World {
    let clouds = clouds(|_| {});
    let real = |cloud: &str| clouds.cloud(cloud).unwrap().address;
    let address = |cloud: &str| if cloud == "azure" { azure.address } else { real(cloud) };
    let config = configure_at(&folder, &clouds, address, LAW, "");
    let text = fs::read_to_string(&config).unwrap();
    let lines = text.lines().map(|line| if line.contains("azure.key") { auth } else { line });
    fs::write(&config, lines.collect::<Vec<_>>().join("\n")).unwrap();
    World::serve(folder, clouds, &config)
}

fn authorizations(recorder: &Recorder) -> Vec<String> {
    let of = |head: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix("authorization: "));
        line.unwrap_or("none").to_string()
    };
    recorder.requests().iter().map(|(head, _)| of(head)).collect()
}

#[test]
fn a_token_that_was_revoked_is_renewed_and_the_call_served() {
    let azure = Recorder::answering_in_turn(vec![
        answer("200 OK", CHAT),
        answer("401 Unauthorized", r#"{"error":{"code":"401","message":"revoked"}}"#),
        answer("200 OK", CHAT),
    ]);
    let tokens = Recorder::answering_in_turn(vec![token("t1"), token("t2")]);
    let world = world(&azure, &tokens);
    for _ in 0..2 {
        let reply = world.chat("chat", &ask("gpt-4o"));
        assert_eq!((reply.status, reply.deployment()), (200, "azure-ptu"), "{reply:?}");
    }
    assert_eq!(authorizations(&azure), ["Bearer t1", "Bearer t1", "Bearer t2"]);
    assert_eq!(tokens.requests().len(), 2);
    let book = world.stop();
    // The refusal was no failed attempt: nobody was billed, and the same attempt went on.
    assert_eq!(book.settled().count(), 2);
    assert!(!book.records.iter().any(|record| matches!(record.fact, Fact::AttemptFailed { .. })));
}

#[test]
fn a_token_that_is_refused_again_is_a_refusal_of_our_credentials() {
    let azure = Recorder::answering(answer("401 Unauthorized", r#"{"error":{"code":"401","message":"no"}}"#));
    let tokens = Recorder::answering_in_turn(vec![token("t1"), token("t2")]);
    let world = world(&azure, &tokens);
    let reply = world.chat("chat", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (200, "oracle-gpt-4o"), "{reply:?}");
    // Each of Azure's two deployments: once with the first token and once with the second at most.
    assert!(azure.requests().len() <= 4 && tokens.requests().len() == 2, "{:?}", authorizations(&azure));
    let failed = |fact: &Fact| matches!(fact, Fact::AttemptFailed { failure, .. } if failure.kind == FailureKind::Unauthorised);
    assert!(world.stop().records.iter().any(|record| failed(&record.fact)));
}

#[test]
fn without_a_token_the_provider_is_not_asked_and_nothing_tells_the_secret() {
    let azure = Recorder::answering(answer("200 OK", CHAT));
    let said = json!({ "error": "invalid_client", "error_description": format!("AADSTS7000215: {CANARY}") });
    let tokens = Recorder::answering(answer("401 Unauthorized", &said.to_string()));
    let world = world(&azure, &tokens);
    let reply = world.chat("chat", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (200, "oracle-gpt-4o"), "{reply:?}");
    assert_eq!(azure.requests().len(), 0);
    // Its own endpoint alone got the secret; neither the caller nor the journal has it.
    assert!(tokens.requests().iter().all(|(_, body)| body.contains(CANARY)));
    assert!(!format!("{reply:?}").contains(CANARY));
    let journal = world.folder.journal();
    let failed = |fact: &Fact| matches!(fact, Fact::AttemptFailed { failure, .. } if failure.kind == FailureKind::Unauthorised);
    let bytes = fs::read(&journal).unwrap();
    assert!(world.stop().records.iter().any(|record| failed(&record.fact)));
    assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()));
}

#[test]
fn all_callers_share_one_fetch() {
    let azure = Recorder::answering(answer("200 OK", CHAT));
    let tokens = Recorder::answering(token("t1"));
    let world = world(&azure, &tokens);
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| assert_eq!(world.chat("chat", &ask("gpt-4o")).status, 200));
        }
    });
    assert_eq!(tokens.requests().len(), 1);
    assert!(authorizations(&azure).iter().all(|value| value == "Bearer t1"));
    assert_eq!(world.stop().settled().count(), 64);
}

/// A token serves to its end, whatever is reloaded meanwhile; another secret is another credential.
#[test]
fn a_token_outlives_a_reload_and_not_its_credential() {
    let azure = Recorder::answering(answer("200 OK", CHAT));
    let tokens = Recorder::answering_in_turn(vec![token("t1"), token("t2")]);
    let world = world(&azure, &tokens);
    let reload = |from: &str, to: &str| {
        let path = world.folder.0.join("firstright.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(from.is_empty() || text.contains(from), "{text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        world.plane.operating.reloader.as_ref().unwrap().reload().unwrap()
    };
    let chat = || {
        let reply = world.chat("chat", &ask("gpt-4o"));
        assert_eq!((reply.status, reply.deployment()), (200, "azure-ptu"), "{reply:?}");
    };
    chat();
    // Nothing, the plumbing beside it, and the law with its numbers change: it is the same credential.
    reload("", "");
    chat();
    reload("threads = 2", "threads = 1");
    chat();
    let before = "[[provider]]\nid = \"azure\"";
    let other = "[[provider]]\nid = \"new\"\nparty = \"oracle\"\nregion = \"us-east\"\njurisdiction = \"us\"\n\n\
                 [[provider.deployment]]\nid = \"new-gpt-4o\"\nmodel = \"new\"\ncapacity = { concurrent = 1 }\n\
                 price = { input = \"3 USD/Mtok\", output = \"12 USD/Mtok\" }\n\n";
    world.folder.write("law.toml", &LAW.replacen(before, &format!("{other}{before}"), 1));
    assert!(reload("", "").record.is_some());
    chat();
    assert_eq!(tokens.requests().len(), 1);
    world.folder.write("client.secret", "canary-client-secret-of-the-next-half-year");
    reload("", "");
    chat();
    assert_eq!(authorizations(&azure), ["Bearer t1", "Bearer t1", "Bearer t1", "Bearer t1", "Bearer t2"]);
    let asked = tokens.requests();
    assert!(asked.len() == 2 && asked[1].1.contains("next-half-year"), "{}", asked.len());
    world.stop();
}

/// A role's keys that have ended are renewed, and the same attempt is signed with the new ones; those of a refusal for want of a
/// right are kept.
#[test]
fn a_roles_keys_that_have_ended_are_renewed_and_the_call_served() {
    let refused = |kind: &str| {
        let body = r#"{"message":"no"}"#;
        let head = format!("HTTP/1.1 403 Forbidden\r\nx-amzn-errortype: {kind}\r\nconnection: close\r\n");
        format!("{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            .into_bytes()
    };
    let keys = |id: &str| {
        let given = json!({
            "AccessKeyId": id, "SecretAccessKey": CANARY, "Token": format!("token-of-{id}"),
            "Expiration": "2999-01-01T00:00:00Z",
        });
        answer("200 OK", &given.to_string())
    };
    let azure = Recorder::answering_in_turn(vec![
        answer("200 OK", CHAT),
        refused("ExpiredTokenException"),
        answer("200 OK", CHAT),
        refused("AccessDeniedException"),
    ]);
    let platform = Recorder::answering_in_turn(vec![keys("ASIAONE"), keys("ASIATWO")]);
    let auth = format!(
        "auth = {{ aws = {{ region = 'us-east-1', container-role = {{ endpoint = 'http://{}/v1/credentials' }} }} }}",
        platform.address
    );
    let world = world_with(Folder::new(), &azure, &auth);
    for _ in 0..2 {
        let reply = world.chat("chat", &ask("gpt-4o"));
        assert_eq!((reply.status, reply.deployment()), (200, "azure-ptu"), "{reply:?}");
    }
    // Without the right the call goes elsewhere, and nobody is asked for other keys.
    let reply = world.chat("chat", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (200, "oracle-gpt-4o"), "{reply:?}");
    let signed = authorizations(&azure);
    let by = |id: &str| signed.iter().filter(|proof| proof.contains(&format!("Credential={id}/"))).count();
    assert_eq!((by("ASIAONE"), by("ASIATWO")), (2, signed.len() - 2), "{signed:?}");
    let tokens = azure.requests();
    assert!(tokens[2].0.contains("\r\nx-amz-security-token: token-of-ASIATWO"), "{}", tokens[2].0);
    assert_eq!(platform.requests().len(), 2);
    let book = world.stop();
    assert_eq!(book.settled().count(), 3);
}
