//! Keys for HMAC: of the process, so that records in memory hold no names, and of cookies.

use aws_lc_rs::hmac;

/// The system gives no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

/// Random bytes, good for keys, salts and tokens. They come from the kernel: the generator of the
/// cryptography's library measures its own entropy first, which takes 40 ms of every start.
pub(super) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// What stands for a name, an address or a credential. It tells nothing to those without the key.
pub(super) type Fingerprint = [u8; 32];

/// HMAC-SHA256 (RFC 2104). It has no `Debug`.
pub(super) struct MacKey(hmac::Key);

impl MacKey {
    /// A key that is random, and ends with the process.
    pub(super) fn random() -> Result<MacKey, NoRandomness> {
        Ok(MacKey::of(&random::<32>()?))
    }

    /// The key of these bytes.
    pub(super) fn of(bytes: &[u8; 32]) -> MacKey {
        #[cfg(test)]
        KEYS_SET_UP.with(|count| count.set(count.get() + 1));
        MacKey(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The fingerprint of these parts. Each goes in behind its length, so that no two lists of
    /// parts run together to the same bytes.
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
    /// Keys that were set up on this thread. Each costs two blocks of SHA-256.
    pub(super) static KEYS_SET_UP: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        let (key, other) = (MacKey::random().unwrap(), MacKey::random().unwrap());
        let of = |parts: &[&[u8]]| key.fingerprint(parts);
        assert_eq!(of(&[b"anna", b"secret"]), of(&[b"anna", b"secret"]));
        assert_ne!(of(&[b"anna", b"secret"]), of(&[b"annas", b"ecret"]));
        assert_ne!(of(&[b"anna"]), of(&[b"anna", b""]));
        assert_ne!(of(&[b"anna"]), other.fingerprint(&[b"anna"]), "each process has its own key");
    }
}
