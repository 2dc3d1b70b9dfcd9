//! What do clients see who come on schedule, whether or not the ones before them were answered? A closed loop slows down
//! with what it measures, and so never shows an overload.
//!
//! One thread, bounded in calls and in time, to loopback only. A time counts from when a call was due, not from when it
//! got away, so that a late generator makes a figure worse and never better.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use firstright_sim::rng::{Purpose, Rng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::bearer;

/// Calls of one run at most.
const MAX_CALLS: usize = 200_000;
/// A call that has no end by then is given up.
const LONGEST: Duration = Duration::from_secs(60);

/// One call and when it is due.
#[derive(Clone, Debug)]
pub struct Shot {
    pub at: Duration,
    /// Whose key it presents.
    pub tenant: &'static str,
}

/// What came of one.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub at: Duration,
    pub tenant: &'static str,
    /// None if the connection ended without an answer.
    pub status: Option<u16>,
    pub code: String,
    pub first_byte: Duration,
    pub end: Duration,
    pub retry_after_ms: Option<u64>,
    pub should_retry: bool,
    pub decision: u64,
    /// The last byte came.
    pub whole: bool,
}

/// Calls of one tenant, `rate` a second from then until then, with random gaps as independent callers make them.
pub fn calls(tenant: &'static str, rate: u64, from: Duration, until: Duration, seed: u64) -> Vec<Shot> {
    let mut rng = Rng::stream(seed, tenant, Purpose::Fault, 0);
    let mut shots = Vec::new();
    let mut at = from;
    loop {
        // Exponential gaps: -ln(1 - u) / rate.
        let share = rng.below(1_000_000) as f64 / 1_000_000.0;
        at += Duration::from_secs_f64(-(1.0 - share).ln() / rate as f64);
        if at >= until {
            return shots;
        }
        shots.push(Shot { at, tenant });
    }
}

/// Makes all of them, each when it is due; `extra` is more header lines of each. In the order in which they were due.
pub fn fire(address: SocketAddr, mut shots: Vec<Shot>, extra: &str, body: &str) -> Vec<Seen> {
    assert!(address.ip().is_loopback() && shots.len() <= MAX_CALLS);
    shots.sort_by_key(|shot| shot.at);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let idle = Rc::<RefCell<Vec<TcpStream>>>::default();
        let begun = Instant::now();
        let mut flying = Vec::with_capacity(shots.len());
        for shot in shots {
            tokio::time::sleep_until((begun + shot.at).into()).await;
            let (idle, due) = (Rc::clone(&idle), begun + shot.at);
            let head = format!(
                "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n{}{extra}content-type: application/json\r\n\
                 content-length: {}\r\n\r\n{body}",
                bearer(shot.tenant),
                body.len()
            );
            flying.push(tokio::task::spawn_local(async move {
                let mut seen = Seen { at: shot.at, tenant: shot.tenant, ..Seen::default() };
                let one = call(address, &idle, head.as_bytes(), due, &mut seen);
                // What came until then stands in `seen`.
                let _ = tokio::time::timeout(LONGEST, one).await;
                seen
            }));
        }
        let mut seen = Vec::with_capacity(flying.len());
        for one in flying {
            seen.push(one.await.unwrap());
        }
        seen
    })
}

/// One call, on a connection that is idle or on a new one.
async fn call(
    address: SocketAddr,
    idle: &RefCell<Vec<TcpStream>>,
    request: &[u8],
    due: Instant,
    seen: &mut Seen,
) -> std::io::Result<()> {
    let kept = idle.borrow_mut().pop();
    let mut stream = match kept {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            stream
        }
    };
    stream.write_all(request).await?;
    let mut bytes = Vec::new();
    let body_at = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        if seen.first_byte.is_zero() {
            seen.first_byte = due.elapsed();
        }
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..body_at]).to_lowercase();
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let number = |name: &str| header(name).and_then(|value| value.parse::<u64>().ok());
    seen.status = head.get(9..12).and_then(|status| status.parse().ok());
    seen.retry_after_ms = number("retry-after-ms:");
    seen.should_retry = header("x-should-retry:") == Some("true");
    seen.decision = number("x-firstright-decision:").unwrap_or(0);
    let length = number("content-length:").map(|length| body_at + length as usize);
    let ended = |bytes: &[u8]| match length {
        Some(length) => bytes.len() >= length,
        None => bytes[body_at..].ends_with(b"0\r\n\r\n"),
    };
    while !ended(&bytes) {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
    seen.end = due.elapsed();
    seen.whole = true;
    if let Some((_, code)) = String::from_utf8_lossy(&bytes[body_at..]).split_once("\"code\":\"") {
        seen.code = code.split('"').next().unwrap_or_default().to_string();
    }
    if header("connection:") != Some("close") {
        idle.borrow_mut().push(stream);
    }
    Ok(())
}

/// The value that so many of a hundred do not exceed.
pub fn percentile(values: impl IntoIterator<Item = Duration>, percent: usize) -> Duration {
    let mut values: Vec<Duration> = values.into_iter().collect();
    values.sort_unstable();
    values.get((values.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
}
