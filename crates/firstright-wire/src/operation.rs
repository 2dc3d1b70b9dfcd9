//! Which call is this, by its method and path alone?
//!
//! Every operation of OpenAI's specification (version 2.3.0) stands in [`table::SERVED`] or under
//! [`table::ADMINISTRATIVE`], which is refused on purpose. What lives at a provider once it is made (files, batches,
//! vector stores, threads, …) is one operation here, [`Operation::Store`]: it is passed through as it came.

pub mod table;

/// What the API plane serves. Everything else is refused before its body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    ChatCompletions,
    Responses,
    /// A shorter form of a conversation, made by a model.
    ResponsesCompact,
    /// How many tokens an input has; nothing is billed.
    ResponsesInputTokens,
    /// The legacy text completions.
    Completions,
    Embeddings,
    ImagesGenerations,
    ImagesEdits,
    ImagesVariations,
    Speech,
    Transcriptions,
    Translations,
    Moderations,
    /// Anthropic's messages.
    Messages,
    /// Anthropic's count of an input's tokens; nothing is billed.
    CountTokens,
    /// A socket on which sound and text go both ways.
    Realtime,
    /// A short-lived secret by which a browser or phone opens such a socket itself.
    RealtimeSecrets,
    /// The same over WebRTC: an offer in, an answer out.
    RealtimeCalls,
    /// A job that changes a model.
    FineTuning,
    /// A film.
    Videos,
    /// Something that lives at a provider: made, listed, read, changed or removed.
    Store,
    /// The list of models, or one model: answered here.
    Models,
}

/// What is done at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    Get,
    Post,
    Delete,
}

/// The path family that a client used. It tells where the model's name stands and which errors a client expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathStyle {
    /// `/v1/…`: the model is in the body.
    OpenAi,
    /// `/openai/v1/…`: the body's model is a deployment's name.
    AzureV1,
    /// `/openai/deployments/{deployment}/…?api-version=…`, and `/openai/responses?api-version=…`.
    AzureDated,
}

/// A path, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route<'a> {
    pub operation: Operation,
    pub verb: Verb,
    pub style: PathStyle,
    /// The deployment that the path names; it stands for the model then.
    pub deployment: Option<&'a str>,
    /// What stands behind the base: `files/file-abc/content`. Its segments are of the grammar of [`Route::read`].
    pub suffix: &'a str,
    /// The pattern of [`table::SERVED`] that it fits.
    pub pattern: &'static str,
}

/// Why a path is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathRefused {
    /// Not within the grammar: answer 400. Two parsers could disagree on such a path, so none gets to see it.
    Malformed,
    /// Well-formed, and nothing of ours: answer 404.
    Unknown,
    /// It is served, but not by this method: answer 405.
    Method,
    /// It administers the provider's own account, which is the operator's business with the provider: answer 403.
    Administrative,
}

/// Where a request names its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelAt {
    /// In the body; if it may be left out there, the one that the specification says then.
    Body(Option<&'static str>),
    /// In the session that the body describes.
    Session,
    /// In the query.
    Query,
    /// In the body if anywhere: what is asked is decided as a call to the law's model `store` otherwise.
    BodyOrStore,
}

/// The longest path that is looked at, in bytes: three ids of a provider with what is added to them, and the words
/// between.
pub const MAX_PATH_BYTES: usize = 1024;

impl Verb {
    #[must_use]
    pub fn from_method(method: &str) -> Option<Self> {
        match method {
            "GET" => Some(Self::Get),
            "POST" => Some(Self::Post),
            "DELETE" => Some(Self::Delete),
            _ => None,
        }
    }

    /// The method, as a request line has it.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

impl<'a> Route<'a> {
    /// Reads an inbound method and path (without its query). The grammar is strict: segments of `A–Z a–z 0–9 . _ ~ : -`,
    /// none empty, none of only dots; so no `//`, no `..`, no percent-encoding (hence no `%2f`), no NUL, no trailing `/`.
    ///
    /// Besides the documented forms it takes `/openai/v1/deployments/{d}/…`, which `AzureOpenAI` clients send when
    /// their base URL is the v1 one, and Anthropic's `/v1/messages` also under `/anthropic`.
    ///
    /// # Errors
    /// [`PathRefused`], in words of HTTP.
    pub fn read(method: &str, path: &'a str) -> Result<Self, PathRefused> {
        let rest = path.strip_prefix('/').ok_or(PathRefused::Malformed)?;
        if path.len() > MAX_PATH_BYTES || !rest.split('/').all(is_segment) {
            return Err(PathRefused::Malformed);
        }
        let (style, rest) = base(rest).ok_or(PathRefused::Unknown)?;
        let (deployment, suffix) = match rest.strip_prefix("deployments/") {
            Some(rest) if style != PathStyle::OpenAi => {
                let (deployment, rest) = rest.split_once('/').ok_or(PathRefused::Unknown)?;
                (Some(deployment), rest)
            }
            _ => (None, rest),
        };
        if table::ADMINISTRATIVE.iter().any(|first| suffix.split('/').next() == Some(first)) {
            return Err(PathRefused::Administrative);
        }
        let verb = Verb::from_method(method);
        let mut known = false;
        for served in table::SERVED.iter().filter(|served| fits(served.pattern, suffix)) {
            known = true;
            let Some(verb) = verb.filter(|verb| served.verbs.contains(verb)) else { continue };
            let operation = served.operation;
            let may_name = operation.takes_deployment();
            let must_name = style == PathStyle::AzureDated && may_name;
            if (deployment.is_some() && !may_name) || (deployment.is_none() && must_name) {
                return Err(PathRefused::Unknown);
            }
            return Ok(Self { operation, verb, style, deployment, suffix, pattern: served.pattern });
        }
        Err(if known { PathRefused::Method } else { PathRefused::Unknown })
    }

    /// The one model asked for by `models/{model}`.
    #[must_use]
    pub fn model(&self) -> Option<&'a str> {
        self.suffix.strip_prefix("models/")
    }

    /// Is it asked for by a change of protocol?
    #[must_use]
    pub fn is_socket(&self) -> bool {
        self.operation == Operation::Realtime
            || self.operation == Operation::Responses && self.verb == Verb::Get
    }

    /// Does it name something that lives at a provider?
    #[must_use]
    pub fn names_one(&self) -> bool {
        self.operation == Operation::Store && self.pattern.contains("{}")
    }

    /// Does it list what lives at a provider, whoever made it?
    #[must_use]
    pub fn lists(&self) -> bool {
        let nested = ["chat/completions", "fine_tuning/jobs", "chatkit/threads", "audio/voice_consents"];
        let whole = !self.suffix.contains('/') || nested.contains(&self.suffix);
        self.operation == Operation::Store && self.verb == Verb::Get && whole
    }
}

/// The path family, and what stands behind the base.
fn base(rest: &str) -> Option<(PathStyle, &str)> {
    if let Some(rest) = rest.strip_prefix("v1/") {
        Some((PathStyle::OpenAi, rest))
    } else if let Some(rest) = rest.strip_prefix("openai/v1/") {
        Some((PathStyle::AzureV1, rest))
    } else if let Some(rest) = rest.strip_prefix("openai/") {
        Some((PathStyle::AzureDated, rest))
    } else {
        let rest = rest.strip_prefix("anthropic/v1/")?;
        rest.starts_with("messages").then_some((PathStyle::OpenAi, rest))
    }
}

impl Operation {
    /// What stands behind the base where an operation has one path only, or the first of its paths.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        table::SERVED.iter().find(|served| served.operation == self).map_or("", |served| served.pattern)
    }

    /// Can a path name a deployment for it (Azure's dated paths must)?
    #[must_use]
    pub fn takes_deployment(self) -> bool {
        matches!(
            self,
            Self::ChatCompletions
                | Self::Completions
                | Self::Embeddings
                | Self::ImagesGenerations
                | Self::ImagesEdits
                | Self::Speech
                | Self::Transcriptions
                | Self::Translations
        )
    }

    /// Whether `"stream":true` means anything here.
    #[must_use]
    pub fn streams(self) -> bool {
        !matches!(self, Self::Embeddings | Self::Models)
    }

    /// Whether usage in a stream has to be asked for by `stream_options.include_usage`.
    #[must_use]
    pub fn usage_on_request(self) -> bool {
        matches!(self, Self::ChatCompletions | Self::Completions)
    }

    /// Whether answers tell what was used by this request. Elsewhere a `usage` tells of another one, or of none.
    #[must_use]
    pub fn is_metered(self) -> bool {
        !matches!(
            self,
            Self::Store
                | Self::Models
                | Self::CountTokens
                | Self::ResponsesInputTokens
                | Self::RealtimeSecrets
                | Self::RealtimeCalls
                | Self::FineTuning
                | Self::Videos
        )
    }

    /// Whether pictures are made.
    #[must_use]
    pub fn is_of_images(self) -> bool {
        matches!(self, Self::ImagesGenerations | Self::ImagesEdits | Self::ImagesVariations)
    }

    /// Whether it writes text, so that room for output is reserved.
    #[must_use]
    pub fn generates(self) -> bool {
        matches!(
            self,
            Self::ChatCompletions
                | Self::Completions
                | Self::Responses
                | Self::ResponsesCompact
                | Self::Messages
                | Self::ImagesGenerations
                | Self::ImagesEdits
                | Self::Speech
                | Self::Transcriptions
                | Self::Translations
                | Self::Realtime
        )
    }

    /// Where the model is named. Defaults are the specification's.
    #[must_use]
    pub fn model_at(self) -> ModelAt {
        match self {
            Self::Moderations => ModelAt::Body(Some("omni-moderation-latest")),
            Self::ImagesGenerations | Self::ImagesVariations => ModelAt::Body(Some("dall-e-2")),
            Self::ImagesEdits => ModelAt::Body(Some("gpt-image-1.5")),
            Self::Videos => ModelAt::Body(Some("sora-2")),
            Self::RealtimeSecrets | Self::RealtimeCalls => ModelAt::Session,
            Self::Realtime => ModelAt::Query,
            Self::Store => ModelAt::BodyOrStore,
            _ => ModelAt::Body(None),
        }
    }
}

/// Does the suffix fit the pattern, segment by segment? `{}` takes any one.
fn fits(pattern: &str, suffix: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('/'), suffix.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some("{}"), Some(_)) => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

fn is_segment(segment: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b':' | b'-');
    segment.bytes().all(allowed) && segment.bytes().any(|byte| byte != b'.')
}

#[cfg(test)]
mod tests;
