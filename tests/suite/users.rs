//! An ordinary user, as whom tests that root runs start programs: root may read and write everything.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::server::BINARY;

/// User and group of every Debian system that own no files.
pub const USER: &str = "nobody";
pub const GROUP: &str = "nogroup";

/// Returns true if this test may change users and files may be read by others.
pub fn can_change_users() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    let is_readable = |path: &Path| {
        path.ancestors().all(|folder| {
            std::fs::metadata(folder).is_ok_and(|file| file.permissions().mode() & 0o005 == 0o005)
        })
    };
    is_root
        && is_readable(Path::new(BINARY))
        && as_user("true").status().is_ok_and(|status| status.success())
}

/// Returns [`can_change_users`], and prints otherwise that this test is skipped.
pub fn may_change_users() -> bool {
    let may = can_change_users();
    if !may {
        hostile::skip::report("needs root, setpriv and a readable binary");
    }
    may
}

/// Returns a command that runs a program as [`USER`], without other groups.
pub fn as_user(program: &str) -> Command {
    as_user_in(USER, GROUP, program)
}

/// Returns a command that runs a program as a user in one group.
pub fn as_user_in(user: &str, group: &str, program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={group}")]);
    command.args(["--clear-groups", program]);
    command
}
