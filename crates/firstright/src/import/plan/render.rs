//! How is a plan written as a law and as plumbing?

use std::fmt::Write as _;

use super::{Account, Capacity, Commitment, Dialect, Endpoint, OPERATOR, Plan, Price, Proof, Provider};
use crate::config::REFERENCE;

/// A TOML string. What was read may hold any character; JSON escapes them as TOML does, but for one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", quoted.join(", "))
}

/// The law: `agreements/imported.toml`.
pub fn law(plan: &Plan) -> String {
    let mut out = format!(
        "# The law, imported from {}. docs/importing.md says how; the report says what became of each line.\n\
         currency = \"USD\"\n\n[[party]]\nid = \"{OPERATOR}\"\noperator = true\n",
        plan.source.replace(['\n', '\r'], " ")
    );
    for party in &plan.parties {
        let _ = write!(out, "\n[[party]]\nid = {}\n", quoted(party));
    }
    for provider in plan.providers.iter().filter(|provider| !provider.deployments.is_empty()) {
        self::provider(&mut out, provider);
    }
    for tenant in &plan.tenants {
        let _ = write!(out, "\n[[tenant]]\nid = {}\n", quoted(&tenant.id));
        let _ = writeln!(out, "models = {}", list(&tenant.models));
        if !tenant.substitutes.is_empty() {
            let pair =
                |(asked, instead): &(String, String)| format!("{} = {}", quoted(asked), quoted(instead));
            let pairs: Vec<String> = tenant.substitutes.iter().map(pair).collect();
            let _ = writeln!(out, "substitutes = {{ {} }}", pairs.join(", "));
        }
    }
    preferences(&mut out, plan);
    for commitment in &plan.commitments {
        self::commitment(&mut out, commitment, &plan.today);
    }
    out
}

fn provider(out: &mut String, provider: &Provider) {
    let _ = write!(
        out,
        "\n[[provider]]\nid = {}\nparty = {}\nregion = {}\njurisdiction = {}\n",
        quoted(&provider.id),
        quoted(&provider.party),
        quoted(&provider.region),
        quoted(&provider.jurisdiction)
    );
    for deployment in &provider.deployments {
        let (id, model) = (quoted(&deployment.id), quoted(&deployment.model));
        let capacity = capacity(deployment.capacity);
        let _ = write!(out, "\n[[provider.deployment]]\nid = {id}\nmodel = {model}\ncapacity = {capacity}\n");
        let price = price(&deployment.price);
        if !price.is_empty() {
            let _ = writeln!(out, "price = {{ {price} }}");
        }
    }
}

fn capacity(capacity: Capacity) -> String {
    match capacity {
        Capacity::Provisioned { per_minute, units } => {
            format!("{{ provisioned = {{ per-minute = {per_minute}, units = {units} }} }}")
        }
        Capacity::PayAsYouGo { tokens, requests } => {
            let limit = |key: &str, limit: Option<u64>| limit.map(|limit| format!("{key} = {limit}"));
            let limits = [limit("tokens-per-minute", tokens), limit("requests-per-minute", requests)];
            let limits: Vec<String> = limits.into_iter().flatten().collect();
            if limits.is_empty() {
                "{ pay-as-you-go = {} }".to_string()
            } else {
                format!("{{ pay-as-you-go = {{ {} }} }}", limits.join(", "))
            }
        }
        Capacity::Concurrent(limit) => format!("{{ concurrent = {limit} }}"),
    }
}

fn price(price: &Price) -> String {
    price.iter().map(|(key, sum)| format!("{key} = {}", quoted(sum))).collect::<Vec<_>>().join(", ")
}

/// One agreement a party, with a standing first refusal for each model that it is to be asked for first.
fn preferences(out: &mut String, plan: &Plan) {
    for party in &plan.parties {
        let own: Vec<_> = plan.preferences.iter().filter(|one| one.party == *party).collect();
        if own.is_empty() {
            continue;
        }
        let _ = write!(
            out,
            "\n# The order in which the source tried its deployments, as rights: nobody's contract says so yet.\n\
             [[agreement]]\nid = {}\nparties = [\"{OPERATOR}\", {}]\nfrom = {}\n",
            quoted(&format!("imported-order-{party}")),
            quoted(party),
            plan.today
        );
        for preference in own {
            let _ = write!(
                out,
                "\n[[agreement.first-refusal]]\nid = {}\nholder = {}\nscope = {{ kinds = \"calls\", models = [{}] }}\n\
                 rank = {}\nanswering = \"standing\"\n",
                quoted(&format!("{}-first", preference.model)),
                quoted(party),
                quoted(&preference.model),
                preference.rank
            );
        }
    }
}

fn commitment(out: &mut String, commitment: &Commitment, today: &str) {
    let Commitment { id, to, model, from, until, hours, unit_price } = commitment;
    let whole = from.is_some() && until.is_some();
    let _ = write!(
        out,
        "\n[[agreement]]\nid = {}\nparties = [\"{OPERATOR}\", {}]\nfrom = {}\n",
        quoted(&format!("imported-{id}")),
        quoted(to),
        from.as_deref().unwrap_or(today)
    );
    if let Some(until) = until {
        let _ = writeln!(out, "until = {until}");
    }
    let _ = write!(
        out,
        "\n[[agreement.commitment]]\nid = {}\nby = \"{OPERATOR}\"\nto = {}\n\
         scope = {{ kinds = \"calls\", models = [{}] }}\nmeasure = \"ptu-hours\"\namount = {hours}\n\
         unit-price = \"{unit_price} USD/h\"\nperiod = \"{}\"\n",
        quoted(id),
        quoted(to),
        quoted(model),
        if whole { "term" } else { "month" }
    );
}

/// The plumbing: `firstright.toml`.
pub fn config(plan: &Plan) -> String {
    let mut out = REFERENCE.replace("agreements/minimal.toml", "agreements/imported.toml");
    let gateway = [
        ("first-byte-timeout-s", plan.gateway.first_byte_timeout_s),
        ("max-body-bytes", plan.gateway.max_body_bytes),
    ];
    for (key, value) in gateway {
        if let Some(value) = value {
            out = with_setting(&out, key, value);
        }
    }
    account(&mut out, &plan.account);
    for deployment in plan.providers.iter().flat_map(|provider| &provider.deployments) {
        endpoint(&mut out, &deployment.id, &deployment.endpoint);
    }
    out
}

/// The reference with another value for a key; its comment stays.
fn with_setting(text: &str, key: &str, value: u64) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.lines() {
        match line.strip_prefix(key).and_then(|rest| rest.trim_start().strip_prefix('=')) {
            Some(rest) => {
                let comment = rest.find('#').map_or("", |at| &rest[at..]);
                let _ = writeln!(out, "{}", format!("{key} = {value}    {comment}").trim_end());
            }
            None => {
                let _ = writeln!(out, "{line}");
            }
        }
    }
    out
}

fn account(out: &mut String, account: &Account) {
    let Account { budget, concurrent } = account;
    if budget.is_none() && concurrent.is_none() {
        return;
    }
    let _ = write!(out, "\n[[account]]\nid = \"{}\"\nkind = \"organisation\"\n", Account::ID);
    if let Some(budget) = budget {
        let _ = writeln!(out, "budgets = [{}]", quoted(budget));
    }
    if let Some(concurrent) = concurrent {
        let _ = writeln!(out, "concurrent = {concurrent}");
    }
}

fn endpoint(out: &mut String, id: &str, endpoint: &Endpoint) {
    let Endpoint { url, dialect, version, name, proof, compartment, api_format, private } = endpoint;
    let _ = write!(
        out,
        "\n[[deployment]]\nid = {}\nurl = {}\ndialect = \"{}\"\n",
        quoted(id),
        quoted(url),
        dialect.word()
    );
    if let (Dialect::AzureDated, Some(version)) = (dialect, version) {
        let _ = writeln!(out, "version = {}", quoted(version));
    }
    let _ = writeln!(out, "name = {}", quoted(name));
    if let Some(format) = api_format {
        let _ = writeln!(out, "api-format = {}", quoted(format));
    }
    match (compartment, dialect) {
        (Some(compartment), Dialect::Oci) => {
            let _ = writeln!(out, "compartment = {}", quoted(compartment));
        }
        (Some(compartment), _) => {
            let _ = writeln!(out, "headers = {{ compartmentid = {} }}", quoted(compartment));
        }
        (None, _) => {}
    }
    if *private {
        let _ = writeln!(out, "allow-private = true");
    }
    match proof {
        Proof::None => {}
        Proof::Key(variable) => {
            let _ = writeln!(out, "key = {{ env = {} }}", quoted(variable));
        }
        proof => {
            let _ = writeln!(out, "auth = {}", auth(proof));
        }
    }
}

/// A credential that is no key.
pub fn auth(proof: &Proof) -> String {
    match proof {
        Proof::None | Proof::Key(_) => String::new(),
        Proof::Entra { tenant, client, secret } => format!(
            "{{ entra = {{ tenant = {}, client-id = {}, client-secret = {{ env = {} }} }} }}",
            quoted(tenant),
            quoted(client),
            quoted(secret)
        ),
        Proof::ManagedIdentity { client } => {
            let client = client.as_ref().map(|client| format!(" client-id = {} ", quoted(client)));
            format!("{{ managed-identity = {{{}}} }}", client.unwrap_or_default())
        }
        Proof::Amazon { region, id, secret, session } => {
            let session =
                session.as_ref().map(|name| format!(", session-token = {{ env = {} }}", quoted(name)));
            format!(
                "{{ aws = {{ region = {}, access-key-id = {{ env = {} }}, secret-access-key = {{ env = {} }}{} }} }}",
                quoted(region),
                quoted(id),
                quoted(secret),
                session.unwrap_or_default()
            )
        }
        Proof::Oracle { tenancy, user, fingerprint, file } => format!(
            "{{ oci = {{ tenancy = {}, user = {}, fingerprint = {}, private-key = {{ file = {} }} }} }}",
            quoted(tenancy),
            quoted(user),
            quoted(fingerprint),
            quoted(file)
        ),
        Proof::Google { file: Some(file) } => {
            format!("{{ gcp = {{ service-account = {{ file = {} }} }} }}", quoted(file))
        }
        Proof::Google { file: None } => "{ gcp = { machine-account = \"default\" } }".to_string(),
    }
}
