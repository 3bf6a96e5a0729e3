//! One server address to probe: its URL, the way to it, and the certificates to trust.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use crate::config::ListenAddr;
use crate::kernel::addresses::default_source;
use crate::outbound::tls::ClientTls;
use crate::outbound::{Client, Endpoint, Place, Target, ThreadedResolver};

/// One address to probe. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Probed {
    pub(super) target: Target,
    pub(super) way: Way,
    pub(super) tls: ClientTls,
}

/// Way to the server.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// By the host of the URL, or by the path of the unix socket.
    Url(ThreadedResolver),
    /// To a listener of the configuration, whatever its names resolve to.
    Listener {
        place: Place,
        /// Begin of the URL: scheme, name and port.
        base: String,
        /// The address in the configuration.
        listen: ListenAddr,
        /// True if `[tls]` is configured.
        is_tls: bool,
    },
}

impl Probed {
    /// Returns the probe of a listener of the configuration as a visitor who uses `name`; `None` if it
    /// cannot be reached by its address: a passed socket, a port that the kernel chooses, or a family of which
    /// this machine has no address.
    pub(super) fn listener(
        listen: &ListenAddr,
        name: Option<&str>,
        is_tls: bool,
        tls: ClientTls,
    ) -> Option<Probed> {
        let place = match listen {
            ListenAddr::Tcp(address) if address.port() != 0 => {
                Place::Tcp(reachable_here(*address, is_local)?)
            }
            ListenAddr::Unix(path) => Place::Unix(path.clone()),
            _ => return None,
        };
        let scheme = if is_tls { "https" } else { "http" };
        let host = match (name.map(bracketed), &place) {
            (Some(host), _) => host,
            (None, Place::Tcp(address)) => bracketed(&address.ip().to_string()),
            (None, Place::Unix(_)) => "localhost".to_owned(),
        };
        let base = match &place {
            Place::Tcp(address) => format!("{scheme}://{host}:{}", address.port()),
            Place::Unix(_) => format!("{scheme}://{host}"),
        };
        let target = Target::health(&Endpoint::Web(base.clone()));
        let way = Way::Listener { place, base, listen: listen.clone(), is_tls };
        Some(Probed { target, way, tls })
    }

    /// Returns a client of the server.
    pub(super) fn client(&self, timeout: Duration) -> Client {
        let tls = self.tls.clone();
        match &self.way {
            Way::Listener { place, base, .. } => Client::at(place, base.clone(), timeout, tls),
            Way::Url(resolver) => {
                Client::new(self.target.endpoint.clone(), timeout, tls, resolver.clone())
            }
        }
    }

    /// Returns what identifies the address, whatever names the server has.
    pub(super) fn key(&self) -> String {
        match &self.way {
            Way::Url(_) => self.target.to_string(),
            Way::Listener { place, is_tls, .. } => format!("{place:?} {is_tls}"),
        }
    }

    /// Returns the path of the unix socket, if it is one.
    pub(super) fn socket(&self) -> Option<&Path> {
        match (&self.way, &self.target.endpoint) {
            (Way::Listener { place: Place::Unix(path), .. }, _)
            | (Way::Url(_), Endpoint::Unix(path)) => Some(path),
            _ => None,
        }
    }

    /// Returns the host of the URL; `None` for a unix socket.
    pub(super) fn host(&self) -> Option<&str> {
        let Endpoint::Web(base) = &self.target.endpoint else { return None };
        let (_, authority) = base.split_once("://")?;
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        Some(host)
    }

    /// Returns the URL of the same server by another of its names; `None` for a unix socket.
    pub(super) fn url_by(&self, name: &str) -> Option<String> {
        let Endpoint::Web(base) = &self.target.endpoint else { return None };
        let (scheme, authority) = base.split_once("://")?;
        let port = authority.strip_prefix(self.host()?)?;
        Some(format!("{scheme}://{}{port}", bracketed(name)))
    }
}

/// Shows the URL without its query, which may hold a credential, and the address if the URL has another.
impl fmt::Display for Probed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.fmt(f)?;
        match &self.way {
            Way::Listener { place: Place::Unix(path), .. } => {
                write!(f, " at unix:{}", path.display())
            }
            Way::Listener { place: Place::Tcp(address), .. }
                if self.host() != Some(&bracketed(&address.ip().to_string())) =>
            {
                write!(f, " at {address}")
            }
            _ => Ok(()),
        }
    }
}

/// Returns true if this machine has an address.
pub(super) fn is_local(ip: IpAddr) -> bool {
    let bound = UdpSocket::bind((ip, 0));
    !bound.is_err_and(|error| {
        let errno = Errno::from_io_error(&error);
        matches!(errno, Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT))
    })
}

/// Returns the address by which this machine reaches a listener; `None` for the wildcard of a family of
/// which it has no address, as where IPv6 is disabled.
fn reachable_here(address: SocketAddr, is_local: impl Fn(IpAddr) -> bool) -> Option<SocketAddr> {
    let reached = reachable(address);
    if !address.ip().is_unspecified() || is_local(reached.ip()) {
        return Some(reached);
    }
    let own = default_source(address.ip()).filter(|own| is_local(*own))?;
    Some(SocketAddr::new(own, address.port()))
}

/// Returns the address by which this machine reaches a listener: loopback instead of the wildcard.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Returns the admin listener of a configuration as an endpoint; `None` if it cannot be reached by its
/// address.
pub(super) fn endpoint(listen: &ListenAddr) -> Option<Endpoint> {
    match listen {
        ListenAddr::Tcp(address) if address.port() != 0 => {
            Some(Endpoint::Web(format!("http://{}", reachable(*address))))
        }
        ListenAddr::Unix(path) => Some(Endpoint::Unix(path.clone())),
        _ => None,
    }
}

/// Returns a host as it is written in a URL: an IPv6 address in brackets (RFC 3986 3.2.2).
fn bracketed(host: &str) -> String {
    if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::tls;

    fn listener(listen: &str, name: Option<&str>, is_tls: bool) -> Option<Probed> {
        Probed::listener(&listen.parse().unwrap(), name, is_tls, tls::trusting(&[]))
    }

    #[test]
    fn listener_is_reached_by_its_address_and_named_as_visitors_name_it() {
        let name = Some("tank.example");
        for (listen, name, is_tls, shown) in [
            ("0.0.0.0:6443", name, true, "https://tank.example:6443/healthz at 127.0.0.1:6443"),
            ("[::]:6443", name, true, "https://tank.example:6443/healthz at [::1]:6443"),
            ("192.0.2.7:80", None, false, "http://192.0.2.7:80/healthz"),
            ("[::1]:80", None, false, "http://[::1]:80/healthz"),
            ("[::]:80", Some("::1"), false, "http://[::1]:80/healthz"),
            ("unix:/run/p.sock", name, true, "https://tank.example/healthz at unix:/run/p.sock"),
            ("unix:p.sock", None, false, "http://localhost/healthz at unix:p.sock"),
        ] {
            let probed = listener(listen, name, is_tls).unwrap();
            assert_eq!(probed.to_string(), shown, "{listen}");
        }
        assert!(listener("fd:0", name, true).is_none());
        assert!(listener("0.0.0.0:0", name, true).is_none());
    }

    #[test]
    fn wildcard_without_loopback_is_not_reached_by_it() {
        let wildcard: SocketAddr = "[::]:80".parse().unwrap();
        assert_eq!(reachable_here(wildcard, |_| true), Some("[::1]:80".parse().unwrap()));
        assert_eq!(reachable_here(wildcard, |_| false), None);
        let given: SocketAddr = "[fd00::7]:80".parse().unwrap();
        assert_eq!(reachable_here(given, |_| false), Some(given), "a probe finds out");
        assert!(is_local(Ipv4Addr::LOCALHOST.into()));
        assert!(!is_local(Ipv4Addr::new(192, 0, 2, 7).into()));
    }

    #[test]
    fn same_server_has_a_url_by_another_name() {
        let probed = listener("0.0.0.0:6443", Some("localhost"), true).unwrap();
        assert_eq!(probed.host(), Some("localhost"));
        assert_eq!(probed.url_by("a.example").as_deref(), Some("https://a.example:6443"));
        assert_eq!(probed.url_by("::1").as_deref(), Some("https://[::1]:6443"));
        let probed = listener("[::1]:6443", None, true).unwrap();
        assert_eq!(probed.host(), Some("[::1]"));
        assert_eq!(probed.url_by("a.example").as_deref(), Some("https://a.example:6443"));
    }
}
