//! Sessions of TLS clients, which shorten the next handshake with the same host: a small device may need a second for
//! a full one.
//!
//! The settings of a client may serve thousands of hosts. rustls keeps the sessions of 32 of them, with up to eight
//! tickets and eight copies of the certificates each. A source has one poll in flight, so one ticket is enough,
//! and the latest sessions of [`MAX_HOSTS`] hosts take a few KiB each.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// Most hosts whose sessions are kept. Beyond them, the one that was added first is forgotten.
const MAX_HOSTS: usize = 1_024;

/// Latest session of each host.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    sessions: HashMap<ServerName<'static>, Session>,
    /// Hosts in the order in which they were added.
    order: VecDeque<ServerName<'static>>,
}

#[derive(Debug, Default)]
struct Session {
    key_exchange: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    tls13: Option<Tls13ClientSessionValue>,
}

impl Sessions {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the session of a host, which is added if it is not known.
    fn edit(&self, host: ServerName<'static>, edit: impl FnOnce(&mut Session)) {
        let State { sessions, order } = &mut *self.state();
        if !sessions.contains_key(&host) {
            if order.len() >= MAX_HOSTS
                && let Some(first) = order.pop_front()
            {
                sessions.remove(&first);
            }
            order.push_back(host.clone());
        }
        edit(sessions.entry(host).or_default());
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, host: ServerName<'static>, group: NamedGroup) {
        self.edit(host, |session| session.key_exchange = Some(group));
    }

    fn kx_hint(&self, host: &ServerName<'_>) -> Option<NamedGroup> {
        self.state().sessions.get(host)?.key_exchange
    }

    fn set_tls12_session(&self, host: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.edit(host, |session| session.tls12 = Some(value));
    }

    fn tls12_session(&self, host: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.state().sessions.get(host)?.tls12.clone()
    }

    fn remove_tls12_session(&self, host: &ServerName<'static>) {
        if let Some(session) = self.state().sessions.get_mut(host) {
            session.tls12 = None;
        }
    }

    fn insert_tls13_ticket(&self, host: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.edit(host, |session| session.tls13 = Some(value));
    }

    fn take_tls13_ticket(&self, host: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.state().sessions.get_mut(host)?.tls13.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_many_hosts_are_bounded_and_the_latest_stay() {
        let sessions = Sessions::default();
        let host = |n: usize| ServerName::try_from(format!("h{n}.test")).unwrap();
        for round in 0..2 {
            for n in 0..3 * MAX_HOSTS {
                sessions.set_kx_hint(host(n), NamedGroup::X25519);
            }
            let state = sessions.state();
            assert_eq!(
                (state.sessions.len(), state.order.len()),
                (MAX_HOSTS, MAX_HOSTS),
                "{round}"
            );
        }
        assert_eq!(sessions.kx_hint(&host(3 * MAX_HOSTS - 1)), Some(NamedGroup::X25519));
        assert_eq!(sessions.kx_hint(&host(0)), None);
    }
}
