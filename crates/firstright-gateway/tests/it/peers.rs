//! Both ends that a test needs: scripted providers, raw clients, and a gateway listener between them.

use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use firstright_gateway::listen::{Drained, Limits, Permits, Tls, bind, drain, serve};
use http_body::Body;
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, LocalSet};

/// Runs a test on one thread with a paused clock: time passes only while everything waits.
pub fn run(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

/// A listener of ours.
pub struct Gateway {
    pub address: SocketAddr,
    pub permits: Permits,
    ask: watch::Sender<bool>,
    task: JoinHandle<Drained>,
}

impl Gateway {
    pub fn start<H, F, B>(limits: Limits, handler: H) -> Self
    where
        H: Fn(Request<Incoming>) -> F + 'static,
        F: Future<Output = Response<B>> + 'static,
        B: Body + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::with_tls(None, limits, handler)
    }

    pub fn with_tls<H, F, B>(tls: Option<Arc<Tls>>, limits: Limits, handler: H) -> Self
    where
        H: Fn(Request<Incoming>) -> F + 'static,
        F: Future<Output = Response<B>> + 'static,
        B: Body + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let handler = move |request| Box::pin(handler(request));
        let listener = bind(([127, 0, 0, 1], 0).into(), &limits).unwrap();
        let address = listener.local_addr().unwrap();
        let permits = Permits::new(&limits);
        let (ask, asked) = drain();
        let task =
            tokio::task::spawn_local(serve(listener, tls, Rc::new(limits), permits.clone(), asked, handler));
        Self { address, permits, ask, task }
    }

    pub async fn connect(&self) -> TcpStream {
        without_delay(TcpStream::connect(self.address).await.unwrap())
    }

    pub fn ask_to_drain(&self) {
        self.ask.send(true).unwrap();
    }

    pub async fn drained(self) -> Drained {
        self.task.await.unwrap()
    }
}

/// A provider that a test scripts: takes connections and does with them what it is told.
pub struct Provider {
    pub address: SocketAddr,
    listener: TcpListener,
}

impl Provider {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { address: listener.local_addr().unwrap(), listener }
    }

    pub async fn accept(&self) -> TcpStream {
        without_delay(self.listener.accept().await.unwrap().0)
    }
}

/// A paused clock does not wait for the kernel to send small writes.
fn without_delay(stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads one head, and as much body as its Content-Length says.
pub async fn read_message(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            break;
        }
        text.push(byte[0]);
        if text.ends_with(b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&text).to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            stream.read_exact(&mut body).await.unwrap();
            text.extend(body);
            break;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Everything until the other side ends the connection.
pub async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    // A reset after the answer ends it as well as a proper end.
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        text.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Writes, and lets everybody else go on until they wait.
pub async fn write(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    settle().await;
}

/// Lets every task go on until all of them wait: with a paused clock a timer fires only then.
pub async fn settle() {
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
}
