//! The `Date` of responses (RFC 9110 6.6.1), by the clock of the program behind the engine.

use std::cell::RefCell;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use bytes::{BufMut, BytesMut};

static CLOCK: DateClock = DateClock(OnceLock::new());

/// The clock that dates responses; that of the machine until it is set.
struct DateClock(OnceLock<fn() -> SystemTime>);

impl DateClock {
    fn now(&self) -> SystemTime {
        self.0.get().map_or_else(SystemTime::now, |clock| clock())
    }
}

/// Dates the responses of all engines of this process by a clock. The first call holds.
///
/// A program that corrects the clock of its machine passes the corrected one, so that `Date` agrees with
/// `Last-Modified` and with the times in bodies.
pub fn set_date_clock(clock: fn() -> SystemTime) {
    let _ = CLOCK.0.set(clock);
}

/// Appends the present.
pub(super) fn put(out: &mut BytesMut) {
    put_date(out, CLOCK.now());
}

/// Appends the time as an IMF-fixdate (RFC 9110 5.6.7). Each thread formats it once a second.
fn put_date(out: &mut BytesMut, now: SystemTime) {
    thread_local! {
        static LATEST: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    LATEST.with_borrow_mut(|(at, text)| {
        if *at != seconds {
            *at = seconds;
            *text = httpdate::fmt_http_date(now);
        }
        out.put_slice(text.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_is_that_of_the_clock_that_was_set_first() {
        let clock = DateClock(OnceLock::new());
        let machine = SystemTime::now();
        assert!(clock.now() >= machine);
        let at = || SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert!(clock.0.set(at).is_ok() && clock.0.set(SystemTime::now).is_err());
        let mut out = BytesMut::new();
        put_date(&mut out, clock.now());
        assert_eq!(out, "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
