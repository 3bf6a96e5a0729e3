//! Proxies that are trusted to name their clients.

use std::net::IpAddr;

use ipnet::IpNet;

/// Set of proxies that may have any number of connections, and whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Addresses of the proxies.
    pub networks: Vec<IpNet>,
    /// True if every client on a unix socket is one. The mode of the socket file decides which processes can
    /// connect to it.
    pub unix: bool,
}

impl TrustedProxies {
    /// Returns true if no proxy is trusted.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.unix
    }

    /// Returns true if a trusted proxy has that address, which is canonical; `None`: a client on a unix socket.
    pub(super) fn contains(&self, address: Option<IpAddr>) -> bool {
        address.map_or(self.unix, |address| {
            self.networks.iter().any(|network| network.contains(&address))
        })
    }
}
