//! What does a multipart form ask for, and where in its bytes does it name its model?
//!
//! Audio, pictures and files come as forms. The bytes are looked through once for the parts' bounds; what a part holds is
//! never copied, and only the model's name is ever replaced.
//! Source: RFC 7578 and RFC 2046, section 5.1.

#[cfg(test)]
mod tests;

use std::ops::Range;

use memchr::memmem;

use super::request::{BadRequest, MAX_CHOICES, MAX_MODEL_BYTES};
use super::session;

/// More parts than any operation has: OpenAI takes 16 pictures in one edit.
const MAX_PARTS: usize = 256;
/// The headers of one part, in bytes: a disposition with a long file name, and a type.
const MAX_PART_HEAD_BYTES: usize = 8 << 10;
/// RFC 2046's bound for a boundary, in bytes.
const MAX_BOUNDARY_BYTES: usize = 70;
/// Estimated tokens of a file: one for so many bytes. A second of speech at 16 kB is ten tokens by OpenAI's own reckoning.
const FILE_BYTES_PER_TOKEN: u64 = 1_600;

/// A form, as far as it is acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form<'a> {
    pub model: Option<&'a str>,
    pub stream: bool,
    /// `n`, or 1.
    pub choices: u64,
    /// An estimate of the input in tokens: of its text, and of its files by their size.
    pub estimated_input_tokens: u64,
    /// No more tokens than this can be meant by its text.
    pub text_bytes: u64,
    /// All bytes of its files.
    pub file_bytes: u64,
    /// Its files.
    pub files: u64,
    /// A field by which some gateways let a caller choose the upstream. Refuse it.
    pub steers_upstream: Option<&'a str>,
    model_at: Option<Range<usize>>,
    boundary: &'a str,
    /// The fields that are acted on and have come: `n`, `stream`, `session`.
    seen: [bool; 3],
}

/// The boundary that a content type names, if it is a form's.
#[must_use]
pub fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let named = parameters.split(';').filter_map(|one| one.split_once('='));
    let is_one = |name: &str| name.trim().get(..8).is_some_and(|name| name.eq_ignore_ascii_case("boundary"));
    let mut named = named.filter(|(name, _)| is_one(name));
    // Of two, or of one in parts (`boundary*0`), another reader may take another.
    let (name, value) = named.next().filter(|(name, _)| name.trim().len() == 8)?;
    if named.next().is_some() || name.ends_with(char::is_whitespace) {
        return None;
    }
    let value = value.trim_end();
    let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    ((1..=MAX_BOUNDARY_BYTES).contains(&value.len()) && value.bytes().all(fit)).then_some(value)
}

/// One part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// The field that it is of.
    pub name: &'a str,
    /// It has a file's name.
    pub is_file: bool,
    /// It says that its bytes are written in another way than as they are, so that two may read it differently.
    pub is_encoded: bool,
    /// Where its content stands.
    pub at: Range<usize>,
}

/// The parts of a form, in order.
///
/// # Errors
/// [`BadRequest`] if it is not one whole form within the limits.
pub fn parts<'a>(boundary: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, BadRequest> {
    let opening = format!("--{boundary}");
    let closing = format!("\r\n--{boundary}");
    let mut parts = Vec::new();
    let mut at = body
        .strip_prefix(opening.as_bytes())
        .map(|_| opening.len())
        .ok_or_else(|| bad("a boundary at its start"))?;
    let find = memmem::Finder::new(closing.as_bytes());
    for _ in 0..MAX_PARTS {
        match body.get(at..at + 2) {
            Some(b"--") if body[at + 2..].iter().all(u8::is_ascii_whitespace) => return Ok(parts),
            Some(b"--") => return Err(bad("nothing after the last boundary")),
            Some(b"\r\n") => at += 2,
            _ => return Err(bad("a line's end after a boundary")),
        }
        let head_end = memmem::find(&body[at..body.len().min(at + MAX_PART_HEAD_BYTES)], b"\r\n\r\n");
        let head_end = at + head_end.ok_or_else(|| bad("the end of a part's headers"))?;
        let head = std::str::from_utf8(&body[at..head_end]).map_err(|_| bad("headers in UTF-8"))?;
        if !is_plain(head) {
            return Err(bad("a part's headers on a line each"));
        }
        let start = head_end + 4;
        // An empty part's closing boundary begins with the line's end that ended its headers.
        let end = start - 2 + find.find(&body[start - 2..]).ok_or_else(|| bad("a closing boundary"))?;
        let (name, is_file) = disposition(head).ok_or_else(|| bad("a part with a name"))?;
        parts.push(Part { name, is_file, is_encoded: is_encoded(head), at: start..end.max(start) });
        at = end + closing.len();
    }
    Err(bad("at most 256 parts"))
}

/// Looks through a form.
///
/// # Errors
/// [`BadRequest`] if it is not one whole form within the limits, or a field that is acted on has a wrong value or comes
/// twice.
pub fn peek<'a>(boundary: &'a str, body: &'a [u8]) -> Result<Form<'a>, BadRequest> {
    let mut form = Form {
        model: None,
        stream: false,
        choices: 1,
        estimated_input_tokens: 0,
        text_bytes: 0,
        file_bytes: 0,
        files: 0,
        steers_upstream: None,
        model_at: None,
        boundary,
        seen: [false; 3],
    };
    for part in parts(boundary, body)? {
        form.part(&part, body)?;
    }
    Ok(form.finish())
}

/// Names `model` in the form, in the place of what stood there or as a new first part. `form` must be of this `body`.
#[must_use]
pub fn rewrite(body: &[u8], form: &Form<'_>, model: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + model.len() + 160);
    match &form.model_at {
        Some(at) => {
            out.extend_from_slice(&body[..at.start]);
            out.extend_from_slice(model.as_bytes());
            out.extend_from_slice(&body[at.end..]);
        }
        None => {
            let part = format!(
                "--{}\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n",
                form.boundary
            );
            out.extend_from_slice(part.as_bytes());
            out.extend_from_slice(body);
        }
    }
    out
}

impl<'a> Form<'a> {
    fn part(&mut self, part: &Part<'a>, body: &'a [u8]) -> Result<(), BadRequest> {
        let (name, at) = (part.name, part.at.clone());
        let content = &body[at.clone()];
        if part.is_file {
            self.files += 1;
            self.file_bytes += content.len() as u64;
            return Ok(());
        }
        self.text_bytes += content.len() as u64;
        let text = || std::str::from_utf8(content).map_err(|_| field(name, "be UTF-8"));
        if let Some(at) = ["n", "stream", "session"].iter().position(|one| *one == name)
            && std::mem::replace(&mut self.seen[at], true)
        {
            return Err(field(name, "be given once only"));
        }
        match name {
            "model" => {
                let model = text()?;
                if self.model.is_some() {
                    return Err(field(name, "be given once only"));
                }
                if model.is_empty() || model.len() > MAX_MODEL_BYTES || model.contains(char::is_control) {
                    return Err(field(name, "be 1 to 256 bytes without control characters"));
                }
                self.model = Some(model);
                self.model_at = Some(at);
            }
            "stream" => self.stream = matches!(text()?, "true" | "True" | "1"),
            "n" => {
                let choices = text()?.parse().ok().filter(|n| (1..=MAX_CHOICES).contains(n));
                self.choices = choices.ok_or_else(|| field(name, "be between 1 and 128"))?;
            }
            "session" => {
                let session = session::peek(content)?;
                if let (Some(named), Some(span)) = (session.model, session.model_at) {
                    let span = at.start + span.start..at.start + span.end;
                    let raw = std::str::from_utf8(&body[span.clone()]).ok().filter(|raw| *raw == named);
                    if self.model.is_some() || raw.is_none() {
                        return Err(field("model", "be given once only, and without escapes"));
                    }
                    (self.model, self.model_at) = (raw, Some(span));
                }
            }
            _ => {
                let steers = ["api_base", "base_url"].iter().any(|one| name.eq_ignore_ascii_case(one))
                    || name.as_bytes().windows(4).any(|window| window.eq_ignore_ascii_case(b"host"));
                if steers {
                    self.steers_upstream = Some(name);
                }
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Self {
        self.estimated_input_tokens =
            self.text_bytes.div_ceil(4) + self.file_bytes.div_ceil(FILE_BYTES_PER_TOKEN);
        self
    }
}

/// Do all readers find the same lines in a part's headers, and the same names in those? A line's end is both its bytes, no
/// line goes on in the next, and a name ends at its colon.
fn is_plain(head: &str) -> bool {
    head.split("\r\n").all(|line| {
        let name = line.split_once(':').map_or("", |(name, _)| name);
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let is_control = |byte: u8| byte < b' ' && byte != b'\t' || byte == 0x7f;
        !name.is_empty() && name.bytes().all(is_token) && !line.bytes().any(is_control)
    })
}

/// Does a part say that its bytes stand for others? Some readers heed that, and others do not (RFC 7578, section 4.7).
fn is_encoded(head: &str) -> bool {
    let lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let mut said = lines.filter(|(name, _)| {
        let name = name.trim();
        name.eq_ignore_ascii_case("content-transfer-encoding")
            || name.eq_ignore_ascii_case("content-encoding")
    });
    said.any(|(_, value)| {
        let value = value.trim();
        !["7bit", "8bit", "binary", "identity"].iter().any(|plain| value.eq_ignore_ascii_case(plain))
    })
}

/// A part's name, and whether it is a file. None also for what another may read as another name: two dispositions or two
/// names, a parameter that forms do not have (`name*`, `NAME`), a quote that may be escaped.
fn disposition(head: &str) -> Option<(&str, bool)> {
    let lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let mut lines = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-disposition"));
    let (Some((_, value)), None) = (lines.next(), lines.next()) else { return None };
    let (kind, mut rest) = value.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return None;
    }
    let (mut name, mut files) = (None, [false; 2]);
    loop {
        let (key, after) = rest.split_once('=')?;
        let (text, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => {
                let (text, after) = after.split_at(after.find(';').unwrap_or(after.len()));
                (text.trim(), after)
            }
        };
        if text.ends_with('\\') || text.contains('"') {
            return None;
        }
        let is_again = match key.trim() {
            "name" => name.replace(text).is_some(),
            "filename" => std::mem::replace(&mut files[0], true),
            "filename*" => std::mem::replace(&mut files[1], true),
            _ => true,
        };
        if is_again {
            return None;
        }
        match after.trim() {
            "" => return name.map(|name| (name, files != [false; 2])),
            more => rest = more.strip_prefix(';')?,
        }
    }
}

fn bad(expected: &str) -> BadRequest {
    let message = format!("read the body as a form: expected {expected}");
    BadRequest { code: "invalid_form", param: None, message }
}

fn field(name: &str, must: &str) -> BadRequest {
    let param = match name {
        "model" => Some("model"),
        "n" => Some("n"),
        "stream" => Some("stream"),
        _ => None,
    };
    BadRequest { code: "invalid_value", param, message: format!("accept the request: `{name}` must {must}") }
}
