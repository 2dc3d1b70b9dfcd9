//! What does somebody see who comes from another gateway?

use std::fs;
use std::path::Path;
use std::process::Command;

use firstright::config::Config;

use crate::world::Folder;

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/import/tests").join(name).display().to_string()
}

/// Runs the binary; its output, and whether it succeeded.
fn firstright(arguments: &[&str], folder: &Folder) -> (String, bool) {
    let output = Command::new(env!("CARGO_BIN_EXE_firstright"))
        .args(arguments)
        .current_dir(&folder.0)
        .output()
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("canary") && !text.contains("panicked"), "{text}");
    (text, output.status.success())
}

#[track_caller]
fn check(from: &str, source: &str) {
    let folder = Folder::new();
    let source = fixture(source);
    let import = ["import", from, &source, "--into", "new", "--report", "import.json"];
    let (said, done) = firstright(&import, &folder);
    assert!(
        done && said.contains("wrote new/firstright.toml, new/agreements/imported.toml, import.json"),
        "{said}"
    );
    let (said, done) = firstright(&["check", "new/agreements/imported.toml"], &folder);
    assert!(done, "{said}");
    let config = Config::read(&folder.0.join("new/firstright.toml")).unwrap();
    assert!(config.agreements[0].ends_with("agreements/imported.toml") && !config.deployments.is_empty());
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.0.join("import.json")).unwrap()).unwrap();
    assert!(report["entries"].as_array().is_some_and(|entries| entries.len() > 100));
    // A second run would write over what somebody has changed since.
    let law = folder.0.join("new/agreements/imported.toml");
    fs::remove_file(folder.0.join("import.json")).unwrap();
    fs::remove_file(folder.0.join("new/firstright.toml")).unwrap();
    fs::write(&law, "# changed").unwrap();
    let (said, done) = firstright(&import, &folder);
    assert!(!done && said.contains("new/agreements/imported.toml`: it is there already"), "{said}");
    assert_eq!(fs::read_to_string(&law).unwrap(), "# changed");
    assert!(!folder.0.join("new/firstright.toml").exists(), "all or nothing");
}

#[test]
fn a_litellm_configuration_is_imported_once() {
    check("litellm", "litellm.yaml");
}

#[test]
fn envoys_resources_are_imported_once() {
    check("envoy", "envoy.yaml");
}

#[test]
fn what_cannot_be_imported_is_said() {
    let folder = Folder::new();
    fs::write(folder.0.join("bad.yaml"), "model_list: [\n  - {\n").unwrap();
    let (said, done) = firstright(&["import", "litellm", "bad.yaml"], &folder);
    assert!(!done && said.contains("failed to read `bad.yaml`, line "), "{said}");
    let (said, done) = firstright(&["import", "litellm", "gone.yaml"], &folder);
    assert!(!done && said.contains("failed to read `gone.yaml`"), "{said}");
    let (said, done) =
        firstright(&["import", "envoy", &fixture("envoy.yaml"), "--report", "report.txt"], &folder);
    assert!(!done && said.contains("a report is a `.json` or a `.md`"), "{said}");
    let quota = fs::read_to_string(fixture("envoy.yaml")).unwrap();
    let quota = quota.replace("modelName: gpt-4o-deployment", "modelName: gpt-4o");
    fs::write(folder.0.join("quota.yaml"), quota).unwrap();
    let (said, done) = firstright(&["import", "envoy", "quota.yaml", "--report", "report.md"], &folder);
    assert!(!done && said.contains("Envoy ignores such a quota in silence"), "{said}");
    assert!(!folder.0.join("firstright").exists() && folder.0.join("report.md").exists());
    let (said, done) = firstright(&["import", "--help"], &folder);
    assert!(done && said.contains("litellm") && said.contains("envoy"), "{said}");
}
