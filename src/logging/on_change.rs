//! Decides when a condition that lasts is logged.

use std::time::{Duration, Instant};

/// Condition that is met again and again, and logged when it begins, changes and ends.
///
/// `T` identifies the condition: an error's text or kind, or `()` where there is only one.
///
/// ```
/// use pumphouse_web::logging::OnChange;
///
/// let mut failure = OnChange::new();
/// assert!(failure.set("disk full"), "it begins: log an error");
/// assert!(!failure.set("disk full"), "it lasts: log nothing");
/// assert!(failure.clear(), "it ends: log that, too");
/// assert!(!failure.clear());
/// ```
#[derive(Debug)]
pub struct OnChange<T> {
    /// The condition as it was logged last, and when; `None` while there is none.
    logged: Option<(T, Instant)>,
    repeat_after: Option<Duration>,
}

impl<T> OnChange<T> {
    /// Returns a log of a condition that is logged once while it lasts.
    pub const fn new() -> OnChange<T> {
        OnChange { logged: None, repeat_after: None }
    }

    /// Returns a log of a condition that is logged again after each `interval` in which it lasts.
    pub const fn repeating(interval: Duration) -> OnChange<T> {
        OnChange { logged: None, repeat_after: Some(interval) }
    }

    /// Returns true if the condition has been set and not cleared since.
    pub const fn is_set(&self) -> bool {
        self.logged.is_some()
    }

    /// Records the end of the condition. Returns true if it was set, in which case the caller logs the
    /// end.
    pub fn clear(&mut self) -> bool {
        self.logged.take().is_some()
    }
}

impl<T: PartialEq> OnChange<T> {
    /// Records the condition. Returns true if the caller is to log it: it is new, has changed, or was
    /// last logged an interval ago.
    #[must_use = "the caller logs the condition"]
    pub fn set(&mut self, condition: T) -> bool {
        self.set_at(condition, Instant::now())
    }

    /// Does the same as [`OnChange::set`], at the time `now`.
    #[must_use = "the caller logs the condition"]
    pub fn set_at(&mut self, condition: T, now: Instant) -> bool {
        if let Some((logged, at)) = &self.logged
            && *logged == condition
            && self
                .repeat_after
                .is_none_or(|interval| now.saturating_duration_since(*at) < interval)
        {
            return false;
        }
        self.logged = Some((condition, now));
        true
    }
}

impl<T> Default for OnChange<T> {
    fn default() -> OnChange<T> {
        OnChange::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn condition_is_logged_when_it_begins_changes_and_ends() {
        let mut failure = OnChange::new();
        assert!(!failure.clear(), "there was none");
        assert!(failure.set("full"));
        assert!(!failure.set("full"));
        assert!(failure.set("gone"));
        assert!(failure.is_set());
        assert!(failure.clear());
        assert!(!failure.clear());
        assert!(failure.set("gone"));
    }

    #[test]
    fn repeating_condition_is_logged_again_after_each_interval() {
        let now = Instant::now();
        let mut failure = OnChange::repeating(Duration::from_secs(60));
        let logged =
            [(0, "full"), (1, "full"), (59, "full"), (60, "full"), (61, "gone"), (62, "gone")]
                .map(|(seconds, text)| failure.set_at(text, now + Duration::from_secs(seconds)));
        assert_eq!(logged, [true, false, false, true, true, false]);
    }
}
