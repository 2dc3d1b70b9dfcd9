//! Who puts a change of an account on record, and has it take effect? The book first, then the gateway's index of keys,
//! before anybody is answered.

use std::sync::Arc;

use firstright_core::account::{Account, AccountId, AccountKind, AccountProblem};
use firstright_core::decision::Action;
use firstright_core::fact::Fact;
use firstright_core::units::{SECOND, Span};
use firstright_core::world::Digest;
use firstright_engine::{Engine, Stepped};
use firstright_gateway::keys::{BookKeys, digest_of};

use super::wire::{AccountBody, AccountView, MadeBody};
use crate::keys::draw;

/// The longest that the key before a new one may live on, in seconds: a key that needs longer is not being replaced.
const MAX_GRACE_S: u64 = 30 * 86_400;

/// Changes accounts.
#[derive(Clone, Debug)]
pub struct Desk {
    engine: Arc<Engine>,
    keys: Arc<BookKeys>,
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// What was asked cannot be read.
    Invalid(String),
    /// There is no such account.
    Unknown(String),
    /// It does not go with what there is.
    Conflict(String),
    /// The machine gave no randomness for a key.
    Failed(String),
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Problem::Invalid(why) | Problem::Unknown(why) | Problem::Conflict(why) | Problem::Failed(why) => {
                f.write_str(why)
            }
        }
    }
}

impl Desk {
    /// For the book of this engine.
    pub fn new(engine: Arc<Engine>, keys: Arc<BookKeys>) -> Desk {
        keys.follow(&engine, None);
        Desk { engine, keys }
    }

    /// The gateway's index of the book's keys.
    pub fn keys(&self) -> &Arc<BookKeys> {
        &self.keys
    }

    /// Every account.
    pub fn list(&self) -> Vec<AccountView> {
        self.engine.read(|broker, now| {
            let Some(world) = broker.world() else { return Vec::new() };
            broker.accounts().map(|known| AccountView::of(broker, world, known, now)).collect()
        })
    }

    /// One account.
    ///
    /// # Errors
    /// If there is none of this id.
    pub fn show(&self, id: &str) -> Result<AccountView, Problem> {
        let found = self.engine.read(|broker, now| {
            let (world, known) = broker.world().zip(broker.find_account(id))?;
            Some(AccountView::of(broker, world, known, now))
        });
        found.ok_or_else(|| unknown(id))
    }

    /// Makes an account; for a key, draws the key.
    ///
    /// # Errors
    /// If the account cannot be so, or there is one of this id.
    pub async fn create(&self, body: &AccountBody) -> Result<MadeBody, Problem> {
        if self.engine.read(|broker, _| broker.find_account(&body.id).is_some()) {
            return Err(Problem::Conflict(format!("there is an account `{}` already", body.id)));
        }
        let key = (body.kind == AccountKind::Key.word()).then(draw).transpose().map_err(Problem::Failed)?;
        let account = self.read(body, key.as_deref())?;
        let record = self.put(&Fact::AccountSet { account }).await?;
        Ok(MadeBody { record, key })
    }

    /// Sets an account anew, whole. A key stays what it is.
    ///
    /// # Errors
    /// If there is none of this id, it cannot be so, or the configuration keeps it.
    pub async fn change(&self, id: &str, body: &AccountBody) -> Result<MadeBody, Problem> {
        self.not_fixed(id)?;
        if body.id != id {
            return Err(Problem::Invalid(format!("the account `{id}` cannot become `{}`", body.id)));
        }
        let account = self.read(body, None)?;
        let record = self.put(&Fact::AccountSet { account }).await?;
        Ok(MadeBody { record, key: None })
    }

    /// Draws a key anew. The one before it lives on for a while.
    ///
    /// # Errors
    /// If there is no key of this id, or the configuration keeps it, or the time is too long.
    pub async fn rotate(&self, id: &str, grace_s: u64) -> Result<MadeBody, Problem> {
        self.not_fixed(id)?;
        if grace_s > MAX_GRACE_S {
            return Err(Problem::Invalid(format!("`grace-s` is {grace_s}, at most {MAX_GRACE_S}")));
        }
        let key = draw().map_err(Problem::Failed)?;
        let (account, digest) = (id.to_string(), Digest(digest_of(&key)));
        let grace = Span(grace_s.saturating_mul(SECOND));
        let record = self.put(&Fact::KeyRotated { account, digest, grace }).await?;
        Ok(MadeBody { record, key: Some(key) })
    }

    /// Closes an account, and with it all below it.
    ///
    /// # Errors
    /// If there is none of this id, it is closed already, or the configuration keeps it.
    pub async fn close(&self, id: &str) -> Result<MadeBody, Problem> {
        self.not_fixed(id)?;
        let record = self.put(&Fact::AccountClosed { account: id.to_string() }).await?;
        Ok(MadeBody { record, key: None })
    }

    /// Brings the configuration's accounts into the book: those that changed are set, those that it names no more are
    /// closed. `accounts` come in an order in which each follows the one above it. One that the book does not take stays as
    /// it was and stops no other.
    ///
    /// # Errors
    /// With the accounts that cannot be so.
    pub fn sync(&self, accounts: &[Account]) -> Result<(), String> {
        let known = self.engine.read(|broker, _| {
            let fixed = broker.accounts().filter(|known| known.account.fixed && known.closed.is_none());
            let one = |known: &firstright_core::Known| {
                (known.account.clone(), known.digests.first().map(|(digest, _)| *digest))
            };
            fixed.map(one).collect::<Vec<_>>()
        });
        let (mut last, mut problems) = (None, Vec::new());
        for account in accounts {
            let same = |(own, digest): &(Account, Option<Digest>)| {
                Account { digest: *digest, ..own.clone() } == *account
            };
            if known.iter().any(same) {
                continue;
            }
            let stepped = self.engine.submit(&Fact::AccountSet { account: account.clone() });
            if let Err(problem) = taken(&stepped) {
                problems.push(format!("failed to use the account `{}`: {}", account.id, problem.word()));
            }
            last = Some(stepped.record);
        }
        // From below: a key goes before its team.
        for (own, _) in known.iter().rev().filter(|(own, _)| !accounts.iter().any(|one| one.id == own.id)) {
            last = Some(self.engine.submit(&Fact::AccountClosed { account: own.id.clone() }).record);
        }
        self.keys.follow(&self.engine, None);
        if let Some(record) = last {
            self.engine.wait_durable(record);
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }

    fn read(&self, body: &AccountBody, key: Option<&str>) -> Result<Account, Problem> {
        body.account(&self.engine.world(), key.map(digest_of), false).map_err(Problem::Invalid)
    }

    fn not_fixed(&self, id: &str) -> Result<(), Problem> {
        let fixed = self.engine.read(|broker, _| broker.find_account(id).map(|known| known.account.fixed));
        match fixed {
            None => Err(unknown(id)),
            Some(false) => Ok(()),
            Some(true) => {
                let why = format!("`{id}` stands in the configuration: change it there");
                Err(Problem::Conflict(why))
            }
        }
    }

    /// Puts a change on record and in effect. The index follows before the record is on disk: what is revoked is gone at
    /// once, and what is new is answered to nobody before.
    async fn put(&self, fact: &Fact) -> Result<u64, Problem> {
        let stepped = self.engine.submit(fact);
        let number = taken(&stepped).map_err(|problem| match problem {
            AccountProblem::Unknown => Problem::Unknown(problem.word().to_string()),
            AccountProblem::BadId => Problem::Invalid(problem.word().to_string()),
            _ => Problem::Conflict(problem.word().to_string()),
        })?;
        self.keys.follow(&self.engine, Some(number));
        self.engine.durable(stepped.record).await;
        Ok(stepped.record)
    }
}

/// The account that the fact had its effect on, or why it had none.
fn taken(stepped: &Stepped) -> Result<AccountId, AccountProblem> {
    let found = stepped.decisions.iter().find_map(|decision| match decision.action {
        Action::SetAccount { account } | Action::CloseAccount { account } => Some(Ok(account)),
        Action::KeepAccount { problem } => Some(Err(problem)),
        _ => None,
    });
    found.unwrap_or(Err(AccountProblem::Unknown))
}

fn unknown(id: &str) -> Problem {
    Problem::Unknown(format!("there is no account `{}`", id.chars().take(64).collect::<String>()))
}
