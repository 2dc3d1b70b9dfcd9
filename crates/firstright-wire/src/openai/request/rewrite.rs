//! How does a request change a few bytes and keep the others?

use std::borrow::Cow;

use super::Peek;
use crate::json::escape_into;

/// A rewritten body, as the pieces that make it up; what isn't new borrows from the old body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pieces<'a> {
    parts: [Cow<'a, [u8]>; 5],
}

impl<'a> Pieces<'a> {
    /// The pieces in order; none is empty.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().map(AsRef::as_ref).filter(|part| !part.is_empty())
    }

    /// The body's new length in bytes, for `content-length`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.iter().for_each(|part| out.extend_from_slice(part));
        out
    }
}

/// Names `model` in the body (in place of what stood there, or as a new first member) and, if `inject_usage`, asks for
/// usage in the stream. `peek` must be of this same `body`.
///
/// # Panics
/// If `peek` is of another body, since its ranges then lie outside.
#[must_use]
pub fn rewrite<'a>(
    body: &'a [u8],
    peek: &Peek<'_>,
    model: Option<&'a str>,
    inject_usage: bool,
) -> Pieces<'a> {
    let usage = (peek.inject.at.clone(), Cow::Borrowed(peek.inject.text.as_bytes()));
    let usage = if inject_usage { usage } else { (0..0, Cow::default()) };
    let model = model.map_or((0..0, Cow::default()), |model| match (&peek.model_at, &peek.null_model_at) {
        (Some(at), _) => (at.clone(), escaped(model)),
        (None, Some(at)) => (at.clone(), Cow::Owned([b"\"", escaped(model).as_ref(), b"\""].concat())),
        (None, None) if peek.absent => (0..0, Cow::default()),
        (None, None) => {
            let close: &[u8] = if peek.empty && !inject_usage { b"\"" } else { b"\"," };
            let text = [b"\"model\":\"", escaped(model).as_ref(), close].concat();
            let start = body.iter().position(|byte| *byte == b'{').map_or(0, |brace| brace + 1);
            (start..start, Cow::Owned(text))
        }
    });
    let [first, second] = if model.0.start <= usage.0.start { [model, usage] } else { [usage, model] };
    Pieces {
        parts: [
            Cow::Borrowed(&body[..first.0.start]),
            first.1,
            Cow::Borrowed(&body[first.0.end..second.0.start]),
            second.1,
            Cow::Borrowed(&body[second.0.end..]),
        ],
    }
}

fn escaped(text: &str) -> Cow<'_, [u8]> {
    if text.bytes().all(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20 | 0x7f)) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len() + 8);
    escape_into(&mut out, text);
    Cow::Owned(out)
}
