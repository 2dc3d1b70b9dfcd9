//! How is a scope written? As a table of lists; what is left out matches everything.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::scope::{Glob, Kinds, Scope, any};
use crate::text::walk::{Fields, Reader, Value};
use crate::workload::Purpose;
use crate::world::World;

/// What a call's purpose is called.
const API: &str = "api";

/// The purposes that a job may have.
pub(crate) const JOB_PURPOSES: [Purpose; 4] =
    [Purpose::Training, Purpose::FineTuning, Purpose::Batch, Purpose::Research];

/// The scope under `scope`, which may be left out to mean every workload.
pub(super) fn scope(f: &mut Fields<'_>, r: &mut Reader<'_>, world: &World) -> Scope {
    f.opt(r, "scope", |value, r| read(value, r, world)).unwrap_or_default()
}

/// A scope's table.
pub(super) fn read(value: &Value<'_>, r: &mut Reader<'_>, world: &World) -> Option<Scope> {
    let mut f = value.fields(r, "a scope")?;
    let kinds = [("calls", Kinds::Calls), ("jobs", Kinds::Jobs), ("any", Kinds::Any)];
    let kinds = f.opt(r, "kinds", |v, r| v.word(r, &kinds)).unwrap_or_default();
    let scope = Scope {
        kinds,
        purposes: f.opt(r, "purposes", purposes).unwrap_or_default(),
        models: f
            .opt(r, "models", |v, r| if kinds == Kinds::Calls { v.models(r, world) } else { v.globs(r) })
            .unwrap_or_default(),
        tenants: f.opt(r, "tenants", |v, r| tenants(v, r, world)).unwrap_or_default(),
        regions: f.globs(r, "regions"),
        data_classes: f.globs(r, "data-classes"),
        labels: f.globs(r, "labels"),
        accelerators: f.globs(r, "accelerators"),
        at_least: f.opt(r, "at-least", Value::count),
        at_most: f.opt(r, "at-most", Value::count),
    };
    let spot = f.spot();
    if scope.at_least.unwrap_or(0) > scope.at_most.unwrap_or(u32::MAX) {
        r.error(spot.key("at-most"), "out-of-range", "`at-most` is less than `at-least`");
    }
    if scope.kinds == Kinds::Calls {
        for key in ["accelerators", "at-least", "at-most"] {
            if f.has(key) {
                r.error(spot.key(key), "jobs-only", format!("`{key}` speaks of jobs, the scope of calls"));
            }
        }
    }
    f.finish(r);
    Some(scope)
}

fn purposes(value: &Value<'_>, r: &mut Reader<'_>) -> Option<Vec<Glob>> {
    let words = || JOB_PURPOSES.into_iter().map(Purpose::word).chain([API]);
    let mut purposes = Vec::new();
    for value in value.list(r)? {
        let Some(glob) = value.glob(r) else { continue };
        if !words().any(|word| glob.matches(word)) {
            let message = format!("`{}` is no purpose", glob.0);
            r.unknown(&value.at, "unknown-word", message, &glob.0, words());
        }
        purposes.push(glob);
    }
    Some(purposes)
}

fn tenants(value: &Value<'_>, r: &mut Reader<'_>, world: &World) -> Option<Vec<Glob>> {
    let mut tenants = Vec::new();
    for value in value.list(r)? {
        let Some(glob) = value.glob(r) else { continue };
        if !glob.0.ends_with('*') && world.find_tenant(&glob.0).is_none() {
            let names = world.tenants.iter().map(|tenant| tenant.id.as_str());
            let message = format!("there is no tenant `{}`", glob.0);
            r.unknown(&value.at, "unknown-tenant", message, &glob.0, names);
        }
        tenants.push(glob);
    }
    Some(tenants)
}

/// Providers by matcher; those without a `*` must exist.
pub(super) fn providers(value: &Value<'_>, r: &mut Reader<'_>, world: &World) -> Option<Vec<Glob>> {
    let mut providers = Vec::new();
    for value in value.list(r)? {
        let Some(glob) = value.glob(r) else { continue };
        if !glob.0.ends_with('*') && world.find_provider(&glob.0).is_none() {
            let names = world.providers.iter().map(|provider| provider.id.as_str());
            let message: String = format!("there is no provider `{}`", glob.0);
            r.unknown(&value.at, "unknown-provider", message, &glob.0, names);
        }
        providers.push(glob);
    }
    Some(providers)
}

/// Can the scope match a call at all?
pub(crate) fn speaks_of_calls(scope: &Scope) -> bool {
    let sized = !scope.accelerators.is_empty() || scope.at_least.is_some() || scope.at_most.is_some();
    scope.kinds != Kinds::Jobs && any(&scope.purposes, API) && !sized
}

/// Can the scope match a job at all?
pub(crate) fn speaks_of_jobs(scope: &Scope) -> bool {
    scope.kinds != Kinds::Calls && JOB_PURPOSES.iter().any(|purpose| any(&scope.purposes, purpose.word()))
}
