//! Which accounts and keys does the configuration keep? A key that names nothing but its tenant and models stays outside
//! of the book; one that has an account above it, a budget or a limit is an account itself.

use std::sync::Arc;

use firstright_core::account::Account;
use firstright_core::scope::Glob;
use firstright_core::world::World;
use firstright_gateway::keys::{BookKeys, Keys, Principal};

use super::{Config, KeyConfig, from_hex};
use crate::accounts::wire::AccountBody;

impl Config {
    /// The keys that stay outside of the book, and the index of those that do not.
    ///
    /// # Errors
    /// If one names no tenant of the law, or its digest is not one, or stands there twice.
    pub fn keys(&self, world: &World, book: &Arc<BookKeys>) -> Result<Keys, String> {
        let mut keys = Keys::of(Arc::clone(book));
        for entry in self.keys.iter().filter(|entry| !entry.is_account()) {
            let fail = |why: &str| format!("failed to use key `{}`: {why}", entry.id);
            let tenant = world.find_tenant(&entry.tenant);
            let tenant = tenant.ok_or_else(|| fail(&format!("the law has no tenant `{}`", entry.tenant)))?;
            let models = entry.models.iter().map(|model| Glob(model.clone())).collect();
            if !keys.insert(entry.digest()?, Principal::fixed(&entry.id, tenant, models)) {
                return Err(fail("another key has the same digest"));
            }
        }
        Ok(keys)
    }

    /// The accounts that the configuration keeps in the book, each after the one above it.
    ///
    /// # Errors
    /// If one cannot be read, or is named twice.
    pub fn accounts(&self, world: &World) -> Result<Vec<Account>, String> {
        let fail = |id: &str, why: String| format!("failed to use the account `{id}`: {why}");
        let mut accounts = Vec::new();
        for kind in ["organisation", "team"] {
            for body in self.accounts.iter().filter(|body| body.kind == kind) {
                accounts.push(body.account(world, None, true).map_err(|why| fail(&body.id, why))?);
            }
        }
        if let Some(body) = self.accounts.iter().find(|body| !["organisation", "team"].contains(&&*body.kind))
        {
            let why =
                format!("`kind` is `{}`: write `organisation` or `team`; keys are `[[key]]`", body.kind);
            return Err(fail(&body.id, why));
        }
        for entry in self.keys.iter().filter(|entry| entry.is_account()) {
            let digest = entry.digest()?;
            let account = entry.body().account(world, Some(digest), true);
            accounts.push(account.map_err(|why| fail(&entry.id, why))?);
        }
        let mut ids: Vec<&str> = accounts.iter().map(|account| account.id.as_str()).collect();
        ids.sort_unstable();
        match ids.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(fail(pair[0], "it is named twice".to_string())),
            None => Ok(accounts),
        }
    }
}

impl KeyConfig {
    /// Is it more than a tenant and its models?
    fn is_account(&self) -> bool {
        let plain = AccountBody {
            id: self.id.clone(),
            kind: "key".to_string(),
            tenant: Some(self.tenant.clone()),
            models: self.models.clone(),
            ..AccountBody::default()
        };
        self.body() != plain
    }

    fn body(&self) -> AccountBody {
        AccountBody {
            id: self.id.clone(),
            kind: "key".to_string(),
            parent: self.parent.clone(),
            tenant: Some(self.tenant.clone()),
            models: self.models.clone(),
            regions: self.regions.clone(),
            operations: self.operations.clone(),
            budgets: self.budgets.clone(),
            soft_budgets: self.soft_budgets.clone(),
            requests_per_minute: self.requests_per_minute,
            tokens_per_minute: self.tokens_per_minute,
            concurrent: self.concurrent,
            until: self.until.clone(),
        }
    }

    fn digest(&self) -> Result<[u8; 32], String> {
        let why = || format!("failed to use key `{}`: `sha256` is not 64 hexadecimal digits", self.id);
        from_hex(&self.sha256).ok_or_else(why)
    }
}
