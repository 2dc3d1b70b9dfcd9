//! Where does a JSON value begin and end, without building it?
//!
//! Two ways to step over a value. [`Scanner::skip`] checks the whole grammar of RFC 8259, so that a request which
//! passes here reads the same to every upstream parser. [`Scanner::skip_loose`] counts brackets outside of strings
//! only; it is for replies, which reach the client as they came whatever we think of them.

use std::borrow::Cow;

/// How deep containers may nest, the outermost counted. The same bound as `serde_json`'s, and as many as a `u128`
/// has bits, which is the scanner's whole stack.
pub(crate) const MAX_DEPTH: u32 = 128;

/// Bytes per step of the wide search: two SSE2 registers.
const LANE: usize = 32;

/// Bytes per step of the near search: a `u64`.
const WORD: usize = 8;

/// Strings longer than this are looked at for being binary payload rather than text.
const LONG_STRING: usize = 1024;

/// Where the text stopped being JSON, and what was expected there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Offset in bytes.
    pub at: usize,
    pub what: &'static str,
}

/// The inside of a string literal: offsets without the quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Str {
    pub start: usize,
    pub end: usize,
    pub escaped: bool,
}

/// What a strict skip saw on its way; feeds the estimate of input tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub text_bytes: u64,
    pub binary_bytes: u64,
    pub binaries: u64,
    pub numbers: u64,
    pub names_file: bool,
    pub names_encrypted: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is not white space, without taking it.
    pub(crate) fn look(&mut self) -> Option<u8> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    pub(crate) fn enter_object(&mut self) -> Result<(), Fault> {
        self.take(b'{', "an object")
    }

    /// The next member's key, with the scanner left at its value; `None` once the closing brace is taken.
    pub(crate) fn next_key(&mut self, first: bool) -> Result<Option<Str>, Fault> {
        match self.look() {
            Some(b'}') => {
                self.at += 1;
                return Ok(None);
            }
            Some(b',') if !first => {
                self.at += 1;
                self.look();
            }
            _ if !first => return Err(self.fault("`,` or `}`")),
            _ => {}
        }
        self.key().map(Some)
    }

    pub(crate) fn enter_array(&mut self) -> Result<(), Fault> {
        self.take(b'[', "an array")
    }

    /// Whether there is another element, with the scanner left at it; `false` once the closing bracket is taken.
    pub(crate) fn next_item(&mut self, first: bool) -> Result<bool, Fault> {
        match self.look() {
            Some(b']') => {
                self.at += 1;
                return Ok(false);
            }
            Some(b',') if !first => {
                self.at += 1;
                self.look();
            }
            _ if !first => return Err(self.fault("`,` or `]`")),
            _ => {}
        }
        Ok(true)
    }

    /// Takes a colon if one comes next.
    pub(crate) fn colon(&mut self) -> bool {
        let colon = self.look() == Some(b':');
        self.at += usize::from(colon);
        colon
    }

    /// Nothing but white space may be left.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        match self.look() {
            None => Ok(()),
            Some(_) => Err(self.fault("the end of the body")),
        }
    }

    pub(crate) fn string(&mut self) -> Result<Str, Fault> {
        self.take(b'"', "a string")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at = find_special(self.bytes, self.at);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    let end = self.at;
                    self.at += 1;
                    return Ok(Str { start, end, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.fault("no control character in a string")),
                None => return Err(self.fault("the end of a string")),
            }
        }
    }

    /// A number by the grammar; its range.
    pub(crate) fn number(&mut self) -> Result<&'a [u8], Fault> {
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.bytes[start..self.at])
    }

    /// Takes `word` (`true`, `false` or `null`).
    pub(crate) fn word(&mut self, word: &'static str) -> Result<(), Fault> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.fault("a value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// Steps over one value, checking all of it. `depth` is how many containers are open around it.
    pub(crate) fn skip(&mut self, depth: u32, tally: &mut Tally) -> Result<(), Fault> {
        // INVARIANT: bit 0 of `kinds` tells whether the innermost of the `open` containers is an object.
        let mut kinds: u128 = 0;
        let mut open = 0;
        let mut key = Str { start: 0, end: 0, escaped: false };
        loop {
            match self.look() {
                Some(b'"') => {
                    let string = self.string()?;
                    tally.string(self.bytes, key, string);
                }
                Some(byte @ (b'{' | b'[')) => {
                    if depth + open >= MAX_DEPTH {
                        return Err(self.fault("at most 128 levels of nesting"));
                    }
                    self.at += 1;
                    open += 1;
                    kinds = kinds << 1 | u128::from(byte == b'{');
                    let close = if byte == b'{' { b'}' } else { b']' };
                    if self.look() != Some(close) {
                        if byte == b'{' {
                            key = self.key()?;
                            tally.key(self.bytes, key);
                        }
                        continue;
                    }
                }
                Some(b'-' | b'0'..=b'9') => {
                    self.number()?;
                    tally.numbers += 1;
                }
                Some(b't') => self.word("true")?,
                Some(b'f') => self.word("false")?,
                Some(b'n') => self.word("null")?,
                _ => return Err(self.fault("a value")),
            }
            // A value has just ended: close what ends with it, then go to the next one.
            loop {
                if open == 0 {
                    return Ok(());
                }
                let object = kinds & 1 == 1;
                match self.look() {
                    Some(b',') => {
                        self.at += 1;
                        if object {
                            self.look();
                            key = self.key()?;
                            tally.key(self.bytes, key);
                        }
                        break;
                    }
                    Some(b'}') if object => {}
                    Some(b']') if !object => {}
                    _ => return Err(self.fault(if object { "`,` or `}`" } else { "`,` or `]`" })),
                }
                self.at += 1;
                open -= 1;
                kinds >>= 1;
            }
        }
    }

    /// Steps over one value, looking at strings and brackets only; the kinds of brackets need not match.
    pub(crate) fn skip_loose(&mut self) -> Result<(), Fault> {
        match self.look() {
            Some(b'"') => self.string_loose().map(drop),
            Some(b'{' | b'[') => {
                let mut open = 0u64;
                loop {
                    self.at = find_structure(self.bytes, self.at);
                    match self.bytes.get(self.at) {
                        Some(b'"') => {
                            self.string_loose()?;
                            continue;
                        }
                        Some(b'{' | b'[') => open += 1,
                        Some(_) => open -= 1,
                        None => return Err(self.fault("the end of a value")),
                    }
                    self.at += 1;
                    if open == 0 {
                        return Ok(());
                    }
                }
            }
            Some(b',' | b':' | b'}' | b']') | None => Err(self.fault("a value")),
            Some(_) => {
                while let Some(&byte) = self.bytes.get(self.at)
                    && !matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')
                {
                    self.at += 1;
                }
                Ok(())
            }
        }
    }

    /// A string by its quotes alone.
    pub(crate) fn string_loose(&mut self) -> Result<Str, Fault> {
        self.take(b'"', "a string")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at = find_special(self.bytes, self.at);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    let end = self.at;
                    self.at += 1;
                    return Ok(Str { start, end, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at = (self.at + 2).min(self.bytes.len());
                }
                Some(_) => self.at += 1,
                None => return Err(self.fault("the end of a string")),
            }
        }
    }

    pub(crate) fn fault(&self, what: &'static str) -> Fault {
        Fault { at: self.at, what }
    }

    /// A key and its colon.
    fn key(&mut self) -> Result<Str, Fault> {
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(self.fault("a key"));
        }
        let key = self.string()?;
        self.look();
        self.take(b':', "`:`")?;
        self.look();
        Ok(key)
    }

    fn take(&mut self, byte: u8, what: &'static str) -> Result<(), Fault> {
        if self.look() != Some(byte) {
            return Err(self.fault(what));
        }
        self.at += 1;
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.bytes.get(self.at) {
            self.at += 1;
        }
        if self.at == start { Err(self.fault("a digit")) } else { Ok(()) }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') if hex4(self.bytes, self.at + 2).is_some() => self.at += 6,
            _ => return Err(self.fault("an escape")),
        }
        Ok(())
    }
}

impl Tally {
    fn key(&mut self, bytes: &[u8], key: Str) {
        match &bytes[key.start..key.end] {
            b"file_id" => self.names_file = true,
            b"encrypted_content" => self.names_encrypted = true,
            _ => {}
        }
    }

    fn string(&mut self, bytes: &[u8], key: Str, string: Str) {
        let text = &bytes[string.start..string.end];
        let binary = text.len() > LONG_STRING
            && (text.starts_with(b"data:")
                || matches!(&bytes[key.start..key.end], b"data" | b"file_data" | b"encrypted_content"));
        if binary {
            self.binaries += 1;
            self.binary_bytes += text.len() as u64;
        } else {
            self.text_bytes += text.len() as u64;
        }
    }
}

/// The text that a string literal stands for; `None` if it has a lone surrogate or isn't UTF-8.
pub(crate) fn unescape(bytes: &[u8], string: Str) -> Option<Cow<'_, str>> {
    let raw = std::str::from_utf8(bytes.get(string.start..string.end)?).ok()?;
    if !string.escaped {
        return Some(Cow::Borrowed(raw));
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(cut) = rest.find('\\') {
        text.push_str(&rest[..cut]);
        let escape = &rest.as_bytes()[cut..];
        let mut taken = 2;
        text.push(match escape.get(1)? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                taken = 6;
                let high = hex4(escape, 2)?;
                if (0xd800..0xdc00).contains(&high) {
                    taken = 12;
                    if escape.get(6..8) != Some(b"\\u") {
                        return None;
                    }
                    let low = hex4(escape, 8).filter(|low| (0xdc00..0xe000).contains(low))?;
                    char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))?
                } else {
                    char::from_u32(high)?
                }
            }
            &plain @ (b'"' | b'\\' | b'/') => char::from(plain),
            _ => return None,
        });
        rest = rest.get(cut + taken..)?;
    }
    text.push_str(rest);
    Some(Cow::Owned(text))
}

/// Appends `text` as the inside of a string literal.
pub(crate) fn escape_into(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for &byte in text.as_bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 | 0x7f => {
                let [high, low] = [byte >> 4, byte & 0xf].map(|digit| HEX[usize::from(digit)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
            _ => out.push(byte),
        }
    }
}

/// A JSON number as a count: `None` unless it is a plain integer in `u64` (no sign, fraction or exponent).
pub(crate) fn to_u64(number: &[u8]) -> Option<u64> {
    let mut value: u64 = 0;
    for byte in number {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    (!number.is_empty()).then_some(value)
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..at + 4)?
        .iter()
        .try_fold(0, |value, byte| Some(value << 4 | char::from(*byte).to_digit(16)?))
}

/// The first quote, backslash or control character at or after `at`; the length if there is none.
#[inline]
fn find_special(bytes: &[u8], at: usize) -> usize {
    let hit = |byte: u8| byte == b'"' || byte == b'\\' || byte < 0x20;
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
fn find_structure(bytes: &[u8], mut at: usize) -> usize {
    // `[` and `{`, and `]` and `}`, differ in one bit only.
    let hit = |byte: u8| byte == b'"' || byte | 0x20 == b'{' || byte | 0x20 == b'}';
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

/// Steps over whole lanes without a hit; written so that the compiler makes vector code of it.
#[inline(always)]
fn skip_lanes(bytes: &[u8], mut at: usize, hit: impl Fn(u8) -> bool) -> usize {
    while let Some(lane) = bytes.get(at..).and_then(<[u8]>::first_chunk::<LANE>) {
        if lane.iter().fold(false, |any, byte| any | hit(*byte)) {
            break;
        }
        at += LANE;
    }
    at
}

#[cfg(test)]
mod tests;
