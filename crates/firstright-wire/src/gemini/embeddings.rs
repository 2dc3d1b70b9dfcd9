//! How are texts embedded here?
//!
//! The Gemini API takes a batch by `:batchEmbedContents`. Vertex AI takes one by `:predict`, of the older models and of
//! `gemini-embedding-001`; its later models are asked by `:embedContent`, which makes one vector of all that it is given
//! and so takes one text; `gemini-embedding-001` takes one too. What is too long is refused and not cut, as at OpenAI, where Vertex AI leaves the choice.
//!
//! `dimensions` is `outputDimensionality`: vectors of fewer dimensions than the model's own come from
//! `gemini-embedding-001` cut and not normalised. `task_type` says what the vectors are for, and `title` can't be said.
//!
//! Source: Vertex AI's REST reference (*Text embeddings API*, `EmbedContentRequest`), the Gemini API's reference
//! (*Embeddings*), and Google's client libraries, which choose the method by the model's name as [`Method::of`] does.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{called, collection};
use crate::anthropic::malformed;
use crate::azure::BadName;
use crate::openai::chat::{count, wrong};
use crate::openai::embeddings::{self, Form, Vectors, input_only};
use crate::openai::request::BadRequest;
use crate::openai::response::Malformed;
use crate::usage::Reading;

/// The most texts that `:predict` takes at once; Gemini's own model takes one.
const MAX_INSTANCES: usize = 250;

/// The most texts that `:batchEmbedContents` takes at once.
const MAX_BATCH: usize = 100;

/// How a model is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Predict,
    EmbedContent,
    BatchEmbedContents,
}

#[derive(Serialize)]
struct Predict<'a> {
    instances: Vec<Instance<'a>>,
    parameters: Config<'a>,
}

#[derive(Serialize)]
struct Instance<'a> {
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'a str>,
}

/// What `:predict` calls parameters.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    auto_truncate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct One<'a> {
    content: Content<'a>,
    embed_content_config: Config<'a>,
}

#[derive(Serialize)]
struct Batch<'a> {
    requests: Vec<BatchItem<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchItem<'a> {
    model: &'a str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u64>,
}

#[derive(Serialize)]
struct Content<'a> {
    parts: [Part<'a>; 1],
}

#[derive(Serialize)]
struct Part<'a> {
    text: &'a str,
}

/// An answer to any of the methods.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow, default)]
    predictions: Vec<Prediction<'a>>,
    #[serde(borrow)]
    embedding: Option<Embedding<'a>>,
    #[serde(borrow, default)]
    embeddings: Vec<Embedding<'a>>,
    #[serde(default)]
    usage_metadata: Metadata,
}

#[derive(Deserialize)]
struct Prediction<'a> {
    #[serde(borrow)]
    embeddings: Embedding<'a>,
}

#[derive(Deserialize)]
struct Embedding<'a> {
    #[serde(borrow)]
    values: &'a RawValue,
    #[serde(default)]
    statistics: Statistics,
}

#[derive(Default, Deserialize)]
struct Statistics {
    token_count: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    prompt_token_count: Option<Value>,
}

impl Method {
    /// By the prefix that stands before the model, which tells Vertex AI from the Gemini API, and by the model's name.
    #[must_use]
    pub fn of(prefix: &str, name: &str) -> Self {
        let (_, model) = collection(name);
        if !prefix.contains("/publishers/") {
            Self::BatchEmbedContents
        } else if (model.contains("gemini") && model != "gemini-embedding-001") || model.contains("maas") {
            Self::EmbedContent
        } else {
            Self::Predict
        }
    }

    /// What follows the provider's prefix in the path of a call to the model `name`.
    ///
    /// # Errors
    /// As for [`super::path`].
    pub fn path(self, name: &str) -> Result<String, BadName> {
        called(
            name,
            match self {
                Self::Predict => "predict",
                Self::EmbedContent => "embedContent",
                Self::BatchEmbedContents => "batchEmbedContents",
            },
        )
    }

    /// Says the embeddings request `body` here, and how its answer is to be given.
    ///
    /// # Errors
    /// [`BadRequest`] if it isn't one, has tokens for texts, or more texts than the method takes.
    pub fn request(self, body: &[u8], name: &str) -> Result<(Vec<u8>, Form), BadRequest> {
        let request = embeddings::read(body, "task_type")?;
        let (task_type, output_dimensionality) = (request.purpose.as_deref(), request.dimensions);
        let config = |task_type| Config { auto_truncate: false, output_dimensionality, task_type };
        let content = |text| Content { parts: [Part { text }] };
        let texts = request.texts.iter().map(Cow::as_ref);
        let said = match self {
            Self::Predict => {
                request.at_most(if collection(name).1.contains("gemini") { 1 } else { MAX_INSTANCES })?;
                let instances = texts.map(|content| Instance { content, task_type }).collect();
                serde_json::to_vec(&Predict { instances, parameters: config(None) })
            }
            Self::EmbedContent => {
                request.at_most(1)?;
                let one = |text| One { content: content(text), embed_content_config: config(task_type) };
                serde_json::to_vec(&texts.map(one).next())
            }
            Self::BatchEmbedContents => {
                request.at_most(MAX_BATCH)?;
                let (collection, model) = collection(name);
                let model = &format!("{collection}/{model}");
                let item =
                    |text| BatchItem { model, content: content(text), task_type, output_dimensionality };
                serde_json::to_vec(&Batch { requests: texts.map(item).collect() })
            }
        };
        // INVARIANT: strings and numbers can't fail to be written.
        Ok((said.map_err(|_| wrong("input", "be writable"))?, request.form))
    }

    /// Says an answer in OpenAI's words; `model` is what it calls the model, which the provider doesn't tell.
    ///
    /// # Errors
    /// [`Malformed`] if it is no answer of this method, or has not one vector for each text.
    pub fn response(self, body: &[u8], model: &str, form: Form) -> Result<Vec<u8>, Malformed> {
        let answer: Answer<'_> =
            serde_json::from_slice(body).map_err(|error| malformed(&error, "embeddings of Gemini's"))?;
        let embeddings: Vec<Embedding<'_>> = match self {
            Self::Predict => answer.predictions.into_iter().map(|one| one.embeddings).collect(),
            Self::EmbedContent => answer.embedding.into_iter().collect(),
            Self::BatchEmbedContents => answer.embeddings,
        };
        let input = match self {
            Self::Predict => sum(embeddings.iter().map(|one| one.statistics.token_count.as_ref())),
            _ => sum(std::iter::once(answer.usage_metadata.prompt_token_count.as_ref())),
        };
        let values = embeddings.iter().map(|one| one.values).collect();
        Vectors { values, input }.to_vec(model, form)
    }
}

/// All that was counted; absent if any was not.
fn sum<'v>(counts: impl Iterator<Item = Option<&'v Value>>) -> Reading {
    let mut total = 0_u64;
    for told in counts {
        let Some(told) = told else { return Reading::Absent };
        let mut hostile = None;
        // What Vertex AI keeps in its own general type may come as `7.0`.
        let whole = told.as_f64().filter(|number| number.fract() == 0.0 && *number < 1e15);
        let told = match whole {
            Some(number) if told.is_f64() => &Value::from(number as i64),
            _ => told,
        };
        total = total.saturating_add(count(Some(told), &mut hostile));
        if let Some(why) = hostile {
            return Reading::Hostile(why);
        }
    }
    input_only(total)
}

#[cfg(test)]
mod tests;
