use super::*;
use firstright_core::units::{HOUR, MINUTE};

const GOOD: &str = r#"
name = "pretrain"
tenant = "research"
purpose = "training"
accelerators = ["h100"]
count = 64
min-chunk = 32
hours = 72
labels = ["a", "b"]
deadline = "+1h30m"
budget = "15000.50 USD"
command = "echo $FIRSTRIGHT_JOB"
"#;

/// The codes of what is wrong with `GOOD` after `from` was replaced by `to`.
#[track_caller]
fn wrong(from: &str, to: &str, expected: &[&str]) -> String {
    assert!(GOOD.contains(from));
    let text = GOOD.replace(from, to);
    let problems = JobFile::read("job.toml", &text).expect_err("it is wrong");
    let codes: Vec<&str> = problems.iter().map(|one| one.code).collect();
    assert_eq!(codes, expected, "{problems:?}");
    render(&problems, "job.toml", &text)
}

#[test]
fn a_whole_file_is_read() {
    let file = JobFile::read("job.toml", GOOD).unwrap();
    assert_eq!((file.count, file.min_chunk, file.duration), (64, 32, Span(72 * HOUR)));
    assert_eq!(file.deadline, Some(Deadline::After(Span(90 * MINUTE))));
    assert_eq!(file.budget, Some((Money(15_000_500_000_000), Currency(*b"USD"))));
    assert_eq!(file.command, Command::Shell("echo $FIRSTRIGHT_JOB".to_string()));
    let job = file.job(JobId(1), TenantId(0), Timestamp(5));
    assert_eq!(job.deadline, Some(Timestamp(5 + 90 * MINUTE)));
    assert_eq!(job.purpose, Purpose::Training);
}

#[test]
fn what_is_left_out_has_a_plain_meaning() {
    let file = JobFile::read("j", "name='a'\ntenant='t'\ncount=8\nseconds=5\ncommand=['true']").unwrap();
    assert_eq!((file.min_chunk, file.purpose, file.duration), (8, Purpose::Research, Span(5_000_000_000)));
    assert_eq!(file.command, Command::Program(vec!["true".to_string()]));
    assert!(file.accelerators.is_empty() && file.deadline.is_none() && file.budget.is_none());
}

#[test]
fn every_mistake_is_named_with_its_place() {
    let shown = wrong("hours", "hour", &["missing-key", "unknown-key"]);
    assert!(shown.contains("job.toml:8:1") && shown.contains("did you mean `hours`?"), "{shown}");
    wrong("count = 64", "count = 0", &["out-of-range"]);
    wrong("count = 64", "count = \"many\"", &["out-of-range"]);
    wrong("min-chunk = 32", "min-chunk = 65", &["out-of-range"]);
    wrong("hours = 72", "hours = 72\nminutes = 5", &["two-durations"]);
    wrong("\"training\"", "\"trainin\"", &["unknown-word"]);
    wrong("+1h30m", "soon", &["bad-date"]);
    wrong("+1h30m", "+30m1h", &["bad-date"]);
    wrong("15000.50 USD", "15000", &["bad-number"]);
    wrong("\"echo $FIRSTRIGHT_JOB\"", "[]", &["bad-command"]);
    wrong("\"echo $FIRSTRIGHT_JOB\"", "[1]", &["bad-command"]);
    wrong("[\"a\", \"b\"]", "\"a\"", &["bad-list"]);
    wrong("name = \"pretrain\"", "name = 5", &["bad-text"]);
    wrong("hours = 72", "hours = ", &["syntax"]);
    wrong("name = \"pretrain\"\ntenant = \"research\"\n", "", &["missing-key", "missing-key"]);
}

#[test]
fn a_file_without_end_is_refused() {
    let text = format!("{GOOD}#{}", "x".repeat(MAX_BYTES));
    assert_eq!(JobFile::read("job.toml", &text).unwrap_err()[0].code, "file-too-large");
}

#[test]
fn quantities_are_exact_or_refused() {
    assert_eq!(money("2.5 USD"), Some((Money(2_500_000_000), Currency(*b"USD"))));
    for bad in
        ["2.5", "2,5 USD", "-1 USD", ". USD", "1.0000000001 USD", "1 usd", "1 USD/h", "9999999999999999 USD"]
    {
        assert_eq!(money(bad), None, "{bad}");
    }
    assert_eq!(span("1d2h"), Some(Span(26 * HOUR)));
    for bad in ["", "5", "h", "1h1h", "1m1h", "99999999999999999999h", "5ü"] {
        assert_eq!(span(bad), None, "{bad}");
    }
    assert_eq!(time("1970-01-01T01:00:00+01:00"), Some(Timestamp(0)));
    assert_eq!(time("2026-02-30T00:00:00Z"), None);
    assert_eq!(time("2026-02-03"), None);
}
