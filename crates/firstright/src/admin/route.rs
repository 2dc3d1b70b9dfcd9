//! What does a request's line ask for?

use hyper::Method;

/// All that the admin API does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Submit,
    Jobs,
    Job(u64),
    Cancel(u64),
    Logs { job: u64, lease: Option<u64>, offset: u64, follow: bool },
    Quote(u64),
    Offers,
    Answer(u64),
    Counter(u64),
    Declare(String),
    Lose(String),
    Reload,
    Metrics,
    Capacity,
    Alive,
    Ready,
    Accounts,
    CreateAccount,
    Account(String),
    SetAccount(String),
    RotateKey(String),
    CloseAccount(String),
}

/// Why there is no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// There is nothing of that name.
    Path,
    /// There is, but it does not take this method.
    Method,
    /// The query is not understood.
    Query,
}

pub(super) fn route(method: &Method, path: &str, query: Option<&str>) -> Result<Route, NoRoute> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let id = |text: &str| text.parse::<u64>().map_err(|_| NoRoute::Path);
    let name = |text: &str| text.to_string();
    let (get, post, delete) = (method == Method::GET, method == Method::POST, method == Method::DELETE);
    let found = match parts.as_slice() {
        ["admin", "jobs"] if post => Route::Submit,
        ["admin", "jobs"] if get => Route::Jobs,
        ["admin", "jobs", job] if get => Route::Job(id(job)?),
        ["admin", "jobs", job] if delete => Route::Cancel(id(job)?),
        ["admin", "jobs", job, "logs"] if get => return logs(id(job)?, query),
        ["admin", "jobs", job, "quotes"] if post => Route::Quote(id(job)?),
        ["admin", "offers"] if get => Route::Offers,
        ["admin", "offers", offer, "answer"] if post => Route::Answer(id(offer)?),
        ["admin", "offers", offer, "counter"] if post => Route::Counter(id(offer)?),
        ["admin", "providers", provider, "declare"] if post => Route::Declare(name(provider)),
        ["admin", "providers", provider, "lose"] if post => Route::Lose(name(provider)),
        ["admin", "reload"] if post => Route::Reload,
        ["admin", "capacity"] if get => Route::Capacity,
        ["metrics"] if get => Route::Metrics,
        ["healthz"] if get => Route::Alive,
        ["readyz"] if get => Route::Ready,
        ["admin", "accounts"] if get => Route::Accounts,
        ["admin", "accounts"] if post => Route::CreateAccount,
        ["admin", "accounts", id] if get => Route::Account(name(id)),
        ["admin", "accounts", id] if method == Method::PUT => Route::SetAccount(name(id)),
        ["admin", "accounts", id] if delete => Route::CloseAccount(name(id)),
        ["admin", "accounts", id, "rotate"] if post => Route::RotateKey(name(id)),
        ["admin", "jobs" | "offers" | "reload" | "accounts" | "capacity"]
        | ["healthz" | "readyz" | "metrics"]
        | ["admin", "accounts", _]
        | ["admin", "accounts", _, "rotate"]
        | ["admin", "jobs", _]
        | ["admin", "jobs", _, "logs" | "quotes"]
        | ["admin", "offers", _, "answer" | "counter"]
        | ["admin", "providers", _, "declare" | "lose"] => return Err(NoRoute::Method),
        _ => return Err(NoRoute::Path),
    };
    if query.is_some() { Err(NoRoute::Query) } else { Ok(found) }
}

fn logs(job: u64, query: Option<&str>) -> Result<Route, NoRoute> {
    let (mut lease, mut offset, mut follow) = (None, 0, false);
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, "1"));
        let number = value.parse::<u64>().map_err(|_| NoRoute::Query);
        match key {
            "lease" => lease = Some(number?),
            "offset" => offset = number?,
            "follow" => follow = number? != 0,
            _ => return Err(NoRoute::Query),
        }
    }
    Ok(Route::Logs { job, lease, offset, follow })
}

#[cfg(test)]
mod tests;
