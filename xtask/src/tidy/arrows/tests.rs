use super::*;

fn reasons(files: &[(&str, &str)]) -> Vec<String> {
    check(&Tree::of(files)).iter().map(ToString::to_string).collect()
}

const ROOT: (&str, &str) = ("Cargo.toml", "[workspace]\n[workspace.lints.rust]\nunsafe_code = \"forbid\"\n");
const PURE: (&str, &str) = ("crates/core/src/lib.rs", "//! What is the law?\n#![no_std]\n");

#[test]
fn the_arrows_of_the_design_pass() {
    let core = "[package]\nname = \"firstright-core\"\n[lints.rust]\nunsafe_code = \"forbid\"\n";
    let gateway = "[package]\nname = \"firstright-gateway\"\n[lints]\nworkspace = true\n[dependencies]\nfirstright-core.workspace = true\ntokio = \"1\"\n";
    let engine = "[package]\nname = \"firstright-engine\"\n[lints]\nworkspace = true\n[dev-dependencies]\ntokio = \"1\"\n";
    let files =
        [ROOT, PURE, ("crates/core/Cargo.toml", core), ("g/Cargo.toml", gateway), ("e/Cargo.toml", engine)];
    assert_eq!(reasons(&files), [""; 0]);
}

#[test]
fn another_arrow_and_a_runtime_outside_the_shells_fail_with_their_line() {
    let wire = "[package]\nname = \"firstright-wire\"\n[lints]\nworkspace = true\n[dependencies]\nfirstright-core.workspace = true\nweb = { package = \"hyper\", version = \"1\" }\n[target.'cfg(unix)'.dependencies]\ntokio = \"1\"\n";
    let found = reasons(&[("w/Cargo.toml", wire)]);
    assert_eq!(found[0], "w/Cargo.toml:6: no arrow goes from `firstright-wire` to `firstright-core`");
    assert!(found[1].contains("`hyper` is for the shells only"), "{found:?}");
    assert!(found[2].starts_with("w/Cargo.toml:9: `tokio`"), "{found:?}");
}

#[test]
fn a_core_with_features_or_std_fails() {
    let core = "[package]\nname = \"firstright-core\"\n[features]\nfast = []\n[lints]\nworkspace = true\n";
    let impure = ("crates/core/src/lib.rs", "//! #![no_std] only in a comment.\n");
    let found = reasons(&[("crates/core/Cargo.toml", core), impure]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("crates/core/Cargo.toml:3: "), "{found:?}");
}

#[test]
fn a_crate_without_lints_or_without_arrows_fails() {
    let found = reasons(&[("n/Cargo.toml", "[package]\nname = \"new\"\n"), ("Cargo.toml", "[workspace]\n")]);
    assert_eq!(found.len(), 3, "{found:?}");
}
