//! Who may call, for how much? Organisations, their teams and their keys: what each permits, what it may spend, and how
//! fast. Accounts are facts, so the book is their store; a key is kept as its SHA-256 alone, and as a key is 256 random
//! bits its digest is no secret.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::units::{DAY, Money, Timestamp, civil, days_of};
use crate::workload::Family;
use crate::world::Digest;

/// The broker's number for an account: 1, 2, 3 … in the order in which they were made, never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountId(pub u32);

/// An account as it is set: what it may do beside what every account above it lets it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id: 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`. It is never given to another, also when it is closed.
    pub id: String,
    /// What it is.
    pub kind: AccountKind,
    /// The account above it. It stays where it is.
    pub parent: Option<String>,
    /// Whose work it brings, for a key: a tenant's id.
    pub tenant: Option<String>,
    /// The SHA-256 of the key, for a key. `None` leaves what it has.
    pub digest: Option<Digest>,
    /// It stands in the configuration, which alone changes it.
    pub fixed: bool,
    /// Models that it may use, as agreements match them; empty means all that those above it may.
    pub models: Vec<String>,
    /// Regions in which its calls may be served; empty means all that those above it may.
    pub regions: Vec<String>,
    /// Families of operations that it may use; empty means all that those above it may.
    pub families: Vec<Family>,
    /// What it may spend.
    pub budgets: Vec<Budget>,
    /// How fast and how much at once.
    pub limits: Limits,
    /// Until when it may call, exclusive.
    pub until: Option<Timestamp>,
}

/// What an account is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AccountKind {
    /// The highest.
    Organisation,
    /// Under an organisation, or on its own.
    Team,
    /// What callers present; under a team or an organisation, or on its own.
    #[default]
    Key,
}

/// What an account and all below it may spend in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// In the currency of the law.
    pub limit: Money,
    /// When it begins anew.
    pub period: BudgetPeriod,
    /// A hard one refuses; a soft one tells.
    pub hard: bool,
}

/// When a budget begins anew, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BudgetPeriod {
    /// At midnight.
    Day,
    /// On the first of the month.
    Month,
    /// Never.
    Total,
}

/// How fast an account and all below it may call. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Calls a minute.
    pub requests_per_minute: Option<u64>,
    /// Tokens a minute, input and output.
    pub tokens_per_minute: Option<u64>,
    /// Calls at once.
    pub concurrent: Option<u32>,
}

/// Why a fact about an account has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountProblem {
    /// There is no account of this id.
    Unknown,
    /// The id is not 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`, begun by a letter or a digit.
    BadId,
    /// It was closed, which is for good.
    Closed,
    /// The account above it does not exist or was closed.
    NoParent,
    /// The account above it is not of a higher kind.
    ParentKind,
    /// An account stays of its kind, below the account where it was made, and with its tenant.
    Moved,
    /// A key has a tenant that the law knows, and nothing else has one.
    Tenant,
    /// A key has a digest, and nothing else has one.
    Digest,
    /// The digest is that of another key, or was that of one.
    DigestKnown,
    /// There are as many accounts as there may be, or as many budgets, models or regions in one.
    TooMany,
}

/// Budgets, models or regions in an account at most: a person wrote them.
pub const MAX_ENTRIES: usize = 64;
/// Accounts at most, with those that were closed: each is about a kilobyte of the broker.
pub const MAX_ACCOUNTS: usize = 100_000;

impl AccountKind {
    /// Every kind, by its word.
    pub const ALL: [(&'static str, AccountKind); 3] =
        [("organisation", AccountKind::Organisation), ("team", AccountKind::Team), ("key", AccountKind::Key)];

    /// The word for it.
    pub fn word(self) -> &'static str {
        AccountKind::ALL.iter().find(|(_, kind)| *kind == self).map_or("key", |(word, _)| word)
    }
}

impl BudgetPeriod {
    /// Every period, by its word.
    pub const ALL: [(&'static str, BudgetPeriod); 3] =
        [("day", BudgetPeriod::Day), ("month", BudgetPeriod::Month), ("total", BudgetPeriod::Total)];

    /// The word for it.
    pub fn word(self) -> &'static str {
        BudgetPeriod::ALL.iter().find(|(_, period)| *period == self).map_or("total", |(word, _)| word)
    }

    /// The start of the period that holds `at`; [`Timestamp`] zero for one that never begins anew.
    pub fn start(self, at: Timestamp) -> Timestamp {
        let days = at.0.div_euclid(DAY);
        let first = match self {
            BudgetPeriod::Day => days,
            BudgetPeriod::Month => {
                let (year, month, _) = civil(days);
                days_of(year, month, 1).unwrap_or(0)
            }
            BudgetPeriod::Total => 0,
        };
        Timestamp(first.saturating_mul(DAY))
    }

    /// The end of the period that holds `at`, exclusive; the end of time for one that never begins anew.
    pub fn end(self, at: Timestamp) -> Timestamp {
        match self {
            BudgetPeriod::Day => Timestamp(self.start(at).0.saturating_add(DAY)),
            BudgetPeriod::Month => crate::clause::Period::Month.end(self.start(at)),
            BudgetPeriod::Total => Timestamp::MAX,
        }
    }
}

impl AccountProblem {
    /// Completes "failed to set the account: …".
    pub fn word(self) -> &'static str {
        match self {
            AccountProblem::Unknown => "there is no account of this id",
            AccountProblem::BadId => {
                "an id is 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`, and begins with a letter or a digit"
            }
            AccountProblem::Closed => "it was closed, which is for good",
            AccountProblem::NoParent => "the account above it does not exist or was closed",
            AccountProblem::ParentKind => "the account above it is not of a higher kind",
            AccountProblem::Moved => "an account keeps its kind, its place and its tenant",
            AccountProblem::Tenant => "a key has a tenant that the law knows, and nothing else has one",
            AccountProblem::Digest => "a key has a digest, and nothing else has one",
            AccountProblem::DigestKnown => "the key is known already",
            AccountProblem::TooMany => "there are too many accounts, or entries in this one",
        }
    }
}

/// Is it an id that an account can have?
pub fn is_id(id: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let plain = |byte: u8| letter(byte) || matches!(byte, b'.' | b'_' | b'-');
    (1..=64).contains(&id.len()) && id.bytes().all(plain) && id.bytes().next().is_some_and(letter)
}
