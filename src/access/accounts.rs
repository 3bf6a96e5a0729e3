//! Accounts, prepared for lookups, with the passwords that were verified recently.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::identity::Holder;
use super::key::{Fingerprint, MacKey};
use super::password::PasswordHash;
use super::rules::{Limits, Restricted, Scopes, Token, User};
use super::token::TokenHash;

/// Users, tokens and public routes of the rules in force.
pub(super) struct Accounts {
    users: HashMap<String, Account>,
    tokens: Vec<Token>,
    public: HashSet<String>,
    decoys: Vec<PasswordHash>,
    pub(super) limits: Limits,
}

/// A user's account.
pub(super) struct Account {
    pub(super) password_hash: PasswordHash,
    pub(super) scopes: Scopes,
    /// SHA-256 of name and password hash. Device cookies and known networks are bound to it, so they become
    /// invalid when the hash changes or the account is removed.
    pub(super) proof: Fingerprint,
    /// Networks from which the right password was verified recently.
    remembered: Mutex<Vec<Remembered>>,
}

/// Most networks remembered for an account. Beyond it, the least recently used one is evicted. Only the right
/// password adds one.
const MAX_REMEMBERED: usize = 16;

/// A verified password, valid from one network.
#[derive(Clone, Copy)]
struct Remembered {
    network: Fingerprint,
    credential: Fingerprint,
    used: Instant,
}

impl Accounts {
    /// Prepares the accounts of the rules. An account keeps the remembered passwords of `before` if its
    /// password hash is unchanged.
    pub(super) fn new(
        restricted: &Restricted,
        key: &MacKey,
        before: Option<&Accounts>,
    ) -> Accounts {
        let account = |user: &User| {
            let unchanged = before
                .and_then(|before| before.users.get(&user.name))
                .filter(|account| account.password_hash == user.password_hash);
            Account {
                password_hash: user.password_hash.clone(),
                scopes: user.scopes.clone(),
                proof: user.password_hash.digest(&user.name),
                remembered: Mutex::new(
                    unchanged.map_or_else(Vec::new, |account| account.remembered().clone()),
                ),
            }
        };
        let decoy = |user: &User| {
            let name = user.name.as_bytes();
            let salt = key.fingerprint(&[b"salt of a decoy", name]);
            user.password_hash.decoy(&salt, &key.fingerprint(&[b"output of a decoy", name]))
        };
        let Restricted { users, tokens, public, limits } = restricted;
        Accounts {
            users: users.iter().map(|user| (user.name.clone(), account(user))).collect(),
            tokens: tokens.clone(),
            public: public.iter().cloned().collect(),
            decoys: users.iter().map(decoy).collect(),
            limits: limits.clone(),
        }
    }

    pub(super) fn is_public(&self, pattern: &str) -> bool {
        self.public.contains(pattern)
    }

    pub(super) fn has_users(&self) -> bool {
        !self.users.is_empty()
    }

    pub(super) fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Returns the proofs of the accounts with a password.
    pub(super) fn proofs(&self) -> impl Iterator<Item = Fingerprint> {
        self.users.values().map(|account| account.proof)
    }

    pub(super) fn user(&self, name: &str) -> Option<&Account> {
        self.users.get(name)
    }

    /// Returns a user's account as its holder.
    pub(super) fn holder(&self, name: &str) -> Option<Holder<'_>> {
        let (name, account) = self.users.get_key_value(name)?;
        Some(Holder { name, scopes: &account.scopes })
    }

    /// Returns the hash that is verified for a name without an account. It is always the same for one name, and
    /// costs as much as that of a user. `None` if there are no users.
    pub(super) fn decoy(&self, name: &Fingerprint) -> Option<&PasswordHash> {
        let number = name.iter().take(4).fold(0_usize, |number, byte| number << 8 | *byte as usize);
        self.decoys.get(number.checked_rem(self.decoys.len())?)
    }

    /// Returns the holder of a token. It is compared with every token, so that the time reveals nothing.
    pub(super) fn token(&self, hash: &TokenHash) -> Option<Holder<'_>> {
        self.tokens
            .iter()
            .fold(None, |found, token| if token.hash == *hash { Some(token) } else { found })
            .map(|token| Holder { name: &token.name, scopes: &token.scopes })
    }
}

impl Account {
    fn remembered(&self) -> MutexGuard<'_, Vec<Remembered>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if this credential was verified from this network, and last used there within `remember`.
    ///
    /// Each use restarts that time. With a fixed lifetime, an attacker that throttles an account would lock out
    /// its owner as soon as the lifetime ends. A changed password needs none: new rules drop the remembered
    /// passwords of every account whose hash has changed.
    pub(super) fn is_remembered(
        &self,
        network: &Fingerprint,
        credential: &Fingerprint,
        now: Instant,
        remember: Duration,
    ) -> bool {
        let mut remembered = self.remembered();
        remembered.retain(|entry| now.saturating_duration_since(entry.used) < remember);
        let entry = remembered.iter_mut().find(|entry| entry.network == *network);
        let Some(entry) = entry else { return false };
        let is_equal = verify_slices_are_equal(&entry.credential, credential).is_ok();
        if is_equal {
            entry.used = now;
        }
        is_equal
    }

    /// Remembers a credential that was verified from this network.
    pub(super) fn remember(&self, network: Fingerprint, credential: Fingerprint, now: Instant) {
        let mut remembered = self.remembered();
        remembered.retain(|entry| entry.network != network);
        if remembered.len() >= MAX_REMEMBERED {
            let oldest = (0..remembered.len()).min_by_key(|place| remembered[*place].used);
            oldest.map(|place| remembered.swap_remove(place));
        }
        remembered.push(Remembered { network, credential, used: now });
    }
}
