//! How are texts embedded in Google's and in Amazon's words? What a request asks for, and what its answer looks like.

use std::fmt::Write;

use firstright_sim::rng::Rng;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::answer::{Meta, floats};
use super::request::{Asked, MAX_DIMENSIONS, between, plain};

/// Whose words an embedding is asked for in, by the last part of the path and the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    OpenAi,
    /// Vertex AI's `:predict`.
    Predict,
    /// Vertex AI's `:embedContent`, of one text.
    EmbedContent,
    /// The Gemini API's batch.
    Batch,
    /// Bedrock's `/invoke` with the body of Amazon's model.
    Titan,
    /// Bedrock's `/invoke` with the body of Cohere's.
    Cohere,
}

/// A body in any of them: which members there are tells which.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    instances: Option<Vec<Instance>>,
    parameters: Option<Config>,
    content: Option<Content>,
    embed_content_config: Option<Config>,
    requests: Option<Vec<Item>>,
    input_text: Option<String>,
    dimensions: Option<u64>,
    texts: Option<Vec<String>>,
    #[serde(rename = "input_type")]
    input_type: Option<String>,
    #[serde(rename = "output_dimension")]
    output_dimension: Option<u64>,
}

#[derive(Deserialize)]
struct Instance {
    content: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    model: String,
    content: Content,
    output_dimensionality: Option<u64>,
}

#[derive(Deserialize)]
struct Content {
    parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    output_dimensionality: Option<u64>,
    #[serde(rename = "autoTruncate")]
    _auto_truncate: Option<IgnoredAny>,
}

/// Reads what comes to `path`. The error is what the client is told, with status 400.
pub(super) fn read(path: &str, body: &[u8]) -> Result<Asked, String> {
    let body: Body =
        serde_json::from_slice(body).map_err(|error| format!("failed to parse the body: {error}"))?;
    let method = path.rsplit([':', '/']).next().unwrap_or_default();
    let sized = |config: Option<Config>| config.unwrap_or_default().output_dimensionality;
    let whole = |content: Content| content.parts.into_iter().map(|part| part.text).collect::<String>();
    let (words, texts, dimensions) = match (method, body) {
        ("predict", Body { instances: Some(instances), parameters, .. }) => {
            let texts = instances.into_iter().map(|one| one.content).collect();
            (Words::Predict, texts, sized(parameters))
        }
        ("embedContent", Body { content: Some(content), embed_content_config, .. }) => {
            (Words::EmbedContent, vec![whole(content)], sized(embed_content_config))
        }
        ("batchEmbedContents", Body { requests: Some(requests), .. }) => {
            if requests.iter().any(|one| !path.contains(&format!("/{}:", one.model))) {
                return Err("each request must be for the model of the path".to_owned());
            }
            let dimensions = requests.first().and_then(|one| one.output_dimensionality);
            (Words::Batch, requests.into_iter().map(|one| whole(one.content)).collect(), dimensions)
        }
        ("invoke", Body { input_text: Some(text), dimensions, .. }) => (Words::Titan, vec![text], dimensions),
        ("invoke", Body { texts: Some(texts), input_type: Some(_), output_dimension, .. }) => {
            (Words::Cohere, texts, output_dimension)
        }
        _ => return Err(format!("Malformed input request for `{method}`")),
    };
    if texts.is_empty() || texts.iter().any(String::is_empty) {
        return Err("there is no text to embed".to_owned());
    }
    let asked = plain(None, None, &texts.concat(), None);
    let dimensions = between("dimensions", dimensions.unwrap_or(asked.dimensions), MAX_DIMENSIONS)?;
    Ok(Asked { results: texts.len() as u64, dimensions, words, ..asked })
}

/// The answer; the tokens that it tells add up to those of the call.
pub(super) fn whole(meta: &Meta, asked: &Asked, mut rng: Rng) -> String {
    let Asked { results, dimensions, .. } = *asked;
    let prompt = meta.usage.prompt;
    let mut list = |before: &str, after: &dyn Fn(u64) -> String| {
        let mut out = String::new();
        for index in 0..results {
            out.push_str(if index == 0 { "" } else { "," });
            out.push_str(before);
            floats(&mut out, dimensions, &mut rng);
            out.push_str(&after(index));
        }
        out
    };
    let close = |_: u64| "}".to_owned();
    let mut out = String::new();
    let _ = match asked.words {
        Words::Predict => {
            let share = |index| {
                if index == 0 { prompt - (results - 1) * (prompt / results) } else { prompt / results }
            };
            let told =
                |index| format!(r#","statistics":{{"truncated":false,"token_count":{}}}}}}}"#, share(index));
            write!(out, r#"{{"predictions":[{}]}}"#, list(r#"{"embeddings":{"values":"#, &told))
        }
        Words::EmbedContent => write!(
            out,
            r#"{{"embedding":{},"usageMetadata":{{"promptTokenCount":{prompt},"totalTokenCount":{prompt}}},"truncated":false}}"#,
            list(r#"{"values":"#, &close)
        ),
        Words::Batch => write!(out, r#"{{"embeddings":[{}]}}"#, list(r#"{"values":"#, &close)),
        Words::Titan => {
            write!(out, r#"{{"embedding":{},"inputTextTokenCount":{prompt}}}"#, list("", &|_| String::new()))
        }
        Words::Cohere => write!(
            out,
            r#"{{"id":"{}","embeddings":{{"float":[{}]}},"response_type":"embeddings_by_type"}}"#,
            meta.id,
            list("", &|_| String::new())
        ),
        // OpenAI's has its own writer.
        Words::OpenAi => Ok(()),
    };
    out
}
