use super::*;

#[test]
fn a_module_that_keeps_the_habits_passes() {
    let good = "//! How is it done?\n\n#[expect(dead_code, reason = \"soon\")]\nfn f() { \"todo!()\"; not_todo!(); }\n";
    let excused = "//! It is done.\n#![allow(dead_code, reason = \"only on one platform\")]\n";
    assert_eq!(check(&Tree::of(&[("crates/a/src/b.rs", good), ("crates/a/src/c.rs", excused)])), []);
}

#[test]
fn attributes_may_stand_before_the_opening_and_items_may_not() {
    let opens = |text: &str| check(&Tree::of(&[("crates/a/src/lib.rs", text)])).is_empty();
    assert!(opens("#![no_std]\n#![cfg_attr(\n    test,\n    feature\n)]\n//! What is it?\n"));
    assert!(!opens("use a::b;\n//! What is it?\n"));
    assert!(!opens("//! what\n\nfn f() {}\n"));
    assert!(!opens(""));
}

#[test]
fn each_broken_habit_is_named_with_its_line() {
    let bad = "use std::io;\n#[allow(dead_code)]\nfn f() {\n    todo!()\n}\n";
    let problems = check(&Tree::of(&[("crates/a/src/b.rs", bad)]));
    let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [1, 4, 2], "{problems:?}");
}

#[test]
fn tests_beside_a_module_need_no_opening() {
    assert_eq!(check(&Tree::of(&[("crates/a/src/b/tests.rs", "use super::*;\n")])), []);
}
