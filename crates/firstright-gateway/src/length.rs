//! How many bytes does a Content-Length announce?

/// More digits than this could overflow; an exabyte is no message.
const DIGITS_MAX: usize = 18;

/// Digits only: no sign, no list, no space.
pub(crate) fn length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0')))
}
