//! Do OpenAI's own clients, unmodified, work against `firstright serve` in front of the sandbox clouds?
//!
//! The scripts stand in `tests/sdk`, the clients' versions in its `versions.txt`. Each client gets a world of its own: the
//! built binary, a law, a journal, and clouds. When it is done, the journal that its calls left has to verify.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use firstright::config::hex_digest;
use firstright::sandbox;
use firstright_sim::cloud::Spec;

use crate::clients::{self, Server, root, tool};

const LAW: &str = include_str!("../sdk/law.toml");
const CLOUDS: &str = include_str!("../sdk/clouds.toml");

/// Longest wait for a script: it takes some ten seconds, more on a machine that builds meanwhile.
const SCRIPT_MAX: Duration = Duration::from_secs(180);

const APP_KEY: &str = "fr-test-app";
const BANK_KEY: &str = "fr-test-bank";
const PATIENT_KEY: &str = "fr-test-patient";

#[test]
fn python_1() {
    python("python-1", "chat.py");
}

#[test]
fn python_2() {
    python("python-2", "chat.py");
}

#[test]
fn python_3() {
    python("python-3", "chat.py");
}

#[test]
fn langchain() {
    python("langchain", "langchain.py");
}

#[test]
fn anthropic() {
    python("langchain", "messages.py");
}

#[test]
fn llama_index() {
    python("llama-index", "llamaindex.py");
}

#[test]
fn node() {
    javascript("node-openai", "chat.mjs");
}

#[test]
fn node_ai() {
    javascript("node-ai", "ai.mjs");
}

fn python(name: &str, file: &str) {
    let Some(client) = tool(name) else { return };
    let mut command = clients::python(&client);
    command.arg(script(file));
    World::start(name).passes(command);
}

fn javascript(name: &str, file: &str) {
    let (Some(mut node), Some(client)) = (clients::node(), tool(name)) else { return };
    node.arg(script(file)).env("FIRSTRIGHT_NODE_CLIENT", client);
    World::start(name).passes(node);
}

fn script(name: &str) -> PathBuf {
    root().join("crates/firstright/tests/sdk").join(name)
}

/// A server and its clouds.
struct World {
    server: Server,
    _clouds: sandbox::Running,
}

impl World {
    fn start(name: &str) -> World {
        let clouds = sandbox::start(Spec::parse(CLOUDS).unwrap(), 7, 1).unwrap();
        let folder = Server::folder(name);
        std::fs::write(folder.join("law.toml"), LAW).unwrap();
        std::fs::write(folder.join("firstright.toml"), plumbing(&clouds)).unwrap();
        let keys = clouds.clouds.iter().map(|cloud| (variable(&cloud.name), cloud.key.as_str()));
        let server = Server::start(folder, keys);
        World { server, _clouds: clouds }
    }

    /// Runs the script; then the server has to stop when asked, and its journal to verify.
    fn passes(self, mut command: Command) {
        command.env("FIRSTRIGHT_URL", &self.server.url);
        command.env("FIRSTRIGHT_APP_KEY", APP_KEY).env("FIRSTRIGHT_BANK_KEY", BANK_KEY);
        command.env("FIRSTRIGHT_PATIENT_KEY", PATIENT_KEY);
        println!("{}", clients::ran(command, &self.server.folder.join("output"), SCRIPT_MAX));
        self.server.ends_well();
    }
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
        ("azure-store", &azure, v1, "azure"),
        ("oracle-store", &oracle, plain, "oracle"),
        ("oracle-gpt-4o-mini", &oracle, plain, "oracle"),
        ("oracle-narrow", &oracle, plain, "oracle"),
        ("oracle-sliced", &oracle, plain, "oracle"),
        ("oracle-down", "http://127.0.0.1:1/v1", plain, "oracle"),
    ];
    let mut text = String::from(
        "agreements = [\"law.toml\"]\ndata = \"data\"\n[gateway]\nlisten = \"127.0.0.1:0\"\nthreads = 1\nkeep-alive-s = 1\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n",
    );
    for (tenant, key) in [("app", APP_KEY), ("bank", BANK_KEY), ("patient", PATIENT_KEY)] {
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
