//! Sessions of browsers: what the cookie holds, and what the server remembers.
//!
//! A session is a signed token. The server stores no sessions, only a random signing key for each
//! account and the ids of sessions that were signed out before their expiry:
//!
//! ```text
//!  cookie = base64url( version | id, 128 random bits | expiry | account | HMAC-SHA256 )
//! ```
//!
//! The key of an account is replaced when its password hash changes, and dropped when the account
//! goes. All of its sessions end with the key, whatever the clock shows, and none comes back
//! if the old hash or the account does.

mod file;
mod keeper;
mod vault;

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use self::vault::Vault;
use super::device::Devices;
use super::key::{Fingerprint, MacKey, NoRandomness, random};
use super::password::PasswordHash;
use super::rules::{LONGEST_NAME, User};
use crate::logging::OnChange;

pub use self::keeper::SessionKeeper;

/// Version of the token's form.
const VERSION: u8 = 1;

/// 128 random bits.
const ID: usize = 16;

const EXPIRY: usize = 8;
const MAC: usize = 32;

/// Bytes of a token in base64url at most.
const LONGEST_TOKEN: usize = (1 + ID + EXPIRY + LONGEST_NAME + MAC) * 4 / 3 + 1;

/// Signed-out sessions kept for an account. At this bound its key is replaced, which ends all of
/// its sessions: no list, however it fills up, brings a session back.
const MOST_REVOKED: usize = 4096;

/// Time by which a session may expire later than one that is issued now, for clocks that are set.
const CLOCK_TOLERANCE: u64 = 24 * 60 * 60;

/// Longest wait of a sign-out until its session is recorded on disk.
const SAVE_WAIT: Duration = Duration::from_millis(500);

/// The sessions of all accounts.
pub(super) struct Sessions {
    shared: Arc<Shared>,
    /// Verifies tokens of names that have no key. The HMAC key is set up anew for each token of any
    /// name, so that all cost the same.
    decoy: [u8; 32],
}

/// Result of a sign-out. The session has ended in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignOut {
    /// A crash does not undo it.
    Durable,
    /// It holds in memory, and a crash would undo it: it is not on disk yet.
    Unsaved,
}

/// A session that is good now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) account: String,
    id: [u8; ID],
    expires: u64,
    /// True if it was signed out.
    is_over: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    saved: Condvar,
}

struct State {
    vault: Vault,
    /// Grows with each change of the vault.
    version: u64,
    /// Version on disk.
    written: u64,
    /// True if sessions outlive the process: they were read from a file, or a keeper has started.
    has_file: bool,
    has_keeper: bool,
    is_stopping: bool,
    /// True since a write failed, until one succeeds.
    failure: OnChange<()>,
    /// Sign-outs that wait for the disk. One write serves all of them.
    waiting: usize,
    /// Bound of `waiting`: a disk that hangs holds so many workers for [`SAVE_WAIT`].
    most_waiting: usize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    /// Sessions that end with the process.
    pub(super) fn in_memory() -> Result<Sessions, NoRandomness> {
        Sessions::over(Vault::random()?, 0, false)
    }

    /// Sessions that were kept in that file, if there are any.
    pub(super) fn of_file(path: &Path) -> Result<Sessions, NoRandomness> {
        match file::load(path) {
            Some(vault) => Sessions::over(vault, 0, true),
            None => Sessions::over(Vault::random()?, 1, false),
        }
    }

    fn over(vault: Vault, version: u64, has_file: bool) -> Result<Sessions, NoRandomness> {
        let state = State {
            vault,
            version,
            written: 0,
            has_file,
            has_keeper: false,
            is_stopping: false,
            failure: OnChange::new(),
            waiting: 0,
            most_waiting: 1,
        };
        let shared =
            Shared { state: Mutex::new(state), changed: Condvar::new(), saved: Condvar::new() };
        Ok(Sessions { shared: Arc::new(shared), decoy: random()? })
    }

    /// Issues device cookies under a key that is kept as long as the sessions are.
    pub(super) fn devices(&self) -> Devices {
        Devices::new(&self.shared.state().vault.device_key)
    }

    /// Keeps the sessions of these accounts, and ends those of every other and of accounts whose
    /// password hash has changed.
    pub(super) fn sync(&self, users: &[User]) {
        let mut state = self.shared.state();
        match state.vault.sync(users) {
            Ok(false) => return,
            Ok(true) => {}
            Err(error) => log::error!("an account has no sessions: {error}"),
        }
        self.bump(&mut state);
    }

    /// Starts a session of `account` that is good for `lifetime` seconds from `now`. `None`: the
    /// account has no key for that password hash, because it has just gone or changed.
    pub(super) fn issue(
        &self,
        account: &str,
        verified: &PasswordHash,
        now: u64,
        lifetime: u64,
    ) -> Result<Option<String>, NoRandomness> {
        let id = random::<ID>()?;
        let expires = now.saturating_add(lifetime).to_be_bytes();
        let state = self.shared.state();
        let keyed = state.vault.accounts.get(account);
        let Some(keyed) = keyed.filter(|keyed| keyed.is_for(verified)) else { return Ok(None) };
        let signed = [&[VERSION][..], &id, &expires, account.as_bytes()].concat();
        let mac = mac(&MacKey::of(&keyed.key), &signed);
        Ok(Some(BASE64_URL_SAFE_NO_PAD.encode([&signed[..], &mac].concat())))
    }

    /// The session of a token, if it was issued here, has not expired and was not signed out.
    /// `lifetime` is that of the rules in force: a session that expires later than one issued now
    /// is refused. It was issued by a clock that was fast, or under a longer lifetime.
    pub(super) fn find(&self, token: &str, now: u64, lifetime: u64) -> Option<Session> {
        let latest = now.saturating_add(lifetime).saturating_add(CLOCK_TOLERANCE);
        let session = self.find_in(&self.shared.state(), token, now)?;
        (!session.is_over && session.expires <= latest).then_some(session)
    }

    /// Returns the session of a token that was issued here and has not expired.
    fn find_in(&self, state: &State, token: &str, now: u64) -> Option<Session> {
        if token.len() > LONGEST_TOKEN {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, sent) = bytes.split_last_chunk::<MAC>()?;
        let (&version, rest) = signed.split_first()?;
        let (id, rest) = rest.split_first_chunk::<ID>()?;
        let (expires, name) = rest.split_first_chunk::<EXPIRY>()?;
        let (account, expires) = (std::str::from_utf8(name).ok()?, u64::from_be_bytes(*expires));
        let keyed = state.vault.accounts.get(account);
        let key = keyed.map_or(&self.decoy, |keyed| &keyed.key);
        let computed = mac(&MacKey::of(key), signed);
        let is_genuine = verify_slices_are_equal(&computed, sent).is_ok();
        let keyed = keyed.filter(|_| is_genuine && version == VERSION)?;
        let is_over = keyed.revoked.contains_key(id);
        (expires > now).then(|| Session { account: account.to_owned(), id: *id, expires, is_over })
    }

    /// Ends the session of a token, for good, without waiting for the disk. Returns false if it was
    /// not issued here or has expired; true also if it had ended before.
    pub(super) fn end(&self, token: &str, now: u64) -> bool {
        let mut state = self.shared.state();
        let Some(session) = self.find_in(&state, token, now) else { return false };
        if session.is_over {
            return true;
        }
        if let Err(error) = state.vault.revoke(&session.account, session.id, session.expires, now) {
            log::error!("a session was signed out in memory only: {error}");
        }
        self.bump(&mut state);
        true
    }

    /// Waits until every session that has ended is recorded on disk: for [`SAVE_WAIT`] at most, and
    /// not at all while writing fails or as many callers wait as may.
    pub(super) fn wait_until_saved(&self) -> SignOut {
        let mut state = self.shared.state();
        let version = state.version;
        let waits = |state: &mut State| {
            state.has_file && state.written < version && state.has_keeper && !state.failure.is_set()
        };
        if waits(&mut state) && state.waiting < state.most_waiting {
            state.waiting += 1;
            let waited = self.shared.saved.wait_timeout_while(state, SAVE_WAIT, waits);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        // Without a file every session ends with the process.
        let is_durable = !state.has_file || state.written >= version;
        if is_durable { SignOut::Durable } else { SignOut::Unsaved }
    }

    fn bump(&self, state: &mut State) {
        state.version += 1;
        self.shared.changed.notify_all();
    }

    /// Starts the thread that writes changes to that file. At most `most_waiting` sign-outs wait for
    /// it at a time.
    pub(super) fn keep(&self, path: &Path, most_waiting: usize) -> std::io::Result<SessionKeeper> {
        self.shared.state().most_waiting = most_waiting;
        SessionKeeper::start(Arc::clone(&self.shared), path.to_owned())
    }
}

fn mac(key: &MacKey, signed: &[u8]) -> Fingerprint {
    key.fingerprint(&[b"session", signed])
}

#[cfg(test)]
mod tests;
