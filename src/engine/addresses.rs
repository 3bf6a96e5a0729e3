//! Who connects: how many connections an address holds, and whom a proxy speaks for.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A visitor as far as addresses tell one from another: an IPv4 address, or an IPv6 network of
/// 64 bits, of which a visitor commonly has all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientNet(IpAddr);

impl ClientNet {
    /// The visitor at that address.
    pub fn of(address: IpAddr) -> ClientNet {
        let address = address.to_canonical();
        ClientNet(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
        })
    }
}

/// Counts the connections of each visitor.
#[derive(Debug)]
pub(super) struct Addresses {
    cap: usize,
    trusted: Vec<IpNet>,
    counts: HashMap<ClientNet, usize>,
    /// At their cap with nothing to give way; looked at again after the next sweep.
    exhausted: HashSet<ClientNet>,
}

impl Addresses {
    pub(super) fn new(cap: usize, trusted: Vec<IpNet>) -> Addresses {
        Addresses { cap, trusted, counts: HashMap::new(), exhausted: HashSet::new() }
    }

    /// Goes on with this cap and these proxies. Connections that are open stay counted as they
    /// were when they came.
    pub(super) fn renew(&mut self, cap: usize, trusted: Vec<IpNet>) {
        self.cap = cap;
        self.trusted = trusted;
        self.exhausted.clear();
    }

    /// Who is at the other end; `None` where the address tells nobody from anybody: on unix
    /// sockets, and for trusted proxies, which speak for many.
    pub(super) fn visitor(&self, address: Option<SocketAddr>) -> Option<ClientNet> {
        let address = address?.ip().to_canonical();
        if is_trusted(&self.trusted, address) {
            return None;
        }
        Some(ClientNet::of(address))
    }

    pub(super) fn enter(&mut self, visitor: Option<ClientNet>) {
        if let Some(visitor) = visitor {
            *self.counts.entry(visitor).or_default() += 1;
        }
    }

    pub(super) fn leave(&mut self, visitor: Option<ClientNet>) {
        let Some(visitor) = visitor else { return };
        if let Some(count) = self.counts.get_mut(&visitor) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&visitor);
            }
        }
    }

    /// The visitor, if it holds as many connections as one may.
    pub(super) fn at_cap(&self, visitor: Option<ClientNet>) -> Option<ClientNet> {
        visitor.filter(|visitor| self.count(*visitor) >= self.cap)
    }

    /// How large a crowd the visitor makes, in steps that double: few connections, up to a
    /// sixteenth of what one may hold, are as good as one.
    pub(super) fn crowd(&self, visitor: Option<ClientNet>) -> u32 {
        let few = (self.cap / 16).max(1);
        visitor.map_or(0, |visitor| (self.count(visitor) / few + 1).ilog2())
    }

    fn count(&self, visitor: ClientNet) -> usize {
        self.counts.get(&visitor).copied().unwrap_or(0)
    }

    pub(super) fn is_exhausted(&self, visitor: ClientNet) -> bool {
        self.exhausted.contains(&visitor)
    }

    pub(super) fn set_exhausted(&mut self, visitor: ClientNet) {
        self.exhausted.insert(visitor);
    }

    pub(super) fn forget_exhausted(&mut self) {
        self.exhausted.clear();
    }
}

impl std::fmt::Display for ClientNet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

/// Whom a request is from: the peer; or where that is a trusted proxy, the last address of
/// `X-Forwarded-For` that is not one. What stands before that was written by the client, and
/// could be anything.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    let fields = headers.get_all(FORWARDED_FOR).iter().rev();
    let hops = fields.flat_map(|field| field.as_bytes().rsplit(|byte| *byte == b','));
    for hop in hops {
        if !is_trusted(trusted, client) {
            break;
        }
        let Some(address) = parse_hop(hop) else { break };
        client = address;
    }
    client
}

/// An address as proxies write it, some with a port.
fn parse_hop(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop.trim_ascii()).ok()?;
    let address = text.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|at| at.ip()));
    address.map(|address| address.to_canonical())
}

/// Whether it is a trusted proxy's; `address` is canonical.
pub(super) fn is_trusted(trusted: &[IpNet], address: IpAddr) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn visitor(addresses: &Addresses, text: &str) -> Option<ClientNet> {
        addresses.visitor(Some(SocketAddr::new(text.parse().unwrap(), 1)))
    }

    #[test]
    fn visitors_are_told_apart_and_proxies_are_nobody() {
        let addresses = Addresses::new(2, vec!["10.0.0.0/8".parse().unwrap()]);
        let same = [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1", "::ffff:192.0.2.1"),
            ("2001:db8::1", "2001:db8::ffff:1"),
        ];
        for (one, other) in same {
            assert_eq!(visitor(&addresses, one), visitor(&addresses, other), "{one} {other}");
        }
        assert_ne!(visitor(&addresses, "192.0.2.1"), visitor(&addresses, "192.0.2.2"));
        assert_ne!(visitor(&addresses, "2001:db8::1"), visitor(&addresses, "2001:db8:0:1::1"));
        assert_eq!(visitor(&addresses, "10.1.2.3"), None);
        assert_eq!(addresses.visitor(None), None);
    }

    #[test]
    fn connections_are_counted_in_and_out() {
        let mut addresses = Addresses::new(2, Vec::new());
        let one = visitor(&addresses, "192.0.2.1");
        for _ in 0..2 {
            assert_eq!(addresses.at_cap(one), None);
            addresses.enter(one);
        }
        assert_eq!(addresses.at_cap(one), one);
        assert_eq!(addresses.at_cap(visitor(&addresses, "192.0.2.2")), None);
        addresses.leave(one);
        assert_eq!(addresses.at_cap(one), None);
        addresses.leave(one);
        assert!(addresses.counts.is_empty(), "who has left is forgotten");
    }

    #[test]
    fn a_crowd_grows_in_steps() {
        let mut addresses = Addresses::new(1024, Vec::new());
        let one = visitor(&addresses, "192.0.2.1");
        let mut crowds = Vec::new();
        for count in 1..=1000 {
            addresses.enter(one);
            if [1, 63, 64, 200, 1000].contains(&count) {
                crowds.push(addresses.crowd(one));
            }
        }
        assert_eq!(crowds, [0, 0, 1, 2, 4]);
        assert_eq!(addresses.crowd(None), 0);
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        let trusted = ["127.0.0.1/32", "10.0.0.0/8"].map(|text| text.parse().unwrap());
        let cases: [(&str, &[&str], &str); 8] = [
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("127.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("127.0.0.1", &["garbage"], "127.0.0.1"),
            ("127.0.0.1", &[], "127.0.0.1"),
        ];
        for (peer, fields, expected) in cases {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(field));
            }
            let told = client(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(told, expected.parse::<IpAddr>().unwrap(), "{peer} {fields:?}");
        }
    }
}
