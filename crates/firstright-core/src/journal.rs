//! What was observed and decided, in an order that nobody can change unseen? The record, its chain, and replay.
//!
//! A journal is a header and frames. This is the one stable format of the project; golden files pin its bytes.
//!
//! ```text
//! header  "FRJRNL1\n" | book id, 16 bytes
//! frame   length of body, u32 little-endian | body | digest, 32 bytes
//! body    postcard (its wire format 1.0) of Record
//! digest  SHA-256(digest before | body); the first is over SHA-256(header)
//! ```

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Broker;
use crate::decision::Decision;
use crate::fact::Fact;
use crate::units::Timestamp;
use crate::world::Digest;

/// The first eight bytes of a journal.
pub const MAGIC: [u8; 8] = *b"FRJRNL1\n";
/// Bytes of the header.
pub const HEADER: usize = 24;
/// The version of the rules that this crate decides by. A journal names it in each record: replaying an old one needs
/// the rules of its day.
pub const RULES: u16 = 2;
/// The largest body: an enacted law of 64 files of 1 MiB is by far the largest fact.
pub const MAX_BODY: usize = 80 << 20;
/// Bytes of a frame beside its body.
const FRAME: usize = 4 + 32;

/// One step: the fact, when it was stamped, and what followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The rules it was decided by.
    pub rules: u16,
    /// Its number: 1, 2, 3 …
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What was observed.
    pub fact: Fact,
    /// What followed.
    pub decisions: Vec<Decision>,
}

/// The same, by reference, for writing.
#[derive(Serialize)]
struct RecordRef<'a> {
    rules: u16,
    seq: u64,
    at: Timestamp,
    fact: &'a Fact,
    decisions: &'a [Decision],
}

/// The end of a chain: where the next record goes.
#[derive(Clone, Debug)]
pub struct Chain {
    tip: Digest,
    next: u64,
}

/// What is wrong with a journal, and at which record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not begin as a journal does.
    NotAJournal,
    /// It ends within this record: a write was cut off. The records before it are whole.
    Torn {
        /// The record that is cut.
        seq: u64,
    },
    /// This record's bytes are not those that were written.
    Altered {
        /// The record.
        seq: u64,
    },
    /// This record is not there: the one found in its place comes later.
    Missing {
        /// The record that should stand here.
        seq: u64,
        /// The one that does.
        found: u64,
    },
    /// This record stands somewhere else in the journal.
    Reordered {
        /// The record that should stand here.
        seq: u64,
        /// The one that does.
        found: u64,
    },
    /// It was decided by other rules than this program's.
    OtherRules {
        /// The record.
        seq: u64,
        /// Its rules.
        rules: u16,
    },
    /// Its time does not rise.
    TimeFell {
        /// The record.
        seq: u64,
    },
    /// The facts up to here lead to other decisions than those on record.
    Differs {
        /// The record.
        seq: u64,
        /// What follows by these rules, in words.
        expected: String,
        /// What is on record.
        found: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NotAJournal => write!(f, "failed to read the header: this is not a journal"),
            Fault::Torn { seq } => write!(f, "record {seq} is cut off at the end of the journal"),
            Fault::Altered { seq } => {
                write!(f, "record {seq} was altered: its digest does not follow from its bytes")
            }
            Fault::Missing { seq, found } => {
                write!(f, "record {seq} is missing: record {found} stands in its place")
            }
            Fault::Reordered { seq, found } => {
                write!(f, "record {seq} was moved: record {found} stands in its place")
            }
            Fault::OtherRules { seq, rules } => {
                write!(f, "record {seq} was decided by rules {rules}; this program knows rules {RULES}")
            }
            Fault::TimeFell { seq } => write!(f, "record {seq} is not later than the one before"),
            Fault::Differs { seq, expected, found } => {
                write!(f, "record {seq} does not follow from the facts: expected {expected}, found {found}")
            }
        }
    }
}

impl core::error::Error for Fault {}

/// A journal's header for a book.
pub fn header(book: [u8; 16]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let (magic, id) = header.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    id.copy_from_slice(&book);
    header
}

impl Chain {
    /// The chain of a journal with this header.
    pub fn new(header: &[u8; HEADER]) -> Result<Chain, Fault> {
        if !header.starts_with(&MAGIC) {
            return Err(Fault::NotAJournal);
        }
        Ok(Chain { tip: Digest(Sha256::digest(header).into()), next: 1 })
    }

    /// The number that the next record gets.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The digest of the last record: whoever holds it can tell whether the journal was changed up to there.
    pub fn tip(&self) -> Digest {
        self.tip
    }

    /// Appends a record's frame to `out` and returns its number.
    ///
    /// # Panics
    /// If the body is larger than [`MAX_BODY`]: the limits on what is read make that a bug.
    pub fn append(&mut self, at: Timestamp, fact: &Fact, decisions: &[Decision], out: &mut Vec<u8>) -> u64 {
        let seq = self.next;
        let start = out.len();
        let mut bytes = core::mem::take(out);
        bytes.extend_from_slice(&[0; 4]);
        let record = RecordRef { rules: RULES, seq, at, fact, decisions };
        let mut bytes = postcard::to_extend(&record, bytes).expect("a record always encodes");
        let (_, frame) = bytes.split_at_mut(start);
        let (length, body) = frame.split_at_mut(4);
        assert!(body.len() <= MAX_BODY, "a record is larger than a journal takes");
        length.copy_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.tip = follow(self.tip, body);
        bytes.extend_from_slice(&self.tip.0);
        *out = bytes;
        self.next = seq.saturating_add(1);
        seq
    }

    /// Reads the frame at the start of `bytes` and checks that it follows. Returns the record and the frame's length;
    /// `None` at the end (nothing, or the zeros of a segment that was allocated ahead).
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<(Record, usize)>, Fault> {
        let seq = self.next;
        let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
            return if bytes.iter().all(|byte| *byte == 0) { Ok(None) } else { Err(Fault::Torn { seq }) };
        };
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length == 0 {
            return if rest.iter().all(|byte| *byte == 0) { Ok(None) } else { Err(Fault::Altered { seq }) };
        }
        if length > MAX_BODY {
            return Err(Fault::Altered { seq });
        }
        let Some((body, rest)) = rest.split_at_checked(length) else { return Err(Fault::Torn { seq }) };
        let Some((digest, _)) = rest.split_first_chunk::<32>() else { return Err(Fault::Torn { seq }) };
        let tip = follow(self.tip, body);
        if tip.0 != *digest {
            return Err(match number_of(body) {
                Some(found) if found != seq => Fault::Missing { seq, found },
                _ => Fault::Altered { seq },
            });
        }
        // Asked first: what other rules wrote may have another shape.
        let (rules, found) = rules_and_number(body).ok_or(Fault::Altered { seq })?;
        if rules != RULES {
            return Err(Fault::OtherRules { seq, rules });
        }
        if found != seq {
            return Err(Fault::Missing { seq, found });
        }
        let record = postcard::from_bytes::<Record>(body).map_err(|_| Fault::Altered { seq })?;
        self.tip = tip;
        self.next = seq.saturating_add(1);
        Ok(Some((record, length.saturating_add(FRAME))))
    }
}

/// The number of the record that these bytes encode, if they encode one. Says nothing of the chain.
pub fn number_of(body: &[u8]) -> Option<u64> {
    postcard::from_bytes::<Record>(body).ok().map(|record| record.seq)
}

/// The rules and the number with which every record begins, whatever the rules.
fn rules_and_number(body: &[u8]) -> Option<(u16, u64)> {
    postcard::take_from_bytes::<(u16, u64)>(body).ok().map(|(begin, _)| begin)
}

fn follow(tip: Digest, body: &[u8]) -> Digest {
    Digest(Sha256::new().chain_update(tip.0).chain_update(body).finalize().into())
}

/// Takes the same facts through the same step, and compares what follows with what is on record.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// The broker after the records so far.
    pub broker: Broker,
}

impl Replay {
    /// Replays one record.
    pub fn record(&mut self, record: &Record) -> Result<(), Fault> {
        let seq = record.seq;
        if record.at <= self.broker.last() {
            return Err(Fault::TimeFell { seq });
        }
        let decisions = self.broker.step(record.at, &record.fact);
        if decisions == record.decisions {
            return Ok(());
        }
        let words = |decisions: &[Decision]| match self.broker.world() {
            Some(world) => crate::show::decisions(world, decisions),
            None => alloc::format!("{decisions:?}"),
        };
        Err(Fault::Differs { seq, expected: words(&decisions), found: words(&record.decisions) })
    }
}

/// What a whole journal shows.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Records that were verified.
    pub records: u64,
    /// The digest of the last of them.
    pub tip: Digest,
    /// The first fault, if any.
    pub fault: Option<Fault>,
}

/// Verifies a whole journal: the chain and, unless `chain_only`, every decision. `each` sees the records in order.
pub fn verify(bytes: &[u8], chain_only: bool, mut each: impl FnMut(&Record, &Broker)) -> Verdict {
    let none = Verdict { records: 0, tip: Digest::default(), fault: Some(Fault::NotAJournal) };
    let Some((header, mut rest)) = bytes.split_first_chunk::<HEADER>() else { return none };
    let Ok(mut chain) = Chain::new(header) else { return none };
    let mut replay = Replay::default();
    let fault = loop {
        let before = rest;
        match chain.read(rest) {
            Ok(None) => break None,
            Err(fault) => break Some(placed(fault, before)),
            Ok(Some((record, length))) => {
                if !chain_only && let Err(fault) = replay.record(&record) {
                    break Some(fault);
                }
                each(&record, &replay.broker);
                rest = rest.split_at_checked(length).map_or(&[], |(_, rest)| rest);
            }
        }
    };
    let counted = u64::from(matches!(fault, Some(Fault::Differs { .. } | Fault::TimeFell { .. })));
    Verdict { records: chain.next.saturating_sub(1).saturating_sub(counted), tip: chain.tip, fault }
}

/// Says of a missing record whether it stands further on.
fn placed(fault: Fault, rest: &[u8]) -> Fault {
    let Fault::Missing { seq, found } = fault else { return fault };
    let mut rest = rest;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((body, after)) = after.split_at_checked(length) else { break };
        if number_of(body) == Some(seq) {
            return Fault::Reordered { seq, found };
        }
        let Some((_, after)) = after.split_first_chunk::<32>() else { break };
        rest = after;
    }
    Fault::Missing { seq, found }
}
