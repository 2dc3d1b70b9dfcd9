//! What becomes of a trace of calls when the holder's published capacity answers for it?

use std::collections::BTreeMap;
use std::fmt::Write as _;

use firstright_core::decision::{Action, Decision};
use firstright_core::fact::{Ending, Fact, Source};
use firstright_core::units::{SECOND, Span, Timestamp};
use firstright_core::usage::{Tier, Usage};
use firstright_core::workload::{Call, CallId};

use super::{Book, START, tenant_of};
use crate::traces::TraceCall;

/// To the first token: a common figure for hosted models, in nanoseconds.
const FIRST_TOKEN: u64 = 300_000_000;
/// Between tokens: fifty a second, in nanoseconds.
const TOKEN: u64 = 20_000_000;
/// The tenant of a trace that names none.
pub(super) const ALL: &str = "all";

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallRun {
    /// Calls that arrived.
    pub calls: u64,
    /// Tokens that were used.
    pub tokens: u64,
    /// Calls served elsewhere than with a holder by its right.
    pub overflow_calls: u64,
    /// Tokens that were used elsewhere.
    pub overflow_tokens: u64,
    /// Calls that waited.
    pub queued: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// The journal, header and all.
    pub journal: Vec<u8>,
}

/// A world for a trace of calls: a holder with provisioned throughput for each model, and pay-as-you-go without limit.
pub fn calls_law(trace: &[TraceCall], tokens_per_minute: u64) -> Vec<(String, String)> {
    let names = |of: fn(&TraceCall) -> Option<&str>| {
        let mut names: Vec<&str> = trace.iter().filter_map(of).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let mut law = "currency = \"USD\"\n[[party]]\nid = \"operator\"\noperator = true\n".to_string();
    let price = "price = { input = \"2.50 USD/Mtok\", output = \"10 USD/Mtok\" }";
    for party in ["holder", "market"] {
        let capacity = match party {
            "holder" => format!("{{ provisioned = {{ per-minute = {tokens_per_minute} }} }}"),
            _ => "{ pay-as-you-go = {} }".to_string(),
        };
        let _ = write!(
            law,
            "[[party]]\nid = \"{party}\"\n[[provider]]\nid = \"{party}\"\nparty = \"{party}\"\nregion = \"us-east\"\n\
             jurisdiction = \"us\"\n"
        );
        for model in names(|call| Some(&call.model)) {
            let _ = write!(
                law,
                "[[provider.deployment]]\nid = \"{party}-{model}\"\nmodel = \"{model}\"\ncapacity = {capacity}\n{price}\n"
            );
        }
    }
    let tenants = names(|call| call.tenant.as_deref());
    for tenant in if tenants.is_empty() { vec![ALL] } else { tenants } {
        let _ = write!(law, "[[tenant]]\nid = \"{}\"\n", tenant_name(tenant));
    }
    law += "[[agreement]]\nid = \"holder\"\nparties = [\"operator\", \"holder\"]\nfrom = 2026-01-01\n\
            [[agreement.first-refusal]]\nid = \"rofr\"\nholder = \"holder\"\nscope = { kinds = \"calls\" }\n\
            answering = \"standing\"\n";
    vec![("simulated.toml".to_string(), law)]
}

/// A trace's tenant as an id that agreements may have.
fn tenant_name(tenant: &str) -> String {
    tenant.replace('/', "-")
}

/// Feeds the calls through a broker under this law. `max_output` is what each call reserves for its answer, since the
/// trace's own length is not known before it is there; 0 reserves that length, as callers do that ask for so much.
///
/// # Errors
/// If the law is refused, or no deployment of it serves a model of the trace.
pub fn calls(
    trace: &[TraceCall],
    sources: Vec<(String, String)>,
    max_output: u64,
) -> Result<CallRun, String> {
    let mut run =
        Running { book: Book::open(sources)?, trace, overflows: BTreeMap::new(), out: CallRun::default() };
    for (row, number) in trace.iter().zip(1u64..) {
        let at = START.plus(Span(SECOND.saturating_add(row.t_ms.saturating_mul(1_000_000))));
        run.until(at);
        let world = run.book.world();
        let Some(model) = world.find_model(&row.model) else {
            return Err(format!("failed to replay call {number}: no deployment serves `{}`", row.model));
        };
        let name = row.tenant.as_deref().unwrap_or(ALL);
        let tenant = world.find_tenant(name).unwrap_or_else(|| tenant_of(world, &tenant_name(name)));
        let (id, input) = (CallId(number), row.prompt_tokens);
        let max_output = if max_output == 0 { row.output_tokens } else { max_output };
        run.out.calls += 1;
        let call = Call::new(id, tenant, model, input, max_output);
        let decisions = run.book.step(at, &Fact::CallArrived(call));
        run.follow(&decisions);
    }
    run.until(Timestamp::MAX);
    run.out.journal = run.book.journal;
    Ok(run.out)
}

/// A run under way.
struct Running<'t> {
    book: Book<CallId>,
    trace: &'t [TraceCall],
    /// Whether each open call is served elsewhere than with a holder.
    overflows: BTreeMap<CallId, bool>,
    out: CallRun,
}

impl Running<'_> {
    fn until(&mut self, until: Timestamp) {
        while let Some((at, event)) = self.book.next(until) {
            let fact = match event {
                None => Fact::Ticked,
                Some(call) => self.settled(call),
            };
            let decisions = self.book.step(at, &fact);
            self.follow(&decisions);
        }
    }

    fn row(&self, call: CallId) -> Option<&TraceCall> {
        self.trace.get(usize::try_from(call.0).ok()?.checked_sub(1)?)
    }

    fn settled(&mut self, call: CallId) -> Fact {
        let (input, output) = self.row(call).map_or((0, 0), |row| (row.prompt_tokens, row.output_tokens));
        self.out.tokens += input + output;
        if self.overflows.remove(&call) == Some(true) {
            self.out.overflow_tokens += input + output;
        }
        let usage = Usage { input, output, requests: 1, ..Usage::default() };
        let (source, ending) = (Source::Provider, Ending::Complete);
        let (tier, first_byte) = (Tier::Default, Span(FIRST_TOKEN));
        Fact::CallSettled { call, usage, tier, source, ending, first_byte, observed: None, ran: None }
    }

    fn follow(&mut self, decisions: &[Decision]) {
        for decision in decisions {
            match &decision.action {
                Action::Serve { call, title, .. } => {
                    let over = title.holds().is_none();
                    self.out.overflow_calls += u64::from(over);
                    self.overflows.insert(*call, over);
                    let output = self.row(*call).map_or(0, |row| row.output_tokens);
                    let takes = FIRST_TOKEN.saturating_add(output.saturating_mul(TOKEN));
                    self.book.expect(self.book.last.plus(Span(takes)), *call);
                }
                Action::Queue { .. } => self.out.queued += 1,
                Action::Refuse { .. } => self.out.refused += 1,
                _ => {}
            }
        }
    }
}
