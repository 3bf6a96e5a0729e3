//! Readiness of one connection, as a set of edges.
//!
//! Sockets are registered edge-triggered (epoll(7), `EPOLLET`): the kernel reports a change once.
//! An edge therefore stays in the set until a read or a write on the socket returns `WouldBlock`.

/// Set of edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ready(u32);

impl Ready {
    pub(super) const NONE: Ready = Ready(0);
    pub(super) const READ: Ready = Ready(1);
    pub(super) const WRITE: Ready = Ready(1 << 1);
    /// The client has shut down its sending half: reads continue to the end of the stream.
    pub(super) const READ_CLOSED: Ready = Ready(1 << 2);
    /// A permit for expensive work is granted.
    pub(super) const PERMIT: Ready = Ready(1 << 3);
    /// The connection is broken: its client can neither send nor receive.
    pub(super) const BROKEN: Ready = Ready(1 << 4);
    /// Bits of all edges.
    pub(super) const MASK: u32 = (1 << 5) - 1;

    /// Returns the set for those bits of [`Ready::bits`]; others are ignored.
    pub(super) const fn from_bits(bits: u32) -> Ready {
        Ready(bits & Ready::MASK)
    }

    /// Returns the set as bits within [`Ready::MASK`].
    pub(super) const fn bits(self) -> u32 {
        self.0
    }

    /// Returns true if all edges of `other` are in the set.
    pub(super) fn contains(self, other: Ready) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns true if any edge of `other` is in the set.
    pub(super) fn intersects(self, other: Ready) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns the union of both sets.
    pub(super) const fn or(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }

    pub(super) fn insert(&mut self, other: Ready) {
        self.0 |= other.0;
    }

    pub(super) fn remove(&mut self, other: Ready) {
        self.0 &= !other.0;
    }
}
