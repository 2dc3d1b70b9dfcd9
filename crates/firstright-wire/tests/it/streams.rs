//! However a stream is cut, the client gets the same bytes and the ledger the same figures.

use firstright_wire::openai::stream::{StreamEnd, StreamMeter};
use firstright_wire::operation::Operation;

use crate::golden::{FIXTURES, load};

/// Everything that comes of a stream which arrives as `chunks`.
pub fn describe(operation: Operation, injected: bool, chunks: &[&[u8]]) -> String {
    let mut meter = StreamMeter::new(operation, injected);
    let mut out = Vec::new();
    let (mut firsts, mut ends) = (0, 0);
    for chunk in chunks {
        let passage = meter.push(chunk);
        firsts += u32::from(passage.first_content);
        ends += u32::from(passage.ended);
        passage.pieces(chunk).for_each(|piece| out.extend_from_slice(piece));
    }
    assert_eq!(firsts, u32::from(meter.metered().content_seen));
    assert!(ends <= 1);
    let end = meter.finish();
    let held = meter.take_held();
    format!(
        "stream: {:#?}\nend: {end:?}\nforwarded:\n{}\nheld:\n{}\n",
        meter.metered(),
        String::from_utf8_lossy(&out).escape_debug().to_string().replace("\\n", "\n"),
        String::from_utf8_lossy(&held).escape_debug().to_string().replace("\\n", "\n")
    )
}

#[test]
fn every_cut_gives_the_same() {
    let mut streams = 0;
    for (name, operation, injected) in FIXTURES {
        let Some(stream) = load(name, "stream.sse") else { continue };
        streams += 1;
        let whole = describe(operation, injected, &[&stream]);
        for cut in 1..stream.len() {
            let (a, b) = stream.split_at(cut);
            assert_eq!(describe(operation, injected, &[a, b]), whole, "{name} cut at {cut}");
        }
        for size in [1, 2, 3, 7, 64, 500] {
            let chunks: Vec<&[u8]> = stream.chunks(size).collect();
            assert_eq!(describe(operation, injected, &chunks), whole, "{name} in chunks of {size}");
        }
    }
    assert!(streams >= 10);
}

#[test]
fn nothing_is_lost_or_changed_unless_withheld() {
    for (name, operation, _) in FIXTURES {
        let Some(stream) = load(name, "stream.sse") else { continue };
        let mut meter = StreamMeter::new(operation, false);
        let mut out = Vec::new();
        for chunk in stream.chunks(97) {
            meter.push(chunk).pieces(chunk).for_each(|piece| out.extend_from_slice(piece));
        }
        let end = meter.finish();
        out.extend_from_slice(&meter.take_held());
        if end == StreamEnd::CutWithoutDone {
            assert!(stream.starts_with(&out) && out.ends_with(b"\n\n"), "{name}");
        } else {
            assert_eq!(out, stream, "{name}");
        }
    }
}
