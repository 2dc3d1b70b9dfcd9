use super::*;

/// Vectors made with another implementation (Python's `struct` and `zlib`): the empty message; one with a header of
/// every type; an error.
const EMPTY: &str = "000000100000000005c248eb7d98c8ff";
const EVERY_TYPE: &str = "0000009c000000782f0aec76016100016201016302ff0164030102016504000000010166050000000000000000\
    016706000300ff010d3a6d6573736167652d747970650700056576656e740168080000000000000001016909000102030405060708090a0b0c\
    0d0e0f0b3a6576656e742d7479706507000c6d65737361676553746172747b22726f6c65223a22617373697374616e74227d679c4c2e";
const ERROR: &str = "0000006600000056f158a9450d3a6d6573736167652d747970650700056572726f720b3a6572726f722d636f646507000f\
    496e7465726e616c4661696c7572650e3a6572726f722d6d6573736167650700107468652073747265616d2062726f6b65039c7834";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.bytes().filter_map(|digit| char::from(digit).to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// What a decoder makes of `chunks`: kind, name, error message and payload of every message.
fn decode(chunks: &[&[u8]]) -> Result<Vec<[String; 4]>, Malformed> {
    let mut decoder = Decoder::default();
    let mut seen = Vec::new();
    for chunk in chunks {
        decoder.push(chunk, |message| {
            let payload = String::from_utf8_lossy(message.payload).into_owned();
            seen.push([message.kind.into(), message.name.into(), message.error_message.into(), payload]);
            Ok(())
        })?;
        assert!(decoder.carry.len() < MAX_MESSAGE_BYTES);
    }
    assert!(decoder.is_between_messages(), "a message is unfinished");
    Ok(seen)
}

#[test]
fn vectors_are_read_however_they_are_cut() {
    let stream = [bytes(EMPTY), bytes(EVERY_TYPE), bytes(ERROR)].concat();
    let whole = decode(&[&stream]).unwrap();
    let expected = [
        ["", "", "", ""],
        ["event", "messageStart", "", r#"{"role":"assistant"}"#],
        ["error", "InternalFailure", "the stream broke", ""],
    ];
    assert_eq!(whole, expected.map(|message| message.map(String::from)));
    for cut in 0..=stream.len() {
        let (a, b) = stream.split_at(cut);
        assert_eq!(decode(&[a, b]).unwrap(), whole, "cut at {cut}");
    }
    for size in [1, 2, 3, 7, 11, 12, 13, 64] {
        let chunks: Vec<&[u8]> = stream.chunks(size).collect();
        assert_eq!(decode(&chunks).unwrap(), whole, "by {size}");
    }
}

#[test]
fn what_is_written_is_read() {
    let mut stream = Vec::new();
    write(&mut stream, "event", "contentBlockDelta", b"{}");
    write(&mut stream, "exception", "throttlingException", b"{\"message\":\"slow down\"}");
    let seen = decode(&[&stream]).unwrap();
    assert_eq!(seen[0], ["event", "contentBlockDelta", "", "{}"].map(String::from));
    assert_eq!(seen[1][..2], ["exception", "throttlingException"].map(String::from));
}

#[test]
fn every_flipped_bit_is_found() {
    let message = bytes(EVERY_TYPE);
    for bit in 0..message.len() * 8 {
        let mut wrong = message.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        let mut decoder = Decoder::default();
        let result = decoder.push(&wrong, |_| panic!("bit {bit} was believed"));
        // A flipped length is caught by the prelude's own checksum, so nothing waits for bytes that never come.
        assert!(result.is_err(), "bit {bit}");
    }
}

#[test]
fn lengths_that_lie_are_refused_before_anything_is_kept() {
    let prelude = |total: u32, headers: u32| {
        let mut bytes = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        bytes
    };
    for (total, headers, at) in [
        (15, 0, 0),
        (0, 0, 0),
        (MAX_MESSAGE_BYTES as u32 + 1, 0, 0),
        (u32::MAX, 0, 0),
        (16, 1, 4),
        (100, u32::MAX, 4),
    ] {
        let error = Decoder::default().push(&prelude(total, headers), |_| Ok(())).unwrap_err();
        assert_eq!(error.at, at, "{total} and {headers}");
    }
    let mut decoder = Decoder::default();
    decoder.push(&prelude(MAX_MESSAGE_BYTES as u32, 0), |_| Ok(())).unwrap();
    assert!(decoder.carry.capacity() < 1024, "memory is taken as bytes come, not as they are promised");
}

#[test]
fn headers_outside_of_the_grammar_are_refused() {
    for headers in
        [&b"\x05ab"[..], b"\x01a\x0a", b"\x01a\x07\x00\x05ab", b"\x01a", b"\x0d:message-type\x07\x00\x01\xff"]
    {
        let mut message =
            [(16 + headers.len() as u32).to_be_bytes(), (headers.len() as u32).to_be_bytes()].concat();
        message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
        message.extend_from_slice(headers);
        message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
        assert!(decode(&[&message]).is_err(), "{headers:?}");
    }
}
