//! Receivers of the messages of alerts: servers like ntfy and Alertmanager's webhooks, a real mail server, and the faults
//! that each of them may have.
//!
//! A [`Front`] relays the connections of a channel to its receiver. It has the faults of networks, which are the same
//! for all protocols; a receiver itself has those of its protocol.

mod alertmanager;
mod front;
mod http;
mod mail;
mod ntfy;

pub use alertmanager::{AlertmanagerReceiver, Posted};
pub use front::{Front, FrontFault};
pub use http::{HttpAnswer, HttpReceiver, Received};
pub use mail::{Mail, MailAnswer, MailSecurity, MailServer, MailServers};
pub use ntfy::{NtfyMessage, NtfyReceiver};

/// A certificate for loopback that is its own authority, with its key, in PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The certificate's key.
    pub key: String,
}

impl Identity {
    /// Makes a certificate.
    pub fn new() -> Identity {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        Identity { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }
}

impl Default for Identity {
    fn default() -> Identity {
        Identity::new()
    }
}
