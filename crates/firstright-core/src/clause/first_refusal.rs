//! Who must be asked first, how does it answer, and what does its silence mean?

use crate::scope::Scope;
use crate::units::Span;
use crate::workload::View;
use crate::world::PartyId;
use alloc::vec::Vec;

/// A right of first refusal: nobody else is served within the scope before the holder has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstRefusal {
    /// Whose right it is.
    pub holder: PartyId,
    /// Over which workloads.
    pub scope: Scope,
    /// The order among holders: 1 is asked first; equal ranks go by the order of the files.
    pub rank: u16,
    /// How the holder answers: the only difference between the API plane and the job plane.
    pub answering: Answering,
    /// Before any quote, or against one.
    pub variant: Variant,
    /// What silence means at the end of a window.
    pub silence: Silence,
    /// May the holder take a part?
    pub partial: bool,
    /// May the holder propose other terms?
    pub counter: bool,
    /// How long a release lasts; `None` for as long as the workload does.
    pub protection: Option<Span>,
    /// What the right does not reach.
    pub carve_outs: Vec<CarveOut>,
}

/// How the holder answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answering {
    /// Its published capacity answers for it, at once.
    Standing,
    /// It is asked, and has this long.
    Within(Span),
}

/// Is the holder asked before a third party's quote, or shown one to match?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Variant {
    /// First offer: asked on its own price, before any quote.
    #[default]
    FirstOffer,
    /// Matching: shown the best bona fide quote, which it may match.
    Matching,
}

/// What silence means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Silence {
    /// A silent holder has declined.
    #[default]
    Declines,
    /// A silent holder has accepted, and is bound.
    Accepts,
}

/// What a right does not reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CarveOut {
    /// Moving a running job off a provider that failed, if no more than this is left to run.
    Emergency(Span),
    /// Workloads of this scope.
    Scope(Scope),
}

impl FirstRefusal {
    /// The carve-out that takes this workload out of the right's reach, by its place in the list. `left` is what a job
    /// that lost its provider has still to run.
    //= rights/first-refusal.md#FR-14
    //= rights/first-refusal.md#FR-15
    pub fn carved_out(&self, view: &View<'_>, left: Option<Span>) -> Option<usize> {
        self.carve_outs.iter().position(|carve_out| match carve_out {
            CarveOut::Emergency(most) => left.is_some_and(|left| left <= *most),
            CarveOut::Scope(scope) => scope.matches(view),
        })
    }
}
