//! What does a line of a scenario say of an account? `organisation acme budget="100 USD/day"`, `team search in=acme`,
//! `key k1 in=search tenant=app`, `rotate k1 grace=1h`, `close k1`.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use crate::account::{Account, AccountKind, Budget, BudgetPeriod, Limits};
use crate::fact::Fact;
use crate::text::scenario_args::{Args, date, hour, one_of, span};
use crate::units::Span;
use crate::workload::Family;
use crate::world::Digest;

/// What happens to an account.
#[derive(Clone, Debug)]
pub(crate) enum AccountLine {
    /// It is set.
    Set(Box<Account>),
    /// Its key is drawn anew.
    Rotate { id: String, grace: Span },
    /// It is closed.
    Close { id: String },
}

impl AccountLine {
    /// The account of such a line; `None` if the verb is another.
    pub fn read(verb: &str, args: &mut Args) -> Result<Option<AccountLine>, String> {
        Ok(Some(match verb {
            "rotate" => {
                let id = args.need("a key's id")?;
                AccountLine::Rotate { id, grace: args.key("grace").map_or(Ok(Span(0)), |text| span(&text))? }
            }
            "close" => AccountLine::Close { id: args.need("an account's id")? },
            _ => match one_of(verb, &AccountKind::ALL) {
                Ok(kind) => AccountLine::Set(Box::new(account(kind, args)?)),
                Err(_) => return Ok(None),
            },
        }))
    }

    /// The fact. A scenario's key is its id; `nth` tells the versions of a key apart.
    pub fn fact(&self, nth: u64) -> Fact {
        let digest = |id: &str| Digest(Sha256::digest(format!("{id} {nth}").as_bytes()).into());
        match self {
            AccountLine::Set(account) => {
                let drawn = (account.kind == AccountKind::Key && account.digest.is_some())
                    .then(|| digest(&account.id));
                Fact::AccountSet { account: Account { digest: drawn, ..(**account).clone() } }
            }
            AccountLine::Rotate { id, grace } => {
                Fact::KeyRotated { account: id.clone(), digest: digest(id), grace: *grace }
            }
            AccountLine::Close { id } => Fact::AccountClosed { account: id.clone() },
        }
    }
}

fn account(kind: AccountKind, args: &mut Args) -> Result<Account, String> {
    let id = args.need("an id for the account")?;
    let list = |text: Option<String>| -> Vec<String> {
        text.map(|text| text.split(',').map(ToString::to_string).collect()).unwrap_or_default()
    };
    let mut budgets = Vec::new();
    for (key, hard) in [("budget", true), ("soft", false)] {
        while let Some(text) = args.key(key) {
            budgets.push(budget(&text, hard)?);
        }
    }
    let family = |word: &String| one_of(word, &Family::ALL);
    Ok(Account {
        id,
        kind,
        parent: args.key("in"),
        tenant: args.key("tenant"),
        // A key that is set again keeps what it has.
        digest: (!args.flag("again")).then(Digest::default),
        fixed: false,
        models: list(args.key("models")),
        regions: list(args.key("regions")),
        families: list(args.key("families")).iter().map(family).collect::<Result<_, _>>()?,
        budgets,
        limits: Limits {
            requests_per_minute: args.key_of("rpm")?,
            tokens_per_minute: args.key_of("tpm")?,
            concurrent: args.key_of("concurrent")?,
        },
        until: args.key("until").map(|text| date(&text)).transpose()?,
    })
}

/// `100 USD/day`, `100 USD/month` or `100 USD` in all.
fn budget(text: &str, hard: bool) -> Result<Budget, String> {
    let (sum, period) = match text.split_once('/') {
        Some((sum, word)) => (sum, one_of(word, &BudgetPeriod::ALL)?),
        None => (text, BudgetPeriod::Total),
    };
    Ok(Budget { limit: hour(sum)?, period, hard })
}
