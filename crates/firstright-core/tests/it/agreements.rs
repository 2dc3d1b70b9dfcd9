//! Which problems do agreement files have, and where? Each `agreements/*.toml` beside this file has its report in
//! `.expected`; `UPDATE_EXPECT=1 cargo test -p firstright-core` rewrites them.
//!
//! A case whose first line is `# with base` is read together with `base.toml`; a line `#---- name` begins another file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use firstright_core::check::check;
use firstright_core::clause::{Answering, Clause};
use firstright_core::text::agreements::{MAX_ENTITIES, MAX_FILE_BYTES, MAX_FILES};
use firstright_core::text::{Diagnostic, Severity, read};
use firstright_core::units::{DAY, HOUR, Money, SECOND, Span, Timestamp, days_of};
use firstright_core::world::World;

type Sources = Vec<(String, String)>;

fn day(year: u64, month: u64, day: u64) -> Timestamp {
    Timestamp(days_of(year, month, day).expect("a day") * DAY)
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/agreements")
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../agreements")
}

fn load(folder: &Path, names: &[&str]) -> Sources {
    let text = |name: &str| fs::read_to_string(folder.join(name)).expect("an example");
    names.iter().map(|name| (format!("agreements/{name}"), text(name))).collect()
}

fn source(text: &str) -> Sources {
    vec![("one.toml".to_owned(), text.to_owned())]
}

/// Everything that reading and checking have to say in the middle of 2026.
fn problems(sources: &Sources) -> Vec<Diagnostic> {
    let (world, mut found) = read(sources);
    let error = found.iter().any(|problem| problem.severity == Severity::Error);
    assert_eq!(world.is_none(), error, "a world is withheld only for an error: {found:?}");
    if let Some(world) = world {
        found.extend(check(&world, sources, day(2026, 6, 1)));
    }
    found
}

fn base() -> (String, String) {
    ("base.toml".to_owned(), fs::read_to_string(here().join("base.toml")).expect("the base"))
}

fn with_base(text: &str) -> Sources {
    vec![base(), ("one.toml".to_owned(), text.to_owned())]
}

fn case(path: &Path) -> Sources {
    let text = fs::read_to_string(path).expect("a case");
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    let mut sources = Vec::from_iter(text.starts_with("# with base\n").then(base));
    sources.push((name.to_owned(), String::new()));
    for line in text.lines() {
        if let Some(next) = line.strip_prefix("#---- ") {
            sources.push((next.to_owned(), String::new()));
        }
        let (_, body) = sources.last_mut().expect("a file");
        body.push_str(line);
        body.push('\n');
    }
    sources
}

fn cases() -> Vec<PathBuf> {
    let files = fs::read_dir(here()).expect("the cases").map(|file| file.expect("a file").path());
    let mut cases: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    cases.sort();
    cases
}

#[test]
fn each_case_has_its_report() {
    let (update, mut wrong) = (std::env::var_os("UPDATE_EXPECT").is_some(), Vec::new());
    for path in cases() {
        let sources = case(&path);
        let report: String = problems(&sources).iter().map(|problem| problem.render(&sources)).collect();
        let expected = path.with_extension("expected");
        if update {
            fs::write(&expected, &report).expect("written");
        } else if fs::read_to_string(&expected).unwrap_or_default() != report {
            wrong.push(format!("{}:\n{report}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "reports differ:\n{}", wrong.join("\n"));
}

#[test]
fn every_code_is_documented_and_shown() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/agreements.md");
    let docs = fs::read_to_string(docs).expect("the reference");
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows = rows.filter(|(_, rest)| rest.starts_with("error") || rest.starts_with("warning"));
    let documented: BTreeSet<&str> = rows.map(|(code, _)| code).collect();
    let shown: BTreeSet<&str> = cases()
        .iter()
        .map(|path| case(path))
        .chain(oversize())
        .flat_map(|c| problems(&c))
        .map(|p| p.code)
        .collect();
    assert_eq!(documented, shown);
}

/// The reference is itself read: it may name things that it does not declare, but no key or value that is not law.
#[test]
fn the_reference_is_in_the_language_that_it_describes() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/agreements.md");
    let docs = fs::read_to_string(docs).expect("the reference");
    let blocks = docs.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let sources = source(&blocks.collect::<String>());
    let names = ["no-operator", "unknown-party", "unknown-provider", "unknown-tenant", "unknown-model"];
    let (_, mut found) = read(&sources);
    assert!(found.iter().any(|problem| problem.code == "unknown-party"), "nothing was read");
    found.retain(|problem| !names.contains(&problem.code));
    assert!(found.is_empty(), "{found:#?}");
}

/// Sets that break a limit; too large to keep as files.
fn oversize() -> Vec<Sources> {
    vec![
        Vec::new(),
        vec![base(), base()],
        (0..=MAX_FILES).map(|file| (format!("{file}.toml"), String::new())).collect(),
        source(&"#".repeat(MAX_FILE_BYTES + 1)),
        with_base(&(0..MAX_ENTITIES).map(|n| format!("[[party]]\nid = \"p{n}\"\n")).collect::<String>()),
        with_base(&"[[tenant]]\n".repeat(600)),
        with_base(&format!("[[tenant]]\nid = \"{}\"\n", "x".repeat(300))),
        with_base(&format!("[[tenant]]\nid = \"x\"\nlabels = [{}]\n", "\"a\",".repeat(300))),
        source(&format!("a = {}", "[".repeat(100_000))),
        source(&format!("{}a = 1", "a.".repeat(100_000))),
    ]
}

#[test]
fn limits_are_reported_not_met() {
    let codes: Vec<BTreeSet<&str>> =
        oversize().iter().map(|sources| problems(sources).iter().map(|p| p.code).collect()).collect();
    let wanted = [
        "no-files",
        "duplicate-file",
        "too-many-files",
        "file-too-large",
        "too-many",
        "too-many-problems",
        "too-long",
        "too-many",
        "syntax",
        "syntax",
    ];
    assert_eq!(codes.len(), wanted.len());
    for (codes, wanted) in codes.iter().zip(wanted) {
        assert!(codes.contains(wanted), "{wanted} is not among {codes:?}");
    }
}

#[test]
fn the_example_worlds_are_good() {
    let sets: [&[&str]; 4] =
        [&["stargate.toml"], &["stargate.toml", "stargate-demo.toml"], &["minimal.toml"], &["matching.toml"]];
    for names in sets {
        let sources = load(&examples(), names);
        let report: String = problems(&sources).iter().map(|problem| problem.render(&sources)).collect();
        assert_eq!(report, "", "{names:?}");
    }
}

fn window<'w>(world: &'w World, agreement: &str) -> (&'w Clause, Timestamp, Timestamp) {
    let mut entries = world.entries().map(|(_, entry)| entry);
    let found = entries.find(|entry| {
        entry.id == "training-first-on-azure" && world.agreement(entry.agreement).id == agreement
    });
    found.map(|entry| (&entry.clause, entry.from, entry.until)).expect("the clause")
}

#[test]
fn an_amendment_takes_over_when_it_begins() {
    let world = read(&load(&examples(), &["stargate.toml", "stargate-demo.toml"])).0.expect("a world");
    let (old, from, until) = window(&world, "microsoft-2025");
    assert_eq!((from, until), (day(2025, 1, 21), day(2025, 1, 22)));
    let (new, from, until) = window(&world, "microsoft-2025-demo");
    // The term's last day is the thirty-first, whole; the child takes it from its parent.
    assert_eq!((from, until), (day(2025, 1, 22), day(2031, 1, 1)));
    let answering = |clause: &Clause| match clause {
        Clause::FirstRefusal(clause) => clause.answering,
        other => panic!("a {} clause", other.kind()),
    };
    assert_eq!(answering(old), Answering::Within(Span(72 * HOUR)));
    assert_eq!(answering(new), Answering::Within(Span(20 * SECOND)));
    assert_eq!(world.next_change(day(2025, 1, 21)), day(2025, 1, 22));
}

#[test]
fn a_chain_of_amendments_holds_link_by_link() {
    let clause = |share: &str| {
        format!(
            "[[agreement.revenue-share]]\nid=\"s\"\npayer=\"acme\"\npayee=\"blue\"\nbase=\"gross\"\nshare=\"{share}\"\n"
        )
    };
    let child = |id: &str, parent: &str, year: u64| {
        format!("[[agreement]]\nid=\"{id}\"\nparent=\"{parent}\"\nfrom={year}-01-01\n")
    };
    let text = [
        // The grandchild stands first: the order of the files does not matter to amendments.
        child("c", "b", 2028) + "removes=[\"s\"]\n",
        child("b", "a", 2027) + &clause("15 %"),
        "[[agreement]]\nid=\"a\"\nparties=[\"acme\",\"blue\"]\nfrom=2026-01-01\n".to_owned()
            + &clause("20 %"),
    ];
    let (world, found) = read(&with_base(&text.concat()));
    assert!(found.is_empty(), "{found:?}");
    let world = world.expect("a world");
    let terms: Vec<_> =
        world.entries().map(|(id, entry)| (world.cite(id), entry.from, entry.until)).collect();
    assert_eq!(
        terms,
        [
            ("b/s".to_owned(), day(2027, 1, 1), day(2028, 1, 1)),
            ("a/s".to_owned(), day(2026, 1, 1), day(2027, 1, 1)),
        ]
    );
}

#[test]
fn the_sample_world_says_what_the_design_says() {
    let world = read(&load(&examples(), &["stargate.toml"])).0.expect("a world");
    let at = day(2026, 6, 1);
    let clause = |cite: &str| {
        let found = world.in_force(at).find(|(id, _)| world.cite(*id) == cite);
        found.map(|(_, entry)| entry).unwrap_or_else(|| panic!("{cite} is not in force"))
    };
    let view = |tenant: &'static str| firstright_core::workload::View {
        is_job: false,
        purpose: "api",
        tenant,
        model: Some("gpt-4o"),
        region: None,
        home: None,
        data_class: "general",
        labels: Vec::new(),
        accelerators: Vec::new(),
        count: 0,
        kept: None,
        trains: false,
    };
    let Clause::Exclusivity(apis) = &clause("microsoft-2025/apis-on-azure").clause else { panic!("no wall") };
    assert!(apis.binds(&view("acme")) && apis.binds(&view("eurobank")) && !apis.binds(&view("chatgpt")));
    let first = &clause("microsoft-2025/chatgpt-first-on-azure").clause;
    let Clause::FirstRefusal(first) = first else { panic!("no right") };
    assert!(first.scope.matches(&view("chatgpt")) && !first.scope.matches(&view("acme")));
    assert_eq!(first.answering, Answering::Standing);
    let share = &clause("microsoft-2025/revenue-share").clause;
    let Clause::RevenueShare(share) = share else { panic!("no share") };
    let gross = Money(1_000_000_000_000);
    assert_eq!(share.owed(gross, Money::ZERO), Money(200_000_000_000));
    assert_eq!(clause("microsoft-2025/model-ip").until, day(2031, 1, 1));
    for kept in
        ["oracle-2025/training-commitment", "northwind-2025/northwind-probation", "standards/eu-residency"]
    {
        clause(kept);
    }
}

#[test]
fn clauses_stand_in_the_order_of_the_file() {
    let world = read(&load(&examples(), &["stargate.toml"])).0.expect("a world");
    let ids: Vec<&str> = world.clauses.iter().take(4).map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids, ["apis-on-azure", "chatgpt-first-on-azure", "training-first-on-azure", "model-ip"]);
    assert_eq!(world.models, ["gpt-4o", "gpt-4o-mini", "gpt-image-1", "text-embedding-3-large"]);
    let ptu = world.find_deployment("azure-gpt-4o-ptu").expect("the deployment");
    assert_eq!(world.model(world.deployment(ptu).model), "gpt-4o");
}

#[test]
fn the_digest_tells_names_and_texts_apart() {
    let sources = load(&examples(), &["minimal.toml"]);
    let digest = |sources: &Sources| read(sources).0.expect("a world").digest;
    let mut renamed = sources.clone();
    renamed[0].0.push('x');
    let mut edited = sources.clone();
    edited[0].1.push('\n');
    assert_eq!(digest(&sources), digest(&sources.clone()));
    assert_ne!(digest(&sources), digest(&renamed));
    assert_ne!(digest(&sources), digest(&edited));
}

/// Numbers that look random and are the same in every run (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }
}

#[test]
fn mutations_never_panic() {
    let good = load(&examples(), &["stargate.toml", "stargate-demo.toml"]);
    let mut dice = Dice(0x5eed);
    let spice: &[u8] = b"\"'[]{}=.,*#\n\t\0-_%/0123456789eE\xff\xc3";
    let (mut lawful, mut broken) = (0, 0);
    for _ in 0..1500 {
        let mut sources = good.clone();
        let file = dice.below(sources.len());
        let mut bytes = sources[file].1.clone().into_bytes();
        for _ in 0..=dice.below(4) {
            let at = dice.below(bytes.len());
            match dice.below(4) {
                0 => bytes[at] = spice[dice.below(spice.len())],
                1 => bytes.insert(at, spice[dice.below(spice.len())]),
                2 => drop(bytes.drain(at..(at + 1 + dice.below(40)).min(bytes.len()))),
                _ => {
                    let end = (at + 1 + dice.below(80)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    let into = dice.below(bytes.len());
                    drop(bytes.splice(into..into, piece));
                }
            }
        }
        sources[file].1 = String::from_utf8_lossy(&bytes).into_owned();
        let found = problems(&sources);
        for problem in &found {
            assert!(problem.render(&sources).starts_with(&problem.to_string()));
        }
        if found.iter().any(|problem| problem.severity == Severity::Error) {
            broken += 1
        } else {
            lawful += 1
        }
    }
    assert!(lawful > 100 && broken > 100, "{lawful} lawful, {broken} broken: the mutations prove nothing");
}
