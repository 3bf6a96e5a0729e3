//! Name resolution that cannot leave threads behind.
//!
//! `getaddrinfo(3)` has no timeout and cannot be cancelled, so somebody has to wait for
//! it. A thread for each lookup, as ureq does it, piles up threads while the name
//! servers are silent. Here each source has one thread for it at most, made for the
//! first name and then kept: while it hangs in a lookup, later lookups wait for
//! their own deadline and fail, and no thread is added.

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

use crate::outbound::interleave;

/// Looks up a host name, as slowly as it likes.
pub(super) type Lookup = Arc<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// Addresses that are tried at most; ureq keeps no more.
const MAX_ADDRESSES: usize = 16;

/// Why a name has no address; ureq carries it to us within its own error.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    /// The URL has no host or no known port.
    #[error("the address names no host")]
    NoHost,
    /// The deadline passed without an answer.
    #[error("the lookup of the host name was not answered in time")]
    Unanswered,
    /// An earlier lookup still has no answer.
    #[error("the lookup of the host name could not begin, as an earlier one is still unanswered")]
    Busy,
    /// The resolver's answer is an error.
    #[error("the host name cannot be resolved: {0}")]
    Failed(io::Error),
    /// There is such a name, but no address.
    #[error("the host name has no address")]
    NoAddress,
    /// The thread for lookups could not be made.
    #[error("no thread for the lookup: {0}")]
    NoThread(io::Error),
}

/// The resolver of one source. Cheap to clone; clones share the one thread.
#[derive(Clone)]
pub(crate) struct SourceResolver(Arc<Inner>);

struct Inner {
    thread_name: String,
    lookup: Lookup,
    /// The way to the thread, once there is one. The thread ends when this is dropped
    /// and it is not, or no longer, in a lookup; one that hangs for ever ends with the
    /// process, since nothing can interrupt it.
    thread: Mutex<Option<Sender<Question>>>,
}

struct Question {
    host: String,
    port: u16,
    answer: Sender<io::Result<Vec<SocketAddr>>>,
}

impl SourceResolver {
    /// For that source, by the system's resolver.
    pub(crate) fn system(source: &str) -> SourceResolver {
        let lookup = |host: &str, port| Ok((host, port).to_socket_addrs()?.collect());
        SourceResolver::new(source, Arc::new(lookup))
    }

    /// Name of the thread that looks names up for that source.
    pub(crate) fn thread_name(source: &str) -> String {
        format!("pw-dns-{source}")
    }

    /// For that source, by the given function.
    pub(super) fn new(source: &str, lookup: Lookup) -> SourceResolver {
        let thread_name = SourceResolver::thread_name(source);
        SourceResolver(Arc::new(Inner { thread_name, lookup, thread: Mutex::new(None) }))
    }

    /// The addresses of the host, or an error at the deadline.
    fn addresses(
        &self,
        host: &str,
        port: u16,
        deadline: Option<Instant>,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        // An address needs no lookup; in a URL, IPv6 ones stand in brackets.
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let (answer, answered) = bounded(1);
        self.ask(Question { host: host.to_owned(), port, answer }, deadline)?;
        // Without an answer the thread ended in a panic, of which its own message tells.
        let addresses = receive(&answered, deadline)
            .ok_or(ResolveError::Unanswered)?
            .map_err(ResolveError::Failed)?;
        if addresses.is_empty() { Err(ResolveError::NoAddress) } else { Ok(addresses) }
    }

    /// Hands the question to the thread. The channel has no room, so this succeeds
    /// only when the thread is there to take it.
    fn ask(&self, question: Question, deadline: Option<Instant>) -> Result<(), ResolveError> {
        let mut thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let existing = match &*thread {
            Some(sender) => send(sender, question, deadline),
            None => Err(SendTimeoutError::Disconnected(question)),
        };
        match existing {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Timeout(_)) => Err(ResolveError::Busy),
            Err(SendTimeoutError::Disconnected(question)) => {
                // There is none yet, or a lookup panicked.
                let sender = thread.insert(self.spawn().map_err(ResolveError::NoThread)?);
                send(sender, question, deadline).map_err(|_| ResolveError::Busy)
            }
        }
    }

    fn spawn(&self) -> io::Result<Sender<Question>> {
        let (sender, questions) = bounded::<Question>(0);
        let lookup = self.0.lookup.clone();
        thread::Builder::new().name(self.0.thread_name.clone()).spawn(move || {
            for question in questions {
                // Who asked may have given up meanwhile.
                let _ = question.answer.send(lookup(&question.host, question.port));
            }
        })?;
        Ok(sender)
    }
}

fn send(
    sender: &Sender<Question>,
    question: Question,
    deadline: Option<Instant>,
) -> Result<(), SendTimeoutError<Question>> {
    match deadline {
        Some(deadline) => sender.send_deadline(question, deadline),
        None => sender.send(question).map_err(|error| SendTimeoutError::Disconnected(error.0)),
    }
}

fn receive<T>(receiver: &Receiver<T>, deadline: Option<Instant>) -> Option<T> {
    match deadline {
        Some(deadline) => receiver.recv_deadline(deadline).ok(),
        None => receiver.recv().ok(),
    }
}

impl Resolver for SourceResolver {
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
        // Interleaved before the cap, so that neither family crowds out the other.
        let addresses = interleave(self.addresses(host, port, deadline).map_err(other)?);
        for address in addresses.into_iter().take(MAX_ADDRESSES) {
            resolved.push(address);
        }
        Ok(resolved)
    }
}

impl fmt::Debug for SourceResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SourceResolver").field(&self.0.thread_name).finish()
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
    fn addresses_need_no_lookup() {
        let resolver = SourceResolver::new("x", Arc::new(|_, _| panic!("asked")));
        for (host, address) in [("127.0.0.1", "127.0.0.1:80"), ("[::1]", "[::1]:80")] {
            let addresses = resolver.addresses(host, 80, None).unwrap();
            assert_eq!(addresses, [address.parse().unwrap()]);
        }
        assert!(resolver.0.thread.lock().unwrap().is_none(), "no thread was made");
    }

    #[test]
    fn a_hung_lookup_holds_one_thread_however_often_one_asks() {
        let begun = Arc::new(AtomicUsize::new(0));
        let (release, hang) = bounded::<()>(0);
        let lookup = {
            let begun = begun.clone();
            move |_: &str, port| {
                begun.fetch_add(1, Ordering::SeqCst);
                // Hangs until the test lets go.
                let _ = hang.recv();
                Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
            }
        };
        let resolver = SourceResolver::new("x", Arc::new(lookup));
        // On a busy machine the thread may need more time to come up than the first has.
        let patience = later().unwrap();
        loop {
            match resolver.addresses("host.test", 80, soon()) {
                Err(ResolveError::Unanswered) => break,
                Err(ResolveError::Busy) if Instant::now() < patience => {}
                other => panic!("{other:?}"),
            }
        }
        while begun.load(Ordering::SeqCst) == 0 {
            assert!(Instant::now() < patience, "the lookup begins");
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
    fn answers_pass_through() {
        let lookup = |host: &str, port| match host {
            "two.test" => Ok(vec![SocketAddr::from(([10, 0, 0, 1], port)); 2]),
            "none.test" => Ok(Vec::new()),
            _ => Err(io::Error::other("no such name")),
        };
        let resolver = SourceResolver::new("x", Arc::new(lookup));
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
        let resolver = SourceResolver::new("x", Arc::new(lookup));
        let uri = Uri::from_static("http://both.test/");
        let timeout =
            NextTimeout { after: Duration::from_secs(20).into(), ..NextTimeout::default() };
        let resolved = resolver.resolve(&uri, &Config::default(), timeout).unwrap();
        assert_eq!(resolved.len(), MAX_ADDRESSES);
        assert_eq!(resolved[1], "10.0.0.1:80".parse().unwrap());
    }

    #[test]
    fn a_panic_in_a_lookup_costs_one_answer() {
        let lookup = |host: &str, port| match host {
            "bad.test" => panic!("a defect"),
            _ => Ok(vec![SocketAddr::from(([10, 0, 0, 1], port))]),
        };
        let resolver = SourceResolver::new("x", Arc::new(lookup));
        assert!(resolver.addresses("bad.test", 80, later()).is_err());
        // The dying thread may take no question any more, or not have ended yet.
        assert!((0..100).any(|_| resolver.addresses("good.test", 80, later()).is_ok()));
    }
}
