//! How is a job file read so that no problem hides another?

use std::ops::Range;

use firstright_core::text::Diagnostic;
use firstright_core::units::{HOUR, MINUTE, SECOND, Span};
use firstright_core::workload::Purpose;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{
    Command, Deadline, JobFile, MAX_ARGUMENTS, MAX_BYTES, MAX_COUNT, MAX_LIST, MAX_TEXT, Places, diagnostic,
    quantity,
};

/// Every key that a job file may have.
const KEYS: [&str; 17] = [
    "name",
    "tenant",
    "purpose",
    "model",
    "accelerators",
    "count",
    "min-chunk",
    "interconnect",
    "hours",
    "minutes",
    "seconds",
    "region",
    "data-class",
    "labels",
    "deadline",
    "budget",
    "command",
];
const PURPOSES: [Purpose; 4] = [Purpose::Training, Purpose::FineTuning, Purpose::Batch, Purpose::Research];
/// The longest job: ten years. A longer one is a mistake in the unit.
const MAX_SECONDS: u64 = 10 * 366 * 86_400;

/// What reading needs at every step.
struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    table: &'t DeTable<'t>,
    problems: Vec<Diagnostic>,
}

pub(super) fn read(file: &str, text: &str) -> Result<JobFile, Vec<Diagnostic>> {
    if text.len() > MAX_BYTES {
        let message = format!("`{file}` has more than {MAX_BYTES} bytes");
        return Err(vec![diagnostic(file, text, 0..0, "file-too-large", message, None)]);
    }
    let (tree, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let each = errors.iter().map(|error| {
            let span = error.span().unwrap_or(0..0);
            diagnostic(file, text, span, "syntax", error.message().to_string(), None)
        });
        return Err(each.collect());
    }
    let mut r = Reader { file, text, table: tree.get_ref(), problems: Vec::new() };
    r.unknown_keys();
    let job = r.job();
    match job {
        Some(job) if r.problems.is_empty() => Ok(job),
        _ => {
            r.problems.sort_by_key(|problem| problem.span.start);
            Err(r.problems)
        }
    }
}

impl<'t> Reader<'t> {
    fn job(&mut self) -> Option<JobFile> {
        let name = self.need("name").and_then(|value| self.text_of("name", value));
        let tenant = self.need("tenant").and_then(|value| self.text_of("tenant", value));
        let count = self.need("count").and_then(|value| self.integer("count", value, MAX_COUNT));
        let count = count.and_then(|count| u32::try_from(count).ok());
        let min_chunk = self.chunk(count);
        let duration = self.duration();
        let command = self.need("command").and_then(|value| self.command(value));
        let accelerators = self.list("accelerators", MAX_LIST);
        let labels = self.list("labels", MAX_LIST);
        let budget = self.budget();
        let places = Places {
            file: self.file.to_string(),
            text: self.text.to_string(),
            tenant: self.span("tenant"),
            accelerators: accelerators.iter().map(|(_, span)| span.clone()).collect(),
            budget: self.span("budget"),
        };
        let texts = |list: Vec<(String, Range<usize>)>| list.into_iter().map(|(text, _)| text).collect();
        let purpose = self.purpose();
        let [model, interconnect, region, data_class] =
            ["model", "interconnect", "region", "data-class"].map(|key| self.opt_text(key));
        let deadline = self.deadline();
        Some(JobFile {
            name: name?,
            tenant: tenant?,
            purpose,
            model,
            accelerators: texts(accelerators),
            count: count?,
            min_chunk,
            interconnect,
            duration: duration?,
            region,
            data_class: data_class.unwrap_or_default(),
            labels: texts(labels),
            deadline,
            budget,
            command: command?,
            places,
        })
    }

    fn unknown_keys(&mut self) {
        for (key, _) in self.table.iter() {
            let name: &str = key.get_ref();
            if !KEYS.contains(&name) {
                let help = did_you_mean(name, KEYS.into_iter());
                self.wrong(key.span(), "unknown-key", format!("a job has no key `{name}`"), help);
            }
        }
    }

    fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    fn span(&self, key: &str) -> Range<usize> {
        self.value(key).map_or(0..0, Spanned::span)
    }

    fn need(&mut self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        let value = self.value(key);
        if value.is_none() {
            self.wrong(0..0, "missing-key", format!("the job lacks `{key}`"), None);
        }
        value
    }

    fn wrong(&mut self, span: Range<usize>, code: &'static str, message: String, help: Option<String>) {
        self.problems.push(diagnostic(self.file, self.text, span, code, message, help));
    }

    fn text_of(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let text = value.get_ref().as_str().filter(|text| !text.trim().is_empty());
        let Some(text) = text else {
            self.wrong(value.span(), "bad-text", format!("`{key}` is not a text"), None);
            return None;
        };
        if text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) {
            let message = format!("`{key}` is longer than {MAX_TEXT} characters, or has control characters");
            self.wrong(value.span(), "bad-text", message, None);
            return None;
        }
        Some(text.to_string())
    }

    fn opt_text(&mut self, key: &str) -> Option<String> {
        self.value(key).and_then(|value| self.text_of(key, value))
    }

    fn integer(&mut self, key: &str, value: &Spanned<DeValue<'_>>, most: u64) -> Option<u64> {
        let number = value.get_ref().as_integer();
        let number = number
            .and_then(|number| u64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok());
        let number = number.filter(|number| (1..=most).contains(number));
        if number.is_none() {
            let message = format!("`{key}` is not a whole number from 1 to {most}");
            self.wrong(value.span(), "out-of-range", message, None);
        }
        number
    }

    fn chunk(&mut self, count: Option<u32>) -> u32 {
        let Some(value) = self.value("min-chunk") else { return count.unwrap_or(1) };
        let chunk = self.integer("min-chunk", value, MAX_COUNT).and_then(|chunk| u32::try_from(chunk).ok());
        let chunk = chunk.unwrap_or(1);
        if count.is_some_and(|count| chunk > count) {
            self.wrong(value.span(), "out-of-range", "`min-chunk` is more than `count`".to_string(), None);
        }
        chunk
    }

    /// One of `hours`, `minutes`, `seconds`.
    fn duration(&mut self) -> Option<Span> {
        let units = [("hours", HOUR), ("minutes", MINUTE), ("seconds", SECOND)];
        let given: Vec<_> =
            units.into_iter().filter_map(|(key, size)| Some((key, size, self.value(key)?))).collect();
        match given.as_slice() {
            [(key, size, value)] => {
                let most = MAX_SECONDS / (size / SECOND);
                self.integer(key, value, most).map(|count| Span(count * size))
            }
            [] => {
                let help = Some("write `hours = 72`, or `minutes`, or `seconds`".to_string());
                self.wrong(0..0, "missing-key", "the job lacks `hours`".to_string(), help);
                None
            }
            [_, (key, _, second), ..] => {
                let message = format!("`{key}` says again how long it runs");
                self.wrong(second.span(), "two-durations", message, Some("keep one of them".to_string()));
                None
            }
        }
    }

    fn purpose(&mut self) -> Purpose {
        let Some(value) = self.value("purpose") else { return Purpose::Research };
        let word = value.get_ref().as_str().unwrap_or_default();
        let found = PURPOSES.into_iter().find(|purpose| purpose.word() == word);
        if found.is_none() {
            let help = did_you_mean(word, PURPOSES.into_iter().map(Purpose::word));
            self.wrong(value.span(), "unknown-word", format!("`{word}` is no purpose"), help);
        }
        found.unwrap_or(Purpose::Research)
    }

    fn list(&mut self, key: &str, most: usize) -> Vec<(String, Range<usize>)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong(value.span(), "bad-list", format!("`{key}` is not a list of texts"), None);
            return Vec::new();
        };
        if array.len() > most {
            self.wrong(value.span(), "too-many", format!("`{key}` has more than {most} entries"), None);
            return Vec::new();
        }
        array.iter().filter_map(|one| Some((self.text_of(key, one)?, one.span()))).collect()
    }

    fn deadline(&mut self) -> Option<Deadline> {
        let value = self.value("deadline")?;
        let deadline = match value.get_ref() {
            DeValue::Datetime(datetime) => quantity::at(datetime).map(Deadline::At),
            DeValue::String(text) => match text.strip_prefix('+') {
                Some(span) => quantity::span(span).map(Deadline::After),
                None => quantity::time(text).map(Deadline::At),
            },
            _ => None,
        };
        if deadline.is_none() {
            let help = Some("write \"+2h\", or a time such as 2030-12-31T12:00:00Z".to_string());
            self.wrong(value.span(), "bad-date", "`deadline` is no time".to_string(), help);
        }
        deadline
    }

    fn budget(&mut self) -> Option<(firstright_core::units::Money, firstright_core::units::Currency)> {
        let value = self.value("budget")?;
        let budget = value.get_ref().as_str().and_then(quantity::money);
        if budget.is_none() {
            let help = Some("write it like \"100 USD\"".to_string());
            self.wrong(value.span(), "bad-number", "`budget` is no sum of money".to_string(), help);
        }
        budget
    }

    fn command(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Command> {
        let command = match value.get_ref() {
            DeValue::String(line) => {
                Some(Command::Shell(line.to_string())).filter(|_| !line.trim().is_empty())
            }
            DeValue::Array(words) if (1..=MAX_ARGUMENTS).contains(&words.len()) => {
                let words: Option<Vec<String>> =
                    words.iter().map(|word| word.get_ref().as_str().map(str::to_string)).collect();
                words.filter(|words| !words[0].is_empty()).map(Command::Program)
            }
            _ => None,
        };
        let nul = match &command {
            Some(Command::Shell(line)) => line.contains('\0'),
            Some(Command::Program(words)) => words.iter().any(|word| word.contains('\0')),
            None => true,
        };
        if nul {
            let help =
                Some("write `command = [\"python\", \"train.py\"]`, or a line for the shell".to_string());
            self.wrong(value.span(), "bad-command", "`command` cannot be run".to_string(), help);
            return None;
        }
        command
    }
}

/// `did you mean …`, if one of the names is within two edits; otherwise what there is to choose from, if that is short.
pub(crate) fn did_you_mean<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    let most = if wrong.chars().count() < 4 { 1 } else { 2 };
    let near = names.iter().filter(|name| wrong.len().max(name.len()) <= MAX_TEXT);
    let near = near.map(|name| (edits(wrong, name), name)).filter(|(edits, _)| *edits <= most);
    if let Some((_, near)) = near.min_by_key(|(edits, _)| *edits) {
        return Some(format!("did you mean `{near}`?"));
    }
    let listed: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    (1..=20).contains(&listed.len()).then(|| format!("known here: {}", listed.join(", ")))
}

/// Levenshtein's distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, from) in a.chars().enumerate() {
        let mut diagonal = line;
        row[0] = line + 1;
        for (to, letter) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *letter);
            diagonal = row[to + 1];
            row[to + 1] = replaced.min(diagonal + 1).min(row[to] + 1);
        }
    }
    row[b.len()]
}
