//! Who may host, serve or train which models, where?

use alloc::vec::Vec;

use crate::scope::{Glob, any};
use crate::workload::View;
use crate::world::{PartyId, Provider};

/// Access to models' IP. A model that any licence clause names, in force or not, may be handled only under a licence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence {
    /// Who owns the models and needs no licence.
    pub licensor: PartyId,
    /// Who may handle them.
    pub licensee: PartyId,
    /// The models.
    pub models: Vec<Glob>,
    /// What it may do with them.
    pub acts: Vec<Act>,
    /// Regions of the provider in which it may; empty means everywhere.
    pub regions: Vec<Glob>,
}

/// What a licence allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Hosting and serving.
    Serve,
    /// Training and fine-tuning.
    Train,
}

impl Act {
    /// What the workload does with the model.
    pub fn of(view: &View<'_>) -> Act {
        if view.trains { Act::Train } else { Act::Serve }
    }

    /// The word that agreements use.
    pub fn word(self) -> &'static str {
        match self {
            Act::Serve => "serve",
            Act::Train => "train",
        }
    }
}

impl Licence {
    /// Does the clause govern the model at all?
    //= rights/licence.md#LI-1
    pub fn governs(&self, model: &str) -> bool {
        any(&self.models, model)
    }

    /// Does it allow this provider to do this with the model?
    //= rights/licence.md#LI-2
    //= rights/licence.md#LI-3
    pub fn permits(&self, provider: &Provider, model: &str, act: Act) -> bool {
        let owner = provider.party == self.licensor;
        let licensed = provider.party == self.licensee
            && self.acts.contains(&act)
            && any(&self.regions, &provider.region);
        self.governs(model) && (owner || licensed)
    }
}
