//! Connections and workers of the engines, and the kernel's accept queues.

use std::collections::BTreeMap;

use strum::VariantArray as _;

use super::family::Family;
use crate::admin::listeners::{ListenerState, ListenerStatus};
use crate::engine::{CloseReason, ConnectionState, ShedReason, Stats};
use crate::kernel::listen_queue::{ListenQueue, ListenSocket, listen_losses, listen_queues};

/// Returns the metrics of the public engine.
pub(super) fn of_engine(stats: &Stats) -> Vec<Family> {
    let shed = Family::counter(
        "connections_shed_total",
        "Number of connections shed: refused with 503 or closed unanswered, by reason.",
    );
    let shed = ShedReason::VARIANTS.iter().fold(shed, |family, reason| {
        family.sample(&[("reason", reason.as_str())], stats.shed(*reason) as f64)
    });
    let single = |family: Family, value: u64| family.sample(&[], value as f64);
    vec![
        by_state(stats, "connections", "Number of open connections, by state."),
        single(
            Family::counter("connections_accepted_total", "Number of connections accepted."),
            stats.accepted(),
        ),
        single(
            Family::counter("accept_errors_total", "Number of failed calls of accept(2)."),
            stats.accept_errors(),
        ),
        by_close_reason(
            stats,
            "connections_closed_total",
            "Number of connections closed, by reason.",
        ),
        shed,
        single(
            Family::gauge(
                "buffered_bytes",
                "Size of the requests and responses in the buffers of all connections.",
            ),
            stats.buffered_bytes(),
        ),
        single(
            Family::gauge("workers", "Number of threads that serve requests."),
            stats.workers().len() as u64,
        ),
        single(
            Family::gauge("workers_busy", "Number of workers that drive a connection."),
            stats.workers_busy(),
        ),
        single(
            Family::gauge("queue_depth", "Number of ready connections that wait for a worker."),
            stats.queue_depth(),
        ),
    ]
}

/// Returns the metrics of the admin engine. A number of connections that grows without scrapes to
/// match shows a local client that floods it.
pub(super) fn of_admin(stats: &Stats) -> [Family; 2] {
    [
        by_state(
            stats,
            "admin_connections",
            "Number of open connections of the admin listener, by state.",
        ),
        by_close_reason(
            stats,
            "admin_connections_closed_total",
            "Number of connections of the admin listener closed, by reason.",
        ),
    ]
}

fn by_state(stats: &Stats, name: &str, help: &str) -> Family {
    let family = Family::gauge(name, help);
    ConnectionState::VARIANTS.iter().fold(family, |family, state| {
        family.sample(&[("state", state.as_str())], stats.connections(*state) as f64)
    })
}

fn by_close_reason(stats: &Stats, name: &str, help: &str) -> Family {
    let family = Family::counter(name, help);
    CloseReason::VARIANTS.iter().fold(family, |family, reason| {
        family.sample(&[("reason", reason.as_str())], stats.closed(*reason) as f64)
    })
}

/// Returns whether the server listens on each configured address.
pub(super) fn listeners(statuses: &[ListenerStatus]) -> Family {
    // An address of which the kernel chooses the port may be configured twice.
    let mut up: BTreeMap<&str, bool> = BTreeMap::new();
    for status in statuses {
        let is_up = matches!(status.state, ListenerState::Listening(_));
        *up.entry(&status.address).or_insert(true) &= is_up;
    }
    let family = Family::gauge(
        "listener_up",
        "1 if the server listens on a configured address, 0 while it waits for it.",
    );
    up.into_iter().fold(family, |family, (address, is_up)| {
        family.sample(&[("address", address)], f64::from(u8::from(is_up)))
    })
}

/// Returns the kernel's counts of lost connections, and the state of the fullest accept queue of
/// these listeners.
pub(super) fn accept_queues(listeners: &[ListenSocket]) -> Vec<Family> {
    let losses = listen_losses();
    let share = |queue: &ListenQueue| f64::from(queue.depth) / f64::from(queue.limit.max(1));
    let fullest = listen_queues(listeners).into_iter().max_by(|a, b| share(a).total_cmp(&share(b)));
    let mut families = vec![
        Family::counter(
            "listen_overflows_total",
            "Number of connections lost to a full accept queue, on the whole host.",
        )
        .sample(&[], losses.overflows as f64),
        Family::counter(
            "listen_drops_total",
            "Number of connections dropped by listening sockets for any reason, on the whole host.",
        )
        .sample(&[], losses.drops as f64),
    ];
    if let Some(queue) = fullest {
        let of = |name, help, value| Family::gauge(name, help).sample(&[], f64::from(value));
        families.push(of(
            "accept_queue_depth",
            "Number of connections in the fullest accept queue.",
            queue.depth,
        ));
        families.push(of(
            "accept_queue_limit",
            "Maximum number of connections in the fullest accept queue.",
            queue.limit,
        ));
    }
    families
}
