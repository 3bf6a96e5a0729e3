//! Listeners that are added to a running engine: an address of this machine may come late.
//!
//! The thread that adds one registers it with the acceptor's epoll instance, as the kernel may refuse
//! that, and sends it to the acceptor, which takes it in its next turn. A connection that comes between
//! the two waits in the accept queue: a new listener counts as ready until `accept(2)` returns `EAGAIN`,
//! so no edge is lost. From then on it is like any other: its connections count toward the same caps,
//! have the same deadlines, and are drained at a stop.
//!
//! Nothing here blocks. The acceptor's cost is a look at an empty channel in each turn.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::{Poll, Registry, Token};

use super::listener::Listener;

/// A listener with the token of its registration.
pub(super) type Registered = (Token, Listener);

/// Registers listeners with the acceptor's epoll instance, and sends them to it.
pub(super) struct NewListeners {
    registry: Registry,
    next_token: AtomicUsize,
    sender: Sender<Registered>,
}

impl NewListeners {
    /// Returns the sender for the acceptor that polls `acceptor`, and its receiving end.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub(super) fn new(acceptor: &Poll) -> io::Result<(NewListeners, Receiver<Registered>)> {
        let registry = acceptor.registry().try_clone()?;
        // As many as the configuration has addresses.
        let (sender, receiver) = unbounded();
        Ok((NewListeners { registry, next_token: AtomicUsize::new(0), sender }, receiver))
    }

    /// Adds a listener, which the acceptor takes in its next turn. It is closed if the acceptor has ended.
    ///
    /// # Errors
    /// The kernel refuses the registration; the listener is closed.
    pub(super) fn add(&self, mut listener: Listener) -> io::Result<()> {
        let token = Token(self.next_token.fetch_add(1, Ordering::Relaxed));
        listener.register(&self.registry, token)?;
        // Fails if the acceptor has ended, and the listener with it.
        let _ = self.sender.send((token, listener));
        Ok(())
    }
}
