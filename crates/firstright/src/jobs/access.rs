//! Where is the admin API, and what is its token? As the command line says, or the environment, or the file that the
//! server wrote.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::admin::{FILE, Token};

/// The book's folder unless it is named.
const DEFAULT_DATA: &str = "firstright-data";

/// How a command finds the admin API.
#[derive(clap::Args, Clone, Debug)]
pub struct AccessArgs {
    /// Address of the admin API [env: FIRSTRIGHT_ADMIN; otherwise as DATA/admin.toml says].
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    admin: Option<SocketAddr>,
    /// The book's folder [env: FIRSTRIGHT_DATA; otherwise `firstright-data`].
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Where it is, and its token.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) address: SocketAddr,
    pub(crate) token: Token,
}

/// Writes the file, for its owner only.
pub(crate) fn write(data: &Path, address: SocketAddr, token: &Token) -> io::Result<()> {
    let path = data.join(FILE);
    let new = data.join(format!("{FILE}.new"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    writeln!(file, "# Written at each start; for commands on this machine.")?;
    writeln!(file, "address = \"{address}\"\ntoken = \"{}\"", token.reveal())?;
    drop(file);
    fs::rename(new, path)
}

/// Finds it, or says what is missing.
pub(crate) fn find(args: &AccessArgs) -> Result<Found, String> {
    let env = |key: &str| std::env::var(key).ok().filter(|value| !value.is_empty());
    let data = args.data.clone().or_else(|| env("FIRSTRIGHT_DATA").map(PathBuf::from));
    let data = data.unwrap_or_else(|| PathBuf::from(DEFAULT_DATA));
    let address = match (args.admin, env("FIRSTRIGHT_ADMIN")) {
        (Some(address), _) => Some(address),
        (None, Some(text)) => Some(
            text.parse().map_err(|_| format!("failed to read FIRSTRIGHT_ADMIN: `{text}` is no address"))?,
        ),
        (None, None) => None,
    };
    let token = env("FIRSTRIGHT_ADMIN_TOKEN").and_then(|token| Token::new(&token));
    if let (Some(address), Some(token)) = (address, &token) {
        return Ok(Found { address, token: token.clone() });
    }
    let path = data.join(FILE);
    let text = fs::read_to_string(&path).map_err(|error| {
        let path = path.display();
        format!("failed to find the admin API: `{path}`: {error}; is Firstright running, and is `--data` its folder?")
    })?;
    let broken = || format!("failed to read `{}`", path.display());
    let table = DeTable::parse(&text).map_err(|_| broken())?;
    let value = |key: &str| table.get_ref().get(key).and_then(|value| value.get_ref().as_str());
    let written = value("address").and_then(|address| address.parse().ok());
    let address = address.or(written).ok_or_else(broken)?;
    let token = token.or_else(|| value("token").and_then(Token::new)).ok_or_else(broken)?;
    Ok(Found { address, token })
}
