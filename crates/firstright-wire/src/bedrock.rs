//! How does Amazon Bedrock's Converse dialect speak?

pub mod eventstream;
