//! How is a TOML tree read so that no problem hides another? Each accessor notes what is wrong and goes on; a table
//! that was asked for all that it may hold reports the rest as unknown keys.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::scope::Glob;
use crate::text::diagnostic::Problems;
use crate::text::place::{Place, Spot};
use crate::text::suggest::did_you_mean;
use crate::text::value::{self, Per, Wrong};
use crate::units::{Currency, Money, Share, Span, Timestamp};

/// Values in one list, apart from the sections: no clause of a real contract names more.
pub const MAX_LIST: usize = 256;
/// Characters in a name: longer ones are pasted by mistake, and make every report illegible.
pub const MAX_TEXT: usize = 256;

/// What reading needs at every step.
pub(super) struct Reader<'s> {
    pub problems: Problems<'s>,
    /// The set's currency, once it is known.
    pub currency: Option<Currency>,
}

impl Reader<'_> {
    pub fn error(&mut self, at: &Place, code: &'static str, message: impl Into<String>) {
        self.problems.error(at, code, message);
    }

    pub fn error_help(
        &mut self,
        at: &Place,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.error_help(at, code, message, help);
    }

    /// Notes that a name is unknown, and which one was probably meant.
    pub fn unknown<'n>(
        &mut self,
        at: &Place,
        code: &'static str,
        message: String,
        wrong: &str,
        names: impl Iterator<Item = &'n str> + Clone,
    ) {
        // Suggestions cost a comparison with every name: none are made for what is not reported any more.
        let help = if self.problems.full() { None } else { did_you_mean(wrong, names) };
        match help {
            Some(help) => self.error_help(at, code, message, help),
            None => self.error(at, code, message),
        }
    }
}

/// A value of the tree.
#[derive(Clone)]
pub(super) struct Value<'t> {
    /// Its key, as the file writes it.
    pub name: &'t str,
    pub data: &'t DeValue<'t>,
    pub at: Place,
}

/// A table of the tree and what was asked of it so far.
#[must_use = "call `finish`, which reports the unknown keys"]
pub(super) struct Fields<'t> {
    what: &'static str,
    table: &'t DeTable<'t>,
    asked: Vec<&'static str>,
    /// Where the table stands.
    pub at: Place,
}

impl<'t> Fields<'t> {
    pub fn new(what: &'static str, table: &'t DeTable<'t>, at: Place) -> Fields<'t> {
        Fields { what, table, asked: Vec::new(), at }
    }

    /// The key's value, if the file has it.
    pub fn value(&mut self, key: &'static str) -> Option<Value<'t>> {
        self.asked.push(key);
        let (name, value) = self.table.get_key_value(key)?;
        Some(Value { name: name.get_ref(), data: value.get_ref(), at: place(self.at.file, value) })
    }

    /// What the key says; `None` if it is absent or wrong.
    pub fn opt<T>(
        &mut self,
        r: &mut Reader<'_>,
        key: &'static str,
        read: impl FnOnce(&Value<'t>, &mut Reader<'_>) -> Option<T>,
    ) -> Option<T> {
        self.value(key).and_then(|value| read(&value, r))
    }

    /// What the key says; its absence is noted.
    pub fn need<T>(
        &mut self,
        r: &mut Reader<'_>,
        key: &'static str,
        read: impl FnOnce(&Value<'t>, &mut Reader<'_>) -> Option<T>,
    ) -> Option<T> {
        match self.value(key) {
            Some(value) => read(&value, r),
            None => {
                r.error(&self.at, "missing-key", format!("{} lacks `{key}`", self.what));
                None
            }
        }
    }

    /// The names in the list under the key; none if it is absent.
    pub fn texts(&mut self, r: &mut Reader<'_>, key: &'static str) -> Vec<String> {
        self.opt(r, key, Value::texts).unwrap_or_default()
    }

    /// The matchers in the list under the key; none if it is absent.
    pub fn globs(&mut self, r: &mut Reader<'_>, key: &'static str) -> Vec<Glob> {
        self.opt(r, key, Value::globs).unwrap_or_default()
    }

    /// Is the flag set? Not if it is absent.
    pub fn flag(&mut self, r: &mut Reader<'_>, key: &'static str) -> bool {
        self.opt(r, key, Value::flag).unwrap_or(false)
    }

    /// Was the key written?
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Where the table and its values stand.
    pub fn spot(&self) -> Spot {
        let found = |key: &&'static str| self.table.get(*key).map(|value| (*key, place(self.at.file, value)));
        let keys: Vec<_> = self.asked.iter().filter_map(found).collect();
        let id = keys.iter().find(|(key, _)| *key == "id").map(|(_, at)| at.clone());
        Spot { at: id.unwrap_or_else(|| self.at.clone()), keys }
    }

    /// The tables of an array of tables, at most `most`.
    pub fn tables(
        &mut self,
        r: &mut Reader<'_>,
        key: &'static str,
        what: &'static str,
        most: usize,
    ) -> Vec<Fields<'t>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(list) = value.data else {
            r.error_help(
                &value.at,
                "wrong-type",
                format!("`{key}` is {}, expected an array of tables", kind(value.data)),
                format!("write a heading in double brackets, `[[{key}]]`"),
            );
            return Vec::new();
        };
        if list.len() > most {
            r.error(&value.at, "too-many", format!("`{key}` has {} entries, at most {most} fit", list.len()));
        }
        let items = list.iter().take(most);
        let read = |item: &'t Spanned<DeValue<'t>>| {
            Value { name: key, data: item.get_ref(), at: place(value.at.file, item) }.fields(r, what)
        };
        items.filter_map(read).collect()
    }

    /// Every key that nobody asked for is a mistake.
    pub fn finish(self, r: &mut Reader<'_>) {
        for (key, _) in self.table.iter() {
            let name: &str = key.get_ref();
            if !self.asked.contains(&name) {
                let at = Place { file: self.at.file, span: key.span() };
                let message = format!("unknown key `{name}` in {}", self.what);
                r.unknown(&at, "unknown-key", message, name, self.asked.iter().copied());
            }
        }
    }

    /// The keys as the file writes them with their values, in the file's order: for tables whose keys are names.
    pub fn pairs(self) -> Vec<(Value<'t>, Place)> {
        let file = self.at.file;
        let pair = |(key, value): (&'t Spanned<_>, &'t Spanned<DeValue<'t>>)| {
            let name: &'t alloc::borrow::Cow<'t, str> = key.get_ref();
            (Value { name, data: value.get_ref(), at: place(file, value) }, Place { file, span: key.span() })
        };
        let mut pairs: Vec<_> = self.table.iter().map(pair).collect();
        pairs.sort_by_key(|(_, at)| at.span.start);
        pairs
    }
}

impl<'t> Value<'t> {
    pub fn fields(&self, r: &mut Reader<'_>, what: &'static str) -> Option<Fields<'t>> {
        match self.data {
            DeValue::Table(table) => Some(Fields::new(what, table, self.at.clone())),
            _ => self.wrong_type(r, "a table"),
        }
    }

    pub fn text(&self, r: &mut Reader<'_>) -> Option<String> {
        let DeValue::String(text) = self.data else { return self.wrong_type(r, "a string") };
        if text.chars().count() > MAX_TEXT {
            r.error(&self.at, "too-long", format!("`{}` is longer than {MAX_TEXT} characters", self.name));
            return None;
        }
        if text.chars().any(char::is_control) {
            r.error(&self.at, "bad-id", format!("`{}` holds control characters", self.name));
            return None;
        }
        if text.trim().is_empty() {
            r.error(&self.at, "bad-id", format!("`{}` is empty", self.name));
            return None;
        }
        Some(text.to_string())
    }

    /// A name that others may refer to.
    pub fn id(&self, r: &mut Reader<'_>) -> Option<String> {
        let id = self.text(r)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/');
        if !id.chars().all(plain) {
            let help = "use letters, digits and `-`, `_`, `.`, `:`, `/`";
            r.error_help(&self.at, "bad-id", format!("`{id}` is not a plain name"), help);
            return None;
        }
        Some(id)
    }

    pub fn glob(&self, r: &mut Reader<'_>) -> Option<Glob> {
        let text = self.text(r)?;
        if text.strip_suffix('*').unwrap_or(&text).contains('*') {
            let help = "`*` stands at the end only; list the names instead";
            r.error_help(&self.at, "bad-glob", format!("`{text}` is not a matcher"), help);
            return None;
        }
        Some(Glob(text))
    }

    pub fn flag(&self, r: &mut Reader<'_>) -> Option<bool> {
        match self.data {
            DeValue::Boolean(flag) => Some(*flag),
            _ => self.wrong_type(r, "`true` or `false`"),
        }
    }

    /// A whole number from `least` to `most`.
    pub fn integer(&self, r: &mut Reader<'_>, least: u64, most: u64) -> Option<u64> {
        let DeValue::Integer(integer) = self.data else { return self.wrong_type(r, "a whole number") };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let fits = number.filter(|number| (least..=most).contains(number));
        if fits.is_none() {
            let message = format!("`{}` is {integer}, expected {least} to {most}", self.name);
            r.error(&self.at, "out-of-range", message);
        }
        fits
    }

    /// A whole number of things that may not be none.
    pub fn count(&self, r: &mut Reader<'_>) -> Option<u32> {
        self.integer(r, 1, u64::from(u32::MAX)).and_then(|count| u32::try_from(count).ok())
    }

    pub fn list(&self, r: &mut Reader<'_>) -> Option<Vec<Value<'t>>> {
        let DeValue::Array(list) = self.data else { return self.wrong_type(r, "a list") };
        if list.len() > MAX_LIST {
            let message = format!("`{}` has {} entries, at most {MAX_LIST} fit", self.name, list.len());
            r.error(&self.at, "too-many", message);
        }
        let items = list.iter().take(MAX_LIST);
        let item =
            |item| Value { name: self.name, data: Spanned::get_ref(item), at: place(self.at.file, item) };
        Some(items.map(item).collect())
    }

    pub fn texts(&self, r: &mut Reader<'_>) -> Option<Vec<String>> {
        Some(self.list(r)?.iter().filter_map(|value| value.text(r)).collect())
    }

    pub fn globs(&self, r: &mut Reader<'_>) -> Option<Vec<Glob>> {
        Some(self.list(r)?.iter().filter_map(|value| value.glob(r)).collect())
    }

    /// One of a few words.
    pub fn word<T: Copy>(&self, r: &mut Reader<'_>, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(r)?;
        let known = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if known.is_none() {
            let message = format!("`{text}` is not a word that `{}` knows", self.name);
            r.unknown(&self.at, "unknown-word", message, &text, words.iter().map(|(word, _)| *word));
        }
        known
    }

    pub fn money(&self, r: &mut Reader<'_>, per: Per) -> Option<Money> {
        let currency = r.currency;
        self.quantity(r, |text| value::money(text, currency, per))
    }

    pub fn share(&self, r: &mut Reader<'_>) -> Option<Share> {
        self.quantity(r, value::share)
    }

    pub fn span(&self, r: &mut Reader<'_>) -> Option<Span> {
        self.quantity(r, value::span)
    }

    pub fn currency(&self, r: &mut Reader<'_>) -> Option<Currency> {
        self.quantity(r, value::currency)
    }

    pub fn from(&self, r: &mut Reader<'_>) -> Option<Timestamp> {
        self.time(r, false)
    }

    pub fn until(&self, r: &mut Reader<'_>) -> Option<Timestamp> {
        self.time(r, true)
    }

    fn time(&self, r: &mut Reader<'_>, inclusive: bool) -> Option<Timestamp> {
        let DeValue::Datetime(datetime) = self.data else {
            return self.wrong_type(r, "a date without quotes, such as 2030-12-31");
        };
        self.noted(r, value::time(datetime, inclusive))
    }

    fn quantity<T>(&self, r: &mut Reader<'_>, read: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        match self.data {
            DeValue::Float(_) | DeValue::Integer(_) => {
                let help = "quantities are strings with their unit, for example \"2.50 USD\" or \"72h\"";
                let message = format!("`{}` is {}, expected a string", self.name, kind(self.data));
                r.error_help(&self.at, "wrong-type", message, help);
                None
            }
            _ => {
                let text = self.text(r)?;
                self.noted(r, read(&text))
            }
        }
    }

    fn noted<T>(&self, r: &mut Reader<'_>, read: Result<T, Wrong>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(Wrong { code, message, help: Some(help) }) => {
                r.error_help(&self.at, code, format!("`{}`: {message}", self.name), help);
                None
            }
            Err(Wrong { code, message, help: None }) => {
                r.error(&self.at, code, format!("`{}`: {message}", self.name));
                None
            }
        }
    }

    /// Notes that a value has another type than the one that is expected.
    pub fn wrong_type<T>(&self, r: &mut Reader<'_>, expected: &str) -> Option<T> {
        let message = format!("`{}` is {}, expected {expected}", self.name, kind(self.data));
        r.error(&self.at, "wrong-type", message);
        None
    }
}

fn place<T>(file: usize, value: &Spanned<T>) -> Place {
    Place { file, span: value.span() }
}

/// The value's type with its article.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
