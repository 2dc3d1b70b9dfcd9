//! What files does this cloud keep? A few small ones, in memory: enough for a client to put one, list, read and remove it.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

/// Files kept at a time. The oldest makes room, so that a long run does not fill memory.
const MAX_FILES: usize = 64;
/// The largest file: the sandbox is no store.
const MAX_FILE_BYTES: usize = 1 << 20;

/// What lives in one cloud.
#[derive(Debug, Default)]
pub(super) struct Files {
    made: u64,
    kept: BTreeMap<String, File>,
}

#[derive(Debug)]
struct File {
    name: String,
    purpose: String,
    created: u64,
    bytes: Bytes,
}

/// What became of a request for files.
#[derive(Debug)]
pub(super) enum Found {
    Json(Value),
    Content(Bytes),
    Missing,
    /// The method does not fit the path.
    Method,
    /// With what is wrong with the form.
    Bad(String),
}

impl Files {
    /// `id` and `content` are of the path `files/{id}/content`; `boundary` is the form's.
    pub(super) fn answer(
        &mut self,
        method: &Method,
        (id, content): (Option<&str>, bool),
        boundary: Option<&str>,
        body: &[u8],
        now: u64,
    ) -> Found {
        match (method, id, content) {
            (&Method::POST, None, _) => match self.put(boundary, body, now) {
                Ok(made) => Found::Json(made),
                Err(wrong) => Found::Bad(wrong),
            },
            (&Method::GET, None, _) => {
                let data: Vec<Value> = self.kept.iter().map(|(id, file)| file.shown(id)).collect();
                Found::Json(json!({ "object": "list", "data": data, "has_more": false }))
            }
            (&Method::GET, Some(id), false) => {
                self.kept.get(id).map_or(Found::Missing, |file| Found::Json(file.shown(id)))
            }
            (&Method::GET, Some(id), true) => {
                self.kept.get(id).map_or(Found::Missing, |file| Found::Content(file.bytes.clone()))
            }
            (&Method::DELETE, Some(id), false) => match self.kept.remove(id) {
                Some(_) => Found::Json(json!({ "id": id, "object": "file", "deleted": true })),
                None => Found::Missing,
            },
            _ => Found::Method,
        }
    }

    fn put(&mut self, boundary: Option<&str>, body: &[u8], now: u64) -> Result<Value, String> {
        let boundary = boundary.ok_or("the body is no form")?;
        let (mut purpose, mut file) = (None, None);
        for (head, bytes) in parts(body, boundary) {
            match quoted(head, "name=") {
                Some("purpose") => purpose = std::str::from_utf8(bytes).ok(),
                Some("file") => file = Some((quoted(head, "filename=").unwrap_or("file"), bytes)),
                _ => {}
            }
        }
        let purpose = purpose.ok_or("Missing required parameter: 'purpose'.")?.to_owned();
        let (name, bytes) = file.ok_or("Missing required parameter: 'file'.")?;
        if bytes.len() > MAX_FILE_BYTES {
            return Err(format!("the sandbox keeps files of {MAX_FILE_BYTES} bytes at most"));
        }
        self.made += 1;
        let id = format!("file-sandbox{:06}", self.made);
        let file =
            File { name: name.to_owned(), purpose, created: now, bytes: Bytes::copy_from_slice(bytes) };
        let shown = file.shown(&id);
        self.kept.insert(id, file);
        if self.kept.len() > MAX_FILES {
            self.kept.pop_first();
        }
        Ok(shown)
    }
}

impl File {
    fn shown(&self, id: &str) -> Value {
        json!({
            "id": id, "object": "file", "bytes": self.bytes.len(), "created_at": self.created,
            "filename": self.name, "purpose": self.purpose, "status": "processed",
        })
    }
}

/// The boundary that a content type names.
pub(super) fn boundary_of(kind: &str) -> Option<&str> {
    let (_, boundary) = kind.strip_prefix("multipart/form-data")?.split_once("boundary=")?;
    Some(boundary.split(';').next().unwrap_or(boundary).trim_matches('"'))
}

/// Head and body of each part of a form.
fn parts<'a>(body: &'a [u8], boundary: &str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    let mark = format!("--{boundary}");
    let mut rest = after(body, mark.as_bytes()).map(|(_, rest)| rest);
    std::iter::from_fn(move || {
        let (part, next) = after(rest?, mark.as_bytes())?;
        rest = Some(next);
        let (head, bytes) = after(part, b"\r\n\r\n")?;
        Some((std::str::from_utf8(head).ok()?, bytes.strip_suffix(b"\r\n").unwrap_or(bytes)))
    })
}

/// What stands before and after the first `mark`.
fn after<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some((&bytes[..at], &bytes[at + mark.len()..]))
}

/// The quoted value of a parameter in a part's head.
fn quoted<'a>(head: &'a str, parameter: &str) -> Option<&'a str> {
    let at = head.match_indices(parameter).find(|(at, _)| head[..*at].ends_with([' ', ';']))?.0;
    head[at + parameter.len()..].strip_prefix('"')?.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\nContent-Type: x\r\n\r\n{}\r\n\r\n--b--\r\n";

    fn get(files: &mut Files, path: (Option<&str>, bool)) -> Found {
        files.answer(&Method::GET, path, None, b"", 7)
    }

    #[test]
    fn a_file_is_put_read_listed_and_removed() {
        let mut files = Files::default();
        let Found::Json(made) = files.answer(&Method::POST, (None, false), Some("b"), FORM, 7) else {
            panic!()
        };
        assert_eq!(
            (&made["filename"], &made["purpose"], &made["bytes"]),
            (&json!("a.jsonl"), &json!("batch"), &json!(4))
        );
        let id = made["id"].as_str();
        assert!(matches!(get(&mut files, (id, true)), Found::Content(bytes) if &bytes[..] == b"{}\r\n"));
        assert!(matches!(get(&mut files, (id, false)), Found::Json(shown) if shown == made));
        assert!(matches!(get(&mut files, (None, false)), Found::Json(list) if list["data"][0] == made));
        assert!(matches!(files.answer(&Method::DELETE, (id, false), None, b"", 7), Found::Json(_)));
        assert!(matches!(get(&mut files, (id, true)), Found::Missing));
        assert!(matches!(files.answer(&Method::DELETE, (None, false), None, b"", 7), Found::Method));
    }

    #[test]
    fn a_form_that_lacks_something_is_refused_and_old_files_make_room() {
        let mut files = Files::default();
        for (boundary, body) in
            [(None, FORM), (Some("c"), FORM), (Some("b"), &FORM[..60]), (Some("b"), b"--b--")]
        {
            assert!(matches!(files.answer(&Method::POST, (None, false), boundary, body, 7), Found::Bad(_)));
        }
        for _ in 0..=MAX_FILES {
            assert!(matches!(files.answer(&Method::POST, (None, false), Some("b"), FORM, 7), Found::Json(_)));
        }
        assert_eq!(files.kept.len(), MAX_FILES);
        assert!(matches!(get(&mut files, (Some("file-sandbox000001"), false)), Found::Missing));
    }

    #[test]
    fn boundaries() {
        assert_eq!(boundary_of("multipart/form-data; boundary=abc"), Some("abc"));
        assert_eq!(boundary_of("multipart/form-data; boundary=\"a b\"; charset=x"), Some("a b"));
        assert_eq!(boundary_of("application/json; boundary=abc"), None);
    }
}
