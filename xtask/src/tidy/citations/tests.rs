use super::*;

const PAGE: (&str, &str) = (
    "docs/rights/first-refusal.md",
    "# First refusal\n\n**FR-1** The holder serves (but **FR-7** is only mentioned).\n",
);
const CODE: (&str, &str) = (
    "crates/firstright-core/src/title.rs",
    "//= rights/first-refusal.md#FR-1\nfn f() -> &str { \"holds [FR-1]\" }\n",
);
const SCENARIO: (&str, &str) = ("scenarios/holder.scn", "# The holder serves.\n# proves FR-1\n");

fn reasons(files: &[(&str, &str)]) -> Vec<String> {
    check(&Tree::of(files)).iter().map(ToString::to_string).collect()
}

#[test]
fn a_sentence_that_is_honoured_and_proved_passes() {
    assert_eq!(reasons(&[PAGE, CODE, SCENARIO]), [""; 0]);
    let test = ("crates/firstright-core/src/title/tests.rs", "    //= rights/first-refusal.md#FR-1\n");
    assert_eq!(reasons(&[PAGE, CODE, test]), [""; 0]);
}

#[test]
fn without_pages_nothing_is_asked() {
    assert_eq!(reasons(&[CODE, SCENARIO]), [""; 0]);
}

#[test]
fn a_sentence_that_nobody_honours_or_proves_fails() {
    assert_eq!(reasons(&[PAGE, SCENARIO]), ["docs/rights/first-refusal.md:3: no code cites `FR-1`"]);
    let found = reasons(&[PAGE, CODE]);
    assert_eq!(found, ["docs/rights/first-refusal.md:3: no scenario or test proves `FR-1`"]);
}

#[test]
fn citations_of_what_is_not_there_fail_at_their_place() {
    let code = "//= rights/price.md#FR-1\n//= rights/first-refusal.md\nfn f() -> &str { \"[FR-2]\" }\n";
    let found = reasons(&[PAGE, ("crates/a/src/b.rs", code), ("scenarios/b.scn", "# proves FR-1 FR-9\n")]);
    let expected = [
        "crates/a/src/b.rs:2: a citation is `//= rights/<page>.md#XX-n`",
        "crates/a/src/b.rs:1: `FR-1` stands in first-refusal.md, not in price.md",
        "scenarios/b.scn:1: no page of docs/rights/ has a sentence `FR-9`",
        "crates/a/src/b.rs:3: no page of docs/rights/ has a sentence `FR-2`",
    ];
    assert_eq!(found, expected);
}

#[test]
fn one_number_is_one_sentence() {
    let page = ("docs/rights/price.md", "**FR-1** Another.\n");
    assert!(reasons(&[PAGE, CODE, SCENARIO, page])[0].contains("numbers two sentences"));
}
