//! Location of the program's examples and documents on this machine.

use std::path::{Path, PathBuf};

/// Folders for documents below the parent of the program's folder, and that of distributions.
const BELOW_PREFIX: [&str; 2] = ["share/doc/pumphouse-web", "share/pumphouse-web"];
const PACKAGED: &str = "/usr/share/doc/pumphouse-web";

/// Folders that may have the documents.
#[derive(Debug, Clone)]
pub(super) struct Documents(Vec<PathBuf>);

impl Documents {
    /// Returns those that are installed with a program.
    pub(super) fn of(binary: &Path) -> Documents {
        let prefix = binary.parent().and_then(Path::parent);
        let below = prefix.into_iter().flat_map(|prefix| BELOW_PREFIX.map(|it| prefix.join(it)));
        Documents(below.chain([PACKAGED.into()]).collect())
    }

    /// Returns the absolute path of a document, or else where the sources have it.
    pub(super) fn locate(&self, name: &str) -> String {
        let mut paths = self.0.iter().map(|folder| folder.join(name));
        match paths.find(|path| path.exists()) {
            Some(path) => path.display().to_string(),
            None => format!("{name} in the project's folder"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn document_is_named_by_its_path_if_it_is_installed() {
        let prefix = tempfile::tempdir().unwrap();
        let prefix = prefix.path();
        let documents = Documents::of(&prefix.join("bin/pumphouse-web"));
        let name = "examples/sources/none.toml";
        assert_eq!(documents.locate(name), format!("{name} in the project's folder"));
        let path = prefix.join("share/pumphouse-web").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        assert_eq!(documents.locate(name), path.display().to_string());
    }
}
