//! What would the law do? `firstright try` runs scenarios and holds what they say against what they expect.

use std::path::PathBuf;

use firstright_core::text::scenario;

#[derive(clap::Args, Debug)]
pub struct Args {
    /// Scenario files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Write what was said as what is expected.
    #[arg(long)]
    update: bool,
}

/// Runs each scenario and prints what was decided; with an expectation that differs, where.
///
/// # Errors
/// If a scenario cannot be read, or says something else than it expects.
pub fn run(args: &Args) -> Result<(), String> {
    let mut differing = 0;
    for path in &args.files {
        let name = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|error| format!("failed to read `{name}`: {error}"))?;
        let parsed = scenario::parse(&name, &text).map_err(|problem| problem.to_string())?;
        // Files of the law are named from the working folder, or from beside the scenario.
        let mut load = |file: &str| {
            let beside = path.parent().map(|folder| folder.join(file));
            let found = std::fs::read_to_string(file).or_else(|error| match &beside {
                Some(beside) => std::fs::read_to_string(beside),
                None => Err(error),
            });
            found.map_err(|error| format!("failed to read `{file}`: {error}"))
        };
        let actual = scenario::run(&parsed, &mut load).map_err(|problem| problem.to_string())?;
        if args.update {
            let text = parsed.with_expected(&actual);
            std::fs::write(path, text).map_err(|error| format!("failed to write `{name}`: {error}"))?;
        } else if parsed.expected.is_empty() || actual == parsed.expected {
            print!("{actual}");
        } else {
            differing += 1;
            print!("{name}\n{}", scenario::diff(&parsed.expected, &actual));
        }
    }
    if differing > 0 {
        Err(format!("{differing} of {} scenarios differ from what they expect", args.files.len()))
    } else {
        Ok(())
    }
}
