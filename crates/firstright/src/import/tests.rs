use std::collections::BTreeSet;
use std::path::PathBuf;

use super::report::Grade;
use super::*;
use crate::config::DialectName;

const TODAY: &str = "2026-11-27";
const FIXTURES: &str = "src/import/tests";

fn fixture(name: &str) -> PathBuf {
    Path::new(FIXTURES).join(name)
}

fn no_environment(_: &str) -> Option<String> {
    None
}

fn litellm(path: PathBuf) -> Result<Import, String> {
    litellm::import(&[path], &no_environment, TODAY.to_string())
}

fn envoy(path: PathBuf) -> Result<Import, String> {
    envoy::import(&[path], TODAY.to_string())
}

/// A text as a file of its own, and the import of it.
fn of_text(name: &str, text: &str, import: fn(PathBuf) -> Result<Import, String>) -> Result<Import, String> {
    let folder = std::env::temp_dir().join(format!("firstright-import-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("source.yaml");
    std::fs::write(&file, text).unwrap();
    let imported = import(file);
    std::fs::remove_dir_all(&folder).unwrap();
    imported
}

/// `UPDATE_EXPECT=1 cargo test -p firstright --lib import` writes the files anew.
#[track_caller]
fn golden(name: &str, text: &str) {
    let path = fixture(name);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{name} is otherwise; UPDATE_EXPECT=1 writes it anew");
}

/// Report, law and endpoints; the reference before the endpoints changes with its own keys.
fn check_golden(name: &str, import: &Import) -> Config {
    let [(_, config), (_, law)] = <[_; 2]>::try_from(outputs(&import.plan, Path::new("")).unwrap()).unwrap();
    golden(&format!("{name}.report"), &import.report.text());
    golden(&format!("{name}.law.toml"), &law);
    let endpoints = config.find("\n[[deployment]]").map_or("", |at| &config[at + 1..]);
    golden(&format!("{name}.endpoints.toml"), endpoints);
    let (world, _) = text::read(&[("law.toml".to_string(), law)]);
    // Every endpoint is one that can be dialled, its credential aside, which is not here.
    let open = |line: &&str| !line.starts_with("key = ") && !line.starts_with("auth = ");
    let bare: String = config.lines().filter(open).flat_map(|line| [line, "\n"]).collect();
    let bare: Config = toml::from_str(&bare).unwrap();
    assert!(bare.endpoints(world.as_ref().unwrap(), &[]).unwrap().iter().all(Option::is_some));
    let (world, config) = (world.unwrap(), toml::from_str::<Config>(&config).unwrap());
    for deployment in &world.deployments {
        assert!(config.deployments.iter().any(|one| one.id == deployment.id), "{}", deployment.id);
    }
    for deployment in &config.deployments {
        assert!(world.find_deployment(&deployment.id).is_some(), "{}", deployment.id);
    }
    config
}

#[test]
fn litellm_becomes_a_law_and_its_plumbing() {
    let import = litellm(fixture("litellm.yaml")).unwrap();
    let config = check_golden("litellm", &import);
    assert_eq!(config.gateway.first_byte_timeout_s, 120);
    assert_eq!(config.gateway.max_body_bytes, 32 << 20);
    assert_eq!(config.deployments[0].dialect, DialectName::AzureDated);
}

#[test]
fn envoy_becomes_a_law_and_its_plumbing() {
    check_golden("envoy", &envoy(fixture("envoy.yaml")).unwrap());
}

/// What is told: file, line and path.
fn told(import: &Import) -> BTreeSet<(String, usize, String)> {
    import.report.entries().iter().map(|one| (one.file.clone(), one.line, one.path.clone())).collect()
}

#[test]
fn every_value_of_the_source_is_told_with_its_line() {
    for (import, files) in [
        (litellm(fixture("litellm.yaml")).unwrap(), &["litellm.yaml", "litellm-teams.yaml"][..]),
        (envoy(fixture("envoy.yaml")).unwrap(), &["envoy.yaml"][..]),
    ] {
        let told = told(&import);
        let mut values = 0;
        for file in files {
            let path = fixture(file);
            let text = std::fs::read_to_string(&path).unwrap();
            // Apart from the tree: what stands after a colon or a dash in a line is a value of that line.
            for (line, text) in text.lines().enumerate() {
                let bare = text.split(" #").next().unwrap_or("").trim();
                let value = bare.split_once(": ").map(|(_, value)| value).or_else(|| bare.strip_prefix("- "));
                let anchors = ["&", "*", "{}", "#"];
                let Some(value) = value.filter(|value| !anchors.iter().any(|mark| value.starts_with(mark)))
                else {
                    continue;
                };
                if bare.starts_with('#') || value.ends_with(':') {
                    continue;
                }
                values += 1;
                let name = path.display().to_string();
                assert!(
                    told.iter().any(|(file, at, _)| *file == name && *at == line + 1),
                    "{name}:{}: {text}",
                    line + 1
                );
            }
        }
        assert!(values > 80, "{values}");
    }
}

/// A tree as JSON, which is YAML. `change` may give another text for a leaf by its number, or a text for its whole entry.
fn json(node: &Node, leaf: &mut usize, change: &dyn Fn(usize) -> Option<Change>) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match &node.kind {
        yaml::Kind::List(items) if !items.is_empty() => {
            let items: Vec<String> = items.iter().map(|item| json(item, leaf, change)).collect();
            format!("[{}]", items.join(", "))
        }
        yaml::Kind::Map(entries) if !entries.is_empty() => {
            let mut out = Vec::new();
            for (key, value) in entries {
                let at = *leaf;
                let text = json(value, leaf, change);
                let single = *leaf == at + 1;
                match change(at).filter(|_| single) {
                    Some(Change::Key(key)) => out.push(format!("{}: {text}", quoted(key))),
                    Some(Change::Gone) => {}
                    _ => out.push(format!("{}: {text}", quoted(key))),
                }
            }
            format!("{{{}}}", out.join(", "))
        }
        kind => {
            let own = *leaf;
            *leaf += 1;
            match (change(own), kind) {
                (Some(Change::Value(text)), _) => text.to_string(),
                (_, yaml::Kind::Scalar { text, plain: true }) => text.clone(),
                (_, yaml::Kind::Scalar { text, .. }) => quoted(text),
                (_, yaml::Kind::List(_)) => "[]".to_string(),
                (_, yaml::Kind::Map(_)) => "{}".to_string(),
                (_, yaml::Kind::Null) => "null".to_string(),
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Change {
    Value(&'static str),
    Key(&'static str),
    Gone,
}

const CHANGES: [Change; 9] = [
    Change::Value("\"\""),
    Change::Value("-1"),
    Change::Value("7"),
    Change::Value("\"a b|c\\nd\""),
    Change::Value("[x, {y: z}]"),
    Change::Value("\"os.environ/NOT_SET\""),
    Change::Value("\"https://user:canary@host/v1?key=canary\""),
    Change::Key("unheard-of"),
    Change::Gone,
];

/// Whatever one value of a source is: all is told, no secret comes out, and what is written is a law and its plumbing.
fn check_changes(name: &str, file: &str, import: fn(PathBuf) -> Result<Import, String>) {
    let text = std::fs::read_to_string(fixture(file)).unwrap();
    let documents = yaml::read(file, &text, &mut 0).unwrap().all;
    let leaves: usize = documents.iter().map(|root| root.leaves().len()).sum();
    // Each value has three of the changes, and its neighbours have the others.
    let three = |at: usize| {
        (0..CHANGES.len()).filter(move |nth| (at + nth).is_multiple_of(3)).map(move |nth| (at, CHANGES[nth]))
    };
    for (at, change) in (0..leaves).flat_map(three) {
        let mut leaf = 0;
        let changed = |own: usize| (own == at).then_some(change);
        let texts: Vec<String> = documents.iter().map(|root| json(root, &mut leaf, &changed)).collect();
        let text = texts.join("\n---\n");
        // An include that is not there, or a key that is no text, is an error that says so.
        let import = match of_text(name, &text, import) {
            Ok(import) => import,
            Err(why) => {
                assert!(why.starts_with("failed to ") && !why.contains("canary"), "{why}");
                continue;
            }
        };
        let told = told(&import);
        let source = yaml::read("source.yaml", &text, &mut 0).unwrap();
        for value in source.all.iter().flat_map(Node::leaves) {
            let is = |path: &str| path == &*value.path || path.ends_with(&format!(":{}", value.path));
            assert!(told.iter().any(|(_, _, path)| is(path)), "{} in {text}", value.path);
        }
        let report = [import.report.text(), import.report.json()].concat();
        assert!(!report.contains("canary"), "{report}");
        if import.report.errors().is_empty() {
            let outputs = outputs(&import.plan, Path::new("")).unwrap_or_else(|why| panic!("{why}\n{text}"));
            assert!(!outputs.iter().any(|(_, text)| text.contains("canary")), "{text}");
        }
    }
}

#[test]
fn no_value_of_a_litellm_configuration_is_dropped_or_breaks_what_is_written() {
    check_changes("litellm", "litellm.yaml", litellm);
}

#[test]
fn no_value_of_an_envoy_resource_is_dropped_or_breaks_what_is_written() {
    check_changes("envoy", "envoy.yaml", envoy);
}

#[test]
fn a_quota_that_envoy_would_ignore_is_an_error() {
    let text = std::fs::read_to_string(fixture("envoy.yaml")).unwrap();
    let import =
        of_text("quota", &text.replace("modelName: gpt-4o-deployment", "modelName: gpt-4o"), envoy).unwrap();
    let [error] = import.report.errors() else { panic!("{:?}", import.report.errors()) };
    assert!(
        error.contains("source.yaml:128") && error.contains("`gpt-4o-deployment` is sent there"),
        "{error}"
    );
    assert!(import.report.text().contains("error: "));
}

#[test]
fn an_address_may_come_from_the_environment_and_a_secret_may_not() {
    let variable =
        |name: &str| (name == "EMBEDDINGS_API_BASE").then(|| "https://emb.example/v1/".to_string());
    let import = litellm::import(&[fixture("litellm.yaml")], &variable, TODAY.to_string()).unwrap();
    assert!(plan::config(&import.plan).contains("url = \"https://emb.example/v1\""));
    let asked = std::cell::RefCell::new(Vec::new());
    let variable = |name: &str| {
        asked.borrow_mut().push(name.to_string());
        Some("canary".to_string())
    };
    let import = litellm::import(&[fixture("litellm.yaml")], &variable, TODAY.to_string()).unwrap();
    assert!(!asked.borrow().iter().any(|name| name.contains("KEY")), "{asked:?}");
    assert!(!plan::config(&import.plan).contains("canary"));
}

/// What an import cannot know it does not claim.
#[test]
fn a_serving_mode_that_is_not_known_is_to_be_written() {
    let entry = |mode: &str| {
        format!(
            "model_list:\n- {{model_name: m, litellm_params: {{model: oci/cohere.command-a-03-2025, oci_serving_mode: {mode}, \
             oci_endpoint_id: ocid1.generativeaiendpoint.x}}}}\n"
        )
    };
    let variable = |name: &str| (name == "MODE").then(|| "DEDICATED".to_string());
    for (mode, written, told) in [
        ("DEDICATED", true, "`name` is the endpoint's OCID"),
        ("ON_DEMAND", false, "on demand, as every name"),
        ("os.environ/MODE", true, "`name` is the endpoint's OCID"),
        ("os.environ/GONE", false, "taken for on demand"),
        ("dedicated", false, "taken for on demand"),
    ] {
        let path = std::env::temp_dir().join(format!("firstright-mode-{}.yaml", std::process::id()));
        std::fs::write(&path, entry(mode)).unwrap();
        let import = litellm::import(std::slice::from_ref(&path), &variable, TODAY.to_string());
        std::fs::remove_file(&path).unwrap();
        let import = import.unwrap();
        assert!(import.report.text().contains(told), "{mode}: {}", import.report.text());
        let config = plan::config(&import.plan);
        assert_eq!(config.contains("name = \"ocid1.generativeaiendpoint.x\""), written, "{mode}: {config}");
    }
}

#[test]
fn what_includes_itself_is_an_error() {
    let why = of_text("loop", "include: [source.yaml]\n", litellm).unwrap_err();
    assert!(why.contains("it is included twice, or by itself"), "{why}");
    let why = of_text("gone", "include: [gone.yaml]\n", litellm).unwrap_err();
    assert!(why.contains("gone.yaml"), "{why}");
}

#[test]
fn places_of_one_party_have_no_rights_against_each_other() {
    let text = "model_list:\n\
        - {model_name: m, litellm_params: {model: azure/b, api_base: 'https://b.openai.azure.com', order: 2}}\n\
        - {model_name: m, litellm_params: {model: azure/a, api_base: 'https://a.openai.azure.com', order: 1}}\n";
    let import = of_text("order", text, litellm).unwrap();
    assert!(import.plan.preferences.is_empty());
    let ids: Vec<&str> = import.plan.providers.iter().map(|one| &*one.id).collect();
    assert_eq!(ids, ["azure-a", "azure-b"], "the first in the order comes first in the law");
}

#[test]
fn addresses_with_credentials_are_not_written() {
    for text in [
        "https://user:secret@host/v1",
        "https://host/v1?key=secret",
        "https://host/v1#secret",
        "ftp://host",
        "host",
        "https://",
        "https://ho st/",
    ] {
        assert_eq!(address(text), None, "{text}");
    }
    assert_eq!(address(" https://host:8443/v1/ ").as_deref(), Some("https://host:8443/v1"));
}

/// What is graded `exact` and yet decides nothing that is written: it says where something else is meant, or what holds
/// here whatever it says.
const EXACT_WITHOUT_EFFECT: [&str; 16] = [
    "apiVersion",
    "kind",
    "group",
    "namespace",
    "name",
    "type",
    "schema",
    "prefix",
    "version",
    "wellKnownCACertificates",
    "credential_name",
    "enable_pre_call_checks",
    "turn_off_message_logging",
    "api_base",
    "duration",
    "costExpression",
];

#[test]
fn what_is_exact_decides_what_is_written() {
    let text =
        std::fs::read_to_string(fixture("litellm.yaml")).unwrap().replace("- litellm-teams.yaml", "[]");
    let documents = yaml::read("source.yaml", &text, &mut 0).unwrap().all;
    let plain = |_: usize| None;
    let whole = |import: &Import| [plan::law(&import.plan), plan::config(&import.plan)].concat();
    let base = of_text("exact", &json(&documents[0], &mut 0, &plain), litellm).unwrap();
    let written = whole(&base);
    for (at, leaf) in documents[0].leaves().into_iter().enumerate() {
        let entries = base.report.entries().iter().filter(|one| *one.path == *leaf.path);
        let grades: Vec<Grade> = entries.map(|one| one.grade).collect();
        let key = leaf.path.rsplit('.').next().unwrap_or("");
        if grades.iter().any(|grade| *grade != Grade::Exact)
            || EXACT_WITHOUT_EFFECT.contains(&key)
            || leaf.anchored
        {
            continue;
        }
        let changed = |own: usize| (own == at).then_some(Change::Value("7"));
        let import = of_text("exact", &json(&documents[0], &mut 0, &changed), litellm).unwrap();
        let mut now = import.report.entries().iter().filter(|one| *one.path == *leaf.path);
        let still = now.all(|one| one.grade == Grade::Exact);
        assert!(!still || whole(&import) != written, "{} is exact and decides nothing", leaf.path);
    }
}
