use super::*;

fn read(text: &str) -> AwsConfig {
    toml::from_str(&format!("region = 'eu-west-1'\n{text}")).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What an environment holds.
type Environment = [(&'static str, &'static str)];

fn shown(text: &str, environment: &Environment) -> Result<String, String> {
    let variable =
        |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
    read(text).proof("bedrock", variable).map(|proof| format!("{proof:?}"))
}

const EKS: [(&str, &str); 2] = [
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/run/eks/token"),
];

#[test]
fn a_role_is_found_where_the_platform_says_it_is() {
    let table: [(&str, &Environment, &[&str]); 9] = [
        ("instance-role = {}", &[], &["Machine { role: None }", "169.254.169.254", "reach: Metadata"]),
        (
            "instance-role = { role = 'gateway', endpoint = 'http://localhost:1' }",
            &[],
            &["Machine { role: Some(\"gateway\") }", "localhost"],
        ),
        (
            "container-role = {}",
            &[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x")],
            &["authorization: None", "169.254.170.2", "path: \"/v2/credentials/x\""],
        ),
        (
            "container-role = {}",
            &EKS,
            &["File(\"/run/eks/token\")", "169.254.170.23", "path: \"/v1/credentials\""],
        ),
        (
            "container-role = { endpoint = 'http://127.0.0.1:1/x', authorization-token = '/t' }",
            &EKS,
            &["File(\"/t\")", "127.0.0.1"],
        ),
        (
            "container-role = {}",
            &[
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://keys.example/x"),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary"),
            ],
            &["Text(Secret(…))", "keys.example"],
        ),
        (
            "web-identity = {}",
            &[("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/eks/web")],
            &[
                "role/r",
                "/run/eks/web",
                "session: \"firstright\"",
                "sts.eu-west-1.amazonaws.com",
                "reach: Public",
            ],
        ),
        (
            "web-identity = { role = 'arn:aws:iam::1:role/r', token = '/t', session = 'gw-1', endpoint = 'http://127.0.0.1:1' }",
            &[],
            &["gw-1", "127.0.0.1"],
        ),
        ("service = 'bedrock-mantle'\ninstance-role = {}", &[], &["service: \"bedrock-mantle\""]),
    ];
    for (text, environment, wanted) in table {
        let shown = shown(text, environment).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        for wanted in wanted {
            assert!(shown.contains(wanted), "{text}: `{wanted}` is not in {shown}");
        }
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn what_is_no_role_is_told() {
    let table: [(&str, &Environment, &str); 12] = [
        ("", &[], "`aws` takes one of"),
        ("instance-role = {}\ncontainer-role = {}", &EKS, "`aws` takes one of"),
        ("instance-role = {}\naccess-key-id = { env = 'X' }", &[], "`aws` takes one of"),
        ("instance-role = {}\nsession-token = { env = 'X' }", &[], "`session-token` goes with"),
        ("access-key-id = { env = 'X' }", &[], "`aws` takes one of"),
        ("instance-role = { role = 'a/b' }", &[], "`role` is a role's name"),
        ("container-role = {}", &[], "this is no container of ECS or EKS"),
        ("container-role = { endpoint = 'http://10.0.0.1/x' }", &[], "write `https://`"),
        ("container-role = { endpoint = 'http://169.254.169.254/x' }", &[], "write `https://`"),
        ("web-identity = {}", &[("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")], "`AWS_WEB_IDENTITY_TOKEN_FILE`"),
        ("web-identity = { role = 'r', token = '/t' }", &[], "`role` is a role's ARN"),
        (
            "web-identity = { role = 'arn:aws:iam::1:role/r', token = '/t', endpoint = 'http://sts.example' }",
            &[],
            "in the clear",
        ),
    ];
    for (text, environment, wanted) in table {
        let problem = shown(text, environment).unwrap_err();
        assert!(problem.contains(wanted), "{text}: {problem}");
    }
}
