use super::*;

fn shown(text: &str, environment: &[(&str, &str)]) -> Result<String, String> {
    let config: OciConfig = toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let variable =
        |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
    config.proof(variable).map(|proof| format!("{proof:?}"))
}

const FUNCTION: [(&str, &str); 2] = [
    ("OCI_RESOURCE_PRINCIPAL_RPST", "/.oci-credentials/rpst"),
    ("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM", "/.oci-credentials/private.pem"),
];

#[test]
fn a_principal_is_found_where_the_platform_says_it_is() {
    let environment = &FUNCTION[..];
    for (text, environment, wanted) in [
        (
            "instance-principal = { region = 'eu-frankfurt-1' }",
            &[][..],
            &["169.254.169.254", "reach: Metadata", "auth.eu-frankfurt-1.oraclecloud.com", "reach: Public"][..],
        ),
        (
            "instance-principal = { region = 'r', federation = 'https://auth.r.oraclegovcloud.com', endpoint = 'http://127.0.0.1:1' }",
            &[],
            &["auth.r.oraclegovcloud.com", "127.0.0.1"],
        ),
        (
            "resource-principal = {}",
            environment,
            &["/.oci-credentials/rpst", "/.oci-credentials/private.pem"],
        ),
        ("resource-principal = { token = '/t', private-key = '/k' }", environment, &["\"/t\"", "\"/k\""]),
    ] {
        let shown = shown(text, environment).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        for wanted in wanted {
            assert!(shown.contains(wanted), "{text}: `{wanted}` is not in {shown}");
        }
    }
}

#[test]
fn what_is_no_principal_is_told() {
    for (text, environment, wanted) in [
        ("", &[][..], "`oci` takes one of"),
        ("tenancy = 't'\nuser = 'u'\nfingerprint = 'f'", &[], "`oci` takes one of"),
        ("tenancy = 't'\nresource-principal = {}", &FUNCTION, "`oci` takes one of"),
        ("resource-principal = {}\ninstance-principal = { region = 'r' }", &FUNCTION, "`oci` takes one of"),
        ("instance-principal = { region = 'a/b' }", &[], "letters, digits and dashes"),
        ("instance-principal = { region = 'r', federation = 'http://auth.example' }", &[], "in the clear"),
        ("resource-principal = {}", &FUNCTION[..1], "`OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM`"),
        (
            "resource-principal = {}",
            &[("OCI_RESOURCE_PRINCIPAL_RPST", "eyJcanary")],
            "must be the path of a file",
        ),
    ] {
        let problem = shown(text, environment).unwrap_err();
        assert!(problem.contains(wanted) && !problem.contains("canary"), "{text}: {problem}");
    }
}
