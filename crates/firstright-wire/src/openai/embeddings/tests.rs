use super::*;

fn refused(body: &str) -> (&'static str, Option<&'static str>) {
    let bad = read(body.as_bytes(), "input_type").unwrap_err();
    (bad.code, bad.param)
}

#[test]
fn texts_keep_their_order_and_their_escapes() {
    let body = br#"{"model":"m","input":["b","a\n","\u00e9"],"dimensions":8,"encoding_format":"base64","user":"u","input_type":"x"}"#;
    let request = read(body, "input_type").unwrap();
    assert_eq!(request.texts, ["b", "a\n", "\u{e9}"]);
    assert_eq!((request.dimensions, request.purpose.as_deref()), (Some(8), Some("x")));
    assert_eq!(request.form, Form { texts: 3, base64: true });
    let one = read(br#"{"input":"only","dimensions":null}"#, "input_type").unwrap();
    assert_eq!((one.texts.len(), one.dimensions, one.form.base64), (1, None, false));
}

#[test]
fn what_cannot_be_said_is_refused_by_its_name() {
    for (body, code, param) in [
        (r#"{"model":"m"}"#, "invalid_value", Some("input")),
        (r#"{"input":[]}"#, "invalid_value", Some("input")),
        (r#"{"input":""}"#, "invalid_value", Some("input")),
        (r#"{"input":["a",""]}"#, "invalid_value", Some("input")),
        (r#"{"input":[1,2,3]}"#, "unsupported_parameter", Some("input")),
        (r#"{"input":[[1,2],[3]]}"#, "unsupported_parameter", Some("input")),
        (r#"{"input":[{"text":"a"}]}"#, "invalid_type", Some("input")),
        (r#"{"input":7}"#, "invalid_type", Some("input")),
        (r#"{"input":"a","dimensions":0}"#, "invalid_value", Some("dimensions")),
        (r#"{"input":"a","dimensions":-1}"#, "invalid_type", Some("dimensions")),
        (r#"{"input":"a","encoding_format":"int8"}"#, "invalid_value", Some("encoding_format")),
        (r#"{"input":"a","task_type":"x"}"#, "unknown_parameter", None),
        ("[", "invalid_json", None),
    ] {
        assert_eq!(refused(body), (code, param), "{body}");
    }
    let many = format!(r#"{{"input":[{}"a"]}}"#, r#""a","#.repeat(MAX_TEXTS));
    assert_eq!(refused(&many), ("invalid_value", Some("input")));
}

fn given(values: &[&str], input: Reading, form: Form) -> Result<String, Malformed> {
    let values: Vec<&RawValue> = values.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    Vectors { values, input }.to_vec("m \"1\"", form).map(|body| String::from_utf8(body).unwrap())
}

#[test]
fn floats_keep_their_digits_and_base64_is_little_endian() {
    let (texts, used) = (2, input_only(7));
    let floats = given(&["[0.10,-2e-3]", "[1]"], used, Form { texts, base64: false }).unwrap();
    let expected = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-2e-3]},{"object":"embedding","index":1,"embedding":[1]}],"model":"m \"1\"","usage":{"prompt_tokens":7,"total_tokens":7}}"#;
    assert_eq!(floats, expected);
    // 1.0 is 0x3f800000, and -2.0 is 0xc0000000.
    let packed = given(&["[1,-2]"], Reading::Absent, Form { texts: 1, base64: true }).unwrap();
    assert!(packed.contains(r#""embedding":"AACAPwAAAMA="}"#), "{packed}");
    assert!(packed.ends_with(r#""usage":null}"#), "{packed}");
}

#[test]
fn an_answer_has_one_vector_of_numbers_for_each_text() {
    let form = Form { texts: 1, base64: false };
    for values in [&[][..], &["[1]", "[2]"], &["[]"], &["7"], &["[1,\"2\"]"], &["[null]"], &["[1e39]"]] {
        assert!(given(values, Reading::Absent, form).is_err(), "{values:?}");
    }
}
