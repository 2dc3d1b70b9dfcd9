use super::*;

fn reasons(files: &[(&str, &str)]) -> Vec<String> {
    check(&Tree::of(files)).iter().map(ToString::to_string).collect()
}

#[test]
fn files_in_order_pass() {
    let page = "[law](rights/price.md#PR-1), [home](../README.md), [rights](rights), [x](https://x.example), [y](#here)\n\
                ```\n[no](link)\n```\n`[no](link)`\n";
    assert_eq!(
        reasons(&[("docs/a.md", page), ("docs/rights/price.md", "P\n"), ("README.md", "R\n")]),
        [""; 0]
    );
    assert_eq!(reasons(&[("golden/a.sse", "data: \r\n")]), [""; 0]);
}

#[test]
fn dead_links_fail_with_their_line() {
    let found = reasons(&[("docs/a.md", "# A\nsee [b](b.md) and [c](../../c.md)\n")]);
    assert_eq!(
        found,
        ["docs/a.md:2: the link `b.md` leads nowhere", "docs/a.md:2: the link `../../c.md` leads nowhere"]
    );
}

#[test]
fn white_space_and_size_fail() {
    assert_eq!(reasons(&[("a.rs", "fn f() {}\n \n")]), ["a.rs:2: white space at the end of the line"]);
    assert_eq!(reasons(&[("a.toml", "a = 1")]), ["a.toml:1: no newline at the end of the file"]);
    let large = "x".repeat(1_048_577);
    assert_eq!(reasons(&[("a.bin", &large)]), ["a.bin:1: 1048577 bytes; at most 1048576"]);
}
