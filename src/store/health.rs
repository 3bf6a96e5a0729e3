//! Whether the database answers, as all threads that use it have seen it last.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use crate::logging::OnChange;
use crate::postgres::PostgresError;
use crate::wall_clock;
use std::sync::{Mutex, PoisonError};

/// Interval at which an outage that goes on is logged again.
const LOG_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Health of the database, shared by all threads that use it. It never blocks.
#[derive(Debug)]
pub struct StoreHealth {
    state: ArcSwap<StoreState>,
    logged: Mutex<OnChange<String>>,
    /// True while the schema is one that this program cannot use, however the database answers.
    is_refused: AtomicBool,
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
    /// Time of the first failure since the latest success.
    pub since: Timestamp,
    /// Text of the latest failure, without secrets.
    pub message: Arc<str>,
}

impl Default for StoreHealth {
    fn default() -> StoreHealth {
        StoreHealth {
            state: ArcSwap::from_pointee(StoreState::Starting),
            logged: Mutex::new(OnChange::repeating(LOG_INTERVAL)),
            is_refused: AtomicBool::new(false),
        }
    }
}

impl StoreHealth {
    /// Returns the state.
    pub fn state(&self) -> Arc<StoreState> {
        self.state.load_full()
    }

    /// Returns true if the latest call was answered.
    pub fn is_up(&self) -> bool {
        matches!(**self.state.load(), StoreState::Up)
    }

    /// Returns why the database cannot be used; `None` if it can, or if no call has ended yet.
    pub fn fault(&self) -> Option<StoreFault> {
        match &**self.state.load() {
            StoreState::Away(fault) => Some(fault.clone()),
            StoreState::Starting | StoreState::Up => None,
        }
    }

    /// Notes that a call was answered.
    pub(super) fn answered(&self) {
        let before = self.state.load();
        if matches!(**before, StoreState::Up) || self.is_refused.load(Ordering::Relaxed) {
            return;
        }
        let before = self.state.swap(Arc::new(StoreState::Up));
        if let StoreState::Away(StoreFault { since, .. }) = &*before {
            let lasted = wall_clock::now().duration_since(*since).as_secs();
            log::info!("the database answers again, after {lasted} s");
        }
        self.logged.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Notes that a call failed for a reason that concerns all of them.
    pub(super) fn failed(&self, error: &PostgresError) {
        self.refuse(&error.to_string());
    }

    /// Notes that this program cannot use the schema.
    pub(super) fn refuse_schema(&self, message: &str) {
        self.is_refused.store(true, Ordering::Relaxed);
        self.refuse(message);
    }

    /// Notes that this program can use the schema.
    pub(super) fn accept_schema(&self) {
        self.is_refused.store(false, Ordering::Relaxed);
        self.answered();
    }

    /// Notes that the database cannot be used.
    pub(super) fn refuse(&self, message: &str) {
        self.state.rcu(|state| {
            let since = match &**state {
                StoreState::Away(fault) => fault.since,
                StoreState::Starting | StoreState::Up => wall_clock::now(),
            };
            StoreState::Away(StoreFault { since, message: message.into() })
        });
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = logged.set(message.to_owned());
        drop(logged);
        if is_news {
            log::error!(
                "the database does not answer: {message}; readings are shown as they are known, and \
                 observations are kept in the spool"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outage_begins_with_its_first_failure_and_ends_with_an_answer() {
        let health = StoreHealth::default();
        assert_eq!((health.is_up(), health.fault()), (false, None));
        health.refuse("no route");
        let first = health.fault().unwrap();
        health.refuse("timed out");
        let later = health.fault().unwrap();
        assert_eq!((later.since, &*later.message), (first.since, "timed out"));
        health.answered();
        assert_eq!((health.is_up(), health.fault()), (true, None));
        health.refuse_schema("too new");
        health.answered();
        assert_eq!(&*health.fault().unwrap().message, "too new");
        health.accept_schema();
        assert!(health.is_up());
    }
}
