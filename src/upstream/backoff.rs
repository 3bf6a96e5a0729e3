//! How long to wait after a failure.
//!
//! **A failed poll** is retried out of turn, by exponential backoff with full jitter: the wait is
//! drawn evenly from a window that doubles with each failure, so that many clients of one failing
//! upstream spread out
//! (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>). The window's cap
//! is the interval. Once it is reached there is no retry out of turn any more, and the source is
//! polled as if it were well: an upstream that heals is seen within one interval, and one that is
//! down for hours is asked as often as whoever configured it thought right, and not more often.
//!
//! Below the window is a floor, as a wait drawn from zero is no wait: a minute, or the interval
//! where that is shorter. So a source that is polled every minute or more often has no retries
//! out of turn, and those of a slow one come long before its interval is over.
//!
//! **A plea for patience** (429, or 503 with `Retry-After`) that does not say how long lets the
//! window grow beyond the interval. There an upstream that heals may be seen later: it asked
//! for that.

use std::time::Duration;

/// The floor for sources with a longer interval.
const SOON: Duration = Duration::from_secs(60);

/// The cap of the window after pleas, in intervals, for sources with a short one.
const CAP_INTERVALS: u32 = 8;

/// The cap of the window after pleas, except that it is never shorter than the interval.
const CAP: Duration = Duration::from_secs(15 * 60);

/// The shortest wait.
pub(super) fn floor(interval: Duration) -> Duration {
    interval.min(SOON)
}

/// The wait before a retry out of turn after so many earlier failures; `None` when the window has
/// grown to the interval. `random` is drawn evenly from 0 up to 1.
pub(super) fn retry(interval: Duration, failures: u32, random: f64) -> Option<Duration> {
    let window = window(interval, failures);
    (window < interval).then(|| drawn(interval, window, random))
}

/// Retries out of turn until the window has grown to the interval.
pub(super) fn retries(interval: Duration) -> u32 {
    let grown = |failures: &u32| window(interval, *failures) >= interval;
    (0..u32::BITS).find(grown).unwrap_or(u32::BITS)
}

/// The wait after a plea that doesn't say for how long, and so many before it.
pub(super) fn patience(interval: Duration, pleas: u32, random: f64) -> Duration {
    let cap = interval.saturating_mul(CAP_INTERVALS).min(CAP).max(interval);
    drawn(interval, window(interval, pleas).min(cap), random)
}

fn window(interval: Duration, before: u32) -> Duration {
    floor(interval).saturating_mul(2_u32.saturating_pow(before))
}

fn drawn(interval: Duration, window: Duration, random: f64) -> Duration {
    floor(interval) + window.mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_of_retries_doubles_up_to_the_interval() {
        for (interval, failures, waits) in [
            // A common source: every five minutes.
            (300, 0, Some((60, 120))),
            (300, 1, Some((60, 180))),
            (300, 2, Some((60, 300))),
            (300, 3, None),
            (300, u32::MAX, None),
            // A fast one is never asked faster than when it is well.
            (5, 0, None),
            (60, 0, None),
            (61, 0, Some((60, 120))),
            // A slow one is asked long before its interval is over.
            (7200, 0, Some((60, 120))),
            (7200, 6, Some((60, 3900))),
            (7200, 7, None),
        ] {
            let retry = |random| retry(Duration::from_secs(interval), failures, random);
            let least = waits.map(|(least, _)| Duration::from_secs(least));
            let most = waits.map(|(_, most)| Duration::from_secs(most));
            assert_eq!(retry(0.0), least, "{interval} {failures}");
            assert_eq!(retry(1.0), most, "{interval} {failures}");
        }
        for (interval, most) in [(5, 0), (60, 0), (61, 1), (300, 3), (7200, 7)] {
            assert_eq!(retries(Duration::from_secs(interval)), most, "{interval}");
        }
    }

    #[test]
    fn patience_grows_beyond_the_interval() {
        for (interval, pleas, least, most) in [
            (300, 0, 60, 120),
            (300, 3, 60, 540),
            (300, 4, 60, 960),
            (300, u32::MAX, 60, 960),
            (5, 0, 5, 10),
            (5, 3, 5, 45),
            (5, 9, 5, 45),
            (7200, 99, 60, 7260),
        ] {
            let seconds = |random| patience(Duration::from_secs(interval), pleas, random);
            assert_eq!(seconds(0.0), Duration::from_secs(least), "{interval} {pleas}");
            assert_eq!(seconds(1.0), Duration::from_secs(most), "{interval} {pleas}");
        }
    }
}
