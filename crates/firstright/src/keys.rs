//! How does a caller get a key? From a running server, which keeps it in its book, or by lines for the configuration.

use crate::accounts::command::{self, Grants};
use crate::accounts::wire::AccountBody;
use crate::config::hex_digest;
use crate::jobs::access::AccessArgs;

#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Draw a key for the configuration: nothing is told to a server.
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
    /// Make a key in the book of a running server, and show it once.
    Create {
        /// Its id.
        id: String,
        /// Whose work it brings.
        #[arg(long)]
        tenant: String,
        /// The team or organisation above it.
        #[arg(long = "in", value_name = "ACCOUNT")]
        parent: Option<String>,
        #[command(flatten)]
        grants: Grants,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// Change what a key may do; what is not named stays. `none` takes a list or a limit away.
    Set {
        /// Which key.
        id: String,
        #[command(flatten)]
        grants: Grants,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// Draw a key anew and show it once; the one before it lives on for a while.
    Rotate {
        /// Which key.
        id: String,
        /// How long the one before lives on, in seconds.
        #[arg(long, default_value_t = 3_600)]
        grace_s: u64,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// Revoke a key at once and for good.
    Revoke {
        /// Which key.
        id: String,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// Show a key: what it may do, and what it has spent.
    Show {
        /// Which key.
        id: String,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// List the keys of the book.
    List {
        #[command(flatten)]
        access: AccessArgs,
    },
}

/// Draws a key, or speaks with a running server of one.
///
/// # Errors
/// If the system gives no randomness, or the admin API is not found or refuses.
pub fn run(args: &Args) -> Result<(), String> {
    match &args.command {
        Command::New { tenant, id, models } => new(tenant, id.as_deref(), models),
        Command::Create { id, tenant, parent, grants, access } => {
            let body = AccountBody {
                id: id.clone(),
                kind: "key".to_string(),
                parent: parent.clone(),
                tenant: Some(tenant.clone()),
                ..AccountBody::default()
            };
            command::create(body, grants, access)
        }
        Command::Set { id, grants, access } => command::set(id, grants, access),
        Command::Rotate { id, grace_s, access } => command::rotate(id, *grace_s, access),
        Command::Revoke { id, access } => command::close(id, access),
        Command::Show { id, access } => command::show(id, access),
        Command::List { access } => command::list(access, |view| view.account.kind == "key"),
    }
}

fn new(tenant: &str, id: Option<&str>, models: &[String]) -> Result<(), String> {
    let key = draw()?;
    println!("# The key, shown once and kept nowhere:\n#   {key}");
    println!("[[key]]\nid = {:?}\ntenant = {tenant:?}", id.unwrap_or(tenant));
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
