//! From where accounts have been used rightly before.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::key::Fingerprint;

/// Pairs of account and address, with the time of the latest success. Only those who know a
/// password get in here.
#[derive(Debug, Default)]
pub(super) struct Acquaintances(Mutex<HashMap<Fingerprint, Instant>>);

impl Acquaintances {
    pub(super) fn know(&self, pair: &Fingerprint) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(pair)
    }

    /// Notes a success. At the cap the one of longest ago is forgotten.
    pub(super) fn meet(&self, pair: Fingerprint, now: Instant, cap: usize) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while known.len() >= cap.max(1) && !known.contains_key(&pair) {
            let oldest = known.iter().min_by_key(|(_, at)| **at).map(|(pair, _)| *pair);
            let Some(oldest) = oldest else { break };
            known.remove(&oldest);
        }
        known.insert(pair, now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_latest_are_known() {
        let (known, start) = (Acquaintances::default(), Instant::now());
        for number in [0, 1, 0, 2, 3] {
            let now = start + Duration::from_secs(u64::from(number));
            known.meet([number; 32], now, 2);
        }
        let told = [0, 1, 2, 3].map(|number| known.know(&[number; 32]));
        assert_eq!(told, [false, false, true, true]);
    }
}
