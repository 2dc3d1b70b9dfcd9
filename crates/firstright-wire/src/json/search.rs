//! Where is the next byte that ends something? This is where the time goes on a long prompt.

/// Bytes per step of the wide search: two SSE2 registers.
const LANE: usize = 32;

/// Bytes per step of the near search: a `u64`.
const WORD: usize = 8;

/// The first quote, backslash or control character at or after `at`; the length if there is none.
#[inline]
pub(super) fn find_special(bytes: &[u8], at: usize) -> usize {
    let hit = |byte: u8| (byte == b'"') | (byte == b'\\') | (byte < 0x20);
    let rest = bytes.get(at..).unwrap_or_default();
    let mut words = rest.chunks_exact(WORD);
    // Most strings end within the first words; only what goes on is worth the wide search, which finds a lane.
    for (index, word) in words.by_ref().take(LANE * 2 / WORD).enumerate() {
        if let Some(offset) = special_in(word) {
            return at + index * WORD + offset;
        }
    }
    let mut at = at + rest.len().min(LANE * 2) / WORD * WORD;
    at = skip_lanes(bytes, at, hit);
    for (index, word) in bytes[at..].chunks_exact(WORD).enumerate() {
        if let Some(offset) = special_in(word) {
            return at + index * WORD + offset;
        }
    }
    at += (bytes.len() - at) / WORD * WORD;
    at + bytes[at..].iter().position(|byte| hit(*byte)).unwrap_or(bytes.len() - at)
}

/// The offset of the first quote, backslash or control character in a word of eight bytes.
#[inline]
fn special_in(word: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let word = u64::from_le_bytes(*word.first_chunk::<WORD>()?);
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
    let hit = control | has_zero(word ^ (ONES * b'"' as u64)) | has_zero(word ^ (ONES * b'\\' as u64));
    // A borrow can only set bits above the first true hit, so the lowest one is exact.
    (hit != 0).then(|| (hit.trailing_zeros() / 8) as usize)
}

/// The first quote or bracket at or after `at`; the length if there is none.
pub(super) fn find_structure(bytes: &[u8], mut at: usize) -> usize {
    // `[` and `{`, and `]` and `}`, differ in one bit only.
    let hit = |byte: u8| (byte == b'"') | (byte | 0x20 == b'{') | (byte | 0x20 == b'}');
    for _ in 0..LANE / 2 {
        match bytes.get(at) {
            Some(&byte) if !hit(byte) => at += 1,
            _ => return at,
        }
    }
    at = skip_lanes(bytes, at, hit);
    while bytes.get(at).is_some_and(|byte| !hit(*byte)) {
        at += 1;
    }
    at
}

/// Steps over whole lanes without a hit. The compiler makes vector code of it as long as `hit` has no branch (`|`, never
/// `||`) and what is gathered is as wide as what is compared.
#[inline(always)]
fn skip_lanes(bytes: &[u8], mut at: usize, hit: impl Fn(u8) -> bool) -> usize {
    while let Some(lane) = bytes.get(at..).and_then(<[u8]>::first_chunk::<LANE>) {
        if lane.iter().fold(0, |any, byte| any | u8::from(hit(*byte))) != 0 {
            break;
        }
        at += LANE;
    }
    at
}
