//! Computes the wait after a failed poll.
//!
//! **A failed poll** is retried by exponential backoff with full jitter
//! (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>): the wait is drawn
//! uniformly from a window that doubles with each failure, so that many clients of one failing upstream
//! spread out. The window grows up to the interval. From then on there are no retries, and the source is
//! polled at its interval: an upstream that recovers is noticed within one interval, and one that is down
//! for hours gets no more requests than when it is healthy.
//!
//! A floor is added to each wait: a minute, or the interval if that is shorter. A source with an interval of
//! up to a minute therefore has no retries.
//!
//! **If an upstream asks us to slow down** (429, or 503 with `Retry-After`) without a time to wait, the window
//! grows beyond the interval, and its recovery may be noticed later.

use std::time::Duration;

/// Floor for sources whose interval is longer than this.
const MAX_FLOOR: Duration = Duration::from_secs(60);

/// Cap of the window after requests to slow down, in intervals. It applies to short intervals.
const CAP_INTERVALS: u32 = 8;

/// Cap of the window after requests to slow down, or the interval if that is longer.
const CAP: Duration = Duration::from_secs(15 * 60);

/// Returns the shortest wait.
pub(super) fn floor(interval: Duration) -> Duration {
    interval.min(MAX_FLOOR)
}

/// Returns the wait before a retry after `failures` earlier failures; `None` once the window has grown to
/// the interval. `random` is uniform in 0 to 1.
pub(super) fn retry(interval: Duration, failures: u32, random: f64) -> Option<Duration> {
    let window = window(interval, failures);
    (window < interval).then(|| draw(interval, window, random))
}

/// Returns the number of retries until the window has grown to the interval.
pub(super) fn retries(interval: Duration) -> u32 {
    let grown = |failures: &u32| window(interval, *failures) >= interval;
    (0..u32::BITS).find(grown).unwrap_or(u32::BITS)
}

/// Returns the wait after a request to slow down without a time, and `unhinted` such requests before it.
pub(super) fn slow_down_wait(interval: Duration, unhinted: u32, random: f64) -> Duration {
    let cap = interval.saturating_mul(CAP_INTERVALS).min(CAP).max(interval);
    draw(interval, window(interval, unhinted).min(cap), random)
}

/// Returns the floor doubled `failures` times.
fn window(interval: Duration, failures: u32) -> Duration {
    floor(interval).saturating_mul(2_u32.saturating_pow(failures))
}

/// Returns the floor and a random part of the window.
fn draw(interval: Duration, window: Duration, random: f64) -> Duration {
    floor(interval) + window.mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_of_retries_doubles_up_to_the_interval() {
        for (interval, failures, waits) in [
            // The default interval.
            (300, 0, Some((60, 120))),
            (300, 1, Some((60, 180))),
            (300, 2, Some((60, 300))),
            (300, 3, None),
            (300, u32::MAX, None),
            // A source with a short interval is not retried between two points of its grid.
            (5, 0, None),
            (60, 0, None),
            (61, 0, Some((60, 120))),
            // A source with a long interval is retried well within the interval.
            (7200, 0, Some((60, 120))),
            (7200, 6, Some((60, 3900))),
            (7200, 7, None),
        ] {
            let retry = |random| retry(Duration::from_secs(interval), failures, random);
            let min = waits.map(|(min, _)| Duration::from_secs(min));
            let max = waits.map(|(_, max)| Duration::from_secs(max));
            assert_eq!(retry(0.0), min, "{interval} {failures}");
            assert_eq!(retry(1.0), max, "{interval} {failures}");
        }
        for (interval, most) in [(5, 0), (60, 0), (61, 1), (300, 3), (7200, 7)] {
            assert_eq!(retries(Duration::from_secs(interval)), most, "{interval}");
        }
    }

    #[test]
    fn wait_after_requests_to_slow_down_grows_beyond_the_interval() {
        for (interval, unhinted, least, most) in [
            (300, 0, 60, 120),
            (300, 3, 60, 540),
            (300, 4, 60, 960),
            (300, u32::MAX, 60, 960),
            (5, 0, 5, 10),
            (5, 3, 5, 45),
            (5, 9, 5, 45),
            (7200, 99, 60, 7260),
        ] {
            let seconds = |random| slow_down_wait(Duration::from_secs(interval), unhinted, random);
            assert_eq!(seconds(0.0), Duration::from_secs(least), "{interval} {unhinted}");
            assert_eq!(seconds(1.0), Duration::from_secs(most), "{interval} {unhinted}");
        }
    }
}
