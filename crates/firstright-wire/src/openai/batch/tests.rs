use super::*;

#[test]
fn a_batch_tells_what_it_ran_and_used() {
    let body = br#"{"id":"batch_1","object":"batch","status":"completed","model":"gpt-5-2025-08-07","errors":null,
        "input_file_id":"file-a","output_file_id":"file-b","metadata":{"status":"x"},"request_counts":{"total":3,"completed":2},
        "usage":{"input_tokens":300000000,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"total_tokens":300000005}}"#;
    let standing = Standing::read(body).unwrap();
    let usage = Usage { input: 299_999_996, cached_input: 4, output: 5, requests: 1, ..Usage::default() };
    let text = |text: &'static str| Some(Cow::Borrowed(text));
    assert_eq!(
        standing,
        Standing {
            id: text("batch_1"),
            status: text("completed"),
            model: text("gpt-5-2025-08-07"),
            usage: Reading::Sound(usage),
            completed: Some(2),
            trained: None,
            input_file: text("file-a"),
            output_file: text("file-b"),
        }
    );
    let job = br#"{"id":"ftjob-1","status":"succeeded","model":"gpt-4o","trained_tokens":5768,"output_file_id":null}"#;
    assert_eq!(Standing::read(job).unwrap().trained, Some(5_768));
    for wrong in ["-1", "1.5", "\"7\"", "null", "1e3", "99999999999999"] {
        let job = format!(r#"{{"trained_tokens":{wrong},"request_counts":{{"completed":{wrong}}}}}"#);
        assert_eq!(Standing::read(job.as_bytes()).unwrap(), Standing::default(), "{wrong}");
    }
    assert!(Standing::read(b"[]").is_err());
}

#[test]
fn an_output_adds_up() {
    let line = |status: u32, body: &str| {
        format!(
            r#"{{"id":"batch_req_1","custom_id":"a","response":{{"status_code":{status},"body":{body}}},"error":null}}"#
        )
    };
    let chat = r#"{"id":"chatcmpl-1","usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}}"#;
    let response = r#"{"id":"resp_1","usage":{"input_tokens":3,"output_tokens":2,"output_tokens_details":{"reasoning_tokens":1}}}"#;
    let mut sum = Sum::default();
    for line in
        [line(200, chat), String::new(), line(200, response), line(429, "{}"), r#"{"response":null}"#.into()]
    {
        sum.line(line.as_bytes());
    }
    let usage = Usage { input: 9, cached_input: 4, output: 6, reasoning: 1, requests: 2, ..Usage::default() };
    assert_eq!(sum, Sum { usage, is_short: false });
    for short in
        [line(200, "{}"), line(200, r#"{"usage":{"input_tokens":-1,"output_tokens":0}}"#), "{".into()]
    {
        let mut other = sum;
        other.line(short.as_bytes());
        assert_eq!(other, Sum { usage, is_short: true }, "{short}");
    }
}
