//! What can somebody do who means harm? docs/security.md lists the threats; here are the tests of those that no other file
//! proves.

use std::net::SocketAddr;
use std::process::Command;

use firstright_wire::operation::table::{ADMINISTRATIVE, SERVED};
use serde_json::json;

use crate::crash::Served;
use crate::world::{
    Folder, Http, LAW, Recorder, World, ask, bearer, clouds, configure, configure_at, key_of, law,
};

const STORE: &str = "[[provider.deployment]]\nid = \"ID\"\nmodel = \"store\"\ncapacity = { concurrent = 64 }\n\
                     price = { request = \"0 USD/request\" }\n\n";

/// Azure and Oracle both keep things; whatever is asked of them is answered with `answer`.
fn keeping(recorder: &Recorder) -> World {
    keeping_under(recorder, &[])
}

/// The same with more changes of the law.
pub fn keeping_under(recorder: &Recorder, more: &[(&str, &str)]) -> World {
    let with = |id: &str, before: &str| (before.to_string(), format!("{}{before}", STORE.replace("ID", id)));
    let oracle = "[[provider]]\nid = \"oracle-cloud\"";
    let nordic = "[[provider]]\nid = \"nordic-cloud\"";
    let changes = [with("azure-store", oracle), with("oracle-store", nordic)];
    let changes = changes.iter().map(|(from, to)| (from.as_str(), to.as_str()));
    let changes: Vec<_> = changes.chain(more.iter().copied()).collect();
    let (folder, clouds) = (Folder::new(), clouds(|_| {}));
    let address = |_: &str| recorder.address;
    let config = configure_at(&folder, &clouds, address, &law(&changes), "");
    let mut text = std::fs::read_to_string(&config).unwrap();
    for (id, path) in [("azure-store", ""), ("oracle-store", "/v1")] {
        let dialect = if path.is_empty() { "azure-v1" } else { "open-ai" };
        text += &format!(
            "[[deployment]]\nid = \"{id}\"\nurl = \"http://{}{path}\"\ndialect = \"{dialect}\"\n",
            recorder.address
        );
    }
    std::fs::write(&config, text).unwrap();
    World::serve(folder, clouds, &config)
}

fn answering(body: &str) -> Recorder {
    Recorder::answering(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    ))
}

fn send(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut http = Http::connect(address).unwrap();
    http.request(method, path, headers, body.as_bytes()).unwrap();
    let reply = http.read().unwrap();
    (reply.status, reply.text().to_string())
}

/// Threat 4: no path lets anybody in without a key, whatever stands in Host, and none that is not known is served.
#[test]
fn every_path_needs_a_key() {
    let world = World::new();
    let address = world.plane.address();
    for served in SERVED {
        for verb in served.verbs {
            for base in ["/v1/", "/openai/v1/"] {
                let path = format!("{base}{}", served.pattern.replace("{}", "x"));
                for key in
                    ["", "authorization: Bearer canary\r\n", "api-key: canary\r\n", "x-api-key: canary\r\n"]
                {
                    let (status, text) = send(address, verb.method(), &path, key, "");
                    assert_eq!(status, 401, "{} {path}: {text}", verb.method());
                }
            }
        }
    }
    for first in ADMINISTRATIVE {
        let (status, text) = send(address, "GET", &format!("/v1/{first}/x"), &bearer("chat"), "");
        assert!(status == 403 && text.contains("operator_only"), "{status} {text}");
    }
    for path in ["/v1/admin", "/admin/jobs", "/v1/proxy/models", "/metrics", "/v1"] {
        assert_eq!(send(address, "GET", path, &bearer("chat"), "").0, 404, "{path}");
    }
    for cloud in ["azure", "oracle", "nordic"] {
        assert_eq!(world.cloud(cloud).counters().requests, 0);
    }
    world.stop();
}

/// Threat 9: an id that one tenant was given is worth nothing to another, nor is one that was never given out.
#[test]
fn what_lives_at_a_provider_is_its_tenants_alone() {
    let recorder = answering(r#"{"id":"file-abc","object":"file","purpose":"batch"}"#);
    let world = keeping(&recorder);
    let address = world.plane.address();
    let (status, text) = send(address, "POST", "/v1/vector_stores", &bearer("open"), "{}");
    assert_eq!(status, 200, "{text}");
    let id = serde_json::from_str::<serde_json::Value>(&text).unwrap()["id"].as_str().unwrap().to_string();
    assert!(id.starts_with("file-abc_fr"));
    let (status, _) = send(address, "GET", &format!("/v1/files/{id}"), &bearer("open"), "");
    assert_eq!(status, 200);
    let last = recorder.requests().last().unwrap().0.clone();
    assert!(last.contains("/files/file-abc HTTP/1.1"), "{last}");
    let asked = recorder.requests().len();
    for (tenant, path) in [
        ("chat", format!("/v1/files/{id}")),
        ("open", "/v1/files/file-abc".to_string()),
        ("open", format!("/v1/files/{}x", &id[..id.len() - 1])),
        ("chat", format!("/v1/files/file-abc{}", &id["file-abc".len()..])),
    ] {
        let (status, text) = send(address, "GET", &path, &bearer(tenant), "");
        assert!(status == 404 && text.contains("home_unknown"), "{tenant} {path}: {status} {text}");
        let body =
            json!({ "model": "gpt-4o", "input": [{ "file_id": path.rsplit('/').next() }] }).to_string();
        let (status, text) = send(address, "POST", "/v1/responses", &bearer(tenant), &body);
        assert!(status == 400 && text.contains("home_unknown"), "{tenant}: {status} {text}");
    }
    // A list would show what others keep in the same account.
    let (status, text) = send(address, "GET", "/v1/files", &bearer("open"), "");
    assert!(status == 403 && text.contains("list_not_isolated"), "{status} {text}");
    // Naming the home does not make what is not signed one's own.
    let headers = format!("{}x-firstright-home: azure\r\n", bearer("chat"));
    assert_eq!(send(address, "GET", "/v1/files/file-abc", &headers, "").0, 404);
    assert_eq!(recorder.requests().len(), asked, "no provider was asked");
    world.stop();
}

/// What is named must live at one place, and the place must be one that may serve.
#[test]
fn a_home_is_never_left() {
    let recorder = answering(r#"{"id":"file-abc"}"#);
    let world = keeping(&recorder);
    let address = world.plane.address();
    let at = |home: &str, tenant: &str| {
        let headers = format!("{}x-firstright-home: {home}\r\n", bearer(tenant));
        let (status, text) = send(address, "POST", "/v1/vector_stores", &headers, "{}");
        assert_eq!(status, 200, "{text}");
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["id"].as_str().unwrap().to_string()
    };
    let (here, there) = (at("azure", "open"), at("oracle-cloud", "open"));
    assert_ne!(here, there);
    let ask = |tenant: &str, ids: &[&str]| {
        let input: Vec<_> = ids.iter().map(|id| json!({ "file_id": id })).collect();
        let body = json!({ "model": "gpt-4o", "input": input }).to_string();
        let mut http = Http::connect(address).unwrap();
        http.request("POST", "/v1/responses", &bearer(tenant), body.as_bytes()).unwrap();
        http.read().unwrap()
    };
    assert_eq!(ask("open", &[&here]).header("x-firstright-provider"), Some("azure"));
    assert_eq!(ask("open", &[&there]).header("x-firstright-provider"), Some("oracle-cloud"));
    assert_eq!(ask("open", &[&here, &there]).json()["error"]["code"], "homes_differ");
    // One of the caller's own vouches for no other.
    for other in ["file-theirs", "file\\u002dtheirs"] {
        let body =
            format!(r#"{{"model":"gpt-4o","input":[{{"file_id":"{here}"}},{{"file_id":"{other}"}}]}}"#);
        let (status, text) = send(address, "POST", "/v1/responses", &bearer("open"), &body);
        assert!(status == 400 && text.contains("home_unknown"), "{status} {text}");
    }
    let path = format!("/v1/files/file-theirs/content?x={here}");
    let (status, text) = send(address, "GET", &path, &bearer("open"), "");
    assert!(status == 404 && text.contains("home_unknown"), "{status} {text}");
    // Oracle alone may serve this tenant, whose file was put at Oracle; nobody else's may.
    let kept = at("oracle-cloud", "patient");
    assert_eq!(ask("patient", &[&kept]).header("x-firstright-provider"), Some("oracle-cloud"));
    let headers = format!("{}x-firstright-home: azure\r\n", bearer("patient"));
    let (status, text) = send(address, "POST", "/v1/vector_stores", &headers, "{}");
    assert!(status == 403 && text.contains("contract_refusal"), "{status} {text}");
    world.stop();
}

/// A form with a file for a batch.
fn batch_file(lines: &[String], purpose: &str) -> String {
    let part = |name: &str, content: &str| {
        format!("--b\r\nContent-Disposition: form-data; name={name}\r\n\r\n{content}\r\n")
    };
    let file = part("\"file\"; filename=\"a.jsonl\"", &lines.join("\n"));
    format!("{}{file}--b--\r\n", part("\"purpose\"", purpose))
}

/// Threat 9: the lines of a batch's file are requests, and are held to what a request is held to.
#[test]
fn the_lines_of_a_batch_are_read_as_requests_are() {
    let recorder = answering(r#"{"id":"file-abc","object":"file"}"#);
    let world = keeping(&recorder);
    let address = world.plane.address();
    let form = "content-type: multipart/form-data; boundary=b\r\n";
    let id_at = |home: &str| {
        let headers = format!("{}x-firstright-home: {home}\r\n", bearer("open"));
        let (_, text) = send(address, "POST", "/v1/vector_stores", &headers, "{}");
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["id"].as_str().unwrap().to_string()
    };
    let (here, there) = (id_at("azure"), id_at("oracle-cloud"));
    let line = |body: &str| {
        format!(
            r#"{{"custom_id":"run_1","method":"POST","url":"/v1/responses","body":{{"model":"gpt-4o","input":"a"{body}}}}}"#
        )
    };
    let put = |path: &str, tenant: &str, lines: &[String], purpose: &str| {
        send(address, "POST", path, &format!("{}{form}", bearer(tenant)), &batch_file(lines, purpose))
    };
    // Signatures are taken off, the model gets its name at the home, and every other byte stays.
    let signed = [line(""), line(&format!(r#","previous_response_id":"{here}""#)), String::new()];
    let (status, text) = put("/v1/files", "open", &signed, "batch");
    assert_eq!(status, 200, "{text}");
    let (head, sent) = recorder.requests().last().unwrap().clone();
    assert!(head.starts_with("POST /openai/v1/files HTTP/1.1"), "{head}");
    let known = signed.map(|line| line.replace(&here, "file-abc").replace("gpt-4o", "four-o-payg"));
    assert_eq!(sent, batch_file(&known, "batch"));
    let asked = recorder.requests().len();
    let foreign = |field: &str| line(&format!(r#","{field}":"file-theirs""#));
    for (tenant, lines, code, param) in [
        ("open", vec![line(""), foreign("input_file_id")], "home_unknown", "file[2].input_file_id"),
        (
            "open",
            vec![line(r#","metadata":{"run_\u0069d":"run_theirs"}"#)],
            "home_unknown",
            "file[1].run_\\u0069d",
        ),
        ("open", vec![line(r#","conversation":"mine""#)], "home_unknown", "file[1].body"),
        ("chat", vec![line(&format!(r#","file_id":"{here}""#))], "home_unknown", "file[1].file_id"),
        ("open", vec![line(&format!(r#","file_ids":["{here}","{there}"]"#))], "homes_differ", "file[1]"),
        (
            "open",
            vec![line(&format!(r#","file_id":"{here}""#)), line(&format!(r#","file_id":"{there}""#))],
            "homes_differ",
            "file[2]",
        ),
        ("open", vec![line(r#","api_base":"http://other.example""#)], "upstream_not_selectable", "file[1]"),
        ("open", vec![line("").replace("gpt-4o", "four-o-payg")], "model_not_found", "file[1].model"),
        ("open", vec![line("").replace("gpt-4o", "store")], "model_not_found", "file[1].model"),
        ("narrow", vec![line("")], "model_not_permitted", "file[1]"),
        ("open", vec![line(""), line("").replace("gpt-4o", "gpt-4o-mini")], "models_differ", "file[2].model"),
        ("open", vec![line("").replace("/v1/responses", "/v1/files")], "invalid_value", "file[1].url"),
        ("open", vec!["{".to_string()], "invalid_json", "file[1]"),
    ] {
        let (status, text) = put("/v1/files", tenant, &lines, "batch");
        let error = &serde_json::from_str::<serde_json::Value>(&text).unwrap()["error"];
        assert!((400..500).contains(&status), "{code}: {status} {text}");
        assert_eq!((error["code"].as_str(), error["param"].as_str()), (Some(code), Some(param)), "{text}");
    }
    assert_eq!(recorder.requests().len(), asked, "no provider was asked");
    world.stop();
}

/// Threat 9: what is no batch's file says what it likes, but no file is a batch's without being read.
#[test]
fn what_a_form_says_beside_a_batch() {
    let recorder = answering(r#"{"id":"file-abc","object":"file"}"#);
    let world = keeping(&recorder);
    let address = world.plane.address();
    let form = "content-type: multipart/form-data; boundary=b\r\n";
    let put = |purpose: &str, line: &str| {
        let headers = format!("{}{form}", bearer("open"));
        send(address, "POST", "/v1/files", &headers, &batch_file(&[line.to_string()], purpose))
    };
    // In parts nobody can read them, and what a provider makes is not made by callers.
    for (path, body) in [
        ("/v1/uploads", r#"{"purpose":"batch","bytes":1}"#),
        ("/v1/uploads", r#"{"purpose":"user_data","Purp\u006fse":" Batch"}"#),
        ("/v1/uploads", r#"{"purpose":["batch"]}"#),
        ("/v1/files", r#"{"purpose":"batch","file":"{}"}"#),
        ("/v1/uploads", r#"{"purpose":"batch_output","bytes":1}"#),
        ("/v1/batches", r#"{"input_blob":"https://storage.example/lines.jsonl"}"#),
    ] {
        let (status, text) = send(address, "POST", path, &bearer("open"), body);
        assert!(status == 400 && text.contains("/v1/files"), "{status} {text}");
    }
    for purpose in ["batch_output", "Batch_OUTPUT"] {
        let (status, text) = put(purpose, "{}");
        assert!(status == 400 && text.contains("what a provider makes"), "{status} {text}");
    }
    // In another charset, or with another boundary, it would be a batch's to somebody else.
    let (status, text) = put("+AGI-atch", "{}");
    assert!(status == 400 && text.contains("must be plain"), "{status} {text}");
    let kind = |kind: &str| format!("content-type: multipart/form-data; {kind}\r\n");
    let two = kind("boundary=b") + &kind("boundary=c");
    for form in [two, kind("boundary=b; boundary=c"), kind("boundary=\"b;c\""), kind("x=y")] {
        for path in ["/v1/files", "/v1/realtime/calls"] {
            let body = batch_file(&["{}".to_string()], "user_data");
            let (status, text) = send(address, "POST", path, &(bearer("open") + &form), &body);
            assert!(status == 400 && text.contains("invalid_form"), "{form}: {status} {text}");
        }
    }
    assert_eq!(recorder.requests().len(), 0, "no provider was asked");
    // A file that is no batch's says what it likes, and a field names what its caller was given.
    assert_eq!(put("user_data", r#"{"file_id":"file-theirs"},{"#).0, 200);
    let (_, text) = send(address, "POST", "/v1/vector_stores", &bearer("open"), "{}");
    let here = serde_json::from_str::<serde_json::Value>(&text).unwrap()["id"].as_str().unwrap().to_string();
    let field = |id: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"file_id\"\r\n\r\n{id}\r\n--b--\r\n")
    };
    for (id, wanted) in [(here.as_str(), 200), ("file-theirs", 400)] {
        let headers = format!("{}{form}", bearer("open"));
        let (status, text) = send(address, "POST", "/v1/skills", &headers, &field(id));
        assert_eq!(status, wanted, "{text}");
    }
    // A fine-tuned model lives at its provider too.
    let own = ask("ft:gpt-4o:theirs::x").to_string();
    let (status, text) = send(address, "POST", "/v1/chat/completions", &bearer("open"), &own);
    assert!(status == 400 && text.contains("home_unknown"), "{status} {text}");
    world.stop();
}

/// Threat 9: what a query names, and what an eval runs over.
#[test]
fn what_is_named_beside_a_body_is_the_callers_own() {
    let recorder = answering(r#"{"id":"file-abc","object":"file"}"#);
    let world = keeping(&recorder);
    let address = world.plane.address();
    let (_, text) = send(address, "POST", "/v1/vector_stores", &bearer("open"), "{}");
    let here = serde_json::from_str::<serde_json::Value>(&text).unwrap()["id"].as_str().unwrap().to_string();
    // Whose call is listened to, which run's messages are read.
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (path, more) in [
        ("/v1/realtime?model=gpt-4o&call_id=rtc_theirs".to_string(), upgrade),
        (format!("/v1/threads/{here}/messages?run_id=run_theirs"), ""),
        (format!("/v1/realtime?model=ft:gpt-4o:theirs::x&call_id={here}"), upgrade),
    ] {
        let (status, text) = send(address, "GET", &path, &(bearer("open") + more), "");
        assert!((400..500).contains(&status) && text.contains("home_unknown"), "{path}: {status} {text}");
    }
    // An eval runs over what it is given, and not over what everybody has kept in the account.
    for (source, wanted) in [
        (format!(r#"{{"type":"file_id","id":"{here}"}}"#), 200),
        (r#"{"type":"file_content","content":[{"item":{}}]}"#.to_string(), 200),
        (r#"{"type":"stored_completions","limit":100}"#.to_string(), 403),
        (r#"{"type":"file_content","t\u0079pe":"responses"}"#.to_string(), 403),
    ] {
        let body = format!(r#"{{"data_source":{{"type":"responses","source":{source}}}}}"#);
        let (status, text) = send(address, "POST", &format!("/v1/evals/{here}/runs"), &bearer("open"), &body);
        assert_eq!(status, wanted, "{source}: {text}");
        assert!(wanted == 200 || text.contains("list_not_isolated"), "{text}");
    }
    world.stop();
}

/// Where a batch's file is kept the law of its lines' model decides: a right on that model holds for the file.
#[test]
fn a_batch_is_kept_where_its_lines_may_run() {
    let recorder = answering(r#"{"id":"file-abc","object":"file"}"#);
    let before = "[[agreement.revenue-share]]\nid = \"azure-share\"";
    let only = format!(
        "[[agreement.exclusivity]]\nid = \"chats-only\"\nparty = \"microsoft\"\n\
         scope = {{ kinds = \"calls\", models = [\"gpt-4o\"], tenants = [\"chat\"] }}\n\n{before}"
    );
    let world = keeping_under(&recorder, &[(before, &only)]);
    let put = |tenant: &str, model: &str, home: &str| {
        let line =
            format!(r#"{{"method":"POST","url":"/v1/responses","body":{{"model":"{model}","input":"a"}}}}"#);
        let extra = format!("{home}content-type: multipart/form-data; boundary=b\r\n");
        world.post(tenant, "/v1/files", &extra, batch_file(&[line], "batch").as_bytes())
    };
    let oracle = "x-firstright-home: oracle-cloud\r\n";
    assert_eq!(put("open", "gpt-4o", oracle).header("x-firstright-provider"), Some("oracle-cloud"));
    assert_eq!(put("open", "gpt-4o-mini", "").header("x-firstright-provider"), Some("azure"));
    put("open", "gpt-4o-mini", oracle).refuses(403, "home_may_not_serve");
    // Oracle may keep this tenant's things, but not run this model for it.
    put("chat", "gpt-4o", oracle).refuses(403, "contract_refusal");
    assert_eq!(world.post("chat", "/v1/vector_stores", oracle, b"{}").status, 200);
    // Oracle alone may serve this tenant, and has no such model.
    put("patient", "gpt-4o-mini", "").refuses(403, "contract_refusal");
    world.stop();
}

/// Threat 9: ids in what a provider made of a batch are its tenant's; those in a file that a caller wrote are not made so.
#[test]
fn the_output_of_a_batch_is_signed_and_no_other_file() {
    let output = r#"{"custom_id":"run_1","response":{"status_code":200,"body":{"id":"resp_mine"}}}"#;
    for (kind, purpose, signed) in [
        ("application/octet-stream", "batch_output", true),
        ("application/octet-stream", "user_data", false),
        ("application/json", "batch_output", true),
        ("application/json", "user_data", false),
    ] {
        let answer = |kind: &str, body: &str| {
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n");
            format!("{head}connection: close\r\n\r\n{body}").into_bytes()
        };
        let described = format!(r#"{{"id":"file-abc","purpose":"{purpose}"}}"#);
        let json = "application/json";
        let answers =
            vec![answer(json, r#"{"id":"file-abc"}"#), answer(kind, output), answer(json, &described)];
        let recorder = Recorder::answering_in_turn(answers);
        let world = keeping(&recorder);
        let address = world.plane.address();
        let (_, text) = send(address, "POST", "/v1/vector_stores", &bearer("open"), "{}");
        let id =
            serde_json::from_str::<serde_json::Value>(&text).unwrap()["id"].as_str().unwrap().to_string();
        let path = format!("/v1/files/{id}/content");
        let (status, text) = send(address, "GET", &path, &bearer("open"), "");
        assert_eq!(status, 200, "{text}");
        assert_eq!(text.contains("resp_mine_fr"), signed, "{kind} {purpose}: {text}");
        assert!(text.contains(r#""custom_id":"run_1""#), "{text}");
        if !signed {
            assert_eq!(text, output);
        }
        let heads: Vec<_> = recorder.requests().into_iter().map(|(head, _)| head).collect();
        assert!(heads[1].contains("/files/file-abc/content HTTP/1.1"), "{}", heads[1]);
        assert!(heads[2].contains("/files/file-abc HTTP/1.1"), "{}", heads[2]);
        world.stop();
    }
}

/// Threat 7: whatever is asked, the gateway starts no process.
#[test]
fn no_process_is_started() {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("skipped: strace is not installed");
        return;
    }
    let (folder, clouds) = (Folder::new(), clouds(|_| {}));
    let config = configure(&folder, &clouds, LAW, "");
    let log = folder.0.join("execve.log");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=execve,execveat", "-o"]).arg(&log);
    command.arg(env!("CARGO_BIN_EXE_firstright"));
    let served = Served::start(command, &config);
    let hostile = "$(touch x); `id`; ../../bin/sh -c id";
    for body in [ask("gpt-4o"), json!({ "model": hostile, "messages": hostile, "tools": [hostile] })] {
        let headers = format!("{}x-client-request-id: {hostile}\r\n", bearer("chat"));
        send(served.address, "POST", "/v1/chat/completions", &headers, &body.to_string());
    }
    send(served.address, "GET", "/v1/models", &format!("authorization: Bearer {}\r\n", key_of("chat")), "");
    served.kill();
    let text = std::fs::read_to_string(&log).unwrap();
    let started = text.lines().filter(|line| line.contains("execve(")).count();
    assert_eq!(started, 1, "only the gateway itself: {text}");
}

/// Threat 14: HTTP/2 is not spoken, so nothing of it can be flooded: its preface is refused and the connection closed.
#[test]
fn http_2_is_not_spoken() {
    use std::io::{Read as _, Write as _};
    let world = World::new();
    let mut stream = std::net::TcpStream::connect(world.plane.address()).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    let said = String::from_utf8_lossy(&said);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 400"), "{said}");
    let upgrade = format!(
        "{}connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n",
        bearer("chat")
    );
    assert_eq!(
        send(world.plane.address(), "POST", "/v1/chat/completions", &upgrade, &ask("gpt-4o").to_string()).0,
        200
    );
    world.stop();
}
