//! Is a client served in its own language, whatever the provider speaks?

use firstright::sandbox;
use firstright_core::fact::{Ending, Fact, Source};
use firstright_wire::language::Language;
use serde_json::{Value, json};

use crate::dialects::{EMBEDDERS, Embedder, SPEAKERS, Speaker, cloud, embedding_cloud};
use crate::world::{Folder, World, key_of};
use firstright::config::hex_digest;

/// A law of one provider, whose one model is `m`.
const LAW: &str = r#"
currency = "USD"
[[party]]
id = "us"
operator = true
[[party]]
id = "them"
[[provider]]
id = "cloud"
party = "them"
region = "us-east"
jurisdiction = "us"
[[provider.deployment]]
id = "one"
model = "m"
capacity = { concurrent = 64 }
price = { input = "3 USD/Mtok", output = "15 USD/Mtok" }
[[tenant]]
id = "chat"
"#;

/// A gateway in front of one cloud of this language.
fn world(dialect: &str, clouds: sandbox::Running, model: &str, prefix: &str, more: &str) -> World {
    world_under(LAW, dialect, clouds, (model, prefix, more))
}

/// The same under another law.
fn world_under(
    law: &str,
    dialect: &str,
    clouds: sandbox::Running,
    (model, prefix, more): (&str, &str, &str),
) -> World {
    let folder = Folder::new();
    let cloud = &clouds.clouds[0];
    let secret = folder.write("cloud.key", &cloud.key);
    folder.write("law.toml", law);
    let config = format!(
        "agreements = [\"law.toml\"]\ndata = \"data\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[gateway]\nlisten = \"127.0.0.1:0\"\n\
         threads = 1\n[[key]]\nid = \"chat\"\ntenant = \"chat\"\nsha256 = \"{}\"\n[[deployment]]\nid = \"one\"\n\
         url = \"http://{}{prefix}\"\ndialect = \"{dialect}\"\nname = \"{model}\"\nkey = {{ file = {secret:?} }}\n{more}",
        hex_digest(&key_of("chat")),
        cloud.address,
    );
    let config = folder.write("firstright.toml", &config);
    World::serve(folder, clouds, &config)
}

fn of(speaker: &Speaker) -> World {
    let dialect = match speaker.language {
        Language::Anthropic => "anthropic",
        Language::Bedrock => "bedrock",
        Language::Gemini => "gemini",
        Language::Oci { .. } => "oci",
    };
    world(dialect, cloud(speaker, |_| {}), speaker.model, speaker.prefix, &speaker.more())
}

fn question() -> Value {
    json!({ "model": "m", "max_tokens": 60, "messages": [{ "role": "user", "content": "How much is left?" }] })
}

/// The data of each event of a stream.
fn events(body: &[u8]) -> Vec<Value> {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[test]
fn openais_clients_are_served_by_providers_of_other_languages() {
    for speaker in SPEAKERS.iter() {
        let world = of(speaker);
        let reply = world.chat("chat", &question());
        assert_eq!(reply.status, 200, "{}: {:?}", speaker.model, reply.json());
        let whole = reply.json();
        assert_eq!(whole["object"], "chat.completion");
        assert!(!whole["choices"][0]["message"]["content"].as_str().unwrap().is_empty());
        assert_eq!(reply.header("content-type"), Some("application/json"));
        let mut asked = question();
        asked["stream"] = json!(true);
        let reply = world.chat("chat", &asked);
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/event-stream")));
        assert!(reply.text().trim_end().ends_with("data: [DONE]"), "{}", reply.text());
        let events = events(&reply.body);
        assert!(events.iter().all(|event| event["usage"].is_null()), "usage was not asked for");
        assert!(events.len() > 2 && events.iter().all(|event| event["object"] == "chat.completion.chunk"));
        let book = world.stop();
        let settled: Vec<_> = book.settled().collect();
        assert_eq!(settled.len(), 2);
        let usage = &whole["usage"];
        let all = settled[0].usage;
        assert_eq!(usage["prompt_tokens"], all.input + all.cached_input + all.cache_write);
        assert_eq!(usage["completion_tokens"], all.output + all.reasoning);
        for one in settled {
            assert_eq!((one.source, one.ending), (Source::Provider, Ending::Complete), "{}", speaker.model);
            assert!(one.usage.output + one.usage.reasoning > 0);
        }
    }
}

/// What a language cannot say is refused with the parameter, and says nothing of the provider's health.
#[test]
fn what_a_language_cannot_say_is_refused_by_name() {
    let world = of(&SPEAKERS[0]);
    let mut asked = question();
    asked["logprobs"] = json!(true);
    for _ in 0..6 {
        let reply = world.chat("chat", &asked);
        assert_eq!((reply.status, &reply.json()["error"]["param"]), (400, &json!("logprobs")));
    }
    let reply = world.post("chat", "/v1/embeddings", "", br#"{"model":"m","input":"x"}"#);
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (400, &json!("operation_not_spoken")));
    assert_eq!(world.chat("chat", &question()).status, 200);
    world.stop();
}

fn messages(world: &World, body: &Value) -> crate::world::Reply {
    let key = format!("x-api-key: {}\r\nanthropic-version: 2023-06-01\r\n", key_of("chat"));
    let mut http = world.connect();
    http.request("POST", "/v1/messages", &key, body.to_string().as_bytes()).unwrap();
    http.read().unwrap()
}

/// Anthropic's clients get Anthropic's messages, from a cloud that speaks it (the bytes pass) and from one that does not.
#[test]
fn anthropics_clients_are_served_by_every_provider() {
    let openai = || {
        let clouds = crate::world::clouds(|spec| spec.clouds.retain(|cloud| cloud.name == "oracle"));
        world("open-ai", clouds, "gpt-4o", "/v1", "")
    };
    for world in std::iter::once(openai()).chain(SPEAKERS.iter().map(of)) {
        let reply = messages(&world, &question());
        assert_eq!(reply.status, 200, "{}", reply.text());
        let whole = reply.json();
        assert_eq!((&whole["type"], &whole["role"]), (&json!("message"), &json!("assistant")));
        assert_eq!(whole["content"][0]["type"], "text");
        let mut asked = question();
        asked["stream"] = json!(true);
        let reply = messages(&world, &asked);
        let kinds: Vec<_> =
            events(&reply.body).iter().map(|event| event["type"].as_str().unwrap().to_string()).collect();
        assert_eq!(
            (kinds.first().unwrap().as_str(), kinds.last().unwrap().as_str()),
            ("message_start", "message_stop")
        );
        assert!(kinds.iter().any(|kind| kind == "content_block_delta"));
        let refused = messages(&world, &json!({ "model": "none", "max_tokens": 1, "messages": [] }));
        assert_eq!((refused.status, &refused.json()["error"]["type"]), (404, &json!("not_found_error")));
        let path = "/v1/messages/count_tokens";
        let counted = world.post("chat", path, "", question().to_string().as_bytes());
        assert!(counted.json()["input_tokens"].as_u64().unwrap() > 0);
        let book = world.stop();
        let settled: Vec<_> = book.settled().collect();
        assert_eq!(settled.len(), 2);
        let (usage, said) = (settled[0].usage, &whole["usage"]);
        assert_eq!(
            (&said["input_tokens"], &said["output_tokens"]),
            (&json!(usage.input), &json!(usage.output + usage.reasoning))
        );
        assert!(settled.iter().all(|one| one.source == Source::Provider && one.ending == Ending::Complete));
    }
}

/// Google says with each answer which capacity served it: what was sent to bought capacity and served by the other is a
/// spill of the provider's own.
#[test]
fn a_spill_from_bought_capacity_is_known_by_its_traffic_type() {
    let speaker = &SPEAKERS[2];
    let law = LAW.replace("{ concurrent = 64 }", "{ provisioned = { per-minute = 600_000, units = 1 } }");
    let world = world_under(&law, "gemini", cloud(speaker, |_| {}), (speaker.model, speaker.prefix, ""));
    let mut asked = question();
    assert_eq!(world.chat("chat", &asked).status, 200);
    asked["stream"] = json!(true);
    assert_eq!(world.chat("chat", &asked).status, 200);
    let book = world.stop();
    let observed = book.records.iter().filter_map(|record| match &record.fact {
        Fact::CallSettled { observed, .. } => Some(observed.is_some_and(|seen| seen.spilled)),
        _ => None,
    });
    assert_eq!(observed.collect::<Vec<bool>>(), [true, true]);
}

fn embedding(embedder: &Embedder) -> World {
    let dialect = if embedder.speaker == 1 { "bedrock" } else { "gemini" };
    world(dialect, embedding_cloud(embedder), embedder.model, embedder.prefix, "")
}

/// Vectors in the form that a client asks for, one for each text, and paid by what the provider counted.
#[test]
fn openais_clients_get_vectors_from_providers_of_other_languages() {
    for embedder in &EMBEDDERS {
        let world = embedding(embedder);
        let input = if embedder.batch { json!(["first", "second", "third"]) } else { json!("first") };
        let texts = if embedder.batch { 3 } else { 1 };
        let mut asked = json!({ "model": "m", "input": input, "dimensions": 512 });
        let floats = world.post("chat", "/v1/embeddings", "", asked.to_string().as_bytes());
        let whole = floats.json();
        assert_eq!(floats.status, 200, "{}: {whole:?}", embedder.model);
        assert_eq!((&whole["object"], &whole["model"]), (&json!("list"), &json!("m")));
        let data = whole["data"].as_array().unwrap();
        assert_eq!(data.len(), texts, "{}", embedder.model);
        for (index, one) in data.iter().enumerate() {
            assert_eq!((&one["object"], &one["index"]), (&json!("embedding"), &json!(index)));
            assert_eq!(one["embedding"].as_array().unwrap().len(), 512, "{}", embedder.model);
        }
        asked["encoding_format"] = json!("base64");
        let packed = world.post("chat", "/v1/embeddings", "", asked.to_string().as_bytes());
        assert_eq!(packed.status, 200, "{}", packed.text());
        // 512 numbers of four bytes each.
        let vector = packed.json()["data"][0]["embedding"].as_str().unwrap().len();
        assert_eq!(vector, (512_usize * 4).div_ceil(3) * 4, "{}", embedder.model);
        let book = world.stop();
        let settled: Vec<_> = book.settled().collect();
        assert_eq!(settled.len(), 2);
        for one in settled {
            let source = if embedder.tells { Source::Provider } else { Source::Counted };
            assert_eq!((one.source, one.ending), (source, Ending::Complete), "{}", embedder.model);
            assert_eq!(one.usage.output + one.usage.reasoning, 0);
        }
        if embedder.tells {
            assert_eq!(whole["usage"]["prompt_tokens"], json!(book.settled().next().unwrap().usage.input));
        }
    }
}

#[test]
fn what_no_vector_can_be_made_of_is_refused_by_name() {
    for embedder in &EMBEDDERS {
        let world = embedding(embedder);
        let refused = |body: Value| {
            let reply = world.post("chat", "/v1/embeddings", "", body.to_string().as_bytes());
            assert_eq!(reply.status, 400, "{}: {}", embedder.model, reply.text());
            reply.json()["error"]["param"].clone()
        };
        assert_eq!(refused(json!({ "model": "m", "input": [1, 2, 3] })), "input");
        if !embedder.batch {
            assert_eq!(refused(json!({ "model": "m", "input": ["a", "b"] })), "input");
        }
        // The provider is well all the same.
        let body = json!({ "model": "m", "input": "a" });
        assert_eq!(world.post("chat", "/v1/embeddings", "", body.to_string().as_bytes()).status, 200);
        world.stop();
    }
}
