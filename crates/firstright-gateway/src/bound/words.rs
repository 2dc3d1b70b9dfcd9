//! Which words of a body tell what it can cost? All of them are found in one pass, for every request.

/// What was found. A word counts wherever it begins a string: who writes it into a text is held to more, never to less.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// What takes more input than the body holds: tools that the provider runs itself, files that it fetches, prompts
    /// that it keeps.
    pub elsewhere: bool,
    /// How often a picture or a file is announced.
    pub pictures: u64,
    /// Sound, in or out.
    pub sound: bool,
    /// An address of something.
    pub url: bool,
    /// Letters of ASCII written as escapes. Nobody needs to but who hides a word.
    pub hidden: bool,
}

impl Words {
    pub(super) fn of(body: &[u8]) -> Words {
        let mut words = Words::default();
        for at in memchr::memchr2_iter(b'"', b'\\', body) {
            let rest = &body[at + 1..];
            if body[at] == b'"' {
                words.read(rest);
            } else {
                words.hidden |= rest.starts_with(b"u00") && matches!(rest.get(3), Some(b'4'..=b'7'));
            }
        }
        words
    }

    /// Notes the word that stands behind a quotation mark.
    fn read(&mut self, rest: &[u8]) {
        let is = |word: &[u8]| rest.starts_with(word);
        match rest.first() {
            Some(b'a') => {
                self.sound |= is(b"audio\"");
                // A page of a document takes fewer bytes than tokens. A stroke can be escaped.
                self.elsewhere |= is(b"application/pdf\"") || is(b"application\\");
            }
            Some(b'c') => {
                self.elsewhere |= is(b"code_interpreter") || is(b"code_execution") || is(b"computer_use");
            }
            Some(b'f') => {
                self.elsewhere |= is(b"file_search") || is(b"file_url\"");
                self.pictures += u64::from(is(b"file_data\""));
            }
            Some(b'i') => {
                self.elsewhere |= is(b"image_generation\"");
                self.pictures += u64::from(is(b"image\"") || is(b"image_url\"") || is(b"input_image\""));
                self.sound |= is(b"input_audio\"");
            }
            Some(b'm') => self.elsewhere |= is(b"mcp\""),
            Some(b'p') => self.elsewhere |= is(b"pmpt_"),
            Some(b'u') => self.url |= is(b"url\""),
            Some(b'w') => self.elsewhere |= is(b"web_search") || is(b"web_fetch"),
            _ => {}
        }
    }
}
