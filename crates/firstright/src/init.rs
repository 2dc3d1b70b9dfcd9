//! How does one begin? `firstright init` writes a commented configuration and a law to go with it, from the providers'
//! credentials that it finds in the environment. Where a secret is, it writes the variable's name, never what it holds.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::config::{REFERENCE, hex_digest};
use crate::keys::draw;

#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where to write.
    #[arg(default_value = ".")]
    folder: PathBuf,
}

/// A provider that the environment may have a credential for.
struct Known {
    party: &'static str,
    /// What must be set.
    variables: &'static [&'static str],
    /// The base URL. `${NAME}` is what a variable holds.
    url: &'static str,
    dialect: &'static str,
    model: &'static str,
    /// What the provider calls the model, if not the same.
    name: &'static str,
    /// The line of the credential. `${NAME}` is what a variable holds that is no secret.
    credential: &'static str,
}

/// Providers that are looked for, those with committed capacity first; of one party the first that is found.
const KNOWN: [Known; 15] = [
    Known {
        party: "microsoft",
        variables: &["AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT"],
        url: "${AZURE_OPENAI_ENDPOINT}",
        dialect: "azure-v1",
        model: "gpt-4o",
        name: "gpt-4o",
        credential: "key = { env = \"AZURE_OPENAI_API_KEY\" }",
    },
    Known {
        party: "microsoft",
        variables: &["AZURE_OPENAI_ENDPOINT", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"],
        url: "${AZURE_OPENAI_ENDPOINT}",
        dialect: "azure-v1",
        model: "gpt-4o",
        name: "gpt-4o",
        credential: "auth = { entra = { tenant = \"${AZURE_TENANT_ID}\", client-id = \"${AZURE_CLIENT_ID}\", client-secret = { env = \"AZURE_CLIENT_SECRET\" } } }",
    },
    Known {
        party: "microsoft",
        variables: &[
            "AZURE_OPENAI_ENDPOINT",
            "AZURE_TENANT_ID",
            "AZURE_CLIENT_ID",
            "AZURE_FEDERATED_TOKEN_FILE",
        ],
        url: "${AZURE_OPENAI_ENDPOINT}",
        dialect: "azure-v1",
        model: "gpt-4o",
        name: "gpt-4o",
        credential: "auth = { entra = { tenant = \"${AZURE_TENANT_ID}\", client-id = \"${AZURE_CLIENT_ID}\", federated-token = \"${AZURE_FEDERATED_TOKEN_FILE}\" } }",
    },
    // App Service and Container Apps.
    Known {
        party: "microsoft",
        variables: &["AZURE_OPENAI_ENDPOINT", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"],
        url: "${AZURE_OPENAI_ENDPOINT}",
        dialect: "azure-v1",
        model: "gpt-4o",
        name: "gpt-4o",
        credential: "auth = { managed-identity = {} }",
    },
    // The variables of Oracle's command line.
    Known {
        party: "oracle",
        variables: &[
            "OCI_CLI_REGION",
            "OCI_CLI_TENANCY",
            "OCI_CLI_USER",
            "OCI_CLI_FINGERPRINT",
            "OCI_CLI_KEY_FILE",
        ],
        url: "https://inference.generativeai.${OCI_CLI_REGION}.oci.oraclecloud.com/openai/v1",
        dialect: "open-ai",
        model: "gpt-oss-120b",
        name: "openai.gpt-oss-120b",
        credential: "auth = { oci = { tenancy = \"${OCI_CLI_TENANCY}\", user = \"${OCI_CLI_USER}\", fingerprint = \"${OCI_CLI_FINGERPRINT}\", private-key = { file = \"${OCI_CLI_KEY_FILE}\" } } }",
    },
    Known {
        party: "amazon",
        variables: &["AWS_REGION", "AWS_BEARER_TOKEN_BEDROCK"],
        url: "https://bedrock-runtime.${AWS_REGION}.amazonaws.com/openai/v1",
        dialect: "open-ai",
        model: "gpt-oss-120b",
        name: "openai.gpt-oss-120b-1:0",
        credential: "key = { env = \"AWS_BEARER_TOKEN_BEDROCK\" }",
    },
    Known {
        party: "amazon",
        variables: &["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
        url: "https://bedrock-runtime.${AWS_REGION}.amazonaws.com/openai/v1",
        dialect: "open-ai",
        model: "gpt-oss-120b",
        name: "openai.gpt-oss-120b-1:0",
        credential: "auth = { aws = { region = \"${AWS_REGION}\", access-key-id = { env = \"AWS_ACCESS_KEY_ID\" }, secret-access-key = { env = \"AWS_SECRET_ACCESS_KEY\" }, session-token = { env = \"AWS_SESSION_TOKEN\" } } }",
    },
    Known {
        party: "amazon",
        variables: &["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        url: "https://bedrock-runtime.${AWS_REGION}.amazonaws.com/openai/v1",
        dialect: "open-ai",
        model: "gpt-oss-120b",
        name: "openai.gpt-oss-120b-1:0",
        credential: "auth = { aws = { region = \"${AWS_REGION}\", access-key-id = { env = \"AWS_ACCESS_KEY_ID\" }, secret-access-key = { env = \"AWS_SECRET_ACCESS_KEY\" } } }",
    },
    Known {
        party: "google",
        variables: &["GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"],
        url: "https://${GOOGLE_CLOUD_LOCATION}-aiplatform.googleapis.com/v1/projects/${GOOGLE_CLOUD_PROJECT}/locations/${GOOGLE_CLOUD_LOCATION}/endpoints/openapi",
        dialect: "open-ai",
        model: "gemini-2.5-flash",
        name: "google/gemini-2.5-flash",
        credential: "auth = { gcp = { service-account = { file = \"${GOOGLE_APPLICATION_CREDENTIALS}\" } } }",
    },
    Known {
        party: "google",
        variables: &["GEMINI_API_KEY"],
        url: "https://generativelanguage.googleapis.com/v1beta/openai",
        dialect: "open-ai",
        model: "gemini-2.5-flash",
        name: "gemini-2.5-flash",
        credential: "key = { env = \"GEMINI_API_KEY\" }",
    },
    Known {
        party: "anthropic",
        variables: &["ANTHROPIC_API_KEY"],
        url: "https://api.anthropic.com",
        dialect: "anthropic",
        model: "claude-sonnet-4-6",
        name: "claude-sonnet-4-6",
        credential: "key = { env = \"ANTHROPIC_API_KEY\" }",
    },
    Known {
        party: "openai",
        variables: &["OPENAI_API_KEY"],
        url: "https://api.openai.com/v1",
        dialect: "open-ai",
        model: "gpt-4o",
        name: "gpt-4o",
        credential: "key = { env = \"OPENAI_API_KEY\" }",
    },
    Known {
        party: "openrouter",
        variables: &["OPENROUTER_API_KEY"],
        url: "https://openrouter.ai/api/v1",
        dialect: "open-ai",
        model: "gpt-4o",
        name: "openai/gpt-4o",
        credential: "key = { env = \"OPENROUTER_API_KEY\" }",
    },
    Known {
        party: "nebius",
        variables: &["NEBIUS_API_KEY"],
        url: "https://api.studio.nebius.com/v1",
        dialect: "open-ai",
        model: "gpt-oss-120b",
        name: "openai/gpt-oss-120b",
        credential: "key = { env = \"NEBIUS_API_KEY\" }",
    },
    Known {
        party: "together",
        variables: &["TOGETHER_API_KEY"],
        url: "https://api.together.xyz/v1",
        dialect: "open-ai",
        model: "gpt-oss-120b",
        name: "openai/gpt-oss-120b",
        credential: "key = { env = \"TOGETHER_API_KEY\" }",
    },
];

/// Without any, the law and configuration show these two.
const EXAMPLES: [usize; 2] = [0, 11];

/// Writes the files; never over one that is there.
///
/// # Errors
/// If a file is there already or cannot be written.
pub fn run(args: &Args) -> Result<(), String> {
    let found = find(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let key = draw()?;
    let config = args.folder.join("firstright.toml");
    let law = args.folder.join("agreements").join("first.toml");
    for path in [&config, &law] {
        if path.exists() {
            return Err(format!("failed to write `{}`: it is there already", path.display()));
        }
    }
    write_new(&law, &law_text(&found))?;
    write_new(&config, &config_text(&found, &key))?;
    println!("wrote {} and {}", config.display(), law.display());
    match found.as_slice() {
        [] => {
            println!(
                "no provider's credential was found in the environment: the providers are examples to fill in"
            )
        }
        found => {
            let names =
                found.iter().map(|one| format!("{} ({})", one.known.party, one.known.variables.join(", ")));
            println!("found {}", names.collect::<Vec<_>>().join("; "));
        }
    }
    println!(
        "your key, shown once and kept nowhere:\n  {key}\nnext: firstright check {}, firstright providers test",
        law.display()
    );
    Ok(())
}

/// A provider that was found, with its lines filled in.
struct Found {
    known: &'static Known,
    url: String,
    credential: String,
}

fn find(variable: impl Fn(&str) -> Option<String>) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for known in &KNOWN {
        let is_set = known.variables.iter().all(|name| variable(name).is_some());
        if !is_set || found.iter().any(|one| one.known.party == known.party) {
            continue;
        }
        let filled = filled(known.url, &variable).zip(filled(known.credential, &variable));
        found.extend(filled.map(|(url, credential)| {
            let url = url.trim_end_matches('/').to_string();
            Found { known, url, credential }
        }));
    }
    found
}

/// Puts what variables hold in their places. None if it could not stand between quotes.
fn filled(text: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut parts = text.split("${");
    let mut filled = parts.next()?.to_string();
    for part in parts {
        let (name, rest) = part.split_once('}')?;
        let value = variable(name)?;
        if value.contains(['"', '\\']) || value.contains(char::is_control) {
            return None;
        }
        filled.push_str(&value);
        filled.push_str(rest);
    }
    Some(filled)
}

/// A law in which the first provider found holds a standing first refusal, and the others take the rest.
fn law_text(found: &[Found]) -> String {
    let example =
        EXAMPLES.map(|at| Found { known: &KNOWN[at], url: String::new(), credential: String::new() });
    let found = if found.is_empty() { &example } else { found };
    let mut text = String::from(
        "# The law: who may serve what, and who must be asked first. docs/agreements.md explains every key.\n\
         # Prices and limits below are placeholders: put your contract's in.\n\
         currency = \"USD\"\n\n[[party]]\nid = \"us\"\noperator = true\n",
    );
    for one in found {
        let (party, model) = (one.known.party, one.known.model);
        let _ = write!(
            text,
            "\n[[party]]\nid = \"{party}\"\n\n[[provider]]\nid = \"{party}\"\nparty = \"{party}\"\nregion = \"us-east\"\n\
             jurisdiction = \"us\"\n\n[[provider.deployment]]\nid = \"{party}-{model}\"\nmodel = \"{model}\"\n\
             capacity = {{ pay-as-you-go = {{ tokens-per-minute = 450_000, requests-per-minute = 2_700 }} }}\n\
             price = {{ input = \"2.50 USD/Mtok\", cached-input = \"1.25 USD/Mtok\", output = \"10 USD/Mtok\" }}\n"
        );
    }
    let first = found.first().map_or("", |one| one.known.party);
    let _ = write!(
        text,
        "\n[[tenant]]\nid = \"app\"\nmax-wait = \"1s\"\n\n[[agreement]]\nid = \"first\"\nparties = [\"us\", \"{first}\"]\n\
         from = 2025-01-01\n\n# {first} is asked first, and its published capacity answers for it.\n\
         [[agreement.first-refusal]]\nid = \"{first}-first\"\nholder = \"{first}\"\nscope = {{ kinds = \"calls\" }}\n\
         answering = \"standing\"\n"
    );
    text
}

fn config_text(found: &[Found], key: &str) -> String {
    let mut text = REFERENCE.replace("agreements/minimal.toml", "agreements/first.toml");
    let _ = write!(text, "\n[[key]]\nid = \"first\"\ntenant = \"app\"\nsha256 = \"{}\"\n", hex_digest(key));
    for one in found {
        let Known { party, model, name, dialect, .. } = one.known;
        let _ = write!(
            text,
            "\n[[deployment]]\nid = \"{party}-{model}\"\nurl = \"{}\"\ndialect = \"{dialect}\"\nname = \"{name}\"\n{}\n",
            one.url, one.credential
        );
    }
    text
}

/// Writes a file that is not there yet, and the folders above it.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), String> {
    let fail = |error| format!("failed to write `{}`: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(fail)?;
    file.write_all(text.as_bytes()).map_err(fail)
}

#[cfg(test)]
mod tests;
