//! Which call is this, by its path alone?

/// What the API plane serves. Everything else is refused before its body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    ChatCompletions,
    Responses,
    Embeddings,
    ImagesGenerations,
    /// The legacy text completions.
    Completions,
    /// The list of models, or one model; the only operation without a body.
    Models,
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
    pub style: PathStyle,
    /// The deployment that the path names; it stands for the model then.
    pub deployment: Option<&'a str>,
    /// The one model asked for by `…/models/{model}`.
    pub model: Option<&'a str>,
}

/// Why a path is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathRefused {
    /// Not within the grammar: answer 400. Two parsers could disagree on such a path, so none gets to see it.
    Malformed,
    /// Well-formed, and nothing of ours: answer 404.
    Unknown,
}

/// The longest path that is looked at, in bytes; twice what any served path with a 64-byte deployment needs.
pub const MAX_PATH_BYTES: usize = 256;

impl Operation {
    /// Reads an inbound path (without its query). The grammar is strict: segments of `A–Z a–z 0–9 . _ ~ : -`, none
    /// empty, none of only dots; so no `//`, no `..`, no percent-encoding (hence no `%2f`), no NUL, no trailing `/`.
    ///
    /// Besides the documented forms it takes `/openai/v1/deployments/{d}/…`, which `AzureOpenAI` clients send when
    /// their base URL is the v1 one.
    ///
    /// # Errors
    /// [`PathRefused::Malformed`] for a path outside of the grammar, [`PathRefused::Unknown`] for any other.
    pub fn from_path(path: &str) -> Result<Route<'_>, PathRefused> {
        let rest = path.strip_prefix('/').ok_or(PathRefused::Malformed)?;
        if path.len() > MAX_PATH_BYTES || !rest.split('/').all(is_segment) {
            return Err(PathRefused::Malformed);
        }
        let (style, rest) = if let Some(rest) = rest.strip_prefix("v1/") {
            (PathStyle::OpenAi, rest)
        } else if let Some(rest) = rest.strip_prefix("openai/v1/") {
            (PathStyle::AzureV1, rest)
        } else if let Some(rest) = rest.strip_prefix("openai/") {
            (PathStyle::AzureDated, rest)
        } else {
            return Err(PathRefused::Unknown);
        };
        let (deployment, rest) = match rest.strip_prefix("deployments/") {
            Some(rest) if style != PathStyle::OpenAi => {
                let (deployment, rest) = rest.split_once('/').ok_or(PathRefused::Unknown)?;
                (Some(deployment), rest)
            }
            _ => (None, rest),
        };
        let (operation, model) = match rest {
            "chat/completions" => (Self::ChatCompletions, None),
            "responses" => (Self::Responses, None),
            "embeddings" => (Self::Embeddings, None),
            "images/generations" => (Self::ImagesGenerations, None),
            "completions" => (Self::Completions, None),
            "models" if deployment.is_none() => (Self::Models, None),
            _ => match rest.strip_prefix("models/") {
                Some(model) if deployment.is_none() && !model.contains('/') => (Self::Models, Some(model)),
                _ => return Err(PathRefused::Unknown),
            },
        };
        let named_by_path = matches!(operation, Self::Responses | Self::Models);
        if style == PathStyle::AzureDated && deployment.is_none() != named_by_path {
            return Err(PathRefused::Unknown);
        }
        Ok(Route { operation, style, deployment, model })
    }

    /// The path below a base such as `/v1/`.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat/completions",
            Self::Responses => "responses",
            Self::Embeddings => "embeddings",
            Self::ImagesGenerations => "images/generations",
            Self::Completions => "completions",
            Self::Models => "models",
        }
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
}

fn is_segment(segment: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b':' | b'-');
    segment.bytes().all(allowed) && segment.bytes().any(|byte| byte != b'.')
}

#[cfg(test)]
mod tests;
