//! Identity of a replica: its name, and the instance, which is one life of its lease.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

/// `[server] replica`: name of a machine that serves. Cheap to clone.
pub type ReplicaName = Arc<str>;

/// Number of bytes of an instance.
const BYTES: usize = 16;

/// A random number of 128 bits that identifies one life of a replica: from its registration with the database until
/// the database no longer knows it. Unlike an epoch, it never comes back after a promotion that loses transactions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId([u8; BYTES]);

/// The system returned no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system returned no random numbers for the identity of this replica")]
pub struct NoIdentity;

/// A text is not an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not 32 hexadecimal digits")]
pub struct InstanceIdError;

impl InstanceId {
    /// Generates an instance.
    ///
    /// # Errors
    /// The system returned no random numbers.
    pub fn random() -> Result<InstanceId, NoIdentity> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|_| NoIdentity)?;
        Ok(InstanceId(bytes))
    }

    /// Returns the instance of the same process after this one was lost. It is as unlikely to occur twice.
    pub(super) fn successor(&self) -> InstanceId {
        let mut bytes = [0; BYTES];
        let digest = digest(&SHA256, &self.0);
        bytes.copy_from_slice(&digest.as_ref()[..BYTES]);
        InstanceId(bytes)
    }

    /// Returns the instance with these bytes: the binary form of a `uuid`.
    pub const fn from_bytes(bytes: [u8; BYTES]) -> InstanceId {
        InstanceId(bytes)
    }

    /// Returns the binary form of a `uuid`.
    pub const fn as_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for InstanceId {
    type Err = InstanceIdError;

    /// Reads 32 hexadecimal digits. Hyphens are ignored, so a `uuid` is read, too.
    fn from_str(text: &str) -> Result<InstanceId, InstanceIdError> {
        let digits = text.replace('-', "");
        // `from_str_radix` accepts a sign.
        let is_plain = digits.len() == 2 * BYTES && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u128::from_str_radix(&digits, 16).ok().filter(|_| is_plain);
        number.map(|number| InstanceId(number.to_be_bytes())).ok_or(InstanceIdError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_read_back() {
        let instance =
            InstanceId::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(instance.to_string(), "000102030405060708090a0b0c0d0eff");
        assert_eq!(instance.to_string().parse(), Ok(instance));
        assert_eq!("00010203-0405-0607-0809-0a0b0c0d0eff".parse(), Ok(instance));
        for text in
            ["", "0", "+00102030405060708090a0b0c0d0eff", "g00102030405060708090a0b0c0d0eff"]
        {
            assert_eq!(text.parse::<InstanceId>(), Err(InstanceIdError), "{text}");
        }
        assert_ne!(InstanceId::random(), InstanceId::random());
        assert_ne!(instance.successor(), instance);
    }
}
