//! One attempt to authenticate by a password.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::device::Device;
use super::key::{Fingerprint, MacKey};
use super::throttle::Guess;
use crate::engine::{ClientNet, Request};

/// Network of a client: an IPv4 address, an IPv6 /64, or the unix sockets.
pub(super) struct ClientAddress {
    client: Option<IpAddr>,
    client_net: Option<ClientNet>,
}

impl ClientAddress {
    pub(super) fn of(request: &Request) -> ClientAddress {
        ClientAddress { client: request.client, client_net: request.client.map(ClientNet::of) }
    }

    pub(super) fn name(&self) -> String {
        self.client_net.map_or_else(|| "unix".to_owned(), |net| net.to_string())
    }

    pub(super) fn fingerprint(&self, key: &MacKey) -> Fingerprint {
        key.fingerprint(&[b"address", self.name().as_bytes()])
    }

    /// Returns the fingerprint of the larger network that commonly has one owner: an IPv4 /24, an
    /// IPv6 /48.
    fn neighbourhood(&self, key: &MacKey) -> Fingerprint {
        let client = self.client.map(|client| client.to_canonical());
        let octets = match client {
            Some(IpAddr::V4(v4)) => v4.octets()[..3].to_vec(),
            Some(IpAddr::V6(v6)) => v6.octets()[..6].to_vec(),
            None => Vec::new(),
        };
        key.fingerprint(&[b"neighbourhood", &octets])
    }
}

/// Reason for which a password was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptError {
    /// The password is wrong or the account does not exist. Has the wait that the failure caused.
    Wrong(Option<Duration>),
    /// The caller must wait this long.
    Throttled(Duration),
    /// The caller's share of concurrent verifications, or of this second's comparisons, is used up.
    Busy,
    /// Unknown callers have used up the comparisons of this second.
    StrangerLimit,
}

/// A password that a client sent for an account.
pub(super) struct Attempt<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a [u8],
    pub(super) now: Instant,
    pub(super) address: ClientAddress,
    pub(super) guess: Guess,
    pub(super) network: Fingerprint,
    pub(super) neighbourhood: Fingerprint,
    pub(super) account: Fingerprint,
    /// Fingerprint of the device, if the request has a device cookie of this account.
    pub(super) device: Option<Fingerprint>,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(
        key: &MacKey,
        generation: u64,
        request: &Request,
        (user, password): (&'a str, &'a [u8]),
        device: Option<Device>,
        now: Instant,
    ) -> Attempt<'a> {
        let address = ClientAddress::of(request);
        let fingerprint = key.fingerprint(&[b"password", user.as_bytes(), password]);
        Attempt {
            user,
            password,
            now,
            guess: Guess { generation, fingerprint },
            network: address.fingerprint(key),
            neighbourhood: address.neighbourhood(key),
            account: key.fingerprint(&[b"account", user.as_bytes()]),
            device: device
                .map(|device| key.fingerprint(&[b"device", user.as_bytes(), &[device.number]])),
            address,
        }
    }
}
