use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use super::super::{Ended, MAX_BATCH, MAX_WAITING};
use super::*;
use crate::upstream::{PoolLimits, Target};

const OK: &str = "200 OK";
/// The connection ends without an answer.
const NOTHING: &str = "";

/// What the collector got, and when, in milliseconds.
type Got = Rc<Mutex<Vec<(u64, Json)>>>;

fn run(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

fn queue() -> Rc<Queue> {
    let (dropped, sent) = (AtomicU64::new(0), AtomicU64::new(0));
    Rc::new(Queue { sample: 0, waiting: Mutex::default(), dropped, sent })
}

fn push(queue: &Queue, many: usize) {
    for number in 0..many {
        queue.push(|| Ended(vec![json!({ "name": number.to_string() })]));
    }
}

fn counts(queue: &Queue) -> (u64, u64) {
    (queue.sent.load(Ordering::Relaxed), queue.dropped())
}

/// Answers with each of these (a status, and more header lines) in turn, and with the last for ever.
async fn collector(answers: &'static [&'static str]) -> (Target, Got) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::plain("127.0.0.1", listener.local_addr().unwrap().port()).unwrap();
    let got = Got::default();
    let (keep, began) = (Rc::clone(&got), Instant::now());
    spawn_local(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            while let Some(body) = message(&mut stream).await {
                let answer = {
                    let mut kept = keep.lock().unwrap();
                    let answer = answers[kept.len().min(answers.len() - 1)];
                    kept.push((began.elapsed().as_millis() as u64, body));
                    answer
                };
                if answer == NOTHING {
                    break;
                }
                let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 2\r\n\r\n{{}}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    (target, got)
}

async fn message(stream: &mut TcpStream) -> Option<Json> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}

fn sender(target: Target) -> Sender {
    let metrics_every = Duration::ZERO;
    let (prefix, headers, service) = (String::new(), Vec::new(), "here".to_string());
    let config = OtlpConfig { target, prefix, headers, service, sample: 0, metrics_every };
    Sender::new(config, Client::new(PoolLimits::default()), 0)
}

/// Speaks until it is told to stop.
fn start(sender: Sender, queue: &Rc<Queue>) -> (watch::Sender<bool>, tokio::task::JoinHandle<()>) {
    let (stop, stopped) = watch::channel(false);
    let queue = Rc::clone(queue);
    let running = spawn_local(async move { sender.run(&queue, Vec::new, || 0, stopped).await });
    (stop, running)
}

fn names(body: &Json) -> Vec<String> {
    let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    spans.iter().map(|span| span["name"].as_str().unwrap().to_string()).collect()
}

#[test]
fn what_may_be_taken_later_is_sent_again_after_growing_pauses_and_counted_once() {
    run(async {
        let answers = &[NOTHING, "503 Busy", "502 Bad", "429 Slow\r\nretry-after: 20", "504 Late", OK];
        let (target, got) = collector(answers).await;
        let queue = queue();
        push(&queue, 3);
        let (stop, running) = start(sender(target), &queue);
        sleep(Duration::from_secs(15)).await;
        push(&queue, 2);
        sleep(Duration::from_secs(85)).await;
        stop.send_replace(true);
        running.await.unwrap();
        let got = got.lock().unwrap().clone();
        // The sixth time it was taken, and then the rest.
        assert_eq!(got.len(), 7, "{got:?}");
        assert!(got[..6].iter().all(|(_, body)| names(body) == ["0", "1", "2"]), "{got:?}");
        assert_eq!(names(&got[6].1), ["0", "1"]);
        let gaps: Vec<u64> = got.windows(2).map(|pair| (pair[1].0 - pair[0].0) / 1_000).collect();
        // Looked at each second, so up to one longer: 1, 2, 4 or half of them, what it said, 16 or half.
        let bounds = [(1, 2), (1, 3), (2, 5), (20, 21), (8, 17), (0, 1)];
        for (gap, (least, most)) in gaps.iter().zip(bounds) {
            assert!((least..=most).contains(gap), "{gaps:?}");
        }
        assert_eq!(counts(&queue), (5, 0));
    });
}

#[test]
fn what_is_refused_is_dropped_and_does_not_hold_up_the_next() {
    run(async {
        for refusal in ["400 Bad", "401 No", "404 Gone", "413 Long", "500 Broken", "301 Moved\r\nlocation: /"]
        {
            let answers: &'static [&'static str] = Box::leak(Box::new([refusal, OK]));
            let (target, got) = collector(answers).await;
            let queue = queue();
            push(&queue, MAX_BATCH + 1);
            let (stop, running) = start(sender(target), &queue);
            sleep(Duration::from_secs(2)).await;
            assert_eq!(counts(&queue), (1, MAX_BATCH as u64), "{refusal}");
            stop.send_replace(true);
            running.await.unwrap();
            assert_eq!(got.lock().unwrap().len(), 2, "{refusal}");
        }
    });
}

#[test]
fn a_collector_that_is_away_costs_one_message_in_two_minutes_and_no_more_than_the_queue() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::plain("127.0.0.1", listener.local_addr().unwrap().port()).unwrap();
        drop(listener);
        let queue = queue();
        push(&queue, MAX_BATCH);
        let (stop, running) = start(sender(target), &queue);
        sleep(Duration::from_secs(10)).await;
        push(&queue, MAX_WAITING + 7);
        assert_eq!(counts(&queue), (0, 7), "one message is held, and the queue is full");
        sleep(Duration::from_secs(130)).await;
        assert_eq!(counts(&queue), (0, 7 + MAX_BATCH as u64));
        stop.send_replace(true);
        running.await.unwrap();
        assert_eq!(
            counts(&queue),
            (0, (7 + MAX_BATCH + MAX_WAITING) as u64),
            "what is left is lost, and counted"
        );
    });
}

#[test]
fn who_says_to_come_in_an_hour_gets_the_next_message_after_two_minutes() {
    run(async {
        let (target, got) = collector(&["503 Busy\r\nretry-after: 3600", OK]).await;
        let queue = queue();
        push(&queue, 1);
        let (_stop, _running) = start(sender(target), &queue);
        sleep(Duration::from_secs(100)).await;
        assert_eq!(counts(&queue), (0, 1), "given up at once: it would be too old by then");
        push(&queue, 1);
        sleep(Duration::from_secs(30)).await;
        assert_eq!(counts(&queue), (1, 1));
        let got = got.lock().unwrap().clone();
        assert!(got.len() == 2 && got[1].0 - got[0].0 >= 120_000, "{got:?}");
    });
}

/// It takes the message and says nothing for ever.
#[test]
fn a_stop_waits_for_its_last_words_and_no_longer() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::plain("127.0.0.1", listener.local_addr().unwrap().port()).unwrap();
        let queue = queue();
        push(&queue, 2);
        let (stop, running) = start(sender(target), &queue);
        let _silent = listener.accept().await.unwrap();
        push(&queue, 3);
        let began = Instant::now();
        stop.send_replace(true);
        running.await.unwrap();
        assert!((5..7).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        assert_eq!(counts(&queue), (0, 5));
    });
}

#[test]
fn what_was_held_when_we_stop_is_told_in_the_last_words() {
    run(async {
        let (target, got) = collector(&["503 Busy\r\nretry-after: 60", OK]).await;
        let queue = queue();
        push(&queue, 2);
        let (stop, running) = start(sender(target), &queue);
        sleep(Duration::from_secs(5)).await;
        push(&queue, 3);
        stop.send_replace(true);
        running.await.unwrap();
        assert_eq!((counts(&queue), got.lock().unwrap().len()), ((5, 0), 3));
    });
}

#[test]
fn metrics_that_were_not_taken_are_read_anew() {
    run(async {
        let (target, got) = collector(&["503 Busy", OK]).await;
        let queue = queue();
        let mut sender = sender(target);
        sender.config.metrics_every = Duration::from_secs(15);
        let reads = std::cell::Cell::new(0);
        let collect = || {
            reads.set(reads.get() + 1);
            Vec::new()
        };
        for _ in 0..40 {
            sleep(EVERY).await;
            sender.turn(&queue, &collect, &|| 0).await;
        }
        let got: Vec<u64> = got.lock().unwrap().iter().map(|(at, _)| at / 1_000).collect();
        assert!(got.len() == 4 && got[1] - got[0] <= 2 && (15..=17).contains(&(got[2] - got[1])), "{got:?}");
        assert_eq!(reads.get(), 4);
    });
}

#[test]
fn what_a_collector_takes_in_part_is_told_and_not_sent_again() {
    for (said, many) in [
        ("{}", 0),
        ("", 0),
        (r#"{"partialSuccess":{}}"#, 0),
        (r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"x"}}"#, 3),
        (r#"{"partialSuccess":{"rejectedDataPoints":4}}"#, 4),
    ] {
        assert_eq!(rejected(said.as_bytes()), many, "{said}");
    }
}

#[test]
fn a_collector_may_name_a_time_in_seconds_or_as_a_date() {
    let named = |pairs: &[(header::HeaderName, &'static str)]| {
        let value =
            |(name, value): &(header::HeaderName, &'static str)| (name.clone(), value.parse().unwrap());
        retry_after(&pairs.iter().map(value).collect()).map(|wait| wait.as_secs())
    };
    let (now, later) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT");
    assert_eq!(named(&[(header::RETRY_AFTER, "20")]), Some(20));
    assert_eq!(named(&[(header::RETRY_AFTER, later), (header::DATE, now)]), Some(30));
    assert_eq!(named(&[(header::RETRY_AFTER, now), (header::DATE, later)]), Some(0));
    assert_eq!(named(&[(header::RETRY_AFTER, later)]), None, "nothing says what time it is there");
    assert_eq!(named(&[(header::RETRY_AFTER, "soon"), (header::DATE, now)]), None);
    assert_eq!(named(&[]), None);
}

#[test]
fn nobody_waits_while_a_request_is_put_into_words() {
    let queue = queue();
    queue.push(|| {
        assert!(queue.waiting.try_lock().is_ok(), "the queue is free");
        Ended(Vec::new())
    });
    push(&queue, MAX_WAITING);
    assert_eq!((queue.take().len(), queue.dropped()), (MAX_BATCH, 1));
}
