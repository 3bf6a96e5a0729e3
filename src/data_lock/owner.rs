//! Owner of the lock's file: that of the database, whichever user creates the file.
//!
//! A command that root runs once would else leave a file that the server's user cannot open, and so no lock.

use std::fs::{self, File, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use super::place::resolve;

/// Mode bits that a file of data can have.
const DATA_MODE: u32 = 0o666;

/// Gives a locked file of ours the owner and the mode of the database; the owner of the folder, if there is no
/// database yet.
///
/// Only root can change an owner. The owner of a folder could put another file of root's there by a hard
/// link, and would be given it: a file with a second name is left alone.
pub(super) fn hand_over(file: &File, database: &Path) {
    let database = resolve(database);
    let Ok(own) = file.metadata() else { return };
    let existing = fs::metadata(&database).ok();
    let model = existing.clone().or_else(|| fs::metadata(database.parent()?).ok());
    let Some(model) = model.filter(|_| own.nlink() == 1) else { return };
    let ids = |metadata: &Metadata| (metadata.uid(), metadata.gid());
    // Without the right to, the file stays as it is: this process can lock it.
    if ids(&own) != ids(&model) && fchown(file, Some(model.uid()), Some(model.gid())).is_err() {
        return;
    }
    if let Some(existing) = existing {
        let mode = existing.permissions().mode() & DATA_MODE;
        let _ = file.set_permissions(Permissions::from_mode(mode));
    }
}
