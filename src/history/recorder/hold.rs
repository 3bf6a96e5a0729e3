//! Holds readings while the clock of the machine is earlier than the latest record.

use std::time::Duration;

use jiff::Timestamp;

use super::RecorderThread;
use crate::history::clock_guard::Judgement;
use crate::kernel::clock::MIN_TIME;

/// Time after which the length of a hold is stored again.
const STORE_HELD_INTERVAL: Duration = Duration::from_secs(10 * 60);

impl RecorderThread {
    /// Compares the clock with the latest record. While it is earlier, reports that readings are held.
    pub(super) fn is_clock_plausible(&mut self) -> bool {
        if self.writer.is_none() {
            return true;
        }
        let rfc3339 =
            |at| Timestamp::from_second(at).map_or_else(|_| at.to_string(), |at| at.to_string());
        let now = self.clock.now();
        match self.guard.judge(now.wall, now.boot) {
            Judgement::Plausible => {}
            Judgement::Behind(record) => {
                self.is_holding = true;
                let reason = match record {
                    MIN_TIME => "is earlier than 2020".to_owned(),
                    _ => format!("is earlier than the latest recorded value, {}", rfc3339(record)),
                };
                self.shared.held(&format!(
                    "the clock of this machine {reason}: readings are held, and recorded once it is \
                     right"
                ));
                let held = self.guard.held(now.boot);
                if held.abs_diff(self.stored_held) >= STORE_HELD_INTERVAL {
                    self.store_held(held);
                }
                return false;
            }
            Judgement::RecordWrong(record) => log::warn!(
                "the clock of this machine has been earlier than {} for a day: a value was recorded with \
                 a wrong time; readings are recorded again",
                rfc3339(record)
            ),
        }
        if std::mem::take(&mut self.is_holding) {
            log::info!("held readings are recorded: {} observations and events", self.batch.len());
            self.shared.clear_error();
        }
        true
    }

    /// Stores how long readings have been held, so that a machine that restarts often records again after a day.
    pub(super) fn store_held(&mut self, held: Duration) {
        let Some(writer) = &mut self.writer else { return };
        // If it fails, the next interval tries again.
        self.stored_held = held;
        if let Err(error) = writer.store_held(held) {
            self.write_failed(&error);
        }
    }
}
