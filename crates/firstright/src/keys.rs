//! How does a caller get a key? `firstright key new` draws one, shows it once, and prints the lines for the configuration.

use crate::config::hex_digest;

#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Draw a new key.
    New {
        /// Whose work it brings.
        #[arg(long)]
        tenant: String,
        /// Its name, for logs; the tenant's if absent.
        #[arg(long)]
        id: Option<String>,
        /// Models that it may use; all that the tenant may if absent.
        #[arg(long, value_delimiter = ',')]
        models: Vec<String>,
    },
}

/// Draws a key.
///
/// # Errors
/// If the system gives no randomness.
pub fn run(args: &Args) -> Result<(), String> {
    let Command::New { tenant, id, models } = &args.command;
    let key = draw()?;
    println!("# The key, shown once and kept nowhere:\n#   {key}");
    println!("[[key]]\nid = {:?}\ntenant = {tenant:?}", id.as_ref().unwrap_or(tenant));
    if !models.is_empty() {
        println!("models = {models:?}");
    }
    println!("sha256 = \"{}\"", hex_digest(&key));
    Ok(())
}

/// A key: 256 random bits after a prefix by which secret scanners can find it.
pub(crate) fn draw() -> Result<String, String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("failed to draw a key: {error}"))?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("fr-{hex}"))
}
