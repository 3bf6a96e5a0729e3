//! Format of the file: a line with a CRC-32, then the readings as JSON.
//!
//! A write goes to a temporary file beside it, which is synced and renamed, so a power cut leaves the
//! old file or the new one. The checksum detects damage by the medium.

use std::io;
use std::path::Path;

use crate::board::{SavedReading, Snapshot, restored_readings, saved_readings};
use crate::file_error::read_own;
use crate::private_file;

/// Beginning of the first line. Its number is the version of the format.
const MAGIC: &str = "pumphouse-web last values 1 crc32 ";

/// Error of reading the file.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Damaged(&'static str),
}

/// Returns the content of the file for a snapshot.
pub(super) fn encode(snapshot: &Snapshot) -> Vec<u8> {
    let json = saved_readings(snapshot);
    let mut bytes = format!("{MAGIC}{:08x}\n", crc32fast::hash(&json)).into_bytes();
    bytes.extend(json);
    bytes.push(b'\n');
    bytes
}

fn decode(bytes: &[u8]) -> Result<Vec<SavedReading>, ReadError> {
    let bytes = bytes.strip_prefix(MAGIC.as_bytes());
    let bytes = bytes.ok_or(ReadError::Damaged("wrong first line"))?;
    let parts = bytes.split_at_checked(8).filter(|(_, rest)| rest.starts_with(b"\n"));
    let (sum, rest) = parts.ok_or(ReadError::Damaged("incomplete first line"))?;
    let json = rest[1..].strip_suffix(b"\n").ok_or(ReadError::Damaged("truncated"))?;
    if format!("{:08x}", crc32fast::hash(json)).as_bytes() != sum {
        return Err(ReadError::Damaged("wrong checksum"));
    }
    restored_readings(json).map_err(|_| ReadError::Damaged("unexpected JSON"))
}

/// Reads and checks the file.
pub(super) fn read(path: &Path) -> Result<Vec<SavedReading>, ReadError> {
    decode(&read_own(path)?)
}

/// Replaces the file atomically.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    private_file::replace(path, ".new", bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_file_or_flipped_bit_is_rejected() {
        let json = br#"[{"source":"a","kind":"json","observed_at":1,"inferred":false,"fetched_at":2,"values":[]}]"#;
        let mut whole = format!("{MAGIC}{:08x}\n", crc32fast::hash(json)).into_bytes();
        whole.extend(json);
        whole.push(b'\n');
        assert_eq!(decode(&whole).unwrap().len(), 1);
        for length in 0..whole.len() {
            assert!(decode(&whole[..length]).is_err(), "cut at {length}");
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            assert!(decode(&flipped).is_err(), "flipped at {at}");
        }
    }
}
