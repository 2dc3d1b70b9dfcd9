use super::*;
use crate::openai::stream::{StreamEnd, StreamMeter};
use crate::operation::Operation;
use crate::usage::{Reading, Usage};

const CHAT: &[u8] = include_bytes!("../../../tests/it/golden/anthropic/chat.stream.sse");
const TOOLS: &[u8] = include_bytes!("../../../tests/it/golden/anthropic/tools.stream.sse");
const ERROR: &[u8] = include_bytes!("../../../tests/it/golden/anthropic/error.stream.sse");
const CUT: &[u8] = include_bytes!("../../../tests/it/golden/anthropic/cut.stream.sse");

/// The meter, the bytes that went on and those that were held.
fn metered(chunks: &[&[u8]]) -> (Metered, StreamEnd, Vec<u8>, Vec<u8>) {
    let mut meter = StreamMeter::new(Operation::Messages, true);
    let mut out = Vec::new();
    for chunk in chunks {
        meter.push(chunk).pieces(chunk).for_each(|piece| out.extend_from_slice(piece));
    }
    let end = meter.finish();
    let held = meter.take_held();
    (meter.metered().clone(), end, out, held)
}

#[test]
fn the_closing_totals_are_held_and_hold() {
    let (chat, end, out, held) = metered(&[CHAT]);
    assert_eq!([out.as_slice(), &held].concat(), CHAT);
    assert!(held.starts_with(b"event: message_delta"), "{}", String::from_utf8_lossy(&held));
    let usage =
        Usage { input: 30, cached_input: 1000, cache_write: 7, output: 15, requests: 1, ..Usage::default() };
    assert_eq!((chat.usage, end), (Reading::Sound(usage), StreamEnd::Complete));
    assert_eq!(
        (chat.id.as_deref(), chat.model.as_deref()),
        (Some("msg_01"), Some("claude-sonnet-4-5-20250929"))
    );
    assert_eq!((chat.content_deltas, chat.unreadable), (2, 0));
    let (tools, ..) = metered(&[TOOLS]);
    let usage = Usage { input: 472, output: 68, reasoning: 21, requests: 1, ..Usage::default() };
    assert_eq!((tools.usage, tools.content_deltas), (Reading::Sound(usage), 7));
}

#[test]
fn errors_and_cuts_have_no_totals() {
    let (error, end, out, held) = metered(&[ERROR]);
    assert_eq!([out.as_slice(), &held].concat(), ERROR);
    assert_eq!((error.usage, end, error.content_seen), (Reading::Absent, StreamEnd::Failed, true));
    assert!(held.starts_with(b"event: error"));
    let (cut, end, out, held) = metered(&[CUT]);
    assert_eq!((cut.usage, end), (Reading::Absent, StreamEnd::CutWithoutDone));
    assert!(CUT.starts_with(&out) && held.is_empty());
}

#[test]
fn every_cut_gives_the_same() {
    for stream in [CHAT, TOOLS, ERROR, CUT] {
        let whole = metered(&[stream]);
        for at in 1..stream.len() {
            let (a, b) = stream.split_at(at);
            assert_eq!(metered(&[a, b]), whole, "cut at {at}");
        }
        for size in [1, 2, 3, 7, 64] {
            let chunks: Vec<&[u8]> = stream.chunks(size).collect();
            assert_eq!(metered(&chunks), whole, "in chunks of {size}");
        }
    }
}

#[test]
fn unreadable_events_pass_and_let_nobody_take_over() {
    let stream = b"data: {\"type\":\"content_block_delta\",\"delta\":5}\n\ndata: [1\n\ndata: {\"type\":\"message_stop\"}\n\n";
    let (meter, end, out, held) = metered(&[stream]);
    assert_eq!([out, held].concat(), stream);
    assert_eq!((meter.unreadable, meter.content_seen, end), (2, true, StreamEnd::Complete));
    let mut large = b"data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"".to_vec();
    large.resize(crate::openai::stream::MAX_EVENT_BYTES + 10, b'x');
    large.extend_from_slice(b"\"}}\n\n");
    let (meter, _, out, held) = metered(&large.chunks(4096).collect::<Vec<_>>());
    assert_eq!([out, held].concat(), large);
    assert_eq!((meter.content_deltas, meter.content_seen, meter.ended), (1, true, false));
}

#[test]
fn whole_answers() {
    let body = include_bytes!("../../../tests/it/golden/anthropic/chat.response.json");
    let reply = read(body).unwrap();
    let usage = Usage {
        input: 95,
        cached_input: 1024,
        cache_write: 150,
        cache_write_hour: 50,
        output: 74,
        requests: 1,
        ..Usage::default()
    };
    assert_eq!((reply.usage, reply.error), (Reading::Sound(usage), false));
    assert_eq!(reply.id.as_deref(), Some("msg_01XFDUDYJgAACzvnptvVoYEL"));
    assert!(read(br#"{"type":"error","error":{}}"#).unwrap().error);
    assert!(read(b"{").is_err() && read(b"[]").is_err());
}
