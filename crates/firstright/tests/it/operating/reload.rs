//! Does a changed file come into force while calls are served, all of it or nothing?

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use firstright::reload::{Reloader, Report};
use firstright_core::decision::Action;
use firstright_core::fact::Fact;
use firstright_core::journal::Record;
use firstright_core::text;
use serde_json::Value;

use crate::world::{Book, Http, LAW, World, ask, ask_stream, bearer};

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

/// What the book does not take stays as it was, with what stands below it, and is named; nothing else waits for it.
#[test]
fn one_refused_account_stops_no_other() {
    let key = |id: &str, tenant: &str, more: &str| {
        let digest = firstright::config::hex_digest(&format!("{id}'s key"));
        format!("[[key]]\nid = \"{id}\"\ntenant = \"{tenant}\"\nsha256 = \"{digest}\"\n{more}\n")
    };
    let team = |id: &str, more: &str| format!("[[account]]\nid = \"{id}\"\nkind = \"team\"\n{more}\n");
    let world = World::new();
    let plain = std::fs::read_to_string(path(&world)).unwrap();
    let put = |accounts: &[String]| {
        std::fs::write(path(&world), format!("{plain}{}", accounts.concat())).unwrap();
        reloader(&world).reload().unwrap()
    };
    let called = |id: &str, model: &str| {
        let mut http = world.connect();
        let extra = format!("authorization: Bearer {id}'s key\r\n");
        http.request("POST", "/v1/chat/completions", &extra, ask(model).to_string().as_bytes()).unwrap();
        http.read().unwrap().status
    };
    let within = "in = \"search\"\nmodels = [\"gpt-4o\"]";
    let first = put(&[
        team("search", ""),
        key("moved", "europe", within),
        key("narrowed", "open", within),
        key("left-out", "open", within),
    ]);
    assert!(first.warnings.iter().all(|line| !line.contains("account")), "{first:?}");
    let all = ["moved", "narrowed", "left-out", "added"];
    assert_eq!(all.map(|id| called(id, "gpt-4o")), [200, 200, 200, 401]);
    // A key cannot go to another tenant, nor a team have such an id; each stands before one that can be so.
    let second = put(&[
        team("Not An Id", ""),
        team("other", ""),
        team("search", ""),
        key("moved", "nowhere", within),
        key("below", "open", "in = \"Not An Id\""),
        key("narrowed", "open", "in = \"search\"\nmodels = [\"gpt-4o-mini\"]"),
        key("added", "open", "in = \"other\""),
    ]);
    let told: Vec<&String> = second.warnings.iter().filter(|line| line.contains("account")).collect();
    assert_eq!(told.len(), 1, "{second:?}");
    for refused in ["Not An Id", "moved", "below"] {
        assert!(told[0].contains(&format!("failed to use the account `{refused}`")), "{told:?}");
    }
    assert_eq!(told[0].matches("failed to").count(), 3, "{told:?}");
    assert_eq!(second.version, 3);
    assert_eq!(all.map(|id| called(id, "gpt-4o")), [200, 403, 401, 200], "what is refused is as before");
    assert_eq!(["narrowed", "below"].map(|id| called(id, "gpt-4o-mini")), [200, 401]);
    let moved = world.plane.engine.read(|broker, _| broker.find_account("moved").unwrap().account.clone());
    assert_eq!(moved.tenant.as_deref(), Some("europe"));
    // Mended, it is in force.
    let third = put(&[team("search", ""), key("moved", "europe", "in = \"search\"\nmodels = [\"*-mini\"]")]);
    assert!(third.warnings.iter().all(|line| !line.contains("account")), "{third:?}");
    assert_eq!(all.map(|id| called(id, "gpt-4o")), [403, 401, 401, 401]);
    world.stop();
}

fn is_enacted(record: &Record) -> bool {
    matches!(record.fact, Fact::Enacted { .. })
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

/// Reloads a second, and for how long: F25 of the fault matrix asks for ten a second. The minute that it asks for runs
/// with `FIRSTRIGHT_RELOAD_SECONDS=60`.
const PER_SECOND: u32 = 10;
const SECONDS: u64 = 3;
const CLIENTS: u64 = 8;

/// The two versions of a world in which Europe's calls are served by another deployment, at another place in the file,
/// under another number: a request that saw half of each would find no endpoint.
fn versions(world: &World) -> [(String, String); 2] {
    let config = std::fs::read_to_string(path(world)).unwrap();
    let renamed = config.replacen("id = \"nordic-gpt-4o\"", "id = \"arctic-gpt-4o\"", 1);
    // Another provider, with another model that sorts before all, stands before those that there are.
    let more = "[[party]]\nid = \"early\"\n[[provider]]\nid = \"early\"\nparty = \"early\"\nregion = \"eu\"\njurisdiction = \"eu\"\n\
                [[provider.deployment]]\nid = \"early-one\"\nmodel = \"aaa\"\ncapacity = { concurrent = 1 }\n[[party]]\nid = \"us\"";
    let law = LAW.replacen("[[party]]\nid = \"us\"", more, 1);
    let law = law.replacen("id = \"nordic-gpt-4o\"", "id = \"arctic-gpt-4o\"", 1);
    [(config, LAW.to_string()), (renamed, law)]
}

/// One client until the end: whole answers and streams by turns, each of which must be served.
fn client(world: &World, number: u64, stop: &AtomicBool) -> u64 {
    let mut http = world.connect();
    let mut served = 0;
    while !stop.load(Ordering::Relaxed) {
        let tenant = ["europe", "chat", "open"][(number % 3) as usize];
        let body = if served % 2 == 0 { ask("gpt-4o") } else { ask_stream("gpt-4o", true) };
        let extra = format!("{}x-sandbox-tokens: 20,5\r\n", bearer(tenant));
        http.request("POST", "/v1/chat/completions", &extra, body.to_string().as_bytes()).unwrap();
        let reply = http.read().unwrap();
        assert!(reply.status == 200 && reply.whole, "{}", String::from_utf8_lossy(&reply.body));
        served += 1;
    }
    served
}

#[test]
fn ten_times_a_second_under_load_nothing_is_dropped_and_nothing_is_mixed() {
    let seconds = std::env::var("FIRSTRIGHT_RELOAD_SECONDS").ok().and_then(|text| text.parse().ok());
    let seconds = seconds.unwrap_or(SECONDS);
    let world = World::new();
    let versions = versions(&world);
    let (stop, served) = (AtomicBool::new(false), AtomicU64::new(0));
    let reloads = std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (world, stop, served) = (&world, &stop, &served);
            scope.spawn(move || served.fetch_add(client(world, number, stop), Ordering::Relaxed));
        }
        let begun = Instant::now();
        let mut reloads = 0;
        while begun.elapsed() < Duration::from_secs(seconds) {
            reloads += 1;
            let (config, law) = &versions[reloads as usize % 2];
            std::fs::write(path(&world), config).unwrap();
            world.folder.write("law.toml", law);
            reloader(&world).reload().unwrap();
            let due = Duration::from_secs(1) * reloads / PER_SECOND;
            std::thread::park_timeout(due.saturating_sub(begun.elapsed()));
        }
        stop.store(true, Ordering::Relaxed);
        reloads
    });
    let (served, book) = (served.into_inner(), world.stop());
    println!("{reloads} reloads in {seconds} s, {served} calls served");
    assert!(reloads >= PER_SECOND && served > u64::from(reloads), "{reloads} reloads, {served} calls");
    assert_eq!(book.settled().count() as u64, served, "each was served by its first attempt, once");
    each_is_served_by_the_law_that_held(&book);
}

/// Every call went to a deployment of the law that was in force when it arrived, and both laws had their share.
fn each_is_served_by_the_law_that_held(book: &Book) {
    let (mut world, mut by) = (None, [0_u64; 2]);
    for record in &book.records {
        if let Fact::Enacted { sources } = &record.fact {
            let read = text::read(sources).0.unwrap();
            world = Some(match &world {
                Some(old) => read.after(old).unwrap(),
                None => read,
            });
        }
        let Some(world) = &world else { continue };
        assert!(!matches!(record.fact, Fact::AttemptFailed { .. }), "{:?}", record.fact);
        for decision in &record.decisions {
            let Action::Serve { deployment, .. } = decision.action else { continue };
            let id = world.deployment(deployment).id.as_str();
            assert_eq!(world.find_deployment(id), Some(deployment), "`{id}` is not in the law that held");
            match id {
                "nordic-gpt-4o" => by[0] += 1,
                "arctic-gpt-4o" => by[1] += 1,
                _ => {}
            }
        }
    }
    assert!(by[0] > 0 && by[1] > 0, "{by:?}");
}
