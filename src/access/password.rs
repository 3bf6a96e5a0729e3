//! Passwords, and their argon2id hashes (RFC 9106) as PHC strings.

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

/// Bytes of a password at most.
pub const LONGEST_PASSWORD: usize = 1024;

/// What one verification may take at most. A hash from elsewhere that asks for more could hold a
/// worker for long, or the machine's memory.
const MOST_MEMORY_KIB: u32 = 256 << 10;
const MOST_PASSES: u32 = 16;
const MOST_LANES: u32 = 16;

/// Less memory than this makes guessing cheap, whatever the passes.
const LEAST_MEMORY_KIB: u32 = 7 << 10;

/// No more than one line about missing memory in this time.
const NO_MEMORY_REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// Bytes of a salt.
const SALT: usize = 16;

/// Why a text cannot be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is nothing.
    #[error("the password is empty")]
    Empty,
    /// Longer than [`LONGEST_PASSWORD`].
    #[error("the password is longer than {LONGEST_PASSWORD} bytes")]
    TooLong,
    /// HTTP cannot carry it (RFC 7617 2).
    #[error("the password holds a control character, which a browser could not send")]
    ControlCharacter,
}

/// Passes a text that can be a password.
///
/// # Errors
/// It is empty, too long, or of characters that HTTP does not carry.
pub fn check_password(password: &str) -> Result<(), Unfit> {
    match password {
        "" => Err(Unfit::Empty),
        _ if password.len() > LONGEST_PASSWORD => Err(Unfit::TooLong),
        _ if password.chars().any(char::is_control) => Err(Unfit::ControlCharacter),
        _ => Ok(()),
    }
}

/// Why a text is no hash that can be verified. It does not repeat the text, which may be a
/// password in the wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    /// No PHC string, or not of argon2id in version 19.
    #[error(
        "must be an argon2id hash such as \"$argon2id$v=19$m=19456,t=2,p=1$…\"; \
         `pumphouse-web hash-password` makes one"
    )]
    Malformed,
    /// Its parameters ask for too much.
    #[error(
        "costs more than m={MOST_MEMORY_KIB}, t={MOST_PASSES}, p={MOST_LANES}; \
         `pumphouse-web hash-password` makes one that costs less"
    )]
    TooCostly,
}

/// The system gives no memory for a verification. An allocation that fails would end the process.
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
        if params.m_cost() > MOST_MEMORY_KIB
            || params.t_cost() > MOST_PASSES
            || params.p_cost() > MOST_LANES
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
    /// The system gives no random numbers.
    pub fn of(password: &str) -> Result<PasswordHash, NoRandomness> {
        let salt = random::<SALT>()?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT);
        let hash = argon2.hash_password_with_salt(password.as_bytes(), &salt).expect(
            "the parameters are the crate's own, and the salt has the length it recommends",
        );
        Ok(PasswordHash(hash))
    }

    /// As cheap as argon2id can be, for tests that verify often.
    #[cfg(test)]
    pub(crate) fn cheap(password: &str) -> PasswordHash {
        let params = Params::new(Params::MIN_M_COST, 1, 1, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        PasswordHash(argon2.hash_password_with_salt(password.as_bytes(), &[7; SALT]).unwrap())
    }

    /// Takes as long as its parameters want, whether the password is right or not.
    ///
    /// # Errors
    /// The system gives no memory for it.
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

    /// Bytes that one verification reserves.
    pub(super) fn memory_bytes(&self) -> usize {
        Params::try_from(&self.0).map_or(0, |params| reserved_blocks(&params) * Block::SIZE)
    }

    /// A hash of no password, that takes as long to verify as this one.
    pub(super) fn decoy(&self, salt: &Fingerprint, output: &Fingerprint) -> PasswordHash {
        // Both lengths are a part of what is computed; of longer ones the rest is zeros.
        let mut bytes = [0; Salt::MAX_LENGTH];
        bytes[..salt.len()].copy_from_slice(salt);
        let length = self.0.salt.as_ref().map_or(salt.len(), |salt| salt.len());
        let salt = Salt::new(&bytes[..length]).expect("it is as long as another salt");
        let mut bytes = [0; Output::MAX_LENGTH];
        bytes[..output.len()].copy_from_slice(output);
        let length = self.0.hash.as_ref().map_or(output.len(), Output::len);
        let output = Output::new(&bytes[..length]).expect("it is as long as another output");
        PasswordHash(phc::PasswordHash { salt: Some(salt), hash: Some(output), ..self.0.clone() })
    }

    /// SHA-256 of an account's name and this hash. Neither holds a NUL, so no other pair has the
    /// same text.
    pub(super) fn digest(&self, name: &str) -> Fingerprint {
        let mut bytes = [0; 32];
        let text = [name, "\0", &self.expose()].concat();
        bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        bytes
    }

    /// Whether it protects the password less than is recommended today.
    pub fn is_weak(&self) -> bool {
        Params::try_from(&self.0).is_ok_and(|params| params.m_cost() < LEAST_MEMORY_KIB)
    }

    /// As it stands in the configuration, for the command that makes it.
    pub fn expose(&self) -> String {
        self.0.to_string()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[password hash]")
    }
}

/// The memory that a verification works in. An allocator may keep what it is given back, for each
/// thread, and any worker verifies sooner or later; then the 19 MiB of one verification would
/// become 150 for good. Of what is larger than 32 MiB glibc keeps nothing. So much is asked for;
/// pages that are not touched cost nothing.
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
    const NEVER_KEPT: usize = 33 << 20;
    params.block_count().max(NEVER_KEPT / Block::SIZE)
}

/// Logs the shortage, but not for every guess of a stranger.
fn report_no_memory(params: &Params) {
    static LATEST: Mutex<Option<Instant>> = Mutex::new(None);
    let now = Instant::now();
    let mut latest = LATEST.lock().unwrap_or_else(PoisonError::into_inner);
    if latest.is_none_or(|latest| now >= latest + NO_MEMORY_REPORT_INTERVAL) {
        *latest = Some(now);
        log::error!(
            "no memory for verifying a password: {} MiB cannot be reserved, so the sign-in gets 503; \
             raise ulimit -v or the memory of this machine, or lower [auth] verifications",
            (reserved_blocks(params) * Block::SIZE) >> 20
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_verifies_its_password_and_no_other() {
        let hash = PasswordHash::of("correct horse").unwrap();
        let told: PasswordHash = hash.expose().parse().unwrap();
        assert!(told == hash && !hash.is_weak());
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        for (password, right) in [("correct horse", true), ("correct hors", false), ("", false)] {
            assert_eq!(told.verify(password.as_bytes()), Ok(right), "{password}");
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
    fn what_cannot_be_verified_is_refused_at_the_start() {
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
    fn passwords_that_nobody_could_send() {
        for (password, expected) in [
            ("ø 漢字: fine", Ok(())),
            ("", Err(Unfit::Empty)),
            ("a\nb", Err(Unfit::ControlCharacter)),
            (&"x".repeat(LONGEST_PASSWORD), Ok(())),
            (&"x".repeat(LONGEST_PASSWORD + 1), Err(Unfit::TooLong)),
        ] {
            assert_eq!(check_password(password), expected, "{password:?}");
        }
    }
}
