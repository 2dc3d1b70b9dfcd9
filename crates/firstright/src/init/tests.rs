use super::*;
use crate::config::Config;

/// What `init` writes must be read back whole, whatever was found.
fn check(variables: &[(&str, &str)]) {
    let value =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
    let found = find(value);
    let config: Config = toml::from_str(&config_text(&found, "fr-test")).unwrap();
    let law = law_text(&found);
    let (world, problems) = firstright_core::text::read(&[("first.toml".to_string(), law)]);
    let world = world.unwrap_or_else(|| panic!("{problems:?}"));
    assert_eq!(config.deployments.len(), found.len());
    for entry in &config.deployments {
        assert!(world.find_deployment(&entry.id).is_some(), "{}", entry.id);
    }
    config.keys(&world).unwrap();
}

#[test]
fn what_is_written_is_read_back() {
    check(&[]);
    check(&[("OPENAI_API_KEY", "sk-canary")]);
    check(&[("AZURE_OPENAI_API_KEY", "canary"), ("AZURE_OPENAI_ENDPOINT", "https://x.openai.azure.com/")]);
    let all: Vec<(&str, &str)> = KNOWN.iter().map(|known| (known.variable, "canary")).collect();
    check(&all);
}

#[test]
fn no_secret_is_written() {
    let found = find(|name| (name == "OPENAI_API_KEY").then(|| "sk-canary".to_string()));
    assert!(!config_text(&found, "fr-canary").contains("canary"));
}
