//! Is a record that was acknowledged still there, and is nothing believed that was not written?

use std::fs;
use std::path::{Path, PathBuf};

use firstright_core::decision::Action;
use firstright_core::fact::{Ending, Fact, Source};
use firstright_core::journal::{Fault, HEADER, verify};
use firstright_core::units::Span;
use firstright_core::usage::{Tier, Usage};
use firstright_core::workload::{Call, CallId};
use firstright_core::world::{ModelId, TenantId};
use firstright_engine::{Engine, JournalError, OpenError, Opened, Tail};

const LAW: &str = r#"
currency = "USD"
[[party]]
id = "us"
operator = true
[[party]]
id = "azure"
[[provider]]
id = "azure-east"
party = "azure"
region = "us-east"
jurisdiction = "us"
[[provider.deployment]]
id = "azure-gpt-4o"
model = "gpt-4o"
capacity = { concurrent = 64 }
price = { input = "2.50 USD/Mtok", output = "10 USD/Mtok" }
[[tenant]]
id = "app"
"#;

/// A folder of its own for each test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("firstright-engine-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Folder(path)
    }

    fn journal(&self) -> PathBuf {
        self.0.join("journal.frj")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open(folder: &Path) -> Opened {
    Engine::open(folder, law()).unwrap()
}

fn law() -> Vec<(String, String)> {
    vec![("law.toml".to_string(), LAW.to_string())]
}

fn call(id: CallId) -> Fact {
    let (tenant, model) = (TenantId(0), ModelId(0));
    Fact::CallArrived(Call::new(id, tenant, model, 100, 50))
}

fn settle(call: CallId) -> Fact {
    let usage = Usage { input: 100, output: 20, requests: 1, ..Usage::default() };
    let (source, ending) = (Source::Provider, Ending::Complete);
    let (tier, first_byte) = (Tier::Default, Span(0));
    Fact::CallSettled { call, usage, tier, source, ending, first_byte, observed: None, ran: None }
}

/// Begins a book and puts `calls` whole calls in it.
fn book(folder: &Folder, calls: u64) {
    let opened = open(&folder.0);
    for _ in 0..calls {
        let (id, stepped) =
            opened.engine.submit_call(&opened.engine.world(), call).expect("the law is the same");
        assert!(matches!(stepped.decisions[0].action, Action::Serve { .. }));
        let stepped = opened.engine.submit(&settle(id));
        opened.engine.wait_durable(stepped.record);
    }
}

#[test]
fn a_book_reads_back_and_goes_on() {
    let folder = Folder::new("reads-back");
    book(&folder, 10);
    let opened = open(&folder.0);
    assert_eq!((opened.records, opened.tail, opened.estimated), (21, Tail::Whole, 0));
    let (id, _) = opened.engine.submit_call(&opened.engine.world(), call).expect("the law is the same");
    assert_eq!(id, CallId(11), "numbers are not given twice");
    opened.engine.close();
    let verdict = verify(&fs::read(folder.journal()).unwrap(), false, |_, _| ());
    assert_eq!((verdict.records, verdict.fault), (22, None));
}

/// Opening reads a mebibyte at a time: what lies across two of them is read like the rest.
#[test]
fn a_book_longer_than_what_is_read_at_once_is_read_to_its_end() {
    let folder = Folder::new("long");
    let opened = open(&folder.0);
    let mut records = 1;
    while opened.engine.progress().appended * 80 < 5 << 19 {
        let (id, _) = opened.engine.submit_call(&opened.engine.world(), call).expect("the law is the same");
        opened.engine.submit(&settle(id));
        records += 2;
    }
    drop(opened);
    let whole = fs::read(folder.journal()).unwrap();
    assert!(whole.len() > 2 << 20, "it is {} bytes", whole.len());
    assert_eq!(open(&folder.0).records, records);
    fs::write(folder.journal(), &whole[..whole.len() - 5]).unwrap();
    assert_eq!(open(&folder.0).records, records - 1);
    for byte in [(1 << 20) - 40, (1 << 20) + HEADER, 2 << 20] {
        let mut bytes = whole.clone();
        bytes[byte] ^= 1;
        fs::write(folder.journal(), &bytes).unwrap();
        let broken = Engine::open(&folder.0, law());
        assert!(matches!(broken, Err(OpenError::Journal(JournalError::Broken { .. }))), "byte {byte}");
        assert_eq!(fs::read(folder.journal()).unwrap(), bytes, "a refused journal is not touched");
    }
}

#[test]
fn open_calls_are_settled_by_estimate() {
    let folder = Folder::new("estimates");
    let opened = open(&folder.0);
    let (_, stepped) = opened.engine.submit_call(&opened.engine.world(), call).expect("the law is the same");
    opened.engine.wait_durable(stepped.record);
    drop(opened);
    let opened = open(&folder.0);
    assert_eq!(opened.estimated, 1);
    assert_eq!(opened.engine.read(|broker, _| broker.open_calls().count()), 0);
    drop(opened);
    assert_eq!(open(&folder.0).estimated, 0, "once");
}

/// Two attempts of one call that were running when the process stopped are two calls on record, and both are settled.
#[test]
fn both_attempts_of_a_call_are_settled_by_estimate() {
    let folder = Folder::new("attempts");
    let second =
        "[[provider.deployment]]\nid = \"other\"\nmodel = \"gpt-4o\"\ncapacity = { concurrent = 64 }\n";
    let text = LAW.replace("[[tenant]]", &format!("{second}[[tenant]]")) + "hedge-after = \"10ms\"\n";
    let law = || vec![("law.toml".to_string(), text.clone())];
    let opened = Engine::open(&folder.0, law()).unwrap();
    let (engine, world) = (&opened.engine, opened.engine.world());
    let (first, _) = engine.submit_call(&world, call).unwrap();
    let hedge = |id| {
        let Fact::CallArrived(like) = call(id) else { unreachable!("it is a call") };
        Fact::CallArrived(Call { hedges: Some(first), ..like })
    };
    // Until its answer is late.
    let begun = std::time::Instant::now();
    let second = loop {
        let (id, stepped) = engine.submit_call(&world, hedge).unwrap();
        if matches!(stepped.decisions[0].action, Action::Serve { .. }) {
            engine.wait_durable(stepped.record);
            break id;
        }
        assert!(begun.elapsed().as_secs() < 10, "{stepped:?}");
        std::thread::yield_now();
    };
    drop(opened);
    let opened = Engine::open(&folder.0, law()).unwrap();
    assert_eq!(opened.estimated, 2);
    assert_eq!(opened.engine.read(|broker, _| broker.open_calls().count()), 0);
    let (next, _) = opened.engine.submit_call(&opened.engine.world(), call).unwrap();
    assert!(next > second, "no number is given twice");
}

#[test]
fn a_torn_tail_is_cut_at_every_byte() {
    let folder = Folder::new("torn");
    book(&folder, 2);
    let whole = fs::read(folder.journal()).unwrap();
    let mut ends = vec![];
    let mut at = HEADER;
    while at < whole.len() {
        at += u32::from_le_bytes(whole[at..at + 4].try_into().unwrap()) as usize + 36;
        ends.push(at);
    }
    let (last_start, end) = (ends[ends.len() - 2], whole.len());
    for cut in last_start + 1..end {
        fs::write(folder.journal(), &whole[..cut]).unwrap();
        let opened = open(&folder.0);
        assert_eq!(opened.tail, Tail::Cut((cut - last_start) as u64), "cut at {cut}");
        assert_eq!(opened.records, ends.len() as u64 - 1);
    }
}

#[test]
fn a_broken_middle_is_refused_and_named() {
    let folder = Folder::new("broken");
    book(&folder, 3);
    let whole = fs::read(folder.journal()).unwrap();
    let first = u32::from_le_bytes(whole[HEADER..HEADER + 4].try_into().unwrap()) as usize + 36;
    // Record 2's length, body and digest, one flipped bit at a time; none may be taken for a torn tail.
    let second = HEADER + first;
    let length = u32::from_le_bytes(whole[second..second + 4].try_into().unwrap()) as usize + 36;
    for byte in second..second + length {
        for bit in [0, 5] {
            let mut bytes = whole.clone();
            bytes[byte] ^= 1 << bit;
            fs::write(folder.journal(), &bytes).unwrap();
            match Engine::open(&folder.0, law()) {
                Err(OpenError::Journal(JournalError::Broken {
                    fault: Fault::Altered { seq } | Fault::Missing { seq, .. },
                    ..
                })) => {
                    assert_eq!(seq, 2, "byte {byte} bit {bit}");
                }
                other => panic!("byte {byte} bit {bit}: {other:?}"),
            }
            assert_eq!(fs::read(folder.journal()).unwrap(), bytes, "a refused journal is not touched");
        }
    }
}

#[test]
fn a_book_has_one_process() {
    let folder = Folder::new("locked");
    let _open = open(&folder.0);
    assert!(matches!(Engine::open(&folder.0, law()), Err(OpenError::Journal(JournalError::Locked { .. }))));
}

#[test]
fn a_new_law_is_enacted_once() {
    let folder = Folder::new("law");
    drop(open(&folder.0));
    let changed = vec![("law.toml".to_string(), LAW.replace("10 USD", "12 USD"))];
    drop(Engine::open(&folder.0, changed.clone()).unwrap());
    assert_eq!(Engine::open(&folder.0, changed).unwrap().records, 2);
    let broken = vec![("law.toml".to_string(), LAW.replace("party = \"azure\"", "party = \"azur\""))];
    let Err(OpenError::Law(problem)) = Engine::open(&folder.0, broken) else {
        panic!("a broken law was enacted")
    };
    assert!(problem.contains("law.toml:") && problem.contains("azur"), "{problem}");
}

#[test]
fn many_threads_make_one_chain() {
    let folder = Folder::new("threads");
    let opened = open(&folder.0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let (id, _) =
                        opened.engine.submit_call(&opened.engine.world(), call).expect("the law is the same");
                    let stepped = opened.engine.submit(&settle(id));
                    opened.engine.wait_durable(stepped.record);
                }
            });
        }
    });
    opened.engine.close();
    let mut outcomes = std::collections::BTreeMap::new();
    let verdict = verify(&fs::read(folder.journal()).unwrap(), false, |record, _| {
        if let Fact::CallSettled { call, .. } = &record.fact {
            *outcomes.entry(*call).or_insert(0) += 1;
        }
    });
    assert_eq!(verdict.fault, None);
    assert_eq!((outcomes.len(), outcomes.values().max()), (1_600, Some(&1)));
}
