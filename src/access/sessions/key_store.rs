//! Signing keys of accounts, and ids of sessions that were signed out.

use std::collections::{BTreeMap, HashMap};

use aws_lc_rs::digest::{SHA256, digest};

use super::{ID, MAX_REVOKED};
use crate::access::key::{NoRandomness, random};
use crate::access::password::PasswordHash;
use crate::access::rules::User;
use crate::order;

/// State that survives a restart. It has no `Debug`.
pub(super) struct KeyStore {
    pub(super) device_key: [u8; 32],
    pub(super) accounts: BTreeMap<String, AccountKey>,
}

/// Signing key of an account, with its sessions that were signed out before their expiry.
pub(super) struct AccountKey {
    /// SHA-256 of the password hash that the key belongs to.
    pub(super) password: [u8; 32],
    pub(super) key: [u8; 32],
    /// Incremented each time that the key is replaced. Replicas use the key of the highest one.
    pub(super) generation: i64,
    /// Session ids with their expiry, in seconds since 1970.
    pub(super) revoked: HashMap<[u8; ID], u64>,
    /// Those that the store may not have.
    pub(super) unsent: Vec<[u8; ID]>,
    /// True if the store has the key.
    pub(super) is_sent: bool,
}

impl AccountKey {
    fn new(password: [u8; 32]) -> Result<AccountKey, NoRandomness> {
        Ok(AccountKey {
            password,
            key: random()?,
            generation: 1,
            revoked: HashMap::new(),
            unsent: Vec::new(),
            is_sent: false,
        })
    }

    /// Replaces the key, which ends all sessions, by one of the generation after this one.
    pub(super) fn replace(&mut self, generation: i64) -> Result<(), NoRandomness> {
        let generation = generation.saturating_add(1);
        *self = AccountKey { generation, ..AccountKey::new(self.password)? };
        Ok(())
    }

    /// Returns true if the key belongs to that password hash.
    pub(super) fn is_for(&self, hash: &PasswordHash) -> bool {
        self.password == digest_of(hash)
    }
}

impl KeyStore {
    pub(super) fn random() -> Result<KeyStore, NoRandomness> {
        Ok(KeyStore { device_key: random()?, accounts: BTreeMap::new() })
    }

    /// Creates a key for each of these accounts that lacks one or whose password hash has changed, and
    /// drops all other accounts. Returns true if anything changed.
    pub(super) fn sync(&mut self, users: &[User]) -> Result<bool, NoRandomness> {
        let before = self.accounts.len();
        let digests = users.iter().map(|user| (&*user.name, digest_of(&user.password_hash)));
        let digests: BTreeMap<&str, [u8; 32]> = order::gathered(digests);
        // Old keys are dropped before new ones are generated, so that they are gone even if that fails.
        self.accounts
            .retain(|name, account_key| digests.get(&**name) == Some(&account_key.password));
        let mut changed = self.accounts.len() != before;
        for (name, password) in digests {
            if !self.accounts.contains_key(name) {
                self.accounts.insert(name.to_owned(), AccountKey::new(password)?);
                changed = true;
            }
        }
        Ok(changed)
    }

    /// Adopts what another process has stored meanwhile: its sign-outs, and the keys by which it has replaced
    /// others of the same password, as after too many sign-outs. Returns true if anything changed.
    pub(super) fn adopt(&mut self, stored: KeyStore) -> bool {
        let mut changed = false;
        for (name, theirs) in stored.accounts {
            // An account that is not configured here, or with another password, has no session here.
            let Some(own) = self.accounts.get_mut(&name) else { continue };
            if own.password != theirs.password {
                continue;
            }
            if own.key == theirs.key {
                let before = own.revoked.len();
                own.unsent
                    .extend(theirs.revoked.keys().filter(|id| !own.revoked.contains_key(*id)));
                own.revoked.extend(theirs.revoked);
                changed |= own.revoked.len() != before;
            } else if theirs.generation > own.generation
                || theirs.generation == own.generation && !own.is_sent
            {
                *own = theirs;
                changed = true;
            }
        }
        changed
    }

    /// Records that a session was signed out.
    pub(super) fn revoke(
        &mut self,
        account: &str,
        id: [u8; ID],
        expires: u64,
        now: u64,
    ) -> Result<(), NoRandomness> {
        let Some(account_key) = self.accounts.get_mut(account) else { return Ok(()) };
        if account_key.revoked.len() >= MAX_REVOKED {
            account_key.revoked.retain(|_, expires| *expires > now);
            let revoked = &account_key.revoked;
            account_key.unsent.retain(|id| revoked.contains_key(id));
        }
        if account_key.revoked.insert(id, expires).is_none() {
            account_key.unsent.push(id);
        }
        if account_key.revoked.len() > MAX_REVOKED {
            account_key.replace(account_key.generation)?;
        }
        Ok(())
    }
}

fn digest_of(hash: &PasswordHash) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, hash.expose().as_bytes()).as_ref());
    bytes
}
