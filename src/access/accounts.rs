//! The accounts, ready to be looked up, and the passwords that were verified lately.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::key::{Fingerprint, MacKey};
use super::password::PasswordHash;
use super::rules::{Limits, Restricted, Scopes, Token, User};
use super::token::TokenHash;

/// Who has an account, and what is open to all.
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
    /// SHA-256 of name and password hash. Evidence that a caller has had the right password is
    /// bound to it, and ends when the hash changes or the account goes.
    pub(super) proof: Fingerprint,
    /// Networks from which the right password was verified lately.
    remembered: Mutex<Vec<Remembered>>,
}

/// Networks remembered for an account; at this bound its longest unused one is forgotten. Only
/// the right password adds one.
const MOST_REMEMBERED: usize = 16;

/// A verified password, good from one network.
#[derive(Clone, Copy)]
struct Remembered {
    network: Fingerprint,
    credential: Fingerprint,
    used: Instant,
}

impl Accounts {
    /// The accounts of the rules. What `before` remembers of an account stays remembered if its
    /// password hash is the same.
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

    /// Proofs of the accounts with a password.
    pub(super) fn proofs(&self) -> impl Iterator<Item = Fingerprint> {
        self.users.values().map(|account| account.proof)
    }

    pub(super) fn user(&self, name: &str) -> Option<&Account> {
        self.users.get(name)
    }

    /// What to verify for a name that nobody has: always the same for the same name, and as
    /// costly as for one of the users. `None`: there are no users to be told from.
    pub(super) fn decoy(&self, name: &Fingerprint) -> Option<&PasswordHash> {
        let number = name.iter().take(4).fold(0_usize, |number, byte| number << 8 | *byte as usize);
        self.decoys.get(number.checked_rem(self.decoys.len())?)
    }

    /// The scopes of a token. Every token is looked at, whichever it is.
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
    /// than `remember`. Each use starts that time anew: the password of an account cannot change
    /// without new rules, and these forget every account whose hash is another.
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
        if remembered.len() >= MOST_REMEMBERED {
            let oldest = (0..remembered.len()).min_by_key(|place| remembered[*place].used);
            oldest.map(|place| remembered.swap_remove(place));
        }
        remembered.push(Remembered { network, credential, used: now });
    }
}
