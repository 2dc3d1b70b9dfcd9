use std::sync::Arc;
use std::time::Duration;

use firstright_core::Broker;
use firstright_core::fact::{Ending, Fact};
use firstright_core::units::Timestamp;
use firstright_core::usage::Usage;
use firstright_core::workload::{Call, CallId};
use firstright_core::world::{ModelId, TenantId, World};
use firstright_wire::operation::Operation;

use super::collect::{Family, METRICS, Metric, Point, Value};
use super::instrument::{Counter, DURATION, Histogram};
use super::json::{Object, number};
use super::line::rfc3339;
use super::prometheus::{decimal, text};
use super::trace::{Context, hex_text};
use super::{Telemetry, Trail, codes};
use crate::homes::HomeBook;
use crate::keys::Keys;
use crate::listen::BodyLimits;
use crate::setup::Setup;
use crate::told::Labels;
use crate::upstream::Budgets;

#[test]
fn a_well_formed_parent_is_gone_on_with_and_nothing_else() {
    let good = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let context = Context::read(good).unwrap();
    assert_eq!(hex_text(&context.trace), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(context.parent.map(|parent| hex_text(&parent)).as_deref(), Some("00f067aa0ba902b7"));
    assert!(context.sampled && context.span != [0; 8] && Some(context.span) != context.parent);
    assert_eq!(context.header(context.parent.unwrap()), *good);
    let bad: [&[u8]; 9] = [
        b"",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        b"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        b"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e473\xff-00f067aa0ba902b7-01",
        b"00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
    ];
    for header in bad {
        assert_eq!(Context::read(header), None, "{}", String::from_utf8_lossy(header));
    }
    let (one, other) = (Context::begin(false), Context::begin(false));
    assert!(one.trace != other.trace && one.parent.is_none());
    assert!(
        Context::read(&one.header(one.span)).is_some_and(|read| !read.sampled && read.trace == one.trace)
    );
}

#[test]
fn no_string_ends_its_line_or_begins_another() {
    let hostile = "\"}\n{\"status\":200,\u{1b}[2J\r\n\u{0}\u{7f}\u{2028}é\u{1f600}\\";
    let mut line = Vec::new();
    let mut object = Object::begin(&mut line);
    object.text("model", hostile);
    object.number("n", u64::MAX);
    object.millis("ms", 1_234_567_899);
    object.flag("yes", true);
    object.end();
    assert!(line.iter().all(|byte| (b' '..=b'~').contains(byte)), "{}", String::from_utf8_lossy(&line));
    let read: serde_json::Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(read["model"], hostile);
    assert_eq!((read["n"].as_u64(), read["ms"].as_f64()), (Some(u64::MAX), Some(1234.567)));
    let mut zero = Vec::new();
    number(&mut zero, 0);
    assert_eq!(zero, b"0");
}

#[test]
fn times_are_those_of_the_calendar() {
    for (seconds, expected) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400, "2000-02-29T00:00:00.000Z"),
        (1_709_251_199, "2024-02-29T23:59:59.000Z"),
        (4_102_444_800, "2100-01-01T00:00:00.000Z"),
    ] {
        assert_eq!(rfc3339(seconds * 1_000_000_000), expected);
    }
    assert_eq!(rfc3339(1_999_999), "1970-01-01T00:00:00.001Z");
}

#[test]
fn a_value_counts_in_the_first_bucket_that_holds_it() {
    let histogram = Histogram::new(DURATION);
    for millis in [0, 10, 11, 81_920, 81_921, 1_000_000] {
        histogram.time(Duration::from_millis(millis));
    }
    let (bounds, buckets, sum) = histogram.read();
    assert_eq!(
        (buckets.len(), buckets[0], buckets[1], buckets[bounds.len() - 1], buckets[bounds.len()]),
        (bounds.len() + 1, 2, 1, 1, 2)
    );
    assert_eq!(sum, 1_163_862_000_000);
    let counter = Counter::default();
    counter.add(2);
    counter.add(3);
    assert_eq!(counter.get(), 5);
}

#[test]
fn prometheus_reads_names_labels_and_cumulative_buckets() {
    let find = |name: &str| METRICS.iter().find(|metric| metric.name == name).unwrap();
    let labels = vec![("gen_ai.operation.name", "a\"b\\c\nd".to_string())];
    let counts = Value::Histogram(&[10_000_000, 20_000_000], vec![1, 2, 3], 70_000_000);
    let families = [
        Family {
            metric: find("gen_ai.server.request.duration"),
            points: vec![Point { labels, value: counts }],
        },
        Family {
            metric: find("firstright.ready"),
            points: vec![Point { labels: vec![], value: Value::Number(1) }],
        },
        Family { metric: find("firstright.spills"), points: vec![] },
    ];
    let written = text(&families);
    let name = "gen_ai_server_request_duration_seconds";
    let label = "gen_ai_operation_name=\"a\\\"b\\\\c\\nd\"";
    for line in [
        format!("# TYPE {name} histogram"),
        format!("{name}_bucket{{{label},le=\"0.01\"}} 1"),
        format!("{name}_bucket{{{label},le=\"0.02\"}} 3"),
        format!("{name}_bucket{{{label},le=\"+Inf\"}} 6"),
        format!("{name}_sum{{{label}}} 0.07"),
        format!("{name}_count{{{label}}} 6"),
        "firstright_ready 1".to_string(),
    ] {
        assert!(written.lines().any(|one| one == line), "{line}\n{written}");
    }
    assert!(!written.contains("spills"));
    assert_eq!(
        (decimal(5, false), decimal(0, true), decimal(1, true)),
        ("5".into(), "0".into(), "0.000000001".into())
    );
}

#[test]
fn every_metric_has_its_own_names() {
    for (place, metric) in METRICS.iter().enumerate() {
        let twice = METRICS[..place].iter().any(|one| one.name == metric.name || one.text == metric.text);
        assert!(!twice, "{}", metric.name);
        assert!(metric.help.ends_with('.'), "{}", metric.name);
    }
}

/// The table of `docs/operating.md` has exactly these rows.
#[test]
fn the_documentation_has_a_row_for_each_metric() {
    let row = |metric: &Metric| {
        let kind = format!("{:?}", metric.kind).to_lowercase();
        format!("| `{}` | `{}` | {kind} | {} |", metric.text, metric.name, metric.help)
    };
    let written = include_str!("../../../../docs/operating.md");
    let (_, table) = written
        .split_once("| Prometheus | OpenTelemetry | kind | what it says |\n|---|---|---|---|\n")
        .unwrap();
    let rows: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    assert_eq!(rows, METRICS.iter().map(row).collect::<Vec<_>>());
}

const LAW: &str = r#"
currency = "USD"
[[party]]
id = "us"
operator = true
[[party]]
id = "them"
[[provider]]
id = "cloud"
party = "them"
region = "here"
jurisdiction = "us"
[[provider.deployment]]
id = "one"
model = "m"
capacity = { concurrent = 1000000 }
[[tenant]]
id = "t"
"#;

fn setup(world: Arc<World>) -> Setup {
    Setup {
        held_bytes: 1 << 20,
        version: 1,
        endpoints: vec![None; world.deployments.len()],
        homes: HomeBook::new(&[0; 32], &world, 0, false),
        default_model: None,
        keys: Keys::default(),
        budgets: Budgets::default(),
        body: BodyLimits::default(),
        form: BodyLimits::default(),
        labels: Labels::of(&world),
        keep_alive: None,
        forward: Vec::new(),
        world,
    }
}

/// What this thread has had of the processor: on a busy machine the wall clock says little. 0 where nobody tells.
fn processor_nanos() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    told.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

/// What is noted of one request is counted once, and this is what it costs: measured with optimisation by
/// `cargo test -p firstright-gateway --lib --config profile.dev.package.firstright-gateway.opt-level=3 -- --nocapture costs`.
#[test]
fn a_request_is_counted_once_and_costs_little() {
    const MANY: u32 = 100_000;
    let mut broker = Broker::new();
    let mut step = |at, fact: &Fact| broker.step(Timestamp(at), fact);
    let at = 2_000_000_000_000_000_000;
    step(at, &Fact::Enacted { sources: vec![("law.toml".to_string(), LAW.to_string())] });
    let (tenant, model) = (TenantId(0), ModelId(0));
    let served = step(at + 1, &Fact::CallArrived(Call::new(CallId(1), tenant, model, 10, 10))).remove(0);
    let telemetry = Arc::new(Telemetry::new(&setup(broker.world().unwrap().clone()), Arc::default()));
    let usage = Usage { input: 10, output: 20, requests: 1, ..Usage::default() };
    let request = http::Request::new(());
    let began = processor_nanos();
    for record in 0..u64::from(MANY) {
        let trail = Trail::of(&telemetry, &request);
        trail.asked_by(tenant, "key", Some(Operation::ChatCompletions));
        trail.asked_for(model, true);
        trail.deciding();
        let nth = trail.decided(record, &served);
        trail.dialling(nth);
        trail.answered(nth);
        trail.settled(nth, usage, Ending::Complete, &[]);
        trail.said(200, None);
    }
    println!("{} ns of the processor for each request", (processor_nanos() - began) / u64::from(MANY));
    let meters = &telemetry.meters;
    assert_eq!(meters.requests[0][0].get(), u64::from(MANY));
    assert_eq!(meters.in_flight.load(std::sync::atomic::Ordering::Relaxed), 0);
    let (_, of) = &telemetry.meters.tenants()[0];
    assert_eq!((of.tokens[0].get(), of.tokens[4].get()), (10 * u64::from(MANY), 20 * u64::from(MANY)));
}

#[test]
fn what_we_give_up_ourselves_is_not_told_of_a_client_that_left() {
    for (status, ending, outcome) in [
        (200, Some(Ending::Complete), "ok"),
        (200, Some(Ending::Abandoned), "abandoned"),
        (0, Some(Ending::Abandoned), "abandoned"),
        (0, None, "abandoned"),
        (503, Some(Ending::Abandoned), "failed"),
        (502, Some(Ending::Cut), "cut"),
        (429, None, "refused"),
        (502, None, "failed"),
    ] {
        assert_eq!(codes::OUTCOMES[codes::outcome(status, ending)], outcome, "{status} {ending:?}");
    }
}
