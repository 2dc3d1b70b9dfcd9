//! What are grounds and refusals called by machines? One stable word each, without the numbers and names that they carry:
//! labels of metrics, fields of logs. A closed set, so that counting by them is bounded.

use crate::decision::{Action, Decision, Ground};

/// Every word of [`Ground::code`], and the two of a decision to serve that has no ground of its own.
pub const GROUNDS: [&str; 35] = [
    "committed",
    "sunk",
    "cheapest",
    "only",
    "substituted",
    "outage",
    "barred",
    "unavailable",
    "asks",
    "better-terms",
    "release-ended",
    "accepted",
    "accepted-part",
    "silence-accepts",
    "counter-agreed",
    "late",
    "not-the-holder",
    "not-allowed",
    "same-lease",
    "provider-lost",
    "not-open",
    "by-owner",
    "attempts",
    "native-spill",
    "soft-budget",
    "awaits",
    "shed",
    "crowded",
    "last-resort",
    "retries",
    "hedges",
    "unhedged",
    "goes-on",
    HOLDER,
    NO_RIGHT,
];

/// It was served by the holder of the right.
const HOLDER: &str = "holder";
/// No right stood in the way.
const NO_RIGHT: &str = "no-right";

impl Ground {
    /// Its word.
    pub fn code(&self) -> &'static str {
        match self {
            Ground::Committed(_) => "committed",
            Ground::Sunk => "sunk",
            Ground::Cheapest => "cheapest",
            Ground::Only => "only",
            Ground::Substituted(_) => "substituted",
            Ground::Outage(_) => "outage",
            Ground::Barred(..) => "barred",
            Ground::Unavailable(_) => "unavailable",
            Ground::Asks(_) => "asks",
            Ground::BetterTerms(_) => "better-terms",
            Ground::ReleaseEnded(_) => "release-ended",
            Ground::Accepted(_) => "accepted",
            Ground::AcceptedPart(_) => "accepted-part",
            Ground::SilenceAccepts(_) => "silence-accepts",
            Ground::CounterAgreed(_) => "counter-agreed",
            Ground::Late(_) => "late",
            Ground::NotTheHolder(_) => "not-the-holder",
            Ground::NotAllowed(_) => "not-allowed",
            Ground::SameLease(_) => "same-lease",
            Ground::ProviderLost(_) => "provider-lost",
            Ground::NotOpen => "not-open",
            Ground::ByOwner => "by-owner",
            Ground::Attempts(_) => "attempts",
            Ground::NativeSpill => "native-spill",
            Ground::SoftBudget(_) => "soft-budget",
            Ground::Awaits(..) => "awaits",
            Ground::Shed(_) => "shed",
            Ground::Crowded(..) => "crowded",
            Ground::LastResort => "last-resort",
            Ground::Retries(..) => "retries",
            Ground::Hedges(_) => "hedges",
            Ground::Unhedged(_) => "unhedged",
            Ground::GoesOn(_) => "goes-on",
        }
    }
}

impl Decision {
    /// The words of what determined it; of a decision to serve without grounds, whether a holder serves.
    pub fn codes(&self) -> impl Iterator<Item = &'static str> {
        let own = match &self.action {
            Action::Serve { title, .. } if self.grounds.is_empty() => {
                Some(if title.holds().is_some() { HOLDER } else { NO_RIGHT })
            }
            _ => None,
        };
        own.into_iter().chain(self.grounds.iter().map(Ground::code))
    }
}
