//! Device cookies: a browser that has had an account's right password is recognised again.
//!
//! This is OWASP's "Slow Down Online Guessing Attacks with Device Cookies". Failures of a browser
//! with a valid cookie are counted for that cookie alone, so strangers behind the same address
//! (NAT, a unix socket, a proxy that is not listed) cannot make it wait. The cookie is no
//! credential: a thief gains a counter of failures of its own, and has to guess as slowly as any
//! other caller. The value holds no name and is bound to one account.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::key::{Fingerprint, MacKey, NoRandomness, random};

/// Seconds for which a cookie is good: as long as browsers keep one (RFC 6265bis 5.5).
pub(super) const DEVICE_LIFETIME: u64 = 400 * 24 * 60 * 60;

const ID: usize = 16;
const MAC: usize = 32;

/// Issues and recognises device cookies.
pub(super) struct Devices(MacKey);

/// A browser that has had the right password of the account it now names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) id: [u8; ID],
    /// True if its cookie is past half of its life; the next success replaces it.
    pub(super) is_due: bool,
}

impl Devices {
    pub(super) fn new(key: &[u8; 32]) -> Devices {
        Devices(MacKey::of(key))
    }

    /// A new cookie for a browser that has just had the right password of `account`; `now` is in
    /// seconds since 1970.
    pub(super) fn issue(&self, account: &str, now: u64) -> Result<String, NoRandomness> {
        let (id, expires) = (random::<ID>()?, now.saturating_add(DEVICE_LIFETIME).to_be_bytes());
        let mac = self.mac(account, &id, expires);
        Ok(BASE64_URL_SAFE_NO_PAD.encode([&id[..], &expires, &mac].concat()))
    }

    /// The device of a cookie, if it was issued here for `account` and has not expired.
    pub(super) fn recognise(&self, value: &str, account: &str, now: u64) -> Option<Device> {
        let mut bytes = [0; ID + 8 + MAC];
        let length = BASE64_URL_SAFE_NO_PAD.decode_slice(value, &mut bytes).ok()?;
        if length != bytes.len() {
            return None;
        }
        let (id, rest) = bytes.split_first_chunk::<ID>()?;
        let (expires, mac) = rest.split_first_chunk::<8>()?;
        verify_slices_are_equal(&self.mac(account, id, *expires), mac).ok()?;
        let left = u64::from_be_bytes(*expires).checked_sub(now).filter(|left| *left > 0)?;
        Some(Device { id: *id, is_due: left < DEVICE_LIFETIME / 2 })
    }

    fn mac(&self, account: &str, id: &[u8; ID], expires: [u8; 8]) -> Fingerprint {
        self.0.fingerprint(&[b"device cookie", account.as_bytes(), id, &expires])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn cookie_is_good_for_its_account_and_time() {
        let devices = Devices::new(&[7; 32]);
        let cookie = devices.issue("anna", NOW).unwrap();
        let device = devices.recognise(&cookie, "anna", NOW).unwrap();
        assert!(!device.is_due);
        assert_eq!(devices.recognise(&cookie, "bert", NOW), None);
        assert_eq!(Devices::new(&[8; 32]).recognise(&cookie, "anna", NOW), None);
        let late = NOW + DEVICE_LIFETIME * 3 / 4;
        assert_eq!(
            devices.recognise(&cookie, "anna", late),
            Some(Device { is_due: true, ..device })
        );
        assert_eq!(devices.recognise(&cookie, "anna", NOW + DEVICE_LIFETIME), None);
        assert_ne!(cookie, devices.issue("anna", NOW).unwrap(), "each device has its own id");
        assert!(!cookie.contains("anna"));
    }

    #[test]
    fn changed_cookie_is_refused() {
        let devices = Devices::new(&[7; 32]);
        let cookie = devices.issue("anna", NOW).unwrap();
        for place in 0..cookie.len() {
            let other = if cookie.as_bytes()[place] == b'A' { "B" } else { "A" };
            let mut changed = cookie.clone();
            changed.replace_range(place..=place, other);
            assert_eq!(devices.recognise(&changed, "anna", NOW), None, "{place}");
        }
        for value in ["", "A", &cookie[1..], &format!("{cookie}A"), &"A".repeat(10_000), "é"] {
            assert_eq!(devices.recognise(value, "anna", NOW), None, "{value}");
        }
    }
}
