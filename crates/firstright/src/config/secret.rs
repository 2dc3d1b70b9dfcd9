//! Where is a secret? In the environment or in a file, never in the configuration itself.

use std::path::PathBuf;

use firstright_gateway::credential::Secret;
use serde::Deserialize;

/// Where a secret is: never in the file itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// In an environment variable.
    Env(String),
    /// In a file.
    File(PathBuf),
}

/// Reads a reference without ever repeating what stands in its place.
impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<SecretRef, D::Error> {
        struct Reference;

        const WANTED: &str =
            "a reference to a secret: `{ env = \"NAME\" }` or `{ file = \"PATH\" }`, never the secret itself";

        impl<'de> serde::de::Visitor<'de> for Reference {
            type Value = SecretRef;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(WANTED)
            }

            fn visit_str<E: serde::de::Error>(self, _secret: &str) -> Result<SecretRef, E> {
                Err(E::custom(format!("expected {WANTED}")))
            }

            fn visit_map<M: serde::de::MapAccess<'de>>(self, mut map: M) -> Result<SecretRef, M::Error> {
                use serde::de::Error;
                let wrong = || M::Error::custom(format!("expected {WANTED}"));
                let reference = match map.next_key::<String>()?.as_deref() {
                    Some("env") => SecretRef::Env(map.next_value()?),
                    Some("file") => SecretRef::File(map.next_value()?),
                    Some(other) => {
                        return Err(M::Error::custom(format!("unknown key `{other}`, expected {WANTED}")));
                    }
                    None => return Err(wrong()),
                };
                if map.next_key::<String>()?.is_some() { Err(wrong()) } else { Ok(reference) }
            }
        }

        from.deserialize_any(Reference)
    }
}

/// Says where it is, not what.
impl std::fmt::Display for SecretRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SecretRef::Env(name) => write!(f, "the environment variable `{name}`"),
            SecretRef::File(path) => write!(f, "the file `{}`", path.display()),
        }
    }
}

impl SecretRef {
    /// A secret that can stand in a header.
    pub(super) fn read(&self) -> Result<Secret, String> {
        self.text().map(|text| Secret::new(&text))
    }

    /// What it refers to, which can stand in a header.
    ///
    /// # Errors
    /// If it is not there, is empty, or has bytes that cannot stand in a header.
    pub(crate) fn text(&self) -> Result<String, String> {
        let text = self.whole()?;
        if text.trim().is_empty() {
            return Err("its key is empty".to_string());
        }
        if !text.trim().bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
            return Err("its key has white space or other bytes that cannot stand in a header".to_string());
        }
        Ok(text.trim().to_string())
    }

    /// What it refers to, as it is: a key in PEM has lines.
    pub(super) fn whole(&self) -> Result<String, String> {
        Ok(match self {
            SecretRef::Env(name) => {
                std::env::var(name).map_err(|_| format!("the environment variable `{name}` is not set"))?
            }
            SecretRef::File(path) => {
                let shown = path.display();
                std::fs::read_to_string(path).map_err(|error| format!("failed to read `{shown}`: {error}"))?
            }
        })
    }
}
