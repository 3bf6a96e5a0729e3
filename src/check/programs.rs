//! Notes on the programs of channels, `kind = "exec"`: one that cannot be run is noticed with the first alert else.

use std::env;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Channel, ChannelKind};

/// Returns a note for each channel whose program cannot be run.
pub(super) fn notes(channels: &[Arc<Channel>]) -> Vec<String> {
    let notes = channels.iter().filter_map(|channel| {
        let ChannelKind::Exec(command) = &channel.kind else { return None };
        let program = command.first()?;
        let fault =
            fault(program, env::var_os("PATH").map(|path| env::split_paths(&path).collect()))?;
        Some(format!(
            "channel {}: the program {program} {fault}, so no message would be sent",
            channel.name
        ))
    });
    notes.collect()
}

/// Returns the reason why a program cannot be run. `folders` are those of `PATH`.
fn fault(program: &str, folders: Option<Vec<PathBuf>>) -> Option<&'static str> {
    if program.contains('/') {
        return match Path::new(program).metadata() {
            Ok(_) if is_executable(Path::new(program)) => None,
            Ok(_) => Some("is not executable"),
            Err(_) => Some("does not exist, or its folder cannot be read"),
        };
    }
    let is_found = folders.iter().flatten().any(|folder| is_executable(&folder.join(program)));
    (!is_found).then_some("is in no folder of the PATH of this command")
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn program_is_an_executable_file_at_its_path_or_in_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("plain"), "").unwrap();
        fs::write(path("notify"), "").unwrap();
        fs::set_permissions(path("notify"), fs::Permissions::from_mode(0o755)).unwrap();
        for (program, expected) in [
            (path("notify"), None),
            (path("plain"), Some("is not executable")),
            (path(""), Some("is not executable")),
            (path("none"), Some("does not exist, or its folder cannot be read")),
            ("notify".to_owned(), None),
            ("plain".to_owned(), Some("is in no folder of the PATH of this command")),
            ("none".to_owned(), Some("is in no folder of the PATH of this command")),
        ] {
            assert_eq!(
                fault(&program, Some(vec![folder.path().to_owned()])),
                expected,
                "{program}"
            );
        }
        assert!(fault("notify", None).is_some());
    }
}
