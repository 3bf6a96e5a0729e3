//! Number of open connections of each client, for the cap on one client and for the choice of a
//! connection to evict.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use super::client_net::ClientNet;
use super::trusted_proxies::TrustedProxies;

/// Counts the connections of each client.
#[derive(Debug)]
pub(super) struct ClientCounts {
    /// Most connections of one client.
    cap: usize,
    trusted_proxies: TrustedProxies,
    counts: HashMap<ClientNet, usize>,
    /// Clients at the cap without a connection that can be evicted, since the latest sweep.
    unevictable: HashSet<ClientNet>,
}

impl ClientCounts {
    pub(super) fn new(cap: usize, trusted_proxies: TrustedProxies) -> ClientCounts {
        let (counts, unevictable) = (HashMap::new(), HashSet::new());
        ClientCounts { cap, trusted_proxies, counts, unevictable }
    }

    /// Changes the cap and the trusted proxies. Open connections stay counted as they are.
    pub(super) fn configure(&mut self, cap: usize, trusted_proxies: TrustedProxies) {
        self.cap = cap;
        self.trusted_proxies = trusted_proxies;
        self.unevictable.clear();
    }

    /// Returns the client that a connection from this address counts for. Returns `None` where the
    /// address identifies no client: on unix sockets, and for trusted proxies, which serve many.
    pub(super) fn client_net(&self, address: Option<SocketAddr>) -> Option<ClientNet> {
        let address = address?.ip().to_canonical();
        let is_proxy = self.trusted_proxies.contains(Some(address));
        (!is_proxy).then(|| ClientNet::of(address))
    }

    pub(super) fn add(&mut self, client_net: Option<ClientNet>) {
        if let Some(client_net) = client_net {
            *self.counts.entry(client_net).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, client_net: Option<ClientNet>) {
        let Some(client_net) = client_net else { return };
        if let Some(count) = self.counts.get_mut(&client_net) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&client_net);
            }
        }
    }

    /// Returns the client if it has as many connections as one client may have.
    pub(super) fn at_cap(&self, client_net: Option<ClientNet>) -> Option<ClientNet> {
        client_net.filter(|client_net| self.count(*client_net) >= self.cap)
    }

    /// Returns the size of a client's group of connections, in steps that double. Up to a sixteenth
    /// of the cap all groups have the same size: clients with few connections are treated alike.
    pub(super) fn size_class(&self, client_net: Option<ClientNet>) -> u32 {
        let few = (self.cap / 16).max(1);
        client_net.map_or(0, |client_net| (self.count(client_net) / few + 1).ilog2())
    }

    fn count(&self, client_net: ClientNet) -> usize {
        self.counts.get(&client_net).copied().unwrap_or(0)
    }

    /// Returns true if none of the client's connections could be evicted since the latest sweep.
    pub(super) fn is_unevictable(&self, client_net: ClientNet) -> bool {
        self.unevictable.contains(&client_net)
    }

    pub(super) fn set_unevictable(&mut self, client_net: ClientNet) {
        self.unevictable.insert(client_net);
    }

    /// Lets the next connection at the cap search again for one to evict.
    pub(super) fn clear_unevictable(&mut self) {
        self.unevictable.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_net(counts: &ClientCounts, text: &str) -> Option<ClientNet> {
        counts.client_net(Some(SocketAddr::new(text.parse().unwrap(), 1)))
    }

    #[test]
    fn address_identifies_its_client_but_not_behind_a_trusted_proxy() {
        let counts = ClientCounts::new(
            2,
            TrustedProxies { networks: vec!["10.0.0.0/8".parse().unwrap()], unix: true },
        );
        let same = [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1", "::ffff:192.0.2.1"),
            ("2001:db8::1", "2001:db8::ffff:1"),
        ];
        for (one, other) in same {
            assert_eq!(client_net(&counts, one), client_net(&counts, other), "{one} {other}");
        }
        assert_ne!(client_net(&counts, "192.0.2.1"), client_net(&counts, "192.0.2.2"));
        assert_ne!(client_net(&counts, "2001:db8::1"), client_net(&counts, "2001:db8:0:1::1"));
        assert_eq!(client_net(&counts, "10.1.2.3"), None);
        assert_eq!(counts.client_net(None), None);
    }

    #[test]
    fn client_is_at_the_cap_until_one_of_its_connections_is_removed() {
        let mut counts = ClientCounts::new(2, TrustedProxies::default());
        let one = client_net(&counts, "192.0.2.1");
        for _ in 0..2 {
            assert_eq!(counts.at_cap(one), None);
            counts.add(one);
        }
        assert_eq!(counts.at_cap(one), one);
        assert_eq!(counts.at_cap(client_net(&counts, "192.0.2.2")), None);
        counts.remove(one);
        assert_eq!(counts.at_cap(one), None);
        counts.remove(one);
        assert!(counts.counts.is_empty(), "a client without connections takes no memory");
    }

    #[test]
    fn size_class_grows_by_one_when_the_number_of_connections_doubles() {
        let mut counts = ClientCounts::new(1024, TrustedProxies::default());
        let one = client_net(&counts, "192.0.2.1");
        let mut classes = Vec::new();
        for count in 1..=1000 {
            counts.add(one);
            if [1, 63, 64, 200, 1000].contains(&count) {
                classes.push(counts.size_class(one));
            }
        }
        assert_eq!(classes, [0, 0, 1, 2, 4]);
        assert_eq!(counts.size_class(None), 0);
    }
}
