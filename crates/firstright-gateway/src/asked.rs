//! What is asked? The request as it is decided, and as it is sent: its model, its home, and the few bytes of it that change.

use std::borrow::Cow;

use bytes::Bytes;
use firstright_core::world::{ModelId, ProviderId, World};
use firstright_wire::anthropic::inbound;
use firstright_wire::openai::form::{self, Form};
use firstright_wire::openai::request::{self, BadRequest, Peek};
use firstright_wire::openai::session::{self, Session};
use firstright_wire::operation::{ModelAt, Operation, Route, Verb};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::answer::Answer;
use crate::form::{Lines, is_of_provider};
use crate::handler::Handling;
use crate::keys::Principal;
use crate::refuse::No;
use crate::relay::Reply;
use crate::setup::undated;

/// The law's name for what lives at a provider: who has a deployment of this model keeps files, batches, vector stores and
/// the like.
pub const STORE: &str = "store";
/// Output tokens reserved for a request that bounds none: about the 90th percentile of real chat traffic (Azure's
/// conversation trace of 2023 has it at 458, and today's answers are longer).
pub(crate) const DEFAULT_MAX_OUTPUT: u64 = 1_024;
/// A region's or provider's name in a header, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// What is asked, once everything about it is known.
pub(crate) struct Asked<'a> {
    pub route: Route<'a>,
    /// What stands behind the base, with ids as their provider knows them.
    pub suffix: Cow<'a, str>,
    pub query: Option<String>,
    pub content: Content<'a>,
    /// The body that `content` was read from.
    pub body: &'a [u8],
    pub bytes: &'a Bytes,
    pub headers: &'a HeaderMap,
    pub model: ModelId,
    /// A model of the caller's own, which is sent by its own name whatever the deployment is called.
    pub own_name: Option<String>,
    pub home: Option<ProviderId>,
    pub region: Option<String>,
    /// What the lines of a batch's file ask for, if it holds one.
    pub lines: Option<Lines>,
}

/// What a body says, as far as it is acted on.
pub(crate) enum Content<'a> {
    Json(Box<Peek<'a>>),
    Form(Box<Form<'a>>),
    Session(Session<'a>),
    /// Bytes that say nothing to us.
    Opaque,
}

/// A request as its home knows it: signatures taken off, and what they named.
pub(crate) struct Unsigned<'a> {
    suffix: Cow<'a, str>,
    query: Option<String>,
    pub body: Cow<'a, [u8]>,
    home: Option<ProviderId>,
    /// At least one id was signed.
    signed: bool,
    /// The first that the path names was.
    path_signed: bool,
    /// One that the query names was.
    query_signed: bool,
    /// Where the body or the query names one that was not, where tenants share.
    stranger: Option<String>,
    /// What the lines of a batch's file ask for.
    lines: Option<Lines>,
}

impl Content<'_> {
    pub(crate) fn stream(&self) -> bool {
        match self {
            Content::Json(peek) => peek.stream,
            Content::Form(form) => form.stream,
            Content::Session(_) | Content::Opaque => false,
        }
    }

    /// Does the caller want usage in its stream?
    pub(crate) fn include_usage(&self) -> bool {
        matches!(self, Content::Json(peek) if peek.include_usage)
    }

    /// Input tokens, estimated.
    pub(crate) fn input(&self) -> u64 {
        match self {
            Content::Json(peek) => peek.estimated_input_tokens,
            Content::Form(form) => form.estimated_input_tokens,
            Content::Session(_) | Content::Opaque => 0,
        }
    }

    fn model(&self) -> Option<&str> {
        match self {
            Content::Json(peek) => peek.model.as_deref(),
            Content::Form(form) => form.model,
            Content::Session(session) => session.model.as_deref(),
            Content::Opaque => None,
        }
    }

    fn steers_upstream(&self) -> Option<&str> {
        match self {
            Content::Json(peek) => peek.steers_upstream,
            Content::Form(form) => form.steers_upstream,
            Content::Session(_) | Content::Opaque => None,
        }
    }

    /// Does it continue something that lives at a provider?
    fn continues(&self) -> bool {
        matches!(self, Content::Json(peek) if peek.previous_response_id.is_some() || peek.pins.any())
    }
}

impl Asked<'_> {
    /// The most output tokens.
    pub(crate) fn max_output(&self) -> u64 {
        if !self.route.operation.generates() {
            return 0;
        }
        let (each, choices) = match &self.content {
            Content::Json(peek) => (peek.max_output_tokens, peek.choices),
            Content::Form(form) => (None, form.choices),
            Content::Session(_) | Content::Opaque => (None, 1),
        };
        each.unwrap_or(DEFAULT_MAX_OUTPUT).saturating_mul(choices.max(1))
    }

    /// Is something of it kept where it is served, so that its answer's ids are signed?
    pub(crate) fn is_kept(&self) -> bool {
        match self.route.operation {
            Operation::Store
            | Operation::Responses
            | Operation::ResponsesCompact
            | Operation::FineTuning
            | Operation::Videos
            | Operation::RealtimeCalls => true,
            Operation::ChatCompletions => matches!(&self.content, Content::Json(peek) if peek.store),
            _ => false,
        }
    }

    /// The body with another name for the model (none: as it stands) and, if `inject`, the wish for usage.
    pub(crate) fn body_with(&self, name: Option<&str>, inject: bool) -> Bytes {
        let changed = match (&self.content, name) {
            (Content::Json(peek), name) if name.is_some() || inject => {
                request::rewrite(self.body, peek, name, inject).to_vec()
            }
            (Content::Form(form), Some(name)) => form::rewrite(self.body, form, name),
            (Content::Session(session), Some(name)) => session::rewrite(self.body, session, name),
            // What came is sent without being copied, unless signatures were taken off it.
            _ if std::ptr::eq(self.body, &self.bytes[..]) => return self.bytes.clone(),
            _ => self.body.to_vec(),
        };
        Bytes::from(changed)
    }

    /// The query of a socket, with the provider's own name for the model.
    pub(crate) fn socket_query(&self, name: &str) -> Option<String> {
        if self.route.operation != Operation::Realtime {
            return self.query.clone();
        }
        let name = self.own_name.as_deref().unwrap_or(name);
        let others = self.query.as_deref().unwrap_or_default().split('&');
        let others = others.filter(|pair| !pair.is_empty() && !pair.starts_with("model="));
        let all: Vec<String> =
            std::iter::once(format!("model={name}")).chain(others.map(str::to_string)).collect();
        Some(all.join("&"))
    }

    /// The answer to a wish to count its tokens: an estimate, which errs upwards.
    pub(crate) fn counted(&self) -> Answer {
        let mut answer = Response::new(Reply::whole(inbound::count_tokens_body(self.content.input())));
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }

    /// Was a model named at all?
    pub(crate) fn names_model(&self) -> bool {
        self.content.model().is_some()
    }
}

impl Handling<'_> {
    /// Takes the signatures off a request, and finds the one home that they name. `form` is what was found in the body, if it
    /// is one.
    pub(crate) fn unsigned<'a>(
        &self,
        route: &Route<'a>,
        principal: &Principal,
        parts: &'a Parts,
        body: &'a [u8],
        form: Option<crate::form::Unsigned>,
    ) -> Result<Unsigned<'a>, No> {
        let tenant = &self.setup.world.tenant(principal.tenant).id;
        let read = |text: &[u8]| self.setup.homes.unsign(tenant, text);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap_or_default();
        let of_suffix = read(route.suffix.as_bytes());
        let of_body = form.unwrap_or_else(|| {
            let found = read(body);
            let stranger = self.setup.homes.stranger(body, &found);
            let (body, homes) = (found.text, found.homes);
            crate::form::Unsigned { body, homes, stranger, lines: None }
        });
        let query = parts.uri.query().and_then(sent_query);
        let of_query = query.as_ref().map(|query| read(query.as_bytes())).unwrap_or_default();
        let in_query = || self.setup.homes.stranger_in_query(query.as_deref()?, &of_query);
        let stranger = of_body.stranger.or_else(in_query);
        let mut home = named_home(&self.setup.world, parts)?;
        let tags = || of_suffix.homes.iter().chain(&of_query.homes).chain(&of_body.homes);
        let signed = tags().next().is_some();
        for tag in tags() {
            let named = self.setup.homes.provider(*tag).ok_or_else(|| {
                let message =
                    "the request names something that lives at a provider which the law no longer knows";
                No::bad(StatusCode::NOT_FOUND, "home_gone", message)
            })?;
            if home.replace(named).is_some_and(|other| other != named) {
                return Err(No::homes_differ());
            }
        }
        let path_signed = of_suffix.text.as_ref().is_some_and(|plain| {
            let at = route.pattern.split('/').position(|segment| segment == "{}");
            at.is_some_and(|at| {
                let plain = plain.split(|byte| *byte == b'/').nth(at);
                plain != route.suffix.split('/').nth(at).map(str::as_bytes)
            })
        });
        Ok(Unsigned {
            suffix: of_suffix.text.map_or(Cow::Borrowed(route.suffix), |bytes| Cow::Owned(text(bytes))),
            query: of_query.text.map(text).or(query),
            body: of_body.body.map_or(Cow::Borrowed(body), Cow::Owned),
            home,
            signed,
            path_signed,
            query_signed: !of_query.homes.is_empty(),
            stranger,
            lines: of_body.lines,
        })
    }

    /// Reads what is asked, and refuses what can be refused without a decision.
    pub(crate) fn asked<'a>(
        &self,
        route: Route<'a>,
        principal: &Principal,
        parts: &'a Parts,
        bytes: &'a Bytes,
        unsigned: &'a Unsigned<'a>,
    ) -> Result<Asked<'a>, No> {
        let body = &unsigned.body[..];
        let content = content(route.operation, &parts.headers, body).map_err(|bad| refused(&bad))?;
        if let Some(key) = content.steers_upstream() {
            return Err(No::not_selectable(key));
        }
        must_be_read_whole(&route, &content, body)?;
        self.must_know_the_home(&route, &content, unsigned)?;
        let query_model = || query_value(unsigned.query.as_deref()?, "model");
        let named = match (route.deployment, route.operation.model_at()) {
            (Some(deployment), _) => Some(deployment),
            (None, ModelAt::Query) => query_model(),
            (None, ModelAt::Session) => content.model().or_else(query_model),
            (None, _) => content.model(),
        };
        let (model, own_name) = self.model(route.operation, principal, named)?;
        // A body that names a model of somebody's own has been looked into.
        let is_elsewhere = route.deployment.is_some() || content.model().is_none() && !unsigned.query_signed;
        if own_name.is_some() && is_elsewhere && !self.setup.homes.is_alone_tenant() {
            return Err(No::home_unknown(StatusCode::NOT_FOUND, None));
        }
        let region = short_header(&parts.headers, "x-firstright-region")?.map(str::to_string);
        let suffix = unsigned.suffix.clone();
        let (query, home) = (unsigned.query.clone(), unsigned.home);
        let headers = &parts.headers;
        let lines = unsigned.lines.clone();
        Ok(Asked {
            route,
            suffix,
            query,
            content,
            body,
            bytes,
            headers,
            model,
            own_name,
            home,
            region,
            lines,
        })
    }

    /// Refuses what continues something of which nobody knows where it lives.
    fn must_know_the_home(
        &self,
        route: &Route<'_>,
        content: &Content<'_>,
        unsigned: &Unsigned<'_>,
    ) -> Result<(), No> {
        let homes = &self.setup.homes;
        // An id that is not signed may be anybody's: it is taken only where there is nobody else. Where tenants share, each
        // must be signed: one of the caller's own does not vouch for another.
        let of_nobody =
            (route.names_one() && !unsigned.path_signed) || (content.continues() && !unsigned.signed);
        let taken =
            homes.is_alone_tenant() && (unsigned.signed || unsigned.home.is_some() || homes.is_alone());
        if (of_nobody || unsigned.stranger.is_some()) && !taken {
            let status = if route.names_one() { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
            return Err(No::home_unknown(status, unsigned.stranger.clone()));
        }
        if (route.lists() || reads_the_account(route, &unsigned.body)) && !homes.may_list() {
            let message = "the provider's account is shared by several tenants, and its list would show what is not yours";
            let mut no = No::bad(StatusCode::FORBIDDEN, "list_not_isolated", message);
            no.kind = "permission_error";
            return Err(no);
        }
        Ok(())
    }

    /// The model by which it is decided, and the name of one of the caller's own.
    pub(crate) fn model(
        &self,
        operation: Operation,
        principal: &Principal,
        named: Option<&str>,
    ) -> Result<(ModelId, Option<String>), No> {
        let world = &self.setup.world;
        let default = match operation.model_at() {
            ModelAt::BodyOrStore => Some(STORE),
            ModelAt::Body(Some(default)) => Some(default),
            _ => None,
        };
        let default = default.filter(|name| world.find_model(name).is_some() || *name == STORE);
        let named = named.or(default).or(self.setup.default_model.as_deref());
        let name = named.ok_or_else(No::missing_model)?;
        let found = world.find_model(name).map(|model| (model, None));
        let found = found.or_else(|| Some((fine_tuned_of(world, name)?, Some(name.to_string()))));
        let (model, own_name) = found.ok_or_else(|| match name {
            STORE => No::bad(
                StatusCode::NOT_FOUND,
                "no_store",
                "the law names no provider that keeps anything: none has a deployment of `store`",
            ),
            _ => No::unknown_model(name),
        })?;
        if !principal.may_use(world.model(model)) {
            let message = format!("this key may not use the model `{name}`");
            let mut no = No::bad(StatusCode::FORBIDDEN, "model_not_permitted", message);
            no.kind = "permission_error";
            return Err(no);
        }
        Ok((model, own_name))
    }
}

/// The law's model that a fine-tuned one was made from: `ft:gpt-4o-2024-08-06:acme::id`, with or without its date.
fn fine_tuned_of(world: &World, name: &str) -> Option<ModelId> {
    let base = name.strip_prefix("ft:")?.split(':').next()?;
    world.find_model(base).or_else(|| world.find_model(undated(base)?))
}

/// Reads a body by what it says it is.
fn content<'a>(
    operation: Operation,
    headers: &'a HeaderMap,
    body: &'a [u8],
) -> Result<Content<'a>, BadRequest> {
    if let Some(boundary) = form::boundary(content_type(headers)) {
        return form::peek(boundary, body).map(|form| Content::Form(Box::new(form)));
    }
    match operation {
        Operation::RealtimeSecrets => session::peek(body).map(Content::Session),
        Operation::RealtimeCalls | Operation::Realtime => Ok(Content::Opaque),
        _ => request::peek(operation, body).map(|peek| Content::Json(Box::new(peek))),
    }
}

pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A batch's file comes whole, and by way of here, because otherwise nobody reads its lines.
fn must_be_read_whole(route: &Route<'_>, content: &Content<'_>, body: &[u8]) -> Result<(), No> {
    let read = |name| request::members_named(body, name).map_err(|bad| refused(&bad));
    let is_elsewhere = match (route.verb, route.pattern) {
        // The lines of a form's file have been read; those of a text in JSON are not.
        (Verb::Post, "files") if matches!(content, Content::Form(_)) => false,
        (Verb::Post, "files" | "uploads") => read("purpose")?.into_iter().any(|purpose| {
            // What is no text is for nobody to guess, and what a provider makes is not put there.
            let purpose = serde_json::from_slice::<String>(purpose);
            purpose.map_or(true, |purpose| {
                let purpose = purpose.trim();
                purpose.eq_ignore_ascii_case("batch") || is_of_provider(purpose.as_bytes())
            })
        }),
        // Azure reads a file of its storage.
        (Verb::Post, "batches") => !read("input_blob")?.is_empty(),
        _ => false,
    };
    if is_elsewhere {
        let message = "a batch's file is put at `/v1/files`, whole and as a form, because its lines are read";
        return Err(No::bad_file(format!("failed to accept the batch: {message}")));
    }
    Ok(())
}

/// Does an eval's run take its lines from all that is kept in the provider's account, and not from a file or from the request?
/// Source: OpenAI's specification, `EvalStoredCompletionsSource` and `EvalResponsesSource`.
fn reads_the_account(route: &Route<'_>, body: &[u8]) -> bool {
    if (route.verb, route.pattern) != (Verb::Post, "evals/{}/runs") {
        return false;
    }
    // What is no object is for the provider to refuse.
    let within = |outer: &[u8], name: &str| -> Vec<Vec<u8>> {
        let found = request::members_named(outer, name).unwrap_or_default();
        found.into_iter().map(<[u8]>::to_vec).collect()
    };
    let sources = within(body, "data_source").into_iter().flat_map(|one| within(&one, "source"));
    let mut kinds = sources.flat_map(|one| within(&one, "type"));
    kinds.any(|kind| {
        let kind = serde_json::from_slice::<String>(&kind).unwrap_or_default();
        !matches!(kind.as_str(), "file_content" | "file_id")
    })
}

pub(crate) fn refused(bad: &BadRequest) -> No {
    let mut no = No::bad(StatusCode::BAD_REQUEST, bad.code, format!("failed to {bad}"));
    no.param = bad.param.map(str::to_string);
    no
}

/// The provider that a caller asks for by name, which narrows and never widens what the law allows.
fn named_home(world: &World, parts: &Parts) -> Result<Option<ProviderId>, No> {
    let Some(name) = short_header(&parts.headers, "x-firstright-home")? else { return Ok(None) };
    let found = world.find_provider(name);
    let unknown =
        || No::bad(StatusCode::NOT_FOUND, "home_gone", format!("the law knows no provider `{name}`"));
    found.ok_or_else(unknown).map(Some)
}

fn short_header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, No> {
    match headers.get(name).map(|value| value.to_str()) {
        None => Ok(None),
        Some(Ok(value)) if value.len() <= MAX_NAME_BYTES => Ok(Some(value)),
        Some(_) => Err(No::bad(StatusCode::BAD_REQUEST, "bad_header", format!("failed to read `{name}`"))),
    }
}

/// The query that goes on: the version is the deployment's own, and nobody chooses a deployment by it.
fn sent_query(query: &str) -> Option<String> {
    let own = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        !matches!(name, "api-version" | "deployment" | "") && !hides(name)
    };
    let kept: Vec<&str> = query.split('&').filter(own).collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

/// Is a letter written as `%6d`? Nobody needs to (`[` is another matter), and not everybody reads it.
fn hides(name: &str) -> bool {
    name.as_bytes().windows(3).filter(|escape| escape[0] == b'%').any(|escape| {
        let code = std::str::from_utf8(&escape[1..]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        code.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    })
}

fn query_value<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_chooses_a_deployment_by_a_query() {
        for (query, sent) in [
            ("a=1&api-version=x&deployment=y&include[]=z", Some("a=1&include[]=z")),
            ("model=m&mod%65l=n&%64eployment=o&api%2Dversion=p", Some("model=m")),
            ("include%5B%5D=z", Some("include%5B%5D=z")),
            ("deployment=y&", None),
        ] {
            assert_eq!(sent_query(query).as_deref(), sent, "{query}");
        }
    }
}
