//! What do answers of Gemini's `generateContent` look like, whole and in events?

use std::fmt::Write;

use super::answer::Meta;
use super::text;

pub(super) fn whole(meta: &Meta, tokens: u64) -> String {
    let mut out = String::new();
    write_answer(&mut out, meta, (0, tokens), true);
    out
}

/// The events of one stream, each a `GenerateContentResponse`; there is none before the first words.
#[derive(Debug)]
pub(super) struct Events(pub(super) Meta);

impl Events {
    pub(super) fn delta(&self, out: &mut String, from: u64, count: u64) {
        self.event(out, (from, count), false);
    }

    pub(super) fn end(&self, out: &mut String) {
        self.event(out, (0, 0), true);
    }

    fn event(&self, out: &mut String, text: (u64, u64), last: bool) {
        out.push_str("data: ");
        write_answer(out, &self.0, text, last);
        out.push_str("\r\n\r\n");
    }
}

/// One answer with the tokens `from` and `count` of the text; only the last of a stream says why it ended and all of its
/// usage.
fn write_answer(out: &mut String, meta: &Meta, (from, count): (u64, u64), last: bool) {
    out.push_str(r#"{"candidates":[{"content":{"role":"model","parts":[{"text":""#);
    text::write(out, meta.text, from, count);
    out.push_str(r#""}]},"index":0"#);
    if last {
        let reason = if meta.at_limit { "MAX_TOKENS" } else { "STOP" };
        let _ = write!(out, r#","finishReason":"{reason}""#);
    }
    let prompt = meta.usage.prompt;
    let output = if last { meta.usage.output } else { from + count };
    let traffic = if meta.provisioned { "PROVISIONED_THROUGHPUT" } else { "ON_DEMAND" };
    let _ = write!(
        out,
        r#"}}],"usageMetadata":{{"promptTokenCount":{prompt},"candidatesTokenCount":{output},"totalTokenCount":{},"cachedContentTokenCount":{},"trafficType":"{traffic}"}},"modelVersion":"{}","responseId":"{}"}}"#,
        prompt + output,
        meta.usage.cached,
        meta.model,
        meta.id
    );
}
