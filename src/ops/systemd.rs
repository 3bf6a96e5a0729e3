//! What systemd is told of a service of `Type=notify` (sd_notify(3)). Elsewhere nobody listens,
//! and these do nothing.

use sd_notify::NotifyState;

/// The listeners are bound and answer; also ends a [`reloading`].
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is being read anew.
pub fn reloading() {
    // The time is there to tell this reload from earlier ones.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// Requests in flight are being finished.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Whether signs of life are waited for (`WatchdogSec=`).
pub fn wants_signs_of_life() -> bool {
    sd_notify::watchdog_enabled().is_some()
}

/// A sign of life.
pub fn watchdog() {
    tell(&[NotifyState::Watchdog]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::debug!("systemd could not be told: {error}");
    }
}
