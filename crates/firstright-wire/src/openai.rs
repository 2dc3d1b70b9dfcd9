//! How does the OpenAI dialect speak? Azure, OCI and Bedrock speak it too; what differs stands in [`crate::azure`].

pub mod batch;
pub mod chat;
pub mod embeddings;
pub mod error;
pub mod form;
pub mod lines;
pub mod request;
pub mod response;
pub mod session;
pub mod stream;

/// The processing tier that was asked for, or that served. What served may differ, and is what is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServiceTier {
    Auto,
    Default,
    Flex,
    Scale,
    Priority,
    Fast,
    Batch,
    /// A tier that this version doesn't know; unpriced until it does.
    Unknown,
}

impl ServiceTier {
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "auto" => Self::Auto,
            // Anthropic says `standard`, and asks by `standard_only`; Groq says `on_demand`.
            "default" | "standard" | "standard_only" | "on_demand" => Self::Default,
            "flex" => Self::Flex,
            "scale" => Self::Scale,
            "priority" => Self::Priority,
            "fast" => Self::Fast,
            "batch" => Self::Batch,
            _ => Self::Unknown,
        }
    }
}
