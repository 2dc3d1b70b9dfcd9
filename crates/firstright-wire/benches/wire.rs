//! How long does the gateway's work on a call's bytes take? Prints nanoseconds for each operation; the least of
//! several rounds, since the machine is shared.

use std::borrow::Cow;
use std::hint::black_box;
use std::time::Instant;

use firstright_wire::azure::limits::Limits;
use firstright_wire::bedrock::eventstream;
use firstright_wire::language::Language;
use firstright_wire::openai::stream::StreamMeter;
use firstright_wire::openai::{request, response};
use firstright_wire::operation::{Operation, Route};
use serde::Deserialize;
use serde_json::value::RawValue;

const ROUNDS: u32 = 15;

/// Runs `work` about `per_round` times a round and prints the best round's time for one of `units` in it.
fn measure(name: &str, per_round: u32, units: u32, mut work: impl FnMut()) {
    let mut best = u128::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..per_round {
            work();
        }
        best = best.min(start.elapsed().as_nanos());
    }
    let picos = best * 1000 / u128::from(per_round) / u128::from(units);
    println!("{name:<58} {:>9}.{:03} ns", picos / 1000, picos % 1000);
}

/// The alternative to the hand-written scanner: borrowed fields, the rest skipped.
#[derive(Deserialize)]
#[expect(dead_code, reason = "the fields are read into, which is what is measured")]
struct Borrowed<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    stream: Option<bool>,
    #[serde(borrow)]
    stream_options: Option<&'a RawValue>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    n: Option<u64>,
    service_tier: Option<Cow<'a, str>>,
    previous_response_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
}

fn chat_request(prompt: usize) -> Vec<u8> {
    let text = "The quick brown fox jumps over the lazy dog, again. \\n".repeat(prompt / 54 + 1);
    format!(
        r#"{{"messages":[{{"role":"system","content":"You are a helpful assistant."}},{{"role":"user","content":"{text}"}}],"model":"gpt-4o-mini","max_tokens":256,"temperature":0.7,"stream":true,"user":"u-12345"}}"#
    )
    .into_bytes()
}

fn main() {
    requests();
    replies();
    streams();
    translations();
    headers();
}

fn requests() {
    for (name, prompt, per_round) in
        [("0.3 KB", 1, 20_000), ("1.5 KB", 1_300, 20_000), ("64 KB", 65_536, 500)]
    {
        let body = chat_request(prompt);
        measure(&format!("peek, chat request, {name}"), per_round, 1, || {
            black_box(request::peek(Operation::ChatCompletions, black_box(&body)).is_ok());
        });
        measure(&format!("  the same by serde_json, borrowed, {name}"), per_round, 1, || {
            black_box(serde_json::from_slice::<Borrowed<'_>>(black_box(&body)).is_ok());
        });
        let peek = request::peek(Operation::ChatCompletions, &body).expect("the body is sound");
        measure(&format!("rewrite to pieces, {name}"), per_round, 1, || {
            black_box(request::rewrite(black_box(&body), &peek, Some("gpt-4o-mini-ptu-eu"), true));
        });
    }
}

fn replies() {
    let text = "All work and no play makes Jack a dull boy. \\n".repeat(26);
    let reply = format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1741569952,"model":"gpt-4o","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":19,"completion_tokens":310,"total_tokens":329,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}},"service_tier":"default"}}"#
    );
    measure(&format!("read, chat reply, {} bytes", reply.len()), 20_000, 1, || {
        black_box(response::read(Operation::ChatCompletions, black_box(reply.as_bytes())).is_ok());
    });
    let vector = "-0.009327292,".repeat(1536);
    let reply = format!(
        r#"{{"object":"list","data":[{{"embedding":[{}],"index":0}}],"model":"m","usage":{{"prompt_tokens":8,"total_tokens":8}}}}"#,
        vector.trim_end_matches(',')
    );
    measure(&format!("read, embeddings reply, {} bytes", reply.len()), 5_000, 1, || {
        black_box(response::read(Operation::Embeddings, black_box(reply.as_bytes())).is_ok());
    });
}

fn streams() {
    let chat = r#"data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk","created":1741569952,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_fc9f1d7035","choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"aB3dE"}"#.to_owned() + "\n\n";
    let responses = "event: response.output_text.delta\ndata: ".to_owned()
        + r#"{"type":"response.output_text.delta","sequence_number":17,"item_id":"msg_67c9fdcf37fc8190ba82116e33fb28c507b8b0ad4","output_index":0,"content_index":0,"delta":" token","logprobs":[],"obfuscation":"aB3dE"}"#
        + "\n\n";
    for (name, operation, event) in
        [("chat", Operation::ChatCompletions, &chat), ("Responses", Operation::Responses, &responses)]
    {
        let mut meter = StreamMeter::new(operation, true);
        measure(&format!("push, one {name} delta, {} bytes", event.len()), 100_000, 1, || {
            black_box(meter.push(black_box(event.as_bytes())));
        });
        let burst = event.repeat(32);
        measure(&format!("push, 32 {name} deltas in a chunk, for each"), 5_000, 32, || {
            black_box(meter.push(black_box(burst.as_bytes())));
        });
        let (head, tail) = event.as_bytes().split_at(event.len() / 2);
        measure(&format!("push, one {name} delta in two chunks"), 50_000, 1, || {
            black_box(meter.push(black_box(head)));
            black_box(meter.push(black_box(tail)));
        });
    }
    let usage = r#"data: {"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":310,"total_tokens":329,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#.to_owned()
        + "\n\ndata: [DONE]\n\n";
    measure("a meter's life: new, usage, [DONE], finish, held", 20_000, 1, || {
        let mut meter = StreamMeter::new(Operation::ChatCompletions, true);
        black_box(meter.push(black_box(usage.as_bytes())));
        black_box(meter.finish());
        black_box(meter.take_held());
    });
}

/// What a provider of another language costs beside: the request once, and each event of its stream.
fn translations() {
    let body = chat_request(1_300);
    let mut messages = br#"event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" token"}}"#
        .to_vec();
    messages.extend_from_slice(b"\n\n");
    let mut converse = Vec::new();
    let delta = br#"{"contentBlockIndex":0,"delta":{"text":" token"},"p":"abcdefghijklmnopqrstuvwxyz"}"#;
    eventstream::write(&mut converse, "event", "contentBlockDelta", delta);
    let mut generate = br#"data: {"candidates":[{"content":{"role":"model","parts":[{"text":" token"}]},"index":0}],"usageMetadata":{"promptTokenCount":19,"totalTokenCount":19,"trafficType":"ON_DEMAND"},"modelVersion":"gemini-2.5-flash","responseId":"b3BlbiBzb3VyY2U"}"#
        .to_vec();
    generate.extend_from_slice(b"\r\n\r\n");
    for (language, model, event) in [
        (Language::Anthropic, "claude-sonnet-4-6", messages),
        (Language::Bedrock, "anthropic.claude-sonnet-4-6", converse),
        (Language::Gemini, "gemini-2.5-flash", generate),
    ] {
        measure(&format!("say a chat request to {language:?}, 1.5 KB"), 10_000, 1, || {
            black_box(language.request(black_box(&body), model, 1024).is_ok());
        });
        let (mut stream, mut out) = (language.stream(model), Vec::new());
        measure(&format!("translate one {language:?} delta, {} bytes", event.len()), 50_000, 1, || {
            out.clear();
            black_box(stream.push(black_box(&event), &mut out).is_ok());
        });
    }
}

fn headers() {
    let headers: [(&str, &[u8]); 10] = [
        ("content-type", b"application/json"),
        ("x-ratelimit-limit-requests", b"10000"),
        ("x-ratelimit-limit-tokens", b"200000"),
        ("x-ratelimit-remaining-requests", b"9999"),
        ("x-ratelimit-remaining-tokens", b"199850"),
        ("x-ratelimit-reset-requests", b"8.64s"),
        ("x-ratelimit-reset-tokens", b"45ms"),
        ("x-request-id", b"0af1"),
        ("openai-processing-ms", b"300"),
        ("date", b"Mon, 23 Nov 2026 10:00:00 GMT"),
    ];
    measure("limits from ten headers", 50_000, 1, || {
        black_box(Limits::from_headers(black_box(headers.iter().copied())));
    });
    measure("operation from path", 100_000, 1, || {
        black_box(Route::read(black_box("POST"), black_box("/v1/chat/completions")).is_ok());
    });
}
