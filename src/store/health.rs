//! Health of the database, as all threads that use it have seen it last.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;

use crate::logging::OnChange;
use crate::postgres::PostgresError;
use crate::wall_clock;

/// Interval at which an outage that goes on is logged again.
const LOG_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Health of the database, shared by all threads that use it. It never blocks.
#[derive(Debug)]
pub struct StoreHealth {
    state: ArcSwap<StoreState>,
    /// True while the schema or the server is one that this program cannot use, although it answers.
    is_refused: AtomicBool,
    /// Reason why leases or readings are not written although the database answers.
    refusal: ArcSwapOption<StoreFault>,
    outages: AtomicU64,
    /// Fault that was logged: true for a refusal. The text of an outage alternates with the phase in which it is met.
    logged: Mutex<OnChange<bool>>,
}

/// State of the database, as far as this process knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreState {
    /// No call has ended yet.
    Starting,
    /// The latest call was answered.
    Up,
    /// The latest call was not answered, or the schema is one that this program cannot use.
    Away(StoreFault),
}

/// Reason why the database cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFault {
    /// Statements that it concerns.
    pub scope: FaultScope,
    /// Time of the first failure since the latest success.
    pub since: Timestamp,
    /// Text of the latest failure, without secrets.
    pub message: Arc<str>,
}

/// Statements that a fault concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultScope {
    /// All.
    Database,
    /// Those of leases, or of readings that replicas share. The history may be well.
    Sharing,
}

impl Default for StoreHealth {
    fn default() -> StoreHealth {
        StoreHealth {
            state: ArcSwap::from_pointee(StoreState::Starting),
            is_refused: AtomicBool::new(false),
            refusal: ArcSwapOption::empty(),
            outages: AtomicU64::new(0),
            logged: Mutex::new(OnChange::repeating(LOG_INTERVAL)),
        }
    }
}

impl StoreHealth {
    /// Returns the state.
    pub fn state(&self) -> Arc<StoreState> {
        self.state.load_full()
    }

    /// Returns the number of outages and promotions since the start. What was written before one may be lost with its server.
    pub fn outages(&self) -> u64 {
        self.outages.load(Ordering::Relaxed)
    }

    /// Returns true if the latest call was answered.
    pub fn is_up(&self) -> bool {
        matches!(**self.state.load(), StoreState::Up)
    }

    /// Returns why the database cannot be used, or refuses what replicas share; `None` if it does neither, or if no
    /// call has ended yet.
    pub fn fault(&self) -> Option<StoreFault> {
        if let Some(refusal) = &*self.refusal.load() {
            return Some((**refusal).clone());
        }
        match &**self.state.load() {
            StoreState::Away(fault) => Some(fault.clone()),
            StoreState::Starting | StoreState::Up => None,
        }
    }

    /// Notes why leases or readings are not written although the database answers; `None` once they are.
    pub(crate) fn set_refusal(&self, message: Option<&str>) {
        let before = self.refusal.load();
        if before.as_ref().map(|fault| &*fault.message) == message {
            return;
        }
        let since = before.as_ref().map(|fault| fault.since);
        let fault = message.map(|message| StoreFault {
            scope: FaultScope::Sharing,
            since: since.unwrap_or_else(wall_clock::now),
            message: message.into(),
        });
        self.refusal.store(fault.map(Arc::new));
    }

    /// Notes that a call was answered.
    pub(super) fn answered(&self) {
        if matches!(**self.state.load(), StoreState::Up) || self.is_refused.load(Ordering::Relaxed)
        {
            return;
        }
        let before = self.state.swap(Arc::new(StoreState::Up));
        if let StoreState::Away(StoreFault { since, .. }) = &*before {
            let lasted = wall_clock::now().duration_since(*since).as_secs();
            log::info!("the database answers again, after {lasted} s");
        }
        self.logged.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Notes that the server is another one than before, although no call has failed: connections to a pooler survive a
    /// promotion.
    pub(crate) fn server_changed(&self) {
        self.outages.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a call failed for a reason that concerns all of them.
    pub(super) fn failed(&self, error: &PostgresError) {
        let message = error.to_string();
        if self.note(&message, false) {
            log_fault(&message);
        }
    }

    /// Notes that the database cannot be used although it answers, until [`StoreHealth::accept`].
    pub(super) fn refuse(&self, message: &str) {
        self.is_refused.store(true, Ordering::Relaxed);
        if self.note(message, true) {
            log_fault(message);
        }
    }

    /// Notes that the database answers and can be used.
    pub(super) fn accept(&self) {
        self.is_refused.store(false, Ordering::Relaxed);
        self.answered();
    }

    /// Sets the fault. Returns true if it is to be logged: when it begins, and at an interval while it lasts.
    fn note(&self, message: &str, is_refusal: bool) -> bool {
        if !matches!(**self.state.load(), StoreState::Away(_)) {
            self.outages.fetch_add(1, Ordering::Relaxed);
        }
        self.state.rcu(|state| {
            let since = match &**state {
                StoreState::Away(fault) => fault.since,
                StoreState::Starting | StoreState::Up => wall_clock::now(),
            };
            let scope = FaultScope::Database;
            StoreState::Away(StoreFault { scope, since, message: message.into() })
        });
        self.logged.lock().unwrap_or_else(PoisonError::into_inner).set(is_refusal)
    }
}

fn log_fault(message: &str) {
    log::error!(
        "the database cannot be used: {message}; readings are shown as they are known, and observations are kept in \
         the spool"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::Phase;

    #[test]
    fn outage_begins_with_its_first_failure_and_ends_with_an_answer() {
        let health = StoreHealth::default();
        assert_eq!((health.is_up(), health.fault()), (false, None));
        health.failed(&PostgresError::Timeout(Phase::Connect));
        let first = health.fault().unwrap();
        health.failed(&PostgresError::Closed);
        let later = health.fault().unwrap();
        assert_eq!((later.since, &*later.message), (first.since, "the connection is closed"));
        health.answered();
        assert_eq!((health.is_up(), health.fault()), (true, None));
    }

    #[test]
    fn outage_is_logged_once_whatever_its_texts() {
        let health = StoreHealth::default();
        assert!(health.note("while connecting", false));
        assert!(!health.note("while encrypting", false));
        assert!(!health.note("while connecting", false));
        assert_eq!(&*health.fault().unwrap().message, "while connecting");
        health.answered();
        assert!(health.note("while connecting", false), "another outage");
    }

    #[test]
    fn refusal_of_what_replicas_share_is_a_fault_while_the_database_answers() {
        let health = StoreHealth::default();
        health.answered();
        health.set_refusal(Some("no rights"));
        let first = health.fault().unwrap();
        assert_eq!((first.scope, &*first.message), (FaultScope::Sharing, "no rights"));
        health.set_refusal(Some("disk full"));
        health.answered();
        let later = health.fault().unwrap();
        assert_eq!((later.since, &*later.message), (first.since, "disk full"));
        assert!(health.is_up() && health.outages() == 0, "the history may be well");
        health.set_refusal(None);
        assert_eq!(health.fault(), None);
    }

    #[test]
    fn schema_that_cannot_be_used_stays_a_fault_while_the_database_answers() {
        let health = StoreHealth::default();
        health.refuse("too new");
        health.answered();
        assert_eq!(&*health.fault().unwrap().message, "too new");
        assert!(!health.note("too new", true), "logged once");
        health.accept();
        assert!(health.is_up());
    }
}
