//! What does a form name that lives at a provider, and what do the lines of a file in it ask for?
//!
//! A file is passed on as it came, but for one: that of a batch, whose lines are requests. Each is read as a request is:
//! its ids lose their signatures, must be of one home and given out here, and its model must be one that the caller may use.

use std::ops::Range;

use bytes::Bytes;
use firstright_core::world::{CapacityKind, ModelId, ProviderId};
use firstright_wire::home::Tag;
use firstright_wire::openai::form::{self, Part};
use firstright_wire::openai::lines::{Line, Splitter};
use firstright_wire::operation::{Route, Verb};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use crate::asked::{STORE, content_type, refused};
use crate::handler::Handling;
use crate::keys::Principal;
use crate::refuse::No;

/// Bytes of a batch's file that are read before others on this thread have their turn: some milliseconds.
const AT_ONCE: usize = 1 << 20;

/// A form as its home knows it.
#[derive(Default)]
pub(crate) struct Unsigned {
    /// None if nothing was signed.
    pub body: Option<Vec<u8>>,
    pub homes: Vec<Tag>,
    /// Where it names an id that was not given out here.
    pub stranger: Option<String>,
    pub lines: Option<Lines>,
}

/// What the lines of a batch's file ask for.
#[derive(Clone)]
pub(crate) struct Lines {
    /// The model that all of them name.
    pub model: ModelId,
    /// It is named by the caller's own name, which stays.
    own_name: bool,
    /// Where they name it, in the body.
    names: Vec<Range<usize>>,
}

impl Lines {
    /// The body, with the provider's own name for the model in every line.
    fn renamed(&self, body: &[u8], name: &str) -> Vec<u8> {
        let name = serde_json::Value::from(name).to_string();
        let name = &name[1..name.len() - 1];
        let grows = name.len() * self.names.len();
        let mut out = Vec::with_capacity(body.len() + grows);
        let mut copied = 0;
        for at in &self.names {
            out.extend_from_slice(&body[copied..at.start]);
            out.extend_from_slice(name.as_bytes());
            copied = at.end;
        }
        out.extend_from_slice(&body[copied..]);
        out
    }
}

/// The boundary of a request's form, if its body is one.
///
/// # Errors
/// If others may take it for a form, or for one with another boundary.
pub(crate) fn boundary(headers: &HeaderMap) -> Result<Option<&str>, No> {
    let kind = content_type(headers);
    let boundary = form::boundary(kind);
    let is_one = headers.get_all(CONTENT_TYPE).iter().count() <= 1;
    let is_multipart = kind.as_bytes().get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/"));
    if is_one && (boundary.is_some() || !is_multipart) {
        return Ok(boundary);
    }
    let message = "failed to read the body as a form: its content type must be one, and name one boundary";
    Err(No::bad(StatusCode::BAD_REQUEST, "invalid_form", message))
}

impl Handling<'_> {
    /// Takes the signatures off a form.
    pub(crate) async fn unsigned_form(
        &self,
        route: &Route<'_>,
        principal: &Principal,
        boundary: &str,
        body: &[u8],
    ) -> Result<Unsigned, No> {
        let tenant = &self.setup.world.tenant(principal.tenant).id;
        let parts = form::parts(boundary, body).map_err(|bad| refused(&bad))?;
        let is_batch = route.verb == Verb::Post && route.pattern == "files" && is_batch(&parts, body)?;
        let mut found = Unsigned::default();
        let mut out = Vec::new();
        let (mut copied, mut was_read) = (0, false);
        for part in &parts {
            let content = &body[part.at.clone()];
            let is_file = part.is_file || part.name == "file";
            if is_batch && is_file {
                if part.is_encoded || was_read {
                    let must = "come once, and as it is, without an encoding";
                    return Err(No::bad_file(format!("failed to accept the file: a batch's must {must}")));
                }
                out.extend_from_slice(&body[copied..part.at.start]);
                copied = part.at.end;
                let mut reading = Reading {
                    handling: self,
                    principal,
                    tenant,
                    out,
                    homes: &mut found.homes,
                    stranger: None,
                    lines: None,
                };
                reading.file(content).await?;
                (out, found.lines) = (reading.out, reading.lines);
                found.stranger = found.stranger.or(reading.stranger);
                was_read = true;
            } else if !part.is_file {
                let unsigned = self.setup.homes.unsign(tenant, content);
                found.stranger = found
                    .stranger
                    .or_else(|| self.setup.homes.stranger_in_field(part.name, content, &unsigned));
                add(&mut found.homes, &unsigned.homes);
                if let Some(text) = unsigned.text {
                    out.extend_from_slice(&body[copied..part.at.start]);
                    out.extend_from_slice(&text);
                    copied = part.at.end;
                }
            }
        }
        found.body = (copied > 0).then(|| {
            out.extend_from_slice(&body[copied..]);
            out
        });
        Ok(found)
    }

    /// The body of a batch's file as the provider takes it that is to keep it.
    pub(crate) fn lines_for(&self, lines: &Lines, body: &[u8], provider: ProviderId) -> Bytes {
        let name = self.name_at(provider, lines.model).filter(|_| !lines.own_name);
        let own = self.setup.world.model(lines.model);
        match name.filter(|name| name != own) {
            Some(name) => lines.renamed(body, &name).into(),
            None => Bytes::copy_from_slice(body),
        }
    }

    /// What a provider calls a model: by the first of its deployments that is not bought ahead, because batches are not
    /// served by those, or else by the first.
    fn name_at(&self, provider: ProviderId, model: ModelId) -> Option<String> {
        let world = &self.setup.world;
        let own = world.served().filter(|(_, one)| one.provider == provider && one.model == model);
        let ahead = |kind: &CapacityKind| matches!(kind, CapacityKind::Provisioned { .. });
        let (id, _) = own.min_by_key(|(_, one)| ahead(&one.capacity))?;
        self.setup.endpoints.get(id.index())?.as_ref().map(|endpoint| endpoint.name.clone())
    }
}

/// Is a file put there for a batch?
fn is_batch(parts: &[Part<'_>], body: &[u8]) -> Result<bool, No> {
    let mut purposes = parts.iter().filter(|part| part.name == "purpose");
    let Some(purpose) = purposes.next() else { return Ok(false) };
    if purposes.next().is_some() || purpose.is_file || purpose.is_encoded {
        return Err(No::bad_file(
            "failed to accept the file: `purpose` must be given once, and plainly".to_string(),
        ));
    }
    let purpose = body[purpose.at.clone()].trim_ascii();
    // In another charset it may say `batch` to others.
    if !purpose.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte)) {
        return Err(No::bad_file("failed to accept the file: its `purpose` must be plain".to_string()));
    }
    if is_of_provider(purpose) {
        return Err(No::bad_file(
            "failed to accept the file: its `purpose` is one of what a provider makes".to_string(),
        ));
    }
    Ok(purpose.eq_ignore_ascii_case(b"batch"))
}

/// Is a purpose one of what only a provider makes? Such a file is taken at its word when it is read again.
pub(crate) fn is_of_provider(purpose: &[u8]) -> bool {
    let purpose = purpose.to_ascii_lowercase();
    purpose.ends_with(b"_output") || purpose.ends_with(b"-results")
}

fn add(all: &mut Vec<Tag>, homes: &[Tag]) {
    for home in homes.iter().filter(|home| !all.contains(home)).collect::<Vec<_>>() {
        all.push(*home);
    }
}

/// A batch's file that is being read.
struct Reading<'a> {
    handling: &'a Handling<'a>,
    principal: &'a Principal,
    tenant: &'a str,
    /// What was read, as its home knows it.
    out: Vec<u8>,
    homes: &'a mut Vec<Tag>,
    stranger: Option<String>,
    lines: Option<Lines>,
}

impl Reading<'_> {
    async fn file(&mut self, content: &[u8]) -> Result<(), No> {
        self.out.reserve(content.len());
        let mut splitter = Splitter::new(self.handling.setup.body.bytes);
        for piece in content.chunks(AT_ONCE) {
            splitter.push(piece, |number, line| self.line(number, line))?;
            tokio::task::yield_now().await;
        }
        splitter.finish(|number, line| self.line(number, line))
    }

    fn line(&mut self, number: u64, raw: &[u8]) -> Result<(), No> {
        if raw.trim_ascii().is_empty() {
            self.out.extend_from_slice(raw);
            return Ok(());
        }
        self.request(number, raw).map_err(|mut no| {
            no.message = format!("line {number} of the file: {}", no.message);
            no.param = Some(match no.param {
                Some(param) => format!("file[{number}].{param}"),
                None => format!("file[{number}]"),
            });
            no
        })
    }

    fn request(&mut self, number: u64, raw: &[u8]) -> Result<(), No> {
        let homes = &self.handling.setup.homes;
        let unsigned = homes.unsign(self.tenant, raw);
        add(self.homes, &unsigned.homes);
        if self.homes.len() > 1 {
            return Err(No::homes_differ());
        }
        let text = unsigned.text.as_deref().unwrap_or(raw);
        let line = Line::read(text).map_err(|bad| refused(&bad))?;
        if let Some(key) = line.peek.steers_upstream {
            return Err(No::not_selectable(key));
        }
        let stranger = homes.stranger_in_line(raw, &unsigned);
        let continues = || line.peek.previous_response_id.is_some() || line.peek.pins.any();
        let unknown = || (unsigned.homes.is_empty() && continues()).then(|| "body".to_string());
        if let Some(field) = stranger.or_else(unknown) {
            if !homes.is_alone_tenant() {
                return Err(No::home_unknown(StatusCode::BAD_REQUEST, Some(field)));
            }
            self.stranger.get_or_insert(format!("file[{number}].{field}"));
        }
        self.model(&line)?;
        if let (Some(lines), Some(at)) = (&mut self.lines, line.model_at()) {
            let before = self.out.len();
            lines.names.push(before + at.start..before + at.end);
        }
        self.out.extend_from_slice(text);
        Ok(())
    }

    /// All lines name one model: by it the batch is placed and billed.
    fn model(&mut self, line: &Line<'_>) -> Result<(), No> {
        let name = line.peek.model.as_deref();
        let (model, own_name) =
            self.handling.model(line.operation, self.principal, Some(name.ok_or_else(No::missing_model)?))?;
        if self.handling.setup.world.model(model) == STORE {
            return Err(No::unknown_model(STORE));
        }
        let own_name = own_name.is_some();
        let lines = self.lines.get_or_insert(Lines { model, own_name, names: Vec::new() });
        if lines.model != model || lines.own_name != own_name {
            let message = "another model than in the lines before: a batch asks for one";
            let mut no = No::bad(StatusCode::BAD_REQUEST, "models_differ", message);
            no.param = Some("model".to_string());
            return Err(no);
        }
        Ok(())
    }
}
