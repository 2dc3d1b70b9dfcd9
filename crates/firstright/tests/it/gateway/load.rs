//! Does the sum come out: what clients saw, what is on record, what the clouds counted, and what is owed?

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::sync::Mutex;

use firstright_core::decision::Action;
use firstright_core::fact::{Ending, Fact, Source};
use firstright_core::journal::Record;
use firstright_core::workload::CallId;
use serde_json::json;

use crate::world::{Book, Folder, LAW, World, ask, ask_stream, bearer, usage_in, usage_on_record};

const CLIENTS: u64 = 64;
const CALLS: u64 = 50;

/// What a client saw of one call.
struct Seen {
    decision: u64,
    deployment: String,
    usage: (u64, u64, u64),
}

/// One client: stream and whole answers by turns, and by turns with and without usage, over one connection.
fn client(world: &World, client: u64, seen: &Mutex<Vec<Seen>>) {
    let mut http = world.connect();
    for call in 0..CALLS {
        let tenant = ["chat", "europe", "open"][(client % 3) as usize];
        let number = client * CALLS + call;
        // Every call has a number of input tokens of its own, so that none can stand for another.
        let usage = (1_024 + number, 128 * (call % 5), 1 + call % 30);
        let extra = format!("{}x-sandbox-tokens: {},{},{}\r\n", bearer(tenant), usage.0, usage.2, usage.1);
        let body = if call % 2 == 0 { ask("gpt-4o") } else { ask_stream("gpt-4o", call % 4 == 1) };
        http.request("POST", "/v1/chat/completions", &extra, body.to_string().as_bytes()).unwrap();
        let reply = http.read().unwrap();
        assert!(reply.status == 200 && reply.whole, "{}", String::from_utf8_lossy(&reply.body));
        if call % 2 == 0 {
            assert_eq!(usage_in(&reply.json()["usage"]), usage);
        } else {
            assert!(reply.events().1, "{}", reply.text());
        }
        let (decision, deployment) = (reply.decision(), reply.deployment().to_string());
        seen.lock().unwrap().push(Seen { decision, deployment, usage });
    }
}

#[test]
fn sixty_four_clients_have_one_outcome_a_call_and_the_sums_come_out() {
    let world = World::new();
    let seen = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (world, seen) = (&world, &seen);
            scope.spawn(move || client(world, number, seen));
        }
    });
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen.len() as u64, CLIENTS * CALLS);
    assert_eq!(world.open_calls(), 0);
    let clouds =
        [("azure", "four-o-ptu"), ("azure", "four-o-payg"), ("nordic", "gpt-4o"), ("oracle", "gpt-4o")];
    let counted: Vec<_> = clouds.iter().map(|(cloud, deployment)| world.counted(cloud, deployment)).collect();
    let book = world.stop();
    one_outcome_a_call(&book, &seen);
    // The clouds' own counters, deployment by deployment.
    let mut sums: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
    for one in &seen {
        let sum = sums.entry(&one.deployment).or_default();
        let (prompt, cached, output) = one.usage;
        *sum = [sum[0] + 1, sum[1] + prompt, sum[2] + cached, sum[3] + output];
    }
    let names = ["azure-ptu", "azure-payg", "nordic-gpt-4o", "oracle-gpt-4o"];
    for (name, counted) in names.iter().zip(&counted) {
        let keys = ["served", "prompt_tokens", "cached_tokens", "output_tokens"];
        let counted: Vec<u64> = keys.iter().map(|key| counted[key].as_u64().unwrap()).collect();
        assert_eq!(counted, sums.get(name).copied().unwrap_or_default(), "{name}");
    }
    prices_follow(&book);
}

/// Every call has one settlement, from the provider's usage, with the numbers that its client saw.
fn one_outcome_a_call(book: &Book, seen: &[Seen]) {
    let mut settled: BTreeMap<CallId, Vec<_>> = BTreeMap::new();
    for one in book.settled() {
        settled.entry(one.call).or_default().push(one);
    }
    assert_eq!(settled.len(), seen.len());
    let served: BTreeMap<u64, CallId> = book.serves().map(|(record, call, _)| (record, call)).collect();
    for one in seen {
        let [settled] = settled[&served[&one.decision]].as_slice() else { panic!("settled twice") };
        assert_eq!((settled.source, settled.ending), (Source::Provider, Ending::Complete));
        assert_eq!(usage_on_record(&settled.usage), one.usage);
    }
}

/// Nano-units of (input, cached input, output) for a token, as the law's text says.
fn rates(deployment: &str) -> (i128, i128, i128) {
    match deployment {
        // Provisioned capacity is paid by the hour.
        "azure-ptu" => (0, 0, 0),
        "azure-payg" => (2_500, 1_250, 10_000),
        "oracle-gpt-4o" => (2_400, 1_200, 9_600),
        "nordic-gpt-4o" => (3_000, 1_500, 12_000),
        other => panic!("no price of {other}"),
    }
}

/// Every settlement costs what the law's prices say.
fn prices_follow(book: &Book) {
    let world = book.world();
    let name = |deployment| world.deployment(deployment).id.clone();
    let deployments: BTreeMap<CallId, String> =
        book.serves().map(|(_, call, deployment)| (call, name(deployment))).collect();
    let mut checked = 0;
    for record in &book.records {
        let Fact::CallSettled { call, usage, .. } = &record.fact else { continue };
        let settles = |record: &Record| {
            record.decisions.iter().find_map(|one| match one.action {
                Action::Settle { call: own, cost, .. } if own == *call => cost,
                _ => None,
            })
        };
        let (input, cached, output) = rates(&deployments[call]);
        let expected = i128::from(usage.input) * input
            + i128::from(usage.cached_input) * cached
            + i128::from(usage.output) * output;
        assert_eq!(settles(record).unwrap().0, expected, "{}", deployments[call]);
        checked += 1;
    }
    assert!(checked > 0);
}

fn firstright(arguments: &[&str], folder: &Folder) -> Output {
    Command::new(env!("CARGO_BIN_EXE_firstright")).args(arguments).current_dir(&folder.0).output().unwrap()
}

fn said(output: &Output) -> &str {
    assert!(output.status.success(), "{output:?}");
    std::str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn the_commands_tell_what_happened() {
    let world = World::new();
    world.fault("azure", None, json!({ "throttle-storm": { "percent": 100, "retry_after_ms": 60_000 } }));
    let tokens = "x-sandbox-tokens: 200000,5000\r\n";
    let spilled = world.connect().chat("chat", tokens, &ask("gpt-4o")).unwrap();
    assert_eq!(spilled.deployment(), "oracle-gpt-4o");
    world.chat("nowhere", &ask("gpt-4o")).refuses(403, "compliance_refusal");
    let World { clouds, plane, folder } = world;
    plane.stop();
    drop(clouds);
    let output = firstright(&["verify", "data"], &folder);
    assert!(said(&output).contains("records: every decision follows from the facts\ntip "), "{output:?}");
    let output = firstright(&["verify", "--chain-only", "data/journal.frj"], &folder);
    assert!(said(&output).contains("the chain is whole"), "{output:?}");
    let decision = spilled.decision().to_string();
    let output = firstright(&["explain", &decision, "--journal", "data"], &folder);
    for line in [
        "rights, in the order of asking:\n  azure-2026/azure-first of microsoft, answering by its published capacity",
        "azure-ptu      may serve; azure-ptu short (0 of 56 free",
        "nordic-gpt-4o  may serve, has room",
        "serve call 1 at oracle-gpt-4o with gpt-4o",
        "because azure-2026/azure-first released by azure-ptu throttled it (429) [FR-4]",
        "because best price [CH-3]",
    ] {
        assert!(said(&output).contains(line), "no `{line}` in:\n{}", said(&output));
    }
    let output = firstright(&["explain", "999", "--journal", "data"], &folder);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the journal has"), "{output:?}");
    // 200,000 input tokens at 2.40 a million and 5,000 of output at 9.60 cost 0.528; 5 and 20 were charged, 1.10 in
    // all, and a fifth of that is owed.
    let output = firstright(&["settle", "data"], &folder);
    assert!(said(&output).contains("us owes oracle 0.53 USD  usage"), "{}", said(&output));
    assert!(
        said(&output).contains("us owes microsoft 0.22 USD  revenue share (azure-2026/azure-share"),
        "{}",
        said(&output)
    );
    let output = firstright(&["settle", "data", "--party", "oracle"], &folder);
    assert!(!said(&output).contains("microsoft"), "a party sees its own lines: {}", said(&output));
    assert!(LAW.contains("share = \"20 %\""));
}
