//! Collects the problems of one file, and expands the variables of the environment in it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use toml_span::Span;

use super::problem::{Problem, position};

/// State that the sections of one file share: the environment and the problems found so far.
///
/// The sources of a large file are read by several threads, piece by piece. Each piece has a reader of its own, with
/// the same state, which takes the positions in it to those in the file.
pub(super) struct Reader<'env> {
    path: &'env Path,
    text: &'env str,
    environment: Environment<'env>,
    /// Position of the piece in the text.
    start: usize,
    found: Arc<Found>,
}

/// Errors, warnings, variables and secrets found in a file so far.
#[derive(Default)]
struct Found {
    problems: Mutex<Vec<Problem>>,
    warnings: Mutex<Vec<Problem>>,
    /// Names and values of the environment variables that were expanded. Thousands of sources may use one.
    expanded: Mutex<BTreeMap<String, String>>,
    /// Keys of secrets that the file contains.
    inline_secrets: Mutex<Vec<(Span, String)>>,
}

/// The machine, as far as a configuration refers to it.
#[derive(Clone, Copy)]
pub(super) struct Environment<'env> {
    /// Returns a variable.
    pub(super) variable: &'env (dyn Fn(&str) -> Option<String> + Sync),
    /// Returns the addresses of a host; none if it is unknown.
    pub(super) lookup: &'env (dyn Fn(&str) -> Vec<IpAddr> + Sync),
}

/// Result of reading a file.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    pub(super) inline_secrets: Vec<(Span, String)>,
}

/// Shortest value of an environment variable that is redacted from messages. A shorter one is hardly a secret
/// and occurs in messages by chance.
const MIN_SECRET_BYTES: usize = 4;

impl<'env> Reader<'env> {
    /// Returns the reader of the file at `path`, which has this text.
    pub(super) fn new(
        path: &'env Path,
        text: &'env str,
        environment: Environment<'env>,
    ) -> Reader<'env> {
        Reader { path, text, environment, start: 0, found: Arc::default() }
    }

    /// Returns the reader of the piece of the text that begins at `start`.
    pub(super) fn of_piece(&self, start: usize) -> Reader<'env> {
        Reader { start, found: Arc::clone(&self.found), ..*self }
    }

    /// Returns the position in the file of a span of the piece.
    pub(super) fn in_file(&self, span: Span) -> Span {
        Span::new(self.start + span.start, self.start + span.end)
    }

    /// Records a problem. In its message, values of environment variables are replaced by the variables' names:
    /// a message may quote a secret that was configured in a wrong key.
    pub(super) fn report(&self, span: Span, message: impl Into<String>) {
        let message = self.redact(message.into());
        locked(&self.found.problems).push(Problem::new(self.in_file(span), message));
    }

    /// Returns the number of problems recorded so far.
    pub(super) fn problem_count(&self) -> usize {
        locked(&self.found.problems).len()
    }

    /// Records a problem that another process may not have: it has other variables, rights, or another
    /// working directory.
    pub(super) fn report_of_process(&self, span: Span, message: impl Into<String>) {
        let message = self.redact(message.into());
        let problem = Problem::new(self.in_file(span), message);
        locked(&self.found.problems).push(Problem { is_of_process: true, ..problem });
    }

    /// Records a setting that is valid but probably unintended.
    pub(super) fn warn(&self, span: Span, message: impl Into<String>) {
        let message = self.redact(message.into());
        locked(&self.found.warnings).push(Problem::new(self.in_file(span), message));
    }

    fn redact(&self, mut message: String) -> String {
        for (name, value) in locked(&self.found.expanded).iter() {
            if value.len() >= MIN_SECRET_BYTES && message.contains(value.as_str()) {
                message = message.replace(value, &format!("${{{name}}}"));
            }
        }
        message
    }

    pub(super) fn note_inline_secret(&self, span: Span, key: &str) {
        locked(&self.found.inline_secrets).push((self.in_file(span), key.to_owned()));
    }

    /// Returns the path of the file, and the line and column of the start of a span.
    pub(super) fn position(&self, span: Span) -> (PathBuf, (usize, usize)) {
        (self.path.to_owned(), position(self.text, self.in_file(span)))
    }

    pub(super) fn into_findings(self) -> Findings {
        let Found { problems, warnings, expanded: _, inline_secrets } = &*self.found;
        Findings {
            problems: std::mem::take(&mut locked(problems)),
            warnings: std::mem::take(&mut locked(warnings)),
            inline_secrets: std::mem::take(&mut locked(inline_secrets)),
        }
    }

    /// Returns a variable of the environment.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.environment.variable)(name)
    }

    pub(super) fn addresses_of(&self, host: &str) -> Vec<IpAddr> {
        (self.environment.lookup)(host)
    }

    /// Replaces each `${NAME}` by the variable of the environment.
    pub(super) fn expand(&self, span: Span, text: &str) -> Option<String> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            expanded.push_str(&rest[..start]);
            let name = &rest[start + 2..];
            let Some(end) = name.find('}') else {
                self.report(span, "\"${\" without its \"}\"; write \"${NAME}\"");
                return None;
            };
            let name = &name[..end];
            let Some(value) = self.variable(name) else {
                self.report_of_process(
                    span,
                    format!("the environment variable {name} is not set; set it where the server is started"),
                );
                return None;
            };
            expanded.push_str(&value);
            locked(&self.found.expanded).insert(name.to_owned(), value);
            rest = &rest[start + 2 + end + 1..];
        }
        expanded.push_str(rest);
        Some(expanded)
    }
}

/// Locks a list for a few steps in memory.
fn locked<T>(list: &Mutex<T>) -> MutexGuard<'_, T> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
