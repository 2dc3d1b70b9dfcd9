//! Who is behind `groq/`? Providers by the prefix that LiteLLM writes before a model, with the base URL of their
//! OpenAI-compatible API and the variable that LiteLLM itself reads for a key. Source: each provider's documentation.
//! And whose is a host? For both importers the same.

use super::plan::OPERATOR;

/// A provider.
#[derive(Debug)]
pub struct Known {
    pub prefix: &'static str,
    /// Who runs it.
    pub party: &'static str,
    /// How it is reached.
    pub reach: Reach,
    /// The variable that LiteLLM reads when no key is written.
    pub variable: Option<&'static str>,
}

/// How a provider is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// OpenAI's API at this base URL unless another is written.
    OpenAi(&'static str),
    /// OpenAI's API at the base URL that is written.
    Written,
    /// A resource of Azure OpenAI.
    Azure,
    /// Google's OpenAI-compatible endpoint of a project and location.
    Vertex,
    /// Amazon's runtime of a region.
    Bedrock,
    /// Anthropic's own API.
    Anthropic,
    /// Oracle's inference of a region.
    Oci,
}

const fn known(
    prefix: &'static str,
    party: &'static str,
    reach: Reach,
    variable: Option<&'static str>,
) -> Known {
    Known { prefix, party, reach, variable }
}

const KNOWN: [Known; 29] = [
    known("openai", "openai", Reach::OpenAi("https://api.openai.com/v1"), Some("OPENAI_API_KEY")),
    known(
        "text-completion-openai",
        "openai",
        Reach::OpenAi("https://api.openai.com/v1"),
        Some("OPENAI_API_KEY"),
    ),
    known("azure", "microsoft", Reach::Azure, Some("AZURE_API_KEY")),
    known("azure_ai", "microsoft", Reach::Written, Some("AZURE_AI_API_KEY")),
    known("anthropic", "anthropic", Reach::Anthropic, Some("ANTHROPIC_API_KEY")),
    known("bedrock", "amazon", Reach::Bedrock, Some("AWS_BEARER_TOKEN_BEDROCK")),
    known("vertex_ai", "google", Reach::Vertex, None),
    known(
        "gemini",
        "google",
        Reach::OpenAi("https://generativelanguage.googleapis.com/v1beta/openai"),
        Some("GEMINI_API_KEY"),
    ),
    known("oci", "oracle", Reach::Oci, None),
    known("hosted_vllm", OPERATOR, Reach::Written, None),
    known("vllm", OPERATOR, Reach::Written, None),
    known("openai_like", OPERATOR, Reach::Written, None),
    known("custom_openai", OPERATOR, Reach::Written, None),
    known("litellm_proxy", OPERATOR, Reach::Written, None),
    known("lm_studio", OPERATOR, Reach::Written, None),
    known("llamafile", OPERATOR, Reach::Written, None),
    known("groq", "groq", Reach::OpenAi("https://api.groq.com/openai/v1"), Some("GROQ_API_KEY")),
    known("mistral", "mistral", Reach::OpenAi("https://api.mistral.ai/v1"), Some("MISTRAL_API_KEY")),
    known("deepseek", "deepseek", Reach::OpenAi("https://api.deepseek.com/v1"), Some("DEEPSEEK_API_KEY")),
    known(
        "together_ai",
        "together",
        Reach::OpenAi("https://api.together.xyz/v1"),
        Some("TOGETHERAI_API_KEY"),
    ),
    known(
        "fireworks_ai",
        "fireworks",
        Reach::OpenAi("https://api.fireworks.ai/inference/v1"),
        Some("FIREWORKS_AI_API_KEY"),
    ),
    known(
        "openrouter",
        "openrouter",
        Reach::OpenAi("https://openrouter.ai/api/v1"),
        Some("OPENROUTER_API_KEY"),
    ),
    known("xai", "xai", Reach::OpenAi("https://api.x.ai/v1"), Some("XAI_API_KEY")),
    known(
        "perplexity",
        "perplexity",
        Reach::OpenAi("https://api.perplexity.ai"),
        Some("PERPLEXITYAI_API_KEY"),
    ),
    known("nebius", "nebius", Reach::OpenAi("https://api.studio.nebius.com/v1"), Some("NEBIUS_API_KEY")),
    known("cerebras", "cerebras", Reach::OpenAi("https://api.cerebras.ai/v1"), Some("CEREBRAS_API_KEY")),
    known("sambanova", "sambanova", Reach::OpenAi("https://api.sambanova.ai/v1"), Some("SAMBANOVA_API_KEY")),
    known(
        "deepinfra",
        "deepinfra",
        Reach::OpenAi("https://api.deepinfra.com/v1/openai"),
        Some("DEEPINFRA_API_KEY"),
    ),
    known(
        "nvidia_nim",
        "nvidia",
        Reach::OpenAi("https://integrate.api.nvidia.com/v1"),
        Some("NVIDIA_NIM_API_KEY"),
    ),
];

/// Whose a domain is, with all hosts in it.
const OWNERS: [(&str, &str); 21] = [
    ("azure.com", "microsoft"),
    ("openai.com", "openai"),
    ("oraclecloud.com", "oracle"),
    ("googleapis.com", "google"),
    ("amazonaws.com", "amazon"),
    ("api.aws", "amazon"),
    ("anthropic.com", "anthropic"),
    ("coreweave.com", "coreweave"),
    ("groq.com", "groq"),
    ("mistral.ai", "mistral"),
    ("deepseek.com", "deepseek"),
    ("together.xyz", "together"),
    ("fireworks.ai", "fireworks"),
    ("openrouter.ai", "openrouter"),
    ("x.ai", "xai"),
    ("perplexity.ai", "perplexity"),
    ("nebius.com", "nebius"),
    ("cerebras.ai", "cerebras"),
    ("sambanova.ai", "sambanova"),
    ("deepinfra.com", "deepinfra"),
    ("nvidia.com", "nvidia"),
];

/// What a cloud calls what its customers run: virtual machines, load balancers and gateways, with a server of their own behind.
const RENTED: [&str; 5] = ["cloudapp", "compute", "compute-1", "elb", "execute-api"];

/// Whose a host is, with or without its port, if its name says so.
pub fn owner(host: &str) -> Option<&'static str> {
    let host = host.split(':').next().unwrap_or(host).to_ascii_lowercase();
    if host.split('.').any(|label| RENTED.contains(&label)) {
        return None;
    }
    let within = |domain: &str| {
        host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    OWNERS.iter().find(|(domain, _)| within(domain)).map(|(_, owner)| *owner)
}

/// The provider of a prefix.
pub fn find(prefix: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.prefix == prefix)
}

/// Tokens a minute that one provisioned unit gives, counted as input. Source: Microsoft, "Provisioned throughput units
/// costs and billing", input TPM per PTU.
const PER_UNIT: [(&str, u64); 10] = [
    ("gpt-4o-mini", 37_000),
    ("gpt-4o", 2_500),
    ("gpt-4.1-mini", 14_900),
    ("gpt-4.1-nano", 59_400),
    ("gpt-4.1", 3_000),
    ("gpt-5-mini", 23_750),
    ("gpt-5", 4_750),
    ("o4-mini", 5_400),
    ("o3-mini", 2_500),
    ("o3", 3_000),
];

/// Tokens a minute of one provisioned unit of a model, by the beginning of its name.
pub fn tokens_per_unit(model: &str) -> Option<u64> {
    let model = model.strip_prefix("azure/").unwrap_or(model);
    PER_UNIT.iter().find(|(name, _)| model.starts_with(name)).map(|(_, tokens)| *tokens)
}

#[cfg(test)]
mod tests;
