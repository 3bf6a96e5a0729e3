//! Detects that this machine stood still, as a paused virtual machine does.
//!
//! After a pause longer than the server's deadlines, the server closes the connections that were open
//! when it began, as it must. A client that ran into that says nothing about the server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Time between two beats.
const BEAT: Duration = Duration::from_millis(20);

/// Delay of a beat that counts as a standstill. It is below every deadline that a server under test
/// has, and above the delays of a busy scheduler.
pub const STANDSTILL: Duration = Duration::from_secs(1);

/// A thread that beats, and notices when it could not.
pub struct Pulse {
    beats: Arc<Mutex<Beats>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Beats {
    last: Instant,
    /// End of the latest standstill.
    resumed: Option<Instant>,
}

impl Beats {
    fn beat(&mut self, now: Instant) {
        if now.duration_since(self.last) > STANDSTILL {
            self.resumed = Some(now);
        }
        self.last = now;
    }
}

impl Pulse {
    /// Starts the thread.
    pub fn start() -> Pulse {
        let beats = Arc::new(Mutex::new(Beats { last: Instant::now(), resumed: None }));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped) = (Arc::clone(&beats), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(BEAT);
                shared.lock().unwrap().beat(Instant::now());
            }
        });
        Pulse { beats, stop, thread: Some(thread) }
    }

    /// Returns true if a standstill ended after `begun`.
    pub fn stopped_since(&self, begun: Instant) -> bool {
        let mut beats = self.beats.lock().unwrap();
        // After a standstill, the caller may be scheduled before the thread.
        beats.beat(Instant::now());
        beats.resumed.is_some_and(|resumed| resumed > begun)
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standstill_is_a_delayed_beat() {
        let begun = Instant::now();
        let mut beats = Beats { last: begun, resumed: None };
        beats.beat(begun + STANDSTILL);
        assert_eq!(beats.resumed, None);
        let resumed = begun + STANDSTILL * 3;
        beats.beat(resumed);
        beats.beat(resumed + BEAT);
        assert_eq!(beats.resumed, Some(resumed));
    }
}
