//! Which workloads does a clause speak of? Plain matchers, never an expression language, so that two of them can be
//! compared.

use alloc::string::String;
use alloc::vec::Vec;

use crate::workload::View;

/// A name, or a prefix of names when it ends in `*`. No other wildcard exists: overlap must be decidable at a glance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glob(pub String);

/// A conjunction of matchers; an empty list of a kind matches everything of that kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Calls, jobs or (by default) both.
    pub kinds: Kinds,
    /// Job purposes; a call's purpose is `api`.
    pub purposes: Vec<Glob>,
    /// Model names.
    pub models: Vec<Glob>,
    /// Tenant ids.
    pub tenants: Vec<Glob>,
    /// Regions that the workload asks for; a workload that names none matches every region.
    pub regions: Vec<Glob>,
    /// Data classes.
    pub data_classes: Vec<Glob>,
    /// Labels, of which the workload must carry all.
    pub labels: Vec<Glob>,
    /// Accelerators, of which a job must accept at least one.
    pub accelerators: Vec<Glob>,
    /// The smallest job in accelerators.
    pub at_least: Option<u32>,
    /// The largest job in accelerators.
    pub at_most: Option<u32>,
}

/// Which planes a scope covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kinds {
    /// Calls and jobs.
    #[default]
    Any,
    /// Calls only.
    Calls,
    /// Jobs only.
    Jobs,
}

impl Glob {
    /// Does this matcher cover `name`?
    pub fn matches(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => self.0 == name,
        }
    }

    /// Is there a name that both cover?
    pub fn overlaps(&self, other: &Glob) -> bool {
        match (self.0.strip_suffix('*'), other.0.strip_suffix('*')) {
            (Some(a), Some(b)) => a.starts_with(b) || b.starts_with(a),
            (Some(_), None) => self.matches(&other.0),
            (None, _) => other.matches(&self.0),
        }
    }
}

/// Does the list cover `name`? An empty list covers all.
pub fn any(globs: &[Glob], name: &str) -> bool {
    globs.is_empty() || globs.iter().any(|glob| glob.matches(name))
}

impl Scope {
    /// Does the clause speak of this workload? [SC-1] [SC-2] [SC-3]
    //= rights/scopes.md#SC-1
    //= rights/scopes.md#SC-2
    //= rights/scopes.md#SC-3
    pub fn matches(&self, view: &View<'_>) -> bool {
        let kind = match self.kinds {
            Kinds::Any => true,
            Kinds::Calls => !view.is_job,
            Kinds::Jobs => view.is_job,
        };
        kind && any(&self.purposes, view.purpose)
            && any(&self.tenants, view.tenant)
            && (self.models.is_empty() || view.model.is_some_and(|model| any(&self.models, model)))
            && (self.regions.is_empty() || view.region.is_none_or(|region| any(&self.regions, region)))
            && any(&self.data_classes, view.data_class)
            && self.labels.iter().all(|glob| view.labels.iter().any(|label| glob.matches(label)))
            && self.matches_size(view)
    }

    fn matches_size(&self, view: &View<'_>) -> bool {
        if self.accelerators.is_empty() && self.at_least.is_none() && self.at_most.is_none() {
            return true;
        }
        view.is_job
            && (self.accelerators.is_empty()
                || view.accelerators.is_empty()
                || view.accelerators.iter().any(|accelerator| any(&self.accelerators, accelerator)))
            && self.at_least.is_none_or(|least| view.count >= least)
            && self.at_most.is_none_or(|most| view.count <= most)
    }

    /// Could one workload be matched by both? Used by `firstright check` to find contradictions; labels are taken as
    /// compatible, because a workload may carry any of them.
    pub fn overlaps(&self, other: &Scope) -> bool {
        let kinds =
            !matches!((self.kinds, other.kinds), (Kinds::Calls, Kinds::Jobs) | (Kinds::Jobs, Kinds::Calls));
        let lists = [
            (&self.purposes, &other.purposes),
            (&self.models, &other.models),
            (&self.tenants, &other.tenants),
            (&self.regions, &other.regions),
            (&self.data_classes, &other.data_classes),
            (&self.accelerators, &other.accelerators),
        ];
        let sizes = self.at_least.unwrap_or(0) <= other.at_most.unwrap_or(u32::MAX)
            && other.at_least.unwrap_or(0) <= self.at_most.unwrap_or(u32::MAX);
        kinds && sizes && lists.iter().all(|(a, b)| lists_overlap(a, b))
    }

    /// Does this scope cover everything that `other` covers? Sufficient, not necessary: used to say that an exception
    /// takes a contradiction away.
    pub fn covers(&self, other: &Scope) -> bool {
        let lists = [
            (&self.purposes, &other.purposes),
            (&self.models, &other.models),
            (&self.tenants, &other.tenants),
            (&self.regions, &other.regions),
            (&self.data_classes, &other.data_classes),
            (&self.accelerators, &other.accelerators),
        ];
        (self.kinds == Kinds::Any || self.kinds == other.kinds)
            && self.labels.iter().all(|label| other.labels.contains(label))
            && self.at_least.unwrap_or(0) <= other.at_least.unwrap_or(0)
            && self.at_most.unwrap_or(u32::MAX) >= other.at_most.unwrap_or(u32::MAX)
            && lists.iter().all(|(mine, theirs)| list_covers(mine, theirs))
    }
}

fn lists_overlap(a: &[Glob], b: &[Glob]) -> bool {
    a.is_empty() || b.is_empty() || a.iter().any(|one| b.iter().any(|other| one.overlaps(other)))
}

fn list_covers(mine: &[Glob], theirs: &[Glob]) -> bool {
    mine.is_empty()
        || (!theirs.is_empty()
            && theirs.iter().all(|their| {
                mine.iter().any(|my| match (my.0.strip_suffix('*'), their.0.strip_suffix('*')) {
                    (Some(prefix), Some(narrower)) => narrower.starts_with(prefix),
                    (None, Some(_)) => false,
                    (_, None) => my.matches(&their.0),
                })
            }))
}
