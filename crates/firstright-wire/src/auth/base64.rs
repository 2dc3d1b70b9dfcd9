//! How are bytes written in the two alphabets of RFC 4648, and read from one of them?

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const FOR_URLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// RFC 4648 section 4, with padding: digests and signatures in headers.
#[must_use]
pub fn standard(bytes: &[u8]) -> String {
    let mut text = encode(bytes, STANDARD);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// RFC 4648 section 5, without padding: the parts of a JWT (RFC 7515 section 2).
#[must_use]
pub fn for_urls(bytes: &[u8]) -> String {
    encode(bytes, FOR_URLS)
}

/// Reads what [`for_urls`] writes, with or without padding; `None` for any other letter, or a group of one.
#[must_use]
pub fn from_urls(text: &str) -> Option<Vec<u8>> {
    let letters = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(letters.len() / 4 * 3 + 2);
    for four in letters.chunks(4) {
        let mut group = 0_u32;
        for letter in four {
            group = group << 6 | u32::try_from(FOR_URLS.iter().position(|known| known == letter)?).ok()?;
        }
        // Two letters hold one byte, three hold two.
        let whole = (four.len() * 6) / 8;
        if whole == 0 {
            return None;
        }
        let spare = four.len() * 6 - whole * 8;
        bytes.extend_from_slice(&(group >> spare).to_be_bytes()[4 - whole..]);
    }
    Some(bytes)
}

fn encode(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let group =
            three.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        // One byte fills two letters, two fill three.
        for place in 0..=three.len() {
            text.push(char::from(alphabet[(group >> (18 - 6 * place) & 63) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests;
