//! How are texts embedded here?
//!
//! Converse has no word for it: each maker's own request goes to `/invoke`. Titan's text models take one text at a time,
//! Cohere's up to 96; other makers' aren't spoken. What is too long is refused and not cut, as at OpenAI. Cohere wants to
//! know what the vectors are for: `input_type`, which its own clients send, and `search_document` without it.
//!
//! Source: Amazon Bedrock's user guide, *Amazon Titan Embeddings G1 - Text*, *Cohere Embed v3* and *v4*; usage stands in
//! Titan's answers, and for each model in the header [`super::INPUT_TOKENS_HEADER`].

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::named;
use crate::anthropic::malformed;
use crate::azure::BadName;
use crate::openai::chat::{count, unsayable, wrong};
use crate::openai::embeddings::{self, Form, Request, Vectors, input_only};
use crate::openai::request::BadRequest;
use crate::openai::response::Malformed;
use crate::usage::Reading;

/// The most texts that Cohere's models take at once.
const MAX_COHERE_TEXTS: usize = 96;

/// The lengths of the vectors that Titan's second text model can make.
const TITAN_DIMENSIONS: [u64; 3] = [256, 512, 1024];

/// Whose request a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Amazon's text models; from the second on the length of the vectors can be chosen.
    Titan { sized: bool },
    /// Cohere's; from v4 on the length of the vectors can be chosen.
    Cohere { sized: bool },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Titan<'a> {
    input_text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u64>,
}

#[derive(Serialize)]
struct Cohere<'a> {
    texts: &'a [Cow<'a, str>],
    input_type: &'a str,
    truncate: &'static str,
    embedding_types: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimension: Option<u64>,
}

/// An answer of either family.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    embedding: Option<&'a RawValue>,
    input_text_token_count: Option<Value>,
    #[serde(borrow)]
    embeddings: Option<&'a RawValue>,
}

/// Cohere's vectors by their type, where a type was asked for.
#[derive(Deserialize)]
struct ByType<'a> {
    #[serde(borrow)]
    float: Vec<&'a RawValue>,
}

impl Family {
    /// By the model's id, or the ARN of an inference profile that has it in its name.
    ///
    /// # Errors
    /// [`BadRequest`] for a model whose request isn't spoken, or whose name doesn't tell.
    pub fn of(name: &str) -> Result<Self, BadRequest> {
        if name.contains("titan-embed-text") || name.contains("titan-embed-g1-text") {
            Ok(Self::Titan { sized: name.contains("text-v2") })
        } else if name.contains("cohere.embed") {
            Ok(Self::Cohere { sized: !name.contains("-v3") })
        } else {
            Err(BadRequest {
                code: "operation_not_spoken",
                param: None,
                message: "say this operation in the provider's language: of its models that embed, only Titan's for \
                          text and Cohere's are known, by their ids"
                    .to_owned(),
            })
        }
    }

    /// What follows the provider's prefix in the path of a call to the model `name`.
    ///
    /// # Errors
    /// As for [`super::path`].
    pub fn path(self, name: &str) -> Result<String, BadName> {
        named(name, "invoke")
    }

    /// Says the embeddings request `body` here, and how its answer is to be given.
    ///
    /// # Errors
    /// [`BadRequest`] if it isn't one, has tokens for texts, more texts than the model takes, or asks for a length that it
    /// doesn't make.
    pub fn request(self, body: &[u8]) -> Result<(Vec<u8>, Form), BadRequest> {
        let request = embeddings::read(body, "input_type")?;
        let said = match self {
            Self::Titan { sized } => titan(&request, sized)?,
            Self::Cohere { sized } => cohere(&request, sized)?,
        };
        Ok((said, request.form))
    }

    /// Says an answer in OpenAI's words; `model` is what it calls the model, and `input_tokens` what its header tells.
    ///
    /// # Errors
    /// [`Malformed`] if it is no answer of this family, or has not one vector for each text.
    pub fn response(
        self,
        body: &[u8],
        model: &str,
        form: Form,
        input_tokens: Option<u64>,
    ) -> Result<Vec<u8>, Malformed> {
        let answer: Answer<'_> =
            serde_json::from_slice(body).map_err(|error| malformed(&error, "embeddings of Bedrock's"))?;
        let values = match self {
            Self::Titan { .. } => answer.embedding.into_iter().collect(),
            Self::Cohere { .. } => vectors(answer.embeddings)?,
        };
        let mut hostile = None;
        let input = match (&answer.input_text_token_count, input_tokens) {
            (Some(told), _) => input_only(count(Some(told), &mut hostile)),
            (None, Some(told)) => input_only(told),
            (None, None) => Reading::Absent,
        };
        let input = hostile.map_or(input, Reading::Hostile);
        Vectors { values, input }.to_vec(model, form)
    }
}

fn titan(request: &Request<'_>, sized: bool) -> Result<Vec<u8>, BadRequest> {
    request.at_most(1)?;
    if request.purpose.is_some() {
        return Err(unsayable("input_type", "this model has no word for it"));
    }
    match request.dimensions {
        Some(_) if !sized => return Err(unsayable("dimensions", "this model's vectors have one length")),
        Some(asked) if !TITAN_DIMENSIONS.contains(&asked) => {
            return Err(unsayable("dimensions", "this model's vectors have 256, 512 or 1,024 dimensions"));
        }
        _ => {}
    }
    written(&request.texts.first().map(|text| Titan { input_text: text, dimensions: request.dimensions }))
}

fn cohere(request: &Request<'_>, sized: bool) -> Result<Vec<u8>, BadRequest> {
    request.at_most(MAX_COHERE_TEXTS)?;
    if request.dimensions.is_some() && !sized {
        return Err(unsayable("dimensions", "this model's vectors have one length"));
    }
    let input_type = request.purpose.as_deref().unwrap_or("search_document");
    if !["search_document", "search_query", "classification", "clustering"].contains(&input_type) {
        return Err(wrong(
            "input_type",
            "be `search_document`, `search_query`, `classification` or `clustering`",
        ));
    }
    written(&Cohere {
        texts: &request.texts,
        input_type,
        truncate: "NONE",
        embedding_types: ["float"],
        output_dimension: request.dimensions,
    })
}

fn written(said: &impl Serialize) -> Result<Vec<u8>, BadRequest> {
    // INVARIANT: strings and numbers can't fail to be written.
    serde_json::to_vec(said).map_err(|_| wrong("input", "be writable"))
}

/// Cohere's vectors, by their type or without.
fn vectors(raw: Option<&RawValue>) -> Result<Vec<&RawValue>, Malformed> {
    let raw = raw.ok_or(Malformed { at: 0, expected: "embeddings" })?;
    let read = if raw.get().starts_with('[') {
        serde_json::from_str(raw.get())
    } else {
        serde_json::from_str(raw.get()).map(|ByType { float }| float)
    };
    read.map_err(|error| malformed(&error, "vectors of floats"))
}

#[cfg(test)]
mod tests;
