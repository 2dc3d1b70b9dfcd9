//! Where is an entry of `model_list`, whose is it, and how is it spoken to?

use firstright_wire::oci::ApiFormat;

use super::Environment;
use super::models::Item;
use super::proof;
use crate::import::known::{self, Reach};
use crate::import::plan::{Dialect, Endpoint, OPERATOR, UNKNOWN, id_of};
use crate::import::yaml::Node;
use crate::import::{Import, address, host, place as region, reference};

/// The place of a deployment.
pub(super) struct Place {
    pub party: String,
    pub provider: String,
    pub region: String,
    pub jurisdiction: String,
    pub endpoint: Endpoint,
    /// Is it certain that this is what the source meant?
    pub sure: bool,
    /// What the message adds.
    pub note: &'static str,
    /// Is the key read from the variable that LiteLLM reads on its own?
    pub default_key: bool,
}

/// A base URL and whether it was written out.
struct Base {
    url: String,
    written: bool,
}

/// Finds the place of an entry.
///
/// # Errors
/// If nothing here reaches such a provider, with what would have to be done.
pub(super) fn place(
    item: &Item<'_>,
    environment: Environment<'_>,
    import: &mut Import,
) -> Result<Place, String> {
    let text = item.model.text().unwrap_or("");
    let explicit = item.param("custom_llm_provider").and_then(Node::text);
    let (prefix, name) = match (explicit, text.split_once('/')) {
        (Some(prefix), _) => (prefix, text.strip_prefix(&format!("{prefix}/")).unwrap_or(text)),
        (None, Some((prefix, name))) => (prefix, name),
        (None, None) => (guessed(text), text),
    };
    let known = known::find(prefix).ok_or_else(|| {
        format!("the provider `{}` has no OpenAI-compatible endpoint that is known here", id_of(prefix))
    })?;
    if let Some(node) = item.param("custom_llm_provider") {
        import.report.exact(node, format!("the provider `{prefix}`"));
    }
    let base = base(item, environment, import);
    let mut place = match known.reach {
        Reach::OpenAi(default) => compatible(known.party, prefix, base, Some(default), name)?,
        Reach::Written => compatible(known.party, prefix, base, None, name)?,
        Reach::Azure => azure(item, base, name, environment, import)?,
        Reach::Vertex => vertex(item, name, environment, import)?,
        Reach::Anthropic => anthropic(base, name),
        Reach::Bedrock => bedrock(item, name, environment),
        Reach::Oci => oci(item, name, environment, import),
    };
    locate(item, &mut place, import);
    place.default_key = proof::proof(item, known, environment, &mut place, import);
    place.sure &=
        explicit.is_some() || text.contains('/') || guessed(text) == "openai" && text.starts_with("gpt-");
    Ok(place)
}

/// The provider of a model without a prefix, as LiteLLM knows it from the name.
fn guessed(model: &str) -> &'static str {
    let first = model.split('-').next().unwrap_or("");
    match first {
        "claude" => "anthropic",
        "gemini" => "vertex_ai",
        _ => "openai",
    }
}

/// `api_base`, or `base_url`.
fn base(item: &Item<'_>, environment: Environment<'_>, import: &mut Import) -> Option<Base> {
    let node = item.param("api_base").or_else(|| item.param("base_url"))?;
    let Some(variable) = reference(node) else {
        let url = node.text().and_then(address);
        match &url {
            Some(url) => {
                import.report.exact(node, format!("`url = \"{url}\"`, as far as the language needs"))
            }
            None => {
                import.report.manual(node, "not a base URL that may be written down: write `url` yourself")
            }
        }
        return Some(url.map_or(fill_in("fill-in"), |url| Base { url, written: true }));
    };
    match environment(variable).as_deref().and_then(address) {
        Some(url) => {
            import
                .report
                .approximate(node, format!("`{variable}` was {url} at the import, and that is written"));
            Some(Base { url, written: true })
        }
        None => {
            let base = fill_in(variable);
            let told =
                format!("`{variable}` is not set here: write what it holds in `url`, now `{}`", base.url);
            import.report.manual(node, told);
            Some(base)
        }
    }
}

/// What is written instead of a base URL that the source does not tell: a host that does not exist.
fn fill_in(variable: &str) -> Base {
    let name = variable.to_ascii_lowercase().replace('_', "-");
    Base { url: format!("https://{name}.invalid"), written: false }
}

fn compatible(
    party: &str,
    prefix: &str,
    base: Option<Base>,
    default: Option<&str>,
    name: &str,
) -> Result<Place, String> {
    let (url, own) = match (base, default) {
        (Some(base), Some(default)) if base.url == default => (base.url, false),
        (Some(base), _) => (base.url, true),
        (None, Some(default)) => (default.to_string(), false),
        (None, None) => return Err(format!("`{prefix}` needs an `api_base`")),
    };
    // Somebody else's server that speaks OpenAI's language is not OpenAI's.
    let (party, note) = match own.then(|| known::owner(host(&url))) {
        None => (party, ""),
        Some(Some(owner)) => (owner, ""),
        Some(None) if party == OPERATOR => {
            (OPERATOR, ", taken for your own server, at a private address perhaps")
        }
        Some(None) if prefix == "openai" => {
            (OPERATOR, ", taken for your own server, at a private address perhaps: write whose it is")
        }
        Some(None) => (party, ", at another address than its own"),
    };
    let provider =
        if own { format!("{}-{}", prefix.replace('_', "-"), id_of(host(&url))) } else { prefix.to_string() };
    let endpoint = Endpoint { private: party == OPERATOR, ..Endpoint::open_ai(url, name) };
    Ok(unplaced(party, &provider, endpoint, note.is_empty(), note))
}

fn unplaced(party: &str, provider: &str, endpoint: Endpoint, sure: bool, note: &'static str) -> Place {
    Place {
        party: party.to_string(),
        provider: id_of(provider),
        region: UNKNOWN.to_string(),
        jurisdiction: UNKNOWN.to_string(),
        endpoint,
        sure,
        note,
        default_key: false,
    }
}

fn azure(
    item: &Item<'_>,
    base: Option<Base>,
    name: &str,
    environment: Environment<'_>,
    import: &mut Import,
) -> Result<Place, String> {
    let base = base.or_else(|| {
        let url = environment("AZURE_API_BASE").as_deref().and_then(address);
        url.map(|url| Base { url, written: true })
    });
    let base = base.unwrap_or_else(|| fill_in("AZURE_API_BASE"));
    let host = host(&base.url).to_string();
    let version = item.param("api_version");
    let plain = |text: &&str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let text = version.and_then(Node::text).filter(plain);
    let dated = text.filter(|text| text.starts_with(|c: char| c.is_ascii_digit()));
    if let Some(node) = version {
        match dated {
            Some(text) => import.report.exact(node, format!("`azure-dated` with the version {text}")),
            None if matches!(text, Some("v1" | "latest" | "preview")) => {
                import.report.exact(node, "`azure-v1`: that path has no version");
            }
            None => import.report.manual(node, "not a version: the v1 path is written, which has none"),
        }
    }
    let (dialect, note) = match (dated, version) {
        (Some(_), _) => (Dialect::AzureDated, ""),
        (None, Some(_)) => (Dialect::AzureV1, ""),
        (None, None) => (Dialect::AzureV1, ", the v1 path: no `api_version` is written"),
    };
    let scheme = base.url.split("://").next().unwrap_or("https");
    let resource = host.split('.').next().unwrap_or("").to_string();
    let endpoint = Endpoint {
        url: format!("{scheme}://{host}"),
        dialect,
        version: dated.map(str::to_string),
        name: name.rsplit('/').next().unwrap_or(name).to_string(),
        ..Endpoint::open_ai(String::new(), "")
    };
    let provider = format!("azure-{resource}");
    Ok(unplaced("microsoft", &provider, endpoint, base.written && note.is_empty(), note))
}

fn vertex(
    item: &Item<'_>,
    name: &str,
    environment: Environment<'_>,
    import: &mut Import,
) -> Result<Place, String> {
    let mut value = |key: &str, variable: &str| {
        let Some(node) = item.param(key) else { return environment(variable) };
        let text = match reference(node) {
            Some(variable) => environment(variable),
            None => node.text().map(str::to_string),
        };
        let plain =
            |text: &String| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let text = text.filter(plain);
        match &text {
            Some(text) => import.report.exact(node, format!("`{text}`, in the endpoint's `url`")),
            None => import.report.manual(node, "write it in the endpoint's `url`"),
        }
        text
    };
    let project = value("vertex_project", "VERTEXAI_PROJECT").unwrap_or("fill-in".to_string());
    let location = value("vertex_location", "VERTEXAI_LOCATION").unwrap_or("us-central1".to_string());
    if name.starts_with("claude") {
        return Err("Anthropic's models at Google are not in its OpenAI-compatible endpoint".to_string());
    }
    if name.starts_with("multimodalembedding") {
        return Err(
            "Google's vectors of pictures are asked for in a language that is not spoken here".to_string()
        );
    }
    let domain = if location == "global" { String::new() } else { format!("{location}-") };
    let base =
        format!("https://{domain}aiplatform.googleapis.com/v1/projects/{project}/locations/{location}");
    let endpoint = if name.contains("embedding") {
        // Texts are embedded in Google's own language alone.
        Endpoint { dialect: Dialect::Gemini, ..Endpoint::open_ai(format!("{base}/publishers/google"), name) }
    } else {
        let name = if name.contains('/') { name.to_string() } else { format!("google/{name}") };
        Endpoint::open_ai(format!("{base}/endpoints/openapi"), &name)
    };
    let mut place = unplaced("google", &format!("vertex-{location}"), endpoint, true, "");
    place.jurisdiction = region::jurisdiction(&location).unwrap_or(UNKNOWN).to_string();
    place.region = location;
    Ok(place)
}

/// Anthropic's own language, at its own address or another that speaks it.
fn anthropic(base: Option<Base>, name: &str) -> Place {
    let url = base.map_or("https://api.anthropic.com".to_string(), |base| base.url);
    let url = url.trim_end_matches("/messages").trim_end_matches("/v1").to_string();
    let own = host(&url) == "api.anthropic.com";
    let (party, note) = match known::owner(host(&url)) {
        Some(owner) => (owner, ""),
        None => (OPERATOR, ", taken for your own server"),
    };
    let provider = if own { "anthropic".to_string() } else { format!("anthropic-{}", id_of(host(&url))) };
    let endpoint = Endpoint {
        dialect: Dialect::Anthropic,
        private: party == OPERATOR,
        ..Endpoint::open_ai(url.clone(), name)
    };
    unplaced(party, &provider, endpoint, note.is_empty(), note)
}

/// Amazon's runtime of a region. LiteLLM writes the route before the model: `converse/…`.
fn bedrock(item: &Item<'_>, name: &str, environment: Environment<'_>) -> Place {
    let routes = ["converse/", "invoke/", "converse_like/"];
    let name = routes.iter().find_map(|route| name.strip_prefix(route)).unwrap_or(name);
    let region = regional(item, "aws_region_name", "AWS_REGION", environment);
    let url = format!("https://bedrock-runtime.{region}.amazonaws.com");
    let endpoint = Endpoint { dialect: Dialect::Bedrock, ..Endpoint::open_ai(url, name) };
    in_region(unplaced("amazon", &format!("bedrock-{region}"), endpoint, true, ""), region)
}

/// Oracle's inference of a region: its own language for Cohere's models and for dedicated endpoints, OpenAI's for the others.
fn oci(item: &Item<'_>, name: &str, environment: Environment<'_>, import: &mut Import) -> Place {
    let region = regional(item, "oci_region", "OCI_REGION", environment);
    let host = format!("https://inference.generativeai.{region}.oci.oraclecloud.com");
    let endpoint = if let Some(id) = dedicated(item, name, environment, import) {
        let api_format = match ApiFormat::of(name) {
            ApiFormat::Generic => "generic",
            ApiFormat::Cohere => "cohere",
            ApiFormat::CohereV2 => "cohere-v2",
        };
        Endpoint { dialect: Dialect::Oci, api_format: Some(api_format), ..Endpoint::open_ai(host, &id) }
    } else if name.starts_with("cohere.") {
        Endpoint { dialect: Dialect::Oci, ..Endpoint::open_ai(host, name) }
    } else {
        Endpoint::open_ai(format!("{host}/openai/v1"), name)
    };
    in_region(unplaced("oracle", &format!("oci-{region}"), endpoint, true, ""), region)
}

/// The endpoint of capacity that was committed to, if the entry is served by it: LiteLLM takes the model for its id where none
/// is written.
fn dedicated(
    item: &Item<'_>,
    name: &str,
    environment: Environment<'_>,
    import: &mut Import,
) -> Option<String> {
    let mode = item.param("oci_serving_mode")?;
    let said = match reference(mode) {
        Some(variable) => environment(variable),
        None => mode.text().map(str::to_string),
    };
    match said.as_deref() {
        Some("DEDICATED") => {}
        Some("ON_DEMAND") => {
            import.report.exact(mode, "on demand, as every name is that is no endpoint's OCID");
            return None;
        }
        _ => {
            let told = "neither `ON_DEMAND` nor `DEDICATED` here, and taken for on demand: of a dedicated endpoint write the OCID \
                        as `name`";
            import.report.manual(mode, told);
            return None;
        }
    }
    let node = item.param("oci_endpoint_id");
    let text = match node.map(|node| (node, reference(node))) {
        Some((_, Some(variable))) => environment(variable),
        Some((node, None)) => node.text().map(str::to_string),
        None => Some(name.to_string()),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let id = text.filter(|text| text.starts_with("ocid1.") && text.chars().all(plain));
    match &id {
        Some(_) => import.report.exact(mode, "`name` is the endpoint's OCID"),
        None => import.report.manual(mode, "the endpoint's OCID is not known here: write it as `name`"),
    }
    if let Some(node) = node {
        import.report.exact(node, "`name`, where it is known");
    }
    Some(id.unwrap_or("ocid1.generativeaiendpoint.fill-in".to_string()))
}

/// A region's name that may stand in a host; `fill-in` if there is none.
fn regional(item: &Item<'_>, key: &str, variable: &str, environment: Environment<'_>) -> String {
    let node = item.param(key);
    let text = match node.map(|node| (node, reference(node))) {
        Some((_, Some(variable))) => environment(variable),
        Some((node, None)) => node.text().map(str::to_string),
        None => environment(variable),
    };
    let plain =
        |text: &String| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    text.filter(plain).unwrap_or("fill-in".to_string())
}

fn in_region(mut place: Place, region: String) -> Place {
    if region != "fill-in" {
        place.jurisdiction = region::jurisdiction(&region).unwrap_or(UNKNOWN).to_string();
        place.region = region;
    }
    place
}

/// Where it stands: what is written, then what an Azure resource's name tells, then tags.
fn locate(item: &Item<'_>, place: &mut Place, import: &mut Import) {
    if let Some((name, jurisdiction)) =
        region::azure_region(&place.provider).filter(|_| place.party == "microsoft")
    {
        (place.region, place.jurisdiction) = (name.to_string(), jurisdiction.to_string());
        if let Some(node) = item.param("api_base").or_else(|| item.param("base_url")) {
            let told = format!(
                "the resource's name tells the region `{name}`, jurisdiction `{jurisdiction}`: check it"
            );
            import.report.approximate(node, told);
        }
    }
    for key in ["region_name", "aws_region_name", "oci_region"] {
        let Some(node) = item.param(key) else { continue };
        let Some(text) = node.text().filter(|_| reference(node).is_none()) else {
            import.report.manual(node, "write the provider's `region` and `jurisdiction`");
            continue;
        };
        let found = region::jurisdiction(text).or_else(|| region::tagged(text));
        let wide = region::tagged(text).is_some();
        if !wide || place.region == UNKNOWN {
            place.region = id_of(text);
        }
        place.jurisdiction = found.unwrap_or(&place.jurisdiction).to_string();
        let told = format!("region `{}`, jurisdiction `{}`", place.region, place.jurisdiction);
        match found {
            Some(_) => import.report.approximate(node, told),
            None => import.report.manual(node, format!("{told}: write whose law holds there")),
        }
    }
    for tag in item.param("tags").map(Node::items).unwrap_or_default() {
        let Some(found) = tag.text().and_then(region::tagged) else { continue };
        if place.jurisdiction == UNKNOWN {
            place.jurisdiction = found.to_string();
        }
        let told =
            if place.jurisdiction == found { "" } else { ", which what is written elsewhere contradicts" };
        import.report.approximate(tag, format!("taken for where it stands: jurisdiction `{found}`{told}"));
    }
}
