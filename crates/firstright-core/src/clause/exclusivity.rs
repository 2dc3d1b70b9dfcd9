//! Who alone may serve?

use alloc::vec::Vec;

use crate::scope::Scope;
use crate::units::Span;
use crate::workload::View;
use crate::world::PartyId;

/// Within the scope only this party may serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusivity {
    /// The party that alone may serve.
    pub party: PartyId,
    /// Which workloads.
    pub scope: Scope,
    /// Which of them are excepted.
    pub exceptions: Vec<Scope>,
    /// Suspended while every deployment of the party that could serve has been down for this long; `None` for never.
    pub outage: Option<Span>,
}

impl Exclusivity {
    /// Does the clause bind this workload, outages aside? [EX-1] [EX-2]
    //= rights/exclusivity.md#EX-1
    //= rights/exclusivity.md#EX-2
    pub fn binds(&self, view: &View<'_>) -> bool {
        self.scope.matches(view) && !self.exceptions.iter().any(|exception| exception.matches(view))
    }
}
