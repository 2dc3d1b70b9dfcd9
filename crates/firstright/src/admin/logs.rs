//! What did a lease write? A part of its log from an offset on; a follower waits a while for more.

use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use firstright_core::fact::LeaseId;
use firstright_core::workload::JobId;
use firstright_dispatch::{Log, Plane, Problem};
use http_body_util::Full;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use tokio::time::Instant;

use super::answer::Answer;

/// Bytes in one answer; the next begins where it ends.
const MAX_PART: u64 = 1 << 20;
/// How long a follower waits for more before it is told that there is none yet.
const WAIT: Duration = Duration::from_secs(10);
/// How often the file is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(200);
/// Which lease's log this is.
pub(crate) const LEASE: &str = "firstright-lease";
/// Where the next part begins.
pub(crate) const OFFSET: &str = "firstright-offset";
/// Is the lease over, so that this was all once a part is empty?
pub(crate) const ENDED: &str = "firstright-ended";
/// Is the job over, so that no other lease follows?
pub(crate) const OVER: &str = "firstright-over";

pub(super) async fn read(
    plane: &Plane,
    job: JobId,
    lease: Option<LeaseId>,
    offset: u64,
    follow: bool,
) -> Result<Answer, Problem> {
    let until = Instant::now() + WAIT;
    loop {
        // Asked before the file is read: what is written before the end is seen.
        let log = plane.log(job, lease).await?;
        let path = log.path.clone();
        let bytes = tokio::task::spawn_blocking(move || part(path, offset)).await.unwrap_or_default();
        if !bytes.is_empty() || !follow || log.ended || Instant::now() >= until {
            return Ok(respond(&log, offset, bytes));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A part of the file; empty if there is no file yet.
fn part(path: PathBuf, offset: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Ok(mut file) = std::fs::File::open(path) else { return bytes };
    if file.seek(SeekFrom::Start(offset)).is_ok() {
        // What could be read is shown; the next part begins after it.
        let _ = file.take(MAX_PART).read_to_end(&mut bytes);
    }
    bytes
}

fn respond(log: &Log, offset: u64, bytes: Vec<u8>) -> Answer {
    let next = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
    let mut answer = Response::new(Full::new(Bytes::from(bytes)));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert(LEASE, HeaderValue::from(log.lease.0));
    headers.insert(OFFSET, HeaderValue::from(next));
    headers.insert(ENDED, HeaderValue::from_static(if log.ended { "1" } else { "0" }));
    headers.insert(OVER, HeaderValue::from_static(if log.over { "1" } else { "0" }));
    answer
}
