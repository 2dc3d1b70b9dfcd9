//! What are the words of a scenario's line, and which of them is wrong?

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use toml_datetime::Datetime;

use crate::text::value::{self, Per, Wrong};
use crate::units::{Currency, Money, Span, Timestamp};

/// The words of a line and how many of them were read; `key=value` words are taken out by name.
pub(crate) struct Args {
    words: Vec<String>,
    given: usize,
}

impl Args {
    pub(super) fn of(line: &str) -> Result<Args, String> {
        Ok(Args { words: words(line)?, given: 0 })
    }

    pub(super) fn next(&mut self) -> Option<String> {
        let word = self.words.get(self.given).cloned()?;
        self.given = self.given.saturating_add(1);
        Some(word)
    }

    pub(super) fn need(&mut self, what: &str) -> Result<String, String> {
        self.next().ok_or_else(|| format!("expected {what}, and the line ended"))
    }

    pub(super) fn word(&mut self, expected: &str) -> Result<(), String> {
        let word = self.need(&format!("`{expected}`"))?;
        if word == expected { Ok(()) } else { Err(format!("expected `{expected}`, not `{word}`")) }
    }

    /// The value of `key=`, taken out of the words that are left.
    pub(super) fn key(&mut self, key: &str) -> Option<String> {
        let of = |word: &str| {
            word.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')).map(ToString::to_string)
        };
        let at = self.words.iter().skip(self.given).position(|word| of(word).is_some())?;
        let word = self.words.remove(at.saturating_add(self.given));
        of(&word)
    }

    pub(super) fn key_of<T: TryFrom<u64>>(&mut self, key: &str) -> Result<Option<T>, String> {
        let Some(text) = self.key(key) else { return Ok(None) };
        let value =
            T::try_from(number(&text)?).map_err(|_| format!("expected a smaller number than `{text}`"))?;
        Ok(Some(value))
    }

    /// Is the bare word there?
    pub(super) fn flag(&mut self, flag: &str) -> bool {
        let at = self.words.iter().skip(self.given).position(|word| word == flag);
        at.map(|at| self.words.remove(at.saturating_add(self.given))).is_some()
    }

    /// `o1` or `l1`: the broker's number for an offer or a lease.
    pub(super) fn number(&mut self, letter: char) -> Result<u64, String> {
        let word = self.need(&format!("a name such as `{letter}1`"))?;
        let found = word.strip_prefix(letter).and_then(|digits| digits.parse().ok());
        found.ok_or_else(|| format!("expected a name such as `{letter}1`, not `{word}`"))
    }

    pub(super) fn end(self) -> Result<(), String> {
        match self.words.get(self.given) {
            None => Ok(()),
            Some(word) => Err(format!("expected the end of the line, not `{word}`")),
        }
    }
}

/// The words of a line, up to a `#` that begins a comment. Quotes keep blanks together, also after `key=`.
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut all, mut word) = (Vec::new(), None::<String>);
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '#' if !quoted && word.is_none() => break,
            blank if blank.is_whitespace() && !quoted => all.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    if quoted {
        return Err("expected a closing quote".to_string());
    }
    all.extend(word);
    Ok(all)
}

pub(super) fn one_of<T: Copy>(word: &str, words: &[(&str, T)]) -> Result<T, String> {
    let found = words.iter().find(|(known, _)| *known == word).map(|(_, meaning)| *meaning);
    found.ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(known, _)| *known).collect();
        format!("expected one of {}, not `{word}`", known.join(", "))
    })
}

pub(super) fn number(text: &str) -> Result<u64, String> {
    text.replace('_', "").parse().map_err(|_| format!("expected a whole number, not `{text}`"))
}

pub(super) fn span(text: &str) -> Result<Span, String> {
    value::span(text).map_err(said)
}

/// A sum, with or without `/h`, in whichever currency: a scenario's prices are in that of its law.
pub(super) fn hour(text: &str) -> Result<Money, String> {
    let text = text.strip_suffix("/h").unwrap_or(text);
    let code =
        text.get(text.len().saturating_sub(3)..).and_then(|code| <[u8; 3]>::try_from(code.as_bytes()).ok());
    value::money(text, code.map(Currency), Per::Sum).map_err(said)
}

pub(super) fn date(text: &str) -> Result<Timestamp, String> {
    let date =
        text.parse::<Datetime>().map_err(|_| format!("expected a day such as 2026-03-02, not `{text}`"))?;
    value::time(&date, false).map_err(said)
}

pub(super) fn said(wrong: Wrong) -> String {
    wrong.help.map_or_else(|| wrong.message.clone(), |help| format!("{}: {help}", wrong.message))
}
