//! How many facts a second go through clock, lock, broker and journal, and how fast is a journal verified? One submitting
//! thread; the writer syncs beside it. Prints the best of several rounds, since the machine is shared.

use std::fs;
use std::hint::black_box;
use std::time::Instant;

use firstright_core::fact::{Ending, Fact, Source};
use firstright_core::journal::verify;
use firstright_core::units::Span;
use firstright_core::usage::{Tier, Usage};
use firstright_core::workload::{Call, CallId};
use firstright_core::world::{ModelId, TenantId};
use firstright_engine::Engine;

const ROUNDS: usize = 5;
const CALLS: u64 = 200_000;

const LAW: &str = r#"
currency = "USD"
[[party]]
id = "us"
operator = true
[[party]]
id = "azure"
[[party]]
id = "oracle"
[[provider]]
id = "azure-east"
party = "azure"
region = "us-east"
jurisdiction = "us"
[[provider.deployment]]
id = "azure-ptu"
model = "gpt-4o"
capacity = { provisioned = { per-minute = 3_000_000_000 } }
[[provider]]
id = "oracle-east"
party = "oracle"
region = "us-east"
jurisdiction = "us"
[[provider.deployment]]
id = "oracle-payg"
model = "gpt-4o"
capacity = { pay-as-you-go = { tokens-per-minute = 3_000_000_000 } }
price = { input = "2.50 USD/Mtok", output = "10 USD/Mtok" }
[[tenant]]
id = "app"
[[tenant.charge]]
input = "5 USD/Mtok"
output = "15 USD/Mtok"
[[agreement]]
id = "azure"
parties = ["us", "azure"]
from = 2025-01-01
[[agreement.first-refusal]]
id = "rofr"
holder = "azure"
answering = "standing"
[[agreement.revenue-share]]
id = "share"
payer = "us"
payee = "azure"
base = "gross"
share = "20 %"
"#;

fn main() {
    let folder = std::env::temp_dir().join(format!("firstright-bench-{}", std::process::id()));
    let (mut submit, mut chain, mut replay, mut bytes) = (0, 0, 0, 0);
    for _ in 0..ROUNDS {
        let _ = fs::remove_dir_all(&folder);
        let opened =
            Engine::open(&folder, vec![("law.toml".to_string(), LAW.to_string())]).expect("a good law");
        let began = Instant::now();
        let mut last = 0;
        for _ in 0..CALLS {
            let (call, _) =
                opened.engine.submit_call(&opened.engine.world(), arrived).expect("the law is the same");
            last = opened.engine.submit(&settled(call)).record;
        }
        opened.engine.wait_durable(last);
        submit = submit.max(per_second(2 * CALLS, began));
        opened.engine.close();
        let journal = fs::read(folder.join("journal.frj")).expect("the engine's own journal");
        bytes = journal.len() as u64;
        for (chain_only, best) in [(true, &mut chain), (false, &mut replay)] {
            let began = Instant::now();
            let verdict = verify(&journal, chain_only, |record, _| {
                black_box(record.seq);
            });
            assert_eq!((verdict.fault, verdict.records), (None, 2 * CALLS + 1));
            *best = (*best).max(per_second(verdict.records, began));
        }
    }
    let _ = fs::remove_dir_all(&folder);
    println!("submit, journalled and synced  {submit:>9} facts/s, {} bytes a fact", bytes / (2 * CALLS));
    println!("verify, chain only             {chain:>9} records/s");
    println!("verify, with replay            {replay:>9} records/s");
}

fn per_second(many: u64, began: Instant) -> u128 {
    u128::from(many) * 1_000_000_000 / began.elapsed().as_nanos().max(1)
}

fn arrived(id: CallId) -> Fact {
    Fact::CallArrived(Call::new(id, TenantId(0), ModelId(0), 300, 200))
}

fn settled(call: CallId) -> Fact {
    let usage = Usage { input: 290, output: 120, requests: 1, ..Usage::default() };
    let (source, ending) = (Source::Provider, Ending::Complete);
    let (tier, first_byte) = (Tier::Default, Span(200_000_000));
    Fact::CallSettled { call, usage, tier, source, ending, first_byte, observed: None, ran: None }
}
