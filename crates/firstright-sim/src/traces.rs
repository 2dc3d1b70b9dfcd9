//! What happened elsewhere, when? Reads traces of calls and of jobs from CSV, by the names of their columns.

use std::io::BufRead;

use crate::rng::Rng;

/// A call of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Milliseconds since the trace's start.
    pub at_ms: u64,
    /// The model, as the trace names it; empty if it names none.
    pub model: String,
    /// The tenant, as the trace names it; empty if it names none.
    pub tenant: String,
    /// Input tokens.
    pub prompt_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
}

/// A job of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Seconds since the trace's start.
    pub submit_s: u64,
    /// The virtual cluster (team) that submitted it; empty if the trace names none.
    pub team: String,
    /// GPUs.
    pub gpus: u32,
    /// How long it ran.
    pub duration_s: u64,
}

/// The most rows that are read: the largest public traces of calls have some 40 million a week, which no memory here holds.
pub const MAX_ROWS: usize = 5_000_000;

/// Reads calls: `t_ms,model,prompt_tokens,output_tokens`, with `tenant` if there is one, in any order of columns.
///
/// # Errors
/// With the line of the first row that cannot be read. `name` stands for the file in messages.
pub fn calls(name: &str, from: impl BufRead) -> Result<Vec<Arrival>, String> {
    let mut table = Table::open(name, from)?;
    let (at, prompt) = (table.column("t_ms")?, table.column("prompt_tokens")?);
    let output = table.column("output_tokens")?;
    let (model, tenant) = (table.column("model").ok(), table.column("tenant").ok());
    let mut arrivals = Vec::new();
    while let Some(row) = table.row()? {
        arrivals.push(Arrival {
            at_ms: row.number(at)?,
            model: row.text(model),
            tenant: row.text(tenant),
            prompt_tokens: row.number(prompt)?,
            output_tokens: row.number(output)?,
        });
    }
    Ok(arrivals)
}

/// Reads jobs: `submit_s,vc,gpus,duration_s`, in any order of columns.
///
/// # Errors
/// As [`calls`].
pub fn jobs(name: &str, from: impl BufRead) -> Result<Vec<Submission>, String> {
    let mut table = Table::open(name, from)?;
    let (submit, gpus) = (table.column("submit_s")?, table.column("gpus")?);
    let (duration, team) = (table.column("duration_s")?, table.column("vc").ok());
    let mut submissions = Vec::new();
    while let Some(row) = table.row()? {
        submissions.push(Submission {
            submit_s: row.number(submit)?,
            team: row.text(team),
            gpus: u32::try_from(row.number(gpus)?).map_err(|_| row.wrong(gpus))?,
            duration_s: row.number(duration)?,
        });
    }
    Ok(submissions)
}

/// A surge of our own: a minute in which traffic grows to seven times its size and falls again. Sizes follow the means of
/// the Azure conversation trace of 2023 (1,155 in, 211 out). Seeded, so it is the same every time.
pub fn surge() -> Vec<Arrival> {
    /// (seconds, calls a second) of each stretch.
    const SHAPE: [(u64, u64); 4] = [(10, 15), (5, 50), (30, 110), (15, 15)];
    const TENANTS: [(&str, u64); 3] = [("chatgpt", 70), ("acme", 24), ("eurobank", 6)];
    let mut rng = Rng::stream(20_250_121, "surge", crate::rng::Purpose::Arrival, 0);
    let mut arrivals = Vec::new();
    let mut start_ms = 0;
    for (seconds, rate) in SHAPE {
        for nth in 0..seconds * rate {
            let pick = rng.below(100);
            let mut sum = 0;
            let tenant = TENANTS.iter().find(|(_, share)| {
                sum += share;
                pick < sum
            });
            arrivals.push(Arrival {
                at_ms: start_ms + nth * 1_000 / rate + rng.below(1_000 / rate),
                model: "gpt-4o".to_string(),
                tenant: tenant.map_or("chatgpt", |(name, _)| name).to_string(),
                prompt_tokens: 200 + rng.below(960) + rng.below(960),
                output_tokens: 20 + rng.below(191) + rng.below(191),
            });
        }
        start_ms += seconds * 1_000;
    }
    arrivals.sort_by_key(|arrival| arrival.at_ms);
    arrivals
}

/// A CSV file with a header. Fields hold no commas or quotes in any trace that is read here, and none may.
struct Table<R> {
    name: String,
    from: R,
    columns: Vec<String>,
    line: usize,
    text: String,
}

/// A row: its fields, and where it stands.
struct Row<'a> {
    name: &'a str,
    line: usize,
    columns: &'a [String],
    fields: Vec<&'a str>,
}

impl<R: BufRead> Table<R> {
    fn open(name: &str, mut from: R) -> Result<Table<R>, String> {
        let mut text = String::new();
        from.read_line(&mut text).map_err(|error| format!("failed to read `{name}`: {error}"))?;
        let columns = text.trim().split(',').map(str::to_string).collect();
        Ok(Table { name: name.to_string(), from, columns, line: 1, text })
    }

    fn column(&self, wanted: &str) -> Result<usize, String> {
        let place = self.columns.iter().position(|column| column == wanted);
        place.ok_or_else(|| format!("failed to read `{}:1`: there is no column `{wanted}`", self.name))
    }

    fn row(&mut self) -> Result<Option<Row<'_>>, String> {
        let (name, line) = (&self.name, self.line + 1);
        self.text.clear();
        let read = self.from.read_line(&mut self.text);
        if read.map_err(|error| format!("failed to read `{name}:{line}`: {error}"))? == 0 {
            return Ok(None);
        }
        if line > MAX_ROWS {
            return Err(format!("failed to read `{name}`: it has more than {MAX_ROWS} rows"));
        }
        self.line = line;
        let fields: Vec<&str> = self.text.trim_end().split(',').collect();
        if fields.len() != self.columns.len() {
            let (found, wanted) = (fields.len(), self.columns.len());
            return Err(format!(
                "failed to read `{name}:{line}`: {found} fields where the header has {wanted}"
            ));
        }
        Ok(Some(Row { name, line, columns: &self.columns, fields }))
    }
}

impl Row<'_> {
    fn number(&self, column: usize) -> Result<u64, String> {
        self.fields.get(column).and_then(|field| field.parse().ok()).ok_or_else(|| self.wrong(column))
    }

    fn text(&self, column: Option<usize>) -> String {
        column.and_then(|column| self.fields.get(column)).map_or(String::new(), |field| field.to_string())
    }

    fn wrong(&self, column: usize) -> String {
        let field = self.fields.get(column).copied().unwrap_or("");
        let name = self.columns.get(column).map_or("?", String::as_str);
        format!("failed to read `{}:{}`: `{name}` is `{field}`, not a whole number", self.name, self.line)
    }
}

#[cfg(test)]
mod tests;
