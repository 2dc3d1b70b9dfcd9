//! How much room is there? `GET /v1/capacity` tells a caller how those stand that may serve its tenant; the operator sees all.

use std::collections::BTreeMap;

use firstright_core::capacity::{Breaker, CapacityView, Room};
use firstright_core::units::Timestamp;
use firstright_core::world::{CapacityKind, DeploymentId, TenantId, World};
use firstright_engine::Engine;
use serde_json::{Value, json};

/// Where callers ask.
pub(crate) const PATH: &str = "/v1/capacity";

/// Every deployment, as the operator sees it.
pub fn all(engine: &Engine) -> Value {
    let (capacities, now) = engine.read(|broker, now| (broker.capacities(now), now));
    let world = engine.world();
    let known = by_deployment(&capacities);
    let shown = world.served().filter_map(|(id, _)| Some(shown(&world, known.get(&id)?, now)));
    json!({ "object": "list", "data": shown.collect::<Vec<_>>() })
}

/// Those that may serve a tenant's calls, by the models that it may call.
pub(crate) fn of_tenant(engine: &Engine, tenant: TenantId, may: impl Fn(&str) -> bool) -> Value {
    let (capacities, places, world, now) = engine.read(|broker, now| {
        let world = broker.world().cloned();
        (broker.capacities(now), broker.places_of(tenant, now), world, now)
    });
    let Some(world) = world else { return json!({ "object": "list", "data": [] }) };
    let known = by_deployment(&capacities);
    let of_model = |(model, places): (_, Vec<DeploymentId>)| {
        let model = world.model(model);
        let views = places.iter().filter_map(|id| known.get(id));
        let deployments: Vec<Value> = views.map(|view| shown(&world, view, now)).collect();
        may(model).then(|| json!({ "model": model, "deployments": deployments }))
    };
    let data: Vec<Value> = places.into_iter().filter_map(of_model).collect();
    json!({ "object": "list", "data": data })
}

fn by_deployment(capacities: &[CapacityView]) -> BTreeMap<DeploymentId, &CapacityView> {
    capacities.iter().map(|view| (view.deployment, view)).collect()
}

/// Times are told as milliseconds from now: clocks differ.
fn shown(world: &World, view: &CapacityView, now: Timestamp) -> Value {
    let deployment = world.deployment(view.deployment);
    let provider = world.provider(deployment.provider);
    let (kind, what) = match view.kind {
        CapacityKind::Provisioned { .. } => ("provisioned", "tokens"),
        CapacityKind::PayAsYouGo { .. } => ("pay-as-you-go", "tokens-per-minute"),
        _ => ("concurrent", "calls"),
    };
    let state = match view.breaker {
        Breaker::Closed => "closed",
        Breaker::Probing { .. } => "probing",
        Breaker::Open { .. } => "open",
        Breaker::SetAside { .. } => "set-aside",
    };
    let room = |room: &Room| json!({ "limit": room.limit, "used": room.used, "free": room.free() });
    json!({
        "deployment": deployment.id,
        "model": world.model(deployment.model),
        "provider": provider.id,
        "region": provider.region,
        "kind": kind,
        "unit": what,
        "room": room(&view.room),
        "requests": view.requests.as_ref().map(room),
        "in-flight": view.in_flight,
        "queued": view.queued,
        "breaker": state,
        "rests-ms": view.rests(now).map_or(0, |rest| rest.as_millis_up()),
        "observed-ms-ago": now.since(view.observed_at).as_millis_up(),
    })
}
