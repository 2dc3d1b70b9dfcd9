//! Do sockets pass, and is every answer on them a call that is decided, metered and settled?

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;

use firstright_core::fact::{Ending, Source};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async, client_async};

use crate::world::{World, key_of, until};

/// What a provider's side saw.
#[derive(Debug, Default)]
struct Seen {
    paths: Vec<String>,
    keys: Vec<String>,
    texts: Vec<Value>,
}

/// A provider that answers each `response.create` but one to think with a piece of content and an end, and says what it used.
fn provider(done: &'static str) -> (SocketAddr, Arc<Mutex<Seen>>) {
    let seen = Arc::<Mutex<Seen>>::default();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Arc::clone(&seen);
    thread::spawn(move || {
        runtime().block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &shared, done).await;
            }
        });
    });
    (address, seen)
}

async fn serve(stream: TcpStream, seen: &Mutex<Seen>, done: &str) {
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let header =
            |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_string());
        let mut seen = seen.lock().unwrap();
        seen.paths.push(request.uri().to_string());
        seen.keys.extend(header("authorization").or(header("api-key")));
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, look).await else { return };
    let mut answers = 0;
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let event: Value = serde_json::from_str(&text).unwrap();
        seen.lock().unwrap().texts.push(event.clone());
        if event["type"] != "response.create" || event["input"] == "think" {
            continue;
        }
        answers += 1;
        let delta = json!({ "type": "response.output_text.delta", "delta": "forty-two" });
        let usage =
            json!({ "input_tokens": 10, "output_tokens": 4, "input_token_details": { "cached_tokens": 3 } });
        let end = json!({ "type": done, "response": { "id": format!("resp_{answers}"), "usage": usage } });
        for event in [delta, end] {
            socket.send(Message::text(event.to_string())).await.unwrap();
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

type Socket = WebSocketStream<TcpStream>;

/// Opens a socket as a client.
async fn open(world: &World, path: &str, key: Option<&str>) -> Result<Socket, Error> {
    let stream = TcpStream::connect(world.plane.address()).await.unwrap();
    let mut request = format!("ws://{}{path}", world.plane.address()).into_client_request().unwrap();
    if let Some(key) = key {
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    }
    client_async(request, stream).await.map(|(socket, _)| socket)
}

async fn say(socket: &mut Socket, event: Value) {
    socket.send(Message::text(event.to_string())).await.unwrap();
}

async fn hear(socket: &mut Socket) -> Value {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Close(frame) => panic!("closed: {frame:?}"),
            _ => {}
        }
    }
}

#[test]
fn each_answer_of_a_realtime_session_is_a_call() {
    let (address, seen) = provider("response.done");
    let world = World::facing(address);
    runtime().block_on(async {
        let mut socket = open(&world, "/v1/realtime?model=gpt-4o", Some(&key_of("chat"))).await.unwrap();
        for _ in 0..2 {
            say(&mut socket, json!({ "type": "response.create" })).await;
            assert_eq!(hear(&mut socket).await["delta"], "forty-two");
            assert_eq!(hear(&mut socket).await["type"], "response.done");
        }
        socket.close(None).await.unwrap();
    });
    until("the session ends", || world.open_calls() == 0);
    {
        let seen = seen.lock().unwrap();
        assert_eq!(seen.paths, ["/openai/v1/realtime?model=four-o-ptu"]);
        assert_eq!(seen.keys, ["canary-azure-upstream-key"]);
    }
    let book = world.stop();
    let settled: Vec<_> = book.settled().collect();
    assert_eq!(settled.len(), 3, "two answers, and the call that stood open at the end");
    for one in &settled[..2] {
        let usage = one.usage;
        assert_eq!((usage.input, usage.cached_input, usage.output), (7, 3, 4));
        assert_eq!((one.source, one.ending), (Source::Provider, Ending::Complete));
    }
    assert_eq!(settled[2].usage.tokens(), 0);
    assert_eq!(settled[2].ending, Ending::Abandoned);
}

#[test]
fn responses_over_a_socket_keep_to_their_home() {
    let (address, seen) = provider("response.completed");
    let world = World::facing(address);
    runtime().block_on(async {
        let mut socket = open(&world, "/v1/responses", Some(&key_of("open"))).await.unwrap();
        say(&mut socket, json!({ "type": "response.create", "model": "gpt-4o", "input": "a" })).await;
        hear(&mut socket).await;
        let id = hear(&mut socket).await["response"]["id"].as_str().unwrap().to_string();
        assert!(id.starts_with("resp_1_fr"), "{id}");
        say(&mut socket, json!({ "type": "response.create", "previous_response_id": id, "input": "b" }))
            .await;
        hear(&mut socket).await;
        assert_eq!(hear(&mut socket).await["type"], "response.completed");
        say(&mut socket, json!({ "type": "response.create", "model": "gpt-4o-mini", "input": "c" })).await;
        assert_eq!(hear(&mut socket).await["error"]["code"], "model_differs");
    });
    until("the session ends", || world.open_calls() == 0);
    assert_eq!(seen.lock().unwrap().texts[1]["previous_response_id"], "resp_1");
    let book = world.stop();
    let settled: Vec<_> = book.settled().map(|one| (one.usage.input, one.usage.output, one.ending)).collect();
    assert_eq!(settled, [(7, 4, Ending::Complete), (7, 4, Ending::Complete)]);
}

#[test]
fn a_socket_needs_a_key_and_a_right_to_the_model() {
    let (address, seen) = provider("response.done");
    let world = World::facing(address);
    runtime().block_on(async {
        let status = |result: Result<Socket, Error>| match result {
            Err(Error::Http(response)) => response.status().as_u16(),
            other => panic!("{other:?}"),
        };
        let path = "/v1/realtime?model=gpt-4o";
        assert_eq!(status(open(&world, path, None).await), 401);
        assert_eq!(status(open(&world, path, Some("another")).await), 401);
        assert_eq!(status(open(&world, path, Some(&key_of("nowhere"))).await), 403);
        assert_eq!(status(open(&world, "/v1/realtime?model=none", Some(&key_of("chat"))).await), 404);
    });
    assert!(seen.lock().unwrap().paths.is_empty(), "no provider was asked");
    let reply = world.post("chat", "/v1/responses", "", b"");
    assert_eq!(reply.status, 400);
    let mut http = world.connect();
    http.request("GET", "/v1/realtime?model=gpt-4o", &crate::world::bearer("chat"), b"").unwrap();
    assert_eq!(http.read().unwrap().status, 426);
    world.stop();
}

/// What two may read differently, or what comes beside an answer under way, never reaches the provider of a socket.
#[test]
fn nothing_is_answered_on_a_socket_but_calls() {
    let (address, seen) = provider("response.completed");
    let world = World::facing(address);
    let hidden = r#"{"type":"response.cr\u0065ate","model":"gpt-4o-mini","input":"x"}"#;
    let twice = r#"{"type":"response.create","type":"response.create","input":"x"}"#;
    let binary = Message::binary(r#"{"type":"response.create","input":"x"}"#);
    let stranger = r#"{"type":"response.create","input":"x","previous_response_id":"resp_theirs"}"#;
    runtime().block_on(async {
        for (message, code) in [
            (Message::text(hidden), "model_differs"),
            (Message::text(twice), "unknown_event"),
            (binary, "binary_message"),
            (Message::text(stranger), "home_unknown"),
        ] {
            let mut socket = open(&world, "/v1/responses", Some(&key_of("open"))).await.unwrap();
            say(&mut socket, json!({ "type": "response.create", "model": "gpt-4o", "input": "a" })).await;
            hear(&mut socket).await;
            assert_eq!(hear(&mut socket).await["type"], "response.completed");
            socket.send(message).await.unwrap();
            assert_eq!(hear(&mut socket).await["error"]["code"], code);
        }
        let mut socket = open(&world, "/v1/responses", Some(&key_of("open"))).await.unwrap();
        for _ in 0..2 {
            say(&mut socket, json!({ "type": "response.create", "model": "gpt-4o", "input": "think" })).await;
        }
        assert_eq!(hear(&mut socket).await["error"]["code"], "response_in_flight");
    });
    until("the sessions end", || world.open_calls() == 0);
    assert_eq!(seen.lock().unwrap().texts.len(), 5, "one of each socket");
    assert_eq!(world.stop().settled().count(), 5);
}
