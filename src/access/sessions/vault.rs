//! Signing keys of accounts, and the sessions that were signed out.

use std::collections::{BTreeMap, HashMap};

use aws_lc_rs::digest::{SHA256, digest};

use super::{ID, MOST_REVOKED};
use crate::access::key::{NoRandomness, random};
use crate::access::password::PasswordHash;
use crate::access::rules::User;

/// State that survives a restart. It has no `Debug`.
pub(super) struct Vault {
    pub(super) device_key: [u8; 32],
    pub(super) accounts: BTreeMap<String, Keyed>,
}

/// An account's signing key, and its sessions that were signed out before their expiry.
pub(super) struct Keyed {
    /// SHA-256 of the password hash that the key belongs to.
    pub(super) password: [u8; 32],
    pub(super) key: [u8; 32],
    /// Session ids with their expiry, in seconds since 1970.
    pub(super) revoked: HashMap<[u8; ID], u64>,
}

impl Keyed {
    fn new(password: [u8; 32]) -> Result<Keyed, NoRandomness> {
        Ok(Keyed { password, key: random()?, revoked: HashMap::new() })
    }

    /// Returns true if the key belongs to that password hash.
    pub(super) fn is_for(&self, hash: &PasswordHash) -> bool {
        self.password == digest_of(hash)
    }
}

impl Vault {
    pub(super) fn random() -> Result<Vault, NoRandomness> {
        Ok(Vault { device_key: random()?, accounts: BTreeMap::new() })
    }

    /// Gives each of these accounts a key, a new one where its password hash has changed, and
    /// drops every other account. Returns whether anything changed.
    pub(super) fn sync(&mut self, users: &[User]) -> Result<bool, NoRandomness> {
        let before = self.accounts.len();
        let digests: BTreeMap<&str, [u8; 32]> =
            users.iter().map(|user| (&*user.name, digest_of(&user.password_hash))).collect();
        // Old keys go before new ones are made, so that a failure leaves none of them.
        self.accounts.retain(|name, keyed| digests.get(&**name) == Some(&keyed.password));
        let mut changed = self.accounts.len() != before;
        for (name, password) in digests {
            if !self.accounts.contains_key(name) {
                self.accounts.insert(name.to_owned(), Keyed::new(password)?);
                changed = true;
            }
        }
        Ok(changed)
    }

    /// Records that a session was signed out.
    pub(super) fn revoke(
        &mut self,
        account: &str,
        id: [u8; ID],
        expires: u64,
        now: u64,
    ) -> Result<(), NoRandomness> {
        let Some(keyed) = self.accounts.get_mut(account) else { return Ok(()) };
        if keyed.revoked.len() >= MOST_REVOKED {
            keyed.revoked.retain(|_, expires| *expires > now);
        }
        keyed.revoked.insert(id, expires);
        if keyed.revoked.len() > MOST_REVOKED {
            *keyed = Keyed::new(keyed.password)?;
        }
        Ok(())
    }
}

fn digest_of(hash: &PasswordHash) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, hash.expose().as_bytes()).as_ref());
    bytes
}
