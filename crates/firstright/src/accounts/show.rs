//! How are accounts printed? As plain tables, and one as lines.

use super::wire::AccountView;
use crate::jobs::show::table;

pub(super) fn accounts(accounts: &[&AccountView]) -> String {
    let row = |view: &&AccountView| {
        let account = &view.account;
        let budgets: Vec<String> =
            view.budgets.iter().map(|one| format!("{} of {}", one.spent, one.limit)).collect();
        vec![
            account.id.clone(),
            account.kind.clone(),
            account.parent.clone().unwrap_or_else(|| "-".to_string()),
            account.tenant.clone().unwrap_or_else(|| "-".to_string()),
            if budgets.is_empty() { "-".to_string() } else { budgets.join(", ") },
            view.reserved.clone(),
            view.open.to_string(),
            view.calls.to_string(),
            if view.live { "live" } else { "closed" }.to_string(),
        ]
    };
    let head = ["ACCOUNT", "KIND", "IN", "TENANT", "SPENT", "RESERVED", "OPEN", "CALLS", "STATE"];
    table(&head, &accounts.iter().map(row).collect::<Vec<_>>())
}

pub(super) fn account(view: &AccountView) -> String {
    let mut out = accounts(&[view]);
    let account = &view.account;
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            out.push_str(&format!("{name}: {value}\n"));
        }
    };
    line("models", account.models.join(", "));
    line("regions", account.regions.join(", "));
    line("operations", account.operations.join(", "));
    let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    line("requests a minute", number(account.requests_per_minute));
    line("tokens a minute", number(account.tokens_per_minute));
    line("calls at once", number(account.concurrent.map(u64::from)));
    line("until", account.until.clone().unwrap_or_default());
    for budget in &view.budgets {
        let kind = if budget.hard { "hard budget" } else { "soft budget" };
        let anew =
            budget.until.as_ref().map_or_else(String::new, |until| format!(", begins anew at {until}"));
        let over = if budget.exceeded { ", exceeded" } else { "" };
        line(kind, format!("{} of {} spent{anew}{over}", budget.spent, budget.limit));
    }
    let version = |until: &Option<String>| {
        until.clone().map_or_else(|| "without an end".to_string(), |until| format!("until {until}"))
    };
    line("versions", view.versions.iter().map(version).collect::<Vec<_>>().join(", "));
    line("unpriced calls", if view.unpriced > 0 { view.unpriced.to_string() } else { String::new() });
    out
}
