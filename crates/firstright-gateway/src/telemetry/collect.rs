//! What do all counters say now? One list of families, from which both Prometheus' text and OpenTelemetry's metrics are
//! written. `docs/operating.md` has a row for each, which a test checks.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use firstright_core::account::{AccountKind, BudgetPeriod};
use firstright_core::capacity::{Breaker, CapacityView};
use firstright_core::codes::GROUNDS;
use firstright_core::units::Timestamp;
use firstright_engine::Engine;

use super::Telemetry;
use super::codes::{ATTEMPTS, CLASSES, OUTCOMES, TOKENS};
use super::instrument::Histogram;
use super::meters::Served;
use crate::ready::Readiness;

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts of values by size.
    Histogram,
}

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// OpenTelemetry's name.
    pub name: &'static str,
    /// Prometheus' name.
    pub text: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// The unit, in UCUM.
    pub unit: &'static str,
    /// Its values are thousand millionths of the unit.
    pub nano: bool,
    /// What it says.
    pub help: &'static str,
}

/// A metric with all that it says now.
#[derive(Clone, Debug)]
pub struct Family {
    /// Which.
    pub metric: &'static Metric,
    /// By labels.
    pub points: Vec<Point>,
}

/// One series.
#[derive(Clone, Debug)]
pub struct Point {
    /// Names and values; the values are names of the law, or words of closed sets.
    pub labels: Vec<(&'static str, String)>,
    /// What it says.
    pub value: Value,
}

/// What a series says.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number, in the metric's unit or in thousand millionths of it.
    Number(u64),
    /// Boundaries, what lies in each bucket (the last is what lies above all), and the sum.
    Histogram(&'static [u64], Vec<u64>, u64),
}

macro_rules! metrics {
    ($($id:ident $name:literal $text:literal $kind:ident $unit:literal $nano:literal $help:literal;)*) => {
        /// The places of metrics in [`METRICS`].
        #[derive(Clone, Copy)]
        enum Id { $($id,)* }

        /// Every metric.
        pub static METRICS: &[Metric] = &[
            $(Metric { name: $name, text: $text, kind: Kind::$kind, unit: $unit, nano: $nano, help: $help },)*
        ];
    };
}

metrics! {
    ServerDuration "gen_ai.server.request.duration" "gen_ai_server_request_duration_seconds" Histogram "s" true
        "Served requests, from their first byte to the last byte of the answer.";
    FirstToken "gen_ai.server.time_to_first_token" "gen_ai_server_time_to_first_token_seconds" Histogram "s" true
        "Streams, from the request's first byte to the head of the provider's answer.";
    PerToken "gen_ai.server.time_per_output_token" "gen_ai_server_time_per_output_token_seconds" Histogram "s" true
        "Streams, for each output token behind the first.";
    ClientDuration "gen_ai.client.operation.duration" "gen_ai_client_operation_duration_seconds" Histogram "s" true
        "The attempt at a provider that served a request, from its dialling to its end.";
    TokenUsage "gen_ai.client.token.usage" "gen_ai_client_token_usage" Histogram "{token}" false
        "Tokens of a served request.";
    Requests "firstright.requests" "firstright_requests_total" Counter "{request}" false
        "Requests that are over, by operation and outcome.";
    InFlight "firstright.requests.in_flight" "firstright_requests_in_flight" Gauge "{request}" false
        "Requests that are being answered.";
    Refusals "firstright.refusals" "firstright_refusals_total" Counter "{request}" false
        "Requests that were refused here, by code.";
    Grounds "firstright.grounds" "firstright_grounds_total" Counter "{decision}" false
        "How often a ground determined a decision about a call.";
    TenantRequests "firstright.tenant.requests" "firstright_tenant_requests_total" Counter "{request}" false
        "Requests that are over, by tenant and outcome.";
    TenantTokens "firstright.tenant.tokens" "firstright_tenant_tokens_total" Counter "{token}" false
        "Tokens used, by tenant and kind; kinds are disjoint.";
    Attempts "firstright.attempts" "firstright_attempts_total" Counter "{attempt}" false
        "Attempts at a deployment, by outcome.";
    DeploymentTokens "firstright.deployment.tokens" "firstright_deployment_tokens_total" Counter "{token}" false
        "Tokens used, by deployment and kind; kinds are disjoint.";
    Spills "firstright.spills" "firstright_spills_total" Counter "{call}" false
        "Calls that a deployment served away from a holder of a right.";
    NativeSpills "firstright.native_spills" "firstright_native_spills_total" Counter "{call}" false
        "Calls that the provider served with other capacity of its own.";
    Waits "firstright.queue.wait" "firstright_queue_wait_seconds" Histogram "s" true
        "How long calls waited for room, of those that waited.";
    Queue "firstright.queue.length" "firstright_queue_length" Gauge "{call}" false
        "Calls that wait for room.";
    Open "firstright.calls.open" "firstright_calls_open" Gauge "{call}" false
        "Calls that are being served.";
    CapacityLimit "firstright.capacity.limit" "firstright_capacity_limit" Gauge "1" false
        "The limit in force: tokens of the bucket or the minute, or calls at once. None if nothing limits it.";
    CapacityUsed "firstright.capacity.used" "firstright_capacity_used" Gauge "1" false
        "What is used of that limit now.";
    CapacityInFlight "firstright.capacity.in_flight" "firstright_capacity_in_flight" Gauge "{call}" false
        "Calls that the deployment serves now.";
    CapacityQueued "firstright.capacity.queued" "firstright_capacity_queued" Gauge "{call}" false
        "Calls that wait for the deployment first of all.";
    Blocked "firstright.capacity.blocked" "firstright_capacity_blocked_seconds" Gauge "s" true
        "For how long nothing is sent there: a 429 or its health says so. 0 if nothing keeps calls away.";
    BreakerState "firstright.breaker" "firstright_breaker" Gauge "1" false
        "Its health: 0 closed, 1 probing, 2 open, 3 set aside because it refuses our credentials.";
    BudgetLimit "firstright.budget.limit" "firstright_budget_limit" Gauge "1" true
        "A budget of an organisation or a team, in the law's currency.";
    BudgetUsed "firstright.budget.used" "firstright_budget_used" Gauge "1" true
        "What is spent of it in the period, with what open calls have reserved.";
    Connections "firstright.connections.open" "firstright_connections_open" Gauge "{connection}" false
        "Open connections of clients.";
    Held "firstright.bodies.held" "firstright_bodies_held_bytes" Gauge "By" false
        "What bodies of requests and whole answers take of `max-held-bytes`.";
    Handshakes "firstright.tls.failed_handshakes" "firstright_tls_failed_handshakes_total" Counter "{connection}" false
        "TLS handshakes that did not come to an end.";
    Records "firstright.journal.records" "firstright_journal_records_total" Counter "{record}" false
        "Records of the journal.";
    Behind "firstright.journal.behind" "firstright_journal_behind_records" Gauge "{record}" false
        "Records that are not on disk yet.";
    Syncs "firstright.journal.syncs" "firstright_journal_syncs_total" Counter "{sync}" false
        "Writes of the journal with their syncs.";
    SyncTime "firstright.journal.sync_time" "firstright_journal_sync_seconds_total" Counter "s" true
        "What they took together.";
    JournalBytes "firstright.journal.bytes" "firstright_journal_bytes_total" Counter "By" false
        "What they wrote together.";
    LogDropped "firstright.access_log.dropped" "firstright_access_log_dropped_total" Counter "{line}" false
        "Lines of the access log that were dropped.";
    SpansDropped "firstright.traces.dropped" "firstright_traces_dropped_total" Counter "{request}" false
        "Traced requests that were not handed to the collector.";
    Reloads "firstright.reloads" "firstright_reloads_total" Counter "{reload}" false
        "Reloads that were asked for, by whether they came into force.";
    Version "firstright.version" "firstright_config_version" Gauge "1" false
        "The version of the configuration in force; the first is 1.";
    Ready "firstright.ready" "firstright_ready" Gauge "1" false
        "1 while new work is wanted.";
}

/// Families in the making, one for each metric.
struct Families(Vec<Family>);

impl Families {
    fn add<const N: usize>(&mut self, id: Id, labels: [(&'static str, &str); N], value: u64) {
        self.point(id, &labels, Value::Number(value));
    }

    fn point(&mut self, id: Id, labels: &[(&'static str, &str)], value: Value) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_string())).collect();
        if let Some(family) = self.0.get_mut(id as usize) {
            family.points.push(Point { labels, value });
        }
    }

    fn histogram(&mut self, id: Id, labels: &[(&'static str, &str)], histogram: &Histogram) {
        let (bounds, buckets, sum) = histogram.read();
        self.point(id, labels, Value::Histogram(bounds, buckets, sum));
    }
}

impl Telemetry {
    /// Reads everything. The engine's lock is held for as long as it takes to look at the deployments and accounts.
    pub fn collect(&self, engine: &Engine, readiness: &Readiness) -> Vec<Family> {
        let mut all = Families(METRICS.iter().map(|metric| Family { metric, points: Vec::new() }).collect());
        self.of_requests(&mut all);
        self.of_deployments(&mut all);
        self.of_process(&mut all, engine, readiness);
        self.of_capacity(&mut all, engine);
        all.0
    }

    fn of_requests(&self, all: &mut Families) {
        let meters = &self.meters;
        for (class, outcomes) in CLASSES.iter().zip(&meters.requests) {
            for (outcome, counter) in OUTCOMES.iter().zip(outcomes).filter(|(_, one)| one.get() > 0) {
                all.add(Id::Requests, [("operation", *class), ("outcome", *outcome)], counter.get());
            }
        }
        let in_flight = u64::try_from(meters.in_flight.load(Ordering::Relaxed)).unwrap_or(0);
        all.add(Id::InFlight, [], in_flight);
        for (code, many) in meters.refusals.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            all.add(Id::Refusals, [("code", *code)], *many);
        }
        for (ground, counter) in GROUNDS.iter().zip(&meters.grounds).filter(|(_, one)| one.get() > 0) {
            all.add(Id::Grounds, [("ground", *ground)], counter.get());
        }
        all.histogram(Id::Waits, &[], &meters.waits);
        for (tenant, one) in meters.tenants() {
            for (outcome, counter) in OUTCOMES.iter().zip(&one.requests).filter(|(_, one)| one.get() > 0) {
                all.add(Id::TenantRequests, [("tenant", &tenant), ("outcome", outcome)], counter.get());
            }
            for (kind, counter) in TOKENS.iter().zip(&one.tokens).filter(|(_, one)| one.get() > 0) {
                all.add(Id::TenantTokens, [("tenant", &tenant), ("kind", kind)], counter.get());
            }
        }
    }

    fn of_deployments(&self, all: &mut Families) {
        let names = self.names.load();
        for name in &names.deployments {
            let id = name.id.as_str();
            for (outcome, counter) in ATTEMPTS.iter().zip(&name.of.attempts).filter(|(_, one)| one.get() > 0)
            {
                all.add(Id::Attempts, [("deployment", id), ("outcome", outcome)], counter.get());
            }
            for (kind, counter) in TOKENS.iter().zip(&name.of.tokens).filter(|(_, one)| one.get() > 0) {
                all.add(Id::DeploymentTokens, [("deployment", id), ("kind", kind)], counter.get());
            }
            for (metric, counter) in
                [(Id::Spills, &name.of.spills), (Id::NativeSpills, &name.of.native_spills)]
            {
                all.add(metric, [("deployment", id)], counter.get());
            }
            for (class, served) in CLASSES.iter().zip(&name.of.served) {
                let Some(served) = served.get() else { continue };
                let labels = [
                    ("gen_ai.operation.name", *class),
                    ("gen_ai.provider.name", name.kind),
                    ("gen_ai.request.model", &name.model),
                    ("firstright.deployment", id),
                ];
                of_served(all, served, labels);
            }
        }
        all.add(Id::Version, [], names.version);
    }

    fn of_process(&self, all: &mut Families, engine: &Engine, readiness: &Readiness) {
        if let Some(permits) = self.permits.get() {
            all.add(Id::Connections, [], permits.open() as u64);
        }
        all.add(Id::Held, [], self.bodies.held() as u64);
        if let Some(tls) = self.tls.get() {
            all.add(Id::Handshakes, [], tls.failed());
        }
        let journal = engine.progress();
        all.add(Id::Records, [], journal.appended);
        all.add(Id::Behind, [], journal.appended.saturating_sub(journal.durable));
        all.add(Id::Syncs, [], journal.syncs);
        all.add(Id::SyncTime, [], u64::try_from(journal.sync_time.as_nanos()).unwrap_or(u64::MAX));
        all.add(Id::JournalBytes, [], journal.bytes);
        if let Some(log) = self.log.get() {
            all.add(Id::LogDropped, [], log.dropped());
        }
        if let Some(spans) = self.spans.get() {
            all.add(Id::SpansDropped, [], spans.dropped());
        }
        for (done, counter) in ["refused", "done"].iter().zip(&self.reloads) {
            all.add(Id::Reloads, [("outcome", *done)], counter.load(Ordering::Relaxed));
        }
        all.add(Id::Ready, [], u64::from(readiness.check().is_ok()));
    }

    fn of_capacity(&self, all: &mut Families, engine: &Engine) {
        let (capacities, calls, budgets, now) = engine.read(|broker, now| {
            let mut calls = [0_u64; 2];
            for (_, serving) in broker.open_calls() {
                calls[usize::from(serving)] += 1;
            }
            (broker.capacities(now), calls, budgets(broker, now), now)
        });
        all.add(Id::Queue, [], calls[0]);
        all.add(Id::Open, [], calls[1]);
        let world = engine.world();
        for (id, deployment) in world.served() {
            let Some(view) = capacities.iter().find(|view| view.deployment == id) else { continue };
            of_view(all, &deployment.id, view, now);
        }
        for (account, period, limit, used) in budgets {
            let labels = [("account", account.as_str()), ("period", period)];
            all.add(Id::BudgetLimit, labels, limit);
            all.add(Id::BudgetUsed, labels, used);
        }
    }
}

fn of_served(all: &mut Families, served: &Served, labels: [(&'static str, &str); 4]) {
    for (metric, histogram) in [
        (Id::ServerDuration, &served.server),
        (Id::FirstToken, &served.first),
        (Id::PerToken, &served.per_token),
        (Id::ClientDuration, &served.client),
    ] {
        all.histogram(metric, &labels, histogram);
    }
    let [operation, provider, model, deployment] = labels;
    for (kind, histogram) in [("input", &served.input), ("output", &served.output)] {
        let labels = [operation, provider, model, deployment, ("gen_ai.token.type", kind)];
        all.histogram(Id::TokenUsage, &labels, histogram);
    }
}

fn of_view(all: &mut Families, deployment: &str, view: &CapacityView, now: Timestamp) {
    let labels = [("deployment", deployment)];
    if let Some(limit) = view.room.limit {
        all.add(Id::CapacityLimit, labels, limit);
    }
    all.add(Id::CapacityUsed, labels, view.room.used);
    all.add(Id::CapacityInFlight, labels, u64::from(view.in_flight));
    all.add(Id::CapacityQueued, labels, u64::from(view.queued));
    all.add(Id::Blocked, labels, view.rests(now).map_or(0, |rest| rest.0));
    let state = match view.breaker {
        Breaker::Closed => 0,
        Breaker::Probing { .. } => 1,
        Breaker::Open { .. } => 2,
        Breaker::SetAside { .. } => 3,
    };
    all.add(Id::BreakerState, labels, state);
}

/// Budgets of organisations and teams; keys are too many for labels. Account, period, limit, used.
fn budgets(broker: &firstright_core::Broker, now: Timestamp) -> Vec<(String, &'static str, u64, u64)> {
    let mut budgets = Vec::new();
    for known in
        broker.accounts().filter(|known| known.account.kind != AccountKind::Key && known.is_live(now))
    {
        for budget in &known.account.budgets {
            let period = match budget.period {
                BudgetPeriod::Day => "day",
                BudgetPeriod::Month => "month",
                BudgetPeriod::Total => "total",
            };
            let nanos = |money: firstright_core::units::Money| u64::try_from(money.0).unwrap_or(0);
            let used = known.committed(budget.period, now);
            budgets.push((known.account.id.clone(), period, nanos(budget.limit), nanos(used)));
        }
    }
    budgets
}
