//! What if what comes in is wrong: a request, a law, a configuration, a journal? And does a secret ever come out?

use std::fs;
use std::process::{Command, Output, Stdio};

use firstright_core::journal::HEADER;
use serde_json::json;

use crate::crash::Served;
use crate::world::{
    Book, Folder, Http, LAW, Reply, World, ask, ask_stream, bearer, clouds, configure, key_of, law,
};

const CHAT: &str = "/v1/chat/completions";
/// Longer than any case but those that are to be too long.
const MAX_BODY: usize = 8_192;

fn firstright(arguments: &[&str], folder: &Folder) -> Output {
    Command::new(env!("CARGO_BIN_EXE_firstright")).args(arguments).current_dir(&folder.0).output().unwrap()
}

/// Both streams; asserts the exit code, and that no key stands in them.
#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(!text.contains("canary") && !text.contains("panicked"), "{text}");
    text
}

/// A request that is refused: its bytes, then status and code.
type Case = (&'static str, Vec<u8>, u16, &'static str);

fn request(method: &str, path: &str, extra: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: gateway\r\n{extra}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn bad_bodies() -> Vec<Case> {
    let chat =
        |what, body: &[u8], status, code| (what, request("POST", CHAT, &bearer("open"), body), status, code);
    let text = |what, body: &str, status, code| chat(what, body.as_bytes(), status, code);
    let long_name = format!(r#"{{"model":"{}","messages":[]}}"#, "g".repeat(5_000));
    let bomb = format!(r#"{{"model":"gpt-4o","messages":{}"#, "[".repeat(4_000));
    let deep = format!(r#"{{"model":"gpt-4o","messages":{}{}}}"#, "[".repeat(2_000), "]".repeat(2_000));
    vec![
        text("no body", "", 400, "invalid_json"),
        text("garbage", "model=gpt-4o", 400, "invalid_json"),
        text("an array", "[]", 400, "invalid_json"),
        text("truncated", r#"{"model":"gpt-4o","messages":[{"role":"user","#, 400, "invalid_json"),
        text("two values", r#"{"model":"gpt-4o"}{}"#, 400, "invalid_json"),
        text(
            "a number that is none",
            r#"{"model":"gpt-4o","messages":[],"max_tokens":NaN}"#,
            400,
            "invalid_type",
        ),
        text("a bomb of depth", &bomb, 400, "invalid_json"),
        text("a bomb of depth that is closed", &deep, 400, "invalid_json"),
        text("NUL between values", "{\"model\":\0\"gpt-4o\"}", 400, "invalid_type"),
        text("NUL in a string", "{\"model\":\"gpt-4o\",\"user\":\"a\0b\"}", 400, "invalid_json"),
        text("NUL in the model, escaped", r#"{"model":"gpt\u0000-4o"}"#, 400, "invalid_value"),
        chat("no UTF-8", b"{\"model\":\"gpt-4o\",\"user\":\"\xff\xfe\"}", 400, "invalid_utf8"),
        text("no model", r#"{"messages":[]}"#, 400, "missing_model"),
        text("a model that is no string", r#"{"model":4}"#, 400, "invalid_type"),
        text("a huge name", &long_name, 400, "invalid_value"),
        text("an unknown model", r#"{"model":"gpt-9","messages":[]}"#, 404, "model_not_found"),
        text("the model twice", r#"{"model":"gpt-4o","model":"gpt-4o-mini"}"#, 400, "duplicate_key"),
        text("the model in capitals", r#"{"model":"gpt-4o","Model":"gpt-4o-mini"}"#, 400, "ambiguous_key"),
        text(
            "another upstream",
            r#"{"model":"gpt-4o","api_base":"http://127.0.0.1:1"}"#,
            400,
            "upstream_not_selectable",
        ),
        text("another host", r#"{"model":"gpt-4o","x_host":"127.0.0.1"}"#, 400, "upstream_not_selectable"),
        text(
            "kept elsewhere",
            r#"{"model":"gpt-4o","input":"x","previous_response_id":"resp_1"}"#,
            400,
            "home_unknown",
        ),
        text("too many choices", r#"{"model":"gpt-4o","n":1000}"#, 400, "invalid_value"),
        text("less than no tokens", r#"{"model":"gpt-4o","max_tokens":-1}"#, 400, "invalid_value"),
        chat("a body over the limit", &[b' '; MAX_BODY + 1], 413, "body_too_large"),
        (
            "a chunked body over the limit",
            [
                format!(
                    "POST {CHAT} HTTP/1.1\r\nhost: g\r\n{}transfer-encoding: chunked\r\n\r\n2001\r\n",
                    bearer("open")
                )
                .as_bytes(),
                &[b' '; MAX_BODY + 1],
                b"\r\n0\r\n\r\n",
            ]
            .concat(),
            413,
            "body_too_large",
        ),
    ]
}

fn bad_heads() -> Vec<Case> {
    let good = ask("gpt-4o").to_string();
    let with =
        |what, extra: &str, status, code| (what, request("POST", CHAT, extra, good.as_bytes()), status, code);
    let to = |what, method: &str, path: &str, status, code| {
        (what, request(method, path, &bearer("open"), good.as_bytes()), status, code)
    };
    let region = |value: &str| format!("{}x-firstright-region: {value}\r\n", bearer("open"));
    vec![
        with("no key", "", 401, "invalid_api_key"),
        with("an unknown key", "authorization: Bearer canary-unknown\r\n", 401, "invalid_api_key"),
        with("an empty key", "authorization: Bearer \r\n", 401, "invalid_api_key"),
        with("another scheme", "authorization: Basic canary\r\n", 401, "invalid_api_key"),
        with(
            "an unknown key as Azure's clients send it",
            "api-key: canary-unknown\r\n",
            401,
            "invalid_api_key",
        ),
        with("a key without the model", &bearer("narrow"), 403, "model_not_permitted"),
        with("a long region", &region(&"e".repeat(65)), 400, "bad_header"),
        with("a region that is no text", &region("\u{e9}"), 400, "bad_header"),
        to("PUT of a call", "PUT", CHAT, 405, "bad_method"),
        to("DELETE of the models", "DELETE", "/v1/models", 405, "bad_method"),
        to("POST of the models", "POST", "/v1/models", 405, "bad_method"),
        to("an unknown path", "POST", "/v1/nothing", 404, "unknown_path"),
        to("the root", "POST", "/", 400, "bad_path"),
        to("the admin's path", "GET", "/admin/state", 404, "unknown_path"),
        to("two slashes", "POST", "//v1/chat/completions", 400, "bad_path"),
        to("two slashes within", "POST", "/v1//chat/completions", 400, "bad_path"),
        to("an encoded slash", "POST", "/v1/chat%2fcompletions", 400, "bad_path"),
        to("dots", "POST", "/v1/../v1/chat/completions", 400, "bad_path"),
        to("encoded dots", "POST", "/v1/%2e%2e/chat/completions", 400, "bad_path"),
        to("a slash at the end", "POST", "/v1/chat/completions/", 400, "bad_path"),
        to(
            "dots for a deployment",
            "POST",
            "/openai/deployments/../chat/completions?api-version=2024-10-21",
            400,
            "bad_path",
        ),
        to(
            "an unknown deployment",
            "POST",
            "/openai/deployments/gpt-9/chat/completions?api-version=2024-10-21",
            404,
            "model_not_found",
        ),
    ]
}

#[test]
fn bad_requests_are_refused_in_openais_shape_and_reach_nobody() {
    let (folder, clouds) = (Folder::new(), clouds(|_| {}));
    let config = configure(&folder, &clouds, LAW, &format!("max-body-bytes = {MAX_BODY}"));
    let served = Served::start(Served::binary(), &config);
    for (what, bytes, status, code) in bad_bodies().into_iter().chain(bad_heads()) {
        let mut http = Http::connect(served.address).unwrap();
        http.write(&bytes).unwrap();
        let reply = http.read().unwrap_or_else(|error| panic!("{what}: {error}"));
        println!("{what}: {} {}", reply.status, String::from_utf8_lossy(&reply.body));
        reply.refuses(status, code);
        assert_eq!(reply.header("x-should-retry"), Some("false"), "{what}");
        assert!(!reply.text().contains("canary"), "{what}: {}", reply.text());
        assert!(reply.body.len() < 1_024, "{what}: what was sent is not sent back at length");
    }
    let requests: u64 = clouds.clouds.iter().map(|cloud| cloud.counters().requests).sum();
    assert_eq!(requests, 0);
    // After all of it a good call is served.
    let reply = Http::connect(served.address).unwrap().chat("open", "", &ask("gpt-4o")).unwrap();
    assert_eq!(reply.status, 200);
    let (code, said) = served.terminate();
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("panicked") && !said.contains("canary"), "{said}");
    let book = Book::read(&folder.journal(), false);
    assert_eq!((book.fault, book.records.len()), (None, 3), "the law, the good call, its settlement");
}

#[test]
fn a_head_that_two_may_read_differently_is_refused() {
    let world = World::new();
    let key = bearer("open");
    for head in [
        format!(
            "POST {CHAT} HTTP/1.1\r\nhost: g\r\n{key}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{{}}"
        ),
        format!("POST {CHAT} HTTP/1.1\r\nhost: g\r\n{key}content-length: 2\r\ncontent-length: 2\r\n\r\n{{}}"),
        format!("POST {CHAT} HTTP/1.1\r\n{key}content-length: 2\r\n\r\n{{}}"),
        format!("POST {CHAT} HTTP/1.1\r\nhost: g\r\nhost: h\r\n{key}content-length: 2\r\n\r\n{{}}"),
    ] {
        let mut http = world.connect();
        http.write(head.as_bytes()).unwrap();
        assert_eq!(http.read().unwrap().status, 400, "{head}");
    }
    world.stop();
}

#[test]
fn a_malformed_law_is_refused_with_file_and_line() {
    let folder = Folder::new();
    let clouds = clouds(|_| {});
    let line_of = |law: &str, word: &str| 1 + law.lines().position(|line| line.contains(word)).unwrap();
    for (from, to) in [
        ("holder = \"microsoft\"", "holder = \"microsof\""),
        ("answering = \"standing\"", "answering = \"sometimes\""),
        ("share = \"20 %\"", "share = \"20 percent\""),
        ("share = \"20 %\"", "share = 0.2"),
        (
            "scope = { kinds = \"calls\", tenants = [\"chat\"] }",
            "scope = { kinds = \"calls\", tenant = [\"chat\"] }",
        ),
        ("currency = \"USD\"", "currency = \"USD"),
        ("id = \"nordic-cloud\"\nparty = \"nordic\"", "id = \"nordic-cloud\"\nparty = \"nobody\""),
    ] {
        let law = law(&[(from, to)]);
        let config = configure(&folder, &clouds, &law, "");
        let line = line_of(&law, to.lines().last().unwrap());
        let text = said(&firstright(&["check", "law.toml"], &folder), 1);
        assert!(text.contains(&format!("law.toml:{line}")), "`{to}` stands in line {line}: {text}");
        assert!(text.contains("failed to check"), "{text}");
        let text = said(&firstright(&["serve", "--config", config.to_str().unwrap()], &folder), 1);
        assert!(text.contains(&format!("law.toml:{line}")), "{text}");
    }
    folder.write("law.toml", LAW);
    assert!(said(&firstright(&["check", "law.toml"], &folder), 0).contains("no errors"));
    fs::write(folder.0.join("law.toml"), [0xff, 0xfe, 0]).unwrap();
    for file in ["law.toml", "absent.toml"] {
        let text = said(&firstright(&["check", file], &folder), 1);
        assert!(text.contains(&format!("failed to read `{file}`")), "{text}");
    }
}

#[test]
fn a_configuration_that_is_wrong_is_refused_by_key_and_place() {
    let folder = Folder::new();
    let clouds = clouds(|_| {});
    let config = configure(&folder, &clouds, LAW, "");
    let good = fs::read_to_string(&config).unwrap();
    let secret = |words: &str| format!("key = {{ {words} }}");
    let from_file = |cloud: &str| secret(&format!("file = {:?}", folder.0.join(format!("{cloud}.key"))));
    folder.write("empty.key", " \n");
    let cases = [
        ("threads = 2", "thread = 2".to_string(), "thread"),
        ("data = \"data\"", "data = 7".to_string(), "data"),
        ("listen = \"127.0.0.1:0\"", "listen = \"everywhere\"".to_string(), "listen"),
        ("agreements = [\"law.toml\"]", "agreements = [\"lost.toml\"]".to_string(), "lost.toml"),
        ("tenant = \"chat\"", "tenant = \"chats\"".to_string(), "`chats`"),
        ("id = \"azure-ptu\"", "id = \"azure-ptus\"".to_string(), "`azure-ptus`"),
        ("dialect = \"azure-v1\"", "dialect = \"azure-v2\"".to_string(), "azure-v2"),
        ("version = \"2024-10-21\"", "version = \"../admin\"".to_string(), "../admin"),
        ("name = \"four-o-payg\"", "name = \"a/../b\"".to_string(), "a/../b"),
        ("url = \"http://", "url = \"ftp://".to_string(), "ftp://"),
        (&from_file("nordic"), secret("env = \"FIRSTRIGHT_TEST_ABSENT\""), "`FIRSTRIGHT_TEST_ABSENT`"),
        (&from_file("nordic"), secret("file = \"absent.key\""), "absent.key"),
        (&from_file("nordic"), secret("file = \"empty.key\""), "is empty"),
        (&from_file("nordic"), secret("value = \"canary\"").replace("canary", "plain"), "value"),
    ];
    for (from, to, named) in &cases {
        assert!(good.contains(from), "the configuration has no `{from}`");
        let bad = good.replacen(from, to, 1);
        fs::write(&config, &bad).unwrap();
        let text = said(&firstright(&["serve", "--config", "firstright.toml"], &folder), 1);
        assert!(text.contains("failed to ") && text.contains(named), "`{to}`: {text}");
        assert!(!folder.journal().exists() || !text.contains("panicked"));
    }
    // Of a key that is not known, file and line are told too.
    fs::write(&config, good.replacen("threads = 2", "thread = 2", 1)).unwrap();
    let text = said(&firstright(&["serve"], &folder), 1);
    assert!(
        text.contains("firstright.toml") && text.contains("line 7") && text.contains("threads"),
        "{text}"
    );
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    let folder = Folder::new();
    let clouds = clouds(|_| {});
    let config = configure(&folder, &clouds, LAW, "");
    let good = fs::read_to_string(&config).unwrap();
    let reference = good.lines().find(|line| line.starts_with("key = { file")).unwrap();
    for inline in ["key = \"canary-inline\"", "key = { value = \"canary-inline\" }"] {
        fs::write(&config, good.replacen(reference, inline, 1)).unwrap();
        let text = said(&firstright(&["serve"], &folder), 1);
        assert!(text.contains("firstright.toml") && text.contains("line"), "{text}");
    }
}

/// Frames of a journal: where each begins, and its end.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let mut ends = vec![HEADER];
    while ends[ends.len() - 1] < bytes.len() {
        let at = ends[ends.len() - 1];
        ends.push(at + u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize + 36);
    }
    ends
}

#[test]
fn a_flipped_byte_of_a_journal_is_found_and_named() {
    let world = World::new();
    let mut http = world.connect();
    for _ in 0..20 {
        http.chat("chat", "", &ask("gpt-4o")).unwrap();
    }
    let World { clouds, plane, folder } = world;
    plane.stop();
    let whole = fs::read(folder.journal()).unwrap();
    let ends = frames(&whole);
    assert_eq!(ends.len(), 42, "the law, 20 calls, 20 settlements");
    assert!(said(&firstright(&["verify", "data"], &folder), 0).starts_with("41 records"));
    let config = configure(&folder, &clouds, LAW, "");
    for place in 0..50 {
        // Spread over the file; the law is the longest record and gets most of them, so every other place is behind it.
        let from = if place % 2 == 0 { 0 } else { ends[1] };
        let at = from + (whole.len() - from) * place / 50;
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (place % 8);
        fs::write(folder.journal(), &bytes).unwrap();
        let text = said(&firstright(&["verify", "data"], &folder), 1);
        let record = ends.iter().position(|end| at < *end).unwrap().max(1);
        let named = if at < 8 { "this is not a journal".to_string() } else { format!("record {record} ") };
        assert!(text.contains(&named), "byte {at}: expected `{named}`: {text}");
        for command in [["settle", "data", "--party", "oracle"], ["explain", "41", "--journal", "data"]] {
            said(&firstright(&command, &folder), 1);
        }
        // A last frame that is wrong is a write that was cut off; anything before it is refused and left as it is.
        if record < 41 && place % 5 == 1 {
            let text = said(&firstright(&["serve", "--config", config.to_str().unwrap()], &folder), 1);
            assert!(
                text.contains(&format!("record {record} ")) && text.contains("restore it from a copy"),
                "{text}"
            );
            assert_eq!(fs::read(folder.journal()).unwrap(), bytes, "it was left as it is");
        }
    }
    fs::write(folder.journal(), &whole[..whole.len() - 9]).unwrap();
    let text = said(&firstright(&["verify", "data"], &folder), 1);
    assert!(text.contains("record 41 is cut off"), "{text}");
    for (file, content) in [("empty", &b""[..]), ("text", b"hello"), ("zeros", &[0; 64])] {
        fs::write(folder.0.join(file), content).unwrap();
        let text = said(&firstright(&["verify", file], &folder), 1);
        assert!(text.contains("not a journal"), "{text}");
    }
}

#[test]
fn a_second_process_does_not_take_the_same_journal() {
    let (folder, clouds) = (Folder::new(), clouds(|_| {}));
    let config = configure(&folder, &clouds, LAW, "");
    let served = Served::start(Served::binary(), &config);
    let text = said(&firstright(&["serve", "--config", config.to_str().unwrap()], &folder), 1);
    assert!(text.contains("another process has it open"), "{text}");
    assert_eq!(served.terminate().0, Some(0));
}

#[test]
fn no_key_comes_out_anywhere() {
    let (folder, clouds) = (Folder::new(), clouds(|_| {}));
    let config = configure(&folder, &clouds, LAW, "first-byte-timeout-s = 1");
    // Azure's secret is one that Azure refuses, and Oracle's port is closed.
    folder.write("azure.key", "canary-wrong-upstream-key\n");
    let refuse = serde_json::from_value(json!({ "fault": { "refuse-connections": {} } })).unwrap();
    clouds.cloud("oracle").unwrap().put_faults(vec![refuse]).unwrap();
    let served = Served::start(Served::binary(), &config);
    let mut replies: Vec<Reply> = Vec::new();
    let mut call = |extra: &str, path: &str, body: &str| {
        let mut http = Http::connect(served.address).unwrap();
        http.request("POST", path, extra, body.as_bytes()).unwrap();
        replies.push(http.read().unwrap());
    };
    for tenant in ["chat", "apis", "flexible", "patient", "europe", "nowhere", "open"] {
        let azure = format!("api-key: {}\r\n", key_of(tenant));
        call(&bearer(tenant), CHAT, &ask("gpt-4o").to_string());
        call(&azure, CHAT, &ask_stream("gpt-4o", false).to_string());
        call(&bearer(tenant), "/v1/responses", r#"{"model":"gpt-4o","input":"x"}"#);
        call(&bearer(tenant), CHAT, "{");
        call(&azure, "/v1/nothing", "");
    }
    call("authorization: Bearer canary-unknown\r\n", CHAT, "{}");
    call("authorization: Bearer canary\tunknown\r\n", CHAT, "{}");
    assert!(
        replies.iter().any(|reply| reply.status == 200) && replies.iter().any(|reply| reply.status == 502)
    );
    let mut heard = format!("{replies:?}");
    for reply in &replies {
        heard += &String::from_utf8_lossy(&reply.body);
    }
    let (code, printed) = served.terminate();
    assert_eq!(code, Some(0), "{printed}");
    heard += &printed;
    let journal = fs::read(folder.journal()).unwrap();
    heard += &String::from_utf8_lossy(&journal);
    let last = Book::of(&journal, false).records.len();
    for record in 1..=last {
        let output = Command::new(env!("CARGO_BIN_EXE_firstright"))
            .args(["explain", &record.to_string(), "--journal"])
            .arg(folder.journal())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        heard += &String::from_utf8(output.stdout).unwrap();
    }
    for arguments in [&["settle", "data"][..], &["verify", "data"], &["check", "law.toml"]] {
        heard += &said(&firstright(arguments, &folder), 0);
    }
    assert!(heard.len() > 20_000, "there was much to hear");
    if let Some(at) = heard.find("canary") {
        panic!("a key came out: …{}", heard[at.saturating_sub(200)..].chars().take(300).collect::<String>());
    }
}
