//! The state that an engine's threads share, for tests without these threads.

use std::sync::Arc;

use mio::Poll;

use super::{Receivers, Shared};
use crate::activity::Activity;
use crate::limits::Settings;
use crate::message::{Request, RequestHead, Response};
use crate::refusal::Refusal;
use crate::service::{Reply, Service};

/// The service of tests in which no worker runs.
pub(crate) struct Uncalled;

impl Service for Uncalled {
    fn call(&self, _: &Request, _: &Activity) -> Reply {
        unreachable!("no worker runs")
    }

    fn refuse(&self, _: Refusal, _: Option<RequestHead<'_>>) -> Response {
        unreachable!("no worker runs")
    }
}

/// Returns the state of an engine without threads, the acceptor's epoll instance, and the receiving
/// ends of the channels.
pub(crate) fn shared(
    service: impl Service + 'static,
    settings: Settings,
) -> (Arc<Shared>, Poll, Receivers) {
    let poll = Poll::new().unwrap();
    let (shared, receivers) = Shared::new(Arc::new(service), settings, &poll).unwrap();
    (shared, poll, receivers)
}
