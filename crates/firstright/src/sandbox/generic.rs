//! What do answers of OCI Generative AI's chat look like, whole and in events, in `GENERIC` and in `COHEREV2`?

use std::fmt::Write;

use firstright_sim::cloud::Usage;

use super::answer::Meta;
use super::text;

/// The language within a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Generic,
    CohereV2,
}

pub(super) fn whole(meta: &Meta, tokens: u64, format: Format) -> String {
    if format == Format::CohereV2 {
        return whole_v2(meta, tokens);
    }
    let mut out = format!(
        r#"{{"modelId":"{}","modelVersion":"1.0","chatResponse":{{"apiFormat":"GENERIC","timeCreated":"2025-02-01T10:20:30.123Z","choices":[{{"index":0,"#,
        meta.model
    );
    write_message(&mut out, meta, 0, tokens);
    let _ = write!(out, r#","finishReason":"{}"}}],"#, reason(meta, Format::Generic));
    write_usage(&mut out, meta.usage);
    out.push_str("}}");
    out
}

fn whole_v2(meta: &Meta, tokens: u64) -> String {
    let mut out = format!(
        r#"{{"modelId":"{}","modelVersion":"1.0","chatResponse":{{"apiFormat":"COHEREV2","id":"{}","#,
        meta.model, meta.id
    );
    write_message(&mut out, meta, 0, tokens);
    let _ = write!(out, r#","finishReason":"{}","#, reason(meta, Format::CohereV2));
    write_usage(&mut out, meta.usage);
    out.push_str("}}");
    out
}

/// The events of one stream; there is none before the first words, and none that ends it.
#[derive(Debug)]
pub(super) struct Events(pub(super) Meta, pub(super) Format);

impl Events {
    pub(super) fn delta(&self, out: &mut String, from: u64, count: u64) {
        out.push_str(match self.1 {
            Format::Generic => r#"data: {"index":0,"#,
            Format::CohereV2 => r#"data: {"apiFormat":"COHEREV2","#,
        });
        write_message(out, &self.0, from, count);
        out.push_str(",\"pad\":\"aaaaaa\"}\n\n");
    }

    pub(super) fn end(&self, out: &mut String) {
        let head = match self.1 {
            Format::Generic => r#""index":0"#,
            Format::CohereV2 => r#""apiFormat":"COHEREV2","message":{"role":"ASSISTANT"}"#,
        };
        let reason = reason(&self.0, self.1);
        let _ = write!(out, "data: {{{head},\"finishReason\":\"{reason}\"}}\n\ndata: {{");
        write_usage(out, self.0.usage);
        out.push_str("}\n\n");
    }
}

fn write_message(out: &mut String, meta: &Meta, from: u64, count: u64) {
    out.push_str(r#""message":{"role":"ASSISTANT","content":[{"type":"TEXT","text":""#);
    text::write(out, meta.text, from, count);
    out.push_str(r#""}]}"#);
}

fn reason(meta: &Meta, format: Format) -> &'static str {
    match (format, meta.at_limit) {
        (Format::Generic, true) => "length",
        (Format::Generic, false) => "stop",
        (Format::CohereV2, true) => "MAX_TOKENS",
        (Format::CohereV2, false) => "COMPLETE",
    }
}

fn write_usage(out: &mut String, usage: Usage) {
    let Usage { prompt, cached, output } = usage;
    let _ = write!(
        out,
        r#""usage":{{"promptTokens":{prompt},"completionTokens":{output},"totalTokens":{},"promptTokensDetails":{{"cachedTokens":{cached}}}}}"#,
        prompt + output
    );
}
