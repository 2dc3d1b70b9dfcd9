//! Does a journal say the truth about itself? The counterparty's own checker: it reads a journal from standard input or
//! from a file, recomputes every digest and every decision, and needs nothing but this crate and its few dependencies.
//!
//! Exit code 0: whole, and every decision follows. 1: the first record that is altered, missing, moved, or does not
//! follow. 2: nothing could be read.

use std::io::Read;
use std::process::ExitCode;

use firstright_core::journal::verify;

fn main() -> ExitCode {
    let mut bytes = Vec::new();
    let read = match std::env::args_os().nth(1) {
        Some(path) => std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
        None => std::io::stdin().lock().read_to_end(&mut bytes),
    };
    if let Err(error) = read {
        eprintln!("failed to read the journal: {error}");
        return ExitCode::from(2);
    }
    let verdict = verify(&bytes, false, |_, _| ());
    let tip: String = verdict.tip.0.iter().map(|byte| format!("{byte:02x}")).collect();
    match verdict.fault {
        None => {
            println!("{} records: every decision follows from the facts\ntip {tip}", verdict.records);
            ExitCode::SUCCESS
        }
        Some(fault) => {
            println!("{fault}\n{} records before it follow; tip {tip}", verdict.records);
            ExitCode::FAILURE
        }
    }
}
