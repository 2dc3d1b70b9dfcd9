//! What do chat completions look like, whole and in chunks?

use std::fmt::Write;

use firstright_sim::cloud::{Dialect, Usage};

use super::answer::{Meta, SAFE};
use super::text;
use super::tools::Called;

pub(super) fn whole(meta: &Meta, tokens: u64, called: Option<&Called>) -> String {
    let Meta { id, created, model, .. } = meta;
    let mut out = format!(
        r#"{{"id":"chatcmpl-{id}","object":"chat.completion","created":{created},"model":"{model}","choices":[{{"index":0,"message":{{"role":"assistant","content":"#
    );
    match called {
        Some(Called { name, arguments }) => {
            let _ = write!(
                out,
                r#"null,"tool_calls":[{{"id":"call_{id}","type":"function","function":{{"name":{name},"arguments":{arguments}}}}}]"#
            );
        }
        None => {
            out.push('"');
            text::write(&mut out, meta.text, 0, tokens);
            out.push('"');
        }
    }
    let finish = finish_reason(meta, called);
    let _ = write!(out, r#","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"{finish}""#);
    if meta.dialect == Dialect::Azure {
        let _ = write!(out, r#","content_filter_results":{SAFE}"#);
    }
    out.push_str("}]");
    if meta.dialect == Dialect::Azure {
        let _ =
            write!(out, r#","prompt_filter_results":[{{"prompt_index":0,"content_filter_results":{SAFE}}}]"#);
    }
    out.push_str(r#","usage":"#);
    write_usage(&mut out, meta.usage);
    out.push_str(r#","service_tier":"default","system_fingerprint":"fp_sandbox"}"#);
    out
}

/// The chunks of one stream; the parts that never change are made once.
#[derive(Debug)]
pub(super) struct Chunks {
    meta: Meta,
    include_usage: bool,
    called: Option<Called>,
    head: String,
    tail: String,
}

impl Chunks {
    pub(super) fn new(meta: Meta, include_usage: bool, called: Option<Called>) -> Chunks {
        let Meta { id, created, model, .. } = &meta;
        let head = format!(
            r#"data: {{"id":"chatcmpl-{id}","object":"chat.completion.chunk","created":{created},"model":"{model}","service_tier":"default","system_fingerprint":"fp_sandbox","choices":["#
        );
        let tail = if include_usage { "],\"usage\":null}\n\n" } else { "]}\n\n" }.to_owned();
        Chunks { meta, include_usage, called, head, tail }
    }

    /// What comes before any content: Azure's verdict on the prompt, then the role.
    pub(super) fn preamble(&self, out: &mut String) {
        if self.meta.dialect == Dialect::Azure {
            let usage = if self.include_usage { r#","usage":null"# } else { "" };
            let _ = write!(
                out,
                "data: {{\"id\":\"\",\"object\":\"\",\"created\":0,\"model\":\"\",\"choices\":[],\"prompt_filter_results\":[{{\"prompt_index\":0,\"content_filter_results\":{SAFE}}}]{usage}}}\n\n"
            );
        }
        self.chunk(out, "null", |out| out.push_str(r#""role":"assistant","content":"","refusal":null"#));
    }

    /// A tool's call begins with its name; its arguments come with the end, so that a client has to put them together.
    pub(super) fn delta(&self, out: &mut String, from: u64, count: u64) {
        if let Some(Called { name, .. }) = &self.called {
            let id = &self.meta.id;
            self.chunk(out, "null", |out| {
                out.push_str(r#""tool_calls":[{"index":0,"#);
                if from == 0 {
                    let _ = write!(out, r#""id":"call_{id}","type":"function","function":{{"name":{name},"#);
                } else {
                    out.push_str(r#""function":{"#);
                }
                out.push_str(r#""arguments":""}}]"#);
            });
            return;
        }
        self.chunk(out, "null", |out| {
            out.push_str(r#""content":""#);
            text::write(out, self.meta.text, from, count);
            out.push('"');
        });
    }

    pub(super) fn end(&self, out: &mut String) {
        if let Some(Called { arguments, .. }) = &self.called {
            self.chunk(out, "null", |out| {
                let _ = write!(out, r#""tool_calls":[{{"index":0,"function":{{"arguments":{arguments}}}}}]"#);
            });
        }
        let finish = format!(r#""{}""#, finish_reason(&self.meta, self.called.as_ref()));
        self.chunk(out, &finish, |_| {});
        if self.include_usage {
            out.push_str(&self.head);
            out.push_str(r#"],"usage":"#);
            write_usage(out, self.meta.usage);
            out.push_str("}\n\n");
        }
        out.push_str("data: [DONE]\n\n");
    }

    fn chunk(&self, out: &mut String, finish: &str, delta: impl Fn(&mut String)) {
        out.push_str(&self.head);
        out.push_str(r#"{"index":0,"delta":{"#);
        delta(out);
        let _ = write!(out, r#"}},"logprobs":null,"finish_reason":{finish}"#);
        if self.meta.dialect == Dialect::Azure {
            let _ = write!(out, r#","content_filter_results":{SAFE}"#);
        }
        out.push('}');
        out.push_str(&self.tail);
    }
}

fn finish_reason(meta: &Meta, called: Option<&Called>) -> &'static str {
    match (meta.at_limit, called) {
        (true, _) => "length",
        (false, Some(_)) => "tool_calls",
        (false, None) => "stop",
    }
}

fn write_usage(out: &mut String, usage: Usage) {
    let Usage { prompt, cached, output } = usage;
    let total = prompt + output;
    let _ = write!(
        out,
        r#"{{"prompt_tokens":{prompt},"completion_tokens":{output},"total_tokens":{total},"prompt_tokens_details":{{"cached_tokens":{cached},"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}"#
    );
}
