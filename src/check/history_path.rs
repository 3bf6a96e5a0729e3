//! Notes on the lock of the history, and on the rights to write it.

use std::path::Path;

use crate::data_lock::{find_holder, second_name, write_fault};
use crate::file_error::user_name;

/// Returns notes on the lock of a database: another process has it, or it may be missed; and on
/// missing rights of this user.
pub(super) fn notes(path: &Path) -> Vec<String> {
    let holder = find_holder(path).map(|holder| {
        format!(
            "{}: another process records this history: {holder}; a second server serves without it",
            path.display()
        )
    });
    let denied = write_fault(path).map(|fault| {
        format!(
            "{}: as the user {} of this check, nothing can be stored: {fault}; if the server has a user of its \
             own, run check as that user",
            path.display(),
            user_name()
        )
    });
    holder.into_iter().chain(second_name(path)).chain(denied).collect()
}
