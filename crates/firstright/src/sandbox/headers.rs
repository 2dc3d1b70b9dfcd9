//! What do the headers say about capacity, spillover and identity? Waits are in wall time, because a
//! client waits on the wall.

use firstright_sim::cloud::{Cloud, Deployed, Dialect, Gauge};
use http::response::Builder;

use super::clock::Clock;

/// Identity and place; `id` is the request's.
pub(super) fn common(builder: Builder, cloud: &Cloud, id: &str) -> Builder {
    let builder = builder.header("x-request-id", id);
    match cloud.spec().dialect {
        Dialect::Azure => builder.header("apim-request-id", id).header("x-ms-region", &cloud.spec().region),
        Dialect::Openai => builder.header("openai-version", "2020-10-01"),
        Dialect::Anthropic => builder.header("request-id", id),
        Dialect::Bedrock => builder.header("x-amzn-requestid", id),
        Dialect::Gemini => builder,
        Dialect::Oci => builder.header("opc-request-id", id),
    }
}

/// What went wrong, where a header tells it.
pub(super) fn error_type(builder: Builder, dialect: Dialect, status: u16) -> Builder {
    if dialect != Dialect::Bedrock {
        return builder;
    }
    let exception = match status {
        403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        500.. => "InternalServerException",
        _ => "ValidationException",
    };
    builder.header("x-amzn-errortype", exception)
}

pub(super) fn served(
    builder: Builder,
    cloud: &Cloud,
    by: Deployed,
    spilled_from: Option<Deployed>,
) -> Builder {
    if cloud.spec().dialect != Dialect::Azure {
        return builder;
    }
    let builder =
        builder.header("x-ms-deployment-name", &cloud.deployment(by).name).header("x-ms-rai-invoked", "true");
    match spilled_from {
        Some(from) => builder.header("x-ms-spillover-from-deployment", &cloud.deployment(from).name),
        None => builder,
    }
}

/// Of the dialects, Azure's and OpenAI's tell their limits like this.
pub(super) fn gauge(builder: Builder, clock: &Clock, dialect: Dialect, gauge: Gauge) -> Builder {
    if !matches!(dialect, Dialect::Azure | Dialect::Openai) {
        return builder;
    }
    match gauge {
        Gauge::Unsaid => builder,
        Gauge::Utilization(permille) => {
            let said = format!("{}.{}%", permille / 10, permille % 10);
            builder.header("azure-openai-deployment-utilization", said)
        }
        Gauge::Rates(rates) => builder
            .header("x-ratelimit-limit-requests", rates.limit_requests)
            .header("x-ratelimit-remaining-requests", rates.remaining_requests)
            .header("x-ratelimit-reset-requests", go_duration(clock.wall_ms(rates.reset_requests_ns)))
            .header("x-ratelimit-limit-tokens", rates.limit_tokens)
            .header("x-ratelimit-remaining-tokens", rates.remaining_tokens)
            .header("x-ratelimit-reset-tokens", go_duration(clock.wall_ms(rates.reset_tokens_ns))),
    }
}

/// Amazon, Google and Oracle leave the wait to the client.
pub(super) fn retry_after(builder: Builder, dialect: Dialect, wait_ms: u64) -> Builder {
    match dialect {
        Dialect::Azure | Dialect::Openai => {
            builder.header("retry-after-ms", wait_ms).header("retry-after", wait_ms.div_ceil(1_000))
        }
        Dialect::Anthropic => builder.header("retry-after", wait_ms.div_ceil(1_000)),
        Dialect::Bedrock | Dialect::Gemini | Dialect::Oci => builder,
    }
}

/// As Go prints a duration: `120ms`, `6s`, `1m30.5s`.
fn go_duration(ms: u64) -> String {
    if ms < 1_000 {
        return if ms == 0 { "0s".to_owned() } else { format!("{ms}ms") };
    }
    let (hours, minutes, seconds, rest) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60, ms % 1_000);
    let fraction = if rest == 0 { String::new() } else { format!(".{rest:03}") };
    let seconds = format!("{seconds}{}s", fraction.trim_end_matches('0'));
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, _) => format!("{minutes}m{seconds}"),
        _ => format!("{hours}h{minutes}m{seconds}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn durations_read_as_go_prints_them() {
        let cases = [
            (0, "0s"),
            (1, "1ms"),
            (999, "999ms"),
            (1_000, "1s"),
            (1_500, "1.5s"),
            (60_000, "1m0s"),
            (90_050, "1m30.05s"),
            (3_600_000, "1h0m0s"),
        ];
        for (ms, wanted) in cases {
            assert_eq!(super::go_duration(ms), wanted);
        }
    }
}
