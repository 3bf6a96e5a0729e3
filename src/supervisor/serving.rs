//! Where the running server says that it serves, compared with its configuration.
//!
//! `serve` takes options that replace keys of the file, keys are changed without a restart, and a listener
//! may wait for its address. In each case the configured address does not answer, and a restart changes
//! nothing.

use serde::Deserialize;

use super::alarm::AlarmKind;
use super::fault::Verdict;
use crate::config::ListenAddr;

/// Members of the scoreboard that tell where the server listens. Each is absent from an older server.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Scoreboard {
    /// Public listeners and their states.
    listeners: Vec<Listener>,
    /// Accept queues of the public TCP listeners.
    accept_queues: Vec<AcceptQueue>,
    /// Certificates in use; none for plain HTTP.
    certificates: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listener {
    address: String,
    /// `listening` or `waiting`.
    state: String,
    /// Reason to wait.
    error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AcceptQueue {
    listener: String,
}

/// Statement of the server that it does not serve at an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contradiction {
    pub(super) verdict: Verdict,
    pub(super) text: String,
}

/// Returns how the scoreboard contradicts the configuration at a listener; `None` if it says that the server
/// listens there, or does not say where it listens.
pub(super) fn contradiction(
    scoreboard: &[u8],
    listen: &ListenAddr,
    is_tls: bool,
) -> Option<Contradiction> {
    let scoreboard: Scoreboard = serde_json::from_slice(scoreboard).ok()?;
    let address = listen.to_string();
    let text = if let Some(listener) = scoreboard.find(&address) {
        match (listener.state.as_str(), &listener.error) {
            ("waiting", Some(error)) => format!("the server waits for the address: {error}"),
            ("waiting", None) => "the server waits for the address".to_owned(),
            _ if is_tls && scoreboard.certificates.is_some_and(|found| found.is_empty()) => {
                "the server speaks plain HTTP there, and [tls] is configured: give the address to \
                 probe by --url, or start it without --no-tls"
                    .to_owned()
            }
            _ => return None,
        }
    } else {
        let known = scoreboard.addresses(listen)?;
        format!(
            "the server does not listen there, but on {known}: restart it if the file was changed; \
             if it was started with --listen, give the address to probe by --url"
        )
    };
    let verdict = Verdict::Misconfigured { kind: AlarmKind::Listener, answered: true };
    Some(Contradiction { verdict, text })
}

impl Scoreboard {
    /// Returns the listener of that address.
    fn find(&self, address: &str) -> Option<Listener> {
        let listener = self.listeners.iter().find(|listener| listener.address == address);
        let queue = self.accept_queues.iter().find(|queue| queue.listener == address);
        match (listener, queue) {
            (Some(Listener { address, state, error }), _) => Some(Listener {
                address: address.clone(),
                state: state.clone(),
                error: error.clone(),
            }),
            (None, Some(queue)) if self.listeners.is_empty() => {
                Some(Listener { address: queue.listener.clone(), ..Listener::default() })
            }
            _ => None,
        }
    }

    /// Returns the addresses of all listeners, if those of that kind are known.
    fn addresses(&self, kind: &ListenAddr) -> Option<String> {
        let listeners = self.listeners.iter().map(|listener| listener.address.as_str());
        let queues = self.accept_queues.iter().map(|queue| queue.listener.as_str());
        let known: Vec<&str> = match (self.listeners.is_empty(), kind) {
            (false, _) => listeners.collect(),
            // An older server lists its TCP listeners only.
            (true, ListenAddr::Tcp(_)) => queues.collect(),
            (true, _) => Vec::new(),
        };
        (!known.is_empty()).then(|| known.join(", "))
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
        for (scoreboard, listen, is_tls, expected) in [
            (listening, "0.0.0.0:6443", true, None),
            (listening, "0.0.0.0:7443", true, Some("but on 0.0.0.0:6443")),
            (listening, "unix:/run/p.sock", true, Some("but on 0.0.0.0:6443")),
            (waiting, "192.0.2.7:6443", true, Some("waits for the address: no such address")),
            (plain, "0.0.0.0:6443", true, Some("--no-tls")),
            (plain, "0.0.0.0:6443", false, None),
            (queues, "0.0.0.0:6443", true, Some("but on 0.0.0.0:8443")),
            (queues, "0.0.0.0:8443", true, None),
            (queues, "unix:/run/p.sock", true, None),
            ("{}", "0.0.0.0:6443", true, None),
            ("garbage", "0.0.0.0:6443", true, None),
        ] {
            let found = contradiction(scoreboard.as_bytes(), &listen.parse().unwrap(), is_tls);
            match (&found, expected) {
                (None, None) => {}
                (Some(found), Some(text)) => assert!(found.text.contains(text), "{found:?}"),
                _ => panic!("{scoreboard} {listen}: {found:?}"),
            }
        }
    }
}
