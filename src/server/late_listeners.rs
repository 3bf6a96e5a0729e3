//! Configured addresses that the machine does not have yet, as on Wi-Fi, by DHCP or by IPv6's router
//! advertisements at boot. The server starts without them, and listens on each as soon as it can.
//!
//! Once a [`RETRY_INTERVAL`] the main thread tries to bind each of them, as a subscription to the
//! kernel's routing messages would not cover every cause: an IPv6 address is there and cannot be bound
//! while the kernel checks it for duplicates. A trial is four system calls, none of which blocks; ten
//! thousand addresses would take some tens of milliseconds of each second. No other thread waits for it,
//! and after the last address the timer ends.
//!
//! | | |
//! | --- | --- |
//! | the address never comes | one line in the log when the wait begins, and one each [`LOG_INTERVAL`] |
//! | it goes again after the bind | the socket stays and serves again when the address is back (ip(7)) |
//! | its port is in use by then, or descriptors are short | the wait goes on with that error ([`WaitCause`]): the other listeners serve |
//! | this user must not bind it | the same; each report calls it a wrong configuration |
//! | HUP, TERM | act at once: the trials run between them, on the same thread |
//! | `kill -9` | nothing is left |
//!
//! Wrong addresses wait, too, as they look the same; the log, `doctor`, `check`, the metrics and systemd's
//! status name them.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::listen::{ListenError, bind, listen_socket};
use crate::admin::listeners::{ListenerState, ListenerStatus, LiveListeners, WaitCause};
use crate::config::ListenAddr;
use crate::engine::Listener;
use crate::logging::OnChange;
use crate::wall_clock;

/// Time between two trials.
pub(super) const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Interval in which the log repeats that an address is missing.
const LOG_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Use of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Serves the site, by this scheme.
    Public(&'static str),
    /// Redirects to HTTPS.
    Redirect,
    /// Serves health and metrics.
    Admin,
}

/// The listeners of the start: those that are bound, and addresses that are missing.
pub(super) struct Binding {
    pub(super) public: Vec<Listener>,
    pub(super) redirect: Vec<Listener>,
    pub(super) admin: Option<Listener>,
    pub(super) late: LateListeners,
}

/// The addresses that are missing, and the state of all.
pub(super) struct LateListeners {
    backlog: u32,
    waiting: Vec<Waiting>,
    /// State of the public and redirect addresses.
    statuses: Vec<ListenerStatus>,
    live: Arc<LiveListeners>,
}

/// An address that is missing.
struct Waiting {
    role: Role,
    address: ListenAddr,
    /// Position in the list of states; the admin listener has none.
    status: Option<usize>,
    /// Kind of the latest failure.
    cause: WaitCause,
    /// Text of the latest failure.
    failure: OnChange<String>,
}

impl Binding {
    /// Binds these addresses, but for those that the machine does not have.
    ///
    /// # Errors
    /// An address cannot be listened on for another reason.
    pub(super) fn bind<'a>(
        addresses: impl Iterator<Item = (Role, &'a ListenAddr)>,
        backlog: u32,
    ) -> Result<Binding, ListenError> {
        let late = LateListeners {
            backlog,
            waiting: Vec::new(),
            statuses: Vec::new(),
            live: Arc::default(),
        };
        let mut binding = Binding { public: Vec::new(), redirect: Vec::new(), admin: None, late };
        for (role, address) in addresses {
            match bind(address, role, backlog) {
                Ok(listener) => {
                    binding.late.bound(role, &listener);
                    match role {
                        Role::Public(_) => binding.public.push(listener),
                        Role::Redirect => binding.redirect.push(listener),
                        Role::Admin => binding.admin = Some(listener),
                    }
                }
                Err(error) if error.is_absence() => {
                    binding.late.await_address(role, address, &error)
                }
                Err(error) => return Err(error),
            }
        }
        binding.late.publish();
        Ok(binding)
    }
}

impl LateListeners {
    /// Returns the state of the public and redirect addresses, which changes with them.
    pub(super) fn live(&self) -> Arc<LiveListeners> {
        Arc::clone(&self.live)
    }

    /// Returns true if no address is missing.
    pub(super) fn is_complete(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns the missing addresses by the kind of their reason, for systemd's status; `None` if there are none.
    pub(super) fn missing(&self) -> Option<String> {
        const TEXTS: [(WaitCause, &str); 3] = [
            (WaitCause::Absent, "waiting for addresses that this machine does not have"),
            (WaitCause::Failing, "trying again to listen on"),
            (WaitCause::Misconfigured, "not allowed to listen on, correct the configuration"),
        ];
        let groups = TEXTS.iter().filter_map(|(cause, text)| {
            let waiting = self.waiting.iter().filter(|waiting| waiting.cause == *cause);
            let addresses: Vec<String> =
                waiting.map(|waiting| waiting.address.to_string()).collect();
            (!addresses.is_empty()).then(|| format!("{text}: {}", addresses.join(", ")))
        });
        let groups: Vec<String> = groups.collect();
        (!groups.is_empty()).then(|| groups.join("; "))
    }

    /// Tries to bind each missing address, and passes new listeners to `add`. Returns true if
    /// [`LateListeners::missing`] has changed.
    pub(super) fn retry(&mut self, add: impl Fn(Role, Listener) -> io::Result<()>) -> bool {
        let now = Instant::now();
        let before = self.missing();
        for mut waiting in std::mem::take(&mut self.waiting) {
            let (role, backlog) = (waiting.role, self.backlog);
            let outcome = bind(&waiting.address, role, backlog);
            let outcome = outcome.map_err(|error| (error.wait_cause(), error.to_string()));
            let outcome = outcome.and_then(|listener| {
                let (address, socket) = (listener.local_addr(), listen_socket(&listener, backlog));
                add(role, listener).map_err(|error| {
                    let error =
                        format!("cannot listen on {address}: cannot register the socket: {error}");
                    (WaitCause::Failing, error)
                })?;
                Ok((address, socket))
            });
            match outcome {
                Ok((address, socket)) => {
                    log::info!("{}", role.listening(&address));
                    if let Some(position) = waiting.status {
                        let socket = socket.filter(|_| role != Role::Redirect);
                        self.statuses[position] = ListenerStatus {
                            address,
                            state: ListenerState::Listening(socket),
                            since: wall_clock::now(),
                        };
                    }
                }
                Err((cause, error)) => {
                    waiting.cause = cause;
                    waiting.log(&error, now);
                    if let Some(position) = waiting.status {
                        self.statuses[position].state = ListenerState::Waiting { cause, error };
                    }
                    self.waiting.push(waiting);
                }
            }
        }
        self.publish();
        self.missing() != before
    }

    fn bound(&mut self, role: Role, listener: &Listener) {
        let socket = match role {
            Role::Public(_) => listen_socket(listener, self.backlog),
            Role::Redirect => None,
            Role::Admin => return,
        };
        self.statuses.push(ListenerStatus {
            address: listener.local_addr(),
            state: ListenerState::Listening(socket),
            since: wall_clock::now(),
        });
    }

    fn await_address(&mut self, role: Role, address: &ListenAddr, error: &ListenError) {
        let status = (role != Role::Admin).then_some(self.statuses.len());
        let (cause, error) = (error.wait_cause(), error.to_string());
        let mut waiting = Waiting {
            role,
            address: address.clone(),
            status,
            cause,
            failure: OnChange::repeating(LOG_INTERVAL),
        };
        waiting.log(&error, Instant::now());
        if status.is_some() {
            self.statuses.push(ListenerStatus {
                address: address.to_string(),
                state: ListenerState::Waiting { cause, error },
                since: wall_clock::now(),
            });
        }
        self.waiting.push(waiting);
    }

    fn publish(&self) {
        self.live.store(self.statuses.clone());
    }
}

impl Waiting {
    fn log(&mut self, error: &str, now: Instant) {
        if self.failure.set_at(error.to_owned(), now) {
            log::warn!(
                "{error}; the server tries again each second and serves at its other addresses meanwhile: {}",
                self.advice()
            );
        }
    }

    /// Returns the meaning of the latest failure, and what to do.
    fn advice(&self) -> String {
        let key = self.role.key();
        match self.cause {
            WaitCause::Absent => format!(
                "if this one comes by DHCP, Wi-Fi or IPv6 there is nothing to do, else correct {key} and \
                 restart"
            ),
            WaitCause::Failing => "this machine has the address now".to_owned(),
            WaitCause::Misconfigured => format!(
                "this machine has the address now, and the configuration is wrong: correct {key} and restart"
            ),
        }
    }
}

impl Role {
    /// Returns the log line about a bound listener.
    pub(super) fn listening(self, address: &str) -> String {
        let is_unix = address.starts_with("unix");
        match self {
            Role::Public(scheme) if is_unix => format!("listening on {address}, {scheme}"),
            Role::Public(scheme) => format!("listening on {scheme}://{address}/"),
            Role::Redirect => format!("listening on http://{address}/, for redirects to https"),
            Role::Admin if is_unix => format!("admin listener on {address}"),
            Role::Admin => format!("admin listener on http://{address}/"),
        }
    }

    /// Returns the key of the configuration that has the address.
    const fn key(self) -> &'static str {
        match self {
            Role::Public(_) => "[server] listen",
            Role::Redirect => "[tls] redirect_listen",
            Role::Admin => "[server] admin_listen",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(role: Role, address: &str, cause: WaitCause) -> Waiting {
        let (address, failure) = (address.parse().unwrap(), OnChange::repeating(LOG_INTERVAL));
        Waiting { role, address, status: None, cause, failure }
    }

    fn late(waiting: Vec<Waiting>) -> LateListeners {
        LateListeners { backlog: 16, waiting, statuses: Vec::new(), live: Arc::default() }
    }

    #[test]
    fn missing_addresses_are_listed_by_cause_with_advice() {
        assert_eq!(late(Vec::new()).missing(), None);
        let late = late(vec![
            waiting(Role::Public("https"), "192.0.2.7:443", WaitCause::Absent),
            waiting(Role::Redirect, "192.0.2.7:80", WaitCause::Misconfigured),
            waiting(Role::Admin, "[::1]:6480", WaitCause::Failing),
            waiting(Role::Public("https"), "192.0.2.8:443", WaitCause::Absent),
        ]);
        assert_eq!(
            late.missing().unwrap(),
            "waiting for addresses that this machine does not have: 192.0.2.7:443, 192.0.2.8:443; trying \
             again to listen on: [::1]:6480; not allowed to listen on, correct the configuration: 192.0.2.7:80"
        );
        let advice: Vec<String> = late.waiting.iter().map(Waiting::advice).collect();
        assert!(advice[0].ends_with("else correct [server] listen and restart"), "{advice:?}");
        let wrong = "the configuration is wrong: correct [tls] redirect_listen and restart";
        assert!(advice[1].ends_with(wrong), "{advice:?}");
        assert_eq!(advice[2], "this machine has the address now");
    }

    #[test]
    fn cause_of_a_wait_follows_the_latest_attempt() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let mut late = late(vec![waiting(Role::Admin, &address, WaitCause::Absent)]);
        assert!(late.retry(|_, _| Ok(())), "the cause has changed");
        assert_eq!(late.missing().unwrap(), format!("trying again to listen on: {address}"));
        assert!(!late.retry(|_, _| Ok(())), "the cause is the same");
        drop(taken);
        assert!(late.retry(|_, _| Ok(())));
        assert!(late.is_complete());
    }
}
