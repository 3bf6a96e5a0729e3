//! The file of sessions: JSON, replaced as a whole. A new one has mode 0600, and an existing mode
//! stays.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::ID;
use super::vault::{Keyed, Vault};
use crate::private_file;

/// Version of the file's form.
const VERSION: u32 = 1;

/// Bytes of a file that is read; one of ours with a thousand accounts has fewer.
const LONGEST_FILE: u64 = 32 << 20;

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    device_key: String,
    accounts: Vec<StoredAccount>,
}

#[derive(Serialize, Deserialize)]
struct StoredAccount {
    name: String,
    password: String,
    key: String,
    revoked: HashMap<String, u64>,
}

/// Reason for which a file cannot be used.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is damaged, or of another version")]
    Damaged,
}

/// The sessions that the file holds; `None` if there is no such file. Without one that can be
/// read every session has ended, and that is the safe side. A damaged file is set aside.
pub(super) fn load(path: &Path) -> Option<Vault> {
    match read(path) {
        Ok(vault) => Some(vault),
        Err(LoadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => None,
        Err(LoadError::Io(error)) => {
            log::error!("cannot read sessions from {}: {error}; all have ended", path.display());
            None
        }
        Err(error @ LoadError::Damaged) => {
            let aside = path.with_extension("json.damaged");
            let outcome = match fs::rename(path, &aside) {
                Ok(()) => format!("renamed to {}", aside.display()),
                Err(error) => format!("cannot be renamed: {error}"),
            };
            log::error!("cannot read sessions from {}: {error}; {outcome}", path.display());
            None
        }
    }
}

fn read(path: &Path) -> Result<Vault, LoadError> {
    let file = File::open(path)?;
    if let Some(mode) = private_file::exposed_mode(path) {
        let path = path.display();
        log::warn!("{path} holds signing keys and has mode {mode:04o}: run chmod 600 {path}");
    }
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE).read_to_end(&mut bytes)?;
    decode(&bytes).ok_or(LoadError::Damaged)
}

/// Replaces the file as a whole.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    private_file::replace(path, ".new", bytes)
}

pub(super) fn encode(vault: &Vault) -> Vec<u8> {
    let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let account = |(name, keyed): (&String, &Keyed)| StoredAccount {
        name: name.clone(),
        password: text(&keyed.password),
        key: text(&keyed.key),
        revoked: keyed.revoked.iter().map(|(id, expires)| (text(id), *expires)).collect(),
    };
    let stored = Stored {
        version: VERSION,
        device_key: text(&vault.device_key),
        accounts: vault.accounts.iter().map(account).collect(),
    };
    serde_json::to_vec(&stored).expect("strings and numbers are always JSON")
}

pub(super) fn decode(bytes: &[u8]) -> Option<Vault> {
    let stored: Stored = serde_json::from_slice(bytes).ok()?;
    if stored.version != VERSION {
        return None;
    }
    let account = |stored: StoredAccount| {
        let revoked = stored.revoked.into_iter();
        let revoked = revoked.map(|(id, expires)| Some((array::<ID>(&id)?, expires)));
        let keyed = Keyed {
            password: array(&stored.password)?,
            key: array(&stored.key)?,
            revoked: revoked.collect::<Option<_>>()?,
        };
        Some((stored.name, keyed))
    };
    Some(Vault {
        device_key: array(&stored.device_key)?,
        accounts: stored.accounts.into_iter().map(account).collect::<Option<_>>()?,
    })
}

fn array<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
