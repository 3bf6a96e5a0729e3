//! Signing keys of the store that this configuration does not have, which it retires.

use std::collections::BTreeMap;

use crate::access::rows::KeyRow;

/// Most keys of other configurations that this replica remembers to have retired.
const MAX_RETIRED: usize = 4096;

/// An account with one of its password hashes.
pub(super) type Subject = (String, [u8; 16]);

/// Keys in the store that this configuration does not have.
#[derive(Debug)]
pub(super) struct Retirement {
    /// True until all keys of the store were compared with this configuration.
    pub(super) is_due: bool,
    /// Highest generation of each that was retired.
    pub(super) retired: BTreeMap<Subject, i64>,
    pub(super) unsent: Vec<Subject>,
}

impl Default for Retirement {
    fn default() -> Retirement {
        Retirement { is_due: true, retired: BTreeMap::new(), unsent: Vec::new() }
    }
}

impl Retirement {
    /// Takes a live key of the store that this configuration does not have. Such keys are retired once in a
    /// configuration, so that replicas before and after a reload do not replace each other's keys for ever.
    pub(super) fn see(&mut self, row: &KeyRow) {
        let subject = (row.account.clone(), row.password);
        let known = self.retired.get(&subject).copied();
        let is_new = self.is_due && self.retired.len() < MAX_RETIRED;
        let must_retire = match known {
            Some(generation) => self.is_due || row.generation <= generation,
            None => is_new,
        };
        if must_retire {
            self.retired.insert(subject.clone(), row.generation.max(known.unwrap_or_default()));
            if !self.unsent.contains(&subject) {
                self.unsent.push(subject);
            }
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = KeyRow> {
        self.unsent.iter().filter_map(|subject| {
            let (account, password) = subject.clone();
            let generation = *self.retired.get(subject)?;
            let (id, sealed) = ([0; 16], [0; 48]);
            Some(KeyRow { account, password, generation, id, sealed, is_retired: true })
        })
    }
}
