//! What is on record? `firstright verify`, `explain` and `settle`, which read a journal and need nothing else.

use std::path::{Path, PathBuf};

use firstright_core::Broker;
use firstright_core::journal::{Chain, HEADER, Record, Replay, verify};
use firstright_core::settle::{Line, What};
use firstright_core::show;
use firstright_core::units::Timestamp;
use firstright_core::world::World;
use firstright_sim::auditor::Auditor;

/// The journal's name in its folder.
const FILE: &str = "journal.frj";

#[derive(clap::Args, Debug)]
pub struct VerifyArgs {
    /// The journal, or the folder that holds it.
    #[arg(default_value = "firstright-data")]
    journal: PathBuf,
    /// Check the chain only, and do not recompute the decisions.
    #[arg(long)]
    chain_only: bool,
}

#[derive(clap::Args, Debug)]
pub struct AuditArgs {
    /// The journal, or the folder that holds it.
    #[arg(default_value = "firstright-data")]
    journal: PathBuf,
}

#[derive(clap::Args, Debug)]
pub struct ExplainArgs {
    /// The decision's id: the record's number, as `x-firstright-decision` gives it.
    record: u64,
    /// The journal, or the folder that holds it.
    #[arg(long, default_value = "firstright-data")]
    journal: PathBuf,
}

#[derive(clap::Args, Debug)]
pub struct SettleArgs {
    /// The journal, or the folder that holds it.
    #[arg(default_value = "firstright-data")]
    journal: PathBuf,
    /// Only what this party owes or is owed.
    #[arg(long)]
    party: Option<String>,
}

/// Verifies a journal: every digest, and every decision by taking the same facts through the same step.
///
/// # Errors
/// With the first record that is altered, missing, moved, or does not follow.
pub fn run_verify(args: &VerifyArgs) -> Result<(), String> {
    let (path, bytes) = read(&args.journal)?;
    let verdict = verify(&bytes, args.chain_only, |_, _| ());
    match verdict.fault {
        Some(fault) => Err(format!("failed to verify `{}`: {fault}", path.display())),
        None => {
            let tip: String = verdict.tip.0.iter().map(|byte| format!("{byte:02x}")).collect();
            let what =
                if args.chain_only { "the chain is whole" } else { "every decision follows from the facts" };
            println!("{} records: {what}\ntip {tip}", verdict.records);
            Ok(())
        }
    }
}

/// Audits a journal: verifies it, and holds every record against the law by an auditor that was written apart from the core.
///
/// # Errors
/// With the first fault of the chain, or if the auditor finds a breach.
pub fn run_audit(args: &AuditArgs) -> Result<(), String> {
    let (path, bytes) = read(&args.journal)?;
    audit(&path, &bytes)
}

/// Verifies and audits, and prints the shares by provider and by ground.
pub(crate) fn audit(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let mut auditor = Auditor::default();
    let verdict = verify(bytes, false, |record, _| auditor.record(record));
    if let Some(fault) = verdict.fault {
        return Err(format!("failed to verify `{}`: {fault}", path.display()));
    }
    let audit = auditor.finish();
    println!("{} records: every decision follows from the facts", verdict.records);
    print!("{audit}");
    match audit.findings.len() {
        0 => Ok(()),
        found => Err(format!("the audit of `{}` found {found} breaches", path.display())),
    }
}

/// Explains a decision: what was weighed, who held a right, what it answered, and what was decided.
///
/// # Errors
/// If the journal is broken before the record, or has no such record.
pub fn run_explain(args: &ExplainArgs) -> Result<(), String> {
    let (path, bytes) = read(&args.journal)?;
    let fail =
        |why: String| format!("failed to explain record {} of `{}`: {why}", args.record, path.display());
    let mut found = None;
    let replayed = replay(&bytes, |record, broker| {
        let wanted = record.seq == args.record;
        if wanted {
            found = Some((record.clone(), broker.explain(record.at, &record.fact)));
        }
        !wanted
    });
    let broker = replayed.map_err(&fail)?;
    let (record, weighed) =
        found.ok_or_else(|| fail(format!("the journal has {} records", broker.records())))?;
    println!("record {} at {}", record.seq, record.at);
    if let Some(weighed) = weighed {
        println!("\n{}", weighed.workload);
        println!("\nrights, in the order of asking:");
        list(weighed.rights.iter().map(|right| format!("  {right}")), "  none");
        println!("\nplaces with such capacity:");
        let width = weighed.places.iter().map(|(place, _)| place.len()).max().unwrap_or(0);
        list(weighed.places.iter().map(|(place, how)| format!("  {place:width$}  {how}")), "  none");
    }
    println!("\ndecided:");
    let world = broker.world().ok_or_else(|| fail("no law was enacted before it".to_string()))?;
    list(record.decisions.iter().map(|one| decision_lines(world, one)), "  nothing follows");
    Ok(())
}

/// The settlement of every period on record.
///
/// # Errors
/// If the journal does not verify.
pub fn run_settle(args: &SettleArgs) -> Result<(), String> {
    let (path, bytes) = read(&args.journal)?;
    let replayed =
        replay(&bytes, |_, _| true).map_err(|why| format!("failed to settle `{}`: {why}", path.display()))?;
    let last = replayed.last();
    let world = replayed.world().ok_or("failed to settle: no law was enacted")?;
    for line in replayed.settlement(last) {
        let (payer, payee) = (&world.party(line.payer).id, &world.party(line.payee).id);
        if args.party.as_ref().is_none_or(|party| party == payer || party == payee) {
            println!("{}", settlement_line(world, &line));
        }
    }
    Ok(())
}

/// Replays a journal and returns the broker after it. `before` sees each record with the broker just before it; the replay
/// ends with the first for which it says false.
fn replay(bytes: &[u8], mut before: impl FnMut(&Record, &Broker) -> bool) -> Result<Broker, String> {
    let head: &[u8; HEADER] = bytes.first_chunk().ok_or("this is not a journal")?;
    let mut chain = Chain::new(head).map_err(|fault| fault.to_string())?;
    let mut replay = Replay::default();
    let mut at = HEADER;
    let mut go_on = true;
    while go_on && let Some((record, length)) = chain.read(&bytes[at..]).map_err(|fault| fault.to_string())? {
        at += length;
        go_on = before(&record, &replay.broker);
        replay.record(&record).map_err(|fault| fault.to_string())?;
    }
    Ok(replay.broker)
}

/// One line of a settlement, as people read it.
pub(crate) fn settlement_line(world: &World, line: &Line) -> String {
    let what = match line.what {
        What::Spend => "usage",
        What::RevenueShare => "revenue share",
        What::Shortfall => "shortfall",
        What::Credit => "service credit",
    };
    let clause = line.clause.map_or("catalogue and contract prices".to_string(), |clause| world.cite(clause));
    let (payer, payee) = (&world.party(line.payer).id, &world.party(line.payee).id);
    let records =
        line.account.records.map_or(String::new(), |(first, last)| format!(", records {first}–{last}"));
    let unpriced = match line.account.unpriced {
        0 => String::new(),
        count => format!(", {count} unpriced"),
    };
    let state = if line.closed { "" } else { " (open)" };
    let amount = show::money(world, Some(line.amount));
    let (from, until) = (day(line.from), day(line.until));
    format!("{from} to {until}{state}  {payer} owes {payee} {amount}  {what} ({clause}{records}{unpriced})")
}

/// The date of a time.
fn day(at: Timestamp) -> String {
    if at == Timestamp::MAX { "open end".to_string() } else { at.to_string().chars().take(10).collect() }
}

fn decision_lines(world: &World, decision: &firstright_core::decision::Decision) -> String {
    let mut lines = format!("  {}", show::action(world, &decision.action));
    for reason in show::reasons(world, decision) {
        lines.push_str(&format!("\n    because {reason}"));
    }
    lines
}

fn list(lines: impl Iterator<Item = String>, none: &str) {
    let mut any = false;
    for line in lines {
        any = true;
        println!("{line}");
    }
    if !any {
        println!("{none}");
    }
}

/// Reads a journal's bytes; a folder stands for the journal in it.
pub(crate) fn read(path: &Path) -> Result<(PathBuf, Vec<u8>), String> {
    let path = if path.is_dir() { path.join(FILE) } else { path.to_path_buf() };
    let bytes =
        std::fs::read(&path).map_err(|error| format!("failed to read `{}`: {error}", path.display()))?;
    Ok((path, bytes))
}
