//! What does an embeddings request say, for a provider of another language; and how are its vectors given back in this
//! one?
//!
//! Source: the *Create embeddings* operation of OpenAI's API reference. Vectors pass by their digits where a client takes
//! floats, and as little-endian `f32` in Base64 where it asks for that, as OpenAI's own clients do.
//!
//! Only texts can be said elsewhere: tokens are numbers of one maker's alphabet. `user` is dropped, since no other
//! language has a word for it, and nothing depends on it.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::chat::{decode, members, string, text, unknown, unsayable, wrong};
use super::request::BadRequest;
use super::response::Malformed;
use crate::auth::base64;
use crate::usage::{Reading, Usage};

/// The most texts of one request; OpenAI's own bound.
const MAX_TEXTS: usize = 2048;

/// An embeddings request, read whole.
#[derive(Debug)]
pub struct Request<'a> {
    /// In the client's order; none is empty.
    pub texts: Vec<Cow<'a, str>>,
    /// The length of the vectors that is asked for.
    pub dimensions: Option<u64>,
    /// What the vectors are for, by the member that the provider's language has for it.
    pub purpose: Option<Cow<'a, str>>,
    pub form: Form,
}

/// How the answer is to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// So many vectors are owed.
    pub texts: usize,
    /// In Base64, instead of floats.
    pub base64: bool,
}

/// A provider's vectors, in the order of the texts.
#[derive(Debug)]
pub(crate) struct Vectors<'a> {
    /// Each an array of numbers.
    pub values: Vec<&'a RawValue>,
    /// The tokens of all texts.
    pub input: Reading,
}

/// Reads an embeddings request. `purpose` is the member by which clients of the provider's own language say what the
/// vectors are for.
///
/// # Errors
/// [`BadRequest`] if it isn't one, or has members that are unknown.
pub fn read<'a>(body: &'a [u8], purpose: &'static str) -> Result<Request<'a>, BadRequest> {
    let mut request = Request {
        texts: Vec::new(),
        dimensions: None,
        purpose: None,
        form: Form { texts: 0, base64: false },
    };
    for (name, raw) in members(body)?.0 {
        match name.as_ref() {
            _ if raw.get() == "null" => {}
            "model" | "user" => {}
            "input" => request.texts = texts(raw)?,
            "dimensions" => match decode(raw, "dimensions")? {
                0 => return Err(wrong("dimensions", "be at least 1")),
                dimensions => request.dimensions = Some(dimensions),
            },
            "encoding_format" => {
                request.form.base64 = match text(raw, "encoding_format")?.as_ref() {
                    "float" => false,
                    "base64" => true,
                    _ => return Err(wrong("encoding_format", "be `float` or `base64`")),
                };
            }
            name if name == purpose => request.purpose = Some(text(raw, purpose)?),
            name => return Err(unknown(name)),
        }
    }
    if request.texts.is_empty() {
        return Err(wrong("input", "hold at least one text"));
    }
    request.form.texts = request.texts.len();
    Ok(request)
}

impl Request<'_> {
    /// Refuses more texts than the provider takes at once.
    pub(crate) fn at_most(&self, texts: usize) -> Result<(), BadRequest> {
        match (self.texts.len() > texts, texts) {
            (false, _) => Ok(()),
            (true, 1) => Err(unsayable("input", "it takes one text at a time")),
            (true, _) => Err(unsayable("input", &format!("it takes at most {texts} texts at a time"))),
        }
    }
}

fn texts(raw: &RawValue) -> Result<Vec<Cow<'_, str>>, BadRequest> {
    let texts = if raw.get().starts_with('"') {
        vec![text(raw, "input")?]
    } else {
        let items: Vec<&RawValue> = decode(raw, "input")?;
        if items
            .iter()
            .any(|item| item.get().starts_with(|first: char| first == '[' || first.is_ascii_digit()))
        {
            return Err(unsayable("input", "tokens are numbers of one model's alphabet: it takes texts"));
        }
        items.into_iter().map(|item| text(item, "input")).collect::<Result<Vec<_>, _>>()?
    };
    if texts.len() > MAX_TEXTS {
        return Err(wrong("input", "hold at most 2,048 texts"));
    }
    if texts.iter().any(|text| text.is_empty()) {
        return Err(wrong("input", "hold no empty text"));
    }
    Ok(texts)
}

impl Vectors<'_> {
    /// The answer in OpenAI's words.
    ///
    /// # Errors
    /// [`Malformed`] if there isn't one vector for each text, or one isn't an array of numbers.
    pub(crate) fn to_vec(&self, model: &str, form: Form) -> Result<Vec<u8>, Malformed> {
        if self.values.len() != form.texts {
            return Err(Malformed { at: 0, expected: "one vector for each text" });
        }
        let mut out = b"{\"object\":\"list\",\"data\":[".to_vec();
        for (index, raw) in self.values.iter().enumerate() {
            let vector: Vec<f32> = serde_json::from_str(raw.get()).unwrap_or_default();
            if vector.is_empty() || !vector.iter().all(|value| value.is_finite()) {
                return Err(Malformed { at: 0, expected: "a vector of numbers" });
            }
            let comma = if index == 0 { "" } else { "," };
            let head = format!("{comma}{{\"object\":\"embedding\",\"index\":{index},\"embedding\":");
            out.extend_from_slice(head.as_bytes());
            if form.base64 {
                let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
                out.push(b'"');
                out.extend_from_slice(base64::standard(&bytes).as_bytes());
                out.push(b'"');
            } else {
                out.extend_from_slice(raw.get().as_bytes());
            }
            out.push(b'}');
        }
        out.extend_from_slice(b"],\"model\":");
        string(&mut out, model);
        out.extend_from_slice(b",\"usage\":");
        let usage = match self.input {
            Reading::Absent => "null".to_owned(),
            Reading::Hostile(_) => "{\"prompt_tokens\":-1,\"total_tokens\":-1}".to_owned(),
            Reading::Sound(Usage { input, .. }) => {
                format!("{{\"prompt_tokens\":{input},\"total_tokens\":{input}}}")
            }
        };
        out.extend_from_slice(usage.as_bytes());
        out.push(b'}');
        Ok(out)
    }
}

/// So many tokens of input and nothing else.
pub(crate) fn input_only(input: u64) -> Reading {
    Reading::Sound(Usage { input, requests: 1, ..Usage::default() })
}

#[cfg(test)]
mod tests;
