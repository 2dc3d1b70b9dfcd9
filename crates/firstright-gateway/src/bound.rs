//! How much can a request use at most? Under a hard budget that is reserved before it is sent, so it must have an end:
//! what the request leaves open is bounded here, and written into it.

mod words;

use std::borrow::Cow;

use firstright_core::workload::Media;
use firstright_wire::openai::request::{Peek, peek};
use firstright_wire::operation::{Operation, Verb};

use self::words::Words;
use crate::asked::{Asked, Content};
use crate::open_call::Reserved;

/// Output tokens that a request gets under a hard budget if it bounds none. More than is likely, because a model that is
/// stopped while it still thinks has cost everything and said nothing.
const BOUNDED_MAX_OUTPUT: u64 = 4_096;
/// Tokens of a picture or another binary part at most: what gpt-4o-mini bills for a large picture in full detail (2,833
/// and 5,667 a tile, eight tiles), rounded up.
const PICTURE_MOST: u64 = 50_000;
/// Tokens of input at most where a part of it is not in the request: the largest context window of the models known.
const CONTEXT_MOST: u64 = 1_050_000;
/// Bytes of a second of sound at least: Opus at its lowest, 6 kbit/s, with room to spare.
const SOUND_BYTES_PER_SECOND: u64 = 500;
/// Tokens of a second of sound at most: twice what OpenAI's models bill.
const TOKENS_PER_SECOND: u64 = 20;
/// Tokens of a picture that is made: gpt-image-1's largest in high quality.
const IMAGE_MOST: u64 = 6_240;
/// Pictures in a form at most: OpenAI takes sixteen, and a mask.
const FORM_PICTURES: u64 = 17;
/// What a call is taken to use, and what it uses at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub input: u64,
    pub input_most: u64,
    pub max_output: u64,
    pub media: Media,
}

impl Bound {
    /// What a call is held to.
    pub(crate) fn reserved(&self, bounded: bool) -> Reserved {
        let Bound { input, input_most, max_output, media } = *self;
        Reserved { input, input_most, max_output, bounded, audio: media.audio }
    }
}

/// Of this request, as it will be sent.
pub(crate) fn of(asked: &Asked<'_>) -> Bound {
    let (operation, body) = (asked.route.operation, asked.body);
    let input = asked.content.input();
    let choices = match &asked.content {
        Content::Json(peek) => peek.choices.max(1),
        Content::Form(form) => form.choices.max(1),
        Content::Session(_) | Content::Opaque => 1,
    };
    let length = body.len() as u64;
    let mut media = Media::default();
    let input_most = match operation {
        Operation::Store | Operation::Models => 0,
        Operation::Transcriptions | Operation::Translations => {
            (media.audio, media.audio_seconds) = (true, length / SOUND_BYTES_PER_SECOND + 60);
            media.audio_seconds.saturating_mul(TOKENS_PER_SECOND)
        }
        Operation::Speech => {
            (media.audio, media.characters) = (true, length);
            length
        }
        Operation::ImagesGenerations | Operation::ImagesEdits | Operation::ImagesVariations => {
            media.images = choices;
            let pictures = if matches!(asked.content, Content::Form(_)) { FORM_PICTURES } else { 0 };
            pictures * PICTURE_MOST + if pictures > 0 { 0 } else { length }
        }
        _ => match &asked.content {
            Content::Json(peek) => {
                let words = Words::of(body);
                media.audio = words.sound;
                // A picture or document of Anthropic's that the provider fetches.
                let fetched = operation == Operation::Messages && words.url;
                if fetched { CONTEXT_MOST } else { input_most(peek, length, &words) }
            }
            _ => length,
        },
    };
    let max_output = asked.max_output().max(media.images.saturating_mul(IMAGE_MOST));
    Bound { input, input_most: input_most.max(input), max_output, media }
}

/// Is its answer text?
pub(crate) fn writes(operation: Operation) -> bool {
    use Operation::{ChatCompletions, Completions, Messages, Responses, ResponsesCompact};
    matches!(operation, ChatCompletions | Completions | Messages | Responses | ResponsesCompact)
}

/// Can nobody say what it costs when it is sent: a session or a job that goes on after its answer?
pub(crate) fn is_open(asked: &Asked<'_>) -> bool {
    let makes = asked.route.verb == Verb::Post;
    match asked.route.operation {
        Operation::Realtime | Operation::RealtimeSecrets | Operation::RealtimeCalls => true,
        Operation::FineTuning | Operation::Videos => makes && !asked.route.pattern.ends_with("/cancel"),
        Operation::Store => {
            let pattern = asked.route.pattern;
            let begins = ["batches", "videos", "chatkit"].iter().any(|folder| pattern.starts_with(folder));
            let goes_on =
                ["runs", "graders/run", "resume", "accept"].iter().any(|part| pattern.contains(part));
            makes && !pattern.ends_with("/cancel") && (begins || goes_on)
        }
        _ => matches!(&asked.content, Content::Json(peek) if peek.pins.background),
    }
}

/// No token of text is shorter than a byte, and the braces and names of the JSON are more than what providers add.
fn input_most(peek: &Peek<'_>, length: u64, words: &Words) -> u64 {
    let beyond = peek.previous_response_id.is_some() || peek.pins.any();
    if beyond || words.hidden || words.elsewhere {
        return CONTEXT_MOST;
    }
    length.saturating_add(PICTURE_MOST.saturating_mul(words.pictures))
}

/// Bounds the output of a request, if nothing does and its operation takes a bound.
pub(crate) fn cap(operation: Operation, body: &mut Cow<'_, [u8]>) {
    let name = match operation {
        Operation::ChatCompletions => "max_completion_tokens",
        Operation::Responses => "max_output_tokens",
        Operation::Completions | Operation::Messages => "max_tokens",
        _ => return,
    };
    // What cannot be read is refused a moment later, with its reason.
    let open = peek(operation, body).is_ok_and(|peek| peek.max_output_tokens.is_none());
    let Some(brace) = body.iter().position(|byte| *byte == b'{').filter(|_| open) else { return };
    let (before, after) = body.split_at(brace + 1);
    let empty = after.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'}');
    let comma = if empty { "" } else { "," };
    let member = format!("\"{name}\":{BOUNDED_MAX_OUTPUT}{comma}");
    *body = Cow::Owned([before, member.as_bytes(), after].concat());
}

/// Content that no tokens so few could be: then the provider does not keep to the bound that it was given, or does not say
/// what it sends. A delta is a token at least; an eighth more is let pass for those that part a token.
pub(crate) fn exceeds(reserved: &Reserved, deltas: u64, bytes: u64) -> bool {
    let most = reserved.max_output.saturating_add(reserved.max_output / 8).saturating_add(16);
    deltas > most || (!reserved.audio && bytes / MOST_BYTES_PER_TOKEN > most)
}

/// Bytes that a token of text, as JSON may escape it, takes on average at most.
const MOST_BYTES_PER_TOKEN: u64 = 32;

#[cfg(test)]
mod tests;
