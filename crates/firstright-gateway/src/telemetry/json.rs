//! How is a line of JSON written without building a tree? Every string is escaped, so nothing that it holds can end it, or
//! begin another line.

/// Writes one object into a buffer.
pub(super) struct Object<'b> {
    out: &'b mut Vec<u8>,
    first: bool,
}

impl<'b> Object<'b> {
    pub(super) fn begin(out: &'b mut Vec<u8>) -> Object<'b> {
        out.push(b'{');
        Object { out, first: true }
    }

    fn key(&mut self, key: &'static str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        string(self.out, key);
        self.out.push(b':');
    }

    pub(super) fn text(&mut self, key: &'static str, value: &str) {
        self.key(key);
        string(self.out, value);
    }

    pub(super) fn number(&mut self, key: &'static str, value: u64) {
        self.key(key);
        number(self.out, value);
    }

    /// Nanoseconds as milliseconds with three places.
    pub(super) fn millis(&mut self, key: &'static str, nanos: u64) {
        self.key(key);
        let micros = nanos / 1_000;
        number(self.out, micros / 1_000);
        let rest = micros % 1_000;
        self.out.push(b'.');
        for digit in [rest / 100, rest / 10 % 10, rest % 10] {
            self.out.push(b'0' + u8::try_from(digit).unwrap_or(0));
        }
    }

    pub(super) fn flag(&mut self, key: &'static str, value: bool) {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }
}

/// Writes a number.
pub(super) fn number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut left = value;
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes a string with its quotes. RFC 8259 section 7; DEL and what lies outside ASCII are escaped too, because terminals
/// act upon some of it.
pub(super) fn string(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    for character in value.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            ' '..='~' => out.push(u8::try_from(u32::from(character)).unwrap_or(b'?')),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(b"\\u");
                    for shift in [12, 8, 4, 0] {
                        let nibble = usize::from((*unit >> shift) & 0xf);
                        out.push(b"0123456789abcdef"[nibble]);
                    }
                }
            }
        }
    }
    out.push(b'"');
}
