//! How does Anthropic's dialect speak, and how is it said in OpenAI's words?
//!
//! Outwards, [`request`], [`response`], [`Stream`] and [`refusal`] let a client of OpenAI's dialect be served by a
//! provider of this one: Anthropic itself, or Foundry, Bedrock and Vertex where they speak it. Inwards, [`inbound`] lets
//! a client of this dialect be served by any provider; where that one speaks it too, the bytes pass as they are and
//! [`meter`] reads them. The source is Anthropic's API reference, version `2023-06-01`.
//!
//! # What the mapping decides
//! - Messages of the system are gathered at the front, wherever they stood.
//! - `max_tokens` is required here: the caller's, else the default that the configuration gives.
//! - `reasoning_effort` asks for adaptive thinking and that effort of models from 4.6 on, and for a budget that is a share
//!   of `max_tokens` of older ones; a name without a version counts as new. A forced tool, or an earlier tool call
//!   without its signed thought, rules a budget out, since the provider would refuse both together.
//! - Thoughts come back as `reasoning_content`, which OpenAI's clients read over, and with their signatures as
//!   `thinking_blocks`, which a client may echo; `thinking` and `top_k` may be given as they are.
//! - `response_format` of type `json_schema` is `output_config.format`; `json_object` has no counterpart and is refused.
//! - `service_tier` of `auto` and `priority` is `auto` (priority capacity, if there is any), `default` is `standard_only`.
//! - Ids of tool calls that other providers gave are put into the alphabet that is allowed here; empty texts are left
//!   out, and so is `detail` of a picture, which is always looked at closely.

pub mod inbound;
pub mod meter;
mod refusal;
mod request;
mod response;
mod stream;
mod usage;

pub use refusal::refusal;
pub use request::request;
pub(crate) use request::{called_without_thought, is_adaptive};
pub(crate) use response::malformed;
pub use response::response;
pub use stream::Stream;

use crate::azure::BadName;

/// The header that carries the key.
pub const KEY_HEADER: &str = "x-api-key";

/// The header that names the version of the API; without it every call is refused.
pub const VERSION_HEADER: &str = "anthropic-version";

/// The version that this module speaks, the only one so far.
pub const VERSION: &str = "2023-06-01";

/// The path of a call below a base such as `https://api.anthropic.com`, or `https://{resource}.services.ai.azure.com/anthropic`.
/// The model stands in the body.
///
/// # Errors
/// None: the signature is that of all translators.
pub fn path(_name: &str, _stream: bool) -> Result<String, BadName> {
    Ok("/v1/messages".to_owned())
}

/// The path that counts a request's tokens, below the same base.
pub const COUNT_TOKENS_PATH: &str = "/v1/messages/count_tokens";
