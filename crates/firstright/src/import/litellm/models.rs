//! What serves what? The entries of `model_list` as deployments.

use super::endpoint::{Place, place};
use super::{Environment, Source, numbers, words};
use crate::import::Import;
use crate::import::plan::{Commitment, Deployment, Proof, UNKNOWN, id_of, is_address};
use crate::import::yaml::Node;

/// One entry of `model_list`.
pub(super) struct Item<'n> {
    pub node: &'n Node,
    pub params: &'n Node,
    pub info: Option<&'n Node>,
    /// Shared values of a credential that the entry names.
    pub credential: Option<&'n Node>,
    /// The group's name, which callers write.
    pub group: &'n Node,
    /// The provider's name for the model, with LiteLLM's prefix.
    pub model: &'n Node,
}

impl<'n> Item<'n> {
    /// A parameter, from the entry or else from its credential.
    pub fn param(&self, key: &str) -> Option<&'n Node> {
        self.params.get(key).or_else(|| self.credential?.get(key))
    }

    /// A value of `model_info`.
    pub fn info(&self, key: &str) -> Option<&'n Node> {
        self.info?.get(key)
    }

    fn order(&self) -> Option<u64> {
        self.params.get("order")?.number()
    }
}

/// Models by who may use them, and the order in which their deployments are tried.
#[derive(Debug, Default)]
pub(super) struct Models {
    pub public: Vec<String>,
    /// Each team's own.
    pub teams: Vec<(String, Vec<String>)>,
    /// Model, place in the order, party.
    order: Vec<(String, Option<u64>, String)>,
}

impl Models {
    /// For each model that has an order: the places and parties of its deployments. Without a place of its own a
    /// deployment comes last, as in LiteLLM.
    pub fn orders(&self) -> Vec<(String, Vec<(u64, String)>)> {
        let mut models: Vec<&str> = Vec::new();
        for (model, order, _) in &self.order {
            if order.is_some() && !models.contains(&&**model) {
                models.push(model);
            }
        }
        let of = |wanted: &str| {
            let own = self.order.iter().filter(|(model, _, _)| model == wanted);
            own.map(|(_, order, party)| (order.unwrap_or(u64::MAX), party.clone())).collect()
        };
        models.into_iter().map(|model| (model.to_string(), of(model))).collect()
    }
}

/// Reads the entries. Those that are first in their order come first in the law, which decides between equals.
pub(super) fn read(source: &Source, environment: Environment<'_>, import: &mut Import) -> Models {
    let mut models = Models::default();
    let entries: Vec<&Node> = source.sections("model_list").into_iter().flat_map(Node::items).collect();
    let mut items: Vec<Item<'_>> = Vec::new();
    for node in entries {
        match item(node, source) {
            Ok(item) => items.push(item),
            Err(why) => import.report.unsupported(node, why),
        }
    }
    items.sort_by_key(|item| item.order().unwrap_or(u64::MAX));
    // A team's model must not open to everybody because a public group has its name.
    let public: Vec<&str> = items
        .iter()
        .filter(|item| item.info("team_id").is_none())
        .filter_map(|item| item.group.text())
        .collect();
    for item in &items {
        deployment(item, &public, environment, &mut models, import);
    }
    words::credentials(source, import);
    models
}

fn item<'n>(node: &'n Node, source: &'n Source) -> Result<Item<'n>, &'static str> {
    let params =
        node.get("litellm_params").ok_or("an entry without `litellm_params`: nothing is deployed")?;
    let model = params.get("model").filter(|model| model.text().is_some());
    let model = model.ok_or("an entry without `litellm_params.model`: nothing is deployed")?;
    let group = node.get("model_name").filter(|group| group.text().is_some());
    let group = group.ok_or("an entry without `model_name`: nobody could call it")?;
    if [model, group].iter().any(|node| node.text().is_some_and(is_address)) {
        return Err("an address is no model's name: nothing is deployed");
    }
    let credential = params.get("litellm_credential_name").and_then(Node::text);
    let credential = credential.and_then(|wanted| {
        let all = source.sections("credential_list").into_iter().flat_map(Node::items);
        let named = |one: &&Node| one.get("credential_name").and_then(Node::text) == Some(wanted);
        all.into_iter().find(named)?.get("credential_values")
    });
    Ok(Item { node, params, info: node.get("model_info"), credential, group, model })
}

fn deployment(
    item: &Item<'_>,
    public: &[&str],
    environment: Environment<'_>,
    models: &mut Models,
    import: &mut Import,
) {
    let (group, name) = (item.group.text().unwrap_or(""), item.model.text().unwrap_or(""));
    if group.contains('*') || name.contains('*') {
        let why = "a wildcard: the law speaks of models that a deployment serves; write an entry for each";
        import.report.manual(item.node, why);
        return;
    }
    let place = match place(item, environment, import) {
        Ok(place) => place,
        Err(why) => {
            import.report.manual(item.model, format!("not imported: {why}"));
            import.report.manual(item.node, "goes with a model that is not imported");
            return;
        }
    };
    let model = model_of(item, public, models, import);
    models.order.push((model.clone(), item.order(), place.party.clone()));
    let (region, jurisdiction) = (place.region.clone(), place.jurisdiction.clone());
    let provider = import.plan.provider(&place.provider, &place.party, &region, &jurisdiction);
    let (provider, fresh) = (provider.id.clone(), provider.deployments.is_empty());
    let wanted = match item.info("id").and_then(Node::text) {
        Some(id) => id_of(id),
        None => id_of(&format!("{provider}-{}", model.replace('/', "-"))),
    };
    let id = import.plan.deployment_id(&wanted);
    if let Some(node) = item.info("id") {
        let same = node.text() == Some(&*id);
        let told = format!("deployment `{id}`");
        if same { import.report.exact(node, told) } else { import.report.approximate(node, told) }
    }
    told_place(item, &place, &id, fresh.then_some(&*provider), import);
    let capacity = numbers::capacity(item, &id, import);
    let price = numbers::price(item, &id, import);
    commitment(item, &model, &place.party, &id, import);
    words::told(item, &id, import);
    let endpoint = place.endpoint;
    let deployment = Deployment { id, model, capacity, price, endpoint };
    let own = import.plan.providers.iter_mut().find(|one| one.id == provider);
    if let Some(own) = own {
        own.deployments.push(deployment);
    }
}

/// The law's name for the model: the group's, or the team's own.
fn model_of(item: &Item<'_>, public: &[&str], models: &mut Models, import: &mut Import) -> String {
    let group = item.group.text().unwrap_or("");
    let team = item.info("team_id").filter(|node| node.text().is_some());
    let Some(team) = team else {
        let model = id_of(group);
        if model == group {
            import.report.exact(item.group, format!("the model `{model}`"));
        } else {
            import
                .report
                .manual(item.group, format!("callers must write `{model}`: such a name the law allows"));
        }
        if !models.public.contains(&model) {
            models.public.push(model.clone());
        }
        return model;
    };
    let tenant = id_of(team.text().unwrap_or(""));
    let own = item.info("team_public_model_name").filter(|node| node.text().is_some());
    let name = own.unwrap_or(item.group);
    let text = name.text().unwrap_or("");
    let taken = public.contains(&text);
    let model = if taken { format!("{tenant}/{}", id_of(text)) } else { id_of(text) };
    let told = format!("the model `{model}`, for tenant `{tenant}` alone");
    if taken || model != text {
        import
            .report
            .manual(name, format!("{told}: callers must write that name, for `{text}` is everybody's"));
    } else {
        import.report.exact(name, told);
    }
    if own.is_some() {
        import.report.approximate(item.group, "LiteLLM's inner name for a team's model is not needed");
    }
    import.report.approximate(
        team,
        format!("tenant `{tenant}`: its own models and everybody's; make its keys with `firstright key new`"),
    );
    match models.teams.iter_mut().find(|(known, _)| *known == tenant) {
        Some((_, own)) if own.contains(&model) => {}
        Some((_, own)) => own.push(model.clone()),
        None => models.teams.push((tenant, vec![model.clone()])),
    }
    model
}

/// Tells where a model is, and what nobody wrote of it.
fn told_place(item: &Item<'_>, place: &Place, id: &str, fresh: Option<&str>, import: &mut Import) {
    let endpoint = &place.endpoint;
    let told = format!(
        "deployment `{id}`: `{}` at {} in the language `{}`{}",
        endpoint.name,
        endpoint.url,
        endpoint.dialect.word(),
        place.note
    );
    if place.sure {
        import.report.exact(item.model, told)
    } else {
        import.report.approximate(item.model, told)
    }
    if place.default_key
        && let Proof::Key(key) = &endpoint.proof
    {
        let told = format!("no key is written: it is read from `{key}`, as LiteLLM does");
        import.report.exact(item.model, told);
    }
    if let Some(provider) = fresh
        && (place.region == UNKNOWN || place.jurisdiction == UNKNOWN)
    {
        import.report.manual(
            item.model,
            format!(
                "where provider `{provider}` stands is not in the source: write its `region` and `jurisdiction`; \
                 until then no residency admits it"
            ),
        );
    }
}

/// Provisioned units that are paid for by the hour, as a commitment.
fn commitment(item: &Item<'_>, model: &str, party: &str, id: &str, import: &mut Import) {
    let Some(units) = item.info("ptu_count").and_then(Node::number) else { return };
    let (from, until) = (item.info("ptu_effective_from"), item.info("ptu_effective_to"));
    let Some(rate) = item.info("cost_per_ptu_per_hour") else {
        for node in [from, until].into_iter().flatten() {
            import.report.unsupported(node, "a term of units without a price: nothing is committed");
        }
        return;
    };
    let price = rate.text().and_then(|text| super::super::decimal::parse(text)?.written());
    let Some(unit_price) = price else {
        import.report.unsupported(rate, "not a price that can be counted: nothing is committed");
        return;
    };
    let (begin, end) = (from.and_then(numbers::date), until.and_then(numbers::date));
    let hours = match (&begin, &end) {
        (Some(begin), Some(end)) => end.hours.saturating_sub(begin.hours),
        // The shortest month: a longer one must not be owed as missing in it.
        _ => 28 * 24,
    };
    import.report.approximate(
        rate,
        format!(
            "{units} units at {unit_price} USD/h are a commitment of PTU-hours: it counts and burns down; the hours \
             themselves stand in no settlement line"
        ),
    );
    for (node, date) in [(from, &begin), (until, &end)] {
        match (node, date) {
            (Some(node), Some(date)) => {
                import.report.exact(node, format!("the commitment's term: {}", date.text))
            }
            (Some(node), None) => import.report.manual(node, "not a date that is understood: write the term"),
            (None, _) => {}
        }
    }
    import.plan.commitments.push(Commitment {
        id: format!("{id}-units"),
        to: party.to_string(),
        model: model.to_string(),
        from: begin.map(|date| date.text),
        until: end.map(|date| date.text),
        hours: hours.saturating_mul(units).max(1),
        unit_price,
    });
}
