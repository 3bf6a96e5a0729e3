//! The members about a replica, from the handles to its parts.

use std::collections::HashSet;

use jiff::Timestamp;

use super::report::{Lease, Leases, Store};
use super::seconds_since;
use crate::admin::health::Health;
use crate::admin::replica::ReplicaReader;
use crate::cluster::{LeaseView, ReplicaName};
use crate::kernel::pause;
use crate::timestamp::Rfc3339;

/// Returns the state of the database.
pub(super) fn store(replica: &ReplicaReader, health: &Health, now: Timestamp) -> Store {
    let store = &replica.store;
    let fault = store.health().fault();
    let server = store.server();
    Store {
        up: store.is_usable(),
        since: fault.as_ref().map(|fault| Rfc3339(fault.since).to_string()),
        away_seconds: fault.as_ref().map(|fault| seconds_since(fault.since, now)),
        message: fault.map(|fault| fault.message.to_string()),
        host: server.as_ref().map(|server| server.host.clone()),
        version: server.map(|server| server.version),
        spool_rows: health.history.spooled(),
    }
}

/// Returns the leases.
pub(super) fn leases(replica: &ReplicaReader) -> Leases {
    let view = replica.leases.view();
    let live: HashSet<&str> = view.live.iter().map(|name| &**name).collect();
    let is_held = |lease: &&LeaseView| {
        lease.is_held || lease.holder.as_deref().is_some_and(|holder| live.contains(holder))
    };
    let own = Some(&view.replica);
    let designated = view.leases.iter().filter(|lease| lease.designated.as_ref() == own).count();
    let held_by_any = view.leases.iter().filter(is_held).count();
    let name = |name: &Option<ReplicaName>| name.as_deref().map(str::to_owned);
    let sources = view.leases.iter().map(|lease| Lease {
        source: lease.source.to_string(),
        holder: name(&lease.holder),
        designated: name(&lease.designated),
        epoch: lease.epoch,
        held: lease.is_held,
    });
    Leases {
        replica: view.replica.to_string(),
        instance: view.instance.map(|instance| instance.to_string()),
        state: view.state.as_str().into(),
        silent_seconds: pause::sure(replica.heartbeat_age()).as_secs_f64(),
        live: view.live.iter().map(ToString::to_string).collect(),
        namesake: view.namesake.map(|instance| instance.to_string()),
        held: view.held() as u64,
        designated: designated as u64,
        unheld: (view.leases.len() - held_by_any) as u64,
        total: view.leases.len() as u64,
        sources: sources.collect(),
        sources_unlisted: 0,
    }
}
