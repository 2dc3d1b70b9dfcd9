//! What does a chat request say, taken apart for a provider of another language; and how is that provider's answer put
//! into this one?
//!
//! A translator reads [`Request`] (or [`read`]s it and refuses what its language has no word for), and writes its
//! provider's answer by [`Completion`] or, as a stream, by [`Chunks`]. What is read here is the *Create chat completion*
//! operation of OpenAI's API reference; schemas, arguments and marks stay the raw text that the client wrote, so that
//! neither the order of keys nor the digits of a number change on the way.
//!
//! # What is dropped
//! The members named in [`HARMLESS`] are read over: without them the answer means the same. Everything else that a
//! translator can't say is refused by its `param`, an unknown member by its name, as OpenAI itself does.

mod message;
mod request;
mod write;

pub use message::{Assistant, Audio, File, Image, Message, Part, Source, ToolCall};
pub use request::{Effort, Format, Request, Schema, Tool, ToolChoice, read};
pub(crate) use request::{Members, decode, members, text};
pub(crate) use write::string;
pub use write::{Choice, Chunks, Completion, Finish, count, usage_into};

use crate::openai::request::BadRequest;

/// Members that change neither what is answered nor what it costs, so that a provider without them loses nothing: where
/// OpenAI keeps or caches a call, whom it holds to account, a guess of the answer that would only make it faster, and the
/// padding of a stream. `seed` is best effort by OpenAI's own word, `verbosity` a wish about style.
pub const HARMLESS: [&str; 8] = [
    "store",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "safety_identifier",
    "prediction",
    "seed",
    "verbosity",
];

/// A refusal of a request that is in order, but can't be said in the provider's language. Another provider may know the word.
pub fn unsayable(param: &'static str, why: &str) -> BadRequest {
    BadRequest {
        code: "unsupported_parameter",
        param: Some(param),
        message: format!("put `{param}` into the provider's language: {why}"),
    }
}

/// A refusal of a member that neither this dialect nor the provider's has.
pub(crate) fn unknown(name: &str) -> BadRequest {
    BadRequest {
        code: "unknown_parameter",
        param: None,
        message: format!("put `{}` into the provider's language: it is unknown", name.escape_debug()),
    }
}

pub(crate) fn wrong(param: &'static str, must: &str) -> BadRequest {
    BadRequest {
        code: "invalid_value",
        param: Some(param),
        message: format!("accept the request: `{param}` must {must}"),
    }
}

#[cfg(test)]
mod tests;
