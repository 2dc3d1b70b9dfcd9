//! What in a Rust file is code? Enough of a lexer to leave comments and literals out, and to find where functions end.

/// The text with comments, and the insides of strings and characters, as spaces. Lines stay where they are.
pub fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = at + skipped(bytes, at);
        if end == at {
            code.push(bytes[at]);
            at += 1;
        } else {
            code.extend(bytes[at..end].iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }));
            at = end;
        }
    }
    // Every skipped piece ends on an ASCII byte, so what is left is UTF-8 still.
    String::from_utf8_lossy(&code).into_owned()
}

/// How many bytes from here are a comment or a literal.
fn skipped(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let after_word = at > 0 && is_word(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => position(rest, b"\n").unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => 1 + quoted(&rest[1..], b'"'),
        [b'r' | b'b' | b'c', ..] if !after_word => prefixed(rest),
        [b'\'', ..] => character(rest),
        _ => 0,
    }
}

/// Block comments nest.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// Raw, byte and C strings; nothing if the letter only begins a name.
fn prefixed(rest: &[u8]) -> usize {
    let letters = rest.iter().take_while(|byte| matches!(byte, b'r' | b'b' | b'c')).count().min(2);
    let is_raw = rest[..letters].contains(&b'r');
    let hashes = rest[letters..].iter().take_while(|byte| **byte == b'#').count();
    let open = letters + hashes;
    match rest.get(open) {
        Some(b'"') if is_raw => {
            let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
            position(&rest[open + 1..], &close).map_or(rest.len(), |found| open + 1 + found + close.len())
        }
        Some(b'"') if hashes == 0 => open + 1 + quoted(&rest[open + 1..], b'"'),
        Some(b'\'') if hashes == 0 && rest[..letters] == *b"b" => open + 1 + quoted(&rest[open + 1..], b'\''),
        _ => 0,
    }
}

/// A character, or nothing if it is a lifetime.
fn character(rest: &[u8]) -> usize {
    match rest {
        [_, b'\\', ..] => 1 + quoted(&rest[1..], b'\''),
        _ => {
            let text = String::from_utf8_lossy(&rest[1..rest.len().min(6)]).into_owned();
            let first = text.chars().next().map_or(0, char::len_utf8);
            if rest.get(1 + first) == Some(&b'\'') { 2 + first } else { 0 }
        }
    }
}

/// Bytes up to and with the closing quote.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 0;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function<'a> {
    pub name: &'a str,
    /// Where `fn` stands, from 1.
    pub line: usize,
    /// From `fn` to the closing brace.
    pub lines: usize,
}

/// Functions in code (see [`code_of`]), in their order.
pub fn functions(code: &str) -> Vec<Function<'_>> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let bytes = code.as_bytes();
        if at > 0 && is_word(bytes[at - 1]) {
            continue;
        }
        let name = code[at + 3..].trim_start();
        let name = &name[..name.bytes().take_while(|byte| is_word(*byte)).count()];
        if let Some(end) = body_end(bytes, at).filter(|_| !name.is_empty()) {
            let line = code[..at].matches('\n').count() + 1;
            found.push(Function { name, line, lines: code[at..end].matches('\n').count() + 1 });
        }
    }
    found
}

/// The closing brace of the body, if there is one.
fn body_end(bytes: &[u8], from: usize) -> Option<usize> {
    let (mut brackets, mut braces) = (0_i32, 0_i32);
    for (at, byte) in bytes.iter().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b'{' => braces += 1,
            b'}' if braces == 1 && brackets == 0 => return Some(at),
            b'}' => braces -= 1,
            b';' if brackets == 0 && braces == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
