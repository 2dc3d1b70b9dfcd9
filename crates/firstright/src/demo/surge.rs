//! Who calls? Plays a trace against the gateway over HTTP, each request at its own time whatever became of those before
//! (an open loop), and notes what came back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use firstright_gateway::upstream::{Budgets, Client, PoolLimits, RequestHead, Target};
use firstright_sim::traces::TraceCall;
use http::HeaderMap;
use tokio::time::Instant;

use super::world::tenant_key;

/// Of so many calls one is streamed, as a chat client would; the rest are plain.
const STREAM_EVERY: usize = 4;
/// The largest prompt that is made up, in tokens; a token is about four bytes.
const MAX_PROMPT_TOKENS: u64 = 200_000;

/// What came back, counted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Requests sent.
    pub sent: u64,
    /// Answers that came whole.
    pub answered: u64,
    /// Answers by provider.
    pub by_provider: BTreeMap<String, u64>,
    /// Answers by ground, without the particulars.
    pub by_ground: BTreeMap<String, u64>,
    /// Refusals and failures by status and code.
    pub refused: BTreeMap<String, u64>,
    /// The last answers' decisions: (decision, provider, ground).
    pub recent: Vec<(String, String, String)>,
}

/// Answers that `recent` keeps.
const RECENT: usize = 6;

/// Plays the arrivals, `speed` times faster than they were; `each` sees the tally as it grows.
pub async fn play(
    gateway: SocketAddr,
    arrivals: &[TraceCall],
    speed: u64,
    tally: Rc<RefCell<Tally>>,
) -> Result<(), String> {
    let target = Target::plain(&gateway.ip().to_string(), gateway.port())
        .map_err(|error| format!("failed to {error}"))?;
    let client = Client::new(PoolLimits { idle_per_target: 1_024, ..PoolLimits::default() });
    let began = Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for (nth, arrival) in arrivals.iter().enumerate() {
        let due = began + Duration::from_millis(arrival.t_ms / speed.max(1));
        tokio::time::sleep_until(due).await;
        let (client, target, tally) = (client.clone(), target.clone(), Rc::clone(&tally));
        let arrival = arrival.clone();
        tally.borrow_mut().sent += 1;
        calls.spawn_local(async move {
            let outcome = call(&client, &target, &arrival, nth % STREAM_EVERY == 0).await;
            note(&mut tally.borrow_mut(), outcome);
        });
        while calls.try_join_next().is_some() {}
    }
    while calls.join_next().await.is_some() {}
    Ok(())
}

/// What one call came to.
enum Outcome {
    Answered { provider: String, decision: String, ground: String },
    Refused(String),
}

async fn call(client: &Client, target: &Target, arrival: &TraceCall, stream: bool) -> Outcome {
    let prompt = arrival.prompt_tokens.clamp(1, MAX_PROMPT_TOKENS);
    let words = "surge ".repeat(usize::try_from(prompt * 4 / 6 + 1).unwrap_or(1));
    let (model, output) = (&arrival.model, arrival.output_tokens.max(1));
    let mut body = String::with_capacity(words.len() + 160);
    let _ = write!(
        body,
        r#"{{"model":"{model}","stream":{stream},"max_tokens":{output},"messages":[{{"role":"user","content":"{words}"}}]}}"#
    );
    let head = RequestHead::new("POST", target, "/v1/chat/completions").and_then(|mut head| {
        head.header(
            "authorization",
            format!("Bearer {}", tenant_key(arrival.tenant.as_deref().unwrap_or(""))).as_bytes(),
        )?;
        head.header("content-type", b"application/json")?;
        head.header("x-sandbox-tokens", format!("{prompt},{output}").as_bytes())?;
        Ok(head)
    });
    let head = match head {
        Ok(head) => head,
        Err(error) => return Outcome::Refused(format!("not sent: failed to {error}")),
    };
    let mut response = match client.send(target, head, vec![Bytes::from(body)], &Budgets::default()).await {
        Ok(response) => response,
        Err(error) => return Outcome::Refused(format!("no answer: failed to {error}")),
    };
    let read = response.body.read_whole(16 << 20).await;
    match read {
        Err(error) => Outcome::Refused(format!("cut: failed to {error}")),
        Ok(body) if !response.status.is_success() => {
            Outcome::Refused(format!("{} {}", response.status.as_u16(), code(&body)))
        }
        Ok(body) if stream && !body.ends_with(b"data: [DONE]\n\n") => {
            Outcome::Refused("stream without its end".to_string())
        }
        Ok(_) => Outcome::Answered {
            provider: text(&response.headers, "x-firstright-provider"),
            decision: text(&response.headers, "x-firstright-decision"),
            ground: text(&response.headers, "x-firstright-ground"),
        },
    }
}

fn note(tally: &mut Tally, outcome: Outcome) {
    match outcome {
        Outcome::Answered { provider, decision, ground } => {
            tally.answered += 1;
            *tally.by_provider.entry(provider.clone()).or_default() += 1;
            *tally.by_ground.entry(gist(&ground)).or_default() += 1;
            if tally.recent.len() == RECENT {
                tally.recent.remove(0);
            }
            tally.recent.push((decision, provider, ground));
        }
        Outcome::Refused(why) => *tally.refused.entry(why).or_default() += 1,
    }
}

/// A ground without places, figures and times: the rules that it cites, in order, each once.
pub fn gist(ground: &str) -> String {
    let mut rules: Vec<&str> = Vec::new();
    for part in ground.split('[').skip(1) {
        let Some((rule, _)) = part.split_once(']') else { continue };
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    if rules.is_empty() { ground.to_string() } else { rules.join(" ") }
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("?").to_string()
}

/// The stable code of an error's body.
fn code(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Body {
        error: Error,
    }
    #[derive(serde::Deserialize)]
    struct Error {
        code: Option<String>,
    }
    let parsed: Option<Body> = serde_json::from_slice(body).ok();
    parsed.and_then(|body| body.error.code).unwrap_or_else(|| "no code".to_string())
}
