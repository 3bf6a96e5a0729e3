//! Collects the problems of one file, and expands the variables of the environment in it.

use std::cell::RefCell;

use toml_span::Span;

use super::problem::Problem;

/// State that the sections of one file share: the environment and the problems found so far.
pub(super) struct Reader<'env> {
    environment: &'env dyn Fn(&str) -> Option<String>,
    problems: RefCell<Vec<Problem>>,
    /// Names and values of the environment variables that were expanded.
    expanded: RefCell<Vec<(String, String)>>,
}

/// Shortest value of an environment variable that is redacted from messages. A shorter one is hardly a secret
/// and occurs in messages by chance.
const MIN_SECRET_BYTES: usize = 4;

impl<'env> Reader<'env> {
    pub(super) fn new(environment: &'env dyn Fn(&str) -> Option<String>) -> Reader<'env> {
        Reader { environment, problems: RefCell::default(), expanded: RefCell::default() }
    }

    /// Records a problem. In its message, values of environment variables are replaced by the variables' names:
    /// a message may quote a secret that was configured in a wrong key.
    pub(super) fn report(&self, span: Span, message: impl Into<String>) {
        let mut message = message.into();
        for (name, value) in self.expanded.borrow().iter() {
            if value.len() >= MIN_SECRET_BYTES {
                message = message.replace(value, &format!("${{{name}}}"));
            }
        }
        self.problems.borrow_mut().push(Problem { span, message });
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// Returns a variable of the environment.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name)
    }

    /// Replaces each `${NAME}` by the variable of the environment.
    pub(super) fn expand(&self, span: Span, text: &str) -> Option<String> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            expanded.push_str(&rest[..start]);
            let name = &rest[start + 2..];
            let Some(end) = name.find('}') else {
                self.report(span, "\"${\" without its \"}\"");
                return None;
            };
            let name = &name[..end];
            let Some(value) = self.variable(name) else {
                self.report(span, format!("the environment variable {name} is not set"));
                return None;
            };
            expanded.push_str(&value);
            self.expanded.borrow_mut().push((name.to_owned(), value));
            rest = &rest[start + 2 + end + 1..];
        }
        expanded.push_str(rest);
        Some(expanded)
    }
}
