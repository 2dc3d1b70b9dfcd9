//! How is an error told to a client of this dialect?

use std::fmt::Write as _;

use crate::json::escape_into;

/// The body of an error reply: `{"error":{"message":…,"type":…,"param":…,"code":…}}`.
#[must_use]
pub fn error_body(code: &str, kind: &str, message: &str, param: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(96 + message.len());
    out.extend_from_slice(b"{\"error\":{\"message\":\"");
    escape_into(&mut out, message);
    out.extend_from_slice(b"\",\"type\":\"");
    escape_into(&mut out, kind);
    out.extend_from_slice(b"\",\"param\":");
    string_or_null(&mut out, param);
    out.extend_from_slice(b",\"code\":\"");
    escape_into(&mut out, code);
    out.extend_from_slice(b"\"}}");
    out
}

/// The event that ends a broken chat or completions stream. Clients take a stream that merely stops for a success,
/// so a cut one has to end in this; no `[DONE]` follows it.
#[must_use]
pub fn chat_event(code: &str, kind: &str, message: &str) -> Vec<u8> {
    let mut out = b"data: ".to_vec();
    out.extend_from_slice(&error_body(code, kind, message, None));
    out.extend_from_slice(b"\n\n");
    out
}

/// The event that ends a broken Responses stream. `sequence_number` is the number of events sent before it; see
/// [`crate::openai::stream::StreamMeter::events`].
#[must_use]
pub fn responses_event(code: &str, message: &str, sequence_number: u64) -> Vec<u8> {
    let mut out = b"event: error\ndata: {\"type\":\"error\",\"code\":\"".to_vec();
    escape_into(&mut out, code);
    out.extend_from_slice(b"\",\"message\":\"");
    escape_into(&mut out, message);
    let mut tail = String::new();
    // INVARIANT: writing to a `String` cannot fail.
    let _ = write!(tail, "\",\"param\":null,\"sequence_number\":{sequence_number}}}\n\n");
    out.extend_from_slice(tail.as_bytes());
    out
}

fn string_or_null(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => {
            out.push(b'"');
            escape_into(out, text);
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

#[cfg(test)]
mod tests;
