use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::decision::{Action, Decision};
use crate::fact::{Ending, Fact, Source};
use crate::units::{Span, Timestamp};
use crate::usage::{Tier, Usage};
use crate::workload::{Call, CallId};
use crate::world::{DeploymentId, World};
use crate::{Broker, text};

/// A law with these providers, each serving one model, and these tenants.
fn law(providers: &[&str], tenants: &[&str]) -> String {
    let mut law = "currency = \"USD\"\n[[party]]\nid = \"us\"\noperator = true\n".to_string();
    for name in providers {
        law += &format!(
            "[[party]]\nid = \"{name}-party\"\n[[provider]]\nid = \"{name}\"\nparty = \"{name}-party\"\nregion = \"here\"\n\
             jurisdiction = \"us\"\n[[provider.deployment]]\nid = \"{name}-one\"\nmodel = \"model-{name}\"\n\
             capacity = {{ concurrent = 2 }}\n[[agreement]]\nid = \"{name}-2026\"\nparties = [\"us\", \"{name}-party\"]\n\
             from = 2020-01-01\n[[agreement.exclusivity]]\nid = \"only\"\nparty = \"{name}-party\"\n\
             scope = {{ kinds = \"calls\", models = [\"model-{name}\"] }}\n"
        );
    }
    for name in tenants {
        law += &format!("[[tenant]]\nid = \"{name}\"\n");
    }
    law
}

fn read(law: &str) -> World {
    let (world, problems) = text::read(&[("law.toml".to_string(), law.to_string())]);
    world.unwrap_or_else(|| panic!("{problems:?}"))
}

/// Numbers of everything that a law names, by name.
fn numbers(world: &World) -> Vec<(String, Option<u16>)> {
    let mut all = Vec::new();
    for name in ["a", "b", "c", "d"] {
        all.push((format!("party {name}"), world.find_party(&format!("{name}-party")).map(|id| id.0)));
        all.push((format!("provider {name}"), world.find_provider(name).map(|id| id.0)));
        all.push((
            format!("deployment {name}"),
            world.find_deployment(&format!("{name}-one")).map(|id| id.0),
        ));
        all.push((format!("model {name}"), world.find_model(&format!("model-{name}")).map(|id| id.0)));
        all.push((format!("tenant {name}"), world.find_tenant(name).map(|id| id.0)));
        let cite = format!("{name}-2026/only");
        let clause = world.entries().find(|(id, _)| world.cite(*id) == cite).map(|(id, _)| id.0);
        all.push((format!("clause {name}"), clause));
    }
    all
}

/// A law says the same under whichever numbers.
fn same(world: &World, fresh: &World) {
    let deployments = |world: &World| -> Vec<(String, String, String)> {
        let names = |(_, one): (DeploymentId, &crate::world::Deployment)| {
            let provider = world.provider(one.provider);
            let party = world.party(provider.party).id.clone();
            (one.id.clone(), world.model(one.model).to_string(), format!("{} {party}", provider.id))
        };
        world.served().map(names).collect()
    };
    assert_eq!(deployments(world), deployments(fresh));
    let clauses = |world: &World| -> Vec<String> { world.entries().map(|(id, _)| world.cite(id)).collect() };
    assert_eq!(clauses(world), clauses(fresh));
    assert_eq!(world.party(world.operator()).id, fresh.party(fresh.operator()).id);
    let models = |world: &World| -> Vec<String> { world.names_of_models().cloned().collect() };
    assert_eq!(models(world), models(fresh));
}

#[test]
fn what_is_known_keeps_its_number_wherever_it_stands_and_no_number_is_given_twice() {
    let mut held = read(&law(&["b", "c"], &["b", "c"]));
    let mut given: Vec<(String, u16)> = Vec::new();
    for providers in [&["a", "b", "c"][..], &["c"], &["d", "c", "a"], &["c", "b", "a", "d"], &["b", "c"]] {
        let fresh = read(&law(providers, providers));
        held = fresh.clone().after(&held).unwrap();
        same(&held, &fresh);
        for (name, number) in numbers(&held) {
            let Some(number) = number else { continue };
            let kind = name.split(' ').next().unwrap_or_default();
            for (other, taken) in given.iter().filter(|(other, _)| other.starts_with(kind)) {
                assert_eq!(*other == name, *taken == number, "{name} and {other} have {number} and {taken}");
            }
            given.push((name, number));
        }
    }
}

#[test]
fn what_a_law_leaves_out_can_still_be_cited_and_no_longer_be_found() {
    let before = read(&law(&["a", "b"], &["a"]));
    let clause = before.entries().map(|(id, _)| id).next().unwrap();
    let deployment = before.find_deployment("a-one").unwrap();
    let after = read(&law(&["b"], &["b"])).after(&before).unwrap();
    assert_eq!(after.cite(clause), "a-2026/only");
    assert_eq!(after.deployment(deployment).id, "a-one");
    assert!(after.find_deployment("a-one").is_none() && after.served().all(|(id, _)| id != deployment));
    assert!(after.entries().all(|(id, _)| id != clause));
    assert!(after.find_tenant("a").is_none() && after.find_party("a-party").is_none());
}

/// A broker with its clock.
struct Book {
    broker: Broker,
    at: Timestamp,
}

impl Book {
    fn step(&mut self, fact: &Fact) -> Vec<Decision> {
        self.at = Timestamp(self.at.0 + 1_000_000);
        self.broker.step(self.at, fact)
    }

    fn enact(&mut self, law: &str) -> Action {
        let sources = Vec::from([("law.toml".to_string(), law.to_string())]);
        self.step(&Fact::Enacted { sources }).remove(0).action
    }

    fn world(&self) -> Arc<World> {
        self.broker.world().unwrap().clone()
    }

    /// Where a call is sent.
    fn call(&mut self, id: u64, tenant: &str, model: &str) -> Option<String> {
        let world = self.world();
        let (tenant, model) = (world.find_tenant(tenant)?, world.find_model(model)?);
        let decisions = self.step(&Fact::CallArrived(Call::new(CallId(id), tenant, model, 10, 10)));
        decisions.iter().find_map(|one| match &one.action {
            Action::Serve { deployment, .. } => Some(world.deployment(*deployment).id.clone()),
            _ => None,
        })
    }

    fn settle(&mut self, id: u64) -> bool {
        let usage = Usage { input: 10, output: 10, requests: 1, ..Usage::default() };
        let (call, tier, source, ending) = (CallId(id), Tier::default(), Source::Provider, Ending::Complete);
        let first_byte = Span(1);
        let fact =
            Fact::CallSettled { call, usage, tier, source, ending, first_byte, observed: None, ran: None };
        self.step(&fact).iter().any(|one| matches!(one.action, Action::Settle { .. }))
    }
}

#[test]
fn calls_that_are_open_go_on_while_laws_come_and_go_around_them() {
    let mut book = Book { broker: Broker::new(), at: Timestamp(2_000_000_000_000_000_000) };
    assert_eq!(book.enact(&law(&["b"], &["b"])), Action::Enact);
    assert_eq!(book.call(1, "b", "model-b").as_deref(), Some("b-one"));
    // A provider, a model, a tenant and a clause before those that are in use.
    assert_eq!(book.enact(&law(&["a", "b"], &["a", "b"])), Action::Enact);
    assert_eq!(book.call(2, "a", "model-a").as_deref(), Some("a-one"));
    assert_eq!(book.call(3, "b", "model-b").as_deref(), Some("b-one"));
    // The one place is full now: what is open still counts under the new law.
    assert_eq!(book.call(4, "b", "model-b"), None);
    // The place in use is gone; what it serves ends there, and nothing new begins.
    assert_eq!(book.enact(&law(&["a"], &["a"])), Action::Enact);
    assert_eq!(book.call(5, "a", "model-b"), None);
    assert!(book.settle(1) && book.settle(2) && book.settle(3));
    assert_eq!(book.broker.open_calls().count(), 0);
    // It comes back, as it was.
    assert_eq!(book.enact(&law(&["b", "a"], &["b"])), Action::Enact);
    assert_eq!(book.call(6, "b", "model-b").as_deref(), Some("b-one"));
}

#[test]
fn a_law_that_cannot_be_read_changes_nothing() {
    let mut book = Book { broker: Broker::new(), at: Timestamp(2_000_000_000_000_000_000) };
    book.enact(&law(&["b"], &["b"]));
    let before = book.world();
    assert!(matches!(book.enact("currency = 1"), Action::KeepLaw { .. }));
    assert!(Arc::ptr_eq(&before, &book.world()));
}
