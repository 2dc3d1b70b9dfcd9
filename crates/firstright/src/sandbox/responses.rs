//! What do answers of the Responses API look like, whole and in events?

use std::fmt::Write;

use firstright_sim::cloud::Usage;

use super::answer::Meta;
use super::text;

pub(super) fn whole(meta: &Meta, tokens: u64) -> String {
    let mut out = String::new();
    write_response(&mut out, meta, Some(tokens));
    out
}

/// The events of one stream, numbered.
#[derive(Debug)]
pub(super) struct Events {
    meta: Meta,
    sequence: u64,
}

impl Events {
    pub(super) fn new(meta: Meta) -> Events {
        Events { meta, sequence: 0 }
    }

    pub(super) fn preamble(&mut self, out: &mut String) {
        for kind in ["response.created", "response.in_progress"] {
            self.event(out, kind, |out, meta| {
                out.push_str(r#""response":"#);
                write_response(out, meta, None);
            });
        }
        self.event(out, "response.output_item.added", |out, meta| {
            let id = &meta.id;
            let _ = write!(
                out,
                r#""output_index":0,"item":{{"id":"msg_{id}","type":"message","status":"in_progress","role":"assistant","content":[]}}"#
            );
        });
        self.event(out, "response.content_part.added", |out, meta| {
            place(out, meta);
            out.push_str(r#","part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}"#);
        });
    }

    pub(super) fn delta(&mut self, out: &mut String, from: u64, count: u64) {
        self.event(out, "response.output_text.delta", |out, meta| {
            place(out, meta);
            out.push_str(r#","delta":""#);
            text::write(out, meta.text, from, count);
            out.push_str(r#"","logprobs":[]"#);
        });
    }

    pub(super) fn end(&mut self, out: &mut String, tokens: u64) {
        self.event(out, "response.output_text.done", |out, meta| {
            place(out, meta);
            out.push_str(r#","text":""#);
            text::write(out, meta.text, 0, tokens);
            out.push_str(r#"","logprobs":[]"#);
        });
        self.event(out, "response.content_part.done", |out, meta| {
            place(out, meta);
            out.push_str(r#","part":"#);
            write_part(out, meta, tokens);
        });
        self.event(out, "response.output_item.done", |out, meta| {
            out.push_str(r#""output_index":0,"item":"#);
            write_item(out, meta, tokens);
        });
        let last = if self.meta.at_limit { "response.incomplete" } else { "response.completed" };
        self.event(out, last, |out, meta| {
            out.push_str(r#""response":"#);
            write_response(out, meta, Some(tokens));
        });
    }

    fn event(&mut self, out: &mut String, kind: &str, fields: impl Fn(&mut String, &Meta)) {
        let sequence = self.sequence;
        self.sequence += 1;
        let _ = write!(out, "event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{sequence},");
        fields(out, &self.meta);
        out.push_str("}\n\n");
    }
}

/// Which part of the answer an event speaks of: there is but one.
fn place(out: &mut String, meta: &Meta) {
    let _ = write!(out, r#""item_id":"msg_{}","output_index":0,"content_index":0"#, meta.id);
}

/// The response object; without `tokens` it is in progress and says no usage.
fn write_response(out: &mut String, meta: &Meta, tokens: Option<u64>) {
    let Meta { id, created, model, at_limit, .. } = meta;
    let (status, details) = match tokens {
        None => ("in_progress", "null"),
        Some(_) if *at_limit => ("incomplete", r#"{"reason":"max_output_tokens"}"#),
        Some(_) => ("completed", "null"),
    };
    let _ = write!(
        out,
        r#"{{"id":"resp_{id}","object":"response","created_at":{created},"status":"{status}","error":null,"incomplete_details":{details},"instructions":null,"metadata":{{}},"model":"{model}","parallel_tool_calls":true,"temperature":1.0,"tool_choice":"auto","tools":[],"top_p":1.0,"service_tier":"default","store":false,"output":["#
    );
    if let Some(tokens) = tokens {
        write_item(out, meta, tokens);
    }
    out.push_str(r#"],"usage":"#);
    match tokens {
        None => out.push_str("null"),
        Some(_) => write_usage(out, meta.usage),
    }
    out.push('}');
}

fn write_item(out: &mut String, meta: &Meta, tokens: u64) {
    let status = if meta.at_limit { "incomplete" } else { "completed" };
    let id = &meta.id;
    let _ = write!(
        out,
        r#"{{"id":"msg_{id}","type":"message","status":"{status}","role":"assistant","content":["#
    );
    write_part(out, meta, tokens);
    out.push_str("]}");
}

fn write_part(out: &mut String, meta: &Meta, tokens: u64) {
    out.push_str(r#"{"type":"output_text","annotations":[],"logprobs":[],"text":""#);
    text::write(out, meta.text, 0, tokens);
    out.push_str(r#""}"#);
}

fn write_usage(out: &mut String, usage: Usage) {
    let Usage { prompt, cached, output } = usage;
    let total = prompt + output;
    let _ = write!(
        out,
        r#"{{"input_tokens":{prompt},"input_tokens_details":{{"cached_tokens":{cached}}},"output_tokens":{output},"output_tokens_details":{{"reasoning_tokens":0}},"total_tokens":{total}}}"#
    );
}
