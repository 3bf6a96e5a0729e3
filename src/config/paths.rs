//! Keys that name files.

use std::path::{Path, PathBuf};

use super::configured_path::ConfiguredPath;
use super::section::{Section, Spanned};

impl Section<'_, '_> {
    /// Reads a path. What only a shell would replace is reported.
    pub(super) fn path(&mut self, key: &str) -> Option<Spanned<PathBuf>> {
        let at = self.string(key)?;
        self.path_in(key, at)
    }

    /// Reads the path of a file that is read later.
    pub(super) fn configured_path(&mut self, key: &'static str) -> Option<ConfiguredPath> {
        let Spanned { value, span } = self.path(key)?;
        Some(ConfiguredPath::new(value, self.path_key(key, span)))
    }

    pub(super) fn path_in(
        &self,
        key: &str,
        Spanned { value, span }: Spanned<String>,
    ) -> Option<Spanned<PathBuf>> {
        if let Some(message) = shell_syntax(&value, &|name| self.environment(name)) {
            self.report(span, format_args!("\"{key}\": {message}"));
            return None;
        }
        if value.contains('\0') {
            self.report(
                span,
                format_args!("\"{key}\" contains a NUL character, which no path can have"),
            );
            return None;
        }
        if value.is_empty() {
            self.report(span, format_args!("\"{key}\" is empty; it must be the path of a file"));
            return None;
        }
        Some(Spanned { value: Path::new(&value).to_owned(), span })
    }
}

/// Returns the error for a path that is meant for a shell: one that begins with `~/` or `$NAME`.
pub(super) fn shell_syntax(
    path: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let home = || environment("HOME").unwrap_or_else(|| "/home/…".to_owned());
    if let Some(rest) = path.strip_prefix("~/") {
        let home = home();
        return Some(format!(
            "\"~\" is not replaced by the home folder; write \"{}/{rest}\"",
            home.trim_end_matches('/')
        ));
    }
    if path == "~" {
        return Some(format!("\"~\" is not replaced by the home folder; write \"{}\"", home()));
    }
    let name = path.strip_prefix('$')?;
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    let (name, rest) = name.split_at(end);
    (!name.is_empty()).then(|| {
        format!("\"${name}\" is not replaced by the variable; write \"${{{name}}}{rest}\"")
    })
}
