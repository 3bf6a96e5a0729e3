//! Device cookies. Each identifies a browser that once sent the right password of an account.
//!
//! This is OWASP's "Slow Down Online Guessing Attacks with Device Cookies". Failures of a browser
//! with a valid cookie are counted separately from those of unknown callers. Unknown callers at the same
//! address (NAT, a unix socket, an unlisted proxy) therefore cannot make it wait. The cookie is not a
//! credential: a thief gains a separate failure counter, and must guess as slowly as any other caller.
//!
//! ```text
//!  cookie = base64url( number, below 32 | expiry | HMAC-SHA256 over these, account and proof )
//! ```
//!
//! The value contains no name. It is bound to one account and its password hash
//! ([`Account::proof`](super::accounts::Account)), so it becomes invalid when the hash changes or the account
//! is removed. Failures are counted by its number. The cookies of one account, however many are issued, share
//! [`PER_ACCOUNT`] counters, and the server keeps no list of them.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::key::{Fingerprint, MacKey, NoRandomness, random};

/// Lifetime of a cookie in seconds, the longest that browsers accept (RFC 6265bis 5.5).
pub(super) const DEVICE_LIFETIME: u64 = 400 * 24 * 60 * 60;

/// Most devices of an account; further browsers share the number and the counter of another.
pub(super) const PER_ACCOUNT: u8 = 32;

const MAC: usize = 32;

/// Issues and verifies device cookies.
pub(super) struct Devices(MacKey);

/// A browser that once sent the right password of the account that it now names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Device {
    /// Number of its failure counter, below [`PER_ACCOUNT`].
    pub(super) number: u8,
    /// True if its cookie is past half of its lifetime; the next success replaces it.
    pub(super) is_due: bool,
}

impl Devices {
    pub(super) fn new(key: &[u8; 32]) -> Devices {
        Devices(MacKey::of(key))
    }

    /// Issues a cookie for a browser that just sent the right password of the account with that proof;
    /// `now` is in seconds since 1970.
    pub(super) fn issue(&self, proof: &Fingerprint, now: u64) -> Result<String, NoRandomness> {
        let [random] = random::<1>()?;
        let number = random % PER_ACCOUNT;
        let expires = now.saturating_add(DEVICE_LIFETIME).to_be_bytes();
        let mac = self.mac(proof, number, expires);
        Ok(BASE64_URL_SAFE_NO_PAD.encode([&[number][..], &expires, &mac].concat()))
    }

    /// Returns the device of a cookie that was issued for that proof and has not expired.
    pub(super) fn verify(&self, value: &str, proof: &Fingerprint, now: u64) -> Option<Device> {
        let mut bytes = [0; 1 + 8 + MAC];
        let length = BASE64_URL_SAFE_NO_PAD.decode_slice(value, &mut bytes).ok()?;
        if length != bytes.len() {
            return None;
        }
        let (&number, rest) = bytes.split_first()?;
        let (expires, mac) = rest.split_first_chunk::<8>()?;
        verify_slices_are_equal(&self.mac(proof, number, *expires), mac).ok()?;
        let remaining = u64::from_be_bytes(*expires).checked_sub(now).filter(|time| *time > 0)?;
        Some(Device { number, is_due: remaining < DEVICE_LIFETIME / 2 })
    }

    fn mac(&self, proof: &Fingerprint, number: u8, expires: [u8; 8]) -> Fingerprint {
        self.0.fingerprint(&[b"device cookie of a proof", proof, &[number], &expires])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const ANNA: Fingerprint = [1; 32];
    const BERT: Fingerprint = [2; 32];

    #[test]
    fn cookie_is_valid_for_its_account_until_it_expires() {
        let devices = Devices::new(&[7; 32]);
        let cookie = devices.issue(&ANNA, NOW).unwrap();
        let device = devices.verify(&cookie, &ANNA, NOW).unwrap();
        assert!(!device.is_due);
        assert_eq!(devices.verify(&cookie, &BERT, NOW), None);
        assert_eq!(Devices::new(&[8; 32]).verify(&cookie, &ANNA, NOW), None);
        let late = NOW + DEVICE_LIFETIME * 3 / 4;
        assert_eq!(devices.verify(&cookie, &ANNA, late), Some(Device { is_due: true, ..device }));
        assert_eq!(devices.verify(&cookie, &ANNA, NOW + DEVICE_LIFETIME), None);
    }

    #[test]
    fn cookies_of_an_account_have_few_numbers() {
        let devices = Devices::new(&[7; 32]);
        let number = |_| {
            let cookie = devices.issue(&ANNA, NOW).unwrap();
            devices.verify(&cookie, &ANNA, NOW).unwrap().number
        };
        let numbers: std::collections::HashSet<u8> = (0..2000).map(number).collect();
        assert!(numbers.len() <= PER_ACCOUNT.into(), "{numbers:?}");
        assert!(numbers.len() > 1, "numbers are random");
    }

    #[test]
    fn changed_cookie_is_refused() {
        let devices = Devices::new(&[7; 32]);
        let cookie = devices.issue(&ANNA, NOW).unwrap();
        for place in 0..cookie.len() {
            let other = if cookie.as_bytes()[place] == b'A' { "B" } else { "A" };
            let mut changed = cookie.clone();
            changed.replace_range(place..=place, other);
            assert_eq!(devices.verify(&changed, &ANNA, NOW), None, "{place}");
        }
        for value in ["", "A", &cookie[1..], &format!("{cookie}A"), &"A".repeat(10_000), "é"] {
            assert_eq!(devices.verify(value, &ANNA, NOW), None, "{value}");
        }
    }
}
