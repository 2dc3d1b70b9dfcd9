//! A pass-through proxy over the plumbing: what does it cost to carry a request without any work of our own?
//!
//!   proxy [LISTEN_PORT] [UPSTREAM_PORT] [THREADS]
//!
//! Swaps the bearer key, keeps the path, relays the answer.

use std::net::SocketAddr;

use firstright_gateway::listen::{BodyLimits, Limits, read_whole, start};
use firstright_gateway::relay::{Passing, Reply, Verdict, WHOLE_BYTES_MAX};
use firstright_gateway::upstream::{Budgets, Client, PoolLimits, RequestHead, Target};
use http::{Response, StatusCode, header};
use hyper::Request;
use hyper::body::Incoming;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Answer = Response<Reply<fn(Passing<'_>) -> Verdict>>;

fn pass(passing: Passing<'_>) -> Verdict {
    match passing {
        Passing::Broken(..) | Passing::Closing(_) => Verdict::Cut,
        Passing::Chunk(_) | Passing::End(_) | Passing::Abandoned => Verdict::Release,
    }
}

fn failure(status: StatusCode, text: String) -> Answer {
    let mut response = Response::new(Reply::whole(text));
    *response.status_mut() = status;
    response
}

async fn carry(client: Client, target: Target, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let body = match read_whole(body, BodyLimits::default()).await {
        Ok(body) => body,
        Err(error) => return failure(StatusCode::BAD_REQUEST, error.to_string()),
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let head = RequestHead::new(parts.method.as_str(), &target, path).and_then(|mut head| {
        head.header("authorization", b"Bearer sk-upstream")?;
        for name in [header::CONTENT_TYPE, header::ACCEPT] {
            if let Some(value) = parts.headers.get(&name) {
                head.header(name.as_str(), value.as_bytes())?;
            }
        }
        Ok(head)
    });
    let head = match head {
        Ok(head) => head,
        Err(error) => return failure(StatusCode::BAD_REQUEST, error.to_string()),
    };
    let mut answer = match client.send(&target, head, vec![body], &Budgets::default()).await {
        Ok(answer) => answer,
        Err(error) => return failure(StatusCode::BAD_GATEWAY, error.to_string()),
    };
    let reply = match answer.body.remaining() {
        Some(length) if length <= WHOLE_BYTES_MAX as u64 => {
            match answer.body.read_whole(WHOLE_BYTES_MAX).await {
                Ok(bytes) => Reply::whole(bytes),
                Err(error) => return failure(StatusCode::BAD_GATEWAY, error.to_string()),
            }
        }
        _ => Reply::relay(answer.body, pass as fn(Passing<'_>) -> Verdict),
    };
    let mut response = Response::new(reply);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

fn main() -> std::io::Result<()> {
    let numbers: Vec<u16> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let number = |index: usize, default| numbers.get(index).copied().unwrap_or(default);
    let upstream_port = number(1, 9100);
    let target = Target::plain("127.0.0.1", upstream_port).map_err(std::io::Error::other)?;
    let handler_of = move || {
        let client = Client::new(PoolLimits::default());
        let target = target.clone();
        move |request| Box::pin(carry(client.clone(), target.clone(), request))
    };
    let address = SocketAddr::from(([127, 0, 0, 1], number(0, 9230)));
    let server = start(address, None, number(2, 1).into(), &Limits::default(), handler_of)?;
    server.join();
    Ok(())
}
