//! The client of a connection, and of a request behind a trusted proxy.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderName};

use super::trusted_proxies::TrustedProxies;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The network that stands for one client: an IPv4 address, or an IPv6 /64, which providers commonly
/// assign to a single client as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientNet(IpAddr);

impl ClientNet {
    /// Returns the network of that address.
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

impl fmt::Display for ClientNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

/// Returns the client of a request: the peer, or behind trusted proxies the last address of
/// `X-Forwarded-For` that is not a trusted proxy's. The addresses before that one were written by
/// the client, and prove nothing. `None` is a client on a unix socket.
pub(super) fn client(
    peer: Option<IpAddr>,
    headers: &HeaderMap,
    trusted: &TrustedProxies,
) -> Option<IpAddr> {
    let mut client = peer.map(|peer| peer.to_canonical());
    let fields = headers.get_all(FORWARDED_FOR).iter().rev();
    let hops = fields.flat_map(|field| field.as_bytes().rsplit(|byte| *byte == b','));
    for hop in hops {
        if !trusted.contains(client) {
            break;
        }
        let Some(address) = parse_hop(hop) else { break };
        client = Some(address);
    }
    client
}

/// Parses an address as proxies write it, some with a port.
fn parse_hop(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop.trim_ascii()).ok()?;
    let address = text.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|at| at.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn client_is_the_last_address_that_no_trusted_proxy_has() {
        let networks = ["127.0.0.1/32", "10.0.0.0/8"].map(|text| text.parse().unwrap());
        let trusted = TrustedProxies { networks: networks.to_vec(), unix: false };
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
            let client = client(Some(peer.parse().unwrap()), &headers, &trusted);
            assert_eq!(client, Some(expected.parse().unwrap()), "{peer} {fields:?}");
        }
    }

    #[test]
    fn client_on_a_unix_socket_names_another_if_it_is_trusted() {
        for (unix, field, expected) in [
            (false, "198.51.100.7", None),
            (true, "198.51.100.7", Some("198.51.100.7")),
            (true, "203.0.113.9, 198.51.100.7", Some("198.51.100.7")),
            (true, "203.0.113.9, 198.51.100.7, 10.0.0.2", Some("198.51.100.7")),
            // nginx writes this of a client on a unix socket of its own.
            (true, "198.51.100.7, unix:", None),
            (true, "", None),
        ] {
            let trusted = TrustedProxies { networks: vec!["10.0.0.0/8".parse().unwrap()], unix };
            let fields = [(FORWARDED_FOR, HeaderValue::from_static(field))];
            let headers = HeaderMap::from_iter(fields);
            let expected: Option<IpAddr> = expected.map(|text| text.parse().unwrap());
            assert_eq!(client(None, &headers, &trusted), expected, "{unix} {field}");
        }
    }
}
