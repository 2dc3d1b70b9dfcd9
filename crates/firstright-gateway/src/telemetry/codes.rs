//! By which words is counted? All of them from closed sets.

use firstright_core::fact::{Ending, FailureKind};
use firstright_core::usage::Usage;
use firstright_wire::operation::Operation;

/// Classes of operations, by the names of the conventions for generative AI where they have one.
pub(super) const CLASSES: [&str; 12] = [
    "chat",
    "text_completion",
    "embeddings",
    "image",
    "speech",
    "transcription",
    "moderation",
    "realtime",
    "fine_tuning",
    "video",
    "store",
    "other",
];

/// The place of an operation's class in [`CLASSES`].
pub(super) fn class(operation: Option<Operation>) -> usize {
    match operation {
        Some(
            Operation::ChatCompletions
            | Operation::Responses
            | Operation::ResponsesCompact
            | Operation::Messages,
        ) => 0,
        Some(Operation::Completions) => 1,
        Some(Operation::Embeddings) => 2,
        Some(Operation::ImagesGenerations | Operation::ImagesEdits | Operation::ImagesVariations) => 3,
        Some(Operation::Speech) => 4,
        Some(Operation::Transcriptions | Operation::Translations) => 5,
        Some(Operation::Moderations) => 6,
        Some(Operation::Realtime | Operation::RealtimeSecrets | Operation::RealtimeCalls) => 7,
        Some(Operation::FineTuning) => 8,
        Some(Operation::Videos) => 9,
        Some(Operation::Store) => 10,
        Some(Operation::ResponsesInputTokens | Operation::CountTokens | Operation::Models) | None => 11,
    }
}

/// What came of an attempt at a provider.
pub(super) const ATTEMPTS: [&str; 9] = [
    "ok",
    "throttled",
    "server-error",
    "unreachable",
    "timed-out",
    "unauthorised",
    "rejected",
    "unsuitable",
    "given-up",
];

/// The place of an attempt that was given up, because another beside it was answered first.
pub(super) const GIVEN_UP: usize = 8;

/// The place of a failure in [`ATTEMPTS`].
pub(super) fn failure(kind: FailureKind) -> usize {
    match kind {
        FailureKind::Throttled => 1,
        FailureKind::ServerError => 2,
        FailureKind::Unreachable => 3,
        FailureKind::TimedOut => 4,
        FailureKind::Unauthorised => 5,
        FailureKind::Rejected => 6,
        FailureKind::Unsuitable => 7,
    }
}

/// What became of a request.
pub(super) const OUTCOMES: [&str; 5] = ["ok", "refused", "failed", "cut", "abandoned"];

/// The place of an outcome in [`OUTCOMES`]: by how the call ended, or by the status where no call was served.
pub(super) fn outcome(status: u16, ending: Option<Ending>) -> usize {
    match (ending, status) {
        (Some(Ending::Cut | Ending::Lost), _) => 3,
        // One that we give up ourselves, for want of files or memory, has been told so.
        (Some(Ending::Abandoned), 0..400) | (None, 0) => 4,
        (_, 200..400) => 0,
        (_, 400..500) => 1,
        (_, _) => 2,
    }
}

/// Kinds of tokens. They are disjoint.
pub(super) const TOKENS: [&str; 9] = [
    "input",
    "cached-input",
    "cache-write",
    "cache-write-hour",
    "output",
    "reasoning",
    "audio-input",
    "audio-output",
    "trained",
];

/// How many there are of each kind.
pub(super) fn tokens(usage: &Usage) -> [u64; 9] {
    [
        usage.input,
        usage.cached_input,
        usage.cache_write,
        usage.cache_write_hour,
        usage.output,
        usage.reasoning,
        usage.audio_in,
        usage.audio_out,
        usage.trained,
    ]
}

/// A word for how a call ended.
pub(super) fn ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Complete => "complete",
        Ending::Cut => "cut",
        Ending::Abandoned => "abandoned",
        Ending::Lost => "lost",
    }
}
