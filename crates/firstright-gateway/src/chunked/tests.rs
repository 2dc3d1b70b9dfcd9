use super::*;

/// Feeds `wire` in pieces of `step` bytes; gives the payload and what is left behind the end.
fn decode_in_steps(wire: &[u8], step: usize) -> Result<(Vec<u8>, Vec<u8>, bool), BadChunk> {
    let (mut chunked, mut payload, mut behind) = (Chunked::new(), Vec::new(), Vec::new());
    for piece in wire.chunks(step) {
        let mut piece = piece.to_vec();
        let decoded = chunked.decode(&mut piece)?;
        behind.extend_from_slice(&piece[decoded.used..]);
        payload.extend_from_slice(&piece[..decoded.payload]);
    }
    Ok((payload, behind, chunked.is_end()))
}

const GOOD: &[u8] =
    b"5\r\nhello\r\n1;name=\"v\"\r\n \r\n00A\r\n0123456789\r\n0\r\nx-trailer: 1\r\ny: 2\r\n\r\nHTTP/1.1";

#[test]
fn decodes_the_same_at_every_split() {
    for step in 1..=GOOD.len() {
        let (payload, behind, end) = decode_in_steps(GOOD, step).unwrap();
        assert_eq!(payload, b"hello 0123456789", "step {step}");
        assert_eq!(behind, b"HTTP/1.1", "step {step}");
        assert!(end);
    }
    for split in 0..=GOOD.len() {
        let (mut chunked, mut payload) = (Chunked::new(), Vec::new());
        for piece in [&GOOD[..split], &GOOD[split..]] {
            let mut piece = piece.to_vec();
            let decoded = chunked.decode(&mut piece).unwrap();
            payload.extend_from_slice(&piece[..decoded.payload]);
        }
        assert_eq!(payload, b"hello 0123456789", "split {split}");
    }
}

#[test]
fn an_unfinished_body_is_not_at_its_end() {
    for length in 0..GOOD.len() - b"HTTP/1.1".len() {
        let (_, behind, end) = decode_in_steps(&GOOD[..length], 7).unwrap();
        assert!(!end && behind.is_empty(), "length {length}");
    }
}

#[test]
fn refuses_what_is_not_chunked() {
    let long_extension = format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(300));
    let long_trailer = format!("0\r\nx: {}\r\n\r\n", "t".repeat(9000));
    let many_trailers = format!("0\r\n{}\r\n", "x: y\r\n".repeat(3000));
    let table: &[&[u8]] = &[
        b"\r\n",
        b"g\r\n",
        b"-1\r\n",
        b"+1\r\nx\r\n",
        b" 1\r\nx\r\n",
        b"1 \r\nx\r\n",
        b"0x1\r\nx\r\n",
        b"1_0\r\n",
        b"1\nx\r\n0\r\n\r\n",
        b"1\r\nx\n0\r\n\r\n",
        b"1\r\nxy\r\n0\r\n\r\n",
        b"1\r\nx0\r\n\r\n",
        b"1;a\nb\r\nx\r\n",
        b"1\rx",
        b"0\r\n\n",
        b"0\r\nx: 1\n\r\n",
        b"0\r\n\rx",
        b";a\r\n",
        b"0000000000001\r\nx",
        b"fffffffffffffffff\r\n",
        long_extension.as_bytes(),
        long_trailer.as_bytes(),
        many_trailers.as_bytes(),
    ];
    for wire in table {
        for step in [1, 2, 3, wire.len()] {
            assert!(decode_in_steps(wire, step).is_err(), "{:?}", String::from_utf8_lossy(wire));
        }
    }
}
