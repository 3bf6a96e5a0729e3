//! Errors of a configuration, each with its position in the file.

use std::fmt;
use std::path::{Path, PathBuf};

use super::error_line::ErrorLine;
use super::problem::{Problem, position};
use super::tls::TlsFiles;
use crate::order;

/// Maximum number of errors of a file that are listed.
const MAX_LISTED: usize = 100;

/// All errors of a file, in the order of the file. Each is displayed as one line:
/// `pumphouse.toml:12:1: unknown key "lisen" in [server]; did you mean "listen"?`
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    path: PathBuf,
    problems: Vec<Located>,
    /// The files of `[tls]`, unless that table is faulty.
    tls: Option<Box<TlsFiles>>,
}

/// An error with its line and column, if it has a position. Both count from one; columns count
/// characters.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Located {
    position: Option<(usize, usize)>,
    message: String,
    /// See [`Problem::is_of_process`].
    is_of_process: bool,
}

impl ConfigErrors {
    pub(super) fn in_text(path: &Path, text: &str, mut problems: Vec<Problem>) -> ConfigErrors {
        order::sort_by_key(&mut problems, |problem| problem.span.start);
        problems.dedup();
        let unlisted = problems.split_off(problems.len().min(MAX_LISTED));
        let mut problems: Vec<Located> = problems
            .into_iter()
            .map(|Problem { span, message, is_of_process }| Located {
                position: Some(position(text, span)),
                message,
                is_of_process,
            })
            .collect();
        if !unlisted.is_empty() {
            let message = format!("{} more are not listed; correct these first", unlisted.len());
            let is_of_process = unlisted.iter().all(|problem| problem.is_of_process);
            problems.push(Located { position: None, message, is_of_process });
        }
        ConfigErrors { path: path.to_owned(), problems, tls: None }
    }

    /// Returns the errors of a text that is not TOML. Only its lines were checked.
    pub(super) fn of_syntax(path: &Path, text: &str, problems: Vec<Problem>) -> ConfigErrors {
        let mut errors = ConfigErrors::in_text(path, text, problems);
        let message = "the rest of the file is not checked before it is TOML; correct these first";
        errors.problems.push(Located {
            position: None,
            message: message.to_owned(),
            is_of_process: false,
        });
        errors
    }

    /// Returns each problem as a line.
    pub fn lines(&self) -> Vec<ErrorLine> {
        let path = self.path.display();
        let line = |Located { position, message, .. }: &Located| {
            let text = match position {
                Some((line, column)) => format!("{path}:{line}:{column}: {message}"),
                None => format!("{path}: {message}"),
            };
            ErrorLine { position: *position, text }
        };
        self.problems.iter().map(line).collect()
    }

    /// Adds the files of `[tls]`, so that their errors can be reported together with these.
    pub(super) fn with_tls(self, tls: Option<TlsFiles>) -> ConfigErrors {
        ConfigErrors { tls: tls.map(Box::new), ..self }
    }

    /// Returns the files of `[tls]`, if the file has that table and it is free of errors.
    pub fn tls_files(&self) -> Option<&TlsFiles> {
        self.tls.as_deref()
    }

    /// Returns true if one of them is a problem of this process.
    pub(super) fn has_of_process(&self) -> bool {
        self.problems.iter().any(|problem| problem.is_of_process)
    }

    /// Returns the errors without those of this process, if any are left.
    pub(super) fn of_every_process(mut self) -> Option<ConfigErrors> {
        self.problems.retain(|problem| !problem.is_of_process);
        (!self.problems.is_empty()).then_some(self)
    }

    pub(super) fn of_file(path: &Path, message: String, is_of_process: bool) -> ConfigErrors {
        let problems = vec![Located { position: None, message, is_of_process }];
        ConfigErrors { path: path.to_owned(), problems, tls: None }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&ErrorLine::text_of(self.lines()))
    }
}
