//! Notifications to systemd for a service of `Type=notify` (sd_notify(3)). Without
//! `NOTIFY_SOCKET` they do nothing.
//!
//! No notification waits for systemd. A keep-alive ping that finds the socket full is dropped, as
//! the next one follows soon. A change of state that finds it full is stored, and the watchdog's
//! thread sends it with [`resend`]; a later change replaces it.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sd_notify::NotifyState;

const VARIABLE: &str = "NOTIFY_SOCKET";

/// The latest change of state, if it was not sent yet.
static UNSENT: Mutex<Option<String>> = Mutex::new(None);

/// The latest status, if it was not sent yet. It has a place of its own, as it must not replace a change
/// of state.
static UNSENT_STATUS: Mutex<Option<String>> = Mutex::new(None);

/// Notifies systemd that the server is ready: after the start, and at the end of a reload.
pub fn ready(status: &str) {
    change_state(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Sends the status that `systemctl status` shows.
pub fn status(status: &str) {
    send_or_keep(&UNSENT_STATUS, &[NotifyState::Status(status)]);
}

/// Notifies systemd that the configuration is being reloaded.
pub fn reloading() {
    // systemd distinguishes reloads by their time.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        change_state(&[NotifyState::Reloading, now]);
    }
}

/// Notifies systemd that the server is stopping.
pub fn stopping() {
    change_state(&[NotifyState::Stopping]);
}

/// Returns true if systemd expects keep-alive pings (`WatchdogSec=`).
pub fn expects_pings() -> bool {
    sd_notify::watchdog_enabled().is_some()
}

/// Sends a keep-alive ping (`WATCHDOG=1`).
pub fn ping() {
    if let Err(error) = send(&message(&[NotifyState::Watchdog])) {
        log::debug!("cannot send a keep-alive ping to systemd: {error}");
    }
}

/// Sends the latest change of state again if the socket was full. Called several times a second.
pub fn resend() {
    // The state first, as it has an older status.
    for unsent in [&UNSENT, &UNSENT_STATUS] {
        let mut unsent = lock(unsent);
        if let Some(state) = &*unsent
            && !is_full(&send(state))
        {
            *unsent = None;
        }
    }
}

fn change_state(states: &[NotifyState<'_>]) {
    send_or_keep(&UNSENT, states);
}

fn send_or_keep(unsent: &Mutex<Option<String>>, states: &[NotifyState<'_>]) {
    let state = message(states);
    // Locked while it sends, so that an older state is never sent after a newer one.
    let mut unsent = lock(unsent);
    let sent = send(&state);
    if let Err(error) = &sent {
        log::debug!("cannot notify systemd of {state:?}: {error}");
    }
    *unsent = is_full(&sent).then_some(state);
}

fn lock(unsent: &Mutex<Option<String>>) -> MutexGuard<'_, Option<String>> {
    unsent.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns true if systemd has not read its earlier messages yet.
fn is_full(sent: &io::Result<()>) -> bool {
    sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

fn message(states: &[NotifyState<'_>]) -> String {
    states.iter().map(|state| format!("{state}\n")).collect()
}

/// Sends a message without blocking.
fn send(message: &str) -> io::Result<()> {
    match std::env::var_os(VARIABLE) {
        Some(path) => send_to(&path, message),
        None => Ok(()),
    }
}

fn send_to(path: &OsStr, message: &str) -> io::Result<()> {
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    // A datagram is sent whole or not at all.
    socket.send_to_addr(message.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn send_to_a_full_abstract_socket_fails_without_blocking() {
        let name = format!("pumphouse-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        let path = format!("@{name}");
        let mut sent = 0;
        let full = loop {
            match send_to(OsStr::new(&path), "WATCHDOG=1\n") {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        assert!(sent > 0);
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"WATCHDOG=1\n");
        assert!(send_to(OsStr::new(&path), "WATCHDOG=1\n").is_ok(), "there is room again");
    }
}
