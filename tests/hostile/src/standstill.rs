//! Detects that this machine stood still, as a paused virtual machine does.
//!
//! After a pause longer than the server's deadlines, the server closes the connections that were open
//! when it began, as it must. A client that ran into that says nothing about the server.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use pumphouse_web::threads::OwnedThread;

/// Time between two beats.
const BEAT: Duration = Duration::from_millis(20);

/// Delay of a beat that counts as a standstill. It is below every deadline that a server under test
/// has, and above the delays of a busy scheduler.
pub const STANDSTILL: Duration = Duration::from_secs(1);

/// A thread that beats, and measures the time for which it could not.
pub struct Pulse {
    beats: Arc<Mutex<Beats>>,
    _thread: OwnedThread,
}

struct Beats {
    last: Instant,
    /// Number of all standstills.
    standstills: usize,
    /// Sum of all standstills.
    stood_still: Duration,
}

impl Beats {
    fn new(now: Instant) -> Beats {
        Beats { last: now, standstills: 0, stood_still: Duration::ZERO }
    }

    fn beat(&mut self, now: Instant) {
        let delay = now.duration_since(self.last);
        if delay > STANDSTILL {
            self.standstills += 1;
            self.stood_still += delay;
        }
        self.last = now;
    }
}

impl Pulse {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub fn start() -> io::Result<Pulse> {
        let beats = Arc::new(Mutex::new(Beats::new(Instant::now())));
        let shared = Arc::clone(&beats);
        let thread = OwnedThread::spawn("pulse", move |stop| {
            while stop.recv_timeout(BEAT).is_err_and(|error| error.is_timeout()) {
                shared.lock().unwrap().beat(Instant::now());
            }
        })?;
        Ok(Pulse { beats, _thread: thread })
    }

    /// Returns the time for which the machine has stood still since the start.
    pub fn stood_still(&self) -> Duration {
        self.beat().stood_still
    }

    /// Returns the number of standstills since the start.
    pub fn standstills(&self) -> usize {
        self.beat().standstills
    }

    /// Beats, as the caller may be scheduled before the pulse's own thread after a standstill.
    fn beat(&self) -> MutexGuard<'_, Beats> {
        let mut beats = self.beats.lock().unwrap();
        beats.beat(Instant::now());
        beats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standstill_is_a_delayed_beat() {
        let begun = Instant::now();
        let mut beats = Beats::new(begun);
        beats.beat(begun + STANDSTILL);
        assert_eq!(beats.stood_still, Duration::ZERO);
        beats.beat(begun + STANDSTILL * 3);
        beats.beat(begun + STANDSTILL * 3 + BEAT);
        assert_eq!((beats.standstills, beats.stood_still), (1, STANDSTILL * 2));
    }
}
