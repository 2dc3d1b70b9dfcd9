//! What do answers of Bedrock's Converse look like, whole and in messages of Amazon's event stream?

use std::fmt::Write;

use firstright_sim::cloud::Usage;
use firstright_wire::bedrock::eventstream;

use super::answer::Meta;
use super::text;

pub(super) fn whole(meta: &Meta, tokens: u64) -> String {
    let mut out =
        r#"{"metrics":{"latencyMs":1},"output":{"message":{"role":"assistant","content":[{"text":""#
            .to_owned();
    text::write(&mut out, meta.text, 0, tokens);
    let _ = write!(out, r#""}}]}}}},"stopReason":"{}","#, stop_reason(meta));
    write_usage(&mut out, meta.usage);
    out.push('}');
    out
}

/// The messages of one stream.
#[derive(Debug)]
pub(super) struct Messages(pub(super) Meta);

impl Messages {
    pub(super) fn preamble(&self, out: &mut Vec<u8>) {
        event(out, "messageStart", r#"{"role":"assistant"}"#);
    }

    pub(super) fn delta(&self, out: &mut Vec<u8>, from: u64, count: u64) {
        let mut payload = r#"{"contentBlockIndex":0,"delta":{"text":""#.to_owned();
        text::write(&mut payload, self.0.text, from, count);
        payload.push_str("\"}}");
        event(out, "contentBlockDelta", &payload);
    }

    pub(super) fn end(&self, out: &mut Vec<u8>) {
        event(out, "contentBlockStop", r#"{"contentBlockIndex":0}"#);
        event(out, "messageStop", &format!(r#"{{"stopReason":"{}"}}"#, stop_reason(&self.0)));
        let mut payload = r#"{"metrics":{"latencyMs":1},"#.to_owned();
        write_usage(&mut payload, self.0.usage);
        payload.push('}');
        event(out, "metadata", &payload);
    }
}

fn event(out: &mut Vec<u8>, name: &str, payload: &str) {
    eventstream::write(out, "event", name, payload.as_bytes());
}

fn stop_reason(meta: &Meta) -> &'static str {
    if meta.at_limit { "max_tokens" } else { "end_turn" }
}

/// `inputTokens` leaves out what came from the cache.
fn write_usage(out: &mut String, usage: Usage) {
    let Usage { prompt, cached, output } = usage;
    let (fresh, total) = (prompt.saturating_sub(cached), prompt + output);
    let _ = write!(
        out,
        r#""usage":{{"inputTokens":{fresh},"outputTokens":{output},"totalTokens":{total},"cacheReadInputTokens":{cached},"cacheWriteInputTokens":0}}"#
    );
}
