//! Writes recorded series to any writer, field by field, for the command `export`.

use std::io::{self, Write};

use super::series::{Exporter, Format};
use crate::history::{History, HistoryError, ReadError, Window};

/// Reason why an export is incomplete.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No value of a field was ever recorded.
    #[error("no value of {0} was ever recorded")]
    NeverRecorded(String),
    /// The history cannot be opened.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The history cannot be read on.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The output cannot be written.
    #[error("cannot write the export: {0}")]
    Write(#[from] io::Error),
}

/// Writes the points of each window in turn, after the format's head line.
///
/// A field that once had another quantity than now, such as a level that was a volume, is written
/// part by part, each in its own unit.
///
/// # Errors
/// See [`ExportError`].
pub fn export(
    history: &History,
    windows: impl IntoIterator<Item = Window>,
    format: Format,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let (exporter, head) = Exporter::new(format);
    out.write_all(head.as_bytes())?;
    let mut line = String::new();
    for window in windows {
        let name = format!("{}.{}", window.source, window.field);
        let points = history.points(window)?.ok_or(ExportError::NeverRecorded(name))?;
        let mut part = Some(points);
        while let Some(mut points) = part {
            while let Some(point) = points.next() {
                line.clear();
                exporter.point(&points, &point?, &mut line);
                out.write_all(line.as_bytes())?;
            }
            part = points.next_quantity();
        }
    }
    out.flush()?;
    Ok(())
}
