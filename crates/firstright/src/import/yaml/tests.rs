use super::*;

fn one(text: &str) -> Node {
    read("t.yaml", text, &mut 0).unwrap().all.remove(0)
}

/// `path=line` of all leaves.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let told: Vec<String> =
        one(text).leaves().iter().map(|leaf| format!("{}={}", leaf.path, leaf.line)).collect();
    assert_eq!(told, expected);
}

#[test]
fn every_leaf_knows_its_path_and_line() {
    check("a: 1\nb:\n  - x\n  - c: {d: 2}\ne: []\nf:\n", &["a=1", "b[0]=3", "b[1].c.d=4", "e=5", "f=6"]);
    check("# only a comment\n---\na: |\n  x\n", &["a=3"]);
}

#[test]
fn aliases_and_merges_are_written_out_where_they_are_used() {
    let text = "base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\nlist: [*b]\n";
    check(text, &["base.x=1", "base.y=1", "use.y=4", "use.x=1", "list[0].x=1", "list[0].y=1"]);
    let root = one(text);
    assert_eq!(root.at(&["use", "y"]).and_then(Node::number), Some(3));
    assert!(root.at(&["base", "x"]).unwrap().anchored);
    assert!(!root.at(&["use", "x"]).unwrap().anchored);
}

#[test]
fn of_a_key_given_twice_the_last_holds_and_the_first_is_kept_for_the_report() {
    let documents = read("t.yaml", "a: 1\na: 2\n", &mut 0).unwrap();
    assert_eq!(documents.all[0].get("a").and_then(Node::number), Some(2));
    assert_eq!(documents.shadowed.len(), 1);
}

#[test]
fn a_page_of_anchors_does_not_become_a_gigabyte() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", vec![before; 9].join(", "));
    }
    let why = read("t.yaml", &text, &mut 0).unwrap_err();
    assert!(why.contains("more than 200000 values"), "{why}");
}

#[test]
fn what_is_no_yaml_is_an_error_with_its_line() {
    for (text, line) in [("a: [1\nb: 2\n", "line"), ("a: *gone\n", "line 1"), ("? [a]\n: b\n", "line 1")] {
        let why = read("t.yaml", text, &mut 0).unwrap_err();
        assert!(why.starts_with("failed to read `t.yaml`, ") && why.contains(line), "{why}");
    }
    let deep = "[".repeat(10_000);
    assert!(read("t.yaml", &deep, &mut 0).is_err());
}

#[test]
fn numbers_are_read_as_they_are_written() {
    let root = one("a: 2_000_000\nb: 1e6\nc: '100'\nd: 1.5\ne: -1\nf: x\n");
    let numbers: Vec<Option<u64>> = root.entries().iter().map(|(_, node)| node.number()).collect();
    assert_eq!(numbers, [Some(2_000_000), Some(1_000_000), Some(100), None, None, None]);
}
