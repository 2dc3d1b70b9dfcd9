//! How does one begin? `firstright init` writes a commented configuration and a law to go with it, from the providers'
//! keys that it finds in the environment. It writes names of variables, never what they hold.

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

/// A provider that the environment has a key for.
struct Known {
    /// The variable with the key.
    variable: &'static str,
    party: &'static str,
    /// The base URL, or the variable that has it.
    url: Url,
    dialect: &'static str,
    model: &'static str,
}

enum Url {
    Fixed(&'static str),
    Variable(&'static str),
}

/// Providers that are looked for, those with committed capacity first.
const KNOWN: [Known; 5] = [
    Known {
        variable: "AZURE_OPENAI_API_KEY",
        party: "microsoft",
        url: Url::Variable("AZURE_OPENAI_ENDPOINT"),
        dialect: "azure-v1",
        model: "gpt-4o",
    },
    Known {
        variable: "OPENAI_API_KEY",
        party: "openai",
        url: Url::Fixed("https://api.openai.com/v1"),
        dialect: "open-ai",
        model: "gpt-4o",
    },
    Known {
        variable: "OPENROUTER_API_KEY",
        party: "openrouter",
        url: Url::Fixed("https://openrouter.ai/api/v1"),
        dialect: "open-ai",
        model: "gpt-4o",
    },
    Known {
        variable: "NEBIUS_API_KEY",
        party: "nebius",
        url: Url::Fixed("https://api.studio.nebius.com/v1"),
        dialect: "open-ai",
        model: "gpt-4o",
    },
    Known {
        variable: "TOGETHER_API_KEY",
        party: "together",
        url: Url::Fixed("https://api.together.xyz/v1"),
        dialect: "open-ai",
        model: "gpt-4o",
    },
];

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
    write(&law, &law_text(&found))?;
    write(&config, &config_text(&found, &key))?;
    println!("wrote {} and {}", config.display(), law.display());
    match found.as_slice() {
        [] => {
            println!("no provider's key was found in the environment: the providers are examples to fill in")
        }
        found => {
            let names: Vec<&str> = found.iter().map(|one| one.known.variable).collect();
            println!("found {}", names.join(", "));
        }
    }
    println!("your key, shown once and kept nowhere:\n  {key}\nnext: firstright check {}", law.display());
    Ok(())
}

/// A provider that was found, with its base URL.
struct Found {
    known: &'static Known,
    url: String,
}

fn find(variable: impl Fn(&str) -> Option<String>) -> Vec<Found> {
    let found = KNOWN.iter().filter_map(|known| {
        variable(known.variable)?;
        let url = match known.url {
            Url::Fixed(url) => url.to_string(),
            Url::Variable(name) => variable(name)?.trim_end_matches('/').to_string(),
        };
        Some(Found { known, url })
    });
    found.collect()
}

/// A law in which the first provider found holds a standing first refusal, and the others take the rest.
fn law_text(found: &[Found]) -> String {
    let example =
        [Found { known: &KNOWN[0], url: String::new() }, Found { known: &KNOWN[1], url: String::new() }];
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
        let Known { party, model, dialect, variable, .. } = one.known;
        let _ = write!(
            text,
            "\n[[deployment]]\nid = \"{party}-{model}\"\nurl = \"{}\"\ndialect = \"{dialect}\"\n\
             key = {{ env = \"{variable}\" }}\n",
            one.url
        );
    }
    text
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let fail = |error| format!("failed to write `{}`: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(fail)?;
    file.write_all(text.as_bytes()).map_err(fail)
}

#[cfg(test)]
mod tests;
