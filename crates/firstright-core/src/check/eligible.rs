//! Who may serve whom at all? A provider that no workload can reach, and a tenant that nobody may serve, are mistakes of
//! the law rather than of the day: capacity, budgets and outages are left aside.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::check::Check;
use crate::clause::{Act, Clause};
use crate::scope::any;
use crate::text::scopes::JOB_PURPOSES;
use crate::units::Timestamp;
use crate::workload::{Purpose, View};
use crate::world::{Deployment, Pool, Provider, Tenant, World};

/// What a tenant's call for a model looks like to the law.
pub(super) fn call<'a>(tenant: &'a Tenant, model: &'a str) -> View<'a> {
    View {
        is_job: false,
        purpose: "api",
        tenant: &tenant.id,
        model: Some(model),
        kept: None,
        region: None,
        home: None,
        data_class: &tenant.data_class,
        labels: tenant.labels.iter().map(String::as_str).collect(),
        accelerators: Vec::new(),
        count: 0,
        trains: false,
    }
}

fn job<'a>(tenant: &'a Tenant, purpose: Purpose, pool: &'a Pool, count: u32) -> View<'a> {
    View {
        is_job: true,
        purpose: purpose.word(),
        model: None,
        accelerators: Vec::from([pool.accelerator.as_str()]),
        count,
        trains: matches!(purpose, Purpose::Training | Purpose::FineTuning),
        ..call(tenant, "")
    }
}

/// Why the provider may not serve the workload, if it may not.
fn barred(
    world: &World,
    at: Timestamp,
    tenant: &Tenant,
    provider: &Provider,
    view: &View<'_>,
) -> Option<String> {
    if view.model.is_some_and(|model| !any(&tenant.models, model)) {
        return Some("its models are not among the tenant's".into());
    }
    if !any(&tenant.jurisdictions, &provider.jurisdiction) {
        return Some("the tenant keeps its work in other jurisdictions".into());
    }
    if view.data_class != "general" && !provider.data_classes.iter().any(|class| class == view.data_class) {
        return Some("it is not approved for the tenant's data class".into());
    }
    for (id, entry) in world.in_force(at) {
        match &entry.clause {
            Clause::Exclusivity(clause) if clause.party != provider.party && clause.binds(view) => {
                return Some(format!("`{}` is exclusive to another", world.cite(id)));
            }
            Clause::Assurance(clause) if clause.scope.matches(view) && clause.lacks(provider).is_some() => {
                return Some(format!("it lacks what `{}` asks", world.cite(id)));
            }
            _ => {}
        }
    }
    let model = view.model?;
    let licences = world.entries().filter_map(|(_, entry)| match &entry.clause {
        Clause::Licence(clause) if clause.governs(model) => Some((entry, clause)),
        _ => None,
    });
    let (mut governed, mut permitted) = (false, false);
    for (entry, clause) in licences {
        governed = true;
        permitted |= entry.in_force(at) && clause.permits(provider, model, Act::of(view));
    }
    (governed && !permitted).then(|| format!("it is not licensed for `{model}`"))
}

/// Could the tenant have a job in this pool? If not, why.
fn jobs(
    world: &World,
    at: Timestamp,
    tenant: &Tenant,
    provider: &Provider,
    pool: &Pool,
) -> Vec<Option<String>> {
    let sizes = [1, pool.count];
    let views =
        JOB_PURPOSES.into_iter().flat_map(|purpose| sizes.map(|count| job(tenant, purpose, pool, count)));
    views.map(|view| barred(world, at, tenant, provider, &view)).collect()
}

/// Could the tenant have a call at this deployment? If not, why.
fn calls(world: &World, at: Timestamp, tenant: &Tenant, deployment: &Deployment) -> Option<String> {
    let view = call(tenant, world.model(deployment.model));
    barred(world, at, tenant, world.provider(deployment.provider), &view)
}

/// Providers that nobody may use, with the reasons.
pub(super) fn providers(cx: &mut Check<'_, '_>) {
    let world = cx.world;
    let mut deployments: Vec<Vec<&Deployment>> = world.providers.iter().map(|_| Vec::new()).collect();
    for deployment in &world.deployments {
        if let Some(mine) = deployments.get_mut(deployment.provider.index()) {
            mine.push(deployment);
        }
    }
    for (place, (provider, deployments)) in world.providers.iter().zip(&deployments).enumerate() {
        let mut reasons: BTreeSet<String> = BTreeSet::new();
        let mut usable = false;
        for tenant in &world.tenants {
            let pools = provider.pools.iter().flat_map(|pool| jobs(world, cx.at, tenant, provider, pool));
            let calls = deployments.iter().map(|deployment| calls(world, cx.at, tenant, deployment));
            for reason in calls.chain(pools) {
                match reason {
                    Some(reason) => _ = reasons.insert(reason),
                    None => usable = true,
                }
            }
            if usable {
                break;
            }
        }
        if usable {
            continue;
        }
        let help = if reasons.is_empty() {
            "it has no deployment and no pool, or there is no tenant".into()
        } else {
            reasons.into_iter().take(3).collect::<Vec<_>>().join("; ")
        };
        let spot = cx.positions.providers.get(place).map(|spot| spot.at.clone());
        let message = format!("nobody may use the provider `{}`", provider.id);
        cx.warn_at(spot, "idle-provider", message, help);
    }
}

/// Tenants that nobody may serve, with the reasons.
pub(super) fn tenants(cx: &mut Check<'_, '_>) {
    let world = cx.world;
    for (place, tenant) in world.tenants.iter().enumerate() {
        let calls = world.deployments.iter().map(|deployment| calls(world, cx.at, tenant, deployment));
        let called: BTreeSet<Option<String>> = calls.collect();
        let pooled = || {
            world.providers.iter().any(|provider| {
                let mut pools = provider.pools.iter();
                pools.any(|pool| jobs(world, cx.at, tenant, provider, pool).contains(&None))
            })
        };
        let callable = called.contains(&None);
        if callable || (tenant.models.is_empty() && pooled()) {
            continue;
        }
        let reasons: Vec<String> = called.into_iter().flatten().collect();
        let help = if reasons.is_empty() {
            "there is no deployment".into()
        } else {
            reasons.into_iter().take(3).collect::<Vec<_>>().join("; ")
        };
        let spot = cx.positions.tenants.get(place).map(|spot| spot.at.clone());
        let message = format!("no deployment may serve the tenant `{}`", tenant.id);
        cx.warn_at(spot, "stranded-tenant", message, help);
    }
}
