//! Which operation does this path ask for?

use firstright_sim::cloud::{Dialect, Operation};

#[cfg(test)]
mod tests;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// The deployment stands in the path, or else in the body's `model`.
    Call {
        operation: Operation,
        deployment: Option<&'a str>,
        /// The path asks for a stream, whatever the body says.
        stream: bool,
    },
    Models,
    /// One file or all of them, or what a file holds.
    Files {
        id: Option<&'a str>,
        content: bool,
    },
}

/// None: no such resource in this dialect.
pub(super) fn route<'a>(dialect: Dialect, path: &'a str, query: Option<&str>) -> Option<Route<'a>> {
    match dialect {
        Dialect::Openai => plain(path.strip_prefix("/v1/")?),
        Dialect::Azure => azure(path.strip_prefix("/openai/")?, query.unwrap_or("")),
        Dialect::Anthropic => (path == "/v1/messages").then_some(Route::Call {
            operation: Operation::Chat,
            deployment: None,
            stream: false,
        }),
        Dialect::Bedrock => {
            let (name, method) = path.strip_prefix("/model/")?.split_once('/')?;
            let methods = ("converse", "converse-stream");
            named(name, method, methods).or_else(|| embedding(name, method, &["invoke"]))
        }
        Dialect::Gemini => gemini(path, query.unwrap_or("")),
        Dialect::Oci => (path == "/20231130/actions/chat").then_some(Route::Call {
            operation: Operation::Chat,
            deployment: None,
            stream: false,
        }),
    }
}

/// At the Gemini API the version stands before the models, at Vertex AI a project and a location too.
fn gemini<'a>(path: &'a str, query: &str) -> Option<Route<'a>> {
    let (before, call) = path.split_once("/models/")?;
    let place: Vec<&str> = before.split('/').collect();
    let known = matches!(
        place[..],
        ["", "v1beta"] | ["", "v1", "projects", _, "locations", _, "publishers", "google"]
    );
    let (name, method) = call.split_once(':').filter(|_| known)?;
    // Without `alt=sse` Google streams one long array.
    let sse = query.split('&').any(|pair| pair == "alt=sse");
    let methods = ("generateContent", if sse { "streamGenerateContent" } else { "generateContent" });
    let embeds: &[_] = match place.len() {
        2 => &["batchEmbedContents"],
        _ => &["predict", "embedContent"],
    };
    named(name, method, methods).or_else(|| embedding(name, method, embeds))
}

/// A call whose path names the deployment, and whose method embeds texts.
fn embedding<'a>(name: &'a str, method: &str, methods: &[&str]) -> Option<Route<'a>> {
    let known = methods.contains(&method) && !name.is_empty() && !name.contains('/');
    known.then_some(Route::Call { operation: Operation::Embeddings, deployment: Some(name), stream: false })
}

/// A call whose path names the deployment, and by its method whether it streams.
fn named<'a>(name: &'a str, method: &str, (whole, streamed): (&str, &str)) -> Option<Route<'a>> {
    let stream = method != whole && method == streamed;
    let known = (method == whole || stream) && !name.is_empty() && !name.contains('/');
    known.then_some(Route::Call { operation: Operation::Chat, deployment: Some(name), stream })
}

fn azure<'a>(path: &'a str, query: &str) -> Option<Route<'a>> {
    if let Some(path) = path.strip_prefix("v1/") {
        return plain(path);
    }
    let dated =
        query.split('&').any(|pair| pair.strip_prefix("api-version=").is_some_and(|date| !date.is_empty()));
    if !dated {
        return None;
    }
    if let Some((deployment, path)) = path.strip_prefix("deployments/").and_then(|path| path.split_once('/'))
    {
        // Responses name the deployment in the body, so they have no path of this form.
        return match operation(path)? {
            Operation::Responses => None,
            operation => Some(Route::Call { operation, deployment: Some(deployment), stream: false }),
        };
    }
    match path {
        "responses" | "models" => plain(path),
        _ => None,
    }
}

fn plain(path: &str) -> Option<Route<'_>> {
    match path {
        "models" => Some(Route::Models),
        "files" => Some(Route::Files { id: None, content: false }),
        _ if path.starts_with("files/") => {
            let rest = &path["files/".len()..];
            let (id, content) = match rest.strip_suffix("/content") {
                Some(id) => (id, true),
                None => (rest, false),
            };
            (!id.is_empty() && !id.contains('/')).then_some(Route::Files { id: Some(id), content })
        }
        _ => Some(Route::Call { operation: operation(path)?, deployment: None, stream: false }),
    }
}

fn operation(path: &str) -> Option<Operation> {
    match path {
        "chat/completions" => Some(Operation::Chat),
        "responses" => Some(Operation::Responses),
        "embeddings" => Some(Operation::Embeddings),
        "images/generations" => Some(Operation::Images),
        _ => None,
    }
}
