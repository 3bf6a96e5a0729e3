//! Arguments that several commands share: the configuration file, and parsers for values of options.

use std::num::{IntErrorKind, ParseIntError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::outcome::Failure;
use crate::config::{self, parse_duration};

/// Returns the path of the configuration: the argument FILE or the option `--config`, else
/// `$PUMPHOUSE_CONFIG`, else `pumphouse.toml`.
///
/// Every command that reads a configuration takes both forms.
///
/// # Errors
/// Both are given and differ.
pub(super) fn config_path(
    file: Option<PathBuf>,
    config: Option<PathBuf>,
) -> Result<PathBuf, Failure> {
    Ok(config::location(named_config(file, config)?.as_deref()))
}

/// Returns the configuration that the command line names, if any.
///
/// # Errors
/// Both forms are given and differ.
pub(super) fn named_config(
    file: Option<PathBuf>,
    config: Option<PathBuf>,
) -> Result<Option<PathBuf>, Failure> {
    match (file, config) {
        (Some(file), Some(config)) if !is_same_file(&file, &config) => {
            Err(Failure::usage(format!(
                "two configuration files are given, {} and --config {}: give one of them",
                file.display(),
                config.display()
            )))
        }
        (file, config) => Ok(file.or(config)),
    }
}

/// Returns true if two paths lead to the same file.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize();
    one == other || matches!((real(one), real(other)), (Ok(one), Ok(other)) if one == other)
}

/// Parses an option that is a duration.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "not a duration such as 2s or 500ms".to_owned())
}

/// Parses an option that is a duration longer than zero.
pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration.is_zero() {
        Err("the duration must be longer than zero".to_owned())
    } else {
        Ok(duration)
    }
}

/// Parses an option that is a whole number.
pub(super) fn whole_number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|error: ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => format!("at most {}", u32::MAX),
        _ => "expected a whole number, such as 3".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_named_twice_must_be_the_same_file() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(named_config(None, None).unwrap(), None);
        assert_eq!(named_config(path("a"), None).unwrap(), path("a"));
        assert_eq!(named_config(None, path("a")).unwrap(), path("a"));
        assert_eq!(named_config(path("a"), path("a")).unwrap(), path("a"));
        assert_eq!(named_config(path("src"), path("./src/../src")).unwrap(), path("src"));
        let failure = named_config(path("a"), path("b")).unwrap_err();
        assert_eq!(failure.exit_code(), std::process::ExitCode::from(2));
        assert!(failure.to_string().contains("a and --config b"), "{failure}");
    }
}
