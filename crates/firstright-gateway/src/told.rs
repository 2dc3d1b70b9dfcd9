//! What does the caller learn of the decision? Four headers: who served, where, by which decision, and why.

use firstright_core::decision::{Action, Decision, Ground};
use firstright_core::show;
use firstright_core::world::{ClauseId, DeploymentId, World};
use firstright_wire::headers::forwards_response;
use http::{HeaderMap, HeaderName, HeaderValue};

const PROVIDER: HeaderName = HeaderName::from_static("x-firstright-provider");
const DEPLOYMENT: HeaderName = HeaderName::from_static("x-firstright-deployment");
const DECISION: HeaderName = HeaderName::from_static("x-firstright-decision");
const GROUND: HeaderName = HeaderName::from_static("x-firstright-ground");

/// What is said again and again, made once.
#[derive(Debug)]
pub struct Labels {
    /// By the deployment's number: the provider's id and its own.
    deployments: Vec<(HeaderValue, HeaderValue)>,
    /// By the clause's number: that it is held.
    holders: Vec<HeaderValue>,
}

impl Labels {
    /// The labels of a world.
    pub fn of(world: &World) -> Labels {
        let deployments =
            world.deployments.iter().map(|one| (value(&world.provider(one.provider).id), value(&one.id)));
        let clauses = (0u16..).map(ClauseId).take(world.clauses.len());
        let holders = clauses.map(|id| value(&format!("holder under {} [FR-1]", world.cite(id))));
        Labels { deployments: deployments.collect(), holders: holders.collect() }
    }

    /// What is told of a decision.
    pub(crate) fn told(
        &self,
        world: &World,
        decision: &Decision,
        record: u64,
        deployment: DeploymentId,
    ) -> Told {
        let unknown = || (HeaderValue::from_static("?"), HeaderValue::from_static("?"));
        let (provider, deployment) =
            self.deployments.get(deployment.index()).cloned().unwrap_or_else(unknown);
        Told { provider, deployment, decision: record, ground: self.ground(world, decision) }
    }

    /// The common grounds are labels; one that carries evidence is told in full.
    fn ground(&self, world: &World, decision: &Decision) -> HeaderValue {
        if let Action::Serve { title, .. } = &decision.action
            && title.releases().is_empty()
        {
            let held = title.holds().and_then(|clause| self.holders.get(clause.index()));
            match (held, decision.grounds.as_slice()) {
                (Some(held), []) => return held.clone(),
                (None, []) => return HeaderValue::from_static("no right stands in the way"),
                (None, [Ground::Only]) => return HeaderValue::from_static("the only one with room [CH-1]"),
                _ => {}
            }
        }
        value(&show::reasons(world, decision).join("; "))
    }
}

/// What the caller learns of one decision.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    provider: HeaderValue,
    deployment: HeaderValue,
    decision: u64,
    ground: HeaderValue,
}

impl Told {
    /// Puts it into an answer's headers, beside those of the provider's that may pass.
    pub(crate) fn headers(self, from: &HeaderMap, to: &mut HeaderMap) {
        to.reserve(from.len() + 5);
        for (name, value) in from {
            if forwards_response(name.as_str()) {
                to.append(name, value.clone());
            }
        }
        to.insert(PROVIDER, self.provider);
        to.insert(DEPLOYMENT, self.deployment);
        to.insert(DECISION, HeaderValue::from(self.decision));
        to.insert(GROUND, self.ground);
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unprintable"))
}
