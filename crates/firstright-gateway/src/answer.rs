//! How does the answer go out: its headers, its bytes, and its last bytes only once they are settled on disk?

use bytes::{Bytes, BytesMut};
use firstright_core::fact::Ending;
use firstright_core::usage::{Tier, Usage};
use firstright_wire::anthropic::inbound;
use firstright_wire::home::Signer;
use firstright_wire::openai::ServiceTier;
use firstright_wire::openai::error::{chat_event, responses_event};
use firstright_wire::openai::stream::{StreamEnd, StreamMeter};
use firstright_wire::operation::Operation;
use firstright_wire::usage::Reading;
use http::Response;

use crate::bound;
use crate::open_call::OpenCall;
use crate::relay::{Gate, Passing, Reply, Verdict};

/// What the gateway answers with.
pub type Answer = Response<Reply<Hook>>;

/// The hook of a relayed answer.
pub type Hook = Box<dyn FnMut(Passing<'_>) -> Verdict>;

/// The wire's usage in the core's buckets.
pub(crate) fn usage_of(reading: Reading) -> Option<Usage> {
    reading.sound().map(|usage| Usage {
        input: usage.input,
        cached_input: usage.cached_input,
        cache_write: usage.cache_write,
        cache_write_hour: usage.cache_write_hour,
        output: usage.output,
        reasoning: usage.reasoning,
        audio_in: usage.audio_in,
        audio_out: usage.audio_out,
        images: usage.images,
        audio_seconds: usage.audio_seconds,
        requests: usage.requests.max(1),
        ..Usage::default()
    })
}

/// The wire's tier as the core names it. What says nothing, or leaves the choice, is the default one.
pub(crate) fn tier_of(tier: Option<ServiceTier>) -> Tier {
    match tier {
        None | Some(ServiceTier::Auto | ServiceTier::Default) => Tier::Default,
        Some(ServiceTier::Flex) => Tier::Flex,
        Some(ServiceTier::Priority) => Tier::Priority,
        Some(ServiceTier::Scale) => Tier::Scale,
        Some(ServiceTier::Batch) => Tier::Batch,
        Some(ServiceTier::Fast | ServiceTier::Unknown) => Tier::Unknown,
    }
}

/// Follows a call whose answer goes on without its stream, which began with these bytes. Gives it back if it cannot.
pub(crate) type Later = Box<dyn FnOnce(OpenCall, &[u8]) -> Option<OpenCall>>;

/// The code and the message of a stream that we end because we stop.
pub(crate) const GATEWAY_STOPPING: (&str, &str) =
    ("gateway_stopping", "the gateway stopped before the end of the answer: try again");

/// So many bytes of a stream's beginning are kept to find the answer's id in.
const BEGINNING: usize = 1_024;

/// A relayed stream: metered as it passes; its end is held until the settlement is durable; a provider that breaks off is
/// told to the caller in the stream, because clients take a silent end for success. `later`: the answer is made in the
/// background, whether its stream is read or not.
pub(crate) fn hook(
    operation: Operation,
    injected: bool,
    open: OpenCall,
    signer: Option<Signer>,
    later: Option<Later>,
) -> Hook {
    let meter = StreamMeter::new(operation, injected);
    let later = later.map(|later| (later, Vec::new()));
    let mut stream = Stream { operation, meter, open, settled: false, later };
    signed(signer, move |passing| stream.passing(passing))
}

/// A relayed answer that says nothing of what was used: sound, a film, a file, the events of something kept. It is whole
/// when its bytes are.
pub(crate) fn opaque(operation: Operation, mut open: OpenCall, signer: Option<Signer>) -> Hook {
    let mut settle = move |ending| {
        let usage = (!operation.is_metered()).then(Usage::default);
        let stepped = open.settle(usage, ending);
        let durable = open.engine().durable(stepped.record);
        Box::pin(async move {
            durable.await;
            Ok(())
        })
    };
    signed(signer, move |passing| match passing {
        Passing::Chunk(_) => Verdict::Release,
        Passing::End(_) => Verdict::FinishAfter(settle(Ending::Complete)),
        // There is no place for an error in a file's bytes: the connection says that they are not whole.
        Passing::Broken(..) => {
            drop(settle(Ending::Cut));
            Verdict::Cut
        }
        Passing::Abandoned | Passing::Closing(_) => Verdict::Cut,
    })
}

/// Signs the ids in whatever the hook lets pass.
fn signed(signer: Option<Signer>, mut hook: impl FnMut(Passing<'_>) -> Verdict + 'static) -> Hook {
    let Some(mut signer) = signer else { return Box::new(hook) };
    let mut sign = move |bytes: &mut Bytes| {
        if let Some(other) = signer.push(bytes) {
            *bytes = other.into();
        }
    };
    Box::new(move |passing| match passing {
        Passing::Chunk(bytes) => {
            let verdict = hook(Passing::Chunk(bytes));
            sign(bytes);
            verdict
        }
        Passing::End(bytes) => {
            let verdict = hook(Passing::End(bytes));
            sign(bytes);
            verdict
        }
        other => hook(other),
    })
}

/// The event that ends a stream of an operation with an error, in the stream's own words. `events`: how many came before it.
pub(crate) fn error_event(
    operation: Operation,
    code: &str,
    kind: &str,
    message: &str,
    events: u64,
) -> Vec<u8> {
    match operation {
        Operation::Responses => responses_event(code, message, events),
        Operation::Messages => inbound::error_event(code, message),
        _ => chat_event(code, kind, message),
    }
}

struct Stream {
    operation: Operation,
    meter: StreamMeter,
    open: OpenCall,
    settled: bool,
    /// Follows what goes on in the background, by the beginning of the stream.
    later: Option<(Later, Vec<u8>)>,
}

impl Stream {
    fn passing(&mut self, passing: Passing<'_>) -> Verdict {
        match passing {
            Passing::Chunk(bytes) => self.chunk(bytes),
            Passing::End(bytes) => self.end(bytes),
            Passing::Broken(_, bytes) => self.broken(bytes),
            // Nothing is said of the provider by that: it is settled like a call whose caller went away.
            Passing::Closing(bytes) => {
                let (code, message) = GATEWAY_STOPPING;
                self.cut(bytes, code, message, Ending::Abandoned)
            }
            // Dropping the call settles it by what was counted, unless it is followed.
            Passing::Abandoned => {
                self.is_followed();
                Verdict::Cut
            }
        }
    }

    /// Hands on what goes on in the background when its stream does not.
    fn is_followed(&mut self) -> bool {
        let Some((later, beginning)) = self.later.take().filter(|_| !self.settled) else { return false };
        match later(self.open.take(), &beginning) {
            Some(open) => self.open = open,
            None => self.settled = true,
        }
        self.settled
    }

    fn chunk(&mut self, bytes: &mut Bytes) -> Verdict {
        if let Some((_, beginning)) = &mut self.later {
            let free = BEGINNING.saturating_sub(beginning.len());
            beginning.extend_from_slice(&bytes[..bytes.len().min(free)]);
        }
        let passage = self.meter.push(bytes);
        let whole = passage.carried.is_empty() && passage.forward.iter().eq(std::iter::once(0..bytes.len()));
        self.count();
        if self.is_spent() {
            return self.spent(bytes);
        }
        if !whole {
            let mut out = BytesMut::with_capacity(bytes.len() + passage.carried.len());
            for piece in passage.pieces(bytes) {
                out.extend_from_slice(piece);
            }
            *bytes = out.freeze();
        }
        // A stream of pictures has several ends; it is settled at its last byte.
        if passage.ended && !self.settled && !self.operation.is_of_images() {
            let gate = self.settle(Ending::Complete);
            let mut out = BytesMut::from(&bytes[..]);
            out.extend_from_slice(&self.meter.take_held());
            *bytes = out.freeze();
            return Verdict::ReleaseAfter(gate);
        }
        Verdict::Release
    }

    fn end(&mut self, bytes: &mut Bytes) -> Verdict {
        let end = self.meter.finish();
        if self.settled {
            *bytes = self.meter.take_held().into();
            return Verdict::Release;
        }
        match end {
            StreamEnd::Complete => {
                let gate = self.settle(Ending::Complete);
                *bytes = self.meter.take_held().into();
                Verdict::FinishAfter(gate)
            }
            StreamEnd::Failed => {
                let gate = self.settle(Ending::Cut);
                *bytes = self.meter.take_held().into();
                Verdict::FinishAfter(gate)
            }
            StreamEnd::CutWithoutDone => self.broken(bytes),
        }
    }

    fn broken(&mut self, bytes: &mut Bytes) -> Verdict {
        self.cut(bytes, "upstream_cut", "the provider broke off before the end of its answer", Ending::Cut)
    }

    /// Ends the stream with an error in its own words.
    fn cut(&mut self, bytes: &mut Bytes, code: &str, message: &str, ending: Ending) -> Verdict {
        if self.settled {
            return Verdict::Finish;
        }
        *bytes = self.error_event(code, "api_error", message);
        if ending == Ending::Cut && self.is_followed() {
            return Verdict::Finish;
        }
        Verdict::FinishAfter(self.settle(ending))
    }

    /// Until the provider says, each content delta counts as a token; a provider that puts several into one delta is
    /// counted by its text.
    fn count(&mut self) {
        let metered = self.meter.metered();
        self.open.count(metered.content_deltas, metered.content_bytes);
    }

    /// Has more come than was reserved, and is the call held to that?
    fn is_spent(&self) -> bool {
        let metered = self.meter.metered();
        !self.settled
            && self.open.reserved.bounded
            && bound::exceeds(&self.open.reserved, metered.content_deltas, metered.content_bytes)
    }

    /// Ends the stream at its reservation: settled by count, and told to the caller in the stream.
    fn spent(&mut self, bytes: &mut Bytes) -> Verdict {
        let message = "the answer is longer than what was reserved for it under a hard budget";
        *bytes = self.error_event("reservation_exhausted", "insufficient_quota", message);
        self.settled = true;
        let stepped = self.open.settle(None, Ending::Abandoned);
        Verdict::FinishAfter(self.durable(stepped.record))
    }

    fn error_event(&self, code: &str, kind: &str, message: &str) -> Bytes {
        error_event(self.operation, code, kind, message, self.meter.events()).into()
    }

    fn durable(&self, record: u64) -> Gate {
        let durable = self.open.engine().durable(record);
        Box::pin(async move {
            durable.await;
            Ok(())
        })
    }

    fn settle(&mut self, ending: Ending) -> Gate {
        self.settled = true;
        self.count();
        let metered = self.meter.metered();
        self.open.served_by(metered.service_tier);
        let usage = usage_of(metered.usage);
        let stepped = self.open.settle(usage, ending);
        self.durable(stepped.record)
    }
}
