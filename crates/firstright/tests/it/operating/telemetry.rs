//! What is told of requests: to Prometheus, in the access log, to a collector, and to whoever asks how much room there is?

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::world::{Http, Recorder, Reply, World, ask, ask_stream, bearer, key_of, until};

/// Asks the admin API, with its token or without.
fn admin(world: &World, path: &str, with_token: bool) -> Reply {
    let written = std::fs::read_to_string(world.folder.0.join("data/admin.toml")).unwrap();
    let token =
        written.lines().find_map(|line| line.strip_prefix("token = \"")).unwrap().trim_end_matches('"');
    let extra = if with_token { format!("authorization: Bearer {token}\r\n") } else { String::new() };
    let mut http = Http::connect(world.plane.admin()).unwrap();
    http.request("GET", path, &extra, b"").unwrap();
    http.read().unwrap()
}

/// The metrics' series by their names with labels.
fn metrics(world: &World) -> BTreeMap<String, f64> {
    let reply = admin(world, "/metrics", true);
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let lines = reply.text().lines().filter(|line| !line.starts_with('#'));
    let series = lines.map(|line| line.rsplit_once(' ').unwrap());
    series.map(|(name, value)| (name.to_string(), value.parse().unwrap())).collect()
}

/// A world with more in its configuration behind `[gateway]`.
fn world_with(section: &str) -> World {
    World::with(&[], section, |_| {})
}

const EVIL: &str = "evil\"} 1 {\"status\":200}";

#[test]
fn prometheus_reads_what_was_done_and_no_word_of_the_callers() {
    let world = World::new();
    assert_eq!(admin(&world, "/metrics", false).status, 401);
    for (tenant, body) in
        [("chat", ask("gpt-4o")), ("chat", ask_stream("gpt-4o", true)), ("europe", ask("gpt-4o"))]
    {
        assert_eq!(world.chat(tenant, &body).status, 200);
    }
    world.chat("chat", &ask(EVIL)).refuses(404, "model_not_found");
    world.chat("nobody at all", &ask("gpt-4o")).refuses(401, "invalid_api_key");
    world.chat("nowhere", &ask("gpt-4o")).refuses(403, "compliance_refusal");
    let metrics = metrics(&world);
    let at = |name: &str| metrics.get(name).copied().unwrap_or_else(|| panic!("no {name} in {metrics:#?}"));
    assert_eq!(at("firstright_requests_total{operation=\"chat\",outcome=\"ok\"}"), 3.0);
    assert_eq!(at("firstright_tenant_requests_total{tenant=\"chat\",outcome=\"ok\"}"), 2.0);
    assert_eq!(at("firstright_tenant_requests_total{tenant=\"nowhere\",outcome=\"refused\"}"), 1.0);
    for code in ["model_not_found", "invalid_api_key", "compliance_refusal"] {
        assert_eq!(at(&format!("firstright_refusals_total{{code=\"{code}\"}}")), 1.0);
    }
    assert_eq!(at("firstright_attempts_total{deployment=\"azure-ptu\",outcome=\"ok\"}"), 2.0);
    assert_eq!(
        at("firstright_grounds_total{ground=\"holder\"}") + at("firstright_grounds_total{ground=\"only\"}"),
        3.0
    );
    let labels = "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"azure.ai.openai\",gen_ai_request_model=\"gpt-4o\",\
                  firstright_deployment=\"azure-ptu\"";
    assert_eq!(at(&format!("gen_ai_server_request_duration_seconds_count{{{labels}}}")), 2.0);
    assert_eq!(at(&format!("gen_ai_client_operation_duration_seconds_count{{{labels}}}")), 2.0);
    assert_eq!(at(&format!("gen_ai_server_time_to_first_token_seconds_count{{{labels}}}")), 1.0);
    let input = at(&format!("gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type=\"input\"}}"));
    let by_kind = ["input", "cached-input"].map(|kind| {
        let name = format!("firstright_deployment_tokens_total{{deployment=\"azure-ptu\",kind=\"{kind}\"}}");
        metrics.get(&name).copied().unwrap_or(0.0)
    });
    assert!(input > 0.0 && input == by_kind.iter().sum::<f64>(), "{input} {by_kind:?}");
    assert_eq!((at("firstright_ready"), at("firstright_config_version")), (1.0, 1.0));
    assert_eq!((at("firstright_queue_length"), at("firstright_calls_open")), (0.0, 0.0));
    assert_eq!(at("firstright_breaker{deployment=\"azure-ptu\"}"), 0.0);
    assert!(at("firstright_journal_records_total") > 3.0 && at("firstright_journal_syncs_total") > 0.0);
    let told = admin(&world, "/metrics", true);
    assert!(!told.text().contains("canary") && !told.text().contains("evil"), "{}", told.text());
    world.stop();
}

#[test]
fn the_access_log_has_a_line_of_json_for_each_request_and_neither_prompts_nor_secrets() {
    let world = world_with("[telemetry]\naccess-log = \"file\"\naccess-log-file = \"access.log\"");
    let path = world.folder.0.join("access.log");
    let mut body = ask_stream("gpt-4o", true);
    body["messages"][0]["content"] = json!(EVIL);
    assert_eq!(world.chat("europe", &body).status, 200);
    world.chat("chat", &ask(EVIL)).refuses(404, "model_not_found");
    let mut http = world.connect();
    http.request("GET", "/v1/nothing?evil=%0a", "user-agent: canary-evil\r\n", b"").unwrap();
    assert_eq!(http.read().unwrap().status, 404);
    let read = || std::fs::read_to_string(&path).unwrap();
    until("three lines are written", || read().lines().count() == 3);
    let text = read();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!text.contains("canary") && !text.contains("evil") && !text.contains("left"), "{text}");
    let served = &lines[0];
    for (key, expected) in [
        ("operation", json!("chat")),
        ("status", json!(200)),
        ("tenant", json!("europe")),
        ("key", json!("europe")),
        ("peer", json!("127.0.0.1")),
        ("model", json!("gpt-4o")),
        ("stream", json!(true)),
        ("deployment", json!("nordic-gpt-4o")),
        ("provider", json!("nordic-cloud")),
        ("attempts", json!(1)),
        ("version", json!(1)),
        ("ending", json!("complete")),
    ] {
        assert_eq!(served[key], expected, "{key}: {served}");
    }
    assert!(served["decision"].as_u64().is_some() && served["grounds"].as_str().is_some(), "{served}");
    assert!(served["took-ms"].as_f64() >= served["first-byte-ms"].as_f64(), "{served}");
    assert!(served["output"].as_u64().is_some_and(|many| many > 0), "{served}");
    assert!(
        served["time"].as_str().is_some_and(|time| time.starts_with("20") && time.ends_with('Z')),
        "{served}"
    );
    assert_eq!((&lines[1]["code"], &lines[1]["status"]), (&json!("model_not_found"), &json!(404)));
    assert_eq!((&lines[2]["code"], &lines[2]["operation"]), (&json!("unknown_path"), &json!("other")));
    // A file that was moved away is begun anew at a reload.
    std::fs::rename(&path, world.folder.0.join("access.log.1")).unwrap();
    world.plane.operating.reloader.as_ref().unwrap().reload().unwrap();
    assert_eq!(world.chat("europe", &ask("gpt-4o")).status, 200);
    until("the new file has its line", || {
        std::fs::read_to_string(&path).is_ok_and(|text| text.lines().count() == 1)
    });
    let line: Value = serde_json::from_str(read().trim()).unwrap();
    assert_eq!(line["version"], 2);
    world.stop();
}

/// Two attempts of one request: one line, which says who answered, and each is counted as what became of it.
#[test]
fn a_second_attempt_is_told_of() {
    let hedges = ("[[tenant]]\nid = \"open\"\n", "[[tenant]]\nid = \"open\"\nhedge-after = \"50ms\"\n");
    let section = "[telemetry]\naccess-log = \"file\"\naccess-log-file = \"access.log\"";
    let world = World::with(&[hedges], section, |_| {});
    let slow = json!({ "brown-out": { "slow_percent": 10_000_000, "error_percent": 0, "status": 500 } });
    world.fault("azure", None, slow);
    let reply = world.chat("open", &ask("gpt-4o"));
    let path = world.folder.0.join("access.log");
    let read = || std::fs::read_to_string(&path).unwrap_or_default();
    until("a line is written", || read().lines().count() == 1);
    let line: Value = serde_json::from_str(read().trim()).unwrap();
    for (key, expected) in [
        ("hedged", json!(true)),
        ("attempts", json!(2)),
        ("deployment", json!("oracle-gpt-4o")),
        ("decision", json!(reply.decision())),
        ("ending", json!("complete")),
    ] {
        assert_eq!(line[key], expected, "{key}: {line}");
    }
    let metrics = metrics(&world);
    for name in [
        "firstright_attempts_total{deployment=\"azure-ptu\",outcome=\"given-up\"}",
        "firstright_attempts_total{deployment=\"oracle-gpt-4o\",outcome=\"ok\"}",
        "firstright_grounds_total{ground=\"hedges\"}",
        "firstright_tenant_requests_total{tenant=\"open\",outcome=\"ok\"}",
    ] {
        assert_eq!(metrics.get(name), Some(&1.0), "{name} in {metrics:#?}");
    }
    world.stop();
}

/// A collector: takes what it is sent, and keeps it.
struct Collector {
    address: SocketAddr,
    got: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Collector {
    fn start() -> Collector {
        Collector::ill_for(0)
    }

    /// It takes the first so many messages of traces and says that it cannot; they are not kept.
    fn ill_for(mut many: usize) -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&got);
        // It ends with the process: nothing tells it that no more will come.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut bytes = Vec::new();
                let mut piece = [0; 16 << 10];
                while let Ok(count @ 1..) = stream.read(&mut piece) {
                    bytes.extend_from_slice(&piece[..count]);
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                    if body.len() < length.parse::<usize>().unwrap() {
                        continue;
                    }
                    let is_ill = many > 0 && head.contains("/v1/traces");
                    if is_ill {
                        many -= 1;
                    } else {
                        keep.lock().unwrap().push((head.to_string(), serde_json::from_str(body).unwrap()));
                    }
                    bytes.clear();
                    let status = if is_ill { "503 Service Unavailable" } else { "200 OK" };
                    let answer = format!(
                        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
                    );
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        });
        Collector { address, got }
    }

    /// Every span so far.
    fn spans(&self) -> Vec<Value> {
        let got = self.got.lock().unwrap();
        let spans =
            got.iter().filter_map(|(_, body)| body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array());
        spans.flatten().cloned().collect()
    }
}

/// An attribute of a span or a point.
fn attribute<'v>(of: &'v Value, key: &str) -> Option<&'v str> {
    let found = of["attributes"].as_array()?.iter().find(|one| one["key"] == key)?;
    found["value"]["stringValue"].as_str().or_else(|| found["value"]["intValue"].as_str())
}

#[test]
fn a_collector_gets_spans_that_belong_together_and_the_provider_is_told_of_them() {
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "Yes." }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9 },
    })
    .to_string();
    let answer = |status: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let answers = vec![answer("503 Service Unavailable", "{}").into(), answer("200 OK", &body).into()];
    let (collector, provider) = (Collector::start(), Recorder::answering_in_turn(answers));
    let section = format!(
        "[telemetry.otlp]\nurl = \"http://{}/otlp\"\nservice = \"here\"\nmetrics-every-s = 1\n",
        collector.address
    );
    let world = World::before_with(&provider, &section);
    let caller = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    let reply = world.post("open", "/v1/chat/completions", caller, ask("gpt-4o").to_string().as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.text());
    let decision = reply.decision();
    until("the spans are told", || collector.spans().len() >= 4);
    until("the metrics are told", || {
        collector.got.lock().unwrap().iter().any(|(head, _)| head.starts_with("POST /otlp/v1/metrics "))
    });
    world.stop();
    let spans = collector.spans();
    assert!(spans.iter().all(|span| span["traceId"] == "4bf92f3577b34da6a3ce929d0e0e4736"), "{spans:#?}");
    let server = spans.iter().find(|span| span["kind"] == 2).unwrap();
    assert_eq!(
        (&server["parentSpanId"], &server["name"]),
        (&json!("00f067aa0ba902b7"), &json!("chat gpt-4o"))
    );
    assert_eq!(attribute(server, "firstright.decision"), Some(decision.to_string().as_str()));
    assert_eq!(attribute(server, "firstright.tenant"), Some("open"));
    let below = |kind: u64| -> Vec<&Value> {
        spans.iter().filter(|span| span["kind"] == kind && span["parentSpanId"] == server["spanId"]).collect()
    };
    let (decide, attempts) = (below(1), below(3));
    assert_eq!((decide.len(), attempts.len()), (1, 2), "{spans:#?}");
    assert_eq!(attribute(attempts[0], "error.type"), Some("server-error"));
    assert_eq!(attribute(attempts[1], "gen_ai.usage.input_tokens"), Some("7"));
    assert_eq!(attribute(attempts[1], "gen_ai.usage.output_tokens"), Some("2"));
    // Each attempt told its provider of its own span.
    for (attempt, (head, _)) in attempts.iter().zip(provider.requests()) {
        let own = format!(
            "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01",
            attempt["spanId"].as_str().unwrap()
        );
        assert_eq!(head.lines().filter(|line| line.starts_with("traceparent")).collect::<Vec<_>>(), [own]);
    }
    let got = collector.got.lock().unwrap();
    let told = format!("{got:?}");
    assert!(!told.contains("canary") && !told.contains("How much is left?"), "{told}");
    let (_, metrics) = got.iter().rev().find(|(head, _)| head.contains("/v1/metrics")).unwrap();
    assert_eq!(attribute(&metrics["resourceMetrics"][0]["resource"], "service.name"), Some("here"));
    let list = metrics["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let usage = list.iter().find(|one| one["name"] == "gen_ai.client.token.usage").unwrap();
    let points = usage["histogram"]["dataPoints"].as_array().unwrap();
    let input = points.iter().find(|one| attribute(one, "gen_ai.token.type") == Some("input")).unwrap();
    assert_eq!((&input["count"], &input["sum"]), (&json!("1"), &json!(7.0)));
}

#[test]
fn a_collector_that_is_ill_for_a_moment_misses_nothing() {
    let collector = Collector::ill_for(2);
    let section = format!("[telemetry.otlp]\nurl = \"http://{}\"\nmetrics-every-s = 0\n", collector.address);
    let world = world_with(&section);
    for _ in 0..3 {
        assert_eq!(world.chat("europe", &ask("gpt-4o")).status, 200);
    }
    let servers = || collector.spans().iter().filter(|span| span["kind"] == 2).count();
    until("the spans are told", || servers() >= 3);
    assert_eq!((servers(), metrics(&world)["firstright_traces_dropped_total"]), (3, 0.0));
    world.stop();
    assert_eq!(servers(), 3);
}

#[test]
fn a_trace_that_is_none_is_not_handed_on() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    let provider = Recorder::answering(answer);
    let world = World::before(&provider);
    let good = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\ntracestate: a=1\r\n";
    let bad =
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01; evil\r\ntracestate: a=1\r\n";
    for extra in [good, bad] {
        world.post("open", "/v1/chat/completions", extra, ask("gpt-4o").to_string().as_bytes());
    }
    let told = |(head, _): &(String, String)| head.lines().filter(|line| line.starts_with("trace")).count();
    assert_eq!(provider.requests().iter().map(told).collect::<Vec<_>>(), [2, 0]);
    world.stop();
}

#[test]
fn a_caller_sees_the_room_of_those_that_may_serve_it_and_the_operator_sees_all() {
    let world = World::new();
    let see = |tenant: &str| {
        let mut http = world.connect();
        http.request("GET", "/v1/capacity", &bearer(tenant), b"").unwrap();
        http.read().unwrap()
    };
    see("nobody at all").refuses(401, "invalid_api_key");
    let ids = |value: &Value, model: &str| -> Vec<String> {
        let data = value["data"].as_array().unwrap();
        let found = data.iter().find(|one| one["model"] == model);
        let list =
            found.map_or(&Value::Null, |one| &one["deployments"]).as_array().cloned().unwrap_or_default();
        list.iter().map(|one| one["deployment"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(ids(&see("europe").json(), "gpt-4o"), ["nordic-gpt-4o"]);
    assert!(ids(&see("nowhere").json(), "gpt-4o").is_empty());
    let open = see("open").json();
    assert_eq!(ids(&open, "gpt-4o").len(), 4);
    assert_eq!(ids(&see("narrow").json(), "gpt-4o").len(), 0, "the key may not use the model");
    let shown = open["data"].as_array().unwrap().iter().find(|one| one["model"] == "gpt-4o-mini").unwrap();
    let shown = &shown["deployments"][0];
    assert_eq!(
        (&shown["kind"], &shown["breaker"], &shown["room"]["limit"]),
        (&json!("concurrent"), &json!("closed"), &json!(256))
    );
    let all = admin(&world, "/admin/capacity", true).json();
    assert_eq!(all["data"].as_array().unwrap().len(), 6);
    assert_eq!(admin(&world, "/admin/capacity", false).status, 401);
    assert!(!key_of("open").is_empty());
    world.stop();
}

#[test]
fn readiness_says_no_at_once_and_liveness_does_not() {
    let world = World::new();
    let see = |path: &str| {
        let mut http = world.connect();
        http.request("GET", path, "", b"").unwrap();
        http.read().unwrap().status
    };
    let both = |path: &str| (see(path), admin(&world, path, false).status);
    assert_eq!((both("/readyz"), both("/healthz")), ((200, 200), (200, 200)));
    let readiness = world.plane.operating.gateway.readiness();
    readiness.drain();
    assert_eq!((both("/readyz"), both("/healthz")), ((503, 503), (200, 200)));
    assert_eq!(world.chat("europe", &ask("gpt-4o")).status, 200, "what comes is still served");
    world.stop();
}

#[test]
fn a_folder_that_takes_no_writes_wants_no_more_work() {
    let world = World::new();
    let see = || {
        let mut http = world.connect();
        http.request("GET", "/readyz", "", b"").unwrap();
        http.read().unwrap().status
    };
    assert_eq!(see(), 200);
    // A folder in the probe's place: the file cannot be written, whoever the test runs as.
    let probe = world.folder.0.join("data/probe.tmp");
    std::fs::create_dir(&probe).unwrap();
    until("it says no", || see() == 503);
    std::fs::remove_dir(&probe).unwrap();
    until("it says yes again", || see() == 200);
    world.stop();
}
