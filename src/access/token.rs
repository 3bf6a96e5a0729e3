//! Tokens for scripts. They have 256 random bits, so a plain SHA-256 of each is stored.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::key::{NoRandomness, random};

/// Prefix of every token. It identifies a token that was configured in place of its hash.
pub const TOKEN_PREFIX: &str = "pumphouse_";

/// Number of random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// Generates a token: the prefix, and 256 random bits in base64url (RFC 4648 5).
///
/// # Errors
/// The system returned no random numbers.
pub fn generate_token() -> Result<String, NoRandomness> {
    let random = random::<TOKEN_BYTES>()?;
    Ok(format!("{TOKEN_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(random)))
}

/// A text is not the SHA-256 of a token. The error does not repeat the text, which may be the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenHashError {
    /// It is the token itself.
    #[error(
        "is a token, but must be the SHA-256 of one; make a new one with \
         `pumphouse-web token new`, which prints both"
    )]
    Token,
    /// It is not 64 hexadecimal digits.
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

    /// Returns the text for the configuration, for the command that makes it.
    pub fn expose(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Compares in constant time.
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
    fn generated_token_has_the_prefix_and_256_random_bits() {
        let (one, other) = (generate_token().unwrap(), generate_token().unwrap());
        assert_ne!(one, other);
        let random = one.strip_prefix(TOKEN_PREFIX).unwrap();
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(random).unwrap().len(), 32);
    }

    #[test]
    fn token_hash_is_sha256_in_hexadecimal() {
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
