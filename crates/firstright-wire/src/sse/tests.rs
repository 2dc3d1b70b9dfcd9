use super::*;

/// The events of `stream` when it is cut into chunks of `size` bytes.
fn events(stream: &[u8], size: usize) -> Vec<Vec<u8>> {
    let mut framer = Framer::default();
    let (mut events, mut event) = (Vec::new(), Vec::new());
    for chunk in stream.chunks(size) {
        let mut from = 0;
        while let Some(end) = framer.next_end(chunk, from) {
            event.extend_from_slice(&chunk[from..end]);
            events.push(std::mem::take(&mut event));
            from = end;
        }
        event.extend_from_slice(&chunk[from..]);
    }
    events.push(event);
    events
}

#[test]
fn each_line_end_and_each_cut_gives_the_same_events() {
    let lines = [
        "\u{feff}event: a",
        "data: {\"x\":\"é😀\"}",
        "",
        ": comment",
        "",
        "data: 1",
        "data:2",
        "",
        "",
        "data",
        "id: 7",
    ];
    for newline in ["\n", "\r\n", "\r"] {
        let stream = lines.join(newline);
        let whole = events(stream.as_bytes(), stream.len());
        assert_eq!(whole.concat(), stream.as_bytes());
        for size in 1..stream.len() {
            assert_eq!(events(stream.as_bytes(), size), whole, "{newline:?} {size}");
        }
        let read: Vec<_> = whole.iter().map(|event| fields(event)).collect();
        let data = |text: &'static str| Some(Cow::Borrowed(text.as_bytes()));
        assert_eq!(read[0], Fields { event: Some(b"a"), data: data("{\"x\":\"é😀\"}") });
        assert_eq!(read[1], Fields::default());
        assert_eq!(read[2], Fields { event: None, data: data("1\n2") });
        assert_eq!(read[3], Fields::default());
        assert_eq!(read[4], Fields { event: None, data: data("") });
        assert_eq!(read.len(), 5);
    }
}

#[test]
fn mixed_line_ends() {
    let whole = events(b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\ndata: d\n\n", 1000);
    let read: Vec<_> = whole.iter().filter_map(|event| fields(event).data).collect();
    assert_eq!(read, [&b"a"[..], b"b", b"c", b"d"]);
}

#[test]
fn names_that_only_begin_alike_are_other_fields() {
    assert_eq!(fields(b"database: x\nevents: y\n data: z\n\n"), Fields::default());
    assert_eq!(fields(b"data:  two spaces\n\n").data.as_deref(), Some(&b" two spaces"[..]));
}

#[test]
fn whole_events_come_out_of_any_cut() {
    let stream = b"data: a\r\n\r\n: c\n\ndata: b\r\rdata: \xf0\x9f\x98\x80\n\ndata: rest\n";
    let collect = |chunks: &mut dyn Iterator<Item = &[u8]>| {
        let (mut events, mut seen) = (Events::default(), Vec::new());
        for chunk in chunks {
            events
                .push(chunk, |event| {
                    seen.push(fields(event).data.map(std::borrow::Cow::into_owned));
                    Ok(())
                })
                .unwrap();
        }
        (seen, events.take_rest())
    };
    let whole = collect(&mut std::iter::once(&stream[..]));
    assert_eq!(whole.0.len(), 4);
    assert_eq!(whole.1, b"data: rest\n");
    for size in 1..stream.len() {
        assert_eq!(collect(&mut stream.chunks(size)), whole, "in chunks of {size}");
    }
    let mut events = Events::default();
    let half = vec![b'x'; MAX_WHOLE_EVENT_BYTES / 2 + 1];
    events.push(&half, |_| Ok(())).unwrap();
    assert!(events.push(&half, |_| Ok(())).is_err());
}
