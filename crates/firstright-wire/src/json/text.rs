//! What does a literal stand for, and how is text written as one?

use std::borrow::Cow;

use super::Str;

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

pub(super) fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..at + 4)?
        .iter()
        .try_fold(0, |value, byte| Some(value << 4 | char::from(*byte).to_digit(16)?))
}
