//! A connection's place in the engine: parked, queued or driven, and never two at once.
//!
//! The acceptor learns of readiness, workers drive, and neither may wait for the other. So
//! all that they must agree on stands in one atomic word: where the connection is, which
//! edges have come in since it was last looked at, and which of them it waits for. An edge
//! that arrives while a worker drives is kept in the word, and parking fails because of it.
//!
//! ```text
//!            edge that is wanted        a worker takes it
//!   PARKED ──────────────────► QUEUED ───────────────────► DRIVEN ──► CLOSED
//!     ▲  │                       │ queue_timeout, or         │ ▲
//!     │  │ deadline              ▼ a response's deadline     │ │
//!     │  └───────────────────► ERRAND ───────────────────────┼─┘
//!     │                               the usher takes it     │
//!     └──────────────────────────────────────────────────────┘ nothing left to do now
//! ```

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use strum::VariantArray;

use super::addresses::ClientNet;
use super::ready::Ready;
use super::session::Session;
use super::stats::ConnectionState;

/// Where the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Parked,
    Queued,
    Driven,
    Errand,
    Closed,
}

/// The word: place in bits 0 to 2, edges in 4 to 8, wanted edges in 9 to 13, turned away in 14.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word(u32);

impl Word {
    const READY_SHIFT: u32 = 4;
    const WANTS_SHIFT: u32 = 9;
    const TURNED_AWAY: u32 = 1 << 14;

    fn place(self) -> Place {
        match self.0 & 7 {
            0 => Place::Parked,
            1 => Place::Queued,
            2 => Place::Driven,
            3 => Place::Errand,
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

    fn is_turned_away(self) -> bool {
        self.0 & Word::TURNED_AWAY != 0
    }
}

/// What the acceptor must do with a connection after an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// Nothing: it waits for something else, or is looked after already.
    Noted,
    /// Put it into the workers' queue; its place is `Queued`.
    Queue,
    /// Hand it to the usher, as it was turned away before; its place is `Errand`.
    Usher,
}

/// See the module's documentation.
pub(super) struct Slot {
    /// The key in the acceptor's table, and the token of its events.
    pub(super) key: usize,
    /// Who holds it, for the cap on one address's connections.
    pub(super) visitor: Option<ClientNet>,
    word: AtomicU32,
    /// Tick at which the connection must be looked at, whatever its client does.
    deadline: AtomicU64,
    /// Tick at which it was parked or queued.
    since: AtomicU64,
    /// Tick at which it was accepted.
    opened: u64,
    state: AtomicU8,
    /// Its client has sent something.
    spoken: AtomicBool,
    /// A response was put into its output.
    answered: AtomicBool,
    /// Bytes that it held in buffers when it was last let go of.
    held_bytes: AtomicUsize,
    session: Mutex<Option<Session>>,
}

impl Slot {
    /// A new connection, parked until its client says something.
    pub(super) fn new(
        key: usize,
        visitor: Option<ClientNet>,
        session: Session,
        deadline: u64,
        now: u64,
    ) -> Slot {
        let state = session.state();
        Slot {
            key,
            visitor,
            word: AtomicU32::new(Word(0).wanting(Ready::READ).0),
            deadline: AtomicU64::new(deadline),
            since: AtomicU64::new(now),
            opened: now,
            state: AtomicU8::new(state as u8),
            spoken: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            held_bytes: AtomicUsize::new(0),
            session: Mutex::new(Some(session)),
        }
    }

    /// Whoever has moved the slot to `Driven` may have the session; nobody else waits for it.
    pub(super) fn session(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// Changes the word by `change` unless that gives `None`; returns the word before.
    fn update(&self, change: impl Fn(Word) -> Option<Word>) -> Result<Word, Word> {
        self.word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                change(Word(word)).map(|word| word.0)
            })
            .map(Word)
            .map_err(Word)
    }

    pub(super) fn place(&self) -> Place {
        self.load().place()
    }

    /// What the connection was doing when it was last let go of.
    pub(super) fn state(&self) -> ConnectionState {
        ConnectionState::VARIANTS[usize::from(self.state.load(Ordering::Relaxed))]
    }

    /// Returns true if its client has sent something that a worker has seen.
    pub(super) fn has_spoken(&self) -> bool {
        self.spoken.load(Ordering::Relaxed)
    }

    /// Returns true if the client was sent a response before.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    pub(super) fn note_answered(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Bytes that it held in buffers when it was last let go of.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn set_held_bytes(&self, bytes: usize) {
        self.held_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Tick at which it was accepted.
    pub(super) fn opened(&self) -> u64 {
        self.opened
    }

    pub(super) fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }

    pub(super) fn deadline(&self) -> u64 {
        self.deadline.load(Ordering::Relaxed)
    }

    /// Notes edges, and moves the connection on if it waits for one of them.
    pub(super) fn signal(&self, edges: Ready, now: u64) -> Signal {
        let step = |word: Word| {
            let mut ready = word.ready();
            ready.insert(edges);
            let noted = word.with_ready(ready);
            if word.place() != Place::Parked || !ready.intersects(word.wants()) {
                (noted, Signal::Noted)
            } else if word.is_turned_away() {
                (noted.at(Place::Errand), Signal::Usher)
            } else {
                (noted.at(Place::Queued), Signal::Queue)
            }
        };
        match self.update(|word| Some(step(word).0)) {
            Ok(before) => {
                let signal = step(before).1;
                if signal == Signal::Queue {
                    self.since.store(now, Ordering::Relaxed);
                }
                signal
            }
            Err(_) => Signal::Noted,
        }
    }

    /// Takes a queued connection to drive it, with the edges that have come in; `None` when it
    /// has left the queue by another way.
    pub(super) fn take_queued(&self) -> Option<Ready> {
        self.take(Place::Queued)
    }

    /// Takes a connection that the usher was sent for.
    pub(super) fn take_errand(&self) -> Option<Ready> {
        self.take(Place::Errand)
    }

    fn take(&self, from: Place) -> Option<Ready> {
        self.update(|word| {
            (word.place() == from).then(|| word.at(Place::Driven).with_ready(Ready::NONE))
        })
        .ok()
        .map(Word::ready)
    }

    /// Parks a driven connection until one of `wants` or the deadline. Fails, giving the edges,
    /// when one of them has come in meanwhile: then it must be driven on.
    pub(super) fn park(
        &self,
        wants: Ready,
        state: ConnectionState,
        deadline: u64,
        now: u64,
    ) -> Result<(), Ready> {
        self.note(state, deadline, now);
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

    /// Sends a driven connection to the end of the queue, where the caller puts it. A worker is
    /// to take it, even if it was turned away before.
    pub(super) fn requeue(&self, state: ConnectionState, deadline: u64, now: u64) {
        self.note(state, deadline, now);
        let _ = self.update(|word| Some(Word(word.at(Place::Queued).0 & !Word::TURNED_AWAY)));
    }

    /// Notes what those who do not drive it need to know.
    fn note(&self, state: ConnectionState, deadline: u64, now: u64) {
        self.deadline.store(deadline, Ordering::Relaxed);
        self.since.store(now, Ordering::Relaxed);
        self.state.store(state as u8, Ordering::Relaxed);
        self.spoken.store(true, Ordering::Relaxed);
    }

    /// Calls a connection away on an errand; false when it is not at `from` any more.
    pub(super) fn call_away(&self, from: Place) -> bool {
        self.update(|word| (word.place() == from).then(|| word.at(Place::Errand))).is_ok()
    }

    /// Turns a queued connection away: from now on the usher answers it. False when a worker has
    /// it already.
    pub(super) fn turn_away(&self) -> bool {
        self.update(|word| {
            (word.place() == Place::Queued)
                .then(|| Word(word.at(Place::Errand).0 | Word::TURNED_AWAY))
        })
        .is_ok()
    }

    /// Takes the session of a parked connection, to drop it. `None` when it is not parked, or
    /// the thread that parked it has not let go of it yet.
    pub(super) fn evict(&self) -> Option<Session> {
        self.evict_from(&[Place::Parked])
    }

    /// Evicts like [`Slot::evict`] a connection that may also wait for a worker. It leaves an empty
    /// ticket in the queue.
    pub(super) fn evict_waiting(&self) -> Option<Session> {
        self.evict_from(&[Place::Parked, Place::Queued])
    }

    fn evict_from(&self, places: &[Place]) -> Option<Session> {
        let mut session = self.session.try_lock().ok()?;
        let close = |word: Word| places.contains(&word.place()).then(|| word.at(Place::Closed));
        self.update(close).ok()?;
        session.take()
    }

    /// Has a truncated response end in a reset; see [`Session::reset_if_truncated`]. Returns false if
    /// a worker drives the session.
    pub(super) fn reset_if_truncated(&self) -> bool {
        let Ok(session) = self.session.try_lock() else { return false };
        session.iter().for_each(Session::reset_if_truncated);
        true
    }

    /// The session is gone.
    pub(super) fn close(&self) {
        let _ = self.update(|word| Some(word.at(Place::Closed)));
    }
}
