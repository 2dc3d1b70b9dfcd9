use std::future::{pending, ready};
use std::task::Waker;

use http::StatusCode;
use http_body::Body as _;

use super::*;
use crate::refuse::No;

const CHAT: Operation = Operation::ChatCompletions;

fn paused(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(test);
}

/// A request whose call waits so long, and is then answered so.
fn waiting(operation: Operation, seconds: u64, answer: impl FnOnce() -> Answer + 'static) -> Handled {
    Handled::new(async move {
        let alive = Alive { every: Duration::from_secs(15), operation };
        let wait = tokio::time::sleep(Duration::from_secs(seconds));
        Box::pin(alive.during(wait, || ())).await;
        answer()
    })
}

fn stream(text: &'static str) -> Answer {
    let mut answer = Response::new(Reply::whole(text));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert("x-firstright-deployment", HeaderValue::from_static("azure-ptu"));
    headers.insert("x-request-id", HeaderValue::from_static("7"));
    headers.insert("apim-request-id", HeaderValue::from_static("8"));
    answer
}

async fn text(answer: Answer) -> String {
    let (mut body, mut bytes) = (answer.into_body(), Vec::new());
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_wait_of_less_than_that_changes_nothing() {
    paused(async {
        let began = tokio::time::Instant::now();
        let answer = waiting(CHAT, 14, || No::busy("overloaded", "too much").answer()).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(began.elapsed().as_secs(), 14);
    });
}

#[test]
fn a_longer_one_is_heard_of_each_time_and_its_stream_goes_on_behind_that() {
    paused(async {
        let began = tokio::time::Instant::now();
        let answer = waiting(CHAT, 40, || stream("data: {}\n\ndata: [DONE]\n\n")).await;
        assert_eq!((answer.status(), began.elapsed().as_secs()), (StatusCode::OK, 15));
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert!(!answer.body().is_end_stream() && answer.body().size_hint().exact().is_none());
        let told = ": x-firstright-deployment: azure-ptu\n: x-request-id: 7\n\n";
        let expected = format!(": queued\n\n: queued\n\n{told}data: {{}}\n\ndata: [DONE]\n\n");
        assert_eq!(text(answer).await, expected);
        assert_eq!(began.elapsed().as_secs(), 40);
    });
}

#[test]
fn a_refusal_is_told_in_the_words_of_the_stream() {
    let no = || {
        let mut no = No::busy("overloaded", "two\nlines");
        no.decision = Some(7);
        no
    };
    let told = ": x-should-retry: true\n: x-firstright-decision: 7\n: retry-after-ms: 1000\n\n";
    let cases = [
        (
            CHAT,
            "data: {\"error\":{\"code\":\"overloaded\",\"message\":\"two\\nlines\",\"param\":null,\"type\":\"api_error\"}}\n\n",
        ),
        (
            Operation::Responses,
            "event: error\ndata: {\"type\":\"error\",\"code\":\"overloaded\",\"message\":\"two\\nlines\",\"param\":null,\
             \"sequence_number\":0}\n\n",
        ),
        (
            Operation::Messages,
            "event: error\ndata: {\"error\":{\"details\":{\"error_code\":\"overloaded\"},\"message\":\"two\\nlines\",\
             \"type\":\"overloaded_error\"},\"type\":\"error\"}\n\n",
        ),
    ];
    for (operation, event) in cases {
        paused(async {
            let answer = move || match operation {
                Operation::Messages => no().answer_in_anthropics(),
                _ => no().answer(),
            };
            let answer = waiting(operation, 20, answer).await;
            let text = text(answer).await;
            let (comments, rest) = text.split_at(text.len() - event.len());
            assert_eq!(rest, event, "{text}");
            let sorted = |text: &str| {
                let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
                lines.sort();
                lines
            };
            assert_eq!(sorted(comments), sorted(&format!(": queued\n\n{told}")));
        });
    }
}

#[test]
fn a_providers_own_words_become_one_event_whatever_they_are() {
    let pretty = b"{\n  \"error\": {\n    \"type\": \"invalid\", \"message\": \"no\"\n  }\n}";
    let of = |operation, said: &[u8]| String::from_utf8(refusal(operation, said)).unwrap();
    assert_eq!(of(CHAT, pretty), "data: {\"error\":{\"message\":\"no\",\"type\":\"invalid\"}}\n\n");
    assert!(of(Operation::Responses, pretty).contains("\"code\":\"invalid\",\"message\":\"no\""));
    for said in [&b"<html>\r\n\r\ndata: [DONE]"[..], b"", b"[1]", b"{\"error\":\"no\"}", b"\xff\xfe"] {
        for operation in [CHAT, Operation::Responses, Operation::Messages] {
            let event = of(operation, said);
            let data: Vec<_> = event.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
            assert_eq!((data.len(), event.matches("\n\n").count()), (1, 1), "{event}");
            let value: Value = serde_json::from_str(data[0]).unwrap();
            assert!(value.to_string().contains("rejected"), "{event}");
        }
    }
}

#[test]
fn what_is_no_stream_cannot_go_on_behind_a_comment() {
    paused(async {
        let mut whole = stream("{}");
        whole.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut packed = stream("data: {}\n\n");
        packed.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        for answer in [whole, packed] {
            let text = text(waiting(CHAT, 20, || answer).await).await;
            assert!(
                text.contains("\"code\":\"not_a_stream\"") && text.matches("data: ").count() == 1,
                "{text}"
            );
        }
    });
}

/// What one request has to say is not taken for another's, nor kept for later.
#[test]
fn only_the_one_that_is_polled_speaks() {
    paused(async {
        SPEAKS.set(Some(CHAT));
        let mut silent: Rest<Hook> = Box::pin(pending());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(poll(&mut silent, &mut cx), Polled::Silent));
        let mut answered: Rest<Hook> = Box::pin(ready(stream("")));
        SPEAKS.set(Some(CHAT));
        assert!(matches!(poll(&mut answered, &mut cx), Polled::Answered(_)));
        assert!(SPEAKS.take().is_none());
    });
}
