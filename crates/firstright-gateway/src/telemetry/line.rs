//! What stands in a line of the access log? One JSON object: what was asked by whom, what was decided by which record, who
//! served it, how long it took, and what it used. No prompt, no secret, and no word of the caller's.

use super::json::Object;
use super::meters::Names;
use super::trail::Story;
use super::{Telemetry, codes, trace};

/// Writes a request's line.
pub(super) fn write(out: &mut Vec<u8>, telemetry: &Telemetry, names: &Names, story: &Story) {
    let nanos = |duration: std::time::Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let mut line = Object::begin(out);
    line.text("time", &rfc3339(telemetry.unix(story.began)));
    line.text("operation", codes::CLASSES[codes::class(story.operation)]);
    line.number("status", u64::from(story.told()));
    if story.kept {
        line.flag("kept-alive", true);
        line.number("status-in-stream", u64::from(story.status));
    }
    if let Some(code) = story.code {
        line.text("code", code);
    }
    if let Some((tenant, _)) = story.tenant.and_then(|id| names.tenant(id)) {
        line.text("tenant", tenant);
    }
    if let Some(key) = &story.key {
        line.text("key", key);
    }
    if let Some(peer) = story.peer {
        line.text("peer", &peer.ip().to_canonical().to_string());
    }
    if let Some(model) = story.asked {
        line.text("model", names.model(model));
    }
    if story.stream {
        line.flag("stream", true);
    }
    if let Some(record) = story.record {
        line.number("decision", record);
        line.text("grounds", &story.words.join(" "));
    }
    line.number("version", names.version);
    if let Some(waited) = story.waited {
        line.millis("waited-ms", nanos(waited));
    }
    if let Some(last) = story.served() {
        line.number("attempts", story.attempts.len() as u64);
        if story.hedged() {
            line.flag("hedged", true);
        }
        if let Some(name) = names.deployment(last.deployment) {
            line.text("deployment", &name.id);
            line.text("provider", &name.provider);
        }
        if Some(last.model) != story.asked {
            line.text("served-model", names.model(last.model));
        }
    }
    if let Some(first) = story.first_byte {
        line.millis("first-byte-ms", nanos(first));
    }
    line.millis("took-ms", nanos(story.took));
    if let Some(usage) = &story.usage {
        for (kind, many) in codes::TOKENS.into_iter().zip(codes::tokens(usage)) {
            if many > 0 {
                line.number(kind, many);
            }
        }
    }
    if let Some(ending) = story.ending {
        line.text("ending", codes::ending(ending));
    }
    if let Some(context) = story.context {
        line.text("trace", &trace::hex_text(&context.trace));
    }
    line.end();
    out.push(b'\n');
}

/// Nanoseconds since 1970 as a time in UTC with milliseconds. Source of the calendar: Howard Hinnant's `civil_from_days`.
pub(super) fn rfc3339(unix_nanos: u64) -> String {
    let millis = unix_nanos / 1_000_000;
    let (seconds, millis) = (millis / 1_000, millis % 1_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}
