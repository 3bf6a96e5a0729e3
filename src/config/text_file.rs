//! Reads the configuration file as UTF-8 text.

use std::path::Path;

use toml_span::Span;

use super::errors::ConfigErrors;
use super::problem::Problem;
use crate::file_error::{FileError, MAX_TEXT_BYTES};

/// Reads the file.
///
/// # Errors
/// The file cannot be read, or is not UTF-8; the error then names the encoding that it probably has.
pub(super) fn read(path: &Path) -> Result<String, ConfigErrors> {
    let bytes = FileError::read(path, MAX_TEXT_BYTES).map_err(|error| {
        let hint = match error.is_missing() {
            true if path == Path::new("-") => "; standard input is /dev/stdin",
            true => {
                "; name another with --config or $PUMPHOUSE_CONFIG, or make one: `pumphouse-web init`"
            }
            false => "",
        };
        let message = format!("cannot read the configuration {error}{hint}");
        ConfigErrors::of_file(path, message, !error.is_missing() && error.is_of_process())
    })?;
    decode(path, bytes)
}

/// Returns the text of a file with these bytes.
///
/// # Errors
/// The bytes are not UTF-8.
pub(super) fn decode(path: &Path, bytes: Vec<u8>) -> Result<String, ConfigErrors> {
    if let Some(encoding) = wide_encoding(&bytes) {
        let message = format!(
            "the file is {encoding}, and must be UTF-8; store it as UTF-8, or: iconv -f {encoding} -t UTF-8"
        );
        return Err(ConfigErrors::in_text(path, "", vec![at(0, message)]));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let bytes = error.into_bytes();
        let byte = bytes.get(valid).copied().unwrap_or_default();
        // The bytes up to there are valid.
        let before = String::from_utf8_lossy(&bytes[..valid]);
        let guess = char::from(byte);
        let guess = if guess.is_alphanumeric() { format!(" (\"{guess}\")") } else { String::new() };
        let message = format!(
            "the byte 0x{byte:02x} is not UTF-8, probably Latin-1 or Windows-1252{guess}; store the file as \
             UTF-8, or: iconv -f WINDOWS-1252 -t UTF-8"
        );
        ConfigErrors::in_text(path, &before, vec![at(valid, message)])
    })
}

fn at(start: usize, message: String) -> Problem {
    Problem::new(Span::new(start, start), message)
}

/// Returns the name of an encoding with code units of two or four bytes, by the byte order mark or by the
/// zeros in the first characters, which are ASCII in any configuration.
fn wide_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] => Some("UTF-16LE"),
        [0xfe, 0xff, ..] => Some("UTF-16BE"),
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => Some("UTF-16LE"),
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => Some("UTF-16BE"),
        _ => None,
    }
}
