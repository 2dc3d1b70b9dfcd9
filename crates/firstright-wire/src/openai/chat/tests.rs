use serde_json::Value;

use super::*;
use crate::openai::response;
use crate::openai::stream::{StreamEnd, StreamMeter};
use crate::operation::Operation;
use crate::usage::{Reading, Usage};

const WHOLE: &str = r#"{
  "model": "m", "stream": true, "stream_options": {"include_usage": true}, "n": 2, "seed": 7, "stop": ["a\n", "b"],
  "max_tokens": 5, "max_completion_tokens": 9, "temperature": 0.5, "top_p": 1, "user": "u", "store": true,
  "metadata": {"k": "v"}, "reasoning_effort": "low", "parallel_tool_calls": false, "service_tier": "flex",
  "logprobs": false, "modalities": [ "text" ], "top_k": 40, "frequency_penalty": null,
  "tools": [{"type": "function", "function": {"name": "f", "parameters": {"z": 1.50, "a": 2}, "strict": true}}],
  "tool_choice": {"type": "function", "function": {"name": "f"}},
  "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}},
  "messages": [
    {"role": "developer", "content": "be \u00fc"},
    {"role": "user", "name": "ann", "content": [
      {"type": "text", "text": "see", "cache_control": {"type": "ephemeral"}},
      {"type": "image_url", "image_url": {"url": "data:image/png;charset=x;base64,QUJD", "detail": "low"}},
      {"type": "image_url", "image_url": "https://x/y.png"},
      {"type": "input_audio", "input_audio": {"format": "wav", "data": "QQ=="}},
      {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ=="}},
      {"type": "file", "file": {"file_id": "file-1"}}
    ]},
    {"role": "assistant", "content": null, "refusal": "no", "reasoning_content": "hm", "thinking_blocks": [{"a": 1}],
     "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "ok"}]}
  ]}"#;

#[test]
fn a_request_is_read_whole() {
    let request = read(WHOLE.as_bytes()).unwrap();
    assert_eq!((request.max_tokens, request.choices, request.seed), (Some(9), 2, Some(7)));
    assert_eq!(request.stop, ["a\n", "b"]);
    assert_eq!((request.effort, request.parallel_tool_calls), (Some(Effort::Low), Some(false)));
    assert!(request.stream && request.include_usage && request.tools[0].strict);
    assert_eq!(request.tools[0].parameters.unwrap().get(), r#"{"z": 1.50, "a": 2}"#);
    assert_eq!(request.tool_choice, Some(ToolChoice::Function("f".into())));
    assert!(matches!(&request.format, Format::JsonSchema(schema) if schema.name == "s"));
    assert!(request.frequency_penalty.is_none() && request.metadata.is_some());
    let refused = request.refuse_unknown(&[]).unwrap_err();
    assert_eq!((refused.code, refused.param), ("unknown_parameter", None));
    assert!(refused.message.contains("`top_k`"));
    request.refuse_unknown(&["top_k"]).unwrap();
    let [Message::System(system), Message::User(user), Message::Assistant(said), Message::Tool { id, parts }] =
        request.messages.as_slice()
    else {
        panic!("{:?}", request.messages)
    };
    assert!(matches!(&system[0], Part::Text { text, .. } if text == "be ü"));
    assert!(matches!(&user[0], Part::Text { cache_control: Some(_), .. }));
    let sources: Vec<&Source<'_>> = user.iter().filter_map(source_of).collect();
    assert_eq!(
        sources,
        [
            &Source::Data { media_type: "image/png".into(), data: "QUJD".into() },
            &Source::Url("https://x/y.png".into()),
            &Source::Data { media_type: "application/pdf".into(), data: "QQ==".into() },
            &Source::Id("file-1".into()),
        ]
    );
    assert!(matches!(&user[3], Part::Audio(audio) if audio.format == "wav" && audio.data == "QQ=="));
    assert_eq!((said.parts.len(), said.calls[0].arguments.as_ref()), (1, r#"{"x":1}"#));
    assert_eq!((said.reasoning.as_deref(), said.thinking.unwrap().get()), (Some("hm"), r#"[{"a": 1}]"#));
    assert_eq!((id.as_ref(), parts.len()), ("c1", 1));
}

fn source_of<'a>(part: &'a Part<'a>) -> Option<&'a Source<'a>> {
    match part {
        Part::Image(image) => Some(&image.source),
        Part::File(file) => Some(&file.source),
        Part::Text { .. } | Part::Audio(_) => None,
    }
}

#[test]
fn what_cant_be_read_names_its_parameter_and_tells_no_prompt() {
    let user = r#""messages":[{"role":"user","content":"x"}]"#;
    for (member, code, param) in [
        (r#""logprobs":true"#, "unsupported_parameter", "logprobs"),
        (r#""logit_bias":{"1":2}"#, "unsupported_parameter", "logit_bias"),
        (r#""modalities":["text","audio"]"#, "unsupported_parameter", "modalities"),
        (r#""functions":[{}]"#, "unsupported_parameter", "functions"),
        (r#""tools":[{"type":"custom","custom":{}}]"#, "unsupported_parameter", "tools"),
        (r#""tool_choice":{"type":"allowed_tools"}"#, "unsupported_parameter", "tool_choice"),
        (r#""tool_choice":"some""#, "invalid_value", "tool_choice"),
        (r#""response_format":{"type":"xml"}"#, "invalid_value", "response_format"),
        (r#""reasoning_effort":"huge""#, "invalid_value", "reasoning_effort"),
        (r#""temperature":"my secret""#, "invalid_type", "temperature"),
        (r#""max_tokens":-1"#, "invalid_type", "max_tokens"),
        (r#""stop":["a",{"secret":1}]"#, "invalid_type", "stop"),
        (r#""n":0"#, "invalid_value", "n"),
    ] {
        let error = read(format!("{{{user},{member}}}").as_bytes()).unwrap_err();
        assert_eq!((error.code, error.param), (code, Some(param)), "{member}: {error}");
        assert!(!error.message.contains("secret"), "{error}");
    }
    for messages in [
        r#"[]"#,
        r#"{}"#,
        r#"[{"role":"robot","content":""}]"#,
        r#"[{"role":"tool","content":"x"}]"#,
        r#"[{"role":"system","content":[{"type":"image_url","image_url":{"url":"u"}}]}]"#,
        r#"[{"role":"user","content":[{"type":"image_url"}]}]"#,
        r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png"}}]}]"#,
        r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,x"}}]}]"#,
        r#"[{"role":"user","content":[{"type":"video"}]}]"#,
        r#"[{"role":"user","content":[{"type":"file","file":{}}]}]"#,
        r#"[{"role":"assistant","function_call":{}}]"#,
        r#"[{"role":"assistant","tool_calls":[{"id":"a","type":"custom"}]}]"#,
    ] {
        let error = read(format!("{{\"messages\":{messages}}}").as_bytes()).unwrap_err();
        assert_eq!(error.param, Some("messages"), "{messages}: {error}");
    }
    assert_eq!(read(b"{\"messages\"").unwrap_err().code, "invalid_json");
    assert_eq!(read(b"[]").unwrap_err().code, "invalid_json");
}

#[test]
fn what_is_written_is_metered_as_it_was_meant() {
    let usage = Reading::Sound(Usage {
        input: 1,
        cached_input: 20,
        cache_write: 300,
        cache_write_hour: 33,
        output: 4000,
        reasoning: 50_000,
        audio_in: 600_000,
        audio_out: 7_000_000,
        images: 0,
        audio_seconds: 0,
        requests: 1,
    });
    let completion = Completion {
        id: "id\"1".into(),
        model: "m".into(),
        choices: vec![Choice {
            content: None,
            refusal: Some("no".into()),
            reasoning: Some("hm\n".into()),
            thinking: Some(r#"[{"type":"thinking"}]"#.into()),
            calls: vec![
                ToolCall { id: "a".into(), name: "f".into(), arguments: "{}".into(), extra: None },
                ToolCall {
                    id: "b".into(),
                    name: "g".into(),
                    arguments: "\"".into(),
                    extra: Some("{\"x\":1}".into()),
                },
            ],
            finish: Finish::ToolCalls,
        }],
        usage,
        service_tier: Some("default"),
        created: 5,
    };
    let body = completion.to_vec();
    let value: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(value["choices"][0]["message"]["tool_calls"][1]["function"]["arguments"], "\"");
    assert_eq!(value["choices"][0]["message"]["tool_calls"][1]["extra_content"]["x"], 1);
    assert_eq!(value["choices"][0]["message"]["content"], Value::Null);
    assert_eq!(value["choices"][0]["message"]["thinking_blocks"][0]["type"], "thinking");
    assert_eq!(value["choices"][0]["finish_reason"], "tool_calls");
    let reply = response::read(Operation::ChatCompletions, &body).unwrap();
    assert_eq!((reply.usage, reply.id.as_deref()), (usage, Some("id\"1")));
    let hostile =
        Completion { usage: Reading::Hostile(crate::usage::Hostility::Absurd), ..completion }.to_vec();
    let reply = response::read(Operation::ChatCompletions, &hostile).unwrap();
    assert!(matches!(reply.usage, Reading::Hostile(_)));

    let mut chunks = Chunks::new("m");
    let mut out = Vec::new();
    chunks.begin(&mut out, 0);
    chunks.begin(&mut out, 0);
    chunks.reasoning(&mut out, 0, "hm");
    chunks.text(&mut out, 0, "a");
    chunks.call(&mut out, 0, 0, ("c", "f"), "");
    chunks.arguments(&mut out, 0, 0, "{}");
    chunks.finish(&mut out, 0, Finish::Stop);
    chunks.finish(&mut out, 1, Finish::Length);
    chunks.end(&mut out, usage);
    let text = String::from_utf8(out.clone()).unwrap();
    assert_eq!(text.matches("\"role\"").count(), 2, "one a choice: {text}");
    let mut meter = StreamMeter::new(Operation::ChatCompletions, false);
    meter.push(&out);
    assert_eq!(meter.finish(), StreamEnd::Complete);
    let metered = meter.metered();
    assert_eq!((metered.usage, metered.content_deltas, metered.unreadable), (usage, 3 + 1, 0));
}
