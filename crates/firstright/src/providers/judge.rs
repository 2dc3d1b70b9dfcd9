//! What do the facts about a deployment mean: right, worth a note, or wrong?

use std::time::Duration;

use firstright_core::world::CapacityKind;
use firstright_gateway::credential::{Kind, Proof, Skew};
use firstright_gateway::probe::{Answered, Facts, Streamed};
use firstright_wire::azure::refusal::Refusal;

use super::{Check, Seen, mend};

/// A clock that is off by less, in seconds, is right: Date headers are a little old.
const CLOCK_RIGHT_S: u64 = 120;
/// From here on, in seconds, AWS and Oracle refuse what is signed.
const CLOCK_REFUSED_S: u64 = 300;

/// Everything that was looked at, in order.
pub(super) fn checks(seen: &Seen<'_>, facts: &Facts) -> Vec<Check> {
    let mut checks = vec![match &facts.addresses {
        Ok(addresses) => {
            let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            Check::right("address", shown.join(", "))
        }
        Err(why) => {
            let host = seen.endpoint.target.host();
            Check::wrong("address", format!("failed to resolve `{host}`: {why}"), Some(mend::address(seen)))
        }
    }];
    match &facts.connected {
        Some(Ok(took)) => {
            checks.push(Check::right("connection", format!("{} in {}", tls(seen), shown(*took))))
        }
        Some(Err(error)) => {
            checks.push(Check::wrong(
                "connection",
                format!("failed to {error}"),
                Some(mend::connection(error.kind)),
            ));
        }
        None => {}
    }
    match &facts.authorised {
        Some(Ok(took)) => checks.push(credential(seen, *took)),
        Some(Err(error)) => {
            checks.push(Check::wrong(
                "credential",
                format!("failed to {error}"),
                Some(mend::token(seen, error)),
            ));
        }
        None => {}
    }
    if facts.authorised.as_ref().is_some_and(Result::is_ok) && seen.ask.is_none() {
        let said = "not asked: by its name it takes neither chat nor a text to embed";
        checks.push(Check::note("model", said, None));
    }
    match &facts.call {
        Some(Ok(answered)) => called(seen, facts, answered, &mut checks),
        Some(Err(why)) => {
            let way = "the connection is made, and there is no answer: look at the provider's own status";
            checks.push(Check::wrong("model", format!("failed to {why}"), Some(way.to_string())));
        }
        None => {}
    }
    match &facts.stream {
        Some(Ok(streamed)) => checks.push(stream(streamed)),
        Some(Err(why)) => checks.push(Check::wrong("stream", format!("failed to {why}"), None)),
        None => {}
    }
    checks
}

fn credential(seen: &Seen<'_>, took: Duration) -> Check {
    let Some(credential) = &seen.endpoint.credential else {
        return Check::note("credential", "none is configured", None);
    };
    let health = credential.health();
    match credential.proof() {
        Proof::Header(name, _) => Check::right("credential", format!("a key in `{name}`")),
        Proof::Tokens(tokens) if tokens.kind() == Kind::OciPrincipal => {
            let ends = health.ends_in_s.unwrap_or_default();
            let said =
                format!("a principal's key in {}, good for {ends} s; requests are signed", shown(took));
            Check::right("credential", said)
        }
        Proof::Tokens(tokens) if tokens.kind() == Kind::AwsRole => {
            let (id, ends) = (tokens.key_id().unwrap_or_default(), health.ends_in_s.unwrap_or_default());
            let said =
                format!("a role's keys (`{id}`) in {}, good for {ends} s; requests are signed", shown(took));
            Check::right("credential", said)
        }
        Proof::Tokens(_) => {
            let ends = health.ends_in_s.unwrap_or_default();
            Check::right("credential", format!("a token in {}, good for {ends} s", shown(took)))
        }
        Proof::Oci(_) => Check::right("credential", "requests are signed as Oracle wants it"),
        Proof::Aws(_) => Check::right("credential", "requests are signed as AWS wants it"),
    }
}

/// What the small call says of credential, model, clock and limits.
fn called(seen: &Seen<'_>, facts: &Facts, answered: &Answered, checks: &mut Vec<Check>) {
    if let Some(ahead) = answered.clock_ahead_s {
        checks.push(clock(seen, ahead));
    }
    if let Some(why) = answered.broken.as_ref().filter(|_| answered.refusal.is_none()) {
        checks.push(Check::wrong("model", format!("failed to {why}"), Some(mend::cut())));
        return;
    }
    let Some(refusal) = answered.refusal else {
        let said = format!("answered in {}", shown(answered.took));
        checks.push(if answered.has_usage {
            Check::right("model", said)
        } else {
            Check::note("model", format!("{said}, without a word of usage: calls are settled by count"), None)
        });
        checks.push(limits(seen, answered));
        return;
    };
    let said = said_of(answered);
    match refusal {
        Refusal::Auth => {
            // The proof was good enough to send; the provider says that it is not good.
            checks.retain(|check| check.check != "credential");
            checks.push(Check::wrong("credential", said, Some(mend::refused(seen, answered))));
        }
        Refusal::Throttled => {
            let way = "the credential is taken; wait, or look at the quota: this says nothing of the model";
            checks.push(Check::note("model", said, Some(way.to_string())));
            checks.push(limits(seen, answered));
        }
        Refusal::Overloaded | Refusal::ServerError => {
            let way = "the fault is the provider's: look at its status page, and try again";
            checks.push(Check::wrong("model", said, Some(way.to_string())));
        }
        Refusal::NotFound => {
            checks.push(Check::wrong("model", said, Some(mend::not_found(seen, &facts.models))));
        }
        _ => checks.push(Check::wrong("model", said, Some(mend::bad_request(seen, answered)))),
    }
}

fn said_of(answered: &Answered) -> String {
    let mut said = answered.status.to_string();
    for (between, part) in [(" ", &answered.code), (": ", &answered.message)] {
        if let Some(part) = part.as_ref().filter(|part| **part != answered.status.to_string()) {
            said.push_str(between);
            said.push_str(part);
        }
    }
    said
}

fn clock(seen: &Seen<'_>, ahead: i64) -> Check {
    let off = ahead.unsigned_abs();
    if off <= CLOCK_RIGHT_S {
        return Check::right("clock", format!("within {off} s of theirs"));
    }
    let way = Some("set this machine's clock: run an NTP client".to_string());
    let proof = seen.endpoint.credential.as_ref().map(|credential| credential.proof());
    let signs = matches!(proof, Some(Proof::Oci(_) | Proof::Aws(_) | Proof::Tokens(_)));
    if signs && off >= CLOCK_REFUSED_S {
        Check::wrong("clock", Skew(ahead).to_string(), way)
    } else {
        Check::note("clock", Skew(ahead).to_string(), way)
    }
}

/// What the headers say, beside what the law says.
fn limits(seen: &Seen<'_>, answered: &Answered) -> Check {
    let said = &answered.limits;
    let mut differ = Vec::new();
    let mut told = Vec::new();
    match seen.deployment.capacity {
        CapacityKind::Provisioned { .. } => match (said.utilization_ppm, said.limit_tokens) {
            (Some(ppm), _) => told.push(format!("provisioned, {} % used", ppm / 10_000)),
            (None, Some(_)) => {
                let said = "the law calls it provisioned, and it answers as pay-as-you-go does";
                let way =
                    "name the provisioned deployment, or put `pay-as-you-go` into the agreement's `capacity`";
                return Check::note("limits", said, Some(way.to_string()));
            }
            (None, None) => {
                return Check::note("limits", "provisioned by the law, and no word of its utilisation", None);
            }
        },
        CapacityKind::PayAsYouGo { tokens, requests, .. } => {
            for (what, theirs, ours) in
                [("tokens", said.limit_tokens, tokens), ("requests", said.limit_requests, requests)]
            {
                match theirs {
                    Some(theirs) if theirs != ours && ours != u64::MAX => {
                        differ.push(format!("{theirs} {what} a minute, {ours} by the law"));
                    }
                    Some(theirs) => told.push(format!("{theirs} {what} a minute")),
                    None => {}
                }
            }
        }
        CapacityKind::Concurrent { limit } => told.push(format!("{limit} calls at once by the law")),
    }
    if said.spilled {
        differ.push("served by the provider's own spillover".to_string());
    }
    if !differ.is_empty() {
        let way = "the provider's number is what holds: put it into the agreement's `capacity`";
        return Check::note("limits", differ.join("; "), Some(way.to_string()));
    }
    if told.is_empty() {
        return Check::note("limits", "the headers tell none: the law's are held to", None);
    }
    Check::right("limits", told.join(", "))
}

fn stream(streamed: &Streamed) -> Check {
    let Streamed { answered, first_content, is_stream, is_whole, has_usage, refuses_options } = streamed;
    if answered.refusal.is_some() {
        return Check::wrong("stream", said_of(answered), None);
    }
    if !is_stream {
        let way = "something between here and the model takes the stream together: look for a proxy";
        return Check::wrong("stream", "the answer is no stream of events", Some(way.to_string()));
    }
    if !is_whole {
        return Check::wrong("stream", "it broke off before its end", Some(mend::cut()));
    }
    let first = first_content.map(|took| format!("first word in {}", shown(took)));
    let first = first.unwrap_or("no word of content".to_string());
    if *refuses_options {
        let said = format!("{first}; `stream_options` are refused, so a stream's usage is counted, not told");
        let way = "a newer server (or API version) tells usage in streams";
        return Check::note("stream", said, Some(way.to_string()));
    }
    if !has_usage {
        return Check::note(
            "stream",
            format!("{first}; no usage at its end: streams are settled by count"),
            None,
        );
    }
    Check::right("stream", format!("{first}, whole, with its usage"))
}

fn tls(seen: &Seen<'_>) -> &'static str {
    if seen.endpoint.target.is_tls() { "TLS" } else { "TCP, in the clear" }
}

fn shown(took: Duration) -> String {
    match took.as_millis() {
        0 => format!("{} µs", took.as_micros()),
        millis => format!("{millis} ms"),
    }
}
