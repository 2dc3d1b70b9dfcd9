//! What do whole answers look like? Embeddings, images and the list of models; chat and responses have
//! files of their own, because they also stream.

use std::fmt::Write;

use firstright_sim::cloud::{Cloud, Dialect, Usage};
use firstright_sim::rng::Rng;

/// A transparent pixel: clients decode it, and nobody looks at it.
const PIXEL_PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

/// Azure's verdict on harmless content.
pub(super) const SAFE: &str = r#"{"hate":{"filtered":false,"severity":"safe"},"self_harm":{"filtered":false,"severity":"safe"},"sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":false,"severity":"safe"}}"#;

/// What every shape of an answer carries.
#[derive(Clone, Debug)]
pub(super) struct Meta {
    /// Without the prefix of its kind.
    pub(super) id: String,
    pub(super) created: u64,
    pub(super) model: String,
    pub(super) dialect: Dialect,
    /// Where the text begins.
    pub(super) text: u64,
    /// Whether `max_tokens` ended the answer.
    pub(super) at_limit: bool,
    /// Bought capacity served.
    pub(super) provisioned: bool,
    pub(super) usage: Usage,
}

pub(super) fn embeddings(meta: &Meta, count: u64, dimensions: u64, base64: bool, mut rng: Rng) -> String {
    let mut out = String::from(r#"{"object":"list","data":["#);
    for index in 0..count {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(out, r#"{comma}{{"object":"embedding","index":{index},"embedding":"#);
        if base64 {
            let bytes: Vec<u8> = (0..dimensions).flat_map(|_| component(&mut rng).to_le_bytes()).collect();
            out.push('"');
            encode_base64(&mut out, &bytes);
            out.push('"');
        } else {
            floats(&mut out, dimensions, &mut rng);
        }
        out.push('}');
    }
    let prompt = meta.usage.prompt;
    let _ = write!(
        out,
        r#"],"model":"{}","usage":{{"prompt_tokens":{prompt},"total_tokens":{prompt}}}}}"#,
        meta.model
    );
    out
}

/// A vector, as an array.
pub(super) fn floats(out: &mut String, dimensions: u64, rng: &mut Rng) {
    out.push('[');
    for place in 0..dimensions {
        let _ = write!(out, "{}{}", if place == 0 { "" } else { "," }, component(rng));
    }
    out.push(']');
}

fn component(rng: &mut Rng) -> f32 {
    (rng.below(20_001) as f32 - 10_000.0) / 200_000.0
}

pub(super) fn images(meta: &Meta, count: u64) -> String {
    let Usage { prompt, output, .. } = meta.usage;
    let mut out = format!(r#"{{"created":{},"data":["#, meta.created);
    for index in 0..count {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(out, r#"{comma}{{"b64_json":"{PIXEL_PNG}"}}"#);
    }
    let total = prompt + output;
    let _ = write!(
        out,
        r#"],"usage":{{"total_tokens":{total},"input_tokens":{prompt},"output_tokens":{output},"input_tokens_details":{{"text_tokens":{prompt},"image_tokens":0}}}}}}"#
    );
    out
}

/// Deployments by the name that a request uses.
pub(super) fn models(cloud: &Cloud, created: u64) -> String {
    let mut out = String::from(r#"{"object":"list","data":["#);
    for (index, (deployment, _)) in cloud.counters().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let name = &deployment.name;
        let _ = write!(
            out,
            r#"{comma}{{"id":"{name}","object":"model","created":{created},"owned_by":"sandbox"}}"#
        );
    }
    out.push_str("]}");
    out
}

fn encode_base64(out: &mut String, bytes: &[u8]) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_matches_the_rfc() {
        for (plain, wanted) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = String::new();
            super::encode_base64(&mut out, plain.as_bytes());
            assert_eq!(out, wanted);
        }
    }
}
