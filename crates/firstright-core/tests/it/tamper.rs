//! What would be unlawful instead? Each way of tampering turns a good decision into one that no reading of the law allows.

use firstright_core::decision::{Action, Decision, Ground};
use firstright_core::fact::OfferId;
use firstright_core::title::{Evidence, Place, Title};
use firstright_core::units::Timestamp;
use firstright_core::world::{ClauseId, DeploymentId, PartyId, ProviderId};
use serde::Serialize;

use crate::past::Past;

/// Every way, so that the test can say which was never tried.
pub const WAYS: [&str; 15] = [
    "at a place that is not approved for the data",
    "at a place of somebody who is not the holder",
    "without the first release",
    "with two releases swapped",
    "with a release that has no evidence",
    "on the word of another offer",
    "as if the right were nobody's",
    "more than the holder took",
    "while an offer is open",
    "an offer to somebody else",
    "an offer with a shorter window",
    "a second time",
    "a longer wait",
    "a wait for room that comes too late",
    "at the place of the first attempt",
];

/// A title as it is written in the journal; only a passage makes one otherwise.
#[derive(Clone, Serialize)]
struct Raw {
    holds: Option<ClauseId>,
    releases: Vec<(ClauseId, Vec<Evidence>)>,
}

impl Raw {
    fn of(title: &Title) -> Raw {
        let releases = title.releases().iter().map(|one| (one.clause(), one.evidence().to_vec()));
        Raw { holds: title.holds(), releases: releases.collect() }
    }

    fn title(&self) -> Title {
        let bytes = postcard::to_allocvec(self).expect("a title is written");
        postcard::from_bytes(&bytes).expect("a title is read")
    }
}

/// Every unlawful variant of a decision that is about to be made.
pub fn ways(past: &Past<'_>, decision: &Decision) -> Vec<(&'static str, Decision)> {
    let actions = match &decision.action {
        Action::Serve { title, .. } | Action::Dispatch { title, .. } => {
            let titles = titles(title).into_iter().map(|(way, raw)| (way, retitled(decision, &raw)));
            titles.chain(places(past, decision)).chain(counts(past, decision)).collect()
        }
        Action::Offer { .. } => offers(past, decision),
        Action::Queue { call, until } => {
            vec![(WAYS[12], Action::Queue { call: *call, until: Timestamp(until.0 + 1) })]
        }
        _ => vec![],
    };
    let with = |action| Decision { action, grounds: decision.grounds.clone() };
    let ways = actions.into_iter().chain(early(past)).map(|(way, action)| (way, with(action)));
    ways.chain(too_late(decision)).collect()
}

/// It waits for a place that will have room only when it has lost its patience.
fn too_late(decision: &Decision) -> Option<(&'static str, Decision)> {
    let Action::Queue { until, .. } = decision.action else { return None };
    let mut late = decision.clone();
    let awaits = late.grounds.iter_mut().find_map(|ground| match ground {
        Ground::Awaits(_, again) => Some(again),
        _ => None,
    })?;
    *awaits = until;
    Some((WAYS[13], late))
}

fn titles(title: &Title) -> Vec<(&'static str, Raw)> {
    let (good, mut ways) = (Raw::of(title), Vec::new());
    let mut way = |name, change: &dyn Fn(&mut Raw)| {
        let mut raw = good.clone();
        change(&mut raw);
        ways.push((name, raw));
    };
    if !good.releases.is_empty() {
        way(WAYS[2], &|raw| drop(raw.releases.remove(0)));
        way(WAYS[4], &|raw| raw.releases[0].1.clear());
    }
    if good.releases.len() > 1 {
        way(WAYS[3], &|raw| raw.releases.swap(0, 1));
    }
    let said = |one: &Evidence| matches!(one, Evidence::Declined { .. } | Evidence::Silent { .. });
    if good.releases.iter().any(|(_, evidence)| evidence.iter().any(said)) {
        way(WAYS[5], &|raw| raw.releases.iter_mut().flat_map(|(_, evidence)| evidence).for_each(other_offer));
    }
    if good.holds.is_some() {
        way(WAYS[6], &|raw| raw.holds = None);
    }
    ways
}

fn other_offer(evidence: &mut Evidence) {
    if let Evidence::Declined { offer, .. } | Evidence::Silent { offer, .. } = evidence {
        *offer = OfferId(offer.0 + 1);
    }
}

fn retitled(decision: &Decision, raw: &Raw) -> Action {
    let mut action = decision.action.clone();
    if let Action::Serve { title, .. } | Action::Dispatch { title, .. } = &mut action {
        *title = raw.title();
    }
    action
}

/// The same work elsewhere.
fn places(past: &Past<'_>, decision: &Decision) -> Vec<(&'static str, Action)> {
    let (class, was, holds) = match &decision.action {
        Action::Serve { call, deployment, title, .. } => {
            let tenant = past.world.tenant(past.calls[call].call.tenant);
            (&tenant.data_class, Place::Deployment(*deployment), title.holds())
        }
        Action::Dispatch { job, place, title, .. } => {
            let job = past.jobs[job].job;
            let own = (!job.data_class.is_empty()).then_some(&job.data_class);
            (own.unwrap_or(&past.world.tenant(job.tenant).data_class), *place, title.holds())
        }
        _ => return vec![],
    };
    let mut ways = Vec::new();
    for place in past.every_place() {
        let provider = past.provider(place);
        let elsewhere = match (place, &decision.action) {
            (Place::Deployment(to), Action::Serve { model, .. })
                if past.world.deployment(to).model == *model =>
            {
                moved(decision, Some(to), None)
            }
            (Place::Pool(provider, nth), Action::Dispatch { .. }) => {
                moved(decision, None, Some((provider, nth)))
            }
            _ => continue,
        };
        if class != "general" && !provider.data_classes.contains(class) {
            ways.push((WAYS[0], elsewhere.clone()));
        }
        let beside = match &decision.action {
            Action::Serve { call, .. } => past.calls[call].beside,
            _ => None,
        };
        if beside.is_some_and(|(_, taken)| taken == place) {
            ways.push((WAYS[14], elsewhere.clone()));
        }
        if holds.is_some() && provider.party != past.provider(was).party {
            ways.push((WAYS[1], elsewhere));
        }
    }
    ways
}

fn moved(decision: &Decision, to: Option<DeploymentId>, pool: Option<(ProviderId, u16)>) -> Action {
    let mut action = decision.action.clone();
    match &mut action {
        Action::Serve { deployment, .. } => *deployment = to.expect("a call goes to a deployment"),
        Action::Dispatch { place, .. } => {
            *place = pool.map(|(provider, nth)| Place::Pool(provider, nth)).expect("a job goes to a pool");
        }
        _ => {}
    }
    action
}

fn counts(past: &Past<'_>, decision: &Decision) -> Vec<(&'static str, Action)> {
    let mut action = decision.action.clone();
    let Action::Dispatch { job, count, title, .. } = &mut action else { return vec![] };
    let asked = past.jobs[job].offers.iter().any(|offer| title.holds() == Some(offer.clause));
    *count += 1;
    if asked { vec![(WAYS[7], action)] } else { vec![] }
}

fn offers(past: &Past<'_>, decision: &Decision) -> Vec<(&'static str, Action)> {
    let (mut other, mut shorter) = (decision.action.clone(), decision.action.clone());
    if let Action::Offer { holder, .. } = &mut other {
        *holder = PartyId((holder.0 + 1) % past.world.parties.len() as u16);
    }
    if let Action::Offer { until, .. } = &mut shorter {
        *until = Timestamp(until.0 - 1);
    }
    vec![(WAYS[9], other), (WAYS[10], shorter)]
}

/// The holder is given the work before it has answered.
fn early(past: &Past<'_>) -> Vec<(&'static str, Action)> {
    let mut ways = Vec::new();
    for (id, job) in &past.jobs {
        let Some(offer) = job.offers.last().filter(|one| !one.withdrawn && past.word(one).is_none()) else {
            continue;
        };
        let own = past
            .every_place()
            .find(|at| matches!(at, Place::Pool(..)) && past.provider(*at).party == offer.holder);
        let (job, lease, count, hour) =
            (*id, firstright_core::fact::LeaseId(u64::MAX), offer.terms.count, offer.terms.hour);
        let title = Raw { holds: Some(offer.clause), releases: vec![] }.title();
        ways.extend(own.map(|place| {
            (WAYS[8], Action::Dispatch { job, lease, place, count, hour, title, resumes: None })
        }));
    }
    ways
}
