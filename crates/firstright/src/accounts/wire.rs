//! How is an account written, in the configuration and in the admin API?

use firstright_core::account::{Account, AccountKind, Budget, BudgetPeriod, Limits};
use firstright_core::units::{Money, Timestamp};
use firstright_core::workload::Family;
use firstright_core::world::{Digest, World};
use firstright_core::{Broker, Known};
use firstright_dispatch::job_file;
use serde::{Deserialize, Serialize};

/// An account as it is written. What a list leaves empty the account above permits, or nobody limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AccountBody {
    /// Its id.
    pub id: String,
    /// `organisation`, `team` or `key`.
    pub kind: String,
    /// The account above it.
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Whose work it brings, for a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Models that it may use.
    pub models: Vec<String>,
    /// Regions in which it may be served.
    pub regions: Vec<String>,
    /// Families of operations: `inference`, `store`, `realtime`.
    pub operations: Vec<String>,
    /// Hard budgets: `50 USD/day`, `1000 USD/month`, `1000 USD` in all.
    pub budgets: Vec<String>,
    /// Soft budgets, which tell and do not refuse.
    pub soft_budgets: Vec<String>,
    /// Calls a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u64>,
    /// Tokens a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// Calls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
    /// Until when it may call: `2027-01-01T00:00:00Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// How a key is to be drawn anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RotateBody {
    /// How long the key before it lives on, in seconds.
    pub grace_s: u64,
}

/// What was put on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MadeBody {
    /// The record's number; it is on disk.
    pub record: u64,
    /// The key, where one was drawn. It is said once and kept nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// An account, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AccountView {
    /// As it was set.
    pub account: AccountBody,
    /// It stands in the configuration, which alone changes it.
    pub fixed: bool,
    /// It lets calls in: neither it nor an account above it is closed or past its end.
    pub live: bool,
    /// What is reserved for its open calls.
    pub reserved: String,
    /// Each budget, and how much of it is gone.
    pub budgets: Vec<BudgetView>,
    /// Its open calls.
    pub open: u32,
    /// Its calls that were settled.
    pub calls: u64,
    /// Of those, how many turned out unpriced.
    pub unpriced: u64,
    /// For a key: until when each live version is valid, the newest first; `null` if without an end.
    pub versions: Vec<Option<String>>,
}

/// A budget, and how much of it is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BudgetView {
    /// As it was set.
    pub limit: String,
    /// Does it refuse?
    pub hard: bool,
    /// What was spent in the period.
    pub spent: String,
    /// Is it exceeded, with what is reserved?
    pub exceeded: bool,
    /// When it begins anew; `null` if never.
    pub until: Option<String>,
}

impl AccountBody {
    /// The account that it says, with the digest of a key and whether the configuration keeps it.
    ///
    /// # Errors
    /// With the name of what cannot be read.
    pub fn account(&self, world: &World, digest: Option<[u8; 32]>, fixed: bool) -> Result<Account, String> {
        let kind = AccountKind::ALL.iter().find(|(word, _)| *word == self.kind);
        let kind = kind.ok_or_else(|| expected("kind", &AccountKind::ALL, &self.kind))?.1;
        let family = |word: &String| {
            let found = Family::ALL.iter().find(|(known, _)| known == word);
            found.map(|(_, family)| *family).ok_or_else(|| expected("operations", &Family::ALL, word))
        };
        let hard = self.budgets.iter().map(|text| budget(world, text, true));
        let soft = self.soft_budgets.iter().map(|text| budget(world, text, false));
        let time = |text: &String| {
            job_file::time(text).ok_or_else(|| {
                format!("`until` cannot be `{text}`: write a time such as 2027-01-01T00:00:00Z")
            })
        };
        Ok(Account {
            id: self.id.clone(),
            kind,
            parent: self.parent.clone(),
            tenant: self.tenant.clone(),
            digest: digest.map(Digest),
            fixed,
            models: self.models.clone(),
            regions: self.regions.clone(),
            families: self.operations.iter().map(family).collect::<Result<_, _>>()?,
            budgets: hard.chain(soft).collect::<Result<_, _>>()?,
            limits: Limits {
                requests_per_minute: self.requests_per_minute,
                tokens_per_minute: self.tokens_per_minute,
                concurrent: self.concurrent,
            },
            until: self.until.as_ref().map(time).transpose()?,
        })
    }

    /// As it would have to be written.
    fn of(world: &World, account: &Account) -> AccountBody {
        let budgets = |hard| {
            let own = account.budgets.iter().filter(move |budget| budget.hard == hard);
            own.map(|budget| written(world, budget)).collect()
        };
        AccountBody {
            id: account.id.clone(),
            kind: account.kind.word().to_string(),
            parent: account.parent.clone(),
            tenant: account.tenant.clone(),
            models: account.models.clone(),
            regions: account.regions.clone(),
            operations: account.families.iter().map(|family| family.word().to_string()).collect(),
            budgets: budgets(true),
            soft_budgets: budgets(false),
            requests_per_minute: account.limits.requests_per_minute,
            tokens_per_minute: account.limits.tokens_per_minute,
            concurrent: account.limits.concurrent,
            until: account.until.map(|until| until.to_string()),
        }
    }
}

impl AccountView {
    pub(super) fn of(broker: &Broker, world: &World, known: &Known, now: Timestamp) -> AccountView {
        let money = |sum: Money| format!("{sum} {}", world.currency);
        let end = |at: Timestamp| (at != Timestamp::MAX).then(|| at.to_string());
        let budget = |budget: &Budget| BudgetView {
            limit: written(world, budget),
            hard: budget.hard,
            spent: money(known.spent.within(budget.period, now)),
            exceeded: known.committed(budget.period, now) > budget.limit,
            until: end(budget.period.end(now)),
        };
        AccountView {
            account: AccountBody::of(world, &known.account),
            fixed: known.account.fixed,
            live: broker.account_chain(known.number).all(|known| known.is_live(now)),
            reserved: money(known.reserved),
            budgets: known.account.budgets.iter().map(budget).collect(),
            open: known.open,
            calls: known.calls,
            unpriced: known.unpriced,
            versions: known.digests.iter().map(|(_, until)| end(*until)).collect(),
        }
    }
}

/// `50 USD/day`.
fn budget(world: &World, text: &str, hard: bool) -> Result<Budget, String> {
    let wrong = || format!("a budget cannot be `{text}`: write it like `50 {}/day`", world.currency);
    let (sum, word) = text.split_once('/').unwrap_or((text, "total"));
    let period = BudgetPeriod::ALL.iter().find(|(known, _)| *known == word).ok_or_else(wrong)?.1;
    let (limit, currency) = job_file::money(sum).ok_or_else(wrong)?;
    if currency != world.currency {
        return Err(format!("the budget `{text}` is not in {}, the currency of the law", world.currency));
    }
    Ok(Budget { limit, period, hard })
}

fn written(world: &World, budget: &Budget) -> String {
    let sum = format!("{} {}", budget.limit, world.currency);
    match budget.period {
        BudgetPeriod::Total => sum,
        period => format!("{sum}/{}", period.word()),
    }
}

fn expected<T>(key: &str, words: &[(&str, T)], word: &str) -> String {
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    format!("`{key}` cannot be `{word}`: write one of {}", known.join(", "))
}
