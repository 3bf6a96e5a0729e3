//! The state that an engine's threads share, for tests without these threads.

use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded, unbounded};
use mio::{Poll, Waker};

use super::{Channels, Shared};
use crate::engine::acceptor::WAKE;
use crate::engine::activity::Activity;
use crate::engine::limits::Settings;
use crate::engine::message::{Request, RequestHead, Response};
use crate::engine::queue::Queue;
use crate::engine::refusal::Refusal;
use crate::engine::service::{Reply, Service};
use crate::engine::stats::Stats;
use crate::engine::watch::Watch;

/// The program of tests in which no worker runs.
pub(in crate::engine) struct Uncalled;

impl Service for Uncalled {
    fn call(&self, _: &Request, _: &Activity) -> Reply {
        unreachable!("no worker runs")
    }

    fn refuse(&self, _: Refusal, _: Option<RequestHead<'_>>) -> Response {
        unreachable!("no worker runs")
    }
}

/// Ends of the channels and of the epoll that the threads would hold.
pub(in crate::engine) struct Ends {
    /// The acceptor's epoll.
    pub(in crate::engine) poll: Poll,
    /// Calls for a worker.
    pub(in crate::engine) calls: Receiver<()>,
    /// Keys of connections that were closed.
    pub(in crate::engine) closed: Receiver<usize>,
}

/// The state of an engine with so many workers, none of which runs.
pub(in crate::engine) fn shared(
    service: impl Service + 'static,
    settings: Settings,
    workers: usize,
) -> (Arc<Shared>, Ends) {
    let poll = Poll::new().unwrap();
    let (errands, (call, calls), (close, closed)) = (unbounded().0, bounded(1), unbounded());
    let shared = Arc::new(Shared::new(
        Arc::new(service),
        settings,
        Stats::new(workers),
        Queue::default(),
        Watch::new().unwrap(),
        Waker::new(poll.registry(), WAKE).unwrap(),
        Channels { errands, calls: call, closed: close },
    ));
    (shared, Ends { poll, calls, closed })
}
