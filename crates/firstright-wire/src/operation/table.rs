//! What is there? Every path of OpenAI's specification, without its base.
//!
//! Source: OpenAI's OpenAPI document, version 2.3.0, 182 paths; `messages` is Anthropic's.

use super::Operation::{self, *};
use super::Verb::{self, Delete, Get, Post};

/// A line of the table: what is served at the paths of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    pub verbs: &'static [Verb],
    /// The segments; `{}` takes any one. Of two lines that fit, the first holds.
    pub pattern: &'static str,
    pub operation: Operation,
}

/// First segments of what administers a provider's own account: keys, users, projects, spend. These are the operator's
/// business with the provider, by the provider's own means; a caller's key here must never reach them.
pub const ADMINISTRATIVE: [&str; 2] = ["organization", "projects"];

const DELETE: &[Verb] = &[Delete];
const GET: &[Verb] = &[Get];
const GET_DELETE: &[Verb] = &[Get, Delete];
const GET_POST: &[Verb] = &[Get, Post];
const GET_POST_DELETE: &[Verb] = &[Get, Post, Delete];
const POST: &[Verb] = &[Post];

/// All that is served, the busiest first.
pub const SERVED: &[Served] = &[
    line(POST, "chat/completions", ChatCompletions),
    line(POST, "responses", Responses),
    line(POST, "embeddings", Embeddings),
    line(POST, "completions", Completions),
    line(POST, "messages", Messages),
    line(POST, "messages/count_tokens", CountTokens),
    line(GET, "realtime", Realtime),
    line(GET, "responses", Responses),
    line(POST, "audio/speech", Speech),
    line(POST, "audio/transcriptions", Transcriptions),
    line(POST, "audio/translations", Translations),
    line(POST, "fine_tuning/jobs", FineTuning),
    line(POST, "images/edits", ImagesEdits),
    line(POST, "images/generations", ImagesGenerations),
    line(POST, "images/variations", ImagesVariations),
    line(GET, "models", Models),
    line(GET, "models/{}", Models),
    line(POST, "moderations", Moderations),
    line(POST, "realtime/calls", RealtimeCalls),
    line(POST, "realtime/client_secrets", RealtimeSecrets),
    line(POST, "realtime/sessions", RealtimeSecrets),
    line(POST, "realtime/transcription_sessions", RealtimeSecrets),
    line(POST, "realtime/translations/client_secrets", RealtimeSecrets),
    line(POST, "responses/compact", ResponsesCompact),
    line(POST, "responses/input_tokens", ResponsesInputTokens),
    line(POST, "videos", Videos),
    line(GET_POST, "assistants", Store),
    line(GET_POST_DELETE, "assistants/{}", Store),
    line(GET_POST, "audio/voice_consents", Store),
    line(GET_POST_DELETE, "audio/voice_consents/{}", Store),
    line(POST, "audio/voices", Store),
    line(GET_POST, "batches", Store),
    line(GET, "batches/{}", Store),
    line(POST, "batches/{}/cancel", Store),
    line(GET, "chat/completions", Store),
    line(GET_POST_DELETE, "chat/completions/{}", Store),
    line(GET, "chat/completions/{}/messages", Store),
    line(POST, "chatkit/sessions", Store),
    line(POST, "chatkit/sessions/{}/cancel", Store),
    line(GET, "chatkit/threads", Store),
    line(GET_DELETE, "chatkit/threads/{}", Store),
    line(GET, "chatkit/threads/{}/items", Store),
    line(GET_POST, "containers", Store),
    line(GET_DELETE, "containers/{}", Store),
    line(GET_POST, "containers/{}/files", Store),
    line(GET_DELETE, "containers/{}/files/{}", Store),
    line(GET, "containers/{}/files/{}/content", Store),
    line(POST, "content_provenance_checks", Store),
    line(POST, "conversations", Store),
    line(GET_POST_DELETE, "conversations/{}", Store),
    line(GET_POST, "conversations/{}/items", Store),
    line(GET_DELETE, "conversations/{}/items/{}", Store),
    line(GET_POST, "evals", Store),
    line(GET_POST_DELETE, "evals/{}", Store),
    line(GET_POST, "evals/{}/runs", Store),
    line(GET_POST_DELETE, "evals/{}/runs/{}", Store),
    line(GET, "evals/{}/runs/{}/output_items", Store),
    line(GET, "evals/{}/runs/{}/output_items/{}", Store),
    line(GET_POST, "files", Store),
    line(GET_DELETE, "files/{}", Store),
    line(GET, "files/{}/content", Store),
    line(POST, "fine_tuning/alpha/graders/run", Store),
    line(POST, "fine_tuning/alpha/graders/validate", Store),
    line(GET_POST, "fine_tuning/checkpoints/{}/permissions", Store),
    line(DELETE, "fine_tuning/checkpoints/{}/permissions/{}", Store),
    line(GET, "fine_tuning/jobs", Store),
    line(GET, "fine_tuning/jobs/{}", Store),
    line(POST, "fine_tuning/jobs/{}/cancel", Store),
    line(GET, "fine_tuning/jobs/{}/checkpoints", Store),
    line(GET, "fine_tuning/jobs/{}/events", Store),
    line(POST, "fine_tuning/jobs/{}/pause", Store),
    line(POST, "fine_tuning/jobs/{}/resume", Store),
    line(DELETE, "models/{}", Store),
    line(POST, "realtime/calls/{}/accept", Store),
    line(POST, "realtime/calls/{}/hangup", Store),
    line(POST, "realtime/calls/{}/refer", Store),
    line(POST, "realtime/calls/{}/reject", Store),
    line(GET_DELETE, "responses/{}", Store),
    line(POST, "responses/{}/cancel", Store),
    line(GET, "responses/{}/input_items", Store),
    line(GET_POST, "skills", Store),
    line(GET_POST_DELETE, "skills/{}", Store),
    line(GET, "skills/{}/content", Store),
    line(GET_POST, "skills/{}/versions", Store),
    line(GET_DELETE, "skills/{}/versions/{}", Store),
    line(GET, "skills/{}/versions/{}/content", Store),
    line(POST, "threads", Store),
    line(POST, "threads/runs", Store),
    line(GET_POST_DELETE, "threads/{}", Store),
    line(GET_POST, "threads/{}/messages", Store),
    line(GET_POST_DELETE, "threads/{}/messages/{}", Store),
    line(GET_POST, "threads/{}/runs", Store),
    line(GET_POST, "threads/{}/runs/{}", Store),
    line(POST, "threads/{}/runs/{}/cancel", Store),
    line(GET, "threads/{}/runs/{}/steps", Store),
    line(GET, "threads/{}/runs/{}/steps/{}", Store),
    line(POST, "threads/{}/runs/{}/submit_tool_outputs", Store),
    line(POST, "uploads", Store),
    line(POST, "uploads/{}/cancel", Store),
    line(POST, "uploads/{}/complete", Store),
    line(POST, "uploads/{}/parts", Store),
    line(GET_POST, "vector_stores", Store),
    line(GET_POST_DELETE, "vector_stores/{}", Store),
    line(POST, "vector_stores/{}/file_batches", Store),
    line(GET, "vector_stores/{}/file_batches/{}", Store),
    line(POST, "vector_stores/{}/file_batches/{}/cancel", Store),
    line(GET, "vector_stores/{}/file_batches/{}/files", Store),
    line(GET_POST, "vector_stores/{}/files", Store),
    line(GET_POST_DELETE, "vector_stores/{}/files/{}", Store),
    line(GET, "vector_stores/{}/files/{}/content", Store),
    line(POST, "vector_stores/{}/search", Store),
    line(GET, "videos", Store),
    line(POST, "videos/characters", Store),
    line(GET, "videos/characters/{}", Store),
    line(POST, "videos/edits", Store),
    line(POST, "videos/extensions", Store),
    line(GET_DELETE, "videos/{}", Store),
    line(GET, "videos/{}/content", Store),
    line(POST, "videos/{}/remix", Store),
];

const fn line(verbs: &'static [Verb], pattern: &'static str, operation: Operation) -> Served {
    Served { verbs, pattern, operation }
}
