//! Passwords and their argon2id hashes (RFC 9106) as PHC strings.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::phc::{self, Output, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};

use super::key::{Fingerprint, NoRandomness, random};

/// Most bytes of a password.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// Most memory of one verification. A hash with larger parameters, made elsewhere, could occupy a worker
/// for long or exhaust the memory.
const MAX_MEMORY_KIB: u32 = 256 << 10;
/// Most passes of one verification.
const MAX_PASSES: u32 = 16;
/// Most lanes of one verification.
const MAX_LANES: u32 = 16;

/// Least recommended memory (OWASP). With less, guessing is cheap for any number of passes.
const MIN_MEMORY_KIB: u32 = 7 << 10;

/// Least time between two log lines about missing memory.
const NO_MEMORY_REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// Number of bytes of a salt.
const SALT_BYTES: usize = 16;

/// A text cannot be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is empty.
    #[error("the password is empty")]
    Empty,
    /// Longer than [`MAX_PASSWORD_BYTES`].
    #[error("the password is longer than {MAX_PASSWORD_BYTES} bytes")]
    TooLong,
    /// It contains a control character (RFC 7617 2).
    #[error("the password contains a control character, which browsers cannot send")]
    ControlCharacter,
}

/// Checks that a text can be a password.
///
/// # Errors
/// It is empty, too long, or contains a control character.
pub fn check_password(password: &str) -> Result<(), PasswordError> {
    match password {
        "" => Err(PasswordError::Empty),
        _ if password.len() > MAX_PASSWORD_BYTES => Err(PasswordError::TooLong),
        _ if password.chars().any(char::is_control) => Err(PasswordError::ControlCharacter),
        _ => Ok(()),
    }
}

/// A text is not a hash that can be verified. The error does not repeat the text, which may be a
/// password in the wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    /// It is not a PHC string of argon2id, version 19.
    #[error(
        "must be an argon2id hash such as \"$argon2id$v=19$m=19456,t=2,p=1$…\"; \
         `pumphouse-web hash-password` makes one"
    )]
    Malformed,
    /// Its parameters are too large.
    #[error(
        "costs more than m={MAX_MEMORY_KIB}, t={MAX_PASSES}, p={MAX_LANES}; \
         `pumphouse-web hash-password` makes one that costs less"
    )]
    TooCostly,
}

/// The memory for a verification could not be reserved. A failing allocation would abort the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no memory for a verification")]
pub(super) struct NoMemory;

/// An argon2id hash of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(phc::PasswordHash);

impl FromStr for PasswordHash {
    type Err = PasswordHashError;

    fn from_str(text: &str) -> Result<PasswordHash, PasswordHashError> {
        let malformed = PasswordHashError::Malformed;
        let hash = phc::PasswordHash::new(text).map_err(|_| malformed)?;
        let is_argon2id = Algorithm::try_from(hash.algorithm.as_str()) == Ok(Algorithm::Argon2id)
            && hash.version == Some(Version::V0x13.into());
        let params = Params::try_from(&hash).map_err(|_| malformed)?;
        if !is_argon2id || hash.salt.is_none() || hash.hash.is_none() {
            return Err(malformed);
        }
        if params.m_cost() > MAX_MEMORY_KIB
            || params.t_cost() > MAX_PASSES
            || params.p_cost() > MAX_LANES
        {
            return Err(PasswordHashError::TooCostly);
        }
        Ok(PasswordHash(hash))
    }
}

impl PasswordHash {
    /// Hashes a password with the parameters of this release and a fresh salt.
    ///
    /// # Errors
    /// The system returned no random numbers.
    pub fn of(password: &str) -> Result<PasswordHash, NoRandomness> {
        let salt = random::<SALT_BYTES>()?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT);
        let hash = argon2.hash_password_with_salt(password.as_bytes(), &salt).expect(
            "the parameters are the crate's own, and the salt has the length it recommends",
        );
        Ok(PasswordHash(hash))
    }

    /// Hashes a password with the least parameters of argon2id, for tests that verify often.
    #[cfg(test)]
    pub(crate) fn cheap(password: &str) -> PasswordHash {
        let params = Params::new(Params::MIN_M_COST, 1, 1, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        PasswordHash(argon2.hash_password_with_salt(password.as_bytes(), &[7; SALT_BYTES]).unwrap())
    }

    /// Returns true if the password is right. The time depends on the parameters only.
    ///
    /// # Errors
    /// The memory could not be reserved.
    pub(super) fn verify(&self, password: &[u8]) -> Result<bool, NoMemory> {
        let phc::PasswordHash { salt: Some(salt), hash: Some(expected), .. } = &self.0 else {
            return Ok(false);
        };
        let Ok(params) = Params::try_from(&self.0) else { return Ok(false) };
        let mut memory = memory(&params)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut computed = [0; Output::MAX_LENGTH];
        let computed = &mut computed[..expected.len()];
        let is_computed =
            argon2.hash_password_into_with_memory(password, salt, computed, &mut memory).is_ok();
        Ok(is_computed && verify_slices_are_equal(computed, expected.as_bytes()).is_ok())
    }

    /// Returns the number of bytes that one verification reserves.
    pub(super) fn memory_bytes(&self) -> usize {
        Params::try_from(&self.0).map_or(0, |params| reserved_blocks(&params) * Block::SIZE)
    }

    /// Returns a hash of no password that takes as long to verify as this one.
    pub(super) fn decoy(&self, salt: &Fingerprint, output: &Fingerprint) -> PasswordHash {
        // Both lengths affect the cost. Lengths beyond a fingerprint are padded with zeros.
        let mut bytes = [0; Salt::MAX_LENGTH];
        bytes[..salt.len()].copy_from_slice(salt);
        let length = self.0.salt.as_ref().map_or(salt.len(), |salt| salt.len());
        let salt = Salt::new(&bytes[..length]).expect("its length is that of a valid salt");
        let mut bytes = [0; Output::MAX_LENGTH];
        bytes[..output.len()].copy_from_slice(output);
        let length = self.0.hash.as_ref().map_or(output.len(), Output::len);
        let output = Output::new(&bytes[..length]).expect("its length is that of a valid output");
        PasswordHash(phc::PasswordHash { salt: Some(salt), hash: Some(output), ..self.0.clone() })
    }

    /// Returns the SHA-256 of an account's name and this hash. Neither contains a NUL, so no other pair
    /// has the same text.
    pub(super) fn digest(&self, name: &str) -> Fingerprint {
        let mut bytes = [0; 32];
        let text = [name, "\0", &self.expose()].concat();
        bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        bytes
    }

    /// Returns true if its parameters are below current recommendations.
    pub fn is_weak(&self) -> bool {
        Params::try_from(&self.0).is_ok_and(|params| params.m_cost() < MIN_MEMORY_KIB)
    }

    /// Returns the text for the configuration, for the command that makes it.
    pub fn expose(&self) -> String {
        self.0.to_string()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[password hash]")
    }
}

/// Allocates the memory of a verification.
///
/// An allocator may cache freed memory for each thread. Every worker verifies at some time, so the 19 MiB of
/// one verification would become 150 MiB permanently. glibc returns allocations above 32 MiB to the system
/// when they are freed, so more than that is reserved; untouched pages cost nothing.
fn memory(params: &Params) -> Result<Vec<Block>, NoMemory> {
    let mut blocks = Vec::new();
    if blocks.try_reserve_exact(reserved_blocks(params)).is_err() {
        report_no_memory(params);
        return Err(NoMemory);
    }
    blocks.resize(params.block_count(), Block::new());
    Ok(blocks)
}

fn reserved_blocks(params: &Params) -> usize {
    const NEVER_CACHED: usize = 33 << 20;
    params.block_count().max(NEVER_CACHED / Block::SIZE)
}

/// Logs the shortage, at a limited rate, since unknown callers can cause it.
fn report_no_memory(params: &Params) {
    static LATEST: Mutex<Option<Instant>> = Mutex::new(None);
    let now = Instant::now();
    let mut latest = LATEST.lock().unwrap_or_else(PoisonError::into_inner);
    if latest.is_none_or(|latest| now >= latest + NO_MEMORY_REPORT_INTERVAL) {
        *latest = Some(now);
        log::error!(
            "cannot reserve {} MiB to verify a password, answered 503; raise ulimit -v or add memory, \
             or lower [auth] verifications",
            (reserved_blocks(params) * Block::SIZE) >> 20
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_verifies_its_password_only() {
        let hash = PasswordHash::of("correct horse").unwrap();
        let parsed: PasswordHash = hash.expose().parse().unwrap();
        assert!(parsed == hash && !hash.is_weak());
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        for (password, right) in [("correct horse", true), ("correct hors", false), ("", false)] {
            assert_eq!(parsed.verify(password.as_bytes()), Ok(right), "{password}");
        }
        let decoy = hash.decoy(&[1; 32], &[2; 32]);
        assert_eq!(decoy.verify(b"correct horse"), Ok(false));
        assert_eq!(decoy.memory_bytes(), hash.memory_bytes());
        let parameters = |hash: &PasswordHash| {
            let salt = hash.0.salt.as_ref().map(|salt| salt.len());
            let output = hash.0.hash.as_ref().map(Output::len);
            (hash.0.params.as_str().to_owned(), hash.0.version, salt, output)
        };
        assert_eq!(parameters(&decoy), parameters(&hash), "it costs the same");
        assert!(!format!("{hash:?}").contains("argon2"), "a hash is never shown");
    }

    #[test]
    fn memory_of_a_verification_exceeds_what_allocators_cache() {
        let memory = memory(&Params::DEFAULT).unwrap();
        assert!(memory.capacity() * Block::SIZE > 32 << 20);
        assert_eq!(memory.len(), Params::DEFAULT.block_count());
    }

    #[test]
    fn hash_that_cannot_be_verified_is_rejected() {
        const TAIL: &str = "$c2FsdHNhbHRzYWx0$LCBBDyN4mGdrzmYpAZn3ag";
        let tail = |head: &str| format!("{head}{TAIL}");
        let malformed = Err(PasswordHashError::Malformed);
        let costly = Err(PasswordHashError::TooCostly);
        for (text, expected) in [
            (tail("$argon2id$v=19$m=8,t=1,p=1"), Ok(true)),
            (tail("$argon2id$v=19$m=7168,t=5,p=1"), Ok(false)),
            (tail("$argon2id$v=19$m=262144,t=16,p=16"), Ok(false)),
            (tail("$argon2id$v=19$m=262145,t=1,p=1"), costly),
            (tail("$argon2id$v=19$m=19456,t=17,p=1"), costly),
            (tail("$argon2id$v=19$m=19456,t=1,p=17"), costly),
            (tail("$argon2i$v=19$m=19456,t=2,p=1"), malformed),
            (tail("$argon2id$v=16$m=19456,t=2,p=1"), malformed),
            (tail("$argon2id$m=19456,t=2,p=1"), malformed),
            ("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0".to_owned(), malformed),
            ("$2b$12$abcdefghijklmnopqrstuv".to_owned(), malformed),
            ("correct horse".to_owned(), malformed),
            (String::new(), malformed),
        ] {
            let hash = text.parse::<PasswordHash>();
            assert_eq!(hash.map(|hash| hash.is_weak()), expected, "{text}");
        }
    }

    #[test]
    fn password_that_http_cannot_send_is_rejected() {
        for (password, expected) in [
            ("ø 漢字: fine", Ok(())),
            ("", Err(PasswordError::Empty)),
            ("a\nb", Err(PasswordError::ControlCharacter)),
            (&"x".repeat(MAX_PASSWORD_BYTES), Ok(())),
            (&"x".repeat(MAX_PASSWORD_BYTES + 1), Err(PasswordError::TooLong)),
        ] {
            assert_eq!(check_password(password), expected, "{password:?}");
        }
    }
}
