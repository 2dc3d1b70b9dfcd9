use super::diff;

#[track_caller]
fn check(old: &str, new: &str, expected: &[&str]) {
    assert_eq!(diff(&old.parse().unwrap(), &new.parse().unwrap()), expected);
}

#[test]
fn keys_are_told_with_their_path_and_both_values() {
    check(
        "a = 1\n[gateway]\nb = \"x\"\n",
        "a = 1\n[gateway]\nb = \"y\"\nc = [1]\n",
        &["gateway.b: \"x\" → \"y\"", "gateway.c: [1] added"],
    );
    check("[gateway]\nb = 1\n", "", &["gateway.b: 1 removed"]);
}

#[test]
fn entries_are_told_by_their_ids_wherever_they_stand() {
    let old = "[[key]]\nid = \"a\"\nn = 1\n[[key]]\nid = \"b\"\n[[key]]\nid = \"c\"\n";
    let new = "[[key]]\nid = \"c\"\n[[key]]\nid = \"d\"\n[[key]]\nid = \"a\"\nn = 2\n";
    check(old, new, &["key `a`: n: 1 → 2", "key `b`: removed", "key `d`: added"]);
    check("", "[[key]]\nid = \"a\"\n", &["key `a`: added"]);
    let within = |n| {
        format!("[[provider]]\nid = \"p\"\n[[provider.deployment]]\nid = \"d\"\ncapacity = {{ n = {n} }}\n")
    };
    check(&within(1), &within(2), &["provider `p`: deployment `d`: capacity.n: 1 → 2"]);
}

#[test]
fn a_long_value_is_cut_and_a_line_end_does_not_begin_a_line() {
    let text = format!("a = \"one\\ntwo{}\"\n", "x".repeat(200));
    let lines = diff(&"a = 1\n".parse().unwrap(), &text.parse().unwrap());
    assert!(lines.len() == 1 && !lines[0].contains('\n') && lines[0].chars().count() < 80, "{lines:?}");
}
