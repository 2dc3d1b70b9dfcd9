//! Does `firstright providers test` find what is wrong at a provider, and say how to mend it?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use firstright::sandbox;
use firstright_wire::language::Language;
use serde_json::{Value, json};

use crate::dialects::{self, EMBEDDERS, SPEAKERS, Speaker};
use crate::world::{Folder, LAW, Recorder, clouds, configure};

/// The clouds, and a configuration that fits them.
struct Bench {
    clouds: sandbox::Running,
    folder: Folder,
    config: PathBuf,
}

impl Bench {
    fn new() -> Bench {
        let (folder, clouds) = (Folder::new(), clouds(|_| {}));
        let config = configure(&folder, &clouds, LAW, "");
        Bench { clouds, folder, config }
    }

    /// Replaces a text of the configuration, which must be there.
    fn with(self, from: &str, to: &str) -> Bench {
        let text = fs::read_to_string(&self.config).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&self.config, text.replacen(from, to, 1)).unwrap();
        self
    }

    /// Gives a deployment another credential than its key.
    fn with_auth(self, id: &str, auth: &str) -> Bench {
        let text = fs::read_to_string(&self.config).unwrap();
        let (before, entry) = text.split_once(&format!("id = \"{id}\"\n")).unwrap();
        let (lines, rest) = entry.split_once("key = ").unwrap();
        let (_, rest) = rest.split_once('\n').unwrap();
        fs::write(&self.config, format!("{before}id = \"{id}\"\n{lines}auth = {auth}\n{rest}")).unwrap();
        self
    }

    fn fault(&self, cloud: &str, fault: Value) {
        let fault = serde_json::from_value(json!({ "fault": fault })).unwrap();
        self.clouds.cloud(cloud).unwrap().put_faults(vec![fault]).unwrap();
    }

    /// The exit code, and what was printed.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        run(&self.config, arguments)
    }

    /// The check of one deployment.
    fn check(&self, deployment: &str, check: &str) -> Value {
        let (_, text) = self.run(&["--json", deployment]);
        let text = text.split_once("\n]").map_or(text.as_str(), |(json, _)| json).to_string() + "\n]";
        let reports: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(reports.as_array().map(Vec::len), Some(1));
        let report = &reports[0];
        let checks = report["checks"].as_array().unwrap();
        let wrong = checks.iter().any(|check| check["verdict"] == "wrong");
        assert_eq!(report["right"], !wrong, "{text}");
        let found = checks.iter().find(|one| one["check"] == check);
        found.unwrap_or_else(|| panic!("no `{check}`: {text}")).clone()
    }

    #[track_caller]
    fn finds(&self, deployment: &str, check: &str, verdict: &str, said: &str, mend: &str) {
        let found = self.check(deployment, check);
        let has = |key: &str, wanted: &str| found[key].as_str().unwrap_or_default().contains(wanted);
        assert!(found["verdict"] == verdict && has("said", said) && has("mend", mend), "{found}");
    }
}

fn run(config: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstright"));
    command.args(["providers", "test", "--config"]).arg(config).args(arguments);
    let output = command.output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("canary") && !text.contains("panicked"), "{text}");
    (output.status.code(), text)
}

/// A provider or token endpoint that answers with these, one after the other.
fn answers(answers: &[(&str, &str, &str)]) -> Recorder {
    let whole = |(status, headers, body): &(&str, &str, &str)| {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}")
            .into_bytes()
    };
    Recorder::answering_in_turn(answers.iter().map(whole).collect())
}

const CHAT: &str = r#"{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"length"}],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}"#;

#[test]
fn what_is_right_is_told_and_costs_a_word() {
    let bench = Bench::new();
    let (code, text) = bench.run(&[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("WRONG") && !text.contains("mend:"), "{text}");
    for id in ["azure-ptu", "azure-payg", "azure-mini", "azure-embed", "oracle-gpt-4o", "nordic-gpt-4o"] {
        let at = text.find(&format!("{id}  http://127.0.0.1:")).unwrap_or_else(|| panic!("no {id}: {text}"));
        for check in ["address", "connection", "credential", "model", "limits"] {
            assert!(text[at..].contains(&format!("  ok     {check}")), "{id} {check}: {text}");
        }
    }
    bench.finds("azure-ptu", "limits", "right", "provisioned, 0 % used", "");
    bench.finds("azure-payg", "limits", "right", "60000000 tokens a minute, 600000 requests a minute", "");
    bench.finds("azure-payg", "credential", "right", "a key in `api-key`", "");
    bench.finds("oracle-gpt-4o", "credential", "right", "a key in `authorization`", "");
    bench.finds("oracle-gpt-4o", "stream", "right", "whole, with its usage", "");
    bench.finds("oracle-gpt-4o", "clock", "right", "within", "");
    // One word was asked for each time.
    let counters = bench.clouds.cloud("nordic").unwrap().counters();
    assert!(counters.output_tokens <= 2, "{counters:?}");
}

#[test]
fn a_key_that_is_refused_is_named() {
    let bench = Bench::new();
    fs::write(bench.folder.0.join("azure.key"), "canary-of-yesterday\n").unwrap();
    let (code, text) = bench.run(&["azure-ptu", "oracle-gpt-4o"]);
    assert_eq!(code, Some(1));
    assert!(
        text.contains("WRONG  credential") && text.ends_with("1 of 2 deployments are not right\n"),
        "{text}"
    );
    bench.finds("azure-payg", "credential", "wrong", "401: Access denied", "azure.key`");
    let bench = bench
        .with("key = { file", "auth = { header = \"x-other\", key = { env = \"FIRSTRIGHT_NOT_SET\" } } # ");
    bench.finds("azure-ptu", "configuration", "wrong", "`FIRSTRIGHT_NOT_SET` is not set", "");
    // What cannot be configured is no reason not to test the others.
    bench.finds("oracle-gpt-4o", "stream", "right", "whole", "");
}

#[test]
fn a_name_that_is_not_known_is_told_with_those_that_are() {
    let bench = Bench::new()
        .with("name = \"four-o-ptu\"", "name = \"four-ptu\"")
        .with("name = \"gpt-4o\"", "name = \"gpt-4\"");
    bench.finds("azure-ptu", "model", "wrong", "404 DeploymentNotFound", "(`four-ptu` is not)");
    bench.finds("oracle-gpt-4o", "model", "wrong", "404 model_not_found", "it lists `gpt-4o`");
    // The path is wrong, not the name.
    let oracle = bench.clouds.cloud("oracle").unwrap().address;
    let bench = bench.with(&format!("http://{oracle}/v1"), &format!("http://{oracle}/v2"));
    bench.finds("oracle-gpt-4o", "model", "wrong", "404", "`/v2/chat/completions`");
    let (code, text) = bench.run(&["nobody"]);
    assert!(code == Some(1) && text.contains("has no deployment of this id"), "{text}");
}

#[test]
fn faults_of_the_provider_are_told_apart() {
    let bench = Bench::new();
    bench.fault(
        "oracle",
        json!({ "brown-out": { "slow_percent": 100, "error_percent": 100, "status": 503 } }),
    );
    bench.finds("oracle-gpt-4o", "model", "wrong", "503", "the fault is the provider's");
    bench.fault("oracle", json!({ "throttle-storm": { "percent": 100, "retry_after_ms": 1000 } }));
    bench.finds("oracle-gpt-4o", "model", "note", "429", "the credential is taken");
    bench.fault("oracle", json!({ "cut": { "percent": 100, "after_chunks": 0 } }));
    bench.finds("oracle-gpt-4o", "model", "wrong", "the connection ended", "cuts answers");
    bench.fault("azure", json!({ "lowered-limit": { "percent": 50 } }));
    let said = "30000000 tokens a minute, 60000000 by the law";
    bench.finds("azure-payg", "limits", "note", said, "put it into the agreement's `capacity`");
    bench.fault("oracle", json!({ "refuse-connections": {} }));
    crate::world::until("the port is shut", || {
        bench.check("oracle-gpt-4o", "address")["verdict"] == "right" && {
            std::net::TcpStream::connect(bench.clouds.cloud("oracle").unwrap().address).is_err()
        }
    });
    bench.finds(
        "oracle-gpt-4o",
        "connection",
        "wrong",
        "connect to the provider",
        "nobody takes connections there",
    );
}

#[test]
fn names_and_certificates_are_looked_at() {
    let bench = Bench::new();
    let oracle = bench.clouds.cloud("oracle").unwrap().address;
    let bench = bench
        .with(&format!("http://{oracle}/v1"), "https://nobody.invalid/v1")
        .with("http://127", "https://127");
    bench.finds(
        "oracle-gpt-4o",
        "address",
        "wrong",
        "failed to resolve `nobody.invalid`",
        "check the host in `url`",
    );
    bench.finds("azure-ptu", "connection", "wrong", "agree on TLS", "the port speaks no TLS");
}

#[test]
fn tokens_are_fetched_and_their_refusals_explained() {
    let bench = Bench::new();
    let key = bench.clouds.cloud("azure").unwrap().key.clone();
    let token = format!(r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"{key}"}}"#);
    let secret = bench.folder.write("client.secret", "canary-client-secret");
    let auth = |endpoint: &Recorder| {
        format!(
            "{{ entra = {{ tenant = 't', client-id = 'c', client-secret = {{ file = {secret:?} }}, authority = 'http://{}' }} }}",
            endpoint.address
        )
    };
    let good = answers(&[("200 OK", "", &token)]);
    let bench = bench.with_auth("azure-ptu", &auth(&good)).with_auth("azure-mini", &auth(&good));
    let (code, text) = bench.run(&["azure-ptu", "azure-mini"]);
    assert!(code == Some(0) && text.contains("a token in "), "{text}");
    // Two deployments, one credential, one fetch.
    let asked = good.requests();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].0.starts_with("POST /t/oauth2/v2.0/token HTTP/1.1\r\n"), "{asked:?}");
    assert!(asked[0].1.contains("client_secret=canary-client-secret"), "{asked:?}");

    let said = r#"{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys for app 'canary' are expired."}"#;
    let expired = answers(&[("401 Unauthorized", "", said)]);
    let bench = bench.with_auth("azure-payg", &auth(&expired));
    bench.finds("azure-payg", "credential", "wrong", "`AADSTS7000222`", "client.secret`");
    // Nobody is there, as on a machine that is none of the cloud's.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let managed = format!("{{ managed-identity = {{ endpoint = 'http://{closed}' }} }}");
    let bench = bench.with_auth("azure-embed", &managed);
    bench.finds("azure-embed", "credential", "wrong", "get a token from", "no machine of that cloud");
}

#[test]
fn older_and_stranger_servers_are_told_of() {
    let bench = Bench::new();
    let address = |bench: &Bench, cloud| format!("http://{}/v1", bench.clouds.cloud(cloud).unwrap().address);
    let (oracle, nordic) = (address(&bench, "oracle"), address(&bench, "nordic"));
    // A server that does not know the wish for usage, and one whose model takes the later limit alone.
    let chunk = r#"{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"ok"},"finish_reason":null}]}"#;
    let end = r#"{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let stream = format!("data: {chunk}\n\ndata: {end}\n\ndata: [DONE]\n\n");
    let events = ("200 OK", "content-type: text/event-stream\r\n", stream.as_str());
    let no_options =
        ("400 Bad Request", "", r#"{"error":{"message":"unknown field `stream_options`","code":"unknown"}}"#);
    let old = answers(&[("200 OK", "", CHAT), no_options, events]);
    let later = (
        "400 Bad Request",
        "",
        r#"{"error":{"message":"Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.","code":"unsupported_parameter"}}"#,
    );
    let thinking = answers(&[later, ("200 OK", "", CHAT), later, events]);
    let bench = bench
        .with(&oracle, &format!("http://{}/v1", old.address))
        .with(&nordic, &format!("http://{}/v1", thinking.address));
    bench.finds("oracle-gpt-4o", "stream", "note", "`stream_options` are refused", "a newer server");
    assert!(!old.requests()[2].1.contains("stream_options"), "{:?}", old.requests());
    bench.finds("nordic-gpt-4o", "stream", "note", "no usage at its end", "");
    assert!(thinking.requests()[1].1.contains("\"max_completion_tokens\":16"), "{:?}", thinking.requests());
}

#[test]
fn a_clock_that_is_off_is_found_by_whoever_signs() {
    let bench = Bench::new();
    let oracle = format!("http://{}/v1", bench.clouds.cloud("oracle").unwrap().address);
    let refusal = r#"{"message":"Signature expired: you sent canary-secret-access-key"}"#;
    let aws = answers(&[("403 Forbidden", "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", refusal)]);
    let secret = bench.folder.write("aws.secret", "canary-secret-access-key");
    let id = bench.folder.write("aws.id", "AKIDEXAMPLE");
    let auth = format!(
        "{{ aws = {{ region = 'us-east-1', access-key-id = {{ file = {id:?} }}, secret-access-key = {{ file = {secret:?} }} }} }}"
    );
    let bench = bench.with_auth("oracle-gpt-4o", &auth).with(&oracle, &format!("http://{}/v1", aws.address));
    bench.finds("oracle-gpt-4o", "clock", "wrong", "this machine's clock is", "NTP");
    // What the provider repeats of the secret is left out.
    bench.finds(
        "oracle-gpt-4o",
        "credential",
        "wrong",
        "403: Signature expired: you sent …",
        "`bedrock:InvokeModel`",
    );
    let head = &aws.requests()[0].0;
    assert!(head.contains("\r\nauthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{head}");
    assert!(
        head.contains("/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, "),
        "{head}"
    );
}

/// A cloud of another language, and a configuration for it.
fn speaking(speaker: &Speaker) -> Bench {
    speaking_of(speaker, dialects::cloud(speaker, |_| {}), speaker.prefix, speaker.model)
}

/// The same for another model of that language.
fn speaking_of(speaker: &Speaker, clouds: sandbox::Running, prefix: &str, model: &str) -> Bench {
    let folder = Folder::new();
    let cloud = &clouds.clouds[0];
    let secret = folder.write("cloud.key", &cloud.key);
    folder.write(
        "law.toml",
        "currency = \"USD\"\n[[party]]\nid = \"us\"\noperator = true\n[[party]]\nid = \"them\"\n[[provider]]\nid = \"p\"\n\
         party = \"them\"\nregion = \"r\"\njurisdiction = \"us\"\n[[provider.deployment]]\nid = \"d\"\nmodel = \"m\"\n\
         capacity = { concurrent = 8 }\n[[tenant]]\nid = \"t\"\n",
    );
    let dialect = match &speaker.language {
        Language::Anthropic => "anthropic",
        Language::Bedrock => "bedrock",
        Language::Gemini => "gemini",
        Language::Oci { .. } => "oci",
    };
    let pays = speaker.more();
    let config = folder.write(
        "firstright.toml",
        &format!(
            "agreements = [\"law.toml\"]\n[[deployment]]\nid = \"d\"\nurl = \"http://{}{}\"\ndialect = \"{dialect}\"\n{pays}\
             name = \"{}\"\nkey = {{ file = {secret:?} }}\n",
            cloud.address, prefix, model
        ),
    );
    Bench { clouds, folder, config }
}

#[test]
fn every_language_is_tested_in_its_own_words() {
    for speaker in SPEAKERS.iter() {
        let bench = speaking(speaker);
        let (code, text) = bench.run(&[]);
        assert_eq!(code, Some(0), "{text}");
        bench.finds("d", "model", "right", "answered in", "");
        bench.finds("d", "stream", "right", "whole, with its usage", "");
        let bench = bench.with(&format!("name = \"{}\"", speaker.model), "name = \"nobody-1\"");
        bench.finds("d", "model", "wrong", "", "`name`");
        fs::write(bench.folder.0.join("cloud.key"), "canary-of-yesterday").unwrap();
        bench.finds("d", "credential", "wrong", "", "cloud.key`");
    }
}

#[test]
fn models_that_embed_are_tested_in_their_own_words() {
    for embedder in &EMBEDDERS {
        let speaker = &SPEAKERS[embedder.speaker];
        let clouds = dialects::embedding_cloud(embedder);
        let bench = speaking_of(speaker, clouds, embedder.prefix, embedder.model);
        let (code, text) = bench.run(&[]);
        assert_eq!(code, Some(0), "{text}");
        let (verdict, said) = match embedder.tells {
            true => ("right", "answered in"),
            false => ("note", "without a word of usage"),
        };
        bench.finds("d", "model", verdict, said, "");
    }
}

/// The role of a machine, from a metadata service that a test plays; and what is said where there is none.
#[test]
fn roles_at_aws_are_tested_and_mended() {
    let bench = || speaking(&SPEAKERS[1]);
    let with = |bench: Bench, auth: &str| {
        bench.with_auth("d", &format!("{{ aws = {{ region = 'us-east-1', {auth} }} }}"))
    };
    let keys = r#"{"Code":"Success","AccessKeyId":"ASIAONE","SecretAccessKey":"canary-secret","Token":"canary-token","Expiration":"2999-01-01T00:00:00Z"}"#;
    let plain = |body: &'static str| ("200 OK", "", body);
    let given = answers(&[plain("s3ss10n"), plain("gateway"), plain(keys)]);
    // The sandbox takes keys of its own and no signature, so it says that this one is not right.
    let role = with(bench(), &format!("instance-role = {{ endpoint = 'http://{}' }}", given.address));
    role.finds("d", "credential", "wrong", "403", "`bedrock:InvokeModel`");
    assert_eq!(given.requests().len(), 3);
    let gone = answers(&[plain("s3ss10n"), ("404 Not Found", "", "")]);
    let role = with(bench(), &format!("instance-role = {{ endpoint = 'http://{}' }}", gone.address));
    role.finds("d", "credential", "wrong", "status 404", "instance profile");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let role = with(bench(), &format!("container-role = {{ endpoint = 'http://{closed}/x' }}"));
    role.finds("d", "credential", "wrong", "get a token from", "Pod Identity agent");
    let bench = bench();
    let token = bench.folder.write("web.token", "a.b.c");
    let refusal = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>";
    let sts = answers(&[("403 Forbidden", "", refusal)]);
    let auth = format!(
        "web-identity = {{ role = 'arn:aws:iam::1:role/r', token = {token:?}, endpoint = 'http://{}' }}",
        sts.address
    );
    let role = with(bench, &auth);
    role.finds("d", "credential", "wrong", "status 403, `AccessDenied`", "`sts:AssumeRoleWithWebIdentity`");
    fs::remove_file(&token).unwrap();
    role.finds("d", "credential", "wrong", "failed to read", "is it mounted");
}

/// A resource's principal signs by its files; what is not there is told with the way to mend it.
#[test]
fn principals_at_oracle_are_tested_and_mended() {
    let bench = || speaking(&SPEAKERS[3]);
    let pem = concat!(env!("CARGO_MANIFEST_DIR"), "/../firstright-gateway/tests/it/tls/rsa.key.pem");
    let files = bench();
    // A JWT whose claims are `{"exp":4102444800}`: the end of the century.
    let token = files.folder.write("rpst", "e30.eyJleHAiOjQxMDI0NDQ4MDB9.canary");
    let auth =
        format!("{{ oci = {{ resource-principal = {{ token = {token:?}, private-key = {pem:?} }} }} }}");
    let resource = files.with_auth("d", &auth);
    // The sandbox takes keys of its own and no signature.
    resource.finds("d", "credential", "wrong", "401", "dynamic group");
    fs::write(&token, "e30.e30.canary").unwrap();
    resource.finds("d", "credential", "wrong", "holds no token", "`OCI_RESOURCE_PRINCIPAL_RPST`");
    let gone = answers(&[("404 Not Found", "", "")]);
    let endpoint = |address| {
        format!("{{ oci = {{ instance-principal = {{ region = 'r', endpoint = 'http://{address}' }} }} }}")
    };
    let machine = bench().with_auth("d", &endpoint(gone.address.to_string()));
    machine.finds("d", "credential", "wrong", "status 404", "the metadata service has no identity");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let machine = bench().with_auth("d", &endpoint(closed.to_string()));
    machine.finds("d", "credential", "wrong", "get a token from", "this is no machine of Oracle's");
}
