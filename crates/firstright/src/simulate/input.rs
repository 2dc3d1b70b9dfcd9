//! How are a trace and a law read from files?

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use firstright_core::text;

use super::shown;
use crate::config::read_law;

/// A trace's name and its lines; one that ends in `.zst` is decompressed on the way.
pub(crate) fn open(path: &Path) -> Result<(String, Box<dyn BufRead>), String> {
    let name = shown(path);
    let file = File::open(path).map_err(|error| format!("failed to open `{name}`: {error}"))?;
    if path.extension().is_some_and(|extension| extension == "zst") {
        let decoder = ruzstd::decoding::StreamingDecoder::new(BufReader::new(file));
        let decoder = decoder.map_err(|error| format!("failed to decompress `{name}`: {error}"))?;
        return Ok((name, Box::new(BufReader::new(decoder))));
    }
    Ok((name, Box::new(BufReader::new(file))))
}

/// The agreements as sources, once they read without error; `None` if none were named.
pub(super) fn law(files: &[PathBuf]) -> Result<Option<Vec<(String, String)>>, String> {
    if files.is_empty() {
        return Ok(None);
    }
    let sources = read_law(files)?;
    let (world, diagnostics) = text::read(&sources);
    if world.is_none() {
        let rendered: Vec<String> = diagnostics.iter().map(|one| one.render(&sources)).collect();
        return Err(rendered.join("\n"));
    }
    Ok(Some(sources))
}
