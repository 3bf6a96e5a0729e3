//! Name resolution with a deadline, for ureq.
//!
//! ureq creates a thread for each lookup, and these pile up while the name servers are silent. A
//! [`ThreadedResolver`] has one lookup in flight for each host: see [`super::lookups`].

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::lookups::Lookups;
use super::race::interleave;

/// Most addresses that are tried; ureq keeps no more.
const MAX_ADDRESSES: usize = 16;

/// Error of a lookup, which all its callers get. ureq passes it on within its own error.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum ResolveError {
    /// The URL has no host or no known port.
    #[error("the address names no host")]
    NoHost,
    /// The deadline passed.
    #[error("the lookup of the host name was not answered in time")]
    Unanswered,
    /// The lookup returned an error.
    #[error("the host name cannot be resolved: {0}")]
    Failed(Arc<io::Error>),
    /// The lookup returned no address.
    #[error("the host name has no address")]
    NoAddress,
    /// The lookup panicked, which was logged.
    #[error(
        "the lookup of the host name failed by a defect of this program, which the log describes"
    )]
    Panicked,
    /// The system refused the thread for the lookup.
    #[error("cannot create a thread for the lookup: {0}")]
    NoThread(Arc<io::Error>),
}

/// Resolver whose clones share lookups and threads.
#[derive(Debug, Clone)]
pub(crate) struct ThreadedResolver(Arc<Lookups>);

impl ThreadedResolver {
    /// Returns a resolver that calls `getaddrinfo(3)`.
    pub(crate) fn system() -> ThreadedResolver {
        ThreadedResolver(Arc::new(Lookups::system()))
    }

    /// Returns a resolver that calls `lookup`.
    #[cfg(test)]
    pub(crate) fn with_lookup(lookup: super::lookups::Lookup) -> ThreadedResolver {
        ThreadedResolver(Arc::new(Lookups::with(lookup)))
    }

    /// Returns the names of the first `count` threads.
    pub(crate) fn thread_names(count: usize) -> impl Iterator<Item = String> {
        (1..=count).map(Lookups::thread_name)
    }

    /// Returns the addresses of the host in the order in which to try them, or an error at the deadline.
    pub(super) fn ordered_addresses(
        &self,
        host: &str,
        port: u16,
        deadline: Option<Instant>,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        // Interleaved before they are capped, so that neither family is cut off.
        let mut addresses = interleave(self.addresses(host, port, deadline)?);
        addresses.truncate(MAX_ADDRESSES);
        Ok(addresses)
    }

    /// Returns the addresses of the host, or an error at the deadline.
    fn addresses(
        &self,
        host: &str,
        port: u16,
        deadline: Option<Instant>,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        // An address needs no lookup. A URL has brackets around an IPv6 address.
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let mut addresses = self.0.addresses(host, deadline)?.to_vec();
        for address in addresses.iter_mut().filter(|address| address.port() == 0) {
            address.set_port(port);
        }
        Ok(addresses)
    }
}

impl Resolver for ThreadedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let other = |error: ResolveError| ureq::Error::Other(Box::new(error));
        let default_port = match uri.scheme_str() {
            Some("https") => Some(443),
            Some("http") => Some(80),
            _ => None,
        };
        let host = uri.host().ok_or_else(|| other(ResolveError::NoHost))?;
        let port = uri.port_u16().or(default_port).ok_or_else(|| other(ResolveError::NoHost))?;
        let deadline = (!timeout.after.is_not_happening()).then(|| Instant::now() + *timeout.after);
        let mut resolved = self.empty();
        for address in self.ordered_addresses(host, port, deadline).map_err(other)? {
            resolved.push(address);
        }
        Ok(resolved)
    }
}

/// Resolver that returns the same address for every host: that of a listener, whose name on requests
/// need not resolve on this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct FixedAddress(pub(super) SocketAddr);

impl Resolver for FixedAddress {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut resolved = self.empty();
        resolved.push(self.0);
        Ok(resolved)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV6;
    use std::time::Duration;

    use super::*;

    fn resolve(lookup: crate::outbound::Lookup, url: &'static str) -> Vec<SocketAddr> {
        let timeout =
            NextTimeout { after: Duration::from_secs(20).into(), ..NextTimeout::default() };
        let resolver = ThreadedResolver::with_lookup(lookup);
        let uri = Uri::from_static(url);
        resolver.resolve(&uri, &Config::default(), timeout).unwrap().to_vec()
    }

    #[test]
    fn address_needs_no_lookup() {
        for (url, address) in
            [("http://127.0.0.1/", "127.0.0.1:80"), ("https://[::1]/", "[::1]:443")]
        {
            let addresses = resolve(Arc::new(|_| panic!("a lookup")), url);
            assert_eq!(addresses, [address.parse().unwrap()]);
        }
    }

    #[test]
    fn resolve_returns_the_addresses_with_the_port_of_the_url_and_the_scope_of_the_link() {
        let link_local = SocketAddrV6::new([0xfe80, 0, 0, 0, 0, 0, 0, 1].into(), 0, 0, 3);
        let found = [link_local.into(), SocketAddr::from(([10, 0, 0, 1], 0))];
        for (url, port) in [("http://two.test/", 80), ("http://two.test:81/", 81)] {
            let addresses = resolve(Arc::new(move |_| Ok(found.to_vec())), url);
            let mut expected = found;
            expected.iter_mut().for_each(|address| address.set_port(port));
            assert_eq!(addresses, expected, "{url}");
        }
    }

    #[test]
    fn resolve_with_many_addresses_of_one_family_keeps_the_other() {
        let lookup = |_: &str| {
            let ipv6 = (1..=20).map(|n| SocketAddr::new([0xfd00, 0, 0, 0, 0, 0, 0, n].into(), 0));
            Ok(ipv6.chain([SocketAddr::from(([10, 0, 0, 1], 0))]).collect())
        };
        let resolved = resolve(Arc::new(lookup), "http://both.test/");
        assert_eq!(resolved.len(), MAX_ADDRESSES);
        assert_eq!(resolved[1], "10.0.0.1:80".parse().unwrap());
    }
}
