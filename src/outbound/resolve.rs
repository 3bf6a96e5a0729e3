//! Name resolution with a deadline, on at most one thread.
//!
//! `getaddrinfo(3)` has no timeout and cannot be cancelled, so some thread has to block in it. ureq
//! creates a thread for each lookup, and these pile up while the name servers are silent. A
//! [`ThreadedResolver`] has one thread, created at the first lookup and then kept: while it hangs,
//! later lookups fail at their own deadlines, and no thread is added.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::race::interleave;

/// Function that looks up a host name. It may block for ever.
pub(crate) type Lookup = Arc<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// Most addresses that are tried; ureq keeps no more.
const MAX_ADDRESSES: usize = 16;

/// Error of a lookup. ureq passes it on within its own error.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    /// The URL has no host or no known port.
    #[error("the address names no host")]
    NoHost,
    /// The deadline passed.
    #[error("the lookup of the host name was not answered in time")]
    Unanswered,
    /// The thread was still in an earlier lookup at the deadline.
    #[error("the lookup of the host name could not begin, as an earlier one is still unanswered")]
    Busy,
    /// The lookup returned an error.
    #[error("the host name cannot be resolved: {0}")]
    Failed(io::Error),
    /// The lookup returned no address.
    #[error("the host name has no address")]
    NoAddress,
    /// The system refused the thread for the lookup.
    #[error("cannot create a thread for the lookup: {0}")]
    NoThread(io::Error),
}

/// Resolver with one thread for its lookups. Clones share the thread.
#[derive(Clone)]
pub(crate) struct ThreadedResolver(Arc<Inner>);

struct Inner {
    thread_name: String,
    lookup: Lookup,
    /// Sends queries to the thread, once it exists. Dropping this ends the thread after the lookup
    /// that is under way. It is detached, since nothing can interrupt a lookup that hangs.
    queries: Mutex<Option<Sender<Query>>>,
}

struct Query {
    host: String,
    port: u16,
    reply: Sender<io::Result<Vec<SocketAddr>>>,
}

impl ThreadedResolver {
    /// Returns a resolver that calls `getaddrinfo(3)`. Its thread is named after `name`.
    pub(crate) fn system(name: &str) -> ThreadedResolver {
        let lookup = |host: &str, port| Ok((host, port).to_socket_addrs()?.collect());
        ThreadedResolver::with_lookup(name, Arc::new(lookup))
    }

    /// Returns the name of the thread of the resolver with that name.
    pub(crate) fn thread_name(name: &str) -> String {
        format!("pw-dns-{name}")
    }

    /// Returns a resolver that calls `lookup`.
    pub(crate) fn with_lookup(name: &str, lookup: Lookup) -> ThreadedResolver {
        let thread_name = ThreadedResolver::thread_name(name);
        ThreadedResolver(Arc::new(Inner { thread_name, lookup, queries: Mutex::new(None) }))
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
        let (reply, replies) = bounded(1);
        self.send_query(Query { host: host.to_owned(), port, reply }, deadline)?;
        // Without a reply before the deadline, the thread has ended by a panic, which was logged.
        let addresses = receive(&replies, deadline)
            .ok_or(ResolveError::Unanswered)?
            .map_err(ResolveError::Failed)?;
        if addresses.is_empty() { Err(ResolveError::NoAddress) } else { Ok(addresses) }
    }

    /// Sends the query to the thread. The channel has no buffer, so this succeeds only once the thread
    /// receives the query.
    fn send_query(&self, query: Query, deadline: Option<Instant>) -> Result<(), ResolveError> {
        let mut queries = self.0.queries.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = match &*queries {
            Some(sender) => send(sender, query, deadline),
            None => Err(SendTimeoutError::Disconnected(query)),
        };
        match sent {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Timeout(_)) => Err(ResolveError::Busy),
            Err(SendTimeoutError::Disconnected(query)) => {
                // There is no thread yet, or it has panicked.
                let sender = queries.insert(self.spawn().map_err(ResolveError::NoThread)?);
                send(sender, query, deadline).map_err(|_| ResolveError::Unanswered)
            }
        }
    }

    /// Creates the thread. The error is the system's own, without the limits that
    /// `threads::spawn_detached` reads from `/proc`: these reads have no deadline.
    fn spawn(&self) -> io::Result<Sender<Query>> {
        let (sender, queries) = bounded::<Query>(0);
        let lookup = self.0.lookup.clone();
        thread::Builder::new().name(self.0.thread_name.clone()).spawn(move || {
            for query in queries {
                // The receiver is gone if its deadline has passed.
                let _ = query.reply.send(lookup(&query.host, query.port));
            }
        })?;
        Ok(sender)
    }
}

fn send(
    sender: &Sender<Query>,
    query: Query,
    deadline: Option<Instant>,
) -> Result<(), SendTimeoutError<Query>> {
    match deadline {
        Some(deadline) => sender.send_deadline(query, deadline),
        None => sender.send(query).map_err(|error| SendTimeoutError::Disconnected(error.0)),
    }
}

fn receive<T>(receiver: &Receiver<T>, deadline: Option<Instant>) -> Option<T> {
    match deadline {
        Some(deadline) => receiver.recv_deadline(deadline).ok(),
        None => receiver.recv().ok(),
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
        // Interleaved before they are capped, so that neither family is cut off.
        let addresses = interleave(self.addresses(host, port, deadline).map_err(other)?);
        for address in addresses.into_iter().take(MAX_ADDRESSES) {
            resolved.push(address);
        }
        Ok(resolved)
    }
}

impl fmt::Debug for ThreadedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ThreadedResolver").field(&self.0.thread_name).finish()
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
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn soon() -> Option<Instant> {
        Some(Instant::now() + Duration::from_millis(100))
    }

    fn later() -> Option<Instant> {
        Some(Instant::now() + Duration::from_secs(20))
    }

    #[test]
    fn resolve_address_makes_no_lookup_and_no_thread() {
        let resolver = ThreadedResolver::with_lookup("x", Arc::new(|_, _| panic!("a lookup")));
        for (host, address) in [("127.0.0.1", "127.0.0.1:80"), ("[::1]", "[::1]:80")] {
            let addresses = resolver.addresses(host, 80, None).unwrap();
            assert_eq!(addresses, [address.parse().unwrap()]);
        }
        assert!(resolver.0.queries.lock().unwrap().is_none(), "no thread was created");
    }

    #[test]
    fn resolve_while_a_lookup_hangs_fails_at_its_deadline_without_a_second_thread() {
        let begun = Arc::new(AtomicUsize::new(0));
        let (release, hang) = bounded::<()>(0);
        let lookup = {
            let begun = begun.clone();
            move |_: &str, port| {
                begun.fetch_add(1, Ordering::SeqCst);
                // Hangs until the test drops `release`.
                let _ = hang.recv();
                Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
            }
        };
        let resolver = ThreadedResolver::with_lookup("x", Arc::new(lookup));
        // On a busy machine the thread may need more time to come up than the first has.
        let timeout = later().unwrap();
        loop {
            match resolver.addresses("host.test", 80, soon()) {
                Err(ResolveError::Unanswered) => break,
                Err(ResolveError::Busy) if Instant::now() < timeout => {}
                other => panic!("{other:?}"),
            }
        }
        while begun.load(Ordering::SeqCst) == 0 {
            assert!(Instant::now() < timeout, "the lookup begins");
            thread::yield_now();
        }
        for _ in 0..3 {
            let next = resolver.addresses("host.test", 80, soon());
            assert!(matches!(next, Err(ResolveError::Busy)), "{next:?}");
        }
        assert_eq!(begun.load(Ordering::SeqCst), 1, "one lookup, so one thread");
        drop(release);
        let recovered = resolver.addresses("host.test", 81, later()).unwrap();
        assert_eq!(recovered, ["127.0.0.1:81".parse().unwrap()]);
        assert_eq!(begun.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn resolve_name_returns_the_outcome_of_its_lookup() {
        let lookup = |host: &str, port| match host {
            "two.test" => Ok(vec![SocketAddr::from(([10, 0, 0, 1], port)); 2]),
            "none.test" => Ok(Vec::new()),
            _ => Err(io::Error::other("no such name")),
        };
        let resolver = ThreadedResolver::with_lookup("x", Arc::new(lookup));
        assert_eq!(resolver.addresses("two.test", 80, later()).unwrap().len(), 2);
        let none = resolver.addresses("none.test", 80, later());
        assert!(matches!(none, Err(ResolveError::NoAddress)), "{none:?}");
        let failed = resolver.addresses("other.test", 80, later());
        assert!(matches!(failed, Err(ResolveError::Failed(_))), "{failed:?}");
    }

    #[test]
    fn resolve_with_many_addresses_of_one_family_keeps_the_other() {
        let lookup = |_: &str, port| {
            let ipv6 =
                (1..=20).map(|n| SocketAddr::new([0xfd00, 0, 0, 0, 0, 0, 0, n].into(), port));
            Ok(ipv6.chain([SocketAddr::from(([10, 0, 0, 1], port))]).collect())
        };
        let resolver = ThreadedResolver::with_lookup("x", Arc::new(lookup));
        let uri = Uri::from_static("http://both.test/");
        let timeout =
            NextTimeout { after: Duration::from_secs(20).into(), ..NextTimeout::default() };
        let resolved = resolver.resolve(&uri, &Config::default(), timeout).unwrap();
        assert_eq!(resolved.len(), MAX_ADDRESSES);
        assert_eq!(resolved[1], "10.0.0.1:80".parse().unwrap());
    }

    #[test]
    fn resolve_after_a_lookup_panicked_succeeds() {
        let lookup = |host: &str, port| match host {
            "bad.test" => panic!("a defect"),
            _ => Ok(vec![SocketAddr::from(([10, 0, 0, 1], port))]),
        };
        let resolver = ThreadedResolver::with_lookup("x", Arc::new(lookup));
        assert!(resolver.addresses("bad.test", 80, later()).is_err());
        // The thread that panicked may not have ended yet.
        assert!((0..100).any(|_| resolver.addresses("good.test", 80, later()).is_ok()));
    }
}
