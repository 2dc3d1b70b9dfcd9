//! Does a hard budget hold, whatever callers and providers do? And are keys made, limited, changed and revoked while the
//! gateway runs?

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use firstright_core::account::BudgetPeriod;
use firstright_core::decision::Action;
use firstright_core::fact::{Ending, Fact, Source};
use firstright_core::journal::verify;
use serde_json::{Value, json};

use crate::world::{Book, Http, Recorder, Reply, World, ask, ask_stream, until};

/// A model that one provider serves for tenant `europe`, at 3 and 12 dollars a million.
const MODEL: &str = "gpt-4o";

/// The operator, who speaks with the admin API.
pub(super) struct Admin<'w>(pub(super) &'w World);

impl Admin<'_> {
    fn ask(&self, method: &str, path: &str, body: &Value) -> Reply {
        let file = std::fs::read_to_string(self.0.folder.0.join("data/admin.toml")).unwrap();
        let token = file.lines().find_map(|line| line.strip_prefix("token = ")).unwrap().trim_matches('"');
        let mut http = Http::connect(self.0.plane.admin()).unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let extra = format!("authorization: Bearer {token}\r\n");
        http.request(method, path, &extra, body.as_bytes()).unwrap();
        http.read().unwrap()
    }

    fn account(&self, body: &Value) -> Reply {
        let reply = self.ask("POST", "/admin/accounts", body);
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply
    }

    /// Makes a key and says it.
    pub(super) fn key(&self, body: &Value) -> String {
        let mut body = body.clone();
        body["kind"] = json!("key");
        self.account(&body).json()["key"].as_str().unwrap().to_string()
    }

    fn view(&self, id: &str) -> Value {
        let reply = self.ask("GET", &format!("/admin/accounts/{id}"), &Value::Null);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }
}

fn call(http: &mut Http, key: &str, extra: &str, body: &Value) -> Reply {
    let extra = format!("authorization: Bearer {key}\r\n{extra}");
    http.request("POST", "/v1/chat/completions", &extra, body.to_string().as_bytes()).unwrap();
    http.read().unwrap()
}

/// What the calls of a book cost in all, in nano-units; nothing may be unpriced.
fn cost(book: &Book) -> i128 {
    let settled =
        book.records.iter().flat_map(|record| &record.decisions).filter_map(|one| match one.action {
            Action::Settle { cost, .. } => Some(cost.expect("it is priced").0),
            _ => None,
        });
    settled.sum()
}

const CLIENTS: u64 = 64;
/// Refusals after which a client gives up.
const PATIENCE: u64 = 20;

/// One client: whole answers and streams by turns, bounded and not, until the budget is gone. Its tokens are as many as
/// its body can hold, so that nothing is overstated.
fn spend(world: &World, key: &str, client: u64, served: &AtomicU64) {
    let mut http = world.connect();
    let (mut refused, mut number) = (0, client);
    while refused < PATIENCE {
        number += CLIENTS;
        let mut body =
            if number.is_multiple_of(3) { ask_stream(MODEL, number.is_multiple_of(2)) } else { ask(MODEL) };
        body["messages"][0]["content"] = json!("x".repeat(400));
        let output = match number % 4 {
            0 => {
                body.as_object_mut().unwrap().remove("max_tokens");
                number % 300
            }
            _ => number % 51,
        };
        let tokens = format!("x-sandbox-tokens: {},{output}\r\n", 100 + number % 300);
        let reply = call(&mut http, key, &tokens, &body);
        match reply.status {
            200 => {
                assert!(reply.whole, "{}", reply.text());
                served.fetch_add(1, Ordering::Relaxed);
                refused = 0;
            }
            _ => {
                reply.refuses(429, "budget_exhausted");
                assert_eq!(reply.header("x-should-retry"), Some("false"));
                assert_eq!(reply.header("retry-after"), None);
                assert_eq!(reply.json()["error"]["type"], "insufficient_quota");
                refused += 1;
            }
        }
    }
}

#[test]
fn sixty_four_clients_on_one_budget_spend_no_more_than_it() {
    const LIMIT: i128 = 5_000_000_000;
    let world = World::new();
    let admin = Admin(&world);
    admin.account(&json!({ "id": "search", "kind": "team", "budgets": ["5.00 USD"] }));
    let keys: Vec<String> = (0..4)
        .map(|nth| admin.key(&json!({ "id": format!("key-{nth}"), "in": "search", "tenant": "europe" })))
        .collect();
    let served = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (world, key, served) = (&world, &keys[client as usize % keys.len()], &served);
            scope.spawn(move || spend(world, key, client, served));
        }
    });
    // What the bounds of the last open calls held back is spent too.
    spend(&world, &keys[0], 0, &served);
    let served = served.into_inner();
    let view = admin.view("search");
    assert_eq!((view["open"].as_u64(), view["calls"].as_u64()), (Some(0), Some(served)));
    assert_eq!(view["reserved"], "0.00 USD");
    let counted = world.counted("nordic", "gpt-4o");
    let journal = world.folder.journal();
    until("every call has its outcome", || world.open_calls() == 0);
    let bytes = std::fs::read(journal).unwrap();
    let book = world.stop();
    let spent = cost(&book);
    assert!(spent <= LIMIT, "overspent: {spent}");
    // A call of 560 bytes at 3 dollars a million and 50 tokens at 12 is the least that was refused.
    let smallest = 560 * 3_000 + 50 * 12_000;
    assert!(spent >= LIMIT / 100 * 99 - smallest, "{spent} of {LIMIT} was spent");
    let token = |key: &str| i128::from(counted[key].as_u64().unwrap());
    let clouds = token("prompt_tokens") * 3_000 + token("output_tokens") * 12_000;
    assert_eq!(clouds - token("cached_tokens") * 1_500, spent, "the cloud counted something else");
    // At no moment was more spent and reserved than the budget holds.
    let verdict = verify(&bytes, false, |record, broker| {
        let committed =
            broker.find_account("search").map(|team| team.committed(BudgetPeriod::Total, record.at));
        assert!(committed.is_none_or(|committed| committed.0 <= LIMIT), "record {}", record.seq);
    });
    assert!(verdict.fault.is_none() && verdict.records > served);
    assert_eq!(book.settled().count() as u64, served);
    println!("{served} calls by {CLIENTS} clients: {spent} of {LIMIT} nano-dollars spent");
}

#[test]
fn an_open_end_is_bounded_before_it_is_sent() {
    let answer = "{\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5,\"total_tokens\":12}}";
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ";
    let recorder = Recorder::answering(format!("{head}{}\r\n\r\n{answer}", answer.len()));
    let world = World::before(&recorder);
    let admin = Admin(&world);
    let bounded = admin.key(&json!({ "id": "bounded", "tenant": "europe", "budgets": ["1 USD/day"] }));
    let free = admin.key(&json!({ "id": "free", "tenant": "europe", "soft-budgets": ["1 USD/day"] }));
    let mut body = ask(MODEL);
    body.as_object_mut().unwrap().remove("max_tokens");
    for key in [&bounded, &free] {
        assert_eq!(call(&mut world.connect(), key, "", &body).status, 200);
    }
    let sent: Vec<Value> =
        recorder.requests().iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(sent[0]["max_completion_tokens"], 4_096);
    assert_eq!(sent[1].get("max_completion_tokens"), None);
    let book = world.stop();
    let asked: Vec<u64> = book
        .records
        .iter()
        .filter_map(|record| match &record.fact {
            Fact::CallArrived(call) => Some(call.max_output),
            _ => None,
        })
        .collect();
    assert_eq!(asked[0], 4_096, "what is written is what is reserved");
}

#[test]
fn a_stream_is_cut_at_its_reservation() {
    let world = World::new();
    let admin = Admin(&world);
    let key = admin.key(&json!({ "id": "k", "tenant": "europe", "budgets": ["1 USD"] }));
    // The provider does not keep to the bound of 50.
    let reply = call(&mut world.connect(), &key, "x-sandbox-tokens: 20,5000\r\n", &ask_stream(MODEL, false));
    assert_eq!(reply.status, 200);
    let (events, done) = reply.events();
    assert!(!done && reply.whole);
    assert_eq!(events.last().unwrap()["error"]["code"], "reservation_exhausted");
    let book = world.stop();
    let [settled] = &book.settled().collect::<Vec<_>>()[..] else { panic!("settled once") };
    assert_eq!((settled.source, settled.ending), (Source::Counted, Ending::Abandoned));
    assert_eq!(settled.usage.output, 50, "by count, and no more than was reserved");
    assert!(cost(&book) <= 1_000_000_000);
}

#[test]
fn usage_that_is_missing_or_cannot_be_true_is_settled_by_count_and_never_as_nothing() {
    let content = "w".repeat(400);
    for usage in [
        "null",
        "{\"prompt_tokens\":-5,\"completion_tokens\":3}",
        "{\"prompt_tokens\":90000000,\"completion_tokens\":3,\"total_tokens\":90000003}",
        "{\"prompt_tokens\":9,\"completion_tokens\":50000000,\"total_tokens\":50000009}",
        "{\"prompt_tokens\":9,\"completion_tokens\":9,\"prompt_tokens_details\":{\"cached_tokens\":90}}",
        "[]",
    ] {
        let answer = format!(
            "{{\"id\":\"c\",\"object\":\"chat.completion\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\
             \"content\":\"{content}\"}},\"finish_reason\":\"stop\"}}],\"usage\":{usage}}}"
        );
        let head =
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ";
        let recorder = Recorder::answering(format!("{head}{}\r\n\r\n{answer}", answer.len()));
        let world = World::before(&recorder);
        let key = Admin(&world).key(&json!({ "id": "k", "tenant": "europe", "budgets": ["1 USD"] }));
        assert_eq!(call(&mut world.connect(), &key, "", &ask(MODEL)).status, 200);
        let book = world.stop();
        let [settled] = &book.settled().collect::<Vec<_>>()[..] else { panic!("settled once") };
        assert_eq!(settled.source, Source::Counted, "{usage}");
        assert!(settled.usage.input > 0 && settled.usage.output > 0, "{usage}: {:?}", settled.usage);
        assert!(settled.usage.output <= 50 && cost(&book) > 0, "{usage}");
    }
}

#[test]
fn what_a_request_may_not_cost_is_refused_before_it_is_sent() {
    let world = World::new();
    let admin = Admin(&world);
    let key = admin.key(&json!({ "id": "k", "tenant": "europe", "budgets": ["0.05 USD/day"] }));
    let mut http = world.connect();
    for (field, value) in
        [("max_tokens", json!(u64::MAX / 2)), ("max_tokens", json!(1_000_000)), ("n", json!(128))]
    {
        let mut body = ask(MODEL);
        body[field] = value;
        let reply = call(&mut http, &key, "", &body);
        reply.refuses(429, "budget_exhausted");
        let message = reply.json()["error"]["message"].as_str().unwrap().to_string();
        assert!(message.contains("`k`") && message.contains("until"), "{message}");
    }
    assert_eq!(world.cloud("nordic").counters().requests, 0);
    assert_eq!(call(&mut http, &key, "", &ask(MODEL)).status, 200);
    world.stop();
}

#[test]
fn each_refusal_has_its_code_and_the_truth_about_trying_again() {
    let world = World::new();
    let admin = Admin(&world);
    admin.account(
        &json!({ "id": "search", "kind": "team", "models": ["gpt-*"], "operations": ["inference"] }),
    );
    let of = |id: &str, more: Value| {
        let mut body = json!({ "id": id, "in": "search", "tenant": "europe" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        admin.key(&body)
    };
    let (slow, narrow) =
        (of("slow", json!({ "requests-per-minute": 1 })), of("narrow", json!({ "models": ["gpt-4o"] })));
    let (small, away) =
        (of("small", json!({ "tokens-per-minute": 10 })), of("away", json!({ "regions": ["mars"] })));
    let mut http = world.connect();
    assert_eq!(call(&mut http, &slow, "", &ask(MODEL)).status, 200);
    let reply = call(&mut http, &slow, "", &ask(MODEL));
    reply.refuses(429, "rate_limit_exceeded");
    assert_eq!(reply.header("x-should-retry"), Some("true"));
    let wait: u64 = reply.header("retry-after-ms").unwrap().parse().unwrap();
    assert!((50_000..=60_000).contains(&wait), "{wait}");
    assert_eq!(
        call(&mut http, &small, "", &ask(MODEL)).status,
        200,
        "larger than a minute's, and nothing is taken"
    );
    call(&mut http, &small, "", &ask(MODEL)).refuses(429, "rate_limit_exceeded");
    call(&mut http, &narrow, "", &ask("gpt-4o-mini")).refuses(403, "model_not_permitted");
    call(&mut http, &narrow, "", &ask("text-embedding-3-large")).refuses(403, "model_not_permitted");
    call(&mut http, &away, "", &ask(MODEL)).refuses(403, "compliance_refusal");
    call(&mut http, "fr-nobody", "", &ask(MODEL)).refuses(401, "invalid_api_key");
    let long = "x".repeat(4_000);
    call(&mut http, &long, "", &ask(MODEL)).refuses(401, "invalid_api_key");
    world.stop();
}

/// One at a time: the second is refused while the first is open, and let in after it.
#[test]
fn calls_at_once_are_counted_while_they_are_open() {
    let world = World::new();
    let key = Admin(&world).key(&json!({ "id": "k", "tenant": "europe", "concurrent": 1 }));
    let mut first = world.connect();
    let extra = format!("authorization: Bearer {key}\r\nx-sandbox-tokens: 20,2000\r\n");
    let body = ask_stream(MODEL, false).to_string();
    first.request("POST", "/v1/chat/completions", &extra, body.as_bytes()).unwrap();
    let mut open = first.head().unwrap();
    first.read_to(&mut open, "data: ");
    let reply = call(&mut world.connect(), &key, "", &ask(MODEL));
    reply.refuses(429, "rate_limit_exceeded");
    assert_eq!((reply.header("x-should-retry"), reply.header("retry-after")), (Some("true"), None));
    first.rest(&mut open).unwrap();
    assert_eq!(call(&mut world.connect(), &key, "", &ask(MODEL)).status, 200);
    world.stop();
}

#[test]
fn a_revoked_key_is_gone_at_once_and_a_rotated_one_after_its_grace() {
    let world = World::new();
    let admin = Admin(&world);
    admin.account(&json!({ "id": "search", "kind": "team" }));
    let one = admin.key(&json!({ "id": "one", "in": "search", "tenant": "europe" }));
    let two = admin.key(&json!({ "id": "two", "in": "search", "tenant": "europe" }));
    let mut http = world.connect();
    let status = |http: &mut Http, key: &str| call(http, key, "", &ask(MODEL)).status;
    assert_eq!((status(&mut http, &one), status(&mut http, &two)), (200, 200));
    // A race of callers against the revocation: whoever is answered after it is refused.
    std::thread::scope(|scope| {
        let racing: Vec<_> = (0..8)
            .map(|_| {
                let (world, one) = (&world, &one);
                scope.spawn(move || {
                    let mut http = world.connect();
                    while status_of(&mut http, one) == 200 {}
                })
            })
            .collect();
        assert_eq!(admin.ask("DELETE", "/admin/accounts/one", &Value::Null).status, 200);
        for _ in 0..20 {
            assert_eq!(status_of(&mut world.connect(), &one), 401);
        }
        racing.into_iter().for_each(|one| one.join().unwrap());
    });
    assert_eq!(status(&mut http, &two), 200);
    let rotated = admin.ask("POST", "/admin/accounts/two/rotate", &json!({ "grace-s": 3600 }));
    let newer = rotated.json()["key"].as_str().unwrap().to_string();
    assert_eq!((status(&mut http, &two), status(&mut http, &newer)), (200, 200), "both live");
    assert_eq!(admin.view("two")["versions"].as_array().unwrap().len(), 2);
    let rotated = admin.ask("POST", "/admin/accounts/two/rotate", &json!({ "grace-s": 0 }));
    let newest = rotated.json()["key"].as_str().unwrap().to_string();
    let now = [&two, &newer, &newest].map(|key| status(&mut http, key));
    assert_eq!(now, [401, 401, 200], "no grace, and never a third version");
    assert_eq!(admin.ask("DELETE", "/admin/accounts/search", &Value::Null).status, 200);
    assert_eq!(status(&mut http, &newest), 401, "a key is closed with its team");
    world.stop();
}

fn status_of(http: &mut Http, key: &str) -> u16 {
    call(http, key, "", &ask(MODEL)).status
}

/// Keys that share all but their last letter are strangers to each other.
#[test]
fn keys_of_one_beginning_are_told_apart() {
    let world = World::new();
    let key = Admin(&world).key(&json!({ "id": "k", "tenant": "europe" }));
    let mut http = world.connect();
    assert_eq!(status_of(&mut http, &key), 200);
    let last = key.len() - 1;
    for letter in "0123456789abcdef".chars().filter(|letter| !key.ends_with(*letter)) {
        assert_eq!(status_of(&mut http, &format!("{}{letter}", &key[..last])), 401);
    }
    assert_eq!(status_of(&mut http, &key[..last]), 401);
    assert_eq!(status_of(&mut http, &format!("{key}0")), 401);
    world.stop();
}

/// Nobody gets more by asking for it: not by a field that is not his to set, and not by a parent that is narrower.
#[test]
fn nothing_that_is_said_to_the_admin_api_makes_a_key_wider_than_what_stands_above_it() {
    let world = World::new();
    let admin = Admin(&world);
    admin.account(
        &json!({ "id": "acme", "kind": "organisation", "models": ["gpt-4o-mini"], "budgets": ["1 USD"] }),
    );
    for odd in [
        json!({ "id": "k", "kind": "key", "tenant": "europe", "scopes": ["admin"] }),
        json!({ "id": "k", "kind": "key", "tenant": "europe", "fixed": true }),
        json!({ "id": "k", "kind": "key", "tenant": "europe", "digest": "00" }),
        json!({ "id": "k", "kind": "key", "tenant": "europe", "spent": "0 USD" }),
        json!({ "id": "k", "kind": "admin", "tenant": "europe" }),
        json!({ "id": "k", "kind": "key", "tenant": "europe", "operations": ["admin"] }),
        json!({ "id": "../k", "kind": "key", "tenant": "europe" }),
    ] {
        let reply = admin.ask("POST", "/admin/accounts", &odd);
        assert_eq!(reply.status, 400, "{odd}: {}", reply.text());
    }
    let key = admin.key(&json!({ "id": "k", "in": "acme", "tenant": "open" }));
    let mut http = world.connect();
    let permitted = |http: &mut Http| call(http, &key, "", &ask(MODEL)).status;
    assert_eq!(permitted(&mut http), 403);
    for wider in [
        json!({ "id": "k", "kind": "key", "in": "acme", "tenant": "open", "models": ["*"] }),
        json!({ "id": "k", "kind": "key", "tenant": "open", "models": ["*"] }),
        json!({ "id": "k", "kind": "organisation" }),
        json!({ "id": "k", "kind": "key", "in": "acme", "tenant": "europe" }),
    ] {
        admin.ask("PUT", "/admin/accounts/k", &wider);
        assert_eq!(permitted(&mut http), 403, "{wider}");
    }
    let view = admin.view("k");
    assert_eq!((&view["account"]["in"], &view["account"]["tenant"]), (&json!("acme"), &json!("open")));
    // A caller's key opens nothing at the admin API.
    let mut http = Http::connect(world.plane.admin()).unwrap();
    http.request("GET", "/admin/accounts", &format!("authorization: Bearer {key}\r\n"), b"").unwrap();
    assert_eq!(http.read().unwrap().status, 401);
    world.stop();
}

/// No key is kept: neither the journal nor any answer but the first holds it.
#[test]
fn a_key_is_said_once_and_kept_nowhere() {
    let world = World::new();
    let admin = Admin(&world);
    let key = admin.key(&json!({ "id": "k", "tenant": "europe" }));
    assert_eq!(call(&mut world.connect(), &key, "", &ask(MODEL)).status, 200);
    let told = [
        admin.ask("GET", "/admin/accounts", &Value::Null),
        admin.ask("GET", "/admin/accounts/k", &Value::Null),
        call(&mut world.connect(), &format!("{key}x"), "", &ask(MODEL)),
    ];
    for reply in told {
        assert!(!format!("{reply:?}").contains(&key) && !reply.text().contains(&key));
    }
    let debug =
        format!("{:?}", world.plane.engine.read(|broker, _| broker.accounts().cloned().collect::<Vec<_>>()));
    assert!(!debug.contains(&key));
    let data = world.folder.0.join("data");
    let journal = std::fs::read(world.folder.journal()).unwrap();
    let needle = key.as_bytes();
    assert!(!journal.windows(needle.len()).any(|window| window == needle));
    for entry in std::fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(needle.len()).any(|window| window == needle), "{}", path.display());
        }
    }
    world.stop();
}

/// A soft budget is told of in the ground of the answer and in the account.
#[test]
fn a_soft_budget_serves_and_tells() {
    let world = World::new();
    let admin = Admin(&world);
    let key = admin.key(&json!({ "id": "k", "tenant": "europe", "soft-budgets": ["0.0001 USD/month"] }));
    let reply = call(&mut world.connect(), &key, "x-sandbox-tokens: 100,50\r\n", &ask(MODEL));
    assert_eq!(reply.status, 200);
    assert!(reply.header("x-firstright-ground").unwrap().contains("[AC-8]"), "{reply:?}");
    let view = admin.view("k");
    assert_eq!(view["budgets"][0]["exceeded"], true);
    assert_eq!(view["budgets"][0]["spent"], "0.0009 USD");
    world.stop();
}

/// The book is the store: what was made is there again, with what it has spent, and what was revoked stays so.
#[test]
fn accounts_are_there_again_after_a_restart() {
    let world = World::new();
    let admin = Admin(&world);
    admin.account(&json!({ "id": "search", "kind": "team", "budgets": ["0.004 USD"] }));
    let one = admin.key(&json!({ "id": "one", "in": "search", "tenant": "europe" }));
    let two = admin.key(&json!({ "id": "two", "in": "search", "tenant": "europe" }));
    admin.ask("DELETE", "/admin/accounts/two", &Value::Null);
    let tokens = "x-sandbox-tokens: 100,50\r\n";
    assert_eq!(call(&mut world.connect(), &one, tokens, &ask(MODEL)).status, 200);
    let before = admin.view("search");
    let world = world.restart();
    let admin = Admin(&world);
    assert_eq!(admin.view("search"), before);
    let mut http = world.connect();
    assert_eq!(call(&mut http, &two, tokens, &ask(MODEL)).status, 401);
    let mut statuses = BTreeMap::new();
    for _ in 0..6 {
        *statuses.entry(call(&mut http, &one, tokens, &ask(MODEL)).status).or_insert(0) += 1;
    }
    assert_eq!(statuses, BTreeMap::from([(200, 3), (429, 3)]), "what was spent before counts");
    world.stop();
}

#[test]
fn the_commands_make_change_and_close_accounts() {
    let world = World::new();
    let run = |args: &str| {
        let args = args.split(' ').map(|arg| arg.replace('~', " "));
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_firstright"));
        let output =
            command.args(args).args(["--data", "data"]).current_dir(&world.folder.0).output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.success(), said.concat())
    };
    let told = |args: &str| {
        let (done, said) = run(args);
        assert!(done, "{args}: {said}");
        said
    };
    assert!(
        told("account create acme --kind organisation --budget 5~USD/month")
            .contains("organisation `acme` is made")
    );
    told("account create search --in acme --models gpt-4o --requests-per-minute 100");
    let said = told("key create k --in search --tenant europe --soft-budget 1~USD/day");
    let key = said.lines().last().unwrap().trim();
    let mut http = world.connect();
    assert_eq!(call(&mut http, key, "x-sandbox-tokens: 100,50\r\n", &ask(MODEL)).status, 200);
    let said = told("account show acme");
    assert!(said.contains("hard budget: 0.0009 USD of 5.00 USD/month spent, begins anew at"), "{said}");
    told("account set search --models none --requests-per-minute none --regions eu-north");
    let said = told("account show search");
    assert!(
        said.contains("regions: eu-north") && !said.contains("models") && !said.contains("a minute"),
        "{said}"
    );
    let rotated = told("key rotate k --grace-s 60");
    let newer = rotated.lines().last().unwrap().trim();
    assert_eq!([key, newer].map(|key| status_of(&mut http, key)), [200, 200]);
    let listed = told("key list");
    assert!(listed.lines().count() == 2 && listed.contains("k ") && !listed.contains("acme "), "{listed}");
    told("key revoke k");
    assert_eq!([key, newer].map(|key| status_of(&mut http, key)), [401, 401]);
    told("account close acme");
    assert!(told("account list").lines().skip(1).all(|line| line.ends_with("closed")));
    for (args, why) in [
        ("key rotate k", "closed"),
        ("key create k --tenant europe", "already"),
        ("key create k2 --tenant nobody", "tenant"),
        ("key create k2 --in search --tenant europe", "closed"),
        ("account create x --budget 5~EUR/day", "USD"),
        ("account create x --budget much", "budget"),
        ("account show nobody", "no account"),
    ] {
        let (done, said) = run(args);
        assert!(!done && said.contains(why), "{args}: {said}");
    }
    world.stop();
}

/// What stands in the configuration is an account of the book as soon as it asks for more than a tenant.
#[test]
fn the_configuration_keeps_accounts_too() {
    let world = World::new();
    let config = world.folder.0.join("firstright.toml");
    let plain = std::fs::read_to_string(&config).unwrap();
    let digest = firstright::config::hex_digest("canary-fixed-key");
    let more = format!(
        "[[account]]\nid = \"search\"\nkind = \"team\"\nmodels = [\"gpt-4o\"]\n\
         [[key]]\nid = \"fixed\"\ntenant = \"europe\"\nin = \"search\"\nrequests-per-minute = 2\nsha256 = \"{digest}\"\n"
    );
    std::fs::write(&config, format!("{plain}{more}")).unwrap();
    let world = world.restart();
    let mut http = world.connect();
    let codes = [MODEL, MODEL, "gpt-4o-mini", MODEL]
        .map(|model| call(&mut http, "canary-fixed-key", "", &ask(model)).status);
    assert_eq!(codes, [200, 200, 403, 429]);
    let admin = Admin(&world);
    assert_eq!(admin.view("fixed")["fixed"], true);
    let reply = admin.ask("DELETE", "/admin/accounts/fixed", &Value::Null);
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (409, Some("account-conflict")));
    // Left out it is closed, and named again it is open again.
    std::fs::write(&config, &plain).unwrap();
    let world = world.restart();
    assert_eq!(status_of(&mut world.connect(), "canary-fixed-key"), 401);
    std::fs::write(&config, format!("{plain}{more}")).unwrap();
    let world = world.restart();
    let mut http = world.connect();
    assert_eq!(status_of(&mut http, "canary-fixed-key"), 429, "it is open again, and its minute is not over");
    // A reload does the same while calls are served.
    std::fs::write(&config, &plain).unwrap();
    world.plane.operating.reloader.as_ref().unwrap().reload().unwrap();
    assert_eq!(status_of(&mut http, "canary-fixed-key"), 401);
    world.stop();
}
