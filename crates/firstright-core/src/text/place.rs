//! Where in the files does a thing stand? Kept beside the world, so that the world itself is free of spans.

use alloc::vec::Vec;
use core::ops::Range;

use crate::world::ClauseId;

/// Bytes of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file's place among the sources.
    pub file: usize,
    /// Which bytes.
    pub span: Range<usize>,
}

/// Where a thing stands, and where each of its keys has its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    /// Its id, or its heading if it has none.
    pub at: Place,
    /// The places of its values, by key.
    pub keys: Vec<(&'static str, Place)>,
}

/// Where everything in a world stands, in the order of the world's lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    /// Parties.
    pub parties: Vec<Spot>,
    /// Providers.
    pub providers: Vec<Spot>,
    /// Each provider's pools.
    pub pools: Vec<Vec<Spot>>,
    /// Deployments.
    pub deployments: Vec<Spot>,
    /// Tenants.
    pub tenants: Vec<Spot>,
    /// Agreements.
    pub agreements: Vec<Spot>,
    /// Clauses.
    pub clauses: Vec<Spot>,
}

impl Spot {
    /// The place of the key's value, or of the thing itself if the key was not written.
    pub fn key(&self, key: &str) -> &Place {
        self.keys.iter().find(|(name, _)| *name == key).map_or(&self.at, |(_, at)| at)
    }
}

impl Positions {
    /// Where the clause, or one of its values, stands.
    pub fn clause(&self, id: ClauseId, key: &str) -> Place {
        self.clauses.get(id.index()).map(|spot| spot.key(key).clone()).unwrap_or_default()
    }
}
