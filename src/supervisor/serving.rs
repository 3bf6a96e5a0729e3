//! Statements of the running server about itself, which excuse a failed probe.
//!
//! * Its addresses, compared with its configuration. `serve` takes options that replace keys of the file,
//!   keys are changed without a restart, and a listener may wait for its address. In each case the
//!   configured address does not answer, and a restart changes nothing.
//! * The number of connections that it has shed. At its cap it closes a new TLS connection without a word,
//!   as a 503 would take a handshake.

use std::collections::BTreeMap;

use super::alarm::AlarmKind;
use super::fault::{LATE_ADDRESS, Verdict};
use crate::config::ListenAddr;
use crate::json::deserialize_members;

/// Members of the scoreboard. Each is absent from an older server.
#[derive(Debug, Default)]
pub(super) struct Scoreboard {
    /// Public listeners and their states.
    listeners: Vec<Listener>,
    /// Accept queues of the public TCP listeners.
    accept_queues: Vec<AcceptQueue>,
    /// Certificates in use; none for plain HTTP.
    certificates: Option<Vec<serde::de::IgnoredAny>>,
    /// Number of connections shed since the start, by reason.
    connections_shed: BTreeMap<String, u64>,
    /// Number of connections that newer ones evicted since the start.
    connections_evicted: u64,
}

deserialize_members!(Scoreboard {
    listeners,
    accept_queues,
    certificates,
    connections_shed,
    connections_evicted
});

#[derive(Debug, Default)]
struct Listener {
    address: String,
    /// `listening` or `waiting`.
    state: String,
    /// Reason to wait.
    error: Option<String>,
}

deserialize_members!(Listener { address, state, error });

#[derive(Debug, Default)]
struct AcceptQueue {
    listener: String,
}

deserialize_members!(AcceptQueue { listener });

/// Statement of the server that it does not serve at an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contradiction {
    pub(super) verdict: Verdict,
    pub(super) text: String,
}

fn contradiction_of(text: String) -> Contradiction {
    let verdict = Verdict::Misconfigured { kind: AlarmKind::Listener, answered: true };
    Contradiction { verdict, text }
}

impl Scoreboard {
    /// Parses the scoreboard; `None` if it is none.
    pub(super) fn parse(page: &[u8]) -> Option<Scoreboard> {
        serde_json::from_slice(page).ok()
    }

    /// Returns the number of connections that the server has closed for want of room since its start.
    pub(super) fn shed(&self) -> u64 {
        self.connections_shed.values().sum::<u64>().saturating_add(self.connections_evicted)
    }

    /// Returns how the scoreboard contradicts the configuration at a listener; `None` if it says that the server
    /// listens there, or does not say where it listens.
    pub(super) fn contradiction(&self, listen: &ListenAddr, is_tls: bool) -> Option<Contradiction> {
        let known = self.known(listen);
        if known.is_empty() {
            return None;
        }
        let is_same = |(served, _): &&(ListenAddr, _)| served == listen;
        let covering = |(served, _): &&(ListenAddr, _)| covers(served, listen);
        let Some((_, listener)) =
            known.iter().find(is_same).or_else(|| known.iter().find(covering))
        else {
            let known: Vec<String> = known.iter().map(|(address, _)| address.to_string()).collect();
            return Some(contradiction_of(format!(
                "the server does not listen there, but on {}: restart it if the file was changed; if it \
                 was started with --listen, give the address to probe by --url",
                known.join(", ")
            )));
        };
        let serves_tls = self.certificates.as_ref().map(|found| !found.is_empty());
        let (state, error) =
            listener.map_or(("", None), |one| (one.state.as_str(), one.error.as_ref()));
        let text = match (state, error, serves_tls) {
            ("waiting", Some(error), _) => format!(
                "the server waits for the address: {error}; {LATE_ADDRESS} \"listen\" in [server] and restart it"
            ),
            ("waiting", None, _) => "the server waits for the address".to_owned(),
            (_, _, Some(false)) if is_tls => {
                "the server speaks plain HTTP there, and [tls] is configured: restart it if the file was \
                 changed; if it was started with --no-tls, give the address to probe by --url"
                    .to_owned()
            }
            (_, _, Some(true)) if !is_tls => {
                "the server speaks TLS there, and [tls] is not configured: restart it if the file was \
                 changed"
                    .to_owned()
            }
            _ => return None,
        };
        Some(contradiction_of(text))
    }

    /// Returns what is known about each listener of that kind; nothing if it is not sure to be all of them.
    fn known(&self, kind: &ListenAddr) -> Vec<(ListenAddr, Option<&Listener>)> {
        let listeners = || {
            let known = |one: &'_ Listener| address(&one.address);
            self.listeners.iter().map(move |one| known(one).map(|address| (address, Some(one))))
        };
        let queues = || self.accept_queues.iter().map(|one| Some((address(&one.listener)?, None)));
        let all: Option<Vec<_>> = match (self.listeners.is_empty(), kind) {
            (false, _) => listeners().collect(),
            // An older server lists its TCP listeners only.
            (true, ListenAddr::Tcp(_)) => queues().collect(),
            (true, _) => None,
        };
        all.unwrap_or_default()
    }
}

/// Returns a listener's address; `None` if it has none that is known, as a passed socket.
fn address(text: &str) -> Option<ListenAddr> {
    let text = text.strip_prefix("tcp://").unwrap_or(text);
    text.parse().ok().filter(|address| !matches!(address, ListenAddr::Fd(_)))
}

/// Returns true if a listener of the server may be the one that is configured, though it is written
/// otherwise: a wildcard stands for every address, and a path may be relative.
fn covers(served: &ListenAddr, configured: &ListenAddr) -> bool {
    match (served, configured) {
        (ListenAddr::Tcp(served), ListenAddr::Tcp(configured)) => {
            let is_any = served.ip().is_unspecified() || configured.ip().is_unspecified();
            served.port() == configured.port() && (is_any || served.ip() == configured.ip())
        }
        (ListenAddr::Unix(served), ListenAddr::Unix(configured)) => {
            let is_relative = served.is_relative() || configured.is_relative();
            served == configured || is_relative && served.file_name() == configured.file_name()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scoreboard_contradicts_a_listener_that_waits_is_absent_or_speaks_plain_http() {
        let listening = r#"{"listeners":[{"address":"0.0.0.0:6443","state":"listening","error":null}],
            "certificates":[{}]}"#;
        let waiting = r#"{"listeners":[{"address":"192.0.2.7:6443","state":"waiting",
            "error":"no such address","since":"x"}],"certificates":[{}]}"#;
        let plain = r#"{"accept_queues":[{"listener":"0.0.0.0:6443"}],"certificates":[]}"#;
        let queues = r#"{"accept_queues":[{"listener":"0.0.0.0:8443","depth":0}]}"#;
        let passed = r#"{"listeners":[{"address":"fd:3","state":"listening"}]}"#;
        let spelt = r#"{"listeners":[{"address":"tcp://localhost:6443","state":"listening"},
            {"address":"unix:p.sock","state":"listening"}],"certificates":[{}]}"#;
        for (scoreboard, listen, is_tls, expected) in [
            (listening, "0.0.0.0:6443", true, None),
            (listening, "0.0.0.0:7443", true, Some("but on 0.0.0.0:6443")),
            (listening, "unix:/run/p.sock", true, Some("but on 0.0.0.0:6443")),
            (waiting, "192.0.2.7:6443", true, Some("no such address; if this one comes by DHCP")),
            (plain, "0.0.0.0:6443", true, Some("--no-tls")),
            (plain, "0.0.0.0:6443", false, None),
            (listening, "0.0.0.0:6443", false, Some("speaks TLS there, and [tls] is not")),
            // Another spelling of the same address.
            (listening, "[::]:6443", true, None),
            (listening, "192.0.2.7:6443", true, None),
            (spelt, "localhost:6443", true, None),
            (spelt, "[::]:6443", true, None),
            (spelt, "192.0.2.7:6443", true, Some("does not listen there")),
            (spelt, "unix:/run/p.sock", true, None),
            (spelt, "unix:/run/q.sock", true, Some("does not listen there")),
            (passed, "0.0.0.0:6443", true, None),
            (queues, "0.0.0.0:6443", true, Some("but on 0.0.0.0:8443")),
            (queues, "0.0.0.0:8443", true, None),
            (queues, "unix:/run/p.sock", true, None),
            ("{}", "0.0.0.0:6443", true, None),
            ("garbage", "0.0.0.0:6443", true, None),
        ] {
            let found = Scoreboard::parse(scoreboard.as_bytes())
                .and_then(|found| found.contradiction(&listen.parse().unwrap(), is_tls));
            match (&found, expected) {
                (None, None) => {}
                (Some(found), Some(text)) => assert!(found.text.contains(text), "{found:?}"),
                _ => panic!("{scoreboard} {listen}: {found:?}"),
            }
        }
    }

    #[test]
    fn shed_and_evicted_connections_are_added_up() {
        for (scoreboard, expected) in [
            ("{}", 0),
            (
                r#"{"connections_shed":{"connection_cap":3,"address_cap":4},"connections_evicted":5}"#,
                12,
            ),
            // A server without the second member.
            (r#"{"connections_shed":{"connection_cap":3}}"#, 3),
        ] {
            assert_eq!(Scoreboard::parse(scoreboard.as_bytes()).unwrap().shed(), expected);
        }
    }
}
