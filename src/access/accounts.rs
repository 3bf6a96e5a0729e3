//! Accounts, prepared for lookups, with the passwords that were verified recently.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;

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
    /// SHA-256 of name and password hash. Evidence that a caller had the right password is bound to it,
    /// and ends when the hash changes or the account is removed.
    pub(super) proof: Fingerprint,
    /// Networks from which the right password was verified recently.
    remembered: Mutex<Vec<Remembered>>,
}

/// Most networks remembered for an account; beyond it the least recently used one is forgotten. Only
/// the right password adds one.
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
            let same = before
                .and_then(|before| before.users.get(&user.name))
                .filter(|account| account.password_hash == user.password_hash);
            Account {
                password_hash: user.password_hash.clone(),
                scopes: user.scopes.clone(),
                proof: user.password_hash.digest(&user.name),
                remembered: Mutex::new(same.map_or_else(Vec::new, |it| it.remembered().clone())),
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

    /// Returns the hash to verify for a name without an account: always the same one for the same name,
    /// as costly as that of a user. `None` if there are no users.
    pub(super) fn decoy(&self, name: &Fingerprint) -> Option<&PasswordHash> {
        let number = name.iter().take(4).fold(0_usize, |number, byte| number << 8 | *byte as usize);
        self.decoys.get(number.checked_rem(self.decoys.len())?)
    }

    /// Returns the scopes of a token. It is compared with every token, so the time reveals none.
    pub(super) fn token(&self, hash: &TokenHash) -> Option<&Scopes> {
        self.tokens
            .iter()
            .fold(None, |found, token| if token.hash == *hash { Some(token) } else { found })
            .map(|token| &token.scopes)
    }
}

impl Account {
    fn remembered(&self) -> MutexGuard<'_, Vec<Remembered>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if this credential was verified from this network, and used there no longer ago
    /// than `remember`. Each use restarts that time. A fixed end would let an attacker that throttles
    /// an account lock out its owner minutes later, and would gain nothing: a password changes only with
    /// new rules, which forget every account with a changed hash.
    pub(super) fn recognises(
        &self,
        network: &Fingerprint,
        credential: &Fingerprint,
        now: Instant,
        remember: Duration,
    ) -> bool {
        let mut remembered = self.remembered();
        remembered.retain(|latest| now.saturating_duration_since(latest.used) < remember);
        let latest = remembered.iter_mut().find(|latest| latest.network == *network);
        let Some(latest) = latest else { return false };
        let same = verify_slices_are_equal(&latest.credential, credential).is_ok();
        if same {
            latest.used = now;
        }
        same
    }

    /// Remembers a credential that was verified from this network.
    pub(super) fn remember(&self, network: Fingerprint, credential: Fingerprint, now: Instant) {
        let mut remembered = self.remembered();
        remembered.retain(|latest| latest.network != network);
        if remembered.len() >= MAX_REMEMBERED {
            let oldest = (0..remembered.len()).min_by_key(|place| remembered[*place].used);
            oldest.map(|place| remembered.swap_remove(place));
        }
        remembered.push(Remembered { network, credential, used: now });
    }
}
