//! Reads the files of the plan again while `watch` runs: the configuration and the certificates.
//!
//! A read may hang on a network file system, and the probes must go on, so a thread of its own reads. The
//! monitor requests a read at each tick and takes a plan that has arrived; it never waits for one. While a
//! file is missing or has a fault, the previous plan stays.

use std::io;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::plan::{Plan, Planner};
use super::serve_options::ServeOptions;
use crate::threads;

/// Longest wait for the check before a restart. It takes milliseconds, or as long as the lookup of a host that
/// an error names.
const MAX_CHECK: Duration = Duration::from_secs(3);

enum Request {
    /// Reads the files; `authorities` also reads those of the system again.
    Read { authorities: bool },
    /// Checks that the server would start with these options.
    CheckStart { options: Option<ServeOptions>, reply: Sender<Option<String>> },
}

/// Handle to the thread. Dropping it ends the thread, unless a read hangs: then the thread ends with the
/// process.
#[derive(Debug)]
pub struct PlanReader {
    requests: Sender<Request>,
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
            for request in requested {
                match request {
                    Request::Read { authorities } => {
                        let read = planner.load(authorities).map_err(|error| error.to_string());
                        if sender.send(read).is_err() {
                            return;
                        }
                    }
                    Request::CheckStart { options, reply } => {
                        drop(reply.send(planner.obstacle(options.as_ref())));
                    }
                }
            }
        })?;
        Ok(PlanReader { requests, plans })
    }

    /// Requests a read. Returns false if another request still waits.
    pub fn request(&self, reads_authorities: bool) -> bool {
        self.requests.try_send(Request::Read { authorities: reads_authorities }).is_ok()
    }

    /// Returns the reason why the server would not start with the files as they are now and these options;
    /// `None` if there is none, or if the files cannot be read in time.
    pub fn obstacle(&self, options: Option<ServeOptions>) -> Option<String> {
        let (reply, replied) = bounded(1);
        self.requests.send_timeout(Request::CheckStart { options, reply }, MAX_CHECK).ok()?;
        replied.recv_timeout(MAX_CHECK).ok().flatten()
    }

    /// Returns the outcome of a read that has ended: a changed plan, `None` if nothing has changed, or the
    /// reason why the files cannot be used.
    pub fn take(&self) -> Option<Result<Option<Plan>, String>> {
        self.plans.try_recv().ok()
    }
}
