//! One connection: who may use it now, and what other threads may read of it meanwhile.
//!
//! All that decides who may use a connection is in one atomic word: its [`Place`], the edges that
//! have arrived since a thread last took it, and the edges that it waits for. So an edge, a claim
//! and a park are one compare-and-swap each, without a lock or a system call. The state diagram and
//! the memory orderings are in the documentation of the [`scheduler`](super).

use strum::VariantArray;

use super::slot_table::SlotToken;
use super::sync::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering, lock,
};
use crate::client_net::ClientNet;
use crate::ready::Ready;
use crate::stats::ConnectionState;

/// Place of a connection in the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It waits for an edge or for its deadline. Any thread may move it on.
    Parked,
    /// It is in the run queue.
    Queued,
    /// One thread drives it: a worker or the reaper.
    Driven,
    /// It is in the channel to the reaper.
    Claimed,
    /// Its session is gone.
    Closed,
}

/// The word: place in bits 0 to 2, edges in 4 to 8, wanted edges in 9 to 13, shed in 14.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word(u32);

impl Word {
    const READY_SHIFT: u32 = 4;
    const WANTS_SHIFT: u32 = 9;
    const SHED: u32 = 1 << 14;

    fn place(self) -> Place {
        match self.0 & 7 {
            0 => Place::Parked,
            1 => Place::Queued,
            2 => Place::Driven,
            3 => Place::Claimed,
            _ => Place::Closed,
        }
    }

    fn at(self, place: Place) -> Word {
        Word(self.0 & !7 | place as u32)
    }

    fn ready(self) -> Ready {
        Ready::from_bits(self.0 >> Word::READY_SHIFT)
    }

    fn with_ready(self, ready: Ready) -> Word {
        Word(self.0 & !(Ready::MASK << Word::READY_SHIFT) | ready.bits() << Word::READY_SHIFT)
    }

    fn wants(self) -> Ready {
        Ready::from_bits(self.0 >> Word::WANTS_SHIFT)
    }

    fn wanting(self, wants: Ready) -> Word {
        Word(self.0 & !(Ready::MASK << Word::WANTS_SHIFT) | wants.bits() << Word::WANTS_SHIFT)
    }

    fn is_shed(self) -> bool {
        self.0 & Word::SHED != 0
    }
}

/// Result of [`Slot::signal`]: what the caller must do with the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// Nothing: it waits for another edge, or a thread has it already.
    Noted,
    /// Push it onto the run queue. Its place is `Queued`.
    Queue,
    /// Send it to the reaper, because it was shed before. Its place is `Claimed`.
    Reap,
}

/// A connection of the engine. `S` is its session; the models use another type in its place.
pub(crate) struct Slot<S> {
    /// Identifies the connection to epoll and in the slot table.
    pub(crate) token: SlotToken,
    /// Client that the connection counts for, under the cap for one client.
    pub(crate) client_net: Option<ClientNet>,
    word: AtomicU32,
    /// Tick at which the connection must be driven, whatever its client does.
    deadline: AtomicU64,
    /// Tick at which it was parked or queued.
    since: AtomicU64,
    /// Tick at which it was accepted.
    opened: u64,
    state: AtomicU8,
    /// A thread has driven it, so its client has sent something.
    was_driven: AtomicBool,
    /// A response was put into its output.
    has_answered: AtomicBool,
    /// Bytes that it held in buffers when it was last parked or queued.
    held_bytes: AtomicUsize,
    session: Mutex<Option<S>>,
}

impl<S> Slot<S> {
    /// Creates a connection that is parked until its client sends something.
    pub(crate) fn new(
        token: SlotToken,
        client_net: Option<ClientNet>,
        session: S,
        state: ConnectionState,
        deadline: u64,
        now: u64,
    ) -> Slot<S> {
        Slot {
            token,
            client_net,
            word: AtomicU32::new(Word(0).wanting(Ready::READ).0),
            deadline: AtomicU64::new(deadline),
            since: AtomicU64::new(now),
            opened: now,
            state: AtomicU8::new(state as u8),
            was_driven: AtomicBool::new(false),
            has_answered: AtomicBool::new(false),
            held_bytes: AtomicUsize::new(0),
            session: Mutex::new(Some(session)),
        }
    }

    /// Locks the session. Only a thread that has moved the slot to `Driven` calls this, so it waits
    /// at most for the thread that has just parked the connection and is about to unlock it.
    pub(crate) fn session(&self) -> MutexGuard<'_, Option<S>> {
        lock(&self.session)
    }

    /// Runs `inspect` on the session. Returns false, without waiting, if another thread uses it.
    pub(crate) fn try_inspect(&self, inspect: impl FnOnce(&S)) -> bool {
        let Ok(session) = self.session.try_lock() else { return false };
        if let Some(session) = &*session {
            inspect(session);
        }
        true
    }

    fn load(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// Changes the word by `change` unless that returns `None`. Returns the word before.
    fn update(&self, change: impl Fn(Word) -> Option<Word>) -> Result<Word, Word> {
        self.word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                change(Word(word)).map(|word| word.0)
            })
            .map(Word)
            .map_err(Word)
    }

    pub(crate) fn place(&self) -> Place {
        self.load().place()
    }

    /// Returns the state of the connection when it was last parked or queued.
    pub(crate) fn state(&self) -> ConnectionState {
        ConnectionState::VARIANTS[usize::from(self.state.load(Ordering::Relaxed))]
    }

    /// Returns true if a thread has driven the connection before.
    pub(crate) fn was_driven(&self) -> bool {
        self.was_driven.load(Ordering::Relaxed)
    }

    /// Returns true if the client was sent a response before.
    pub(super) fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Relaxed)
    }

    pub(crate) fn set_answered(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
    }

    /// Returns the bytes that it held in buffers when it was last parked or queued.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn set_held_bytes(&self, bytes: usize) {
        self.held_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Returns the tick at which it was accepted.
    pub(crate) fn opened(&self) -> u64 {
        self.opened
    }

    /// Returns the tick at which it was last parked or queued.
    pub(crate) fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }

    /// Returns the tick at which it must be driven, whatever its client does.
    pub(crate) fn deadline(&self) -> u64 {
        self.deadline.load(Ordering::Relaxed)
    }

    /// Adds edges, and moves the connection on if it waits for one of them.
    pub(super) fn signal(&self, edges: Ready, now: u64) -> Signal {
        let step = |word: Word| {
            let mut ready = word.ready();
            ready.insert(edges);
            let noted = word.with_ready(ready);
            if word.place() != Place::Parked || !ready.intersects(word.wants()) {
                (noted, Signal::Noted)
            } else if word.is_shed() {
                (noted.at(Place::Claimed), Signal::Reap)
            } else {
                (noted.at(Place::Queued), Signal::Queue)
            }
        };
        let update = self.update(|word| {
            let (next, signal) = step(word);
            if signal == Signal::Queue {
                // Before the swap: the sweep must not find a queued connection with the tick at
                // which it was parked, and shed it for a wait that has not begun.
                self.since.store(now, Ordering::Relaxed);
            }
            Some(next)
        });
        match update {
            Ok(before) => step(before).1,
            Err(_) => Signal::Noted,
        }
    }

    /// Takes a queued connection to drive it, and returns the edges that have arrived. Returns
    /// `None` if it has left the queue by another way.
    pub(crate) fn take_queued(&self) -> Option<Ready> {
        self.take(Place::Queued)
    }

    /// Takes a claimed connection to drive it. For the reaper.
    pub(crate) fn take_claimed(&self) -> Option<Ready> {
        self.take(Place::Claimed)
    }

    fn take(&self, from: Place) -> Option<Ready> {
        self.update(|word| {
            (word.place() == from).then(|| word.at(Place::Driven).with_ready(Ready::NONE))
        })
        .ok()
        .map(Word::ready)
    }

    /// Parks a driven connection until one of `wants` or the deadline.
    ///
    /// # Errors
    /// One of the wanted edges has arrived since the connection was taken. It stays driven, and the
    /// caller must go on with the edges returned.
    pub(crate) fn park(
        &self,
        wants: Ready,
        state: ConnectionState,
        deadline: u64,
        now: u64,
    ) -> Result<(), Ready> {
        self.publish(state, deadline, now);
        let step = |word: Word| {
            if word.ready().intersects(wants) {
                word.with_ready(Ready::NONE)
            } else {
                word.wanting(wants).at(Place::Parked)
            }
        };
        match self.update(|word| Some(step(word))) {
            Ok(before) if before.ready().intersects(wants) => Err(before.ready()),
            _ => Ok(()),
        }
    }

    /// Moves a driven connection to `Queued`; the caller pushes it onto the run queue. A worker
    /// takes it next, even if it was shed before.
    pub(super) fn requeue(&self, state: ConnectionState, deadline: u64, now: u64) {
        self.publish(state, deadline, now);
        let _ = self.update(|word| Some(Word(word.at(Place::Queued).0 & !Word::SHED)));
    }

    /// Stores what other threads read of a connection that they do not drive.
    fn publish(&self, state: ConnectionState, deadline: u64, now: u64) {
        self.deadline.store(deadline, Ordering::Relaxed);
        self.since.store(now, Ordering::Relaxed);
        self.state.store(state as u8, Ordering::Relaxed);
        self.was_driven.store(true, Ordering::Relaxed);
    }

    /// Claims a connection for the reaper. Returns false if it is not at `from` any more.
    pub(crate) fn claim(&self, from: Place) -> bool {
        self.update(|word| (word.place() == from).then(|| word.at(Place::Claimed))).is_ok()
    }

    /// Sheds a queued connection: claims it, and lets the reaper answer what follows on it, too.
    /// Returns false if a thread has taken it already.
    pub(crate) fn shed(&self) -> bool {
        self.update(|word| {
            (word.place() == Place::Queued).then(|| Word(word.at(Place::Claimed).0 | Word::SHED))
        })
        .is_ok()
    }

    /// Closes a parked connection and returns its session. Returns `None` if it is not parked, or
    /// the thread that has parked it has not unlocked the session yet.
    pub(crate) fn evict(&self) -> Option<S> {
        self.evict_from(&[Place::Parked])
    }

    /// Closes a connection that is parked or queued, as [`Slot::evict`] does. A stale entry stays in
    /// the run queue.
    pub(crate) fn evict_waiting(&self) -> Option<S> {
        self.evict_from(&[Place::Parked, Place::Queued])
    }

    fn evict_from(&self, places: &[Place]) -> Option<S> {
        let mut session = self.session.try_lock().ok()?;
        let close = |word: Word| places.contains(&word.place()).then(|| word.at(Place::Closed));
        self.update(close).ok()?;
        session.take()
    }

    /// Closes a driven connection, whose session was taken out.
    pub(crate) fn close(&self) {
        let _ = self.update(|word| Some(word.at(Place::Closed)));
    }
}
