//! What do the end-to-end tests stand on? Sandbox clouds, a law, a configuration, a gateway in front of them (in this
//! process or as the built binary), a small HTTP client, and the journal as it stands on disk.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use firstright::config::{Config, hex_digest, read_law};
use firstright::{sandbox, serve};
use firstright_core::decision::{Action, Decision};
use firstright_core::fact::{Ending, Fact, Source};
use firstright_core::journal::{Fault, Record, verify};
use firstright_core::usage::Usage;
use firstright_core::workload::CallId;
use firstright_core::world::DeploymentId;
use firstright_sim::cloud::{LiveFault, Spec};
use serde_json::{Value, json};

pub const LAW: &str = include_str!("world/law.toml");
const CLOUDS: &str = include_str!("world/clouds.toml");

/// Tenants that have a key; the key is [`key_of`] them.
const TENANTS: [&str; 7] = ["chat", "apis", "flexible", "patient", "europe", "nowhere", "open"];
/// A key of tenant `chat` that may use one model only.
pub const NARROW: &str = "narrow";

/// How long a test waits for another thread or process before it fails: long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The client key of a tenant. It begins so that the tests can look for it where no key may stand.
pub fn key_of(tenant: &str) -> String {
    format!("canary-client-key-{tenant}")
}

/// Waits for another thread's doing, which takes no time that could be paused.
pub fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// A folder of its own for each test, removed at its end.
#[derive(Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("firstright-it-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub fn journal(&self) -> PathBuf {
        self.0.join("data").join("journal.frj")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The law with some of its words replaced.
pub fn law(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(LAW.to_string(), |law, (from, to)| {
        assert!(law.contains(from), "the law has no `{from}`");
        law.replacen(from, to, 1)
    })
}

/// Starts the clouds.
pub fn clouds(change: impl FnOnce(&mut Spec)) -> sandbox::Running {
    let mut spec = Spec::parse(CLOUDS).unwrap();
    change(&mut spec);
    sandbox::start(spec, 7, 1).unwrap()
}

/// Writes law, secrets and configuration into a folder; `gateway` is more lines of the configuration's `[gateway]`.
pub fn configure(folder: &Folder, clouds: &sandbox::Running, law: &str, gateway: &str) -> PathBuf {
    let address = |cloud: &str| clouds.cloud(cloud).unwrap().address;
    configure_at(folder, clouds, address, law, gateway)
}

/// The same with each cloud at an address of choice: something else may stand in its place.
pub fn configure_at(
    folder: &Folder,
    clouds: &sandbox::Running,
    address: impl Fn(&str) -> SocketAddr,
    law: &str,
    gateway: &str,
) -> PathBuf {
    folder.write("law.toml", law);
    let mut text = format!(
        "agreements = [\"law.toml\"]\ndata = \"data\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[gateway]\nlisten = \"127.0.0.1:0\"\nthreads = 2\n\
         forward-headers = [\"x-sandbox-tokens\"]\n{gateway}\n"
    );
    for tenant in TENANTS {
        text += &key_entry(tenant, tenant, "");
    }
    text += &key_entry(NARROW, "chat", "models = [\"gpt-4o-mini\"]\n");
    for (id, cloud, dialect, name) in [
        ("azure-ptu", "azure", "dialect = \"azure-v1\"", "four-o-ptu"),
        ("azure-payg", "azure", "dialect = \"azure-dated\"\nversion = \"2024-10-21\"", "four-o-payg"),
        ("azure-mini", "azure", "dialect = \"azure-v1\"", "four-o-mini"),
        ("azure-embed", "azure", "dialect = \"azure-dated\"\nversion = \"2024-10-21\"", "embed-3"),
        ("oracle-gpt-4o", "oracle", "", "gpt-4o"),
        ("nordic-gpt-4o", "nordic", "", "gpt-4o"),
    ] {
        let cloud = clouds.cloud(cloud).unwrap();
        let secret = folder.write(&format!("{}.key", cloud.name), &format!("{}\n", cloud.key));
        let path = if dialect.is_empty() { "/v1" } else { "" };
        text += &format!(
            "[[deployment]]\nid = \"{id}\"\nurl = \"http://{}{path}\"\n{dialect}\nname = \"{name}\"\nkey = {{ file = {secret:?} }}\n",
            address(&cloud.name)
        );
    }
    folder.write("firstright.toml", &text)
}

/// The configuration's entry of a key.
pub fn key_entry(id: &str, tenant: &str, models: &str) -> String {
    let digest = hex_digest(&key_of(id));
    format!("[[key]]\nid = \"{id}\"\ntenant = \"{tenant}\"\n{models}sha256 = \"{digest}\"\n")
}

/// Clouds and, in this process, a gateway in front of them.
#[derive(Debug)]
pub struct World {
    pub clouds: sandbox::Running,
    pub plane: serve::Running,
    pub folder: Folder,
}

impl World {
    /// The world as its files say.
    pub fn new() -> World {
        World::with(&[], "", |_| {})
    }

    /// With changes to the law, the gateway's configuration, and the clouds.
    pub fn with(changes: &[(&str, &str)], gateway: &str, spec: impl FnOnce(&mut Spec)) -> World {
        let folder = Folder::new();
        let clouds = clouds(spec);
        let config = configure(&folder, &clouds, &law(changes), gateway);
        World::serve(folder, clouds, &config)
    }

    /// With something else in the place of one cloud.
    pub fn instead_of(cloud: &str, other: SocketAddr, gateway: &str) -> World {
        let folder = Folder::new();
        let clouds = clouds(|_| {});
        let address = |name: &str| if name == cloud { other } else { clouds.cloud(name).unwrap().address };
        let config = configure_at(&folder, &clouds, address, LAW, gateway);
        World::serve(folder, clouds, &config)
    }

    /// With a recorder in the place of every cloud.
    pub fn before(recorder: &Recorder) -> World {
        World::before_with(recorder, "")
    }

    /// The same with more lines of the configuration's `[gateway]`, and behind it.
    pub fn before_with(recorder: &Recorder, gateway: &str) -> World {
        let folder = Folder::new();
        let clouds = clouds(|_| {});
        let config = configure_at(&folder, &clouds, |_| recorder.address, LAW, gateway);
        World::serve(folder, clouds, &config)
    }

    /// With a server of the test's own in the place of every cloud.
    pub fn facing(address: SocketAddr) -> World {
        let folder = Folder::new();
        let clouds = clouds(|_| {});
        let config = configure_at(&folder, &clouds, |_| address, LAW, "");
        World::serve(folder, clouds, &config)
    }

    pub fn serve(folder: Folder, clouds: sandbox::Running, config: &Path) -> World {
        let config = Config::read(config).unwrap();
        let plane = serve::start(&config, read_law(&config.agreements).unwrap()).unwrap();
        World { clouds, plane, folder }
    }

    pub fn cloud(&self, name: &str) -> &sandbox::RunningCloud {
        self.clouds.cloud(name).unwrap()
    }

    /// Breaks a cloud, or one deployment of it.
    pub fn fault(&self, cloud: &str, deployment: Option<&str>, fault: Value) {
        let fault: LiveFault = serde_json::from_value(match deployment {
            Some(name) => json!({ "deployment": name, "fault": fault }),
            None => json!({ "fault": fault }),
        })
        .unwrap();
        self.cloud(cloud).put_faults(vec![fault]).unwrap();
    }

    pub fn mend(&self, cloud: &str) {
        self.cloud(cloud).put_faults(vec![]).unwrap();
    }

    /// What a deployment of a cloud has counted, as `GET /__sandbox` says.
    pub fn counted(&self, cloud: &str, deployment: &str) -> Value {
        let mut http = Http::connect(self.cloud(cloud).address).unwrap();
        http.request("GET", "/__sandbox", "", b"").unwrap();
        http.read().unwrap().json()["deployments"][deployment].clone()
    }

    pub fn connect(&self) -> Http {
        Http::connect(self.plane.address()).unwrap()
    }

    /// One chat call of a tenant, on a connection of its own.
    pub fn chat(&self, tenant: &str, body: &Value) -> Reply {
        self.post(tenant, "/v1/chat/completions", "", body.to_string().as_bytes())
    }

    pub fn post(&self, tenant: &str, path: &str, extra: &str, body: &[u8]) -> Reply {
        let mut http = self.connect();
        http.request("POST", path, &format!("{}{extra}", bearer(tenant)), body).unwrap();
        http.read().unwrap()
    }

    pub fn open_calls(&self) -> usize {
        self.plane.engine.read(|broker, _| broker.open_calls().count())
    }

    /// Stops the gateway and hands back what is on record, verified.
    pub fn stop(self) -> Book {
        until("every call has its outcome", || self.open_calls() == 0);
        let World { clouds, plane, folder } = self;
        plane.stop();
        drop(clouds);
        let book = Book::read(&folder.journal(), false);
        assert_eq!(book.fault, None);
        book
    }

    /// Stops the gateway and starts it again, on the same book.
    pub fn restart(self) -> World {
        let World { clouds, plane, folder } = self;
        plane.stop();
        let config = folder.0.join("firstright.toml");
        World::serve(folder, clouds, &config)
    }

    /// What is on disk now, while the gateway runs.
    pub fn book(&self) -> Book {
        Book::read(&self.folder.journal(), true)
    }
}

/// The header that presents a tenant's key.
pub fn bearer(tenant: &str) -> String {
    format!("authorization: Bearer {}\r\n", key_of(tenant))
}

/// A chat request's body.
pub fn ask(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "How much is left?" }], "max_tokens": 50 })
}

/// The same as a stream.
pub fn ask_stream(model: &str, include_usage: bool) -> Value {
    let mut body = ask(model);
    body["stream"] = json!(true);
    if include_usage {
        body["stream_options"] = json!({ "include_usage": true });
    }
    body
}

/// What a journal holds.
#[derive(Debug)]
pub struct Book {
    pub records: Vec<Record>,
    pub fault: Option<Fault>,
}

/// How a call ended.
#[derive(Clone, Debug)]
pub struct Settled {
    pub call: CallId,
    pub usage: Usage,
    pub source: Source,
    pub ending: Ending,
}

impl Book {
    pub fn read(path: &Path, chain_only: bool) -> Book {
        Book::of(&fs::read(path).unwrap(), chain_only)
    }

    pub fn of(bytes: &[u8], chain_only: bool) -> Book {
        let mut records = Vec::new();
        let verdict = verify(bytes, chain_only, |record, _| records.push(record.clone()));
        Book { records, fault: verdict.fault }
    }

    /// Every settlement, in order.
    pub fn settled(&self) -> impl Iterator<Item = Settled> {
        self.records.iter().filter_map(|record| match record.fact {
            Fact::CallSettled { call, usage, source, ending, .. } => {
                Some(Settled { call, usage, source, ending })
            }
            _ => None,
        })
    }

    /// The decision that a reply names.
    pub fn decisions(&self, record: u64) -> &[Decision] {
        let found = self.records.iter().find(|one| one.seq == record);
        found.map(|record| record.decisions.as_slice()).unwrap_or_default()
    }

    /// The call that was served by a decision.
    pub fn call_of(&self, record: u64) -> Option<CallId> {
        self.decisions(record).iter().find_map(|one| match &one.action {
            Action::Serve { call, .. } => Some(*call),
            _ => None,
        })
    }

    /// The settlements of the call that a decision served.
    pub fn settlements_of(&self, record: u64) -> Vec<Settled> {
        let call = self.call_of(record);
        self.settled().filter(|one| Some(one.call) == call).collect()
    }

    /// Every decision to serve: its record, the call, and where it went.
    pub fn serves(&self) -> impl Iterator<Item = (u64, CallId, DeploymentId)> {
        let of = |record: &Record| {
            let seq = record.seq;
            let decisions = record.decisions.iter().filter_map(move |one| match one.action {
                Action::Serve { call, deployment, .. } => Some((seq, call, deployment)),
                _ => None,
            });
            decisions.collect::<Vec<_>>()
        };
        self.records.iter().flat_map(of)
    }

    /// The law that was enacted last.
    pub fn world(&self) -> firstright_core::world::World {
        let enacted = self.records.iter().rev().find_map(|record| match &record.fact {
            Fact::Enacted { sources } => firstright_core::text::read(sources).0,
            _ => None,
        });
        enacted.unwrap()
    }
}

/// A provider that keeps the bytes it got and answers with bytes it was given, one connection a request.
#[derive(Debug)]
pub struct Recorder {
    pub address: SocketAddr,
    got: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Recorder {
    /// Answers everything with these bytes, then closes.
    pub fn answering(answer: impl Into<Vec<u8>>) -> Recorder {
        Recorder::answering_in_turn(vec![answer.into()])
    }

    /// Answers with each of these in turn, and with the last for ever.
    pub fn answering_in_turn(answers: Vec<Vec<u8>>) -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&got);
        // It ends with the process: nothing tells it that no more will come.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read_request(&mut stream);
                let mut kept = keep.lock().unwrap();
                let _ = stream.write_all(&answers[kept.len().min(answers.len() - 1)]);
                kept.push(request);
            }
        });
        Recorder { address, got }
    }

    /// Head and body of the requests so far.
    pub fn requests(&self) -> Vec<(String, String)> {
        let got = self.got.lock().unwrap();
        let split = |request: &Vec<u8>| {
            let text = String::from_utf8(request.clone()).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            (head.to_string(), body.to_string())
        };
        got.iter().map(split).collect()
    }
}

fn read_request(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = stream.read(&mut piece).unwrap();
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if count == 0 || length.is_none_or(|length| body.len() >= length.parse().unwrap()) {
            return bytes;
        }
    }
}

/// A client's connection.
#[derive(Debug)]
pub struct Http {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, or what came of it.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The last chunk or the whole announced length arrived.
    pub whole: bool,
}

/// How the rest of a body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Chunked,
    Length(usize),
}

impl Http {
    pub fn connect(address: SocketAddr) -> io::Result<Http> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Http { stream, buffer: Vec::new() })
    }

    /// Writes one request; `extra` is more header lines, each with its line end.
    pub fn request(&mut self, method: &str, path: &str, extra: &str, body: &[u8]) -> io::Result<()> {
        let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: gateway\r\n{extra}").into_bytes();
        if method != "GET" {
            if !extra.contains("content-type:") {
                bytes.extend(b"content-type: application/json\r\n");
            }
            bytes.extend(format!("content-length: {}\r\n", body.len()).bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(body);
        self.stream.write_all(&bytes)
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// A chat call of a tenant, answered whole.
    pub fn chat(&mut self, tenant: &str, extra: &str, body: &Value) -> io::Result<Reply> {
        let extra = format!("{}{extra}", bearer(tenant));
        self.request("POST", "/v1/chat/completions", &extra, body.to_string().as_bytes())?;
        self.read()
    }

    /// Reads a whole answer. One that breaks off after its head is an answer too: it is not `whole`.
    pub fn read(&mut self) -> io::Result<Reply> {
        let mut reply = self.head()?;
        reply.whole = self.rest(&mut reply).is_ok();
        Ok(reply)
    }

    /// Reads an answer's head.
    pub fn head(&mut self) -> io::Result<Reply> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            self.fill()?;
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_string())).collect();
        Ok(Reply { status, headers, body: Vec::new(), whole: false })
    }

    /// Reads what is left of a body.
    pub fn rest(&mut self, reply: &mut Reply) -> io::Result<()> {
        while self.piece(reply)? {}
        reply.whole = true;
        Ok(())
    }

    /// Reads the next piece of a body; false at its end.
    pub fn piece(&mut self, reply: &mut Reply) -> io::Result<bool> {
        match reply.framing() {
            Framing::Length(length) if reply.body.len() >= length => Ok(false),
            Framing::Length(length) => {
                if self.buffer.is_empty() {
                    self.fill()?;
                }
                let take = self.buffer.len().min(length - reply.body.len());
                reply.body.extend(self.buffer.drain(..take));
                Ok(true)
            }
            Framing::Chunked => {
                let line = loop {
                    if let Some(at) = find(&self.buffer, b"\r\n") {
                        break at;
                    }
                    self.fill()?;
                };
                let size = std::str::from_utf8(&self.buffer[..line]).unwrap();
                let size = usize::from_str_radix(size, 16).unwrap();
                while self.buffer.len() < line + 2 + size + 2 {
                    self.fill()?;
                }
                reply.body.extend_from_slice(&self.buffer[line + 2..line + 2 + size]);
                self.buffer.drain(..line + 2 + size + 2);
                Ok(size > 0)
            }
        }
    }

    /// Reads until the body holds these bytes.
    pub fn read_to(&mut self, reply: &mut Reply, wanted: &str) {
        while !reply.text().contains(wanted) {
            assert!(self.piece(reply).unwrap(), "the body ended without `{wanted}`: {}", reply.text());
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut bytes = [0; 16 * 1024];
        match self.stream.read(&mut bytes)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.buffer.extend_from_slice(&bytes[..count]);
                Ok(())
            }
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

impl Reply {
    fn framing(&self) -> Framing {
        match self.header("content-length") {
            Some(length) => Framing::Length(length.parse().unwrap()),
            None => Framing::Chunked,
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The record that `x-firstright-decision` names.
    pub fn decision(&self) -> u64 {
        self.header("x-firstright-decision")
            .unwrap_or_else(|| panic!("no decision: {self:?}"))
            .parse()
            .unwrap()
    }

    pub fn deployment(&self) -> &str {
        self.header("x-firstright-deployment").unwrap_or_else(|| panic!("no deployment: {self:?}"))
    }

    /// The `data:` lines that are JSON; says whether `[DONE]` came last.
    pub fn events(&self) -> (Vec<Value>, bool) {
        let data: Vec<&str> = self.text().lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        let done = data.last() == Some(&"[DONE]");
        let json = data.iter().filter(|data| **data != "[DONE]");
        (json.map(|data| serde_json::from_str(data).unwrap()).collect(), done)
    }

    /// Asserts an error in OpenAI's shape with this status and code.
    #[track_caller]
    pub fn refuses(&self, status: u16, code: &str) {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        let body: Value =
            serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {text}"));
        let error = &body["error"];
        assert_eq!(error["code"], code, "{text}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{text}");
        assert!(error["type"].is_string() && error.get("param").is_some(), "{text}");
        assert_eq!(self.header("content-type"), Some("application/json"));
    }
}

/// `(prompt, cached, completion)` of a usage object.
pub fn usage_in(usage: &Value) -> (u64, u64, u64) {
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("no usage: {usage}"));
    (
        number(&usage["prompt_tokens"]),
        number(&usage["prompt_tokens_details"]["cached_tokens"]),
        number(&usage["completion_tokens"]),
    )
}

/// The same of what is on record.
pub fn usage_on_record(usage: &Usage) -> (u64, u64, u64) {
    (usage.input + usage.cached_input, usage.cached_input, usage.output + usage.reasoning)
}
