//! To which trace does a request belong? W3C Trace Context, version 00: taken from the caller if it is well-formed, made
//! anew otherwise, and handed on to the provider with the attempt's own span.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// A request's place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace: [u8; 16],
    /// The caller's span; none if the trace begins here.
    pub parent: Option<[u8; 8]>,
    /// The span of the request here.
    pub span: [u8; 8],
    /// Is it recorded?
    pub sampled: bool,
}

/// The length of a header of version 00.
const LENGTH: usize = 55;

impl Context {
    /// Goes on with the trace of a `traceparent` header; `None` if it is not one of version 00. A malformed header is as
    /// good as none, as the specification says.
    pub fn read(header: &[u8]) -> Option<Context> {
        if header.len() != LENGTH || !header.starts_with(b"00-") || header[35] != b'-' || header[52] != b'-' {
            return None;
        }
        let trace: [u8; 16] = hex(&header[3..35])?;
        let parent: [u8; 8] = hex(&header[36..52])?;
        let [flags]: [u8; 1] = hex(&header[53..55])?;
        if trace == [0; 16] || parent == [0; 8] {
            return None;
        }
        Some(Context { trace, parent: Some(parent), span: new_span(), sampled: flags & 1 == 1 })
    }

    /// Begins a trace.
    pub fn begin(sampled: bool) -> Context {
        let mut trace = [0; 16];
        trace[..8].copy_from_slice(&random().to_be_bytes());
        trace[8..].copy_from_slice(&random().to_be_bytes());
        Context { trace, parent: None, span: new_span(), sampled }
    }

    /// The header for a provider, whose caller is `span`.
    pub fn header(&self, span: [u8; 8]) -> [u8; LENGTH] {
        let mut header = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&mut header[3..35], &self.trace);
        write_hex(&mut header[36..52], &span);
        header[54] = if self.sampled { b'1' } else { b'0' };
        header
    }
}

/// A number for a span: never zero, which means none.
pub(super) fn new_span() -> [u8; 8] {
    random().max(1).to_be_bytes()
}

/// True about so many times in a million.
pub(super) fn chance(per_million: u32) -> bool {
    per_million >= 1_000_000 || (per_million > 0 && random() % 1_000_000 < u64::from(per_million))
}

/// Not for secrets: it tells spans apart. SplitMix64, seeded for each thread by the standard library's own randomness.
fn random() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(0_u8));
    }
    STATE.with(|state| {
        let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

/// Lower-case digits only, as the specification asks.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

fn write_hex(into: &mut [u8], bytes: &[u8]) {
    for (pair, byte) in into.chunks_exact_mut(2).zip(bytes) {
        pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        pair[1] = b"0123456789abcdef"[usize::from(byte & 0xf)];
    }
}

/// Bytes as lower-case digits.
pub(super) fn hex_text(bytes: &[u8]) -> String {
    let mut text = vec![0; 2 * bytes.len()];
    write_hex(&mut text, bytes);
    String::from_utf8(text).unwrap_or_default()
}
