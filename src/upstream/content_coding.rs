//! Removes the content codings of a body (RFC 9110 8.4.1), within a limit for each of its forms.
//!
//! This module decompresses instead of the client library, so that a decompression bomb is stopped at the
//! limit, whatever its coding.

use std::io::Read;

use encoding_rs::Encoding;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ureq::http::HeaderMap;
use ureq::http::header::CONTENT_ENCODING;

/// Value of Accept-Encoding. `deflate` is understood, and not asked for: servers disagree on what it is.
pub(super) const ACCEPTED: &str = "gzip";

/// Most codings of one body, identity aside. More than one makes no body smaller.
const MAX_CODINGS: usize = 3;

/// A coding that this program can remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// `gzip`, or `x-gzip`.
    Gzip,
    /// `deflate`: the zlib format (RFC 1950), or bare DEFLATE data (RFC 1951), which many servers send.
    Deflate,
}

/// A body whose codings cannot be removed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CodingError {
    /// A coding that this program does not know.
    #[error("the body has a content coding that was not requested")]
    Unknown,
    /// More than [`MAX_CODINGS`].
    #[error("the body has more than {MAX_CODINGS} content codings")]
    TooMany,
    /// The body breaks the format of its coding.
    #[error("the body cannot be decompressed")]
    Malformed,
    /// The body is larger than the limit once a coding is removed.
    #[error("the body is too large after decompression")]
    TooLarge,
}

/// Returns the codings of a response in the order in which they were applied.
///
/// Names are compared without case, `identity` is skipped, and several fields count as one list.
pub(super) fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, CodingError> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        for name in value.to_str().map_err(|_| CodingError::Unknown)?.split(',') {
            match name.trim().to_ascii_lowercase().as_str() {
                "" | "identity" => {}
                // Some devices state the charset, or that there is none, in the wrong field.
                "none" | "binary" | "8bit" => {}
                charset if Encoding::for_label(charset.as_bytes()).is_some() => {}
                "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                "deflate" => codings.push(Coding::Deflate),
                _ => return Err(CodingError::Unknown),
            }
        }
    }
    if codings.len() > MAX_CODINGS { Err(CodingError::TooMany) } else { Ok(codings) }
}

/// Removes the codings of a body, the last one first. No form of it may be larger than `limit`.
///
/// The bytes decide which coding it is: some servers confuse the two names, and some proxies remove a coding and
/// keep its name.
pub(super) fn decode(
    codings: &[Coding],
    mut body: Vec<u8>,
    limit: u64,
) -> Result<Vec<u8>, CodingError> {
    for coding in codings.iter().rev() {
        let decoded = match coding {
            _ if body.starts_with(GZIP) => read(MultiGzDecoder::new(&body[..]), limit),
            _ if is_zlib(&body) => read(ZlibDecoder::new(&body[..]), limit),
            Coding::Gzip => Err(CodingError::Malformed),
            Coding::Deflate => read(DeflateDecoder::new(&body[..]), limit),
        };
        body = match decoded {
            Err(CodingError::Malformed) if is_document(&body) => body,
            decoded => decoded?,
        };
    }
    Ok(body)
}

fn read(decoder: impl Read, limit: u64) -> Result<Vec<u8>, CodingError> {
    let mut plain = Vec::new();
    // One byte more than the limit distinguishes a body at the limit from one beyond it.
    let mut decoder = decoder.take(limit.saturating_add(1));
    decoder.read_to_end(&mut plain).map_err(|_| CodingError::Malformed)?;
    if plain.len() as u64 > limit { Err(CodingError::TooLarge) } else { Ok(plain) }
}

/// Header of the gzip format with its one method (RFC 1952 2.3.1). Bare DEFLATE data cannot begin so: the three low
/// bits would be a block of a reserved type.
const GZIP: &[u8] = &[0x1f, 0x8b, 8];

/// Returns true if a body begins like JSON or HTML.
fn is_document(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start(), [b'{' | b'[' | b'<', ..])
}

/// Returns true if data begin with the header of the zlib format (RFC 1950 2.2): the method is DEFLATE, and
/// the two bytes are a multiple of 31.
///
/// Bare DEFLATE data cannot begin so: the low four bits of the method, 8, would be a stored block whose first
/// padding bit is 1, which compressors write as 0.
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [method, flags, ..]
        if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const LIMIT: u64 = 100_000;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn bare(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Decodes a body whose Content-Encoding fields are separated by `|`.
    fn decoded(fields: &str, body: Vec<u8>) -> Result<Vec<u8>, CodingError> {
        let mut headers = HeaderMap::new();
        for value in fields.split('|') {
            headers.append(CONTENT_ENCODING, value.parse().unwrap());
        }
        decode(&codings(&headers)?, body, LIMIT)
    }

    #[test]
    fn every_coding_is_removed_however_it_is_written() {
        let plain = b"a body of some length, length, length";
        for (fields, body) in [
            ("", plain.to_vec()),
            ("identity", plain.to_vec()),
            ("gzip", gzip(plain)),
            ("GZip", gzip(plain)),
            ("x-gzip", gzip(plain)),
            ("X-GZIP", gzip(plain)),
            ("gzip, identity", gzip(plain)),
            ("identity , gzip", gzip(plain)),
            ("identity|gzip", gzip(plain)),
            ("deflate", zlib(plain)),
            ("Deflate", bare(plain)),
            ("deflate, gzip", gzip(&zlib(plain))),
            ("gzip|deflate", bare(&gzip(plain))),
            ("gzip,,gzip", gzip(&gzip(plain))),
            // The wrong name.
            ("gzip", zlib(plain)),
            ("deflate", gzip(plain)),
            ("utf-8", plain.to_vec()),
            ("UTF-8", plain.to_vec()),
            ("iso-8859-1", plain.to_vec()),
            ("none", plain.to_vec()),
            ("binary", plain.to_vec()),
            ("utf-8, gzip", gzip(plain)),
        ] {
            assert_eq!(decoded(fields, body).as_deref(), Ok(&plain[..]), "{fields}");
        }
        // Several members are one body (RFC 1952 2.2).
        assert_eq!(decoded("gzip", [gzip(b"a"), gzip(b"b")].concat()).as_deref(), Ok(&b"ab"[..]));
    }

    #[test]
    fn document_whose_coding_was_removed_on_the_way_is_kept() {
        for plain in ["{\"a\":1}", " \r\n[1]", "<html></html>"] {
            for fields in ["gzip", "x-gzip", "deflate", "gzip, deflate"] {
                let decoded = decoded(fields, plain.into());
                assert_eq!(decoded.as_deref(), Ok(plain.as_bytes()), "{fields}");
            }
        }
    }

    #[test]
    fn both_formats_of_deflate_are_told_apart_at_every_level() {
        for level in 0..=9 {
            for length in [0, 1, 2, 300, 40_000] {
                let plain: Vec<u8> = (0..length).map(|at: u32| (at * 7 % 251) as u8).collect();
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
                encoder.write_all(&plain).unwrap();
                assert_eq!(decoded("deflate", encoder.finish().unwrap()), Ok(plain.clone()));
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
                encoder.write_all(&plain).unwrap();
                assert_eq!(decoded("deflate", encoder.finish().unwrap()), Ok(plain));
            }
        }
    }

    #[test]
    fn bomb_of_every_coding_is_stopped_at_the_limit() {
        let zeros = vec![0; LIMIT as usize + 1];
        for (fields, packed) in [
            ("gzip", gzip(&zeros)),
            ("x-gzip", gzip(&zeros)),
            ("deflate", zlib(&zeros)),
            ("deflate", bare(&zeros)),
            ("gzip, deflate", zlib(&gzip(&zeros))),
            // The middle form is too large; the last would not be.
            ("gzip, deflate", zlib(&gzip(b"").repeat(6000))),
        ] {
            assert_eq!(decoded(fields, packed), Err(CodingError::TooLarge), "{fields}");
        }
        for (fields, pack) in
            [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("deflate", zlib), ("deflate", bare)]
        {
            let largest = decoded(fields, pack(&zeros[1..])).unwrap();
            assert_eq!(largest.len() as u64, LIMIT, "{fields}");
        }
    }

    #[test]
    fn decompression_reads_no_further_than_the_limit() {
        let mut zeros = std::io::repeat(0).take(10 * LIMIT);
        assert_eq!(read(&mut zeros, LIMIT), Err(CodingError::TooLarge));
        assert_eq!(zeros.limit(), 9 * LIMIT - 1);
    }

    #[test]
    fn other_codings_and_malformed_bodies_are_errors() {
        for (fields, body, error) in [
            ("br", vec![], CodingError::Unknown),
            ("gzip, br", gzip(b"x"), CodingError::Unknown),
            ("gzip;q=1", gzip(b"x"), CodingError::Unknown),
            ("gzip, gzip, gzip, gzip", vec![], CodingError::TooMany),
            ("gzip", b"no gzip".to_vec(), CodingError::Malformed),
            ("gzip", b"".to_vec(), CodingError::Malformed),
            ("gzip", gzip(b"cut in the middle")[..20].to_vec(), CodingError::Malformed),
            ("deflate", zlib(b"cut in the middle")[..12].to_vec(), CodingError::Malformed),
            ("deflate", b"\xff no deflate".to_vec(), CodingError::Malformed),
        ] {
            assert_eq!(decoded(fields, body), Err(error), "{fields}");
        }
    }
}
