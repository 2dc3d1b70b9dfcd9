use super::*;

fn function_of(lines: usize) -> String {
    format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
}

#[test]
fn small_rooms_pass() {
    let (file, function) = ("//! Why?\n".repeat(500), function_of(70));
    assert_eq!(check(&Tree::of(&[("crates/a/src/lib.rs", &file), ("crates/a/src/b.rs", &function)])), []);
}

#[test]
fn long_files_warn_and_then_fail_unless_they_test() {
    let file = "//! Why?\n".repeat(801);
    let problems = check(&Tree::of(&[("crates/a/src/lib.rs", &file), ("crates/a/tests/it/b.rs", &file)]));
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].to_string(), "crates/a/src/lib.rs:801: 801 lines; at most 800: split it");
    assert!(check(&Tree::of(&[("crates/a/src/lib.rs", &file[..501 * 9])]))[0].is_warning);
}

#[test]
fn long_functions_fail_by_name_even_in_tests() {
    let problems = check(&Tree::of(&[("crates/a/src/b/tests.rs", &function_of(71))]));
    assert_eq!(problems[0].to_string(), "crates/a/src/b/tests.rs:1: `long` has 71 lines; at most 70");
}
