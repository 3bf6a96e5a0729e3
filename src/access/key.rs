//! HMAC-SHA256 keys: one for the records in memory, which contain fingerprints instead of names and addresses,
//! and those that sign cookies.

use aws_lc_rs::hmac;

/// The system returned no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system returned no random numbers")]
pub struct NoRandomness;

/// Returns random bytes for keys, salts and tokens. They come from the kernel, because the generator of
/// the cryptography library measures its own entropy first, which takes 40 ms of every start.
pub(super) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// HMAC of a name, an address or a credential. Without the key it does not reveal its input.
pub(super) type Fingerprint = [u8; 32];

/// Key for HMAC-SHA256 (RFC 2104). It has no `Debug`.
pub(super) struct MacKey(hmac::Key);

impl MacKey {
    #[cfg(test)]
    pub(super) fn random() -> Result<MacKey, NoRandomness> {
        Ok(MacKey::of(&random::<32>()?))
    }

    /// Creates the key with these bytes.
    pub(super) fn of(bytes: &[u8; 32]) -> MacKey {
        #[cfg(test)]
        KEYS_SET_UP.with(|count| count.set(count.get() + 1));
        MacKey(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// Returns the fingerprint of a list of parts. The length of each part is included, so that no two
    /// lists have the same bytes.
    pub(super) fn fingerprint(&self, parts: &[&[u8]]) -> Fingerprint {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(context.sign().as_ref());
        fingerprint
    }
}

#[cfg(test)]
thread_local! {
    /// Number of keys that were set up on this thread. Each costs two blocks of SHA-256.
    pub(super) static KEYS_SET_UP: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_depends_on_the_boundaries_of_parts() {
        let (key, other) = (MacKey::random().unwrap(), MacKey::random().unwrap());
        let of = |parts: &[&[u8]]| key.fingerprint(parts);
        assert_eq!(of(&[b"anna", b"secret"]), of(&[b"anna", b"secret"]));
        assert_ne!(of(&[b"anna", b"secret"]), of(&[b"annas", b"ecret"]));
        assert_ne!(of(&[b"anna"]), of(&[b"anna", b""]));
        assert_ne!(of(&[b"anna"]), other.fingerprint(&[b"anna"]), "each process has its own key");
    }
}
