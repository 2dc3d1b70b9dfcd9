use super::*;

fn follow(bytes: &[u8], step: usize) -> Result<Scan, Objection> {
    let mut scan = Scan::default();
    for piece in bytes.chunks(step) {
        scan.follow(piece)?;
    }
    Ok(scan)
}

#[test]
fn finds_each_request_at_every_split() {
    let wire = b"\r\nPOST /a HTTP/1.1\r\nHost: x:80\r\nContent-Length: 5\r\n\r\nab\ncdGET /b HTTP/1.1\r\nhost: [::1]:80\r\n\r\n\
        POST /c HTTP/1.1\r\nHOST: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\nb\r\n0\r\n\r\nGET /d HTTP/1.1\r\n";
    for step in 1..=wire.len() {
        let scan = follow(wire, step).unwrap();
        assert_eq!(scan.heads(), 3, "step {step}");
        assert!(scan.is_mid_head());
    }
}

#[test]
fn an_objection_names_the_request_it_is_to() {
    let mut scan = Scan::default();
    let wire = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\n\r\n";
    assert_eq!(scan.follow(wire), Err(Objection::HostCount));
    assert_eq!(scan.heads(), 1);
    let mut scan = Scan::default();
    let wire = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello";
    assert_eq!(scan.follow(wire), Err(Objection::Chunks));
    assert_eq!(scan.heads(), 0);
}

#[test]
fn host_grammar() {
    for host in ["x", "x:1", "a-b.c_d~:65535", "127.0.0.1:80", "[::1]", "[2001:db8::1]:443"] {
        assert!(is_host(host.as_bytes()), "{host}");
    }
    for host in [
        "",
        ":80",
        "x:",
        "x:123456",
        "x:8a",
        "a/admin?x=#y",
        "u@x",
        "a b",
        "a,b",
        "[::1",
        "[]",
        "[x]",
        "[::1]x",
        "x:1:2",
        "a\\b",
        "ä",
        "x%41",
        "::1",
    ] {
        assert!(!is_host(host.as_bytes()), "{host}");
    }
}

#[test]
fn a_head_is_bounded_however_it_comes() {
    let one_line = [b"GET / HTTP/1.1\r\nHost: x\r\na: ".to_vec(), vec![b'a'; 40_000]].concat();
    let many_lines = [b"GET / HTTP/1.1\r\nHost: x\r\n".to_vec(), b"a: b\r\n".repeat(7000)].concat();
    for wire in [one_line, many_lines] {
        for step in [1, 1000, wire.len()] {
            assert_eq!(follow(&wire, step).err(), Some(Objection::HeadTooLong));
        }
    }
}
