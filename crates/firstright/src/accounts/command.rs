//! Which commands speak of accounts? `firstright account …` of organisations and teams, `firstright key …` of keys.

use std::fmt;
use std::io::Write;

use super::show;
use super::wire::{AccountBody, AccountView, MadeBody, RotateBody};
use crate::jobs::access::{AccessArgs, Found, find};
use crate::jobs::client::{get, post, send};

/// What is done with an account.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Make an organisation or a team.
    Create {
        /// Its id.
        id: String,
        /// Its kind: organisation or team.
        #[arg(long, default_value = "team")]
        kind: String,
        /// The organisation above a team.
        #[arg(long = "in", value_name = "ORGANISATION")]
        parent: Option<String>,
        #[command(flatten)]
        grants: Grants,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// Change what an account may do; what is not named stays. `none` takes a list or a limit away.
    Set {
        /// Which account.
        id: String,
        #[command(flatten)]
        grants: Grants,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// Show an account: what it may do, and what it has spent.
    Show {
        /// Which account.
        id: String,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// List all accounts.
    List {
        #[command(flatten)]
        access: AccessArgs,
    },
    /// Close an account, and with it all below it, for good.
    Close {
        /// Which account.
        id: String,
        #[command(flatten)]
        access: AccessArgs,
    },
}

/// What an account may do.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Grants {
    /// Models that it may use.
    #[arg(long, value_delimiter = ',')]
    models: Vec<String>,
    /// Regions in which it may be served.
    #[arg(long, value_delimiter = ',')]
    regions: Vec<String>,
    /// Families of operations: inference, store, realtime.
    #[arg(long, value_delimiter = ',')]
    operations: Vec<String>,
    /// Hard budgets: "50 USD/day", "1000 USD/month", "1000 USD".
    #[arg(long = "budget", value_name = "BUDGET")]
    budgets: Vec<String>,
    /// Soft budgets, which tell and do not refuse.
    #[arg(long = "soft-budget", value_name = "BUDGET")]
    soft_budgets: Vec<String>,
    /// Calls a minute.
    #[arg(long, value_name = "CALLS")]
    requests_per_minute: Option<String>,
    /// Tokens a minute.
    #[arg(long, value_name = "TOKENS")]
    tokens_per_minute: Option<String>,
    /// Calls at once.
    #[arg(long, value_name = "CALLS")]
    concurrent: Option<String>,
    /// Until when it may call: 2027-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// What takes a list or a limit away.
const NONE: &str = "none";

impl Grants {
    /// Writes what was named into the account.
    fn apply(self, body: &mut AccountBody) -> Result<(), String> {
        for (given, own) in [
            (self.models, &mut body.models),
            (self.regions, &mut body.regions),
            (self.operations, &mut body.operations),
            (self.budgets, &mut body.budgets),
            (self.soft_budgets, &mut body.soft_budgets),
        ] {
            match given.as_slice() {
                [] => {}
                [none] if none == NONE => own.clear(),
                _ => *own = given,
            }
        }
        number("requests-per-minute", self.requests_per_minute, &mut body.requests_per_minute)?;
        number("tokens-per-minute", self.tokens_per_minute, &mut body.tokens_per_minute)?;
        number("concurrent", self.concurrent, &mut body.concurrent)?;
        if let Some(until) = self.until {
            body.until = (until != NONE).then_some(until);
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(
    name: &str,
    given: Option<String>,
    own: &mut Option<T>,
) -> Result<(), String> {
    match given.as_deref() {
        None => {}
        Some(NONE) => *own = None,
        Some(text) => {
            let wrong = |_| format!("failed to read `--{name} {text}`: write a whole number, or `none`");
            *own = Some(text.parse().map_err(wrong)?);
        }
    }
    Ok(())
}

/// Runs a command.
///
/// # Errors
/// If the admin API is not found, or refuses.
pub fn run(command: &Command) -> Result<(), String> {
    match command {
        Command::Create { id, kind, parent, grants, access } => {
            let body = AccountBody {
                id: id.clone(),
                kind: kind.clone(),
                parent: parent.clone(),
                ..AccountBody::default()
            };
            create(body, grants, access)
        }
        Command::Set { id, grants, access } => set(id, grants, access),
        Command::Show { id, access } => show(id, access),
        Command::List { access } => list(access, |_| true),
        Command::Close { id, access } => close(id, access),
    }
}

/// Makes an account, and shows the key if it is one.
pub(crate) fn create(mut body: AccountBody, grants: &Grants, access: &AccessArgs) -> Result<(), String> {
    grants.clone().apply(&mut body)?;
    let made: MadeBody = post(&find(access)?, "/admin/accounts", &body)?.json()?;
    tell(access, &made, format_args!("{} `{}` is made", body.kind, body.id))
}

/// Changes what an account may do.
pub(crate) fn set(id: &str, grants: &Grants, access: &AccessArgs) -> Result<(), String> {
    let found = find(access)?;
    let path = path(id, "")?;
    let mut body = get(&found, &path)?.json::<AccountView>()?.account;
    grants.clone().apply(&mut body)?;
    let bytes = serde_json::to_vec(&body).map_err(|error| format!("failed to write the request: {error}"))?;
    let made: MadeBody = send(&found, "PUT", &path, &[], &bytes)?.json()?;
    tell(access, &made, format_args!("`{id}` is set"))
}

/// Shows an account.
pub(crate) fn show(id: &str, access: &AccessArgs) -> Result<(), String> {
    let answer = get(&find(access)?, &path(id, "")?)?;
    let text = if access.json {
        format!("{}\n", String::from_utf8_lossy(&answer.body))
    } else {
        show::account(&answer.json()?)
    };
    print(&text)
}

/// Lists the accounts that are meant.
pub(crate) fn list(access: &AccessArgs, meant: impl Fn(&AccountView) -> bool) -> Result<(), String> {
    let all: Vec<AccountView> = get(&find(access)?, "/admin/accounts")?.json()?;
    let meant: Vec<&AccountView> = all.iter().filter(|view| meant(view)).collect();
    if access.json {
        let text = serde_json::to_string(&meant).map_err(|error| format!("failed to print: {error}"))?;
        return print(&format!("{text}\n"));
    }
    print(&show::accounts(&meant))
}

/// Closes an account.
pub(crate) fn close(id: &str, access: &AccessArgs) -> Result<(), String> {
    let made: MadeBody = send(&find(access)?, "DELETE", &path(id, "")?, &[], b"")?.json()?;
    tell(access, &made, format_args!("`{id}` is closed"))
}

/// Draws a key anew.
pub(crate) fn rotate(id: &str, grace_s: u64, access: &AccessArgs) -> Result<(), String> {
    let found: Found = find(access)?;
    let made: MadeBody = post(&found, &path(id, "/rotate")?, &RotateBody { grace_s })?.json()?;
    tell(access, &made, format_args!("`{id}` is drawn anew; the key before lives on for {grace_s} s"))
}

/// Ids go into the path as they are.
fn path(id: &str, rest: &str) -> Result<String, String> {
    let fit = firstright_core::account::is_id(id);
    fit.then(|| format!("/admin/accounts/{id}{rest}")).ok_or_else(|| format!("there is no account `{id}`"))
}

fn tell(access: &AccessArgs, made: &MadeBody, what: fmt::Arguments<'_>) -> Result<(), String> {
    if access.json {
        let text = serde_json::to_string(made).map_err(|error| format!("failed to print: {error}"))?;
        return print(&format!("{text}\n"));
    }
    let mut text = format!("{what} (record {})\n", made.record);
    if let Some(key) = &made.key {
        text += &format!("the key, shown once and kept nowhere:\n  {key}\n");
    }
    print(&text)
}

fn print(text: &str) -> Result<(), String> {
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| format!("failed to print: {error}"))
}
