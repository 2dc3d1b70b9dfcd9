//! With which secret are ids signed? One of the book's own, drawn when it is first needed, and kept beside its journal:
//! ids that were given out stay good for as long as the book does.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use firstright_core::world::World;
use firstright_gateway::homes::HomeBook;

use crate::config::Config;

/// Its file in the book's folder.
const FILE: &str = "homes.key";

/// The homes of a law, under a configuration.
///
/// # Errors
/// If the secret can neither be read nor written.
pub(crate) fn book(config: &Config, world: &World) -> Result<HomeBook, String> {
    let secret = secret(&config.data)?;
    let configured = config.deployments.iter().filter_map(|one| world.find_deployment(&one.id));
    let reachable: BTreeSet<_> = configured.map(|id| world.deployment(id).provider).collect();
    Ok(HomeBook::new(&secret, world, reachable.len(), config.gateway.shared_lists))
}

fn secret(folder: &Path) -> Result<[u8; 32], String> {
    let path = folder.join(FILE);
    let shown = path.display();
    match fs::read(&path) {
        Ok(bytes) => {
            let wrong = || {
                format!(
                    "failed to use `{shown}`: it is not 32 bytes; ids that were given out need the old one"
                )
            };
            bytes.try_into().map_err(|_| wrong())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => draw(&path),
        Err(error) => Err(format!("failed to read `{shown}`: {error}")),
    }
}

/// Draws a secret that only we may read. It is on disk before an id is signed with it.
fn draw(path: &Path) -> Result<[u8; 32], String> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| format!("failed to draw a secret: {error}"))?;
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(&secret)?;
        file.sync_all()
    };
    write().map_err(|error| format!("failed to write `{}`: {error}", path.display()))?;
    Ok(secret)
}
