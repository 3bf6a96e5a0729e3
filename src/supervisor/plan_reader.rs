//! Reads the files of the plan again while `watch` runs: the configuration and the certificates.
//!
//! A read may hang on a network file system, and the probes must go on, so a thread of its own reads. The
//! monitor requests a read at each tick and takes a plan that has arrived; it never waits for one. While a
//! file is missing or has a fault, the previous plan stays.

use std::io;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::plan::{Plan, Planner};
use crate::threads;

/// Handle to the thread. Dropping it ends the thread, unless a read hangs: then the thread ends with the
/// process.
#[derive(Debug)]
pub struct PlanReader {
    /// Requests a read; true also reads the authorities of the system again.
    requests: Sender<bool>,
    plans: Receiver<Result<Option<Plan>, String>>,
}

impl PlanReader {
    /// Starts the thread, which reads by `planner`.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub fn start(mut planner: Planner) -> io::Result<PlanReader> {
        // One request waits while a read hangs, and stands for all that follow it.
        let (requests, requested) = bounded(1);
        // At most two reads are untaken: the one in progress, and the one that waits.
        let (sender, plans) = bounded(2);
        // Detached, as a read may hang: dropping the handle ends the thread, or the process does.
        threads::spawn_detached(threads::PLAN, move || {
            for reads_authorities in requested {
                let read = planner.load(reads_authorities).map_err(|error| error.to_string());
                if sender.send(read).is_err() {
                    return;
                }
            }
        })?;
        Ok(PlanReader { requests, plans })
    }

    /// Requests a read. Returns false if another request still waits.
    pub fn request(&self, reads_authorities: bool) -> bool {
        self.requests.try_send(reads_authorities).is_ok()
    }

    /// Returns the outcome of a read that has ended: a changed plan, `None` if nothing has changed, or the
    /// reason why the files cannot be used.
    pub fn take(&self) -> Option<Result<Option<Plan>, String>> {
        self.plans.try_recv().ok()
    }
}
