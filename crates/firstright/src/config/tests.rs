use firstright_gateway::endpoint::Dialect;
use firstright_wire::language::Language;
use firstright_wire::oci::ApiFormat;

use super::*;

mod reference;

const LAW: &str = include_str!("../../../../agreements/minimal.toml");

fn world() -> World {
    let (world, diagnostics) = firstright_core::text::read(&[("minimal.toml".to_string(), LAW.to_string())]);
    world.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

fn config(text: &str) -> Result<Config, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn unknown_keys_are_named_with_their_line() {
    let problem = config("agreements = []\n[gateway]\nlisten-on = \"x\"\n").unwrap_err();
    assert!(problem.contains("line 3") && problem.contains("listen-on"), "{problem}");
}

#[test]
fn an_entry_that_the_law_does_not_know_is_named() {
    let text = "agreements = []\n[[deployment]]\nid = \"nobody\"\nurl = \"https://x/v1\"\n";
    let problem = config(text).unwrap().endpoints(&world(), &[]).unwrap_err();
    assert!(problem.contains("`nobody`"), "{problem}");
}

#[test]
fn secrets_are_references_and_never_shown() {
    let id = &world().deployments[0].id.clone();
    let literal =
        format!("agreements = []\n[[deployment]]\nid = \"{id}\"\nurl = \"https://x\"\nkey = \"sk-1\"\n");
    assert!(config(&literal).is_err(), "a literal secret was taken");
    let file = std::env::temp_dir().join(format!("firstright-secret-{}", std::process::id()));
    std::fs::write(&file, "sk-canary\n").unwrap();
    let text = format!(
        "agreements = []\n[[deployment]]\nid = \"{id}\"\nurl = \"https://x\"\nkey = {{ file = \"{}\" }}\n",
        file.display()
    );
    let endpoints = config(&text).unwrap().endpoints(&world(), &[]).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(endpoints[0].is_some());
    assert!(!format!("{endpoints:?}").contains("canary"));
}

#[test]
fn a_digest_is_64_hexadecimal_digits() {
    assert_eq!(from_hex(&hex_digest("key")), Some(digest_of("key")));
    assert_eq!(from_hex("12"), None);
    assert_eq!(from_hex(&"g".repeat(64)), None);
}

#[test]
fn fixed_headers_are_sent_and_hold_no_credential() {
    let id = &world().deployments[0].id.clone();
    let with = |headers: &str| {
        let text = format!(
            "agreements = []\n[[deployment]]\nid = \"{id}\"\nurl = \"https://x\"\nallow-private = true\nheaders = {headers}\n"
        );
        config(&text).unwrap().endpoints(&world(), &[])
    };
    let endpoints = with("{ CompartmentId = 'ocid1.compartment', openai-project = 'p' }").unwrap();
    let endpoint = endpoints[0].as_ref().unwrap();
    let shown: Vec<(&str, &str)> =
        endpoint.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(shown, [("compartmentid", "ocid1.compartment"), ("openai-project", "p")]);
    assert!(endpoint.target.may_be_private());
    for wrong in [
        "{ Authorization = 'x' }",
        "{ x-api-key = 'x' }",
        "{ host = 'x' }",
        "{ 'a b' = 'x' }",
        "{ a = \"\\u0001\" }",
    ] {
        assert!(with(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_ocid_does_not_tell_the_format_and_a_name_does() {
    let id = &world().deployments[0].id.clone();
    let of = |more: &str| {
        let text = format!("agreements = []\n[[deployment]]\nid = \"{id}\"\nurl = \"https://x\"\n{more}\n");
        let endpoints = config(&text)?.endpoints(&world(), &[])?;
        match &endpoints[0].as_ref().unwrap().dialect {
            Dialect::Translated { language: Language::Oci { format, .. }, .. } => Ok(*format),
            other => Err(format!("{other:?}")),
        }
    };
    let oci = |name: &str, more: &str| {
        of(&format!("dialect = 'oci'\ncompartment = 'ocid1.compartment.oc1..a'\nname = '{name}'\n{more}"))
    };
    let endpoint = "ocid1.generativeaiendpoint.oc1.us-chicago-1.a";
    for (name, more, format) in [
        ("cohere.command-a-vision-07-2025", "", ApiFormat::CohereV2),
        ("cohere.command-r-plus", "", ApiFormat::Cohere),
        ("cohere.command-r-plus", "api-format = 'cohere-v2'", ApiFormat::CohereV2),
        (endpoint, "api-format = 'generic'", ApiFormat::Generic),
        (endpoint, "api-format = 'cohere'", ApiFormat::Cohere),
        (endpoint, "api-format = 'cohere-v2'", ApiFormat::CohereV2),
    ] {
        assert_eq!(oci(name, more), Ok(format), "{name} {more}");
    }
    assert!(oci(endpoint, "").unwrap_err().contains("`oci` needs an `api-format` too"));
    assert!(oci(endpoint, "api-format = 'chat'").is_err());
    assert!(of("api-format = 'cohere'").unwrap_err().contains("go with `oci` only"));
}
