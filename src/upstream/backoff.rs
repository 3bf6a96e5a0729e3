//! How long to wait after a failure: exponential backoff with full jitter.
//!
//! "Full jitter" draws the wait evenly from a window that doubles with each failure
//! in a row, so that many clients of one failing upstream spread out
//! (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>). Drawn
//! from zero it could ask a struggling upstream *more* often than a healthy one; hence
//! a floor below the window: the source's interval, or a minute where the interval is
//! longer, so that a short outage doesn't cost a whole long interval.

use std::time::Duration;

/// The floor for sources with a longer interval.
const SOON: Duration = Duration::from_secs(60);

/// The window's cap in intervals, for sources with a short one.
const CAP_INTERVALS: u32 = 8;

/// The window's cap, except that it is never shorter than the interval.
const CAP: Duration = Duration::from_secs(15 * 60);

/// The shortest wait.
pub(super) fn floor(interval: Duration) -> Duration {
    interval.min(SOON)
}

/// The wait after that many failures in a row; `random` is drawn evenly from 0 up to 1.
pub(super) fn delay(interval: Duration, failures: u32, random: f64) -> Duration {
    let floor = floor(interval);
    let cap = interval.saturating_mul(CAP_INTERVALS).min(CAP).max(interval);
    let doublings = 2_u32.saturating_pow(failures.saturating_sub(1));
    let window = floor.saturating_mul(doublings).min(cap);
    floor + window.mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_doubles_up_to_its_cap() {
        for (interval, failures, least, most) in [
            // A common source: every five minutes.
            (300, 1, 60, 120),
            (300, 2, 60, 180),
            (300, 3, 60, 300),
            (300, 4, 60, 540),
            (300, 5, 60, 960),
            (300, 6, 60, 960),
            (300, u32::MAX, 60, 960),
            // A fast one is never asked faster than when it is well.
            (5, 1, 5, 10),
            (5, 4, 5, 45),
            (5, 9, 5, 45),
            // A slow one: the cap is its interval.
            (7200, 1, 60, 120),
            (7200, 99, 60, 7260),
        ] {
            let seconds = |random| delay(Duration::from_secs(interval), failures, random);
            assert_eq!(seconds(0.0), Duration::from_secs(least), "{interval} {failures}");
            assert_eq!(seconds(1.0), Duration::from_secs(most), "{interval} {failures}");
        }
    }
}
