//! Where does a JSON value begin and end, without building it?
//!
//! Two ways to step over a value. [`Scanner::skip`] checks the whole grammar of RFC 8259, so that no request passes
//! here of which upstream parsers could disagree whether it is JSON. [`Scanner::skip_loose`] only counts brackets
//! outside of strings; it is for replies, which reach the client as they came whatever we think of them.

mod search;
mod text;

use search::{find_special, find_structure};
use text::hex4;
pub(crate) use text::{escape_into, to_u64, unescape};

/// How deep containers may nest, the outermost counted. The same bound as `serde_json`'s, and as many as a `u128`
/// has bits, which is the scanner's whole stack.
pub(crate) const MAX_DEPTH: u32 = 128;

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

    /// A string by the grammar.
    pub(crate) fn string(&mut self) -> Result<Str, Fault> {
        self.quoted::<true>()
    }

    /// A string by its quotes alone.
    pub(crate) fn string_loose(&mut self) -> Result<Str, Fault> {
        self.quoted::<false>()
    }

    fn quoted<const STRICT: bool>(&mut self) -> Result<Str, Fault> {
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
                    if STRICT {
                        self.escape()?;
                    } else {
                        self.at = (self.at + 2).min(self.bytes.len());
                    }
                }
                Some(_) if STRICT => return Err(self.fault("no control character in a string")),
                Some(_) => self.at += 1,
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

#[cfg(test)]
mod tests;
