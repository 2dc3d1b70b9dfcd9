//! What must a provider have before it may serve?

use alloc::string::String;
use alloc::vec::Vec;

use crate::scope::{Glob, Scope, any};
use crate::world::Provider;

/// Certifications, attestation, residency and encryption for a scope, and the probation of new providers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assurance {
    /// Which workloads.
    pub scope: Scope,
    /// Certifications, all of which it must hold.
    pub certifications: Vec<String>,
    /// Jurisdictions, one of which it must be under; empty means any.
    pub jurisdictions: Vec<Glob>,
    /// Regions, in one of which it must stand; empty means any.
    pub regions: Vec<Glob>,
    /// Hardware attestation, one of which it must offer; empty means none is asked.
    pub attestation: Vec<String>,
    /// Encryption, all of which it must offer.
    pub encryption: Vec<String>,
    /// Providers on probation.
    pub qualification: Option<Qualification>,
}

/// Probation: a provider may serve little until it has proved itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qualification {
    /// Ids of the providers on probation.
    pub providers: Vec<Glob>,
    /// So many good runs (settled complete, or a lease completed) end it.
    pub good_runs: u32,
    /// Until then so many calls at once.
    pub calls: u32,
    /// Until then so many accelerators at once.
    pub accelerators: u32,
}

/// What a provider lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// A certification.
    Certification,
    /// It is under another jurisdiction, or in another region.
    Residency,
    /// Attestation.
    Attestation,
    /// Encryption.
    Encryption,
}

impl Assurance {
    /// The first thing that the provider lacks.
    //= rights/assurance.md#AS-1
    //= rights/assurance.md#AS-2
    //= rights/assurance.md#AS-3
    pub fn lacks(&self, provider: &Provider) -> Option<Lack> {
        if !self.certifications.iter().all(|wanted| provider.certifications.contains(wanted)) {
            return Some(Lack::Certification);
        }
        if !any(&self.jurisdictions, &provider.jurisdiction) || !any(&self.regions, &provider.region) {
            return Some(Lack::Residency);
        }
        if !self.attestation.is_empty()
            && !self.attestation.iter().any(|one| provider.attestation.contains(one))
        {
            return Some(Lack::Attestation);
        }
        if !self.encryption.iter().all(|wanted| provider.encryption.contains(wanted)) {
            return Some(Lack::Encryption);
        }
        None
    }
}
