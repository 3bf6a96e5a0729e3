//! Sessions at several replicas: signing keys and sign-outs go through the store.
//!
//! An account has a signing key for each of its password hashes, under a generation. Replicas that generate one at the
//! same time adopt that of the database, which takes the first. A key is retired when a replica no longer has its
//! account or password hash: a replica that still has them, as before its reload, generates the next one. So no
//! session becomes valid again if an old password hash is configured again.

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_lc_rs::digest::{SHA256, digest};

use super::key_store::{AccountKey, KeyStore};
use super::retirement::{Retirement, Subject};
use super::{ID, MAX_REVOKED, Sessions, State};
use crate::access::key::{MacKey, NoRandomness, random};
use crate::access::rows::{EndedRow, KeyRow, MAX_ENDED, MAX_KEYS};

/// Bytes of the random number that precedes an encrypted key.
const NONCE: usize = 16;

impl AccountKey {
    /// Returns the fingerprint of the password hash for the store.
    fn subject(&self) -> [u8; 16] {
        fingerprint(&self.password)
    }

    /// Returns the fingerprint of the key for the store.
    fn id(&self) -> [u8; 16] {
        fingerprint(&self.key)
    }

    fn row(&self, account: &str) -> Result<KeyRow, NoRandomness> {
        let nonce = random::<NONCE>()?;
        let mut sealed = [0; 48];
        sealed[..NONCE].copy_from_slice(&nonce);
        let mask = self.mask(account, self.generation, &nonce);
        for (place, (byte, mask)) in self.key.iter().zip(mask).enumerate() {
            sealed[NONCE + place] = byte ^ mask;
        }
        Ok(KeyRow {
            account: account.to_owned(),
            password: self.subject(),
            generation: self.generation,
            id: self.id(),
            sealed,
            is_retired: false,
        })
    }

    /// Returns the key of a row of the same password hash; `None` if the row was changed.
    fn opened(&self, row: &KeyRow) -> Option<[u8; 32]> {
        let (nonce, sealed) = row.sealed.split_at(NONCE);
        let mut key = self.mask(&row.account, row.generation, nonce);
        key.iter_mut().zip(sealed).for_each(|(byte, sealed)| *byte ^= sealed);
        (fingerprint(&key) == row.id).then_some(key)
    }

    /// Returns the mask of a key: HMAC-SHA256 under the digest of the password hash, which only replicas with the
    /// same configuration know.
    fn mask(&self, account: &str, generation: i64, nonce: &[u8]) -> [u8; 32] {
        let parts = [b"key of sessions", account.as_bytes(), &generation.to_be_bytes(), nonce];
        MacKey::of(&self.password).fingerprint(&parts)
    }

    /// Replaces the key by one of the store.
    fn adopt(&mut self, key: [u8; 32], generation: i64) {
        *self = AccountKey {
            password: self.password,
            key,
            generation,
            revoked: HashMap::new(),
            unsent: Vec::new(),
            is_sent: true,
        };
    }
}

fn fingerprint(bytes: &[u8; 32]) -> [u8; 16] {
    let mut fingerprint = [0; 16];
    let full = digest(&SHA256, bytes);
    fingerprint.copy_from_slice(&full.as_ref()[..16]);
    fingerprint
}

impl KeyStore {
    /// Merges the signing keys of the store. Returns true if anything changed.
    fn merge_keys(
        &mut self,
        rows: &[KeyRow],
        retirement: &mut Retirement,
    ) -> Result<bool, NoRandomness> {
        let mut changed = false;
        // A replica without accounts has no opinion on those of others.
        let has_accounts = !self.accounts.is_empty();
        for row in rows {
            let own = self.accounts.get_mut(&row.account);
            let Some(own) = own.filter(|own| own.subject() == row.password) else {
                if has_accounts && !row.is_retired {
                    retirement.see(row);
                }
                continue;
            };
            if row.generation < own.generation {
                own.is_sent = false;
            } else if row.is_retired {
                own.replace(row.generation)?;
                changed = true;
            } else if row.generation > own.generation || row.id != own.id() {
                match own.opened(row) {
                    Some(key) => own.adopt(key, row.generation),
                    // The next generation replaces it.
                    None => own.replace(row.generation)?,
                }
                changed = true;
            }
        }
        Ok(changed)
    }

    /// Merges the ended sessions of the store. Returns true if anything changed.
    fn merge_ended(&mut self, rows: &[EndedRow], now: u64) -> Result<bool, NoRandomness> {
        if rows.is_empty() {
            return Ok(false);
        }
        let mut keys: BTreeMap<[u8; 16], &mut AccountKey> =
            self.accounts.values_mut().map(|own| (own.id(), own)).collect();
        let mut changed = false;
        for row in rows {
            let Some(own) = keys.get_mut(&row.key) else { continue };
            let expires = u64::try_from(row.expires).unwrap_or_default();
            changed |= own.revoked.insert(row.id, expires).is_none();
        }
        for own in keys.into_values() {
            if own.revoked.len() > MAX_REVOKED {
                own.revoked.retain(|_, expires| *expires > now);
            }
            if own.revoked.len() > MAX_REVOKED {
                own.replace(own.generation)?;
            }
        }
        Ok(changed)
    }

    /// Returns rows of ended sessions that were not sent.
    fn ended_rows(&self) -> Vec<EndedRow> {
        let of_account = |own: &AccountKey| -> Vec<EndedRow> {
            if own.unsent.is_empty() {
                return Vec::new();
            }
            let key = own.id();
            let row = |id: &[u8; ID]| {
                let expires = i64::try_from(*own.revoked.get(id)?).unwrap_or(i64::MAX);
                Some(EndedRow { id: *id, key, expires })
            };
            own.unsent.iter().filter_map(row).take(MAX_ENDED).collect()
        };
        self.accounts.values().flat_map(of_account).take(MAX_ENDED).collect()
    }
}

impl Sessions {
    /// Returns keys and ended sessions to send, and true if all keys of the store must be read.
    pub(in crate::access) fn outgoing(&self) -> (Vec<KeyRow>, Vec<EndedRow>, bool) {
        let state = self.shared.state();
        let unsent = state.keys.accounts.iter().filter(|(_, own)| !own.is_sent);
        let rows = unsent.filter_map(|(account, own)| own.row(account).ok());
        let keys = rows.chain(state.retirement.rows()).take(MAX_KEYS).collect();
        (keys, state.keys.ended_rows(), state.retirement.is_due)
    }

    /// Applies the keys and the ended sessions that were read after those of `sent` were written. `is_all` is true
    /// if all rows were read.
    pub(in crate::access) fn apply(
        &self,
        sent: (&[KeyRow], &[EndedRow]),
        read: (&[KeyRow], &[EndedRow]),
        is_all: bool,
        now: u64,
    ) {
        let mut state = self.shared.state();
        let State { keys, retirement, .. } = &mut *state;
        for row in sent.0 {
            if row.is_retired {
                let is_other = |(account, password): &Subject| {
                    *account != row.account || *password != row.password
                };
                retirement.unsent.retain(is_other);
            } else if let Some(own) = keys.accounts.get_mut(&row.account)
                && own.subject() == row.password
                && own.generation == row.generation
            {
                own.is_sent = true;
            }
        }
        let ended: HashSet<[u8; ID]> = sent.1.iter().map(|row| row.id).collect();
        if !ended.is_empty() {
            keys.accounts.values_mut().for_each(|own| own.unsent.retain(|id| !ended.contains(id)));
        }
        let merged = keys
            .merge_keys(read.0, retirement)
            .and_then(|keys_changed| Ok(keys.merge_ended(read.1, now)? || keys_changed));
        if is_all {
            retirement.is_due = false;
        }
        match merged {
            Ok(false) => return,
            Ok(true) => {}
            Err(error) => log::error!("cannot replace a signing key of sessions: {error}"),
        }
        self.mark_changed(&mut state);
    }

    /// Has all keys and ended sessions sent again.
    pub(in crate::access) fn resend(&self) {
        let mut state = self.shared.state();
        let State { keys, retirement, .. } = &mut *state;
        for own in keys.accounts.values_mut() {
            own.is_sent = false;
            own.unsent = own.revoked.keys().copied().collect();
        }
        retirement.unsent = retirement.retired.keys().cloned().collect();
    }

    pub(in crate::access) fn device_key(&self) -> [u8; 32] {
        self.shared.state().keys.device_key
    }

    #[cfg(test)]
    pub(in crate::access) fn signing_keys(&self) -> Vec<[u8; 32]> {
        self.shared.state().keys.accounts.values().map(|own| own.key).collect()
    }

    /// Uses this key for device cookies from now on. Returns false if it is in use.
    pub(in crate::access) fn adopt_device_key(&self, key: [u8; 32]) -> bool {
        let mut state = self.shared.state();
        if state.keys.device_key == key {
            return false;
        }
        state.keys.device_key = key;
        self.mark_changed(&mut state);
        true
    }
}
