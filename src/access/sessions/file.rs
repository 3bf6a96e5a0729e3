//! The sessions file: JSON, replaced atomically by each write. A new file has mode 0600; an existing one keeps
//! its mode.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;

use super::ID;
use super::key_store::{AccountKey, KeyStore};
use crate::file_error::read_own;
use crate::json::deserialize_members;
use crate::order;
use crate::private_file;

/// Version of the file's format.
const VERSION: u32 = 1;

#[derive(Default, Serialize)]
struct Stored {
    version: u32,
    device_key: String,
    accounts: Vec<StoredAccount>,
}

deserialize_members!(Stored { version, device_key, accounts } required { version, device_key, accounts });

#[derive(Default, Serialize)]
struct StoredAccount {
    name: String,
    password: String,
    key: String,
    generation: i64,
    revoked: HashMap<String, u64>,
}

deserialize_members!(StoredAccount { name, password, key, generation, revoked } required { name, password, key, revoked });

/// Error of loading the file.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("damaged, or of another version")]
    Damaged,
}

/// Loads the keys. Returns `None` if the file does not exist or cannot be read: all sessions have then ended,
/// which is the safe outcome. A damaged file is renamed, if it is ours.
pub(super) fn load(path: &Path, is_ours: bool) -> Option<KeyStore> {
    match read(path) {
        Ok(keys) => Some(keys),
        Err(LoadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => None,
        Err(LoadError::Io(error)) => {
            log::error!(
                "cannot read sessions from {}: {error}; all sessions have ended",
                path.display()
            );
            None
        }
        Err(error @ LoadError::Damaged) => {
            let aside = path.with_extension("json.damaged");
            let rename = || match is_ours {
                true => fs::rename(path, &aside),
                false => Err(io::Error::other("another process writes it")),
            };
            let outcome = match rename() {
                Ok(()) => format!("renamed to {}", aside.display()),
                Err(error) => format!("cannot be renamed: {error}"),
            };
            log::error!("cannot read sessions from {}: {error}; {outcome}", path.display());
            None
        }
    }
}

fn read(path: &Path) -> Result<KeyStore, LoadError> {
    let bytes = read_own(path)?;
    if let Some(mode) = private_file::exposed_mode(path) {
        let path = path.display();
        log::warn!("{path} contains signing keys and has mode {mode:04o}: run chmod 600 {path}");
    }
    decode(&bytes).ok_or(LoadError::Damaged)
}

/// Replaces the file atomically.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    private_file::replace(path, ".new", bytes)
}

pub(super) fn encode(keys: &KeyStore) -> Vec<u8> {
    let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let account = |(name, account_key): (&String, &AccountKey)| StoredAccount {
        name: name.clone(),
        password: text(&account_key.password),
        key: text(&account_key.key),
        generation: account_key.generation,
        revoked: account_key.revoked.iter().map(|(id, expires)| (text(id), *expires)).collect(),
    };
    let stored = Stored {
        version: VERSION,
        device_key: text(&keys.device_key),
        accounts: keys.accounts.iter().map(account).collect(),
    };
    serde_json::to_vec(&stored).expect("strings and numbers are always JSON")
}

pub(super) fn decode(bytes: &[u8]) -> Option<KeyStore> {
    let stored: Stored = serde_json::from_slice(bytes).ok()?;
    if stored.version != VERSION {
        return None;
    }
    let account = |stored: StoredAccount| {
        let revoked = stored.revoked.into_iter();
        let revoked = revoked.map(|(id, expires)| Some((array::<ID>(&id)?, expires)));
        let revoked: HashMap<[u8; ID], u64> = revoked.collect::<Option<_>>()?;
        let account_key = AccountKey {
            password: array(&stored.password)?,
            key: array(&stored.key)?,
            // Files of earlier versions have none.
            generation: stored.generation.max(1),
            unsent: revoked.keys().copied().collect(),
            revoked,
            is_sent: false,
        };
        Some((stored.name, account_key))
    };
    let accounts: Vec<(String, AccountKey)> =
        stored.accounts.into_iter().map(account).collect::<Option<_>>()?;
    Some(KeyStore { device_key: array(&stored.device_key)?, accounts: order::gathered(accounts) })
}

fn array<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
