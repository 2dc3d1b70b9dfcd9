//! What do answers of Anthropic's Messages API look like, whole and in events?

use std::fmt::Write;

use firstright_sim::cloud::Usage;

use super::answer::Meta;
use super::text;

pub(super) fn whole(meta: &Meta, tokens: u64) -> String {
    let Meta { id, model, .. } = meta;
    let mut out = format!(
        r#"{{"id":"msg_{id}","type":"message","role":"assistant","model":"{model}","content":[{{"type":"text","text":""#
    );
    text::write(&mut out, meta.text, 0, tokens);
    let _ = write!(out, r#""}}],"stop_reason":"{}","stop_sequence":null,"usage":"#, stop_reason(meta));
    write_usage(&mut out, meta.usage, meta.usage.output);
    out.push('}');
    out
}

/// The events of one stream.
#[derive(Debug)]
pub(super) struct Events(pub(super) Meta);

impl Events {
    pub(super) fn preamble(&self, out: &mut String) {
        let Meta { id, model, usage, .. } = &self.0;
        let _ = write!(
            out,
            "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"id\":\"msg_{id}\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"{model}\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":"
        );
        write_usage(out, *usage, 1);
        out.push_str("}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n");
    }

    pub(super) fn delta(&self, out: &mut String, from: u64, count: u64) {
        out.push_str("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"");
        text::write(out, self.0.text, from, count);
        out.push_str("\"}}\n\n");
    }

    pub(super) fn end(&self, out: &mut String) {
        let (reason, output) = (stop_reason(&self.0), self.0.usage.output);
        let _ = write!(
            out,
            "event: content_block_stop\ndata: {{\"type\":\"content_block_stop\",\"index\":0}}\n\nevent: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"{reason}\",\"stop_sequence\":null}},\"usage\":{{\"output_tokens\":{output}}}}}\n\nevent: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
        );
    }
}

fn stop_reason(meta: &Meta) -> &'static str {
    if meta.at_limit { "max_tokens" } else { "end_turn" }
}

/// `input_tokens` leaves out what came from the cache.
fn write_usage(out: &mut String, usage: Usage, output: u64) {
    let (fresh, cached) = (usage.prompt.saturating_sub(usage.cached), usage.cached);
    let _ = write!(
        out,
        r#"{{"input_tokens":{fresh},"cache_creation_input_tokens":0,"cache_read_input_tokens":{cached},"output_tokens":{output},"service_tier":"standard"}}"#
    );
}
