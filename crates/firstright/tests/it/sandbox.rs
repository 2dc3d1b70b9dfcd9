//! Do the sandbox clouds answer on the wire as the providers do? Real sockets, blocking clients.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use firstright::sandbox::{Running, RunningCloud, start};
use firstright_sim::cloud::{
    CapacitySpec, Fault, LiveFault, MeteredSpec, ProvisionedSpec, Quantiles, SlotsSpec, Spec,
};
use serde_json::{Value, json};

/// Fast enough that no test waits for a model to think.
const SPEED: u32 = 200;

fn clouds_at(speed: u32, change: impl FnOnce(&mut Spec)) -> Running {
    let mut spec = Spec::reference();
    spec.listen_base = "127.0.0.1:0".to_owned();
    change(&mut spec);
    start(spec, 7, speed).unwrap()
}

fn clouds_with(change: impl FnOnce(&mut Spec)) -> Running {
    clouds_at(SPEED, change)
}

fn clouds() -> Running {
    clouds_with(|_| {})
}

#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
    /// The last chunk or the whole announced length arrived.
    whole: bool,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The `data:` lines that are JSON; says whether `[DONE]` came last.
    fn events(&self) -> (Vec<Value>, bool) {
        let data: Vec<&str> = self.body.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        let done = data.last() == Some(&"[DONE]");
        let json = data.iter().filter(|data| **data != "[DONE]");
        (json.map(|data| serde_json::from_str(data).unwrap()).collect(), done)
    }
}

/// One request on a connection of its own; `extra` is more header lines.
fn send(cloud: &RunningCloud, method: &str, path: &str, extra: &str, body: &str) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect(cloud.address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n{extra}content-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut received = Vec::new();
    // A reset ends a broken answer as well as an end of file does.
    let _ = stream.read_to_end(&mut received);
    let received = String::from_utf8(received).unwrap();
    let (head, body) =
        received.split_once("\r\n\r\n").ok_or_else(|| std::io::Error::other("no answer came"))?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut reply = Reply { status, head: head.to_owned(), body: body.to_owned(), whole: true };
    if reply.header("transfer-encoding") == Some("chunked") {
        (reply.body, reply.whole) = unchunked(body);
    } else if let Some(length) = reply.header("content-length") {
        reply.whole = length.parse() == Ok(body.len());
    }
    Ok(reply)
}

fn unchunked(mut body: &str) -> (String, bool) {
    let mut out = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (out, true);
        }
        out.push_str(&rest[..size]);
        body = &rest[size + 2..];
    }
    (out, false)
}

fn post(cloud: &RunningCloud, path: &str, extra: &str, body: &Value) -> Reply {
    let extra = format!("authorization: Bearer {}\r\n{extra}", cloud.key);
    send(cloud, "POST", path, &extra, &body.to_string()).unwrap()
}

fn chat(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "How much is left?" }], "max_tokens": 50 })
}

/// A stream whose first bytes have come.
fn leave_open(cloud: &RunningCloud, extra: &str) -> TcpStream {
    let mut body = chat("gpt-5");
    body["stream"] = json!(true);
    let body = body.to_string();
    let mut stream = TcpStream::connect(cloud.address).unwrap();
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: s\r\nauthorization: Bearer {}\r\n{extra}content-length: {}\r\n\r\n{body}",
        cloud.key,
        body.len()
    )
    .unwrap();
    assert!(stream.read(&mut [0; 64]).unwrap() > 0);
    stream
}

/// Waits for another thread's doing, which takes no time that could be paused.
fn until(what: &str, happened: impl Fn() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}: not in ten seconds");
        std::thread::yield_now();
    }
}

fn azure_and_oracle(running: &Running) -> (&RunningCloud, &RunningCloud) {
    (running.cloud("azure").unwrap(), running.cloud("oracle").unwrap())
}

#[test]
fn plain_chat_has_exact_usage_in_both_dialects() {
    let running = clouds();
    let (azure, oracle) = azure_and_oracle(&running);
    let tokens = "x-sandbox-tokens: 1234,17,1000\r\n";
    let reply = post(oracle, "/v1/chat/completions", tokens, &chat("gpt-5"));
    assert_eq!(reply.status, 200, "{reply:?}");
    let body = reply.json();
    assert_eq!(body["usage"]["prompt_tokens"], 1234);
    assert_eq!(body["usage"]["completion_tokens"], 17);
    assert_eq!(body["usage"]["total_tokens"], 1251);
    assert_eq!(body["usage"]["prompt_tokens_details"]["cached_tokens"], 1000);
    assert_eq!(body["choices"][0]["message"]["content"].as_str().unwrap().split_whitespace().count(), 17);
    assert_eq!(body["choices"][0].get("content_filter_results"), None);

    let path = "/openai/deployments/gpt-5-ptu/chat/completions?api-version=2024-10-21";
    let reply = post(azure, path, tokens, &json!({ "messages": [] }));
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["choices"][0]["content_filter_results"]["hate"]["filtered"], false);
    assert_eq!(reply.header("x-ms-region"), Some("East US 2"));
    assert_eq!(reply.header("x-ms-deployment-name"), Some("gpt-5-ptu"));
    assert!(reply.header("azure-openai-deployment-utilization").unwrap().ends_with('%'));
    assert_eq!(reply.header("x-ratelimit-limit-tokens"), None);
    assert!(reply.header("apim-request-id").is_some() && reply.header("x-request-id").is_some());

    let counted = oracle.counters();
    assert_eq!((counted.served, counted.prompt_tokens, counted.output_tokens), (1, 1234, 17));
}

#[test]
fn without_forced_tokens_max_tokens_ends_the_answer() {
    let running = clouds();
    let (_, oracle) = azure_and_oracle(&running);
    let body = json!({ "model": "gpt-5", "messages": "12345678", "max_tokens": 2 });
    let body = post(oracle, "/v1/chat/completions", "", &body).json();
    assert_eq!(body["choices"][0]["finish_reason"], "length");
    assert_eq!(
        (&body["usage"]["prompt_tokens"], &body["usage"]["completion_tokens"]),
        (&json!(3), &json!(2))
    );
}

#[test]
fn a_chat_stream_ends_with_usage_and_done() {
    let running = clouds();
    let (azure, oracle) = azure_and_oracle(&running);
    for (cloud, path, model) in
        [(azure, "/openai/v1/chat/completions", "gpt-5-payg"), (oracle, "/v1/chat/completions", "gpt-5")]
    {
        let mut body = chat(model);
        body["stream"] = json!(true);
        body["stream_options"] = json!({ "include_usage": true });
        let reply = post(cloud, path, "x-sandbox-tokens: 100,40\r\n", &body);
        assert_eq!(reply.header("content-type"), Some("text/event-stream"));
        assert!(reply.whole);
        let (events, done) = reply.events();
        assert!(done, "{reply:?}");
        let (last, before) = events.split_last().unwrap();
        assert_eq!((&last["choices"], &last["usage"]["completion_tokens"]), (&json!([]), &json!(40)));
        assert!(before.iter().all(|event| event.get("usage") == Some(&Value::Null)), "{before:?}");
        let text: String =
            before.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(text.split_whitespace().count(), 40);
        assert_eq!(before.last().unwrap()["choices"][0]["finish_reason"], "stop");
        if cloud.name == "azure" {
            assert_eq!((&before[0]["id"], &before[0]["choices"]), (&json!(""), &json!([])));
            assert!(before[0]["prompt_filter_results"][0]["content_filter_results"].is_object());
            assert!(reply.header("x-ratelimit-remaining-tokens").is_some());
        } else {
            assert_eq!(before[0]["choices"][0]["delta"]["role"], "assistant");
        }
    }
    let mut body = chat("gpt-5");
    body["stream"] = json!(true);
    let (events, done) = post(oracle, "/v1/chat/completions", "", &body).events();
    assert!(done && events.iter().all(|event| event.get("usage").is_none()));
}

#[test]
fn responses_stream_names_its_events_and_reports_usage_last() {
    let running = clouds();
    let (azure, oracle) = azure_and_oracle(&running);
    let body = json!({ "model": "gpt-5-ptu", "input": "hello", "stream": true });
    let reply =
        post(azure, "/openai/responses?api-version=2025-04-01-preview", "x-sandbox-tokens: 9,30\r\n", &body);
    let (events, done) = reply.events();
    assert!(!done && reply.whole);
    let names: Vec<&str> = reply.body.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(names, types);
    assert!(events.iter().enumerate().all(|(index, event)| event["sequence_number"] == index));
    assert_eq!((names[0], *names.last().unwrap()), ("response.created", "response.completed"));
    let response = &events.last().unwrap()["response"];
    assert_eq!(response["usage"]["output_tokens"], 30);
    let deltas: String = events.iter().filter_map(|event| event["delta"].as_str()).collect();
    assert_eq!(response["output"][0]["content"][0]["text"], deltas);

    let body = json!({ "model": "gpt-5", "input": "hello", "max_output_tokens": 1 });
    let body = post(oracle, "/v1/responses", "", &body).json();
    assert_eq!((&body["status"], &body["usage"]["output_tokens"]), (&json!("incomplete"), &json!(1)));
}

#[test]
fn embeddings_images_and_models() {
    let running = clouds();
    let (azure, _) = azure_and_oracle(&running);
    let mut body = json!({ "model": "text-embedding-3-large", "input": ["a", "b"], "dimensions": 5 });
    let reply = post(azure, "/openai/v1/embeddings", "", &body).json();
    assert_eq!(reply["data"][1]["embedding"].as_array().unwrap().len(), 5);
    assert_eq!(reply["usage"], json!({ "prompt_tokens": 3, "total_tokens": 3 }));
    body["encoding_format"] = json!("base64");
    let reply = post(azure, "/openai/v1/embeddings", "", &body).json();
    assert_eq!(reply["data"][0]["embedding"].as_str().unwrap().len(), 28);

    let body = json!({ "model": "gpt-image-1", "prompt": "a map", "n": 2 });
    let reply = post(azure, "/openai/v1/images/generations", "x-sandbox-tokens: 3,2112\r\n", &body).json();
    assert_eq!(reply["data"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&reply["usage"]["input_tokens"], &reply["usage"]["output_tokens"]),
        (&json!(3), &json!(2112))
    );

    let key = format!("api-key: {}\r\n", azure.key);
    let reply = send(azure, "GET", "/openai/v1/models", &key, "").unwrap().json();
    assert_eq!(reply["data"].as_array().unwrap().len(), 5);
}

#[test]
fn refusals_have_the_shape_of_their_dialect() {
    let running = clouds();
    let (azure, oracle) = azure_and_oracle(&running);
    let code = |reply: &Reply| (reply.status, reply.json()["error"]["code"].as_str().map(str::to_owned));
    let wanted = |status, code: &str| (status, Some(code.to_owned()));
    let body = chat("gpt-5").to_string();
    let path = "/openai/v1/chat/completions";
    let reply = send(azure, "POST", path, "api-key: wrong-secret\r\n", &body).unwrap();
    assert_eq!(code(&reply), wanted(401, "401"));
    assert!(!reply.body.contains("wrong-secret"));
    // The openai dialect knows no `api-key`.
    let key = format!("api-key: {}\r\n", oracle.key);
    let reply = send(oracle, "POST", "/v1/chat/completions", &key, &body).unwrap();
    assert_eq!(code(&reply), wanted(401, "invalid_api_key"));

    assert_eq!(code(&post(azure, path, "", &chat("gone"))), wanted(404, "DeploymentNotFound"));
    let openai = "/v1/chat/completions";
    assert_eq!(code(&post(oracle, openai, "", &chat("gone"))), wanted(404, "model_not_found"));
    assert_eq!(code(&post(azure, "/openai/responses", "", &chat("x"))), wanted(404, "404"));
    let mut filtered = chat("gpt-5-payg");
    filtered["messages"][0]["content"] = json!("please sandbox-content-filter this");
    let reply = post(azure, path, "", &filtered);
    assert_eq!(code(&reply), wanted(400, "content_filter"));
    assert_eq!(reply.json()["error"]["innererror"]["content_filter_result"]["hate"]["filtered"], true);
    let reply = post(oracle, openai, "x-sandbox-tokens: 272000,1\r\n", &chat("gpt-5"));
    assert_eq!(code(&reply), wanted(400, "context_length_exceeded"));
    assert_eq!(post(oracle, openai, "x-sandbox-tokens: many\r\n", &chat("gpt-5")).status, 400);
    let key = format!("authorization: Bearer {}\r\n", oracle.key);
    assert_eq!(send(oracle, "GET", openai, &key, "").unwrap().status, 405);
    assert_eq!((oracle.counters().rejected, azure.counters().rejected), (5, 4));
}

#[test]
fn a_full_ptu_answers_429_with_waits() {
    let running = clouds_with(|spec| {
        let ptu = &mut spec.clouds[0].deployments[0];
        ptu.spillover_deployment = None;
        ptu.capacity = CapacitySpec::Provisioned(ProvisionedSpec {
            units: 1,
            tokens_per_minute_per_unit: 5_000,
            window_seconds: 60,
            burst_percent: 5,
            output_weight: 1,
        });
    });
    let (azure, _) = azure_and_oracle(&running);
    let path = "/openai/v1/chat/completions";
    // 260,000 tokens drain in 52 minutes, which are 15.6 s here.
    let filling = "x-sandbox-tokens: 260000,0\r\n";
    assert_eq!(post(azure, path, filling, &chat("gpt-5-ptu")).status, 200);
    let reply = post(azure, path, filling, &chat("gpt-5-ptu"));
    assert_eq!(reply.status, 429, "{reply:?}");
    assert_eq!(reply.json()["error"]["code"], "429");
    let wait_ms: u64 = reply.header("retry-after-ms").unwrap().parse().unwrap();
    let wait_s: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..15_600).contains(&wait_ms) && wait_s == wait_ms.div_ceil(1_000), "{reply:?}");
    let utilization = reply.header("azure-openai-deployment-utilization").unwrap().trim_end_matches('%');
    assert!(utilization.parse::<f64>().unwrap() >= 105.0, "{reply:?}");
    assert_eq!(azure.counters().throttled, 1);
}

#[test]
fn spillover_names_both_deployments_and_header_or_property_asks_for_it() {
    for (property, header) in [(Some("gpt-5-payg"), ""), (None, "x-ms-spillover-deployment: gpt-5-payg\r\n")]
    {
        let running = clouds_with(|spec| {
            spec.clouds[0].deployments[0].spillover_deployment = property.map(str::to_owned);
        });
        let (azure, _) = azure_and_oracle(&running);
        let storm = Fault::ThrottleStorm { percent: 100, retry_after_ms: 10_000 };
        let only_ptu = LiveFault { deployment: Some("gpt-5-ptu".to_owned()), for_s: None, fault: storm };
        azure.put_faults(vec![only_ptu]).unwrap();
        let reply = post(azure, "/openai/v1/chat/completions", header, &chat("gpt-5-ptu"));
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.header("x-ms-spillover-from-deployment"), Some("gpt-5-ptu"));
        assert_eq!(reply.header("x-ms-deployment-name"), Some("gpt-5-payg"));
        assert_eq!(reply.header("azure-openai-deployment-utilization"), None);
        assert_eq!((azure.counters().spilled, azure.counters().served), (1, 1));
    }
}

#[test]
fn a_quota_of_requests_is_refused_with_go_durations() {
    let instant = Quantiles { p1: 0, p50: 0, p90: 0, p99: 0 };
    // At wall speed, so that the minute doesn't end between the two calls.
    let running = clouds_at(1, |spec| {
        let deployment = &mut spec.clouds[2].deployments[0];
        (deployment.first_token_ms, deployment.token_gap_us) = (instant, instant);
        deployment.capacity = CapacitySpec::Metered(MeteredSpec {
            tokens_per_minute: 1_000_000,
            requests_per_minute: 1,
            slice_seconds: 60,
        });
    });
    let softbank = running.cloud("softbank").unwrap();
    let call = || post(softbank, "/v1/chat/completions", "x-sandbox-tokens: 5,0\r\n", &chat("gpt-5"));
    let served = call();
    assert_eq!((served.status, served.header("x-ratelimit-remaining-tokens")), (200, Some("999945")));
    let refused = call();
    assert_eq!(refused.json()["error"]["code"], "rate_limit_exceeded");
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("x-ratelimit-limit-requests"), Some("1"));
    assert_eq!(refused.header("x-ratelimit-remaining-requests"), Some("0"));
    let reset = refused.header("x-ratelimit-reset-requests").unwrap();
    let reset: f64 = reset.strip_suffix('s').unwrap().parse().unwrap();
    let wait: f64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(reset > 0.0 && wait >= reset && wait < reset + 1.0, "{refused:?}");
}

#[test]
fn slots_that_are_taken_are_refused_until_they_come_back() {
    let slow = Quantiles { p1: 500_000, p50: 500_000, p90: 500_000, p99: 500_000 };
    let running = clouds_with(|spec| {
        let deployment = &mut spec.clouds[3].deployments[0];
        deployment.token_gap_us = slow;
        deployment.capacity =
            CapacitySpec::Slots(SlotsSpec { concurrent: 1, refuse_with: 503, retry_after_ms: 40_000 });
    });
    let coreweave = running.cloud("coreweave").unwrap();
    let holder = leave_open(coreweave, "x-sandbox-tokens: 7,100000\r\n");
    let refused = post(coreweave, "/v1/chat/completions", "", &chat("gpt-5"));
    assert_eq!((refused.status, refused.header("retry-after-ms")), (503, Some("200")));
    drop(holder);
    until("the slot is free", || coreweave.counters().in_flight == 0);
    let served = post(coreweave, "/v1/chat/completions", "x-sandbox-tokens: 7,1\r\n", &chat("gpt-5"));
    assert_eq!(served.status, 200);
}

#[test]
fn a_stall_holds_the_stream_up_and_lets_it_end() {
    let running = clouds();
    let (_, oracle) = azure_and_oracle(&running);
    let fault = Fault::Stall { percent: 100, after_chunks: 1, for_ms: 60_000 };
    oracle.put_faults(vec![LiveFault { deployment: None, for_s: None, fault }]).unwrap();
    let mut body = chat("gpt-5");
    body["stream"] = json!(true);
    let begun = Instant::now();
    let reply = post(oracle, "/v1/chat/completions", "x-sandbox-tokens: 10,2000\r\n", &body);
    assert!(reply.events().1 && begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
}

#[test]
fn a_body_that_announces_too_much_is_refused_before_it_comes() {
    let running = clouds();
    let (_, oracle) = azure_and_oracle(&running);
    let mut stream = TcpStream::connect(oracle.address).unwrap();
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: s\r\nauthorization: Bearer {}\r\ncontent-length: 17000000\r\n\r\n",
        oracle.key
    )
    .unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 413");
}

#[test]
fn put_switches_faults_and_get_counts_them() {
    let running = clouds();
    let (azure, oracle) = azure_and_oracle(&running);
    let put = |path: &str, faults: Value| {
        send(oracle, "PUT", path, "", &json!({ "faults": faults }).to_string()).unwrap()
    };
    let reply = put("/__sandbox", json!([{ "fault": { "cut": { "percent": 100, "after_chunks": 2 } } }]));
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["faults"][0]["fault"]["cut"]["after_chunks"], 2);

    let mut body = chat("gpt-5");
    body["stream"] = json!(true);
    let reply = post(oracle, "/v1/chat/completions", "x-sandbox-tokens: 10,3000\r\n", &body);
    let (events, done) = reply.events();
    assert!(!done && !reply.whole);
    let contents = events.iter().filter(|event| !event["choices"][0]["delta"]["content"].is_null());
    // The role's chunk has an empty content of its own.
    assert_eq!(contents.count(), 3);
    let reply = post(oracle, "/v1/chat/completions", "", &chat("gpt-5"));
    assert!(reply.status == 200 && !reply.whole && !reply.body.is_empty());

    put("/__sandbox", json!([{ "fault": { "wrong-usage": { "percent": 200 } } }]));
    let reply = post(oracle, "/v1/chat/completions", "x-sandbox-tokens: 10,20\r\n", &chat("gpt-5"));
    assert_eq!(reply.json()["usage"]["total_tokens"], 60);
    put(
        "/__sandbox",
        json!([{ "fault": { "brown-out": { "slow_percent": 100, "error_percent": 100, "status": 502 } } }]),
    );
    assert_eq!(post(oracle, "/v1/chat/completions", "", &chat("gpt-5")).status, 502);

    for wrong in [
        json!([{ "fault": { "cut": { "percent": 101, "after_chunks": 2 } } }]),
        json!([{ "fault": "flood" }]),
    ] {
        assert_eq!(put("/__sandbox", wrong).status, 400);
    }
    assert_eq!(put("/__sandbox?cloud=nowhere", json!([])).status, 404);
    let state = send(oracle, "GET", "/__sandbox", "", "").unwrap().json();
    let total = &state["total"];
    assert_eq!((&total["cut"], &total["served"], &total["failed"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!((&total["reported_output_tokens"], &total["faulted"]), (&json!(40), &json!(4)));
    assert_eq!(state["deployments"]["gpt-5"], *total);
    assert_eq!(azure.counters().faulted, 0);
}

#[test]
fn a_refusing_cloud_closes_its_port_and_comes_back_through_another() {
    let running = clouds();
    let (azure, oracle) = azure_and_oracle(&running);
    let refuse = json!({ "faults": [{ "fault": { "refuse-connections": {} } }] }).to_string();
    assert_eq!(send(azure, "PUT", "/__sandbox?cloud=oracle", "", &refuse).unwrap().status, 200);
    let connects = || TcpStream::connect(oracle.address).is_ok();
    until("the port closes", || !connects());
    assert_eq!(send(azure, "PUT", "/__sandbox?cloud=oracle", "", r#"{"faults":[]}"#).unwrap().status, 200);
    until("the port opens", connects);
    assert_eq!(post(oracle, "/v1/chat/completions", "", &chat("gpt-5")).status, 200);
}

#[test]
fn a_refusing_cloud_also_drops_the_connections_it_has() {
    let running = clouds();
    let (_, oracle) = azure_and_oracle(&running);
    let mut stream = TcpStream::connect(oracle.address).unwrap();
    let body = chat("gpt-5").to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: s\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
        oracle.key,
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
    let refuse = LiveFault { deployment: None, for_s: None, fault: Fault::RefuseConnections {} };
    oracle.put_faults(vec![refuse]).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&rest));
    assert_eq!((oracle.counters().served, oracle.counters().failed), (1, 1));
}

#[test]
fn a_spill_that_fails_says_why_beside_the_first_refusal() {
    let running = clouds();
    let (azure, _) = azure_and_oracle(&running);
    let live =
        |deployment: &str, fault| LiveFault { deployment: Some(deployment.to_owned()), for_s: None, fault };
    let storm = Fault::ThrottleStorm { percent: 100, retry_after_ms: 400 };
    let broken = Fault::BrownOut { slow_percent: 100, error_percent: 100, status: 500 };
    azure.put_faults(vec![live("gpt-5-ptu", storm), live("gpt-5-payg", broken)]).unwrap();
    let reply = post(azure, "/openai/v1/chat/completions", "", &chat("gpt-5-ptu"));
    assert_eq!((reply.status, reply.header("x-ms-spillover-error")), (429, Some("500")));
    assert_eq!(reply.header("retry-after-ms"), Some("2"));
    // The Responses API doesn't spill, so nothing failed to.
    let body = json!({ "model": "gpt-5-ptu", "input": "hello" });
    let reply = post(azure, "/openai/v1/responses", "", &body);
    assert_eq!((reply.status, reply.header("x-ms-spillover-error")), (429, None));
}

#[test]
fn a_client_that_leaves_is_counted() {
    let slow = Quantiles { p1: 500_000, p50: 500_000, p90: 500_000, p99: 500_000 };
    let running = clouds_with(|spec| spec.clouds[1].deployments[0].token_gap_us = slow);
    let (_, oracle) = azure_and_oracle(&running);
    let stream = leave_open(oracle, "x-sandbox-tokens: 7,100000\r\n");
    assert_eq!(oracle.counters().in_flight, 1);
    drop(stream);
    until("the cloud notices", || oracle.counters().abandoned == 1);
    let counted = oracle.counters();
    assert_eq!((counted.in_flight, counted.prompt_tokens), (0, 7));
    assert!(counted.output_tokens < 100_000 && counted.reported_prompt_tokens == 0);
}

#[test]
fn stop_closes_the_ports_and_wrong_settings_are_named() {
    let running = clouds();
    let address = running.clouds[0].address;
    running.stop();
    assert!(TcpStream::connect(address).is_err());

    let mut spec = Spec::reference();
    for (base, wanted) in [
        ("0.0.0.0:0", "a loopback address"),
        ("here", "an address and a port"),
        ("127.0.0.1:65534", "room for every"),
    ] {
        spec.listen_base = base.to_owned();
        let error = start(spec.clone(), 1, 1).unwrap_err().to_string();
        assert!(error.contains(wanted) && error.contains(base), "{error}");
    }
    assert!(start(Spec::reference(), 1, 0).unwrap_err().to_string().contains("speed `0`"));
}
