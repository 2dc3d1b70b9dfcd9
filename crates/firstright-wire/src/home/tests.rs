use super::*;

const HERE: Tag = [1, 2, 3, 4];

fn homes() -> Homes {
    Homes::new(&[7; 32])
}

fn signed(text: &str) -> String {
    let out = homes().signer("t", HERE).push(text.as_bytes());
    out.map_or(text.to_string(), |out| String::from_utf8(out).unwrap())
}

const ANSWER: &str = r#"{"id":"resp_68a1","object":"response","previous_response_id": "resp_0","model":"resp_x",
  "output":[{"id":"rs_1","type":"reasoning","encrypted_content":"gAAAA\/b+=","summary":[]},{"id":"msg_1","run_id":"run_9",
  "content":[{"text":"say \"id\":\"resp_2\" twice","file_ids":["file-a","file-b"],"n":[1,"file-c"]}]}],
  "metadata":{"user_id":"u1","run_id":null},"fine_tuned_model":"ft:gpt-4o:acme::x"}"#;

#[test]
fn ids_are_signed_and_nothing_else() {
    let text = signed(ANSWER);
    let mut plain = String::new();
    let mut tokens = 0;
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("_fr") {
        plain += before;
        assert_eq!(&after[TOKEN..=TOKEN], "\"");
        rest = &after[TOKEN..];
        tokens += 1;
    }
    plain += rest;
    assert_eq!(plain, ANSWER);
    // resp_68a1, resp_0, rs_1, encrypted_content, run_9, file-a, file-b, ft:…
    assert_eq!(tokens, 8, "{text}");
}

/// What a caller wrote, or had written by an MCP server of its own, is never signed by being told again.
#[test]
fn what_others_wrote_is_not_signed() {
    let foreign = r#"{"type":"object","const_id":"resp_b","a":[{"file_ids":["file-b"]}],"id":"file-b"}"#;
    for text in [
        format!(r#"{{"datasource_item":{foreign},"eval_id":"eval_1"}}"#),
        format!(r#"{{"tools":[{{"input_schema":{foreign},"annotations":{foreign}}}],"id":"resp_1"}}"#),
        format!(r#"{{"datasource_item":[{foreign},"file-b"],"annotations":[{{"file_id":"file-a"}}]}}"#),
    ] {
        let text = signed(&text);
        assert_eq!(text.matches("_fr").count(), 1, "{text}");
        assert!(!text.contains("_b_fr") && !text.contains("-b_fr"), "{text}");
    }
}

#[test]
fn what_was_signed_is_read_again() {
    let text = signed(ANSWER);
    let read = homes().unsign("t", text.as_bytes());
    assert_eq!(read.text.as_deref(), Some(ANSWER.as_bytes()));
    assert_eq!(read.homes, [HERE]);
}

#[test]
fn pieces_do_not_matter() {
    let whole = signed(ANSWER);
    for size in 1..9 {
        let homes = homes();
        let mut signer = homes.signer("t", HERE);
        let mut out = Vec::new();
        for piece in ANSWER.as_bytes().chunks(size) {
            out.extend(signer.push(piece).unwrap_or(piece.to_vec()));
        }
        assert_eq!(String::from_utf8(out).unwrap(), whole, "pieces of {size}");
    }
}

#[test]
fn events_of_a_stream_are_signed_one_by_one() {
    let event =
        "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\n\n";
    let stream = format!("{event}: a \"comment\n\n{event}data: [DONE]\n\n");
    let text = signed(&stream);
    assert_eq!(text.matches("_fr").count(), 2, "{text}");
}

#[test]
fn ids_are_read_wherever_they_stand() {
    let id = |id: &str| signed(&format!("{{\"id\":\"{id}\"}}")).split('"').nth(3).unwrap().to_string();
    let (file, batch) = (id("file-a"), id("batch_b"));
    for (text, plain) in [
        (format!("files/{file}/content"), "files/file-a/content"),
        (file.clone(), "file-a"),
        (format!("after={file}&limit=2"), "after=file-a&limit=2"),
        (format!("{{\"a\":[\"{file}\",\"{batch}\"]}}"), "{\"a\":[\"file-a\",\"batch_b\"]}"),
        (
            format!("--b\r\nx: name=\"file_id\"\r\n\r\n{file}\r\n--b--"),
            "--b\r\nx: name=\"file_id\"\r\n\r\nfile-a\r\n--b--",
        ),
    ] {
        let read = homes().unsign("t", text.as_bytes());
        assert_eq!(String::from_utf8(read.text.unwrap()).unwrap(), plain, "{text}");
        assert_eq!(read.homes, [HERE]);
    }
}

/// Of another tenant, of another secret, of another id, or with any character changed: no signature.
#[test]
fn nobody_makes_or_moves_a_signature() {
    let text = signed(r#"{"id":"file-a"}"#);
    assert_eq!(homes().unsign("u", text.as_bytes()), Unsigned::default());
    assert_eq!(Homes::new(&[8; 32]).unsign("t", text.as_bytes()), Unsigned::default());
    let moved = text.replace("file-a", "file-b");
    assert_eq!(homes().unsign("t", moved.as_bytes()), Unsigned::default());
    for at in text.find("_fr").unwrap()..text.len() - 2 {
        for change in [1, 2, 4, 0x20] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= change;
            assert!(homes().unsign("t", &bytes).homes.is_empty(), "{at}");
        }
    }
    let other = Homes::new(&[7; 32]).signer("t", [9; 4]).push(br#"{"id":"file-a"}"#).unwrap();
    assert_ne!(String::from_utf8(other).unwrap(), text);
}

/// Where tenants share an account, every id must be signed, however it is written.
#[test]
fn an_id_that_is_not_signed_is_a_stranger() {
    let own = signed(r#"{"id":"file-a"}"#).split('"').nth(3).unwrap().to_string();
    for (text, stranger) in [
        (format!(r#"{{"file_id":"{own}"}}"#), false),
        (format!(r#"{{"file_id":"{own}","vector_store_ids":["vs_b"]}}"#), true),
        (format!(r#"{{"a":"{own}","input_file_id":"file-b"}}"#), true),
        (r#"{"training_file":"file-b"}"#.to_string(), true),
        (r#"{"file\u005fid":"file-b"}"#.to_string(), true),
        (r#"{"Input_File_Id":"file-b"}"#.to_string(), true),
        (r#"{"file_id":"\u0066ile-b"}"#.to_string(), true),
        (r#"{"vector_store_\u0069\u0064\u0073":["vs_b"]}"#.to_string(), true),
        (r#"{"conversation":{"id":"conv_b"}}"#.to_string(), true),
        (r#"{"id":"call_1","call_id":"call_1","text":"file-b"}"#.to_string(), false),
        (r#"{"custom_id":"run_1","model":"file-b"}"#.to_string(), false),
        (r#"{"model":"ft:gpt-4o:acme::x"}"#.to_string(), true),
        (r#"{"model":"ft\u003agpt-4o:acme::x"}"#.to_string(), true),
        // One's own id does not vouch for what stands before it in the same string, nor an object for what stands behind.
        (format!(r#"{{"file_id":"file-b?a={own}"}}"#), true),
        (format!(r#"{{"file_id":"file-b/{own}"}}"#), true),
        (r#"{"file_ids":[{"a":1},"file-b"]}"#.to_string(), true),
    ] {
        let unsigned = homes().unsign("t", text.as_bytes());
        assert_eq!(homes().stranger(text.as_bytes(), &unsigned).is_some(), stranger, "{text}");
    }
}

#[test]
fn a_query_names_no_strangers() {
    let own = signed(r#"{"id":"rtc_a"}"#).split('"').nth(3).unwrap().to_string();
    let model = signed(r#"{"id":"ft:gpt-4o:acme::x"}"#).split('"').nth(3).unwrap().to_string();
    for (query, stranger) in [
        (format!("model={model}&call_id={own}"), None),
        (format!("call_id={own}&limit=2"), None),
        ("call_id=rtc_b".to_string(), Some("call_id")),
        (format!("call_id={own}&call_id=rtc_b"), Some("call_id")),
        (format!("call_id=rtc_b/{own}"), Some("call_id")),
        (format!("model=ft:gpt-4o:theirs::x&call_id={own}"), Some("model")),
        ("call_id=%72tc_b".to_string(), Some("call_id")),
        ("file_ids%5B%5D=file-b".to_string(), Some("file_ids%5B%5D")),
        ("after=file-b&model=gpt-4o&order".to_string(), None),
    ] {
        let unsigned = homes().unsign("t", query.as_bytes());
        assert_eq!(homes().stranger_in_query(&query, &unsigned).as_deref(), stranger, "{query}");
    }
}

#[test]
fn a_field_of_a_form_is_read_by_its_name() {
    let own = signed(r#"{"id":"file-a"}"#).split('"').nth(3).unwrap().to_string();
    let model = signed(r#"{"id":"ft:gpt-4o:acme::x"}"#).split('"').nth(3).unwrap().to_string();
    for (name, text, stranger) in [
        ("file_id", own.as_str(), None),
        ("file_id", "file-b", Some("file_id")),
        ("file_ids[]", "file-b", Some("file_ids[]")),
        ("file_id", &format!("file-b/{own}"), Some("file_id")),
        ("file_id", &format!("file-b\r\n{own}"), Some("file_id")),
        ("video[id]", "video_b", Some("video[id]")),
        ("video.id", "\r\n video_b", Some("video.id")),
        ("prompt", "file-b", None),
        ("input_reference", r#"{"file_id":"file-b"}"#, Some("file_id")),
        ("file_ids", r#" ["file-b"]"#, Some("file_ids")),
        ("model", "whisper-1", None),
        ("model", model.as_str(), None),
        ("model", "ft:gpt-4o:acme::x", Some("model")),
    ] {
        let unsigned = homes().unsign("t", text.as_bytes());
        let found = homes().stranger_in_field(name, text.as_bytes(), &unsigned);
        assert_eq!(found.as_deref(), stranger, "{name}={text}");
    }
}

/// A mark for each 26 bytes of two million, none of them real: with work for each in proportion to the whole, this would
/// take hours.
#[test]
fn false_signatures_cost_no_more_than_the_text_is_long() {
    let text = format!("{{\"x\":\"{}\"}}", format!("_fr{}&", "A".repeat(TOKEN)).repeat(80_000));
    assert_eq!(homes().unsign("t", text.as_bytes()), Unsigned::default());
}
