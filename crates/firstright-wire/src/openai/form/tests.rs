use super::*;

const BODY: &str = "--b1\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n\
    --b1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;b.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n\x01\r\n--b2\r\n\
    \r\n--b1\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--b1--\r\n";

#[test]
fn parts_are_told_apart() {
    let form = peek("b1", BODY.as_bytes()).unwrap();
    assert_eq!((form.model, form.stream, form.choices), (Some("whisper-1"), false, 1));
    assert_eq!((form.files, form.file_bytes, form.text_bytes), (1, 9, 9));
}

#[test]
fn the_model_is_replaced_and_nothing_else() {
    let form = peek("b1", BODY.as_bytes()).unwrap();
    let other = rewrite(BODY.as_bytes(), &form, "my-whisper");
    assert_eq!(String::from_utf8(other).unwrap(), BODY.replacen("whisper-1", "my-whisper", 1));
}

#[test]
fn a_model_that_is_not_named_becomes_the_first_part() {
    let body = BODY.replacen("name=\"model\"", "name=\"prompt\"", 1);
    let form = peek("b1", body.as_bytes()).unwrap();
    let other = rewrite(body.as_bytes(), &form, "m");
    let again = peek("b1", &other).unwrap();
    assert_eq!((again.model, again.files), (Some("m"), 1));
    assert!(other.ends_with(body.as_bytes()));
}

#[test]
fn boundaries_are_read_as_clients_write_them() {
    for (content_type, wanted) in [
        ("multipart/form-data; boundary=b1", Some("b1")),
        ("Multipart/Form-Data; charset=utf-8; Boundary=\"b 1\"", Some("b 1")),
        ("multipart/form-data", None),
        ("multipart/mixed; boundary=b1", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data; boundary=\"a\r\nb\"", None),
        ("multipart/form-data; boundary=b1; boundary=b2", None),
        ("multipart/form-data; boundary=b1; BOUNDARY*0=b2", None),
        ("multipart/form-data; boundary =b1; boundary=b2", None),
    ] {
        assert_eq!(boundary(content_type), wanted, "{content_type}");
    }
}

#[test]
fn what_is_no_form_is_refused() {
    for body in [
        "",
        "--b1",
        "--b1--",
        "--b1\r\n",
        "--b1\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b1--",
        "--b1\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nx",
        "--b1\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n0\r\n--b1--",
        "--b1\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\na\r\n--b1\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nb\r\n--b1--",
    ] {
        let read = peek("b1", body.as_bytes());
        assert_eq!(read.is_err(), body != "--b1--", "{body:?}: {read:?}");
    }
    let steered = "--b1\r\nContent-Disposition: form-data; name=\"API_BASE\"\r\n\r\nx\r\n--b1--";
    assert_eq!(peek("b1", steered.as_bytes()).unwrap().steers_upstream, Some("API_BASE"));
}

/// Heads in which another reader may find another field, so that a batch's purpose or a model could pass as something else.
#[test]
fn what_two_may_read_differently_is_refused() {
    let form = |head: &str, rest: &str| format!("--b\r\n{head}\r\n\r\nbatch\r\n--b--{rest}");
    let plain = "Content-Disposition: form-data; name=\"purpose\"";
    for (head, rest) in [
        (plain, ""),
        (plain, "\r\n"),
        ("content-disposition: Form-Data; filename*=UTF-8''x; name=purpose ; filename=\"c:\\d\\e;f\"", ""),
    ] {
        let body = form(head, rest);
        let parts = parts("b", body.as_bytes()).unwrap();
        assert_eq!((parts.len(), parts[0].name), (1, "purpose"), "{body}");
    }
    for head in [
        r#"Content-Disposition: form-data; name="note"; NAME="purpose""#,
        r#"Content-Disposition: form-data; name="note"; name="purpose""#,
        r#"Content-Disposition: form-data; name="note"; name*=UTF-8''purpose"#,
        r#"Content-Disposition: form-data; name="purpose"; x="a\"; name=note; z=\"b""#,
        r#"Content-Disposition: form-data; name="purpose"; filename="a\"; name=note; filename*=\"b""#,
        r#"Content-Disposition: attachment; name="purpose""#,
        "Content-Disposition : form-data; name=purpose\r\nContent-Disposition: form-data; name=note",
        "Content-Disposition: form-data; name=purpose\r\nContent-Disposition: form-data; name=note",
        "X: y\nContent-Disposition: form-data; name=purpose\r\nContent-Disposition: form-data; name=note",
        "X: y\r\n Content-Disposition: z\r\nContent-Disposition: form-data; name=note",
        "Content-Disposition: form-data; name=\"pur\0pose\"",
    ] {
        assert!(parts("b", form(head, "").as_bytes()).is_err(), "{head}");
    }
    let more = "\r\n--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n9\r\n--b--";
    assert!(parts("b", form(plain, more).as_bytes()).is_err());
}

/// Cut anywhere, or with any byte changed, a form is read or refused, never a panic.
#[test]
fn hostile_forms() {
    for at in 0..BODY.len() {
        let _ = peek("b1", &BODY.as_bytes()[..at]);
        let mut body = BODY.as_bytes().to_vec();
        body[at] ^= 0x20;
        let _ = peek("b1", &body);
    }
}

/// What another may read differently is refused; a session's model is the form's.
#[test]
fn what_is_acted_on_comes_once() {
    let form = |parts: &[(&str, &str)]| {
        let parts = parts.iter().map(|(name, value)| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        });
        parts.collect::<String>() + "--b--"
    };
    let session = r#"{"type":"realtime","model":"gpt-realtime"}"#;
    for twice in [
        [("n", "10"), ("n", "1")],
        [("stream", "true"), ("stream", "false")],
        [("session", session), ("session", "{}")],
        [("model", "a"), ("session", session)],
        [("session", session), ("model", "a")],
        [("session", r#"{"model":"gpt\u002drealtime"}"#), ("sdp", "v=0")],
    ] {
        assert!(peek("b", form(&twice).as_bytes()).is_err(), "{twice:?}");
    }
    let body = form(&[("sdp", "v=0"), ("session", session)]);
    let read = peek("b", body.as_bytes()).unwrap();
    assert_eq!(read.model, Some("gpt-realtime"));
    let other = rewrite(body.as_bytes(), &read, "mine");
    assert_eq!(String::from_utf8(other).unwrap(), body.replace("gpt-realtime", "mine"));
}
