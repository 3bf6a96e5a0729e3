//! Location of the program's examples and documents on this machine.

use std::path::{Path, PathBuf};

/// Folder of documents below the prefix of an installation.
const DOCUMENTS: &str = "share/doc/pumphouse-web";

/// Folder of the files in `examples` after `make install`. A package has `examples` among its documents.
const EXAMPLES: &str = "share/pumphouse-web";

/// Documents that are installed with a program.
#[derive(Debug, Clone)]
pub(super) struct Documents {
    /// Parent of the program's folder, such as `/usr/local`.
    prefix: Option<PathBuf>,
}

impl Documents {
    /// Returns those of a program.
    pub(super) fn of(binary: &Path) -> Documents {
        Documents { prefix: binary.parent().and_then(Path::parent).map(Path::to_owned) }
    }

    /// Returns the absolute path of a document, which the sources have as `name`, or else that name.
    pub(super) fn locate(&self, name: &str) -> String {
        let example = name.strip_prefix("examples/").map(|name| Path::new(EXAMPLES).join(name));
        let mut places = [Path::new(DOCUMENTS).join(name)].into_iter().chain(example);
        let found = self.prefix.as_ref().and_then(|prefix| {
            places.find_map(|place| Some(prefix.join(place)).filter(|path| path.exists()))
        });
        match found {
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
        let example = "examples/sources/none.toml";
        for installed in [
            "share/doc/pumphouse-web/examples/sources/none.toml",
            "share/pumphouse-web/sources/none.toml",
        ] {
            let prefix = tempfile::tempdir().unwrap();
            let prefix = prefix.path();
            let documents = Documents::of(&prefix.join("bin/pumphouse-web"));
            assert_eq!(documents.locate(example), format!("{example} in the project's folder"));
            let path = prefix.join(installed);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            assert_eq!(documents.locate(example), path.display().to_string());
        }
    }
}
