//! Which rights and duties exist? A closed enum, one file each. A new right is a file here, a page in `docs/rights`, and
//! its scenarios.

pub mod assurance;
pub mod commitment;
pub mod exclusivity;
pub mod first_refusal;
pub mod licence;
pub mod price;
pub mod revenue_share;
pub mod service_level;

pub use assurance::{Assurance, Qualification};
pub use commitment::{Commitment, Measure};
pub use exclusivity::Exclusivity;
pub use first_refusal::{Answering, CarveOut, FirstRefusal, Silence, Variant};
pub use licence::{Act, Licence};
pub use price::Price;
pub use revenue_share::{Base, Combine, Leg, RevenueShare, Tier};
pub use service_level::{Credit, ServiceLevel};

use crate::units::{DAY, Timestamp, civil, days_of};

/// One right or duty.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a law has dozens of clauses, and each is kept once")]
pub enum Clause {
    /// Who must be asked first.
    FirstRefusal(FirstRefusal),
    /// Who alone may serve.
    Exclusivity(Exclusivity),
    /// Who may host, serve or train which models.
    Licence(Licence),
    /// What must be bought in a period.
    Commitment(Commitment),
    /// Whose part of the revenue is whose.
    RevenueShare(RevenueShare),
    /// What a unit costs, instead of the catalogue's price.
    Price(Price),
    /// What a provider must have to serve.
    Assurance(Assurance),
    /// What a provider promised, and what it owes if it fell short.
    ServiceLevel(ServiceLevel),
}

impl Clause {
    /// The kind, as agreements write it.
    pub fn kind(&self) -> &'static str {
        match self {
            Clause::FirstRefusal(_) => "first-refusal",
            Clause::Exclusivity(_) => "exclusivity",
            Clause::Licence(_) => "licence",
            Clause::Commitment(_) => "commitment",
            Clause::RevenueShare(_) => "revenue-share",
            Clause::Price(_) => "price",
            Clause::Assurance(_) => "assurance",
            Clause::ServiceLevel(_) => "service-level",
        }
    }
}

/// Over what is a commitment, a share or a service level reckoned? Calendar periods in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Period {
    /// A calendar month.
    #[default]
    Month,
    /// A calendar quarter.
    Quarter,
    /// A calendar year.
    Year,
    /// The clause's whole term.
    Term,
}

impl Period {
    /// The start of the period that holds `at`; [`Timestamp`] zero for the whole term.
    pub fn start(self, at: Timestamp) -> Timestamp {
        let (year, month, _) = civil(at.0.div_euclid(DAY));
        let first = match self {
            Period::Month => month,
            Period::Quarter => month.saturating_sub(1).div_euclid(3).saturating_mul(3).saturating_add(1),
            Period::Year => 1,
            Period::Term => return Timestamp(0),
        };
        Timestamp(days_of(year, first, 1).unwrap_or(0).saturating_mul(DAY))
    }

    /// The end of the period that starts at `start`, exclusive; the end of time for the whole term.
    pub fn end(self, start: Timestamp) -> Timestamp {
        let (year, month, _) = civil(start.0.div_euclid(DAY));
        let months = match self {
            Period::Month => 1,
            Period::Quarter => 3,
            Period::Year => 12,
            Period::Term => return Timestamp::MAX,
        };
        let next = month.saturating_add(months);
        let (year, month) =
            if next > 12 { (year.saturating_add(1), next.saturating_sub(12)) } else { (year, next) };
        Timestamp(days_of(year, month, 1).unwrap_or(0).saturating_mul(DAY))
    }
}
