//! Does a wrong line say what was expected, and a difference what is different?

use alloc::format;
use alloc::string::{String, ToString};

use super::{diff, parse, run};

const LAW: &str = "---law\ncurrency = \"USD\"\n[[party]]\nid = \"us\"\noperator = true\n---\n";

/// What is wrong with a scenario of this one line.
fn problem(line: &str) -> String {
    let text = format!("{LAW}{line}\n---\n");
    match parse("x.scn", &text) {
        Err(problem) => problem.to_string(),
        Ok(scenario) => {
            let mut load = |name: &str| Err(format!("failed to read `{name}`"));
            run(&scenario, &mut load).map_or_else(|problem| problem.to_string(), |out| format!("ran: {out}"))
        }
    }
}

#[test]
fn a_wrong_line_names_its_place_and_what_was_expected() {
    let lines = [
        ("09:00:00 cal w1", "expected call, settle, fail,"),
        ("09:00:00 call w1 gpt-4o us 12", "expected a size such as `1200+300`, not `12`"),
        ("09:00:00 call w1 gpt-4o", "expected a tenant, and the line ended"),
        ("09:00:00 call w1 gpt-4o us 1+2", "expected a tenant, not `us`"),
        ("09:00:00 fail w1 tired", "expected one of throttled, server-error,"),
        ("09:00:00 answer x1 by us accept", "expected a name such as `o1`, not `x1`"),
        ("09:00:00 answer o1 by us maybe", "expected accept, decline, partial or counter, not `maybe`"),
        ("09:00:00 job j1 us training count=4", "expected `hours=`"),
        ("09:00:00 tick tock", "expected the end of the line, not `tock`"),
        ("09:00:00 answer o1 by us decline \"why", "expected a closing quote"),
        ("25:00 tick", "expected a time such as `09:00:00` or `+10s`"),
        ("09 tick", "expected a time such as"),
        ("09:00:00 quote j1 us 2.10 for 2h", "the unit is missing"),
        ("09:00:00 enact nowhere.toml", "failed to read `nowhere.toml`"),
    ];
    for (line, expected) in lines {
        let problem = problem(line);
        assert!(problem.starts_with("x.scn:7: ") && problem.contains(expected), "{line}: {problem}");
    }
}

#[test]
fn time_must_rise_and_a_law_must_be_there() {
    let twice = parse("x.scn", &format!("{LAW}09:00:00 tick\n09:00:00 tick\n---\n"));
    let message = twice.expect_err("the same time twice").to_string();
    assert_eq!(message, "x.scn:8: expected a later time than that of the line before");
    let lawless = parse("x.scn", "09:00:00 tick\n---\n").expect_err("no law").to_string();
    assert_eq!(lawless, "x.scn:1: expected `use` with a file of the law, or a `---law` block");
    let open = parse("x.scn", "---law\n").expect_err("no end").to_string();
    assert_eq!(open, "x.scn:1: expected `---` at the end of the law");
}

#[test]
fn a_wrong_law_is_no_scenario() {
    let scenario = parse("x.scn", "---law\ncurrency = 3\n---\n09:00 tick\n---\n").expect("it parses");
    let problem = run(&scenario, &mut |_| Ok(String::new())).expect_err("the law is wrong").to_string();
    assert!(problem.starts_with("x.scn:1: failed to read the law: x.scn law 1:1:"), "{problem}");
}

#[test]
fn the_expected_part_is_replaced_and_nothing_else() {
    let text = format!("# why\n{LAW}09:00 tick # now\n---\nold\n");
    let scenario = parse("x.scn", &text).expect("it parses");
    assert_eq!((scenario.about.as_str(), scenario.expected.as_str()), ("why", "old\n"));
    assert_eq!(scenario.with_expected("new\n"), text.replace("old", "new"));
}

#[test]
fn a_difference_shows_both_sides() {
    assert_eq!(diff("a\nb\n", "a\nb\n"), "");
    assert_eq!(diff("a\nb\nc\n", "a\nx\nc\n"), "  a\n- b\n+ x\n  c\n");
    assert_eq!(diff("a\nc\n", "a\nb\nc\n"), "  a\n+ b\n  c\n");
    assert_eq!(diff("a\nb\nc\n", "a\nc\n"), "  a\n- b\n  c\n");
    assert_eq!(diff("", "a\n"), "+ a\n");
}
