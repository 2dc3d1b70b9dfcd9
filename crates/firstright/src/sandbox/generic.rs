//! What do answers of OCI Generative AI's `GENERIC` chat look like, whole and in events?

use std::fmt::Write;

use firstright_sim::cloud::Usage;

use super::answer::Meta;
use super::text;

pub(super) fn whole(meta: &Meta, tokens: u64) -> String {
    let mut out = format!(
        r#"{{"modelId":"{}","modelVersion":"1.0","chatResponse":{{"apiFormat":"GENERIC","timeCreated":"2025-02-01T10:20:30.123Z","choices":[{{"index":0,"#,
        meta.model
    );
    write_message(&mut out, meta, 0, tokens);
    let _ = write!(out, r#","finishReason":"{}"}}],"#, reason(meta));
    write_usage(&mut out, meta.usage);
    out.push_str("}}");
    out
}

/// The events of one stream; there is none before the first words, and none that ends it.
#[derive(Debug)]
pub(super) struct Events(pub(super) Meta);

impl Events {
    pub(super) fn delta(&self, out: &mut String, from: u64, count: u64) {
        out.push_str(r#"data: {"index":0,"#);
        write_message(out, &self.0, from, count);
        out.push_str(",\"pad\":\"aaaaaa\"}\n\n");
    }

    pub(super) fn end(&self, out: &mut String) {
        let _ = write!(out, "data: {{\"index\":0,\"finishReason\":\"{}\"}}\n\ndata: {{", reason(&self.0));
        write_usage(out, self.0.usage);
        out.push_str("}\n\n");
    }
}

fn write_message(out: &mut String, meta: &Meta, from: u64, count: u64) {
    out.push_str(r#""message":{"role":"ASSISTANT","content":[{"type":"TEXT","text":""#);
    text::write(out, meta.text, from, count);
    out.push_str(r#""}]}"#);
}

fn reason(meta: &Meta) -> &'static str {
    if meta.at_limit { "length" } else { "stop" }
}

fn write_usage(out: &mut String, usage: Usage) {
    let Usage { prompt, cached, output } = usage;
    let _ = write!(
        out,
        r#""usage":{{"promptTokens":{prompt},"completionTokens":{output},"totalTokens":{},"promptTokensDetails":{{"cachedTokens":{cached}}}}}"#,
        prompt + output
    );
}
