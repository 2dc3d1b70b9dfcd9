//! How is it shown? In the terminal, once a second: what flows where and why.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use firstright_core::settle::What;
use firstright_core::show;
use firstright_core::world::World;
use firstright_engine::Engine;

use super::surge::Tally;
use super::world::tenant_key;
use crate::simulate::percent;

/// Columns of a bar that stands for everything.
const BAR: u64 = 40;

/// Where things are, to be told.
#[derive(Debug)]
pub struct View {
    gateway: SocketAddr,
    data: PathBuf,
    key: String,
    terminal: bool,
}

impl View {
    pub fn new(law: &World, gateway: SocketAddr, data: &Path) -> View {
        let key = law.tenants.first().map_or(String::new(), |tenant| tenant_key(&tenant.id));
        View { gateway, data: data.to_path_buf(), key, terminal: std::io::stdout().is_terminal() }
    }

    /// Said once at the start.
    pub fn welcome(&self) {
        println!("Firstright demo: point any OpenAI client at it.");
        println!(
            "  base URL  http://{}/v1\n  API key   {}   (one a tenant: fr-demo-TENANT)",
            self.gateway, self.key
        );
        println!("  journal   {}\n", self.data.display());
    }

    /// Said when the surge is over.
    pub fn farewell(&self) {
        println!("\nThe surge is over; serving on at http://{}/v1. Ctrl-C stops and verifies.", self.gateway);
    }

    /// The state now: in a terminal over the one before, otherwise one line of it.
    pub fn show(&self, engine: &Engine, tally: &Tally, jobs: &[String]) {
        if !self.terminal {
            println!("{}", line(tally));
            return;
        }
        let text = format!("\x1b[H\x1b[J{}", self.page(engine, tally, jobs));
        let mut out = std::io::stdout().lock();
        // A terminal that is gone is no reason to stop serving.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// All of it, once, for a reader who is no terminal.
    pub fn summary(&self, engine: &Engine, tally: &Tally, jobs: &[String]) {
        if !self.terminal {
            print!("\n{}", self.page(engine, tally, jobs));
        }
    }

    fn page(&self, engine: &Engine, tally: &Tally, jobs: &[String]) -> String {
        let mut page = String::new();
        let _ = writeln!(
            page,
            "Firstright   http://{}/v1   key {}   journal {}\n",
            self.gateway,
            self.key,
            self.data.display()
        );
        let _ = writeln!(page, "{}\n", line(tally));
        bars(&mut page, "who serves", &tally.by_provider, tally.answered);
        bars(&mut page, "on what grounds (docs/rights)", &tally.by_ground, tally.answered);
        if !tally.refused.is_empty() {
            bars(&mut page, "not served", &tally.refused, tally.sent);
        }
        let _ = writeln!(page, "decided last (firstright explain N --journal {})", self.data.display());
        for (decision, provider, ground) in &tally.recent {
            let short: String = ground.chars().take(96).collect();
            let _ = writeln!(page, "  {decision:>7}  {provider:<18} {short}");
        }
        page.push('\n');
        if !jobs.is_empty() {
            let _ = writeln!(page, "jobs (firstright jobs, offers, answer --data {})", self.data.display());
            for line in jobs {
                let _ = writeln!(page, "  {line}");
            }
            page.push('\n');
        }
        page.push_str(&owed(engine));
        page
    }
}

/// One line of the state.
fn line(tally: &Tally) -> String {
    let refused: u64 = tally.refused.values().sum();
    let open = tally.sent.saturating_sub(tally.answered + refused);
    let mut line =
        format!("sent {}  served {}  not served {refused}  open {open}", tally.sent, tally.answered);
    for (provider, count) in &tally.by_provider {
        let _ = write!(line, "  {provider} {}", percent(*count, tally.answered));
    }
    line
}

fn bars(page: &mut String, title: &str, counts: &BTreeMap<String, u64>, all: u64) {
    let width = counts.keys().map(String::len).max().unwrap_or(0);
    let _ = writeln!(page, "{title}");
    for (name, count) in counts {
        let bar = "█".repeat(usize::try_from(count * BAR / all.max(1)).unwrap_or(0));
        let _ = writeln!(page, "  {name:width$}  {count:>6}  {:>6}  {bar}", percent(*count, all));
    }
    page.push('\n');
}

/// What is owed so far.
fn owed(engine: &Engine) -> String {
    let (world, lines) = engine.read(|broker, now| (broker.world().cloned(), broker.settlement(now)));
    let Some(world) = world else { return String::new() };
    let mut text = String::from("owed so far\n");
    for line in lines.iter().filter(|line| matches!(line.what, What::Spend | What::RevenueShare)) {
        let (payer, payee) = (&world.party(line.payer).id, &world.party(line.payee).id);
        let what = if line.what == What::Spend { "usage" } else { "revenue share" };
        let _ =
            writeln!(text, "  {payer} owes {payee} {} for {what}", show::money(&world, Some(line.amount)));
    }
    text
}
