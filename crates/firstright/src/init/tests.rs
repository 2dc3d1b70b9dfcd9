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
    config.keys(&world, &std::sync::Arc::default()).unwrap();
}

#[test]
fn what_is_written_is_read_back() {
    check(&[]);
    check(&[("OPENAI_API_KEY", "sk-canary")]);
    check(&[("AZURE_OPENAI_API_KEY", "canary"), ("AZURE_OPENAI_ENDPOINT", "https://x.openai.azure.com/")]);
    for known in &KNOWN {
        let set: Vec<(&str, &str)> = known.variables.iter().map(|name| (*name, "eu-1")).collect();
        check(&set);
    }
    let all: Vec<(&str, &str)> =
        KNOWN.iter().flat_map(|known| known.variables).map(|name| (*name, "eu-1")).collect();
    check(&all);
}

#[test]
fn each_party_is_found_once_and_its_best_credential_taken() {
    let set = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    let found = find(|name| set.contains(&name).then(|| "us-east-1".to_string()));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].url, "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1");
    assert!(found[0].credential.contains("session-token = { env = \"AWS_SESSION_TOKEN\" }"));
    // What could end the string that it stands in is not written.
    let set = ["AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"];
    assert!(find(|name| set.contains(&name).then(|| "https://x\"\nkey = \"y".to_string())).is_empty());
}

#[test]
fn no_secret_is_written() {
    let secret = |name: &str| {
        ["KEY", "SECRET", "TOKEN"].iter().any(|word| name.contains(word)) && !name.contains("FILE")
    };
    let value = |name: &str| Some(if secret(name) { "canary".to_string() } else { "eu-1".to_string() });
    for known in &KNOWN {
        let found = find(|name| known.variables.contains(&name).then(|| value(name)).flatten());
        assert_eq!(found.len(), 1, "{}", known.party);
        assert!(!config_text(&found, "fr-canary").contains("canary"), "{}", known.party);
    }
}
