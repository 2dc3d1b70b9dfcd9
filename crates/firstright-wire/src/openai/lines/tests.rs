use super::*;

fn read(line: &str) -> Result<(Operation, Option<&str>), BadRequest> {
    let found = Line::read(line.as_bytes())?;
    Ok((found.operation, found.model_at().map(|at| &line[at])))
}

#[test]
fn a_line_is_a_request() {
    for (line, wanted) in [
        (
            r#"{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o","messages":[]}}"#,
            (Operation::ChatCompletions, Some("gpt-4o")),
        ),
        (
            " {\"url\": \"/responses\", \"body\" : {\"input\":\"x\" , \"model\": \"m\"}, \"method\":\"POST\"}\r\n",
            (Operation::Responses, Some("m")),
        ),
        (
            r#"{"method":"POST","url":"\/v1\/moderations","body":{"input":"x"}}"#,
            (Operation::Moderations, None),
        ),
    ] {
        assert_eq!(read(line).unwrap(), wanted, "{line}");
    }
}

#[test]
fn what_is_no_request_is_refused() {
    let line = |url: &str, body: &str| format!(r#"{{"method":"POST","url":"{url}","body":{body}}}"#);
    for (line, code) in [
        (line("/v1/files", "{}"), "invalid_value"),
        (line("/v1/organization/users", "{}"), "invalid_value"),
        (line("/v1/../embeddings", "{}"), "invalid_value"),
        (line("/openai/deployments/d/embeddings", "{}"), "invalid_value"),
        (line("https://other.example/v1/embeddings", "{}"), "invalid_value"),
        (line("/v1/embeddings", "[]"), "invalid_json"),
        (line("/v1/embeddings", r#"{"model":"a","model":"b"}"#), "duplicate_key"),
        (line("/v1/embeddings", r#"{"Model":"a"}"#), "ambiguous_key"),
        (line("/v1/embeddings", "{}") + "{}", "invalid_json"),
        (r#"{"method":"POST","url":"/v1/embeddings","body":{},"body":{}}"#.into(), "duplicate_key"),
        (r#"{"method":"POST","url":"/v1/embeddings","b\u006fdy":{},"body":{}}"#.into(), "duplicate_key"),
        (r#"{"method":"POST","url":"/v1/embeddings","Body":{}}"#.into(), "ambiguous_key"),
        (r#"{"method":"GET","url":"/v1/embeddings","body":{}}"#.into(), "invalid_value"),
        (r#"{"method":"POST","url":1,"body":{}}"#.into(), "invalid_type"),
        (r#"{"method":"POST","url":"/v1/embeddings"}"#.into(), "invalid_type"),
        ("\u{feff}{}".into(), "invalid_json"),
        (
            format!("{{\"x\":\r{}\r,{}", line("/v1/responses", "{}"), &line("/v1/embeddings", "{}")[1..]),
            "invalid_json",
        ),
        ("".into(), "invalid_json"),
    ] {
        assert_eq!(read(&line).unwrap_err().code, code, "{line}");
    }
    assert_eq!(Line::read(b"{\"a\":\"\xff\"}").unwrap_err().code, "invalid_utf8");
}

fn split(file: &str, size: usize, most: usize) -> Result<Vec<(u64, String)>, BadRequest> {
    let mut lines = Vec::new();
    let mut each = |number, line: &[u8]| {
        lines.push((number, String::from_utf8_lossy(line).into_owned()));
        Ok::<_, BadRequest>(())
    };
    let mut splitter = Splitter::new(most);
    for piece in file.as_bytes().chunks(size) {
        splitter.push(piece, &mut each)?;
    }
    splitter.finish(&mut each)?;
    Ok(lines)
}

#[test]
fn a_file_is_taken_apart_however_it_comes() {
    let file = "one\n\ntwo\r\nthree";
    let wanted = [(1, "one\n"), (2, "\n"), (3, "two\r\n"), (4, "three")];
    let wanted: Vec<_> = wanted.iter().map(|(number, line)| (*number, (*line).to_string())).collect();
    for size in 1..=file.len() {
        assert_eq!(split(file, size, 5).unwrap(), wanted, "pieces of {size}");
        assert_eq!(split(file, size, 4).unwrap_err().code, "invalid_value", "pieces of {size}");
    }
    assert_eq!(split("", 1, 5).unwrap(), []);
}

#[test]
fn there_are_no_more_lines_than_a_provider_takes() {
    let most = usize::try_from(MAX_LINES).unwrap();
    assert_eq!(split(&"\n".repeat(most), 1 << 20, 5).unwrap().len(), most);
    assert!(split(&"\n".repeat(most + 1), 1 << 20, 5).is_err());
}
