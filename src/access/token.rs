//! Tokens for scripts. They are random and long, so a plain SHA-256 is all that is kept of one.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::key::{NoRandomness, random};

/// What every token begins with, so that one in the wrong place is known for what it is.
pub const TOKEN_PREFIX: &str = "pumphouse_";

/// Random bytes of a token.
const TOKEN: usize = 32;

/// A new token: the prefix and 256 random bits in the alphabet of base64url (RFC 4648 5).
///
/// # Errors
/// The system gives no random numbers.
pub fn generate_token() -> Result<String, NoRandomness> {
    let random = random::<TOKEN>()?;
    Ok(format!("{TOKEN_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(random)))
}

/// Why a text is no SHA-256 of a token. It does not repeat the text, which may be the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenHashError {
    /// The token stands where its hash should.
    #[error(
        "is a token, and only its SHA-256 may stand here; make a new one by \
         `pumphouse-web token new`, which prints both"
    )]
    Token,
    /// Not 64 hexadecimal digits.
    #[error("must be the 64 hexadecimal digits that `pumphouse-web token new` prints")]
    Malformed,
}

/// The SHA-256 of a token.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a token.
    pub fn of(token: &str) -> TokenHash {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        TokenHash(hash)
    }

    /// As it stands in the configuration, for the command that makes it.
    pub fn expose(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// In constant time.
impl PartialEq for TokenHash {
    fn eq(&self, other: &TokenHash) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for TokenHash {}

impl FromStr for TokenHash {
    type Err = TokenHashError;

    fn from_str(text: &str) -> Result<TokenHash, TokenHashError> {
        if text.starts_with(TOKEN_PREFIX) {
            return Err(TokenHashError::Token);
        }
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(TokenHashError::Malformed);
        }
        let mut hash = [0; 32];
        for (byte, place) in hash.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[place..place + 2], 16)
                .map_err(|_| TokenHashError::Malformed)?;
        }
        Ok(TokenHash(hash))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[token hash]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_recognisable_and_new_each_time() {
        let (one, other) = (generate_token().unwrap(), generate_token().unwrap());
        assert_ne!(one, other);
        let random = one.strip_prefix(TOKEN_PREFIX).unwrap();
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(random).unwrap().len(), 32);
    }

    #[test]
    fn hashes_are_those_of_sha256sum() {
        let hash = TokenHash::of("abc");
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.expose(), hex);
        assert_eq!(hex.parse(), Ok(hash));
        assert_eq!(hex.to_uppercase().parse(), Ok(hash));
        let token = generate_token().unwrap();
        for (text, expected) in [
            (&hex[1..], TokenHashError::Malformed),
            (&"é".repeat(32), TokenHashError::Malformed),
            ("", TokenHashError::Malformed),
            (&token, TokenHashError::Token),
        ] {
            assert_eq!(text.parse::<TokenHash>(), Err(expected), "{text}");
        }
    }
}
