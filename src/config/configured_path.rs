//! Paths of files that are read after the configuration, with the keys that name them.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error_line::ErrorLine;

/// A path, and the key that names it, for errors of the file at the path. Equal if the paths are: an edit of
/// the configuration may move the key.
#[derive(Debug, Clone)]
pub struct ConfiguredPath {
    path: PathBuf,
    key: Option<Arc<PathKey>>,
}

/// A key of the configuration whose value is a path.
#[derive(Debug, Clone)]
pub(super) struct PathKey {
    pub(super) name: &'static str,
    /// Its table: `[tls]`.
    pub(super) table: String,
    /// Path of the configuration, and line and column of the value; `None`: the path is the default.
    pub(super) position: Option<(PathBuf, (usize, usize))>,
}

impl ConfiguredPath {
    pub(super) fn new(path: PathBuf, key: PathKey) -> ConfiguredPath {
        ConfiguredPath { path, key: Some(Arc::new(key)) }
    }

    /// Returns the folder of the configuration, if the file is there and the path, which is relative to the
    /// working directory, does not name it.
    pub fn folder_with_it(&self) -> Option<&Path> {
        let (configuration, _) = self.key.as_deref()?.position.as_ref()?;
        let folder = configuration.parent().filter(|folder| !folder.as_os_str().is_empty())?;
        (self.path.is_relative() && folder.join(&self.path).exists()).then_some(folder)
    }

    /// Returns an error of the file as a line, for lists of errors.
    pub fn error_line(&self, message: impl fmt::Display) -> ErrorLine {
        let position = self.key.as_deref().and_then(|key| key.position.as_ref());
        ErrorLine { position: position.map(|(_, position)| *position), text: self.error(message) }
    }

    /// Returns the line of an error of the file, with the key and its position if there is one.
    pub fn error(&self, message: impl fmt::Display) -> String {
        let Some(PathKey { name, table, position }) = self.key.as_deref() else {
            return message.to_string();
        };
        let message = format!("\"{name}\" in {table}: {message}");
        match position {
            Some((file, (line, column))) => {
                format!("{}:{line}:{column}: {message}", file.display())
            }
            None => message,
        }
    }
}

/// A path that no key names, such as one of the command line.
impl<P: Into<PathBuf>> From<P> for ConfiguredPath {
    fn from(path: P) -> ConfiguredPath {
        ConfiguredPath { path: path.into(), key: None }
    }
}

impl Deref for ConfiguredPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

impl AsRef<Path> for ConfiguredPath {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl PartialEq for ConfiguredPath {
    fn eq(&self, other: &ConfiguredPath) -> bool {
        self.path == other.path
    }
}

impl Eq for ConfiguredPath {}
