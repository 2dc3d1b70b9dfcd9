use super::*;

/// What a good head leads to: status, framing, whether the connection is kept, headers that remain.
fn read(text: &str) -> (u16, String, bool, String) {
    let head = parse(text.as_bytes()).unwrap().unwrap();
    let framing = match head.framing {
        Framing::Fixed(length) => length.to_string(),
        Framing::Chunked(_) => "chunked".to_owned(),
        Framing::Close => "close".to_owned(),
    };
    let line = |(name, value): (&HeaderName, &HeaderValue)| format!("{name}={}", value.to_str().unwrap());
    let headers: Vec<_> = head.headers.iter().map(line).collect();
    (head.status.as_u16(), framing, head.keep, headers.join(" "))
}

#[test]
fn good_heads() {
    let table = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\nX-Empty:\r\n\r\nhello",
            (200, "5", true, "x-a=b x-empty="),
        ),
        ("HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n", (200, "chunked", true, "")),
        ("HTTP/1.1 500 Oh no\r\nConnection: close\r\n\r\n", (500, "close", false, "")),
        ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n", (200, "1", false, "")),
        ("HTTP/1.1 204 No Content\r\n\r\n", (204, "0", true, "")),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", (304, "0", true, "")),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 201 C\r\ncontent-length: 0\r\n\r\n",
            (201, "0", true, ""),
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: X-Own, keep-alive\r\nX-Own: 1\r\nKeep-Alive: timeout=5\r\nTrailer: x\r\nX: 1\r\nX: 2\r\n\r\n",
            (200, "close", true, "x=1 x=2"),
        ),
    ];
    for (text, (status, framing, keep, headers)) in table {
        assert_eq!(read(text), (status, framing.to_owned(), keep, headers.to_owned()), "{text:?}");
    }
}

#[test]
fn a_head_is_only_complete_at_its_end() {
    let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    for length in 0..text.len() {
        assert!(parse(&text[..length]).unwrap().is_none(), "{length}");
    }
    assert_eq!(parse(text).unwrap().unwrap().used, text.len());
}

#[test]
fn hostile_heads() {
    use BadResponse::{Coding, Grammar, Interim, Length, LengthAndCoding, Status, TooLong};
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
    let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(33_000));
    let long_open = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(33_000));
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(9);
    let table: &[(&str, BadResponse)] = &[
        ("SSH-2.0-OpenSSH\r\n\r\n", Grammar),
        ("HTTP/2 200 OK\r\n\r\n", Grammar),
        ("HTTP/1.1 20 OK\r\n\r\n", Grammar),
        ("HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n", Grammar),
        ("HTTP/1.1 200 OK\r\na : b\r\n\r\n", Grammar),
        ("HTTP/1.1 200 OK\r\nnocolon\r\n\r\n", Grammar),
        ("HTTP/1.1 200 OK\r\na: b\0c\r\n\r\n", Grammar),
        ("HTTP/1.1 200 OK\r\na: b\rc\r\n\r\n", Grammar),
        ("HTTP/1.1 101 Switching\r\n\r\n", Status),
        ("HTTP/1.1 600 What\r\n\r\n", Status),
        ("HTTP/1.1 099 What\r\n\r\n", Status),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", Length),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", Length),
        ("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", Length),
        ("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", Length),
        ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", Length),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", Length),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", Coding),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n", Coding),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", Coding),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Coding),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", LengthAndCoding),
        ("HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", LengthAndCoding),
        (&many, TooLong),
        (&long, TooLong),
        (&long_open, TooLong),
        (&interim, Interim),
    ];
    for (text, bad) in table {
        assert_eq!(parse(text.as_bytes()).err(), Some(*bad), "{:?}", &text[..text.len().min(80)]);
    }
}
