//! How does OCI Generative AI's native dialect speak, and how is it said in OpenAI's words?
//!
//! One path serves whole answers and streams; the model stands in the body, beside the compartment that pays. Inside are
//! three languages: `GENERIC` (Llama, Grok, Gemini, OpenAI's models: near to OpenAI's own), `COHERE` (Command models) and
//! `COHEREV2` (of these the later ones: pictures and thoughts can be said in it alone).
//! Where a region offers OpenAI's dialect itself ([`OPENAI_BASE_PATH`]), none of this is needed but the headers.
//! The source is Oracle's API reference, version `20231130`, and its Python SDK's models.
//!
//! # What the mapping decides
//! - A name that is an endpoint's OCID is served by dedicated capacity, any other on demand.
//! - Left out: `strict` of a tool, `user`, `metadata`, marks of caches, thoughts of earlier turns: nothing there stands for
//!   them.
//! - `COHERE` takes one text as the message and the rest as history; trailing results of tools are its `toolResults`. A
//!   tool's parameters lose the bounds that Python's types don't have; a choice of values goes into the description.
//! - A stream has no event that ends it: it is complete if each choice told why it finished before the bytes stopped.
//! - `COHEREV2` has no scale of effort: `none` turns thinking off and any other effort turns it on. It can be made to call
//!   some function, but not a certain one. A plan that it tells before its calls is a thought.
//! - Answers of `COHEREV2` alone have an id; `created` is told by `GENERIC` whole answers only.

mod cohere;
mod cohere_v2;
mod generic;
mod refusal;
mod request;
mod response;
mod stream;

pub use refusal::refusal;
pub use request::request;
pub use response::response;
pub use stream::Stream;

use crate::azure::BadName;

/// The base path of OpenAI's dialect at `https://inference.generativeai.{region}.oci.oraclecloud.com`.
pub const OPENAI_BASE_PATH: &str = "/openai/v1";

/// The older base path of OpenAI's dialect, at the same host.
pub const OLDER_OPENAI_BASE_PATH: &str = "/20231130/actions/v1";

/// The headers that name the compartment of a call in OpenAI's dialect; servers read the one or the other.
pub const COMPARTMENT_HEADERS: [&str; 2] = ["CompartmentId", "opc-compartment-id"];

/// How the OCID of a dedicated endpoint begins.
const ENDPOINT_OCID: &str = "ocid1.generativeaiendpoint.";

/// The language within a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiFormat {
    Generic,
    Cohere,
    CohereV2,
}

impl ApiFormat {
    /// The one that a model's name calls for. An OCID doesn't tell: then the configuration must.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name.strip_prefix("cohere.") {
            None => Self::Generic,
            Some(model) if model.contains("-vision") || model.contains("-reasoning") => Self::CohereV2,
            Some(_) => Self::Cohere,
        }
    }
}

/// The path of a call at `https://inference.generativeai.{region}.oci.oraclecloud.com`.
///
/// # Errors
/// None: the signature is that of all translators.
pub fn path(_name: &str, _stream: bool) -> Result<String, BadName> {
    Ok("/20231130/actions/chat".to_owned())
}
