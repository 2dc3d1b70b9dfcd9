//! Does whatever a caller sends get an answer that says what is wrong with it, and never a fault of ours?
//!
//! Good bodies are spoilt at random from a fixed seed: values of other types and sizes, members gone, doubled or strange,
//! bytes flipped, cut and put in.

use firstright_sim::rng::{Purpose, Rng};
use serde_json::{Value, json};

use crate::world::{Http, Reply, World, bearer};

const SEED: u64 = 25;
/// Bodies for each operation.
const CASES: u64 = 400;

#[test]
fn no_garbage_is_answered_with_a_fault_of_ours() {
    let world = World::new();
    for (path, body) in [
        ("/v1/chat/completions", chat()),
        ("/v1/responses", responses()),
        (
            "/v1/embeddings",
            json!({ "model": "text-embedding-3-large", "input": ["a", "b"], "dimensions": 8 }),
        ),
        ("/openai/deployments/gpt-4o/chat/completions", chat()),
    ] {
        let statuses = spoilt(&world, path, &body);
        println!("{path}: {statuses:?}");
        // The bodies are neither all good nor all hopeless.
        assert!(statuses.iter().any(|(status, count)| *status == 400 && *count > CASES / 20), "{path}");
    }
    assert_eq!(world.chat("chat", &crate::world::ask("gpt-4o")).status, 200);
    world.stop();
}

fn chat() -> Value {
    json!({
        "model": "gpt-4o", "stream": true, "stream_options": { "include_usage": false }, "max_tokens": 5, "n": 1,
        "messages": [
            { "role": "system", "content": "s" },
            { "role": "user", "content": [{ "type": "text", "text": "t" }, { "type": "image_url", "image_url": { "url": "data:," } }] },
        ],
        "tools": [{ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } }],
        "service_tier": "auto", "metadata": { "k": "v" },
    })
}

fn responses() -> Value {
    json!({
        "model": "gpt-4o", "stream": false, "max_output_tokens": 5, "background": false, "store": false,
        "input": [{ "role": "user", "content": [{ "type": "input_text", "text": "t" }] }],
        "previous_response_id": null, "conversation": null, "instructions": "i",
    })
}

/// Sends spoilt bodies and counts the answers by status; each has to be well-formed, and none a 5xx.
fn spoilt(world: &World, path: &str, body: &Value) -> Vec<(u16, u64)> {
    let mut statuses: Vec<(u16, u64)> = Vec::new();
    let mut http: Option<Http> = None;
    for case in 0..CASES {
        let mut rng = Rng::stream(SEED, path, Purpose::Text, case);
        let bytes = spoil(&mut rng, body);
        let mut connected = http.take().unwrap_or_else(|| world.connect());
        let extra = format!("{}x-sandbox-tokens: 10,2\r\n", bearer("open"));
        connected.request("POST", path, &extra, &bytes).unwrap();
        let reply = connected.read();
        let shown = String::from_utf8_lossy(&bytes);
        let reply = reply.unwrap_or_else(|error| panic!("{path} {case}: {error}: {shown}"));
        well_formed(&reply, &format!("{path} {case}: {shown}"));
        if reply.header("connection") != Some("close") {
            http = Some(connected);
        }
        match statuses.iter_mut().find(|(status, _)| *status == reply.status) {
            Some((_, count)) => *count += 1,
            None => statuses.push((reply.status, 1)),
        }
    }
    statuses
}

fn well_formed(reply: &Reply, what: &str) {
    assert!(reply.whole, "{what}: {reply:?}");
    assert!(reply.status == 200 || (400..500).contains(&reply.status), "{what}: {reply:?}");
    if reply.status != 200 {
        let message = &reply.json()["error"]["message"];
        assert!(message.as_str().is_some_and(|message| !message.is_empty()), "{what}: {reply:?}");
    }
}

fn spoil(rng: &mut Rng, body: &Value) -> Vec<u8> {
    let mut body = body.clone();
    for _ in 0..=rng.below(2) {
        spoil_value(rng, &mut body);
    }
    let mut bytes = body.to_string().into_bytes();
    if rng.percent(30) {
        spoil_bytes(rng, &mut bytes);
    }
    bytes
}

/// Changes one place of a value, the deeper ones too.
fn spoil_value(rng: &mut Rng, value: &mut Value) {
    match value {
        Value::Object(members) if !members.is_empty() && rng.percent(85) => {
            let name = members.keys().nth(place(rng, members.len())).unwrap().clone();
            if rng.percent(15) {
                members.remove(&name);
            } else if rng.percent(15) {
                let strange = strange(rng);
                members.insert(NAMES[place(rng, NAMES.len())].to_string(), strange);
            } else {
                spoil_value(rng, &mut members[&name]);
            }
        }
        Value::Array(items) if !items.is_empty() && rng.percent(85) => {
            let at = place(rng, items.len());
            match rng.below(8) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                _ => spoil_value(rng, &mut items[at]),
            }
        }
        value => *value = strange(rng),
    }
}

/// Names that mean something somewhere, and some that never do.
const NAMES: [&str; 16] = [
    "model",
    "Model",
    "stream",
    "STREAM",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "best_of",
    "api_base",
    "host",
    "previous_response_id",
    "file_id",
    "encrypted_content",
    "",
    "\u{0}",
    "__proto__",
];

fn strange(rng: &mut Rng) -> Value {
    match rng.below(16) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(0),
        4 => json!(u64::MAX),
        5 => json!(i64::MIN),
        6 => json!(1e308),
        7 => json!(0.1),
        8 => json!(""),
        9 => json!("\u{0}\u{1f}\u{7f}\u{2028}\u{10ffff}"),
        10 => json!("x".repeat(5_000)),
        11 => json!([]),
        12 => json!({}),
        13 => (0..200).fold(json!(1), |inner, _| json!([inner])),
        14 => json!([null, [null, { "a": [] }]]),
        _ => json!({ "model": "other", "file_id": "f", "": { "": "" } }),
    }
}

fn spoil_bytes(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let at = place(rng, bytes.len());
    match rng.below(6) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << rng.below(8),
        2 => drop(bytes.remove(at)),
        3 => bytes.insert(at, rng.below(256) as u8),
        4 => bytes.extend(b"{}"),
        _ => {
            let escape: &[u8] =
                [&br#""\ud800""#[..], b"\xff\xfe", b"\xc0\x80", b"1e999", b"NaN", b"/**/"][place(rng, 6)];
            bytes.splice(at..at, escape.iter().copied());
        }
    }
}

fn place(rng: &mut Rng, length: usize) -> usize {
    rng.below(length as u64) as usize
}
