//! The files beside the history that version 0.1 gave other names.

use std::fs;

use crate::config::History;

/// Gives the last values and the sessions of an earlier version their names of now.
pub(super) fn adopt(history: &History) {
    for (earlier, now) in history.earlier_names() {
        if now.exists() || !earlier.exists() {
            continue;
        }
        // Another database may use the earlier file still. Each writes a new one and renames it, so the two
        // names are of two files then.
        match fs::hard_link(&earlier, &now) {
            Ok(()) => log::info!("{} is {} now", earlier.display(), now.display()),
            Err(error) => log::warn!(
                "cannot take over {} as {}: {error}; copy it, and restart",
                earlier.display(),
                now.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_an_earlier_version_are_adopted_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let history = |name: &str| History { path: at(name).into(), ..Default::default() };
        fs::write(at("pump.last.json"), "shared").unwrap();
        adopt(&history("pump.north"));
        assert_eq!(fs::read_to_string(at("pump.north-last.json")).unwrap(), "shared");
        assert!(!at("pump.north-sessions.json").exists());
        fs::remove_file(at("pump.north-last.json")).unwrap();
        fs::write(at("pump.north-last.json"), "own").unwrap();
        adopt(&history("pump.north"));
        assert_eq!(fs::read_to_string(at("pump.north-last.json")).unwrap(), "own");
        adopt(&history("pump.db"));
        assert_eq!(fs::read_to_string(at("pump.last.json")).unwrap(), "shared");
    }
}
