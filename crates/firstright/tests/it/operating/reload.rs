//! Does a changed file come into force while calls are served, all of it or nothing?

use std::path::PathBuf;
use std::sync::Arc;

use firstright::reload::{Reloader, Report};
use serde_json::Value;

use crate::world::{Http, LAW, World, ask};

/// The world's reloader.
fn reloader(world: &World) -> Arc<Reloader> {
    world.plane.operating.reloader.clone().unwrap()
}

fn path(world: &World) -> PathBuf {
    world.folder.0.join("firstright.toml")
}

/// Writes the configuration with some of its words replaced.
fn rewrite(world: &World, from: &str, to: &str) {
    let text = std::fs::read_to_string(path(world)).unwrap();
    assert!(text.contains(from), "the configuration has no `{from}`");
    std::fs::write(path(world), text.replacen(from, to, 1)).unwrap();
}

fn status(world: &World, tenant: &str) -> u16 {
    world.chat(tenant, &ask("gpt-4o")).status
}

#[test]
fn a_key_that_is_gone_is_refused_and_what_did_not_change_goes_on() {
    let world = World::new();
    assert_eq!((status(&world, "chat"), status(&world, "europe")), (200, 200));
    rewrite(&world, "[[key]]\nid = \"chat\"", "[[key]]\nid = \"renamed\"");
    let digest = firstright::config::hex_digest("another key of chat's");
    let old = firstright::config::hex_digest(&crate::world::key_of("chat"));
    rewrite(&world, &old, &digest);
    rewrite(&world, "threads = 2", "threads = 1");
    let report = reloader(&world).reload().unwrap();
    assert_eq!(
        report,
        Report {
            version: 2,
            record: None,
            changes: vec![
                "gateway.threads: 2 → 1 (at the next start)".to_string(),
                "key `chat`: removed".to_string(),
                "key `renamed`: added".to_string(),
            ],
            warnings: report.warnings.clone(),
        }
    );
    assert_eq!((status(&world, "chat"), status(&world, "europe")), (401, 200));
    let mut http = world.connect();
    let body = ask("gpt-4o").to_string();
    let key = "authorization: Bearer another key of chat's\r\n";
    http.request("POST", "/v1/chat/completions", key, body.as_bytes()).unwrap();
    assert_eq!(http.read().unwrap().status, 200);
    world.stop();
}

#[test]
fn whatever_is_wrong_leaves_all_as_it_was() {
    let world = World::new();
    let config = std::fs::read_to_string(path(&world)).unwrap();
    let wrongs = [
        ("threads = 2", "thread = 2", "unknown field"),
        ("tenant = \"europe\"", "tenant = \"nobody\"", "the law has no tenant `nobody`"),
        ("id = \"nordic-gpt-4o\"", "id = \"nowhere\"", "deployment `nowhere`"),
        ("nordic.key\"", "gone.key\"", "gone.key`"),
        ("\"law.toml\"", "\"gone.toml\"", "gone.toml`"),
        ("[admin]\n", "[admin]\ntls = { certificate = \"a\", key = \"b\" }\n", "at the next start only"),
    ];
    for (from, to, problem) in wrongs {
        // A key goes in the same file: nothing of it may hold.
        std::fs::write(path(&world), config.replacen("id = \"chat\"", "id = \"gone\"", 1)).unwrap();
        rewrite(&world, from, to);
        let told = reloader(&world).reload().unwrap_err();
        assert!(told.contains(problem), "{to}: {told}");
        assert_eq!(reloader(&world).version(), 1);
    }
    std::fs::write(path(&world), &config).unwrap();
    world.folder.write("law.toml", &LAW.replacen("[[tenant]]", "[[tenan]]", 1));
    let told = reloader(&world).reload().unwrap_err();
    assert!(told.contains("law.toml"), "{told}");
    assert_eq!(status(&world, "chat"), 200);
    let book = world.stop();
    assert_eq!(book.records.iter().filter(|one| is_enacted(one)).count(), 1);
}

fn is_enacted(record: &firstright_core::journal::Record) -> bool {
    matches!(record.fact, firstright_core::fact::Fact::Enacted { .. })
}

#[test]
fn it_is_asked_for_over_the_admin_api_and_tells_what_changed() {
    let world = World::with(&[], "gap-timeout-s = 300", |_| {});
    let token = std::fs::read_to_string(world.folder.0.join("data/admin.toml")).unwrap();
    let token = token.lines().find_map(|line| line.strip_prefix("token = \"")).unwrap().trim_end_matches('"');
    let ask = |token: &str| {
        let mut http = Http::connect(world.plane.admin()).unwrap();
        http.request("POST", "/admin/reload", &format!("authorization: Bearer {token}\r\n"), b"").unwrap();
        http.read().unwrap()
    };
    assert_eq!(ask("somebody else's").status, 401);
    rewrite(&world, "gap-timeout-s = 300", "gap-timeout-s = 20");
    let reply = ask(token);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let told: Value = reply.json();
    assert_eq!(told["version"], 2);
    assert_eq!(told["changes"], serde_json::json!(["gateway.gap-timeout-s: 300 → 20"]));
    rewrite(&world, "gap-timeout-s = 20", "gap-timeout-s = \"soon\"");
    let reply = ask(token);
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (422, &Value::from("not-reloaded")));
    world.stop();
}
