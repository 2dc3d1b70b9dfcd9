//! Which model does a realtime session name, and where in its bytes?
//!
//! The model stands at `model` or `session.model`; a session that only transcribes names it at
//! `audio.input.transcription.model` (or, in the older shape, `input_audio_transcription.model`).

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::request::{BadRequest, MAX_MODEL_BYTES};
use crate::json::escape_into;

/// A session's model, and where its name stands, without its quotes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session<'a> {
    pub model: Option<Cow<'a, str>>,
    pub(super) model_at: Option<Range<usize>>,
}

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow, default)]
    model: Option<&'a RawValue>,
    #[serde(borrow, default)]
    session: Option<Inner<'a>>,
    #[serde(borrow, default)]
    audio: Option<Audio<'a>>,
    #[serde(borrow, default)]
    input_audio_transcription: Option<Named<'a>>,
}

#[derive(Deserialize)]
struct Inner<'a> {
    #[serde(borrow, default)]
    model: Option<&'a RawValue>,
    #[serde(borrow, default)]
    audio: Option<Audio<'a>>,
}

#[derive(Deserialize)]
struct Audio<'a> {
    #[serde(borrow, default)]
    input: Option<Input<'a>>,
}

#[derive(Deserialize)]
struct Input<'a> {
    #[serde(borrow, default)]
    transcription: Option<Named<'a>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, default)]
    model: Option<&'a RawValue>,
}

/// Reads a session's body; an empty one is a session that leaves everything open.
///
/// # Errors
/// [`BadRequest`] if it is not a JSON object of that shape, or the model is not a name.
pub fn peek<'a>(body: &'a [u8]) -> Result<Session<'a>, BadRequest> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Session::default());
    }
    let bad = |message: String| BadRequest { code: "invalid_json", param: None, message };
    let text = std::str::from_utf8(body).map_err(|_| bad("read the body as UTF-8".to_string()))?;
    let outer: Outer<'a> =
        serde_json::from_str(text).map_err(|error| bad(format!("read the session as JSON: {error}")))?;
    if outer.model.is_some() && outer.session.as_ref().is_some_and(|inner| inner.model.is_some()) {
        let message = "accept the request: `model` must be given once only".to_string();
        return Err(BadRequest { code: "duplicate_key", param: Some("model"), message });
    }
    let transcribed = |audio: Option<Audio<'a>>| audio?.input?.transcription?.model;
    let (inner, inner_audio) = outer.session.map_or((None, None), |inner| (inner.model, inner.audio));
    let found = outer
        .model
        .or(inner)
        .or_else(|| transcribed(outer.audio))
        .or_else(|| transcribed(inner_audio))
        .or_else(|| outer.input_audio_transcription.and_then(|one| one.model))
        .map(RawValue::get);
    let Some(raw) = found.filter(|raw| *raw != "null") else { return Ok(Session::default()) };
    let model: String = serde_json::from_str(raw).map_err(|_| BadRequest {
        code: "invalid_type",
        param: Some("model"),
        message: "accept the request: `model` must be a string".to_string(),
    })?;
    if model.is_empty() || model.len() > MAX_MODEL_BYTES || model.contains(char::is_control) {
        let message =
            "accept the request: `model` must be 1 to 256 bytes without control characters".to_string();
        return Err(BadRequest { code: "invalid_value", param: Some("model"), message });
    }
    // INVARIANT: a raw value is a part of the text that it was read from.
    let start = raw.as_ptr() as usize - text.as_ptr() as usize;
    Ok(Session { model: Some(model.into()), model_at: Some(start + 1..start + raw.len() - 1) })
}

/// Names `model` in the session in the place of what stood there; a session that names none stays as it is.
#[must_use]
pub fn rewrite(body: &[u8], session: &Session<'_>, model: &str) -> Vec<u8> {
    let Some(at) = &session.model_at else { return body.to_vec() };
    let mut out = Vec::with_capacity(body.len() + model.len());
    out.extend_from_slice(&body[..at.start]);
    escape_into(&mut out, model);
    out.extend_from_slice(&body[at.end..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_found_wherever_a_session_names_it() {
        for (body, model) in [
            ("", None),
            ("{}", None),
            (r#"{"session":{"type":"realtime","model":null}}"#, None),
            (r#"{"model":"a"}"#, Some("a")),
            (
                r#"{"expires_after":{},"session":{"type":"realtime","model":"gpt-realtime"}}"#,
                Some("gpt-realtime"),
            ),
            (r#"{"session":{"audio":{"input":{"transcription":{"model":"whisper-1"}}}}}"#, Some("whisper-1")),
            (r#"{"input_audio_transcription":{"model":"w"}}"#, Some("w")),
        ] {
            let session = peek(body.as_bytes()).unwrap();
            assert_eq!(session.model.as_deref(), model, "{body}");
            let other = rewrite(body.as_bytes(), &session, "n\"ew");
            let wanted =
                model.map_or(body.to_string(), |model| body.replace(&format!("\"{model}\""), "\"n\\\"ew\""));
            assert_eq!(String::from_utf8(other).unwrap(), wanted);
        }
        assert!(
            peek(b"[").is_err() && peek(br#"{"model":1}"#).is_err() && peek(br#"{"session":1}"#).is_err()
        );
        let twice = peek(br#"{"model":"a","session":{"model":"b"}}"#);
        assert_eq!(twice.unwrap_err().code, "duplicate_key");
    }
}
