//! Browser sessions: signed tokens in a cookie.
//!
//! The server stores no sessions, only a random signing key for each account and the ids of sessions that
//! were signed out before their expiry:
//!
//! ```text
//!  cookie = base64url( version | id, 128 random bits | expiry | account | HMAC-SHA256 )
//! ```
//!
//! The key of an account is replaced when its password hash changes, and dropped when the account is
//! removed. All of its sessions end with the key, independent of the clock, and none becomes valid again if
//! the old hash or the account is configured again.
//!
//! Keys and signed-out ids are stored in a file beside the history (mode 0600), written by the thread
//! `pw-sessions`. A sign-out waits for up to half a second for a write that includes it; one write serves
//! all that wait. If the sign-out is not on disk by then, the client gets 503: the session has ended, but a
//! crash would restore it.
//!
//! Only the process that has the lock on the history writes the file. A second one refuses what it cannot store
//! in the same way, and when it gets the lock it adopts the sign-outs that the first one has stored.
//!
//! Replicas that share a store exchange keys and sign-outs (`replicas`). The file then serves a start while the
//! database is away. Once it answers, the key of the higher generation holds, and of one generation that of the
//! database.

mod file;
mod key_store;
mod replicas;
mod retirement;
mod writer;

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use self::key_store::KeyStore;
use self::retirement::Retirement;
use super::device::Devices;
use super::key::{Fingerprint, MacKey, NoRandomness, random};
use super::password::PasswordHash;
use super::rules::{MAX_NAME_BYTES, User};
use crate::data_lock::DataLock;
use crate::logging::OnChange;

pub use self::writer::SessionWriter;

/// Version of the token's format.
const VERSION: u8 = 1;

/// Number of bytes of a session id: 128 random bits.
const ID: usize = 16;

const EXPIRY: usize = 8;
const MAC: usize = 32;

/// Most bytes of a token in base64url.
const MAX_TOKEN_BYTES: usize = (1 + ID + EXPIRY + MAX_NAME_BYTES + MAC) * 4 / 3 + 1;

/// Most signed-out sessions stored for an account. Beyond it the account's key is replaced, which ends all
/// of its sessions, so a full list never makes a session valid again.
const MAX_REVOKED: usize = 4096;

/// Time by which a session may expire later than one issued now, as tolerance for clock corrections.
const CLOCK_TOLERANCE: u64 = 24 * 60 * 60;

/// Longest wait of a sign-out for the disk.
const SAVE_WAIT: Duration = Duration::from_millis(500);

/// The sessions of all accounts.
pub(super) struct Sessions {
    shared: Arc<Shared>,
    /// Key for tokens of names without a key. The HMAC key is set up for each token of any name, so that
    /// all take the same time.
    decoy: [u8; 32],
}

/// Result of a sign-out. The session has ended in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignOut {
    /// A crash does not undo it.
    Durable,
    /// It is in memory only: a crash would undo it.
    Unsaved,
}

/// A session that was issued here and has not expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) account: String,
    id: [u8; ID],
    expires: u64,
    /// True if it was signed out.
    is_revoked: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    saved: Condvar,
}

struct State {
    keys: KeyStore,
    retirement: Retirement,
    /// Incremented by each change of the keys.
    version: u64,
    /// Version on disk.
    written: u64,
    /// True if sessions outlive the process: they were read from a file, or a writer has started.
    has_file: bool,
    has_writer: bool,
    is_stopping: bool,
    /// True if another process may write the file, or has written it since it was read: before this one writes it,
    /// it adopts what the other one has stored.
    must_adopt: bool,
    /// Set from a failed write to the next success.
    failure: OnChange<()>,
    /// Number of sign-outs that wait for the disk. One write serves all of them.
    waiting: usize,
    /// Bound of `waiting`: a disk that hangs blocks this many workers for [`SAVE_WAIT`].
    max_waiting: usize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    /// Creates sessions that end with the process.
    pub(super) fn in_memory() -> Result<Sessions, NoRandomness> {
        Sessions::over(KeyStore::random()?, 0, false)
    }

    /// Loads the sessions stored in a file, if it exists.
    pub(super) fn of_file(path: &Path, lock: &DataLock) -> Result<Sessions, NoRandomness> {
        let is_ours = lock.is_ours();
        // The recorder reports a history without a place.
        let stored = if lock.has_place() { file::load(path, is_ours) } else { None };
        let sessions = match stored {
            Some(keys) => Sessions::over(keys, 0, true),
            None => Sessions::over(KeyStore::random()?, 1, false),
        }?;
        sessions.shared.state().must_adopt = !is_ours;
        Ok(sessions)
    }

    fn over(keys: KeyStore, version: u64, has_file: bool) -> Result<Sessions, NoRandomness> {
        let state = State {
            keys,
            retirement: Retirement::default(),
            version,
            written: 0,
            has_file,
            has_writer: false,
            is_stopping: false,
            must_adopt: false,
            failure: OnChange::new(),
            waiting: 0,
            max_waiting: 1,
        };
        let shared =
            Shared { state: Mutex::new(state), changed: Condvar::new(), saved: Condvar::new() };
        Ok(Sessions { shared: Arc::new(shared), decoy: random()? })
    }

    /// Returns the issuer of device cookies, whose key is stored with the sessions.
    pub(super) fn devices(&self) -> Devices {
        Devices::new(&self.shared.state().keys.device_key)
    }

    /// Ends the sessions of all accounts that are not among `users` or have another password hash there.
    pub(super) fn sync(&self, users: &[User]) {
        let mut state = self.shared.state();
        // All keys of the store are compared with the new configuration.
        state.retirement = Retirement::default();
        match state.keys.sync(users) {
            Ok(false) => return,
            Ok(true) => {}
            Err(error) => {
                log::error!("cannot create signing keys, so some accounts cannot sign in: {error}")
            }
        }
        self.mark_changed(&mut state);
    }

    /// Issues a token for a session of `account` that lasts `lifetime` seconds from `now`. Returns `None` if a
    /// reload has just removed the account or changed its password hash.
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
        let account_key = state.keys.accounts.get(account);
        let Some(account_key) = account_key.filter(|account_key| account_key.is_for(verified))
        else {
            return Ok(None);
        };
        let signed = [&[VERSION][..], &id, &expires, account.as_bytes()].concat();
        let mac = mac(&MacKey::of(&account_key.key), &signed);
        Ok(Some(BASE64_URL_SAFE_NO_PAD.encode([&signed[..], &mac].concat())))
    }

    /// Returns the session of a token that was issued here, has not expired and was not signed out.
    /// `lifetime` is that of the rules in force. A session that expires later than one issued now is refused:
    /// either the clock was ahead when it was issued, or the lifetime has been shortened.
    pub(super) fn find(&self, token: &str, now: u64, lifetime: u64) -> Option<Session> {
        let latest = now.saturating_add(lifetime).saturating_add(CLOCK_TOLERANCE);
        let session = self.find_in(&self.shared.state(), token, now)?;
        (!session.is_revoked && session.expires <= latest).then_some(session)
    }

    /// Returns the session of a token that was issued here and has not expired.
    fn find_in(&self, state: &State, token: &str, now: u64) -> Option<Session> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, sent) = bytes.split_last_chunk::<MAC>()?;
        let (&version, rest) = signed.split_first()?;
        let (id, rest) = rest.split_first_chunk::<ID>()?;
        let (expires, name) = rest.split_first_chunk::<EXPIRY>()?;
        let (account, expires) = (std::str::from_utf8(name).ok()?, u64::from_be_bytes(*expires));
        let account_key = state.keys.accounts.get(account);
        let key = account_key.map_or(&self.decoy, |account_key| &account_key.key);
        let computed = mac(&MacKey::of(key), signed);
        let is_genuine = verify_slices_are_equal(&computed, sent).is_ok();
        let account_key = account_key.filter(|_| is_genuine && version == VERSION)?;
        let is_revoked = account_key.revoked.contains_key(id);
        (expires > now).then(|| Session {
            account: account.to_owned(),
            id: *id,
            expires,
            is_revoked,
        })
    }

    /// Ends the session of a token without waiting for the disk. Returns false if the token was not issued here
    /// or has expired, and true if the session has ended, now or before.
    pub(super) fn end(&self, token: &str, now: u64) -> bool {
        let mut state = self.shared.state();
        let Some(session) = self.find_in(&state, token, now) else { return false };
        if session.is_revoked {
            return true;
        }
        if let Err(error) = state.keys.revoke(&session.account, session.id, session.expires, now) {
            log::error!(
                "cannot replace the signing key of an account with too many sign-outs: {error}"
            );
        }
        self.mark_changed(&mut state);
        true
    }

    /// Waits until all sign-outs so far are on disk: for at most [`SAVE_WAIT`], and not at all while
    /// writing fails or `max_waiting` callers wait.
    pub(super) fn wait_until_saved(&self) -> SignOut {
        let mut state = self.shared.state();
        let version = state.version;
        let must_wait = |state: &mut State| {
            state.has_file && state.written < version && state.has_writer && !state.failure.is_set()
        };
        if must_wait(&mut state) && state.waiting < state.max_waiting {
            state.waiting += 1;
            let waited = self.shared.saved.wait_timeout_while(state, SAVE_WAIT, must_wait);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        // Without a file, no session survives the process.
        let is_durable = !state.has_file || state.written >= version;
        if is_durable { SignOut::Durable } else { SignOut::Unsaved }
    }

    fn mark_changed(&self, state: &mut State) {
        state.version += 1;
        self.shared.changed.notify_all();
    }

    /// Starts the thread that writes changes to a file while this process has the lock. At most `max_waiting`
    /// sign-outs wait for it at a time.
    pub(super) fn write_to(
        &self,
        path: &Path,
        lock: Arc<DataLock>,
        max_waiting: usize,
    ) -> std::io::Result<SessionWriter> {
        self.shared.state().max_waiting = max_waiting;
        SessionWriter::start(Arc::clone(&self.shared), path.to_owned(), lock)
    }
}

fn mac(key: &MacKey, signed: &[u8]) -> Fingerprint {
    key.fingerprint(&[b"session", signed])
}

#[cfg(test)]
mod tests;
