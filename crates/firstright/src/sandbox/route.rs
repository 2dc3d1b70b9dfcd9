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
    },
    Models,
}

/// None: no such resource in this dialect.
pub(super) fn route<'a>(dialect: Dialect, path: &'a str, query: Option<&str>) -> Option<Route<'a>> {
    match dialect {
        Dialect::Openai => plain(path.strip_prefix("/v1/")?),
        Dialect::Azure => azure(path.strip_prefix("/openai/")?, query.unwrap_or("")),
    }
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
            operation => Some(Route::Call { operation, deployment: Some(deployment) }),
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
        _ => Some(Route::Call { operation: operation(path)?, deployment: None }),
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
