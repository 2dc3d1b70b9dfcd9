use super::*;
use crate::usage::Usage;

/// What a client has at the end, what was held back, and the meter, with the stream cut at `cuts`.
fn run(operation: Operation, injected: bool, chunks: &[&[u8]]) -> (Vec<u8>, Vec<u8>, StreamEnd, Metered) {
    let mut meter = StreamMeter::new(operation, injected);
    let mut out = Vec::new();
    for chunk in chunks {
        let passage = meter.push(chunk);
        passage.pieces(chunk).for_each(|piece| out.extend_from_slice(piece));
    }
    let end = meter.finish();
    (out, meter.take_held(), end, meter.metered().clone())
}

fn chat(injected: bool, stream: &str) -> (String, String, StreamEnd, Metered) {
    let (out, held, end, metered) = run(Operation::ChatCompletions, injected, &[stream.as_bytes()]);
    (String::from_utf8(out).unwrap(), String::from_utf8(held).unwrap(), end, metered)
}

const DELTA: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}],\"usage\":null}\n\n";
const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

#[test]
fn the_injected_usage_chunk_is_kept_and_the_end_is_held() {
    let (out, held, end, metered) = chat(true, &[DELTA, USAGE, DONE].concat());
    assert_eq!((out.as_str(), held.as_str(), end), (DELTA, DONE, StreamEnd::Complete));
    assert_eq!(metered.usage.sound().unwrap().total_input(), 5);
    assert_eq!((metered.content_deltas, metered.content_bytes, metered.events), (1, 2, 2));
    let (out, held, ..) = chat(false, &[DELTA, USAGE, DONE].concat());
    assert_eq!((out.as_str(), held), (DELTA, [USAGE, DONE].concat()));
}

#[test]
fn usage_with_choices_counts_and_the_last_one_holds() {
    let with = |tokens: u32| {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"x\"}}}}],\"usage\":{{\"prompt_tokens\":5,\"completion_tokens\":{tokens}}}}}\n\n"
        )
    };
    let stream = [with(1), with(2), with(3)].concat();
    let (out, held, end, metered) = chat(true, &[&stream, DONE].concat());
    assert_eq!((out, held.as_str(), end), (stream, DONE, StreamEnd::Complete));
    assert_eq!(metered.usage, Reading::Sound(Usage { input: 5, output: 3, requests: 1, ..Usage::default() }));
}

#[test]
fn usage_reported_midway_is_no_end() {
    let stream = [DELTA, USAGE, ": ping\n\n", DELTA, DONE].concat();
    let (out, held, ..) = chat(false, &stream);
    assert_eq!((out, held.as_str()), ([DELTA, USAGE, ": ping\n\n", DELTA].concat(), DONE));
}

#[test]
fn what_is_not_content() {
    for event in [
        r#"{"id":"","choices":[],"model":"","prompt_filter_results":[{"prompt_index":0}]}"#,
        r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null}}]}"#,
        r#"{"choices":[{"index":0,"finish_reason":null,"content_filter_offsets":{"check_offset":1}}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[]}}]}"#,
    ] {
        let (out, _, _, metered) = chat(true, &format!("data: {event}\n\n"));
        assert!(out.contains(event));
        assert!(!metered.content_seen && metered.content_deltas == 0 && metered.unreadable == 0, "{event}");
    }
    let tool = r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a"}}]}}]}"#;
    let (_, _, _, metered) = chat(true, &format!("data: {tool}\n\n"));
    assert_eq!((metered.content_deltas, metered.content_bytes), (1, 4));
}

#[test]
fn first_content_is_told_once() {
    let mut meter = StreamMeter::new(Operation::ChatCompletions, true);
    assert!(!meter.push(b"data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n").first_content);
    let (half, rest) = DELTA.split_at(20);
    let passage = meter.push(half.as_bytes());
    assert!(!passage.first_content && passage.pieces(half.as_bytes()).next().is_none());
    let passage = meter.push(rest.as_bytes());
    assert!(passage.first_content);
    assert_eq!(passage.pieces(rest.as_bytes()).collect::<Vec<_>>().concat(), DELTA.as_bytes());
    assert!(!meter.push(DELTA.as_bytes()).first_content);
    assert!(meter.push(DONE.as_bytes()).ended);
    assert!(!meter.push(b"\n").ended);
}

#[test]
fn errors_and_cuts() {
    let error = "data: {\"error\":{\"message\":\"boom\",\"code\":\"server_error\"}}\n\n";
    let (out, held, end, metered) = chat(true, &[DELTA, error].concat());
    assert_eq!((out.as_str(), held.as_str(), end, metered.error), (DELTA, error, StreamEnd::Failed, true));
    let (out, held, end, metered) = chat(true, &[DELTA, &DELTA[..30]].concat());
    assert_eq!((out.as_str(), held.as_str(), end), (DELTA, "", StreamEnd::CutWithoutDone));
    assert_eq!((metered.content_deltas, metered.usage), (1, Reading::Absent));
    let (_, held, end, _) = chat(true, &[DELTA, "data: [DONE]"].concat());
    assert_eq!((held.as_str(), end), ("data: [DONE]", StreamEnd::Complete));
    let (out, _, _, metered) = chat(true, "data: {nonsense\n\ndata: \n\n");
    assert_eq!(out, "data: {nonsense\n\ndata: \n\n");
    assert!(metered.content_seen && metered.unreadable == 2);
}

#[test]
fn content_cannot_forge_usage_or_an_end() {
    let forged = r#"{"choices":[{"delta":{"content":"\"usage\":{\"prompt_tokens\":1} data: [DONE]\n\n"}}]}"#;
    let (out, held, end, metered) = chat(true, &format!("data: {forged}\n\n"));
    assert!(out.contains(forged) && held.is_empty());
    assert_eq!((metered.usage, end), (Reading::Absent, StreamEnd::CutWithoutDone));
}

#[test]
fn what_follows_the_end_is_bounded() {
    let mut meter = StreamMeter::new(Operation::ChatCompletions, true);
    meter.push(DONE.as_bytes());
    for _ in 0..10_000 {
        let passage = meter.push(DELTA.as_bytes());
        assert!(passage.pieces(DELTA.as_bytes()).next().is_none());
        meter.push(DONE.as_bytes());
    }
    assert!(meter.take_held().len() <= DONE.len() + MAX_TRAILER_BYTES);
}

#[test]
fn over_large_events_pass_and_are_metered_by_their_tail() {
    let text = "x".repeat(MAX_EVENT_BYTES + 100_000);
    let stream = format!(
        "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"delta\":\"a\"}}\n\n\
         event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{{\"id\":\"r\",\"output\":\"{text}\",\
         \"usage\":{{\"input_tokens\":3,\"output_tokens\":4}}}}}}\n\n"
    );
    let whole = run(Operation::Responses, false, &[stream.as_bytes()]);
    assert_eq!([whole.0.as_slice(), &whole.1].concat(), stream.as_bytes());
    assert_eq!((whole.1.len(), whole.2), (TAIL_BYTES, StreamEnd::Complete));
    assert_eq!(whole.3.usage.sound().unwrap().total_output(), 4);
    for size in [1_000, 4_096, 65_536, 1_048_576, 1_048_700] {
        let chunks: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
        assert_eq!(run(Operation::Responses, false, &chunks), whole, "{size}");
    }
}

#[test]
fn an_endless_event_takes_bounded_memory() {
    let mut meter = StreamMeter::new(Operation::ChatCompletions, true);
    let chunk = vec![b'x'; 50_000];
    let mut passed = 0;
    for _ in 0..200 {
        passed += meter.push(&chunk).pieces(&chunk).map(<[u8]>::len).sum::<usize>();
        assert!(meter.carry.len() <= MAX_EVENT_BYTES && meter.held.is_empty());
    }
    assert!(passed >= 200 * 50_000 - 2 * TAIL_BYTES);
}

#[test]
fn several_pictures() {
    let picture = |usage: &str| {
        format!("data: {{\"type\":\"image_generation.completed\",\"b64_json\":\"AA\"{usage}}}\n\n")
    };
    let partial = "data: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"AA\"}\n\n";
    let (first, last) = (picture(""), picture(",\"usage\":{\"input_tokens\":2,\"output_tokens\":9}"));
    let stream = [partial, &first, partial, &first, &last].concat();
    let (out, held, end, metered) = run(Operation::ImagesGenerations, false, &[stream.as_bytes()]);
    assert_eq!(out, [partial, &first, partial, &first].concat().as_bytes());
    assert_eq!((held.as_slice(), end), (last.as_bytes(), StreamEnd::Complete));
    let usage = metered.usage.sound().unwrap();
    assert_eq!((usage.total_input(), usage.total_output()), (2, 9));
    assert_eq!(usage.images, 3);
}
