#![no_std]
#![cfg_attr(
    test,
    expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")
)]
//! The law of Firstright: who has the first right to serve a workload, did they take it, who serves it otherwise, and
//! can it be proved?
//!
//! **Facts in, decisions out.** [`Broker::step`] is the only place where a right is honoured, a workload placed or a sum
//! computed. The crate is `no_std`: it has no clock, file, network, environment or random hash order, so that purity is
//! a fact of the compiler and anyone can recompute a decision from the journal.
//!
//! # Reading order
//! `world` (what the law speaks of) → `clause` (the eight rights and duties) → `fact` → `decide` (four phases on one
//! page) → `title` (why no placement can lack its evidence) → `broker` (the one mutator) → `journal`.
//!
//! # Glossary
//! | word | meaning |
//! |---|---|
//! | Party | a legal person: the operator (who runs Firstright and owns the work) or a counterparty |
//! | Provider | a place of capacity run by a party: a cloud resource, region, cluster or endpoint |
//! | Deployment, pool | a model served at a provider; accelerators of one kind at a provider |
//! | Agreement | a dated, immutable set of clauses between parties; amended by a child agreement |
//! | Clause | one right or duty; a closed enum, one file each |
//! | Workload | what must be placed: a call (one API request) or a job |
//! | Offer, answer | what is put to a holder and until when; accept, decline, partial, counter, or silence |
//! | Fact | something observed, in the past tense |
//! | Decision | what follows: an action, and the grounds that determined it |
//! | Title | by what a provider may serve: its own right, or the releases of every right before it |
//! | Lease | a placement in force: whose capacity, how much, until when |
//! | Usage | metered quantity, in disjoint buckets |
//! | Settlement | what is owed to whom for a period; every line cites its clause and its records |

extern crate alloc;

pub mod units;

pub mod scope;
pub mod clause;
pub mod world;
pub mod account;
pub mod workload;
pub mod usage;
pub mod fact;

mod accounts;
mod plan;
mod queue;
mod retries;
mod decide;
pub mod title;
pub mod capacity;
pub mod decision;
pub mod codes;
mod state;
mod broker;
pub mod ledger;
pub mod settle;

pub mod journal;
pub mod show;
pub mod explain;
pub mod text;
pub mod check;

pub use accounts::{Known, Spent};
pub use broker::{Broker, MAX_ATTEMPTS, MAX_RESUMPTIONS};
pub use queue::QueueView;
