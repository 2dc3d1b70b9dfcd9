use std::sync::Arc;

use super::*;

const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../firstright-gateway/tests/it/tls/rsa.key.pem");
const CERTIFICATE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../firstright-gateway/tests/it/tls/rsa.cert.pem");

fn read(text: &str) -> Result<AuthConfig, String> {
    #[derive(Deserialize)]
    struct File {
        auth: AuthConfig,
    }
    let file: File = toml::from_str(&format!("auth = {text}")).map_err(|error| error.to_string())?;
    Ok(file.auth)
}

fn proof(text: &str) -> Result<Proof, String> {
    Proofs::default().of(&read(text)?, "bedrock-runtime.us-east-1.amazonaws.com")
}

/// A file with a canary in it, for as long as the test runs.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> File {
        let path = std::env::temp_dir().join(format!("firstright-auth-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        File(path)
    }

    fn reference(&self) -> String {
        format!("{{ file = {:?} }}", self.0)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn each_kind_is_read_and_none_shows_its_secret() {
    let secret = File::new("kinds", "canary-1234\n");
    let secret = secret.reference();
    let pem = std::fs::read_to_string(KEY).unwrap();
    let account = serde_json::json!({
        "type": "service_account", "client_email": "a@b", "private_key_id": "k", "private_key": pem,
        "token_uri": GOOGLE, "client_id": "canary",
    });
    let account = File::new("account", &account.to_string());
    let account = account.reference();
    let key = format!("{{ file = {KEY:?} }}");
    let certificate = format!("{{ file = {CERTIFICATE:?} }}");
    for text in [
        format!("{{ entra = {{ tenant = 't', client-id = 'c', client-secret = {secret} }} }}"),
        format!(
            "{{ entra = {{ tenant = 't', client-id = 'c', certificate = {certificate}, private-key = {key} }} }}"
        ),
        "{ entra = { tenant = 't.com', client-id = 'c', federated-token = '/run/token' } }".to_string(),
        format!(
            "{{ entra = {{ tenant = 't', client-id = 'c', client-secret = {secret}, authority = 'http://127.0.0.1:1' }} }}"
        ),
        "{ managed-identity = {} }".to_string(),
        "{ managed-identity = { client-id = 'c', resource = 'r', endpoint = 'http://localhost:1' } }"
            .to_string(),
        format!("{{ oci = {{ tenancy = 't', user = 'u', fingerprint = '20:3b', private-key = {key} }} }}"),
        format!(
            "{{ aws = {{ region = 'us-east-1', access-key-id = {secret}, secret-access-key = {secret}, session-token = {secret} }} }}"
        ),
        format!("{{ gcp = {{ service-account = {account} }} }}"),
        "{ gcp = { machine-account = 'default' } }".to_string(),
        format!("{{ header = 'x-api-key', key = {secret} }}"),
    ] {
        let shown = format!("{:?}", proof(&text).unwrap_or_else(|problem| panic!("{text}: {problem}")));
        // An access key's id is no secret; here it is the same text as the secret.
        let shown = shown.replacen("access_key_id: \"canary-1234\"", "", 1);
        assert!(!shown.contains("canary") && !shown.contains("PRIVATE"), "{shown}");
    }
}

#[test]
fn what_is_wrong_is_told_without_the_secret() {
    let secret = File::new("wrong", "canary-1234\n");
    let secret = secret.reference();
    let elsewhere = serde_json::json!({
        "client_email": "a@b", "private_key_id": "k", "private_key": "canary", "token_uri": "https://elsewhere/token",
    });
    let elsewhere = File::new("elsewhere", &elsewhere.to_string());
    let elsewhere = elsewhere.reference();
    let entra = |rest: &str| format!("{{ entra = {{ tenant = 't', client-id = 'c'{rest} }} }}");
    let table = [
        ("{}".to_string(), "takes one of"),
        (format!("{{ header = 'x-api-key', key = {secret}, managed-identity = {{}} }}"), "takes one of"),
        (format!("{{ key = {secret} }}"), "`header` and `key` go together"),
        (format!("{{ header = 'Host', key = {secret} }}"), "`Host` is not for a key"),
        (format!("{{ header = 'a b', key = {secret} }}"), "`a b` is not a header's name"),
        ("{ kerberos = {} }".to_string(), "unknown field `kerberos`"),
        ("{ managed-identity = { clientid = 'c' } }".to_string(), "unknown field `clientid`"),
        (entra(", client-secret = 'canary'"), "never the secret itself"),
        (entra(""), "`entra` takes one of"),
        (entra(&format!(", client-secret = {secret}, federated-token = 'x'")), "`entra` takes one of"),
        (entra(&format!(", certificate = {secret}")), "`entra` takes one of"),
        (entra(&format!(", certificate = {secret}, private-key = {secret}")), "no certificate in PEM"),
        (entra(&format!(", client-secret = {secret}, authority = 'http://login'")), "in the clear"),
        (
            format!("{{ entra = {{ tenant = 'a/b', client-id = 'c', client-secret = {secret} }} }}"),
            "not a directory's id",
        ),
        (
            format!("{{ oci = {{ tenancy = 't', user = 'u', fingerprint = 'f', private-key = {secret} }} }}"),
            "no private key in PEM",
        ),
        (
            format!(
                "{{ aws = {{ region = 'us east', access-key-id = {secret}, secret-access-key = {secret} }} }}"
            ),
            "letters, digits and dashes",
        ),
        ("{ gcp = {} }".to_string(), "`gcp` takes one of"),
        (format!("{{ gcp = {{ service-account = {secret} }} }}"), "not a service account's key in JSON"),
        (format!("{{ gcp = {{ service-account = {elsewhere} }} }}"), "`https://elsewhere/token`"),
    ];
    for (text, wanted) in table {
        let problem = proof(&text).unwrap_err();
        assert!(problem.contains(wanted), "{text}: {problem}");
        assert!(!problem.contains("canary-1234"), "{problem}");
    }
}

#[test]
fn equal_credentials_are_one() {
    let auth = read("{ managed-identity = {} }").unwrap();
    let mut proofs = Proofs::default();
    let of = |proofs: &mut Proofs, host| match proofs.of(&auth, host).unwrap() {
        Proof::Tokens(tokens) => tokens,
        other => panic!("{other:?}"),
    };
    let (one, same) = (of(&mut proofs, "a.openai.azure.com"), of(&mut proofs, "b.openai.azure.com"));
    assert!(Arc::ptr_eq(&one, &same));
    let other = proofs.of(&read("{ managed-identity = { client-id = 'c' } }").unwrap(), "a.openai.azure.com");
    assert!(matches!(other, Ok(Proof::Tokens(other)) if !Arc::ptr_eq(&one, &other)));
}

#[test]
fn app_service_is_found_by_its_environment() {
    let config = ManagedIdentityConfig { client_id: None, resource: None, endpoint: None };
    let platform = |name: &str| match name {
        "IDENTITY_ENDPOINT" => Some("http://127.0.0.1:41741/msi/token".to_string()),
        "IDENTITY_HEADER" => Some("canary".to_string()),
        _ => None,
    };
    let shown = format!("{:?}", config.proof(platform).unwrap());
    assert!(
        shown.contains("AzureAppService") && shown.contains("41741") && !shown.contains("canary"),
        "{shown}"
    );
    let shown = format!("{:?}", config.proof(|_| None).unwrap());
    assert!(shown.contains("AzureMetadata") && shown.contains("169.254.169.254"), "{shown}");
}

/// Proofs of the same by the same means are one, over a reload too; whatever differs makes another.
#[test]
fn what_proves_the_same_is_the_same_after_a_reload() {
    let [secret, other] = [File::new("same-1", "canary-1"), File::new("same-2", "canary-2")];
    let (secret, other) = (secret.reference(), other.reference());
    let key = format!("{{ file = '{KEY}' }}");
    let of = |text: &str| proof(text).unwrap();
    let entra = |tenant: &str, secret: &str| {
        format!("{{ entra = {{ tenant = '{tenant}', client-id = 'c', client-secret = {secret} }} }}")
    };
    let aws = |region: &str, secret: &str| {
        format!(
            "{{ aws = {{ region = '{region}', access-key-id = {secret}, secret-access-key = {secret} }} }}"
        )
    };
    let oci = |user: &str| {
        format!("{{ oci = {{ tenancy = 't', user = '{user}', fingerprint = 'f', private-key = {key} }} }}")
    };
    let certificate = format!(
        "{{ entra = {{ tenant = 't', client-id = 'c', certificate = {{ file = '{CERTIFICATE}' }}, private-key = {key} }} }}"
    );
    let texts = [
        entra("t", &secret),
        entra("u", &secret),
        entra("t", &other),
        certificate,
        aws("r", &secret),
        aws("s", &secret),
        aws("r", &other),
        oci("u"),
        oci("v"),
        "{ managed-identity = {} }".to_string(),
        "{ managed-identity = { endpoint = 'http://127.0.0.1:1' } }".to_string(),
        "{ gcp = { machine-account = 'default' } }".to_string(),
        format!("{{ header = 'x-a', key = {secret} }}"),
        format!("{{ header = 'x-b', key = {secret} }}"),
    ];
    for (place, text) in texts.iter().enumerate() {
        for (at, against) in texts.iter().enumerate() {
            assert_eq!(of(text).is_same(&of(against)), place == at, "{text} and {against}");
        }
    }
}
