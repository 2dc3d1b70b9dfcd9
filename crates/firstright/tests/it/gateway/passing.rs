//! Does everything pass that is not acted on, and is an answer's end held until it is settled?

use firstright_core::fact::{Ending, Source};
use serde_json::{Value, json};

use crate::world::{Http, Recorder, World, ask, ask_stream, bearer, usage_in, usage_on_record};

/// A request as no serialiser would write it, with fields that nobody knows.
const ODD: &str = "{ \"messages\" :[ {\"role\":\"user\",\"content\":\"caf\u{e9} \\u0041 \\/\"}],\n\t\"model\":\"gpt-4o\",\
    \"x_unknown\":{\"deep\":[1,2.50,-0e0,null,{\"k\":\"v\"}]}, \"max_tokens\":50 , \"logit_bias\":{}, \"seed\":18446744073709551615}";

/// An answer as no provider would write it.
const ODD_ANSWER: &str = "{\"usage\":{ \"prompt_tokens\":7, \"completion_tokens\":5,\"total_tokens\":12},\r\n \"x\":[1e400,\"\\ud83d\\ude00 caf\u{e9}\"]  }";

fn answer(head: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n{head}\r\n{body}", body.len())
}

/// How an older server refuses the wish for usage.
fn recorder_refusal() -> Vec<u8> {
    let error =
        r#"{"error":{"message":"Unrecognized request argument supplied: stream_options","code":null}}"#;
    let head = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/json\r\n";
    format!("{head}content-length: {}\r\n\r\n{error}", error.len()).into()
}

#[test]
fn bytes_that_are_not_acted_on_pass_both_ways() {
    let head = "content-type: application/json; odd=1\r\nx-request-id: r1\r\nset-cookie: a=b\r\nx-ratelimit-remaining-tokens: 9\r\n";
    let recorder = Recorder::answering(answer(head, ODD_ANSWER));
    let world = World::before(&recorder);
    let reply = world.post("europe", "/v1/chat/completions", "cookie: c=d\r\nx-mine: e\r\n", ODD.as_bytes());
    assert_eq!(reply.status, 200);
    assert_eq!(reply.text(), ODD_ANSWER, "the answer's bytes");
    assert_eq!(reply.header("content-type"), Some("application/json; odd=1"));
    assert_eq!(reply.header("x-request-id"), Some("r1"));
    assert_eq!((reply.header("set-cookie"), reply.header("x-ratelimit-remaining-tokens")), (None, None));
    let requests = recorder.requests();
    let [(head, body)] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(body, ODD, "the request's bytes");
    let head = head.to_lowercase();
    assert!(head.starts_with("post /v1/chat/completions http/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: bearer canary-nordic-upstream-key"), "{head}");
    for absent in ["canary-client", "cookie", "x-mine"] {
        assert!(!head.contains(absent), "`{absent}` went to the provider: {head}");
    }
    let book = world.stop();
    let settled: Vec<_> = book.settled().collect();
    assert_eq!(usage_on_record(&settled[0].usage), (7, 0, 5));
}

#[test]
fn the_model_is_renamed_and_nothing_else() {
    let recorder = Recorder::answering(answer("content-type: application/json\r\n", ODD_ANSWER));
    let world = World::before(&recorder);
    assert_eq!(world.post("apis", "/v1/chat/completions", "", ODD.as_bytes()).deployment(), "azure-ptu");
    let embed = br#"{"model":"text-embedding-3-large","input":"a"}"#;
    assert_eq!(world.post("apis", "/v1/embeddings", "", embed).deployment(), "azure-embed");
    let requests = recorder.requests();
    let (v1, body) = (requests[0].0.to_lowercase(), &requests[0].1);
    assert!(v1.starts_with("post /openai/v1/chat/completions http/1.1\r\n"), "{v1}");
    assert!(v1.contains("api-key: canary-azure-upstream-key") && !v1.contains("authorization"), "{v1}");
    assert_eq!(*body, ODD.replace("\"gpt-4o\"", "\"four-o-ptu\""));
    let dated = &requests[1].0;
    let path = "POST /openai/deployments/embed-3/embeddings?api-version=2024-10-21 HTTP/1.1\r\n";
    assert!(dated.starts_with(path), "{dated}");
    world.stop();
}

#[test]
fn an_answer_is_the_same_as_a_direct_one() {
    let world = World::new();
    let through = world.chat("europe", &ask("gpt-4o"));
    // The same clouds once more: the same seed gives the same first answer, but for the second it was made in.
    let other = World::new();
    let mut direct = Http::connect(other.cloud("nordic").address).unwrap();
    let key = format!("authorization: Bearer {}\r\n", other.cloud("nordic").key);
    direct.request("POST", "/v1/chat/completions", &key, ask("gpt-4o").to_string().as_bytes()).unwrap();
    let direct = direct.read().unwrap();
    let without_time = |text: &str| {
        let (before, after) = text.split_once("\"created\":").unwrap();
        format!("{before}{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
    };
    assert_eq!(without_time(through.text()), without_time(direct.text()));
    assert_eq!(through.header("x-request-id"), direct.header("x-request-id"));
}

#[test]
fn azure_is_spoken_in_both_dialects_upstream_and_down() {
    let world = World::with(
        &[("provisioned = { per-minute = 60_000_000 }", "pay-as-you-go = { tokens-per-minute = 10 }")],
        "",
        |_| {},
    );
    // The provisioned deployment (v1) is too small, so the other one (dated) serves.
    let reply = world.chat("apis", &ask("gpt-4o"));
    assert_eq!((reply.status, reply.deployment()), (200, "azure-payg"), "{}", reply.text());
    assert_eq!(reply.json()["model"], "gpt-4o-2024-11-20");
    let body = json!({ "model": "text-embedding-3-large", "input": "how much is left?" }).to_string();
    let reply = world.post("apis", "/v1/embeddings", "", body.as_bytes());
    assert_eq!((reply.status, reply.deployment()), (200, "azure-embed"), "{}", reply.text());
    // An Azure client: the model stands in the path, the key in `api-key`.
    let mut azure = world.connect();
    let key = format!("api-key: {}\r\n", crate::world::key_of("apis"));
    let path = "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21";
    let body = json!({ "messages": [{ "role": "user", "content": "x" }], "max_tokens": 5 }).to_string();
    azure.request("POST", path, &key, body.as_bytes()).unwrap();
    let reply = azure.read().unwrap();
    assert_eq!((reply.status, reply.deployment()), (200, "azure-mini"), "{}", reply.text());
    // The list of models is the tenant's.
    let mut list = world.connect();
    list.request("GET", "/v1/models", &bearer("narrow"), b"").unwrap();
    let models = list.read().unwrap().json();
    let ids: Vec<&str> =
        models["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["gpt-4o-mini"]);
    let book = world.stop();
    assert_eq!(book.settled().filter(|one| one.source == Source::Provider).count(), 3);
}

#[test]
fn usage_is_asked_for_and_withheld() {
    let world = World::new();
    let tokens = "x-sandbox-tokens: 1234,17,1024\r\n";
    let usage_chunks = |events: &[Value]| {
        events
            .iter()
            .filter(|one| one["choices"].as_array().is_some_and(Vec::is_empty) && one["usage"].is_object())
            .count()
    };
    for (tenant, deployment) in [("apis", "azure-ptu"), ("europe", "nordic-gpt-4o")] {
        let silent = world.connect().chat(tenant, tokens, &ask_stream("gpt-4o", false)).unwrap();
        assert_eq!((silent.status, silent.deployment()), (200, deployment));
        let (events, done) = silent.events();
        assert!(done && silent.whole, "{}", silent.text());
        assert_eq!(usage_chunks(&events), 0, "the client did not ask: {}", silent.text());
        let asked = world.connect().chat(tenant, tokens, &ask_stream("gpt-4o", true)).unwrap();
        let (events, done) = asked.events();
        assert!(done && asked.whole);
        assert_eq!(usage_chunks(&events), 1);
        assert_eq!(usage_in(&events.last().unwrap()["usage"]), (1234, 1024, 17));
    }
    let responses =
        json!({ "model": "gpt-4o", "input": "x", "stream": true, "max_output_tokens": 50 }).to_string();
    let reply = world.post("europe", "/v1/responses", tokens, responses.as_bytes());
    assert!(reply.whole && reply.text().contains("event: response.completed"), "{}", reply.text());
    let book = world.stop();
    let settled: Vec<_> = book.settled().collect();
    assert_eq!(settled.len(), 5);
    for one in settled {
        assert_eq!((one.source, one.ending), (Source::Provider, Ending::Complete));
        assert_eq!(usage_on_record(&one.usage), (1234, 1024, 17));
    }
}

#[test]
fn a_server_that_does_not_know_the_wish_for_usage_is_asked_without_it() {
    let events = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\ndata: [DONE]\n\n";
    let recorder = Recorder::answering_in_turn(vec![
        recorder_refusal(),
        answer("content-type: text/event-stream\r\n", events).into(),
    ]);
    let world = World::before(&recorder);
    let reply = world.chat("europe", &ask_stream("gpt-4o", false));
    assert_eq!((reply.status, reply.text()), (200, events));
    let asked = ask_stream("gpt-4o", false).to_string();
    let requests = recorder.requests();
    assert!(requests[0].1.contains("include_usage"), "{requests:?}");
    assert_eq!((requests.len(), &requests[1].1), (2, &asked));
    // A client that wishes for it itself is told that it is refused.
    let refusing = Recorder::answering(recorder_refusal());
    let other = World::before(&refusing);
    assert_eq!(other.chat("europe", &ask_stream("gpt-4o", true)).status, 400);
    assert_eq!(refusing.requests().len(), 1);
    let book = world.stop();
    let settled = book.settled().next().unwrap();
    assert_eq!(
        (settled.source, settled.ending, settled.usage.output),
        (Source::Counted, Ending::Complete, 2)
    );
}

#[test]
fn the_end_of_an_answer_comes_after_its_settlement() {
    let world = World::new();
    let mut http = world.connect();
    for round in 0..40u64 {
        let (stream, tokens) = (round % 2 == 0, format!("x-sandbox-tokens: {},7\r\n", 100 + round));
        let body = if stream { ask_stream("gpt-4o", round % 4 == 0) } else { ask("gpt-4o") };
        let extra = format!("{}{tokens}", bearer("chat"));
        http.request("POST", "/v1/chat/completions", &extra, body.to_string().as_bytes()).unwrap();
        let mut reply = http.head().unwrap();
        // The file is read as soon as the last bytes are here, before the end of the body.
        if stream {
            http.read_to(&mut reply, "[DONE]")
        } else {
            http.rest(&mut reply).unwrap()
        }
        let settled = world.book().settlements_of(reply.decision());
        assert_eq!(settled.len(), 1, "round {round}: the settlement is on disk");
        assert_eq!(usage_on_record(&settled[0].usage), (100 + round, 0, 7));
        http.rest(&mut reply).unwrap();
    }
    world.stop();
}
