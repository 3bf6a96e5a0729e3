//! A name and a password on their way through the gate.

use std::net::IpAddr;
use std::time::Instant;

use super::device::Device;
use super::key::{Fingerprint, MacKey};
use super::throttle::Guess;
use crate::engine::{ClientNet, Request};

/// Network that a request comes from: an IPv4 address, an IPv6 network of 64 bits, or a unix
/// socket.
pub(super) struct Address {
    client: Option<IpAddr>,
    client_net: Option<ClientNet>,
}

impl Address {
    pub(super) fn of(request: &Request) -> Address {
        Address { client: request.client, client_net: request.client.map(ClientNet::of) }
    }

    pub(super) fn name(&self) -> String {
        self.client_net.map_or_else(|| "unix".to_owned(), |net| net.to_string())
    }

    pub(super) fn fingerprint(&self, key: &MacKey) -> Fingerprint {
        key.fingerprint(&[b"address", self.name().as_bytes()])
    }

    /// The surroundings that commonly have one owner: 24 bits of IPv4, 48 bits of IPv6.
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

/// A password that was sent for an account, from somewhere.
pub(super) struct Attempt<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a [u8],
    pub(super) now: Instant,
    pub(super) address: Address,
    pub(super) guess: Guess,
    pub(super) network: Fingerprint,
    pub(super) neighbourhood: Fingerprint,
    pub(super) account: Fingerprint,
    /// Fingerprint of the device whose cookie for this account came along.
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
        let address = Address::of(request);
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
