//! The table of open connections.

use std::sync::Arc;

use mio::Token;
use slab::Slab;

use super::slot::Slot;

/// Bits of a token that hold the key. The rest holds the generation. There are never more keys than
/// descriptors, so 32 bits suffice, and 20 where a pointer has no more than 32.
const KEY_BITS: u32 = if usize::BITS >= 64 { 32 } else { 20 };

const KEY_MASK: usize = (1 << KEY_BITS) - 1;

/// Identifies one connection among all that the engine ever accepts: a key in the table, which is
/// reused, and a generation, which is not (until it wraps around).
///
/// epoll returns it with each event. A thread that has taken an event from the kernel may reach the
/// table only after the connection was closed and another one took its key. The generation tells
/// such a stale event from one of the new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SlotToken(usize);

impl SlotToken {
    fn new(key: usize, generation: usize) -> SlotToken {
        SlotToken(generation << KEY_BITS | key & KEY_MASK)
    }

    fn key(self) -> usize {
        self.0 & KEY_MASK
    }
}

impl From<SlotToken> for Token {
    fn from(token: SlotToken) -> Token {
        Token(token.0)
    }
}

impl From<Token> for SlotToken {
    fn from(token: Token) -> SlotToken {
        SlotToken(token.0)
    }
}

/// Open connections by their tokens.
pub(crate) struct SlotTable<S> {
    slots: Slab<Arc<Slot<S>>>,
    /// Generation of the next connection.
    generation: usize,
}

impl<S> Default for SlotTable<S> {
    fn default() -> SlotTable<S> {
        SlotTable { slots: Slab::new(), generation: 0 }
    }
}

impl<S> SlotTable<S> {
    /// Returns the token of the connection that is inserted next.
    pub(crate) fn next_token(&self) -> SlotToken {
        SlotToken::new(self.slots.vacant_key(), self.generation)
    }

    /// Inserts a connection, whose token is [`SlotTable::next_token`].
    pub(crate) fn insert(&mut self, slot: Arc<Slot<S>>) {
        debug_assert_eq!(slot.token, self.next_token());
        self.slots.insert(slot);
        self.generation = self.generation.wrapping_add(1);
    }

    /// Returns the connection with that token, unless it was removed.
    pub(super) fn get(&self, token: SlotToken) -> Option<&Arc<Slot<S>>> {
        self.slots.get(token.key()).filter(|slot| slot.token == token)
    }

    /// Removes a closed connection, which makes its key free.
    pub(crate) fn remove(&mut self, token: SlotToken) -> Option<Arc<Slot<S>>> {
        self.get(token)?;
        self.slots.try_remove(token.key())
    }

    /// Iterates over all open connections, and over closed ones that are not removed yet.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Slot<S>>> {
        self.slots.iter().map(|(_, slot)| slot)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }
}
