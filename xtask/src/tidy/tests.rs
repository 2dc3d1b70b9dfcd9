use super::*;

#[test]
fn the_repository_is_tidy() {
    let tree = Tree::read(crate::root()).unwrap();
    let errors: Vec<String> =
        all(&tree).iter().filter(|problem| !problem.is_warning).map(ToString::to_string).collect();
    assert!(errors.is_empty(), "\n{}", errors.join("\n"));
}

#[test]
fn the_repository_is_what_is_read() {
    let tree = Tree::read(crate::root()).unwrap();
    assert!(tree.file("xtask/src/tidy/tests.rs").is_some());
    assert!(tree.file("Cargo.toml").is_some());
    assert!(!tree.files.iter().any(|file| file.path.starts_with("target/")));
}
