//! Use of a limit.

/// Part of a limit in use from which on it is nearly full.
const NEARLY_FULL: f64 = 0.8;

/// Returns true if `used` is more than [`NEARLY_FULL`] of a limit other than 0.
pub(super) fn is_nearly_full(used: u64, limit: u64) -> bool {
    limit > 0 && used as f64 > NEARLY_FULL * limit as f64
}
