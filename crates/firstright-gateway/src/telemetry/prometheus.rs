//! How are metrics written for Prometheus? The text format, version 0.0.4.

use std::fmt::Write;

use super::collect::{Family, Kind, Point, Value};

/// The text of all families.
pub fn text(families: &[Family]) -> String {
    let mut out = String::with_capacity(32 << 10);
    for family in families.iter().filter(|family| !family.points.is_empty()) {
        let metric = family.metric;
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to memory does not fail.
        let _ = writeln!(out, "# HELP {} {}\n# TYPE {} {kind}", metric.text, metric.help, metric.text);
        for point in &family.points {
            series(&mut out, metric.text, metric.nano, point);
        }
    }
    out
}

fn series(out: &mut String, name: &str, nano: bool, point: &Point) {
    match &point.value {
        Value::Number(number) => {
            line(out, name, "", &point.labels, None, &decimal(*number, nano));
        }
        Value::Histogram(bounds, buckets, sum) => {
            let mut below = 0_u64;
            let edges = bounds.iter().map(|bound| decimal(*bound, nano)).chain(["+Inf".to_string()]);
            for (edge, many) in edges.zip(buckets) {
                below = below.saturating_add(*many);
                line(out, name, "_bucket", &point.labels, Some(&edge), &below.to_string());
            }
            line(out, name, "_sum", &point.labels, None, &decimal(*sum, nano));
            line(out, name, "_count", &point.labels, None, &below.to_string());
        }
    }
}

fn line(
    out: &mut String,
    name: &str,
    suffix: &str,
    labels: &[(&'static str, String)],
    edge: Option<&str>,
    value: &str,
) {
    out.push_str(name);
    out.push_str(suffix);
    let mut separator = '{';
    let edge = edge.map(|edge| ("le", edge));
    for (name, value) in labels.iter().map(|(name, value)| (*name, value.as_str())).chain(edge) {
        out.push(separator);
        separator = ',';
        // OpenTelemetry's names of attributes have dots, Prometheus' names of labels have none.
        out.extend(name.chars().map(|letter| if letter == '.' { '_' } else { letter }));
        out.push_str("=\"");
        for letter in value.chars() {
            match letter {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                letter => out.push(letter),
            }
        }
        out.push('"');
    }
    if separator == ',' {
        out.push('}');
    }
    out.push(' ');
    out.push_str(value);
    out.push('\n');
}

/// A number, or thousand millionths as a decimal fraction without zeros at its end.
pub(super) fn decimal(number: u64, nano: bool) -> String {
    if !nano {
        return number.to_string();
    }
    let text = format!("{}.{:09}", number / 1_000_000_000, number % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}
