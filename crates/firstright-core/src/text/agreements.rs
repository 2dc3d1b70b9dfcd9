//! What world do these agreement files make? `docs/agreements.md` is the reference of their keys.
//!
//! The files are one set: a name given in one may be used in every other. They are read in an order in which each name
//! is known before it is used: parties, providers with their deployments, tenants, agreements, clauses, amendments.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};
use toml::Spanned;
use toml::de::DeTable;

use crate::text::diagnostic::{Diagnostic, Problems};
use crate::text::place::{Place, Positions};
use crate::text::walk::{Fields, Reader};
use crate::text::{amend, clauses, sections};
use crate::units::Currency;
use crate::world::{Digest, Limits, World};

/// Files in a set: a company has a handful of contracts with amendments; more is a wrong directory.
pub const MAX_FILES: usize = 64;
/// Bytes in a file: all of them are journalled whole when they are enacted.
pub const MAX_FILE_BYTES: usize = 1 << 20;
/// Things of a kind in a world, so that their ids fit 16 bits and a decision's work stays bounded.
pub const MAX_ENTITIES: usize = 4096;

/// Reads agreement files, as (name, text), into a world. The world is `None` only if a diagnostic is an error; it may
/// have warnings.
pub fn read(sources: &[(String, String)]) -> (Option<World>, Vec<Diagnostic>) {
    let (read, diagnostics) = read_placed(sources);
    (read.map(|(world, _)| world), diagnostics)
}

/// Like [`read`], and says where everything in the world stands.
pub fn read_placed(sources: &[(String, String)]) -> (Option<(World, Positions)>, Vec<Diagnostic>) {
    let mut reader = Reader { problems: Problems::new(sources), currency: None };
    let r = &mut reader;
    let trees = parse(sources, r);
    if r.problems.any_error() {
        return (None, reader.problems.finish());
    }
    let mut roots: Vec<Fields<'_>> = trees.iter().map(|(tree, file)| root(tree, *file)).collect();
    let currency = currency(&mut roots, r);
    let mut draft = Draft::new(currency, digest(sources));
    limits(&mut roots, r, &mut draft);
    sections::parties(&mut roots, r, &mut draft);
    sections::providers(&mut roots, r, &mut draft);
    sections::tenants(&mut roots, r, &mut draft);
    let heads = sections::agreements(&mut roots, r, &mut draft);
    if let Some(heads) = amend::resolve(heads, r, &mut draft) {
        let (removals, clauses_at) = clauses::read(heads, r, &mut draft);
        amend::apply(&removals, &clauses_at, r, &mut draft);
    }
    for root in roots {
        root.finish(r);
    }
    let whole = !r.problems.any_error();
    (whole.then_some((draft.world, draft.positions)), reader.problems.finish())
}

/// A world in the making. Where something was wrong it holds a stand-in, because the error that was noted keeps it from
/// ever being a world.
pub(super) struct Draft {
    pub world: World,
    pub positions: Positions,
}

impl Draft {
    fn new(currency: Currency, digest: Digest) -> Draft {
        let world = World {
            digest,
            currency,
            limits: Limits::default(),
            parties: Vec::new(),
            providers: Vec::new(),
            deployments: Vec::new(),
            tenants: Vec::new(),
            models: Vec::new(),
            agreements: Vec::new(),
            clauses: Vec::new(),
            order: None,
        };
        Draft { world, positions: Positions::default() }
    }
}

/// Is there room for another of its kind? Its lack is noted.
pub(super) fn room(r: &mut Reader<'_>, at: &Place, many: usize, what: &str) -> bool {
    if many >= MAX_ENTITIES {
        r.error(at, "too-many", format!("there are more than {MAX_ENTITIES} {what}"));
    }
    many < MAX_ENTITIES
}

fn parse<'s>(sources: &'s [(String, String)], r: &mut Reader<'_>) -> Vec<(Spanned<DeTable<'s>>, usize)> {
    let nowhere = Place::default();
    if sources.is_empty() {
        r.error(&nowhere, "no-files", "there are no agreement files");
    }
    if sources.len() > MAX_FILES {
        let message = format!("there are {} files, at most {MAX_FILES} make a set", sources.len());
        r.error(&nowhere, "too-many-files", message);
        return Vec::new();
    }
    let mut trees = Vec::new();
    for (file, (name, text)) in sources.iter().enumerate() {
        let at = Place { file, span: 0..0 };
        if sources.iter().take(file).any(|(other, _)| other == name) {
            r.error(&at, "duplicate-file", format!("`{name}` is given twice"));
        }
        if text.len() > MAX_FILE_BYTES {
            r.error(&at, "file-too-large", format!("`{name}` has more than {MAX_FILE_BYTES} bytes"));
            continue;
        }
        let (tree, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            r.error(&Place { file, span }, "syntax", error.message());
        }
        trees.push((tree, file));
    }
    trees
}

fn root<'t>(tree: &'t Spanned<DeTable<'t>>, file: usize) -> Fields<'t> {
    Fields::new("the file", tree.get_ref(), Place { file, span: 0..0 })
}

fn currency(roots: &mut [Fields<'_>], r: &mut Reader<'_>) -> Currency {
    let mut written = false;
    for root in roots.iter_mut() {
        let Some(value) = root.value("currency") else { continue };
        if written {
            let help = "all prices of a set are in one currency: keep one of the lines";
            r.error_help(&value.at, "two-currencies", "`currency` was given before", help);
            continue;
        }
        written = true;
        r.currency = value.currency(r);
    }
    if !written && let Some(root) = roots.first() {
        let help = "write `currency = \"USD\"` at the top of one file";
        r.error_help(&root.at, "no-currency", "no file names the currency", help);
    }
    r.currency.unwrap_or(Currency(*b"XXX"))
}

/// How many calls may be open and waiting, which one file may say.
fn limits(roots: &mut [Fields<'_>], r: &mut Reader<'_>, draft: &mut Draft) {
    let mut written = false;
    for root in roots.iter_mut() {
        let Some(value) = root.value("limits") else { continue };
        if core::mem::replace(&mut written, true) {
            r.error(&value.at, "two-limits", "`limits` were given before");
        }
        let Some(mut f) = value.fields(r, "limits") else { continue };
        let usual = Limits::default();
        let mut limit = |key, most: u32| {
            let given = f.opt(r, key, |v, r| v.integer(r, 1, u64::from(most)));
            given.and_then(|number| u32::try_from(number).ok()).unwrap_or(most)
        };
        draft.world.limits =
            Limits { open: limit("open", usual.open), waiting: limit("waiting", usual.waiting) };
        f.finish(r);
    }
}

/// SHA-256 over the length and the bytes of each name and each text, lengths as 64 bits little-endian.
fn digest(sources: &[(String, String)]) -> Digest {
    let mut hash = Sha256::new();
    for part in sources.iter().flat_map(|(name, text)| [name, text]) {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part.as_bytes());
    }
    Digest(hash.finalize().into())
}
