//! A book with its job plane in this process, and the command line beside it.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use firstright::admin::{self, Token};
use firstright::jobs::{self, JobPlane, JobsConfig};
use firstright_core::journal;
use firstright_dispatch::Config;
use firstright_engine::{Engine, JournalError, OpenError};
use serde_json::Value;

use super::crash;

/// How long anything may take before the test fails: generous, because the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "a-token-for-tests-only";

/// A holder with a first refusal on jobs, and a cheaper third party.
pub fn pool_law(window: &str) -> String {
    format!(
        r#"
currency = "USD"
[[party]]
id = "us"
operator = true
[[party]]
id = "azure"
[[party]]
id = "oracle"
[[provider]]
id = "azure-east"
party = "azure"
region = "us-east"
jurisdiction = "us"
[[provider.pool]]
accelerator = "h100"
count = 64
interconnect = "infiniband"
hour = "2.95 USD/h"
[[provider]]
id = "oracle-east"
party = "oracle"
region = "us-east"
jurisdiction = "us"
[[provider.pool]]
accelerator = "h100"
count = 64
interconnect = "infiniband"
hour = "2.50 USD/h"
[[tenant]]
id = "research"
[[agreement]]
id = "deal"
parties = ["us", "azure"]
from = 2025-01-01
[[agreement.first-refusal]]
id = "first"
holder = "azure"
scope = {{ kinds = "jobs" }}
answering = {{ within = "{window}" }}
partial = true
counter = true
"#
    )
}

/// A job file with these lines.
pub fn job(lines: &str) -> String {
    format!("name = \"test\"\ntenant = \"research\"\nhours = 1\n{lines}\n")
}

/// Waits for something, or fails.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it takes too long until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Does a process of that id run?
pub fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with('Z') && !rest.is_empty())
}

/// Opens a book under a law, and runs its job plane.
pub fn serve(law: &str, config: Config) -> (JobPlane, Arc<Engine>) {
    let law = vec![("law.toml".to_string(), law.to_string())];
    let engine = open(&config.data, &law);
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let admin = admin::Config { listen, token: Token::new(TOKEN), ..admin::Config::default() };
    let plane = jobs::start(Arc::clone(&engine), JobsConfig { plane: config, admin }).unwrap();
    (plane, engine)
}

/// A process that another test is just starting holds this one's files, and so the book's lock, until it runs its own
/// program: that lock is waited for.
fn open(data: &Path, law: &[(String, String)]) -> Arc<Engine> {
    let began = Instant::now();
    loop {
        match Engine::open(data, law.to_vec()) {
            Ok(opened) => return opened.engine,
            Err(OpenError::Journal(JournalError::Locked { .. })) if began.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

pub struct Server {
    folder: PathBuf,
    law: String,
    pub config: Config,
    running: Option<(JobPlane, Arc<Engine>)>,
}

impl Server {
    pub fn start(name: &str, law: &str) -> Server {
        let folder = std::env::temp_dir().join(format!("firstright-jobs-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let config = Config {
            meter_every: Duration::from_millis(100),
            grace: Duration::from_millis(500),
            ..Config::new(folder.join("book"))
        };
        let mut server = Server { folder, law: law.to_string(), config, running: None };
        server.go_on();
        server
    }

    pub fn go_on(&mut self) {
        self.running = Some(serve(&self.law, self.config.clone()));
    }

    pub fn stop(&mut self) {
        if let Some((plane, engine)) = self.running.take() {
            plane.stop();
            engine.close();
            assert_eq!(Arc::strong_count(&engine), 1, "nobody holds the engine any more");
        }
    }

    pub fn restart(&mut self) {
        self.stop();
        self.go_on();
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("book")
    }

    pub fn address(&self) -> SocketAddr {
        self.running.as_ref().unwrap().0.admin()
    }

    /// The handle, for a test that measures more than the command line.
    pub fn plane(&self) -> firstright_dispatch::Plane {
        self.running.as_ref().unwrap().0.plane().clone()
    }

    pub fn job_folder(&self, job: u64) -> PathBuf {
        self.data().join("jobs").join(job.to_string())
    }

    /// Runs the book in a process of its own from here on, until it is killed.
    pub fn in_own_process(&mut self) -> Child {
        self.stop();
        let _ = fs::remove_file(self.data().join(admin::FILE));
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "jobs::crash::a_server_to_be_killed", "--ignored", "--quiet"]);
        command.env(crash::BOOK, self.data()).env(crash::LAW, &self.law);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("it listens", || self.data().join(admin::FILE).exists());
        child
    }

    fn run(&self, args: &[&str], env: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firstright"));
        for key in ["FIRSTRIGHT_ADMIN", "FIRSTRIGHT_ADMIN_TOKEN", "FIRSTRIGHT_DATA"] {
            command.env_remove(key);
        }
        command.args(args).arg("--data").arg(self.data()).envs(env.iter().copied());
        command.current_dir(&self.folder).output().unwrap()
    }

    /// What a command prints.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args, &[]);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command that fails says.
    #[track_caller]
    pub fn fails(&self, args: &[&str]) -> String {
        self.with_env(args, &[])
    }

    #[track_caller]
    pub fn with_env(&self, args: &[&str], env: &[(&str, &str)]) -> String {
        let output = self.run(args, env);
        assert!(!output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    /// What a command prints that is not told where the book is.
    #[track_caller]
    pub fn without_data(&self, args: &[&str], env: &[(&str, &str)]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firstright"));
        let output = command.args(args).envs(env.iter().copied()).current_dir(&self.folder).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[args, &["--json"]].concat())).unwrap()
    }

    #[track_caller]
    pub fn submit(&self, text: &str) -> u64 {
        fs::write(self.folder.join("job.toml"), text).unwrap();
        self.json(&["submit", "job.toml"])["job"].as_u64().unwrap()
    }

    #[track_caller]
    pub fn fails_file(&self, text: &str) -> String {
        fs::write(self.folder.join("job.toml"), text).unwrap();
        self.fails(&["submit", "job.toml"])
    }

    #[track_caller]
    pub fn job(&self, id: u64) -> Value {
        self.json(&["jobs", &id.to_string()])
    }

    /// The job, once it is in that state.
    #[track_caller]
    pub fn wait(&self, id: u64, state: &str) -> Value {
        let began = Instant::now();
        loop {
            let job = self.job(id);
            if job["state"] == state {
                return job;
            }
            assert!(began.elapsed() < PATIENCE, "it takes too long until it is {state}: {job:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// How often the job's command began.
    pub fn steps(&self, id: u64) -> usize {
        fs::read_to_string(self.job_folder(id).join("checkpoint/steps"))
            .map_or(0, |text| text.lines().count())
    }

    /// The fencing token.
    pub fn token(&self, id: u64) -> String {
        fs::read_to_string(self.job_folder(id).join("checkpoint/.lease")).unwrap()
    }

    /// The process of a lease.
    pub fn process(&self, id: u64, lease: u64) -> u32 {
        let text = fs::read_to_string(self.job_folder(id).join(format!("lease-{lease}.pid"))).unwrap();
        text.split(' ').next().unwrap().parse().unwrap()
    }

    /// Kills a lease's whole process group, as the kernel does when memory is short.
    pub fn kill(&self, id: u64, lease: u64) {
        let process = self.process(id, lease);
        let group = format!("-{process}");
        let killed = Command::new("/bin/sh").args(["-c", "kill -s KILL -- \"$0\"", &group]).status().unwrap();
        assert!(killed.success());
        until("it is dead", || !runs(process));
    }

    /// Posts JSON with the token: status and body.
    pub fn post(&self, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // A server that has read enough may close before all is sent.
        let _ = stream.write_all(body.as_bytes());
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        (answer[9..12].parse().unwrap(), answer)
    }

    /// The whole journal follows from its facts.
    #[track_caller]
    pub fn verify(&self) {
        let records = self.running.as_ref().unwrap().1.read(|broker, _| broker.records());
        self.running.as_ref().unwrap().1.wait_durable(records);
        let bytes = fs::read(self.data().join("journal.frj")).unwrap();
        assert_eq!(journal::verify(&bytes, false, |_, _| ()).fault, None);
    }

    /// Every process that a lease named, so that a test that fails leaves none behind.
    fn processes(&self) -> Vec<u32> {
        fn walk(folder: &Path, found: &mut Vec<u32>) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    walk(&path, found);
                } else if path.extension().is_some_and(|kind| kind == "pid") {
                    let text = fs::read_to_string(path).unwrap_or_default();
                    found.extend(text.split(' ').next().and_then(|pid| pid.parse::<u32>().ok()));
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.data().join("jobs"), &mut found);
        found
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((plane, engine)) = self.running.take() {
            plane.stop();
            engine.close();
        }
        // Ids are given again: only what carries this very folder in its environment is ours.
        let folder = self.folder.display().to_string();
        let ours = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            *pid > 1 && String::from_utf8_lossy(&environment).contains(&folder)
        };
        for pid in self.processes().into_iter().filter(ours) {
            let group = format!("-{pid}");
            let _ = Command::new("/bin/sh").args(["-c", "kill -s KILL -- \"$0\"", &group]).status();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
