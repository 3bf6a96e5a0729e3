//! Handle to the alerts: the latest view, and commands.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam_channel::{Sender, bounded};

use super::command::{Command, CommandError};
use super::incident::Incident;
use super::view::AlertsView;

/// Longest wait for the thread of the alerts, which handles a command within microseconds.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(1);

/// Most commands that wait. A flood of them is refused.
pub(super) const MAX_COMMANDS: usize = 64;

/// A command with the channel for its result.
pub(super) struct Request {
    pub(super) command: Command,
    pub(super) reply: Sender<Result<(), CommandError>>,
    /// True once the thread carries the command out, or its sender has given up: the first of them decides.
    claimed: Arc<AtomicBool>,
}

impl Request {
    /// Returns true if the command is to be carried out. Its sender has given up otherwise.
    pub(super) fn claim(&self) -> bool {
        !self.claimed.swap(true, Ordering::AcqRel)
    }
}

/// Handle to the alerts. Cheap to clone.
#[derive(Clone)]
pub struct AlertsHandle {
    view: Arc<ArcSwap<AlertsView>>,
    commands: Sender<Request>,
    past: PastIncidents,
    settle: Settle,
}

/// Waits until the disk has what was saved before, at most a bounded time. Callers hold a permit.
pub type Settle = Arc<dyn Fn() + Send + Sync>;

/// Returns incidents of an alert that have ended, newest first, at most the number given. Waits for the disk for a
/// quarter of a second at most.
pub type PastIncidents =
    Arc<dyn Fn(&str, usize) -> Result<Vec<Arc<Incident>>, PastError> + Send + Sync>;

/// The incidents of the past cannot be read now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the file of the alerts cannot be read: {0}")]
pub struct PastError(pub Arc<str>);

impl AlertsHandle {
    pub(super) fn new(
        view: Arc<ArcSwap<AlertsView>>,
        commands: Sender<Request>,
        past: PastIncidents,
    ) -> AlertsHandle {
        AlertsHandle { view, commands, past, settle: Arc::new(|| {}) }
    }

    /// Makes commands wait until the disk has what they change.
    pub fn settling(self, settle: Settle) -> AlertsHandle {
        AlertsHandle { settle, ..self }
    }

    /// Returns the latest view.
    pub fn view(&self) -> Arc<AlertsView> {
        self.view.load_full()
    }

    /// Carries out a command, waits until it is on the disk, and returns the view after it. A disk that does not take
    /// it in time delays the caller by a bounded time: the command holds, and is saved later.
    ///
    /// # Errors
    /// There is no such alert, or it does not fire; or the thread of the alerts does not answer within a second. Then
    /// the command is not carried out later either.
    pub fn command(&self, command: Command) -> Result<Arc<AlertsView>, CommandError> {
        let (reply, result) = bounded(1);
        let claimed = Arc::new(AtomicBool::new(false));
        let request = Request { command, reply, claimed: claimed.clone() };
        self.commands.try_send(request).map_err(|_| CommandError::Unavailable)?;
        let mut outcome = result.recv_timeout(COMMAND_TIMEOUT);
        if outcome.is_err() && claimed.swap(true, Ordering::AcqRel) {
            // The thread carries it out at this moment.
            outcome = result.recv_timeout(COMMAND_TIMEOUT);
        }
        outcome.map_err(|_| CommandError::Unavailable)??;
        (self.settle)();
        Ok(self.view())
    }

    /// Returns true if no command waits for the thread of the alerts, which takes one within microseconds.
    pub fn is_idle(&self) -> bool {
        self.commands.is_empty()
    }

    /// Returns the latest incidents of an alert that have ended, newest first. Waits for the disk for a quarter of a
    /// second at most.
    ///
    /// # Errors
    /// The file cannot be read now.
    pub fn past(&self, alert: &str, limit: usize) -> Result<Vec<Arc<Incident>>, PastError> {
        (self.past)(alert, limit)
    }

    /// Returns a handle with a fixed view, for tests of what shows it. Commands are refused.
    #[cfg(test)]
    pub(crate) fn fixed(view: AlertsView) -> AlertsHandle {
        let (commands, _) = bounded(0);
        let view = Arc::new(ArcSwap::from_pointee(view));
        AlertsHandle::new(view, commands, Arc::new(|_, _| Ok(Vec::new())))
    }

    /// Returns a handle whose thread answers commands by a function: it changes the view, for tests. The view has
    /// another version after each.
    #[cfg(test)]
    pub(crate) fn answering(
        view: AlertsView,
        mut answer: impl FnMut(Command, &mut AlertsView) -> Result<(), CommandError> + Send + 'static,
        past: PastIncidents,
    ) -> AlertsHandle {
        let (commands, requests) = bounded::<Request>(MAX_COMMANDS);
        let view = Arc::new(ArcSwap::from_pointee(view));
        let published = view.clone();
        std::thread::spawn(move || {
            for Request { command, reply, .. } in requests {
                let mut view = AlertsView::clone(&published.load());
                let result = answer(command, &mut view);
                view.version += 1;
                published.store(Arc::new(view));
                let _ = reply.send(result);
            }
        });
        AlertsHandle::new(view, commands, past)
    }

    /// Replaces the view of a handle of a test.
    #[cfg(test)]
    pub(crate) fn replace(&self, view: AlertsView) {
        self.view.store(Arc::new(view));
    }
}

/// A site without alerts.
impl Default for AlertsHandle {
    fn default() -> AlertsHandle {
        let (commands, _) = bounded(0);
        AlertsHandle::new(Arc::default(), commands, Arc::new(|_, _| Ok(Vec::new())))
    }
}

impl fmt::Debug for AlertsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertsHandle").field("view", &self.view().version).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_that_was_given_up_is_not_carried_out() {
        let (commands, requests) = bounded(MAX_COMMANDS);
        let handle = AlertsHandle::new(Arc::default(), commands, Arc::new(|_, _| Ok(Vec::new())));
        let command = Command::Unsilence { alert: "leak".into(), by: "anna".into() };
        assert_eq!(handle.command(command.clone()).unwrap_err(), CommandError::Unavailable);
        assert!(!handle.is_idle());
        assert!(!requests.recv().unwrap().claim());

        let late = std::thread::spawn(move || handle.command(command).map(|_| ()));
        let request = requests.recv().unwrap();
        assert!(request.claim() && !request.claim());
        request.reply.send(Ok(())).unwrap();
        assert_eq!(late.join().unwrap(), Ok(()));
    }
}
