//! Where does the thing live that an id names? Ids that a provider gives out are signed with their home before a client
//! sees them, and read again when they come back.
//!
//! `resp_68a1` becomes `resp_68a1_fr` and 22 characters of base64url: four bytes that name the home and twelve of an
//! HMAC-SHA-256 over tenant, home and id. So an id cannot be made up, taken from another tenant, or led to another home.
//! The same is appended to `encrypted_content`, which only its maker can read. Nothing is kept here: the id is the record.
//!
//! Answers are signed as they pass, whole or in any pieces ([`Signer`]); requests are searched for signed ids wherever
//! they may stand: in a path, a query, a form or JSON ([`Homes::unsign`]).

#[cfg(test)]
mod tests;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What stands between an id and its token.
const MARK: &[u8] = b"_fr";
/// Characters of a token: sixteen bytes in base64url.
const TOKEN: usize = 22;
/// The longest id that is signed, in bytes; OpenAI's are below 80. `encrypted_content` has no such bound.
const MAX_ID_BYTES: usize = 256;
/// How an id begins that names something which lives at a provider and can be asked for again.
/// Source: the examples of OpenAI's specification, and Azure's `assistant-` files.
const PREFIXES: [&[u8]; 33] = [
    b"resp_",
    b"rs_",
    b"file-",
    b"file_",
    b"assistant-",
    b"upload_",
    b"batch_",
    b"vs_",
    b"vsfb_",
    b"ftjob-",
    b"ftckpt_",
    FINE_TUNED,
    b"conv_",
    b"cntr_",
    b"cfile_",
    b"thread_",
    b"run_",
    b"asst_",
    b"step_",
    b"eval_",
    b"evalrun_",
    b"video_",
    b"skill_",
    b"chatcmpl-",
    b"chatcmpl_",
    b"rtc_",
    b"sess_",
    b"cthr_",
    b"cksess_",
    b"cons_",
    b"voice_",
    b"char_",
    b"cmp_",
];
/// How a model's name begins that was made of another for a tenant.
const FINE_TUNED: &[u8] = b"ft:";
type Signature = Hmac<Sha256>;

/// Names a home: the first four bytes of a digest over its provider's id. The caller makes and resolves it.
pub type Tag = [u8; 4];

/// Signs and reads ids with one secret.
#[derive(Clone)]
pub struct Homes {
    keyed: Signature,
}

/// What was found signed in a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unsigned {
    /// The text with its ids as their providers know them; none if there was nothing signed.
    pub text: Option<Vec<u8>>,
    /// The homes that the ids named, each once.
    pub homes: Vec<Tag>,
    /// Where, in the text as it came, the signed ids end.
    ends: Vec<usize>,
}

impl std::fmt::Debug for Homes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Homes(…)")
    }
}

impl Homes {
    /// With a secret of 32 random bytes.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        // INVARIANT: HMAC takes a key of any length.
        Self { keyed: Signature::new_from_slice(secret).expect("a key of any length") }
    }

    /// Signs the ids of answers that one home gives to one tenant.
    #[must_use]
    pub fn signer(&self, tenant: &str, home: Tag) -> Signer {
        Signer {
            begun: self.begun(tenant, home),
            home,
            at: At::Outside,
            key: Key::Other,
            expects_key: false,
            arrays: 0,
            foreign: 0,
            is_reading: false,
            name: Vec::new(),
        }
    }

    /// Finds the signed ids of a tenant in a text, takes their signatures off, and tells their homes. What looks like a
    /// signature and is none is left as it is.
    #[must_use]
    pub fn unsign(&self, tenant: &str, text: &[u8]) -> Unsigned {
        let mut found = Unsigned::default();
        let mut out: Option<Vec<u8>> = None;
        let mut copied = 0;
        for mark in memchr::memmem::find_iter(text, MARK) {
            let end = mark + MARK.len() + TOKEN;
            let Some(token) = text.get(mark + MARK.len()..end) else { continue };
            let closes = |byte: &u8| matches!(byte, b'"' | b'\r' | b'\n' | b'&' | b'/' | b'\'');
            if text.get(end).is_some_and(|byte| !closes(byte)) {
                continue;
            }
            let in_json = text.get(end) == Some(&b'"');
            let Some(home) = self.read(tenant, &text[..mark], token, in_json) else { continue };
            found.ends.push(end);
            out.get_or_insert_with(Vec::new).extend_from_slice(&text[copied..mark]);
            copied = end;
            if !found.homes.contains(&home) {
                found.homes.push(home);
            }
        }
        found.text = out.map(|mut out| {
            out.extend_from_slice(&text[copied..]);
            out
        });
        found
    }

    /// The key under which the JSON names an id that is not signed, if it does: as it is written, and only the beginning
    /// of a long one. `unsigned` is what [`Homes::unsign`] found in the text. An id whose letters are written as escapes is
    /// one of nobody's.
    #[must_use]
    pub fn stranger(&self, text: &[u8], unsigned: &Unsigned) -> Option<String> {
        self.stranger_under(b"", text, unsigned)
    }

    /// The same in what stands in the field of a form: an id, or JSON.
    #[must_use]
    pub fn stranger_in_field(&self, name: &str, text: &[u8], unsigned: &Unsigned) -> Option<String> {
        if text.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| b"{[\"".contains(byte)) {
            return self.stranger_under(name.as_bytes(), text, unsigned);
        }
        // A list's items are fields of their own (`file_ids[]`), and so are an object's members (`video[id]`, `video.id`).
        let mut words = name.split(['[', ']', '.']).filter(|word| !word.is_empty());
        let told = text.trim_ascii_start();
        let is_id = words.any(|word| match key_of(word.as_bytes(), true) {
            Key::Id => begins_an_id(told),
            Key::Model => told.starts_with(FINE_TUNED),
            Key::Sealed | Key::Other | Key::Foreign | Key::Annotations => false,
        });
        let is_signed = unsigned.ends.binary_search(&text.len()).is_ok() && is_one(text);
        (is_id && !is_signed).then(|| name.to_owned())
    }

    /// The same in a query: which of its names has an id that is not signed. A letter of one that is written as `%6d` hides it.
    #[must_use]
    pub fn stranger_in_query(&self, query: &str, unsigned: &Unsigned) -> Option<String> {
        let mut end = 0;
        query.split('&').find_map(|pair| {
            end += pair.len();
            let at = unsigned.ends.binary_search(&end);
            end += 1;
            let (name, value) = pair.split_once('=')?;
            let is_signed = at.is_ok() && is_one(value.as_bytes());
            // `file_ids[]` may be `file_ids%5B%5D`.
            let mut words = name.split(['[', ']', '.', '%']);
            let is_id = words.any(|word| match key_of(word.as_bytes(), true) {
                Key::Id => begins_an_id(value.as_bytes()) || value.contains('%'),
                Key::Model => value.as_bytes().starts_with(FINE_TUNED),
                Key::Sealed | Key::Other | Key::Foreign | Key::Annotations => false,
            });
            (is_id && !is_signed).then(|| name.to_owned())
        })
    }

    fn stranger_under(&self, name: &[u8], text: &[u8], unsigned: &Unsigned) -> Option<String> {
        let mut found = None;
        let mut reader = Signer { is_reading: true, ..self.signer("", [0; 4]) };
        reader.key = key_of(name, true);
        reader.name.extend_from_slice(name);
        reader.ids(text, |quote, _, name| {
            if found.is_none() && unsigned.ends.binary_search(&quote).is_err() {
                found = Some(String::from_utf8_lossy(name).into_owned());
            }
        });
        found
    }

    /// The home that a token names for the id at the end of `before`: a whole string of JSON; elsewhere a whole line, or, in
    /// a path or query, what stands behind the last `/` or `=`. In a string, an id behind one of those would vouch for
    /// whatever stands before it.
    fn read(&self, tenant: &str, before: &[u8], token: &[u8], in_json: bool) -> Option<Tag> {
        // Only a string of JSON is long (`encrypted_content`). It begins behind the quote before it, so that no byte is
        // looked at for two of them. Elsewhere stand ids, which are short: the work stays in proportion to the text.
        let from = if in_json { 0 } else { before.len().saturating_sub(MAX_ID_BYTES + 1) };
        let before = &before[from..];
        let ends = |byte: &u8| match in_json {
            true => *byte == b'"',
            false => matches!(byte, b'"' | b'\n' | b'=' | b'/'),
        };
        let start = before.iter().rposition(ends).map_or(0, |at| at + 1);
        self.verified(tenant, &before[start..], token)
    }

    fn begun(&self, tenant: &str, home: Tag) -> Signature {
        let mut mac = self.keyed.clone();
        mac.update(&(tenant.len() as u64).to_be_bytes());
        mac.update(tenant.as_bytes());
        mac.update(&home);
        mac
    }

    fn verified(&self, tenant: &str, id: &[u8], token: &[u8]) -> Option<Tag> {
        let token = decode(token)?;
        let (home, signature) = token.split_first_chunk::<4>()?;
        let mut mac = self.begun(tenant, *home);
        mac.update(id);
        // Compared in constant time.
        mac.verify_truncated_left(signature).ok().map(|()| *home)
    }
}

/// Signs the ids in an answer as it passes.
pub struct Signer {
    begun: Signature,
    home: Tag,
    at: At,
    /// What the last key says of the values behind it.
    key: Key,
    /// The next string is a key.
    expects_key: bool,
    /// Which of the values around are arrays, the innermost in the lowest bit.
    arrays: u128,
    /// How deep it stands in what somebody else has written into the answer; 0 outside of that.
    foreign: usize,
    /// It reads what others have written, who may hide an id in escapes.
    is_reading: bool,
    /// The beginning of the last key; kept only while reading.
    name: Vec<u8>,
}

/// Where the bytes stand.
enum At {
    Outside,
    Inside(Inside),
}

/// In a string.
struct Inside {
    length: usize,
    start: [u8; MAX_STRING_START],
    is_key: bool,
    escaped: bool,
    mac: Option<Box<Signature>>,
}

/// Enough of a string to know a prefix, and the longest key that matters.
const MAX_STRING_START: usize = 27;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Other,
    /// Its values are ids.
    Id,
    /// Its value can be read by its maker only.
    Sealed,
    /// Its value names a model, which may be one of a tenant's own.
    Model,
    /// Its value is what a caller, or somebody of its choice, has written, told again as JSON.
    Foreign,
    /// The same if it is an object: a tool's hints. An answer's quotations are an array.
    Annotations,
}

/// What a key says of its values. In answers a model is named after the thing that it answers for, so it is left as it is;
/// a request that names a fine-tuned one names something that lives at a provider.
fn key_of(name: &[u8], is_reading: bool) -> Key {
    // Not every provider tells `Input_File_Id` from `input_file_id`.
    let mut lower = [0; MAX_STRING_START];
    let name = match lower.get_mut(..name.len()) {
        Some(lower) if is_reading && name.iter().any(u8::is_ascii_uppercase) => {
            lower.copy_from_slice(name);
            lower.make_ascii_lowercase();
            lower
        }
        _ => name,
    };
    match name {
        // Whoever hides the letters of a key hides an id.
        _ if name.contains(&b'\\') => Key::Id,
        b"id" | b"fine_tuned_model" | b"fine_tuned_model_checkpoint" => Key::Id,
        b"conversation" | b"container" | b"training_file" | b"validation_file" | b"result_files" => Key::Id,
        // The caller's own name for a line of a batch, by which it finds the answer.
        b"custom_id" => Key::Other,
        b"encrypted_content" => Key::Sealed,
        b"model" if is_reading => Key::Model,
        // A line of an eval's file, and what a caller's own MCP server says of its tools: whoever has it signed has another
        // tenant's id signed. Source: OpenAI's specification, `EvalRunOutputItem` and `MCPListToolsTool`.
        b"datasource_item" | b"input_schema" if !is_reading => Key::Foreign,
        b"annotations" if !is_reading => Key::Annotations,
        _ if name.ends_with(b"_id") || name.ends_with(b"_ids") => Key::Id,
        _ => Key::Other,
    }
}

/// Is it one id, so that its signature is for all of it?
fn is_one(text: &[u8]) -> bool {
    !text.iter().any(|byte| matches!(byte, b'"' | b'\n' | b'=' | b'/'))
}

fn begins_an_id(start: &[u8]) -> bool {
    PREFIXES.iter().any(|prefix| start.starts_with(prefix))
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(…)")
    }
}

impl Signer {
    /// Takes the next piece, cut anywhere, and gives what goes on in its place; `None` if that is the piece itself.
    pub fn push(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        let mut out: Option<Vec<u8>> = None;
        let mut copied = 0;
        self.ids(piece, |quote, token, _| {
            let out = out.get_or_insert_with(Vec::new);
            // The closing quote was read, and stands behind the token.
            out.extend_from_slice(&piece[copied..quote]);
            out.extend_from_slice(token.as_bytes());
            copied = quote;
        });
        out.map(|mut out| {
            out.extend_from_slice(&piece[copied..]);
            out
        })
    }

    /// Tells where the closing quote of each id is, its token, and its key if that is kept.
    fn ids(&mut self, piece: &[u8], mut each: impl FnMut(usize, &str, &[u8])) {
        let mut at = 0;
        while at < piece.len() {
            match std::mem::replace(&mut self.at, At::Outside) {
                At::Outside => {
                    let byte = piece[at];
                    at += 1;
                    self.structure(byte);
                }
                At::Inside(mut inside) => {
                    let read = inside.read(&piece[at..]);
                    at += read.used;
                    if read.ended {
                        if let Some(token) = self.close(inside) {
                            each(at - 1, &token, &self.name);
                        }
                    } else if !read.broke {
                        self.at = At::Inside(inside);
                    }
                }
            }
        }
    }

    /// A byte between strings.
    fn structure(&mut self, byte: u8) {
        match byte {
            b'"' => {
                let is_key = self.expects_key;
                let may_be = matches!(self.key, Key::Id | Key::Sealed) && self.foreign == 0;
                let is_signed = !is_key && may_be && !self.is_reading;
                let mac = is_signed.then(|| Box::new(self.begun.clone()));
                let start = [0; MAX_STRING_START];
                self.at = At::Inside(Inside { length: 0, start, is_key, escaped: false, mac });
            }
            b'{' => {
                self.arrays <<= 1;
                self.expects_key = true;
                self.enter(matches!(self.key, Key::Foreign | Key::Annotations));
            }
            b'[' => {
                self.arrays = self.arrays << 1 | 1;
                self.expects_key = false;
                self.enter(self.key == Key::Foreign);
                if self.key == Key::Annotations {
                    self.key = Key::Other;
                }
            }
            b'}' | b']' => {
                self.arrays >>= 1;
                self.foreign = self.foreign.saturating_sub(1);
                // The key of an array's strings behind an object is forgotten. None is signed there, and every one counts
                // that is read there.
                if byte == b'}' {
                    self.key = if self.is_reading { Key::Id } else { Key::Other };
                }
            }
            b',' => self.expects_key = self.arrays & 1 == 0,
            b':' => self.expects_key = false,
            _ => {}
        }
    }

    /// Goes one deeper into what is foreign, or into it for the first time.
    fn enter(&mut self, is_foreign: bool) {
        if self.foreign > 0 || is_foreign {
            self.foreign += 1;
        }
    }

    /// A string has ended: a key tells what follows; an id is given its token.
    fn close(&mut self, inside: Inside) -> Option<String> {
        let start = &inside.start[..inside.length.min(MAX_STRING_START)];
        if inside.is_key {
            // Escapes make a key longer than it is.
            let whole = inside.length <= MAX_STRING_START || start.contains(&b'\\');
            self.key = if whole { key_of(start, self.is_reading) } else { Key::Other };
            if self.is_reading {
                self.name.clear();
                self.name.extend_from_slice(start);
            }
            return None;
        }
        let is_hidden = || self.is_reading && start.contains(&b'\\');
        let is_id = || inside.length <= MAX_ID_BYTES && begins_an_id(start) || is_hidden();
        // Its beginning, in escapes.
        let hides = |text: &[u8]| text.windows(2).any(|pair| pair == b"\\u");
        let is_own_model =
            || start.starts_with(FINE_TUNED) || hides(&start[..start.len().min(6 * FINE_TUNED.len())]);
        let is_meant = match self.key {
            Key::Id => is_id(),
            Key::Model => is_own_model(),
            Key::Sealed => true,
            Key::Other | Key::Foreign | Key::Annotations => false,
        };
        if !is_meant || inside.length == 0 {
            return None;
        }
        if self.is_reading {
            return Some(String::new());
        }
        let mac = inside.mac?;
        let signature = mac.finalize().into_bytes();
        let mut token = [0; 16];
        let (home, rest) = token.split_at_mut(4);
        home.copy_from_slice(&self.home);
        rest.copy_from_slice(&signature[..12]);
        Some(encode(&token))
    }
}

/// What was read of a string.
struct Read {
    used: usize,
    /// Its closing quote was met.
    ended: bool,
    /// A raw line's end was met, which cannot stand in a string of JSON: it was none.
    broke: bool,
}

impl Inside {
    fn read(&mut self, bytes: &[u8]) -> Read {
        let mut used = 0;
        while used < bytes.len() {
            let rest = &bytes[used..];
            let run = match self.escaped {
                true => 0,
                false => memchr::memchr3(b'"', b'\\', b'\n', rest).unwrap_or(rest.len()),
            };
            self.take(&rest[..run]);
            used += run;
            let Some(byte) = bytes.get(used).copied() else { break };
            used += 1;
            if !self.escaped && byte != b'\\' {
                return Read { used, ended: byte == b'"', broke: byte == b'\n' };
            }
            self.escaped = !self.escaped;
            self.take(&[byte]);
        }
        Read { used, ended: false, broke: false }
    }

    fn take(&mut self, bytes: &[u8]) {
        if let Some(free) = self.start.get_mut(self.length..) {
            let kept = free.len().min(bytes.len());
            free[..kept].copy_from_slice(&bytes[..kept]);
        }
        self.length += bytes.len();
        if let Some(mac) = &mut self.mac {
            mac.update(bytes);
        }
    }
}

/// The characters of base64url (RFC 4648, section 5).
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The mark and sixteen bytes in 22 characters.
fn encode(bytes: &[u8; 16]) -> String {
    let mut text = String::from("_fr");
    let mut value = u128::from_be_bytes(*bytes);
    let mut digits = [0; TOKEN];
    // 22 characters hold 132 bits: the last one holds the lowest two, and four that are zero.
    digits[TOKEN - 1] = ALPHABET[usize::from((value & 3) as u8) << 4];
    value >>= 2;
    for digit in digits[..TOKEN - 1].iter_mut().rev() {
        *digit = ALPHABET[usize::from((value & 63) as u8)];
        value >>= 6;
    }
    text.extend(digits.iter().map(|byte| char::from(*byte)));
    text
}

fn decode(text: &[u8]) -> Option<[u8; 16]> {
    let digit = |byte: &u8| ALPHABET.iter().position(|one| one == byte).map(|at| at as u128);
    let (last, rest) = text.split_last()?;
    let mut value = 0_u128;
    for byte in rest {
        value = value << 6 | digit(byte)?;
    }
    let last = digit(last)?;
    // One way to write a token: what is not used of the last character is zero.
    (last & 15 == 0).then(|| (value << 2 | last >> 4).to_be_bytes())
}
