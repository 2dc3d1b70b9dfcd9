//! Which languages are spoken beside OpenAI's, as one closed choice?
//!
//! A gateway that is OpenAI-shaped inside needs five things of each: a path, a request, an answer, a stream, a refusal.
//! Every language has them under the same names in its own module; this only chooses. What else a language has (Gemini's
//! [`crate::gemini::TrafficType`], Anthropic's headers) is asked of its module.

use crate::azure::BadName;
use crate::azure::refusal::Refusal;
use crate::oci::{self, ApiFormat};
use crate::openai::embeddings::Form;
use crate::openai::request::BadRequest;
use crate::openai::response::Malformed;
use crate::{anthropic, bedrock, gemini};

/// A provider's language that has to be translated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Language {
    /// Anthropic's Messages API, also as Foundry serves it.
    Anthropic,
    /// Amazon Bedrock's Converse.
    Bedrock,
    /// Google's `generateContent`, of the Gemini API and of Vertex AI.
    Gemini,
    /// OCI Generative AI's own, for the models that Oracle doesn't serve in OpenAI's.
    Oci {
        /// The OCID of the compartment that pays.
        compartment: String,
        /// By [`ApiFormat::of`] the model's name, unless that is an OCID.
        format: ApiFormat,
    },
}

/// How a language embeds texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Embedding {
    Bedrock(bedrock::embeddings::Family),
    Gemini(gemini::embeddings::Method),
}

/// One stream on its way into OpenAI's language.
#[derive(Debug, Clone)]
pub enum Stream {
    Anthropic(anthropic::Stream),
    Bedrock(bedrock::Stream),
    Gemini(gemini::Stream),
    Oci(oci::Stream),
}

impl Language {
    /// What follows the provider's prefix in the path of a chat with the model `name`.
    ///
    /// # Errors
    /// [`BadName`] for a name that can't stand there.
    pub fn path(&self, name: &str, stream: bool) -> Result<String, BadName> {
        match self {
            Self::Anthropic => anthropic::path(name, stream),
            Self::Bedrock => bedrock::path(name, stream),
            Self::Gemini => gemini::path(name, stream),
            Self::Oci { .. } => oci::path(name, stream),
        }
    }

    /// Says an OpenAI chat request to the model `name`. `default_max_output` bounds the answer, in tokens, where the
    /// request doesn't.
    ///
    /// # Errors
    /// [`BadRequest`] for what is no chat request, or can't be said.
    pub fn request(&self, body: &[u8], name: &str, default_max_output: u64) -> Result<Vec<u8>, BadRequest> {
        match self {
            Self::Anthropic => anthropic::request(body, name, default_max_output),
            Self::Bedrock => bedrock::request(body, name, default_max_output),
            Self::Gemini => gemini::request(body, name, default_max_output),
            Self::Oci { compartment, format } => {
                oci::request(body, name, default_max_output, compartment, *format)
            }
        }
    }

    /// Says a whole answer in OpenAI's language. `model` is what it calls the model if it doesn't tell its own name.
    ///
    /// # Errors
    /// [`Malformed`] for what is no answer of this language.
    pub fn response(&self, body: &[u8], model: &str) -> Result<Vec<u8>, Malformed> {
        match self {
            Self::Anthropic => anthropic::response(body, model),
            Self::Bedrock => bedrock::response(body, model),
            Self::Gemini => gemini::response(body, model),
            Self::Oci { .. } => oci::response(body, model),
        }
    }

    /// How texts are embedded by the model `name`, behind this `prefix` of the path.
    ///
    /// # Errors
    /// [`BadRequest`] if the language, or the translator, has no word for it.
    pub fn embedding(&self, prefix: &str, name: &str) -> Result<Embedding, BadRequest> {
        match self {
            Self::Bedrock => bedrock::embeddings::Family::of(name).map(Embedding::Bedrock),
            Self::Gemini => Ok(Embedding::Gemini(gemini::embeddings::Method::of(prefix, name))),
            Self::Anthropic | Self::Oci { .. } => Err(not_spoken()),
        }
    }

    /// What a reply without success means, and its body in OpenAI's shape.
    #[must_use]
    pub fn refusal(&self, status: u16, body: &[u8]) -> (Refusal, Vec<u8>) {
        match self {
            Self::Anthropic => anthropic::refusal(status, body),
            Self::Bedrock => bedrock::refusal(status, body),
            Self::Gemini => gemini::refusal(status, body),
            Self::Oci { .. } => oci::refusal(status, body),
        }
    }

    /// A new stream; `model` as for [`Language::response`].
    #[must_use]
    pub fn stream(&self, model: &str) -> Stream {
        match self {
            Self::Anthropic => Stream::Anthropic(anthropic::Stream::new(model)),
            Self::Bedrock => Stream::Bedrock(bedrock::Stream::new(model)),
            Self::Gemini => Stream::Gemini(gemini::Stream::new(model)),
            Self::Oci { .. } => Stream::Oci(oci::Stream::new(model)),
        }
    }

    /// The content type of a stream.
    #[must_use]
    pub fn stream_type(&self) -> &'static str {
        match self {
            Self::Anthropic | Self::Gemini | Self::Oci { .. } => "text/event-stream",
            Self::Bedrock => bedrock::STREAM_TYPE,
        }
    }
}

/// A refusal of an operation that a language, or its translator, has no word for.
#[must_use]
pub fn not_spoken() -> BadRequest {
    let message = "say this operation in the provider's language: it has no word for it".to_owned();
    BadRequest { code: "operation_not_spoken", param: None, message }
}

impl Embedding {
    /// What follows the provider's prefix in the path of a call to the model `name`.
    ///
    /// # Errors
    /// [`BadName`] for a name that can't stand there.
    pub fn path(self, name: &str) -> Result<String, BadName> {
        match self {
            Self::Bedrock(family) => family.path(name),
            Self::Gemini(method) => method.path(name),
        }
    }

    /// Says an OpenAI embeddings request to the model `name`, and how its answer is to be given.
    ///
    /// # Errors
    /// [`BadRequest`] for what is no embeddings request, or can't be said.
    pub fn request(self, body: &[u8], name: &str) -> Result<(Vec<u8>, Form), BadRequest> {
        match self {
            Self::Bedrock(family) => family.request(body),
            Self::Gemini(method) => method.request(body, name),
        }
    }

    /// Says a whole answer in OpenAI's language. `model` is what it calls the model; `input_tokens` is what the value of
    /// [`bedrock::INPUT_TOKENS_HEADER`] says, where there is one.
    ///
    /// # Errors
    /// [`Malformed`] for what is no answer of this language.
    pub fn response(
        self,
        body: &[u8],
        model: &str,
        form: Form,
        input_tokens: Option<u64>,
    ) -> Result<Vec<u8>, Malformed> {
        match self {
            Self::Bedrock(family) => family.response(body, model, form, input_tokens),
            Self::Gemini(method) => method.response(body, model, form),
        }
    }
}

impl Stream {
    /// Takes the next bytes, cut anywhere, and appends the events that they make to `out`.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes are no stream of this language. What was appended before still holds.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        match self {
            Self::Anthropic(stream) => stream.push(bytes, out),
            Self::Bedrock(stream) => stream.push(bytes, out),
            Self::Gemini(stream) => stream.push(bytes, out),
            Self::Oci(stream) => stream.push(bytes, out),
        }
    }

    /// The provider has no more bytes; appends what is left to say. Tells whether the stream told its end, be it by an
    /// error, which `out` has then; if not, it was cut.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Anthropic(stream) => stream.finish(out),
            Self::Bedrock(stream) => stream.finish(out),
            Self::Gemini(stream) => stream.finish(out),
            Self::Oci(stream) => stream.finish(out),
        }
    }
}

#[cfg(test)]
mod tests;
