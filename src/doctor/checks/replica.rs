//! A replica: the database that it shares, its leases, and its spool.

use crate::admin::scoreboard::report::{Lease, Leases, Report as Scoreboard, Store};
use crate::cluster::TenureState;
use crate::doctor::finding::{Finding, span};

/// Most sources and replicas that a finding names.
const MAX_NAMED: usize = 10;

/// Number of sources for each replica from which on one without any is no coincidence.
const MANY: u64 = 8;

/// Returns the findings about a replica; none if the machine is alone.
pub(super) fn findings(scoreboard: &Scoreboard) -> Vec<Finding> {
    let store = scoreboard.store.iter().flat_map(|it| [store(it), spool(it)]);
    let is_up = scoreboard.store.as_ref().is_none_or(|store| store.up);
    store.chain(scoreboard.leases.iter().map(|it| leases(it, is_up))).collect()
}

fn store(store: &Store) -> Finding {
    if store.up {
        let host = store.host.as_deref().unwrap_or("an unknown host");
        let detail = store.version.map_or_else(
            || host.to_owned(),
            |version| format!("PostgreSQL {}.{} at {host}", version / 10_000, version % 10_000),
        );
        return Finding::well("store", detail);
    }
    match (&store.message, &store.since) {
        (Some(message), Some(since)) => {
            let away = span(store.away_seconds.unwrap_or_default());
            Finding::wrong(
                "store",
                format!("away for {away}, since {since}: {message}"),
                "mend the database or the way to it, as the reason says; `pumphouse-web check --poll` tries it from \
                 this machine. The server connects by itself, and a restart does not help",
            )
        }
        _ => Finding::note("store", "no call has ended yet"),
    }
}

fn spool(store: &Store) -> Finding {
    match (store.spool_rows, store.up) {
        (0, _) => Finding::well("spool", "empty"),
        (rows, true) => Finding::note("spool", format!("{rows} records are being written to the database")),
        (rows, false) => Finding::note("spool", format!("{rows} records wait for the database"))
            .advise("keep the file of \"spool\" in [store]: its records are written once the database answers"),
    }
}

fn leases(leases: &Leases, is_store_up: bool) -> Finding {
    let Leases { replica, live, held, designated, total, state, .. } = leases;
    let share = format!("{replica} polls {held} of {total} sources, with {}", named_replicas(live));
    // One that has polled before its start polls that on.
    if leases.instance.is_none() && *held == 0 {
        return Finding::wrong(
            "leases",
            format!("{replica} polls no source: it could not use the database since its start"),
            "mend the database or the way to it, as the finding \"store\" says: a replica polls what it holds, and gets \
             that from the database",
        );
    }
    if let Some(namesake) = &leases.namesake {
        return Finding::wrong(
            "leases",
            format!("another process, {namesake}, has the name {replica}; {share}"),
            "give each machine a \"replica\" of its own in [server], and restart both servers",
        );
    }
    if *state == TenureState::Ended.as_str() && is_store_up {
        return Finding::wrong(
            "leases",
            format!("{replica} polls no source, as its lease has ended; {share}"),
            "it is renewed twice a second: a process that was stopped has it again within seconds. If it lasts, see \
             the thread `cluster` under \"health\"",
        );
    }
    if *state == TenureState::Unconfirmed.as_str() {
        return Finding::note(
            "leases",
            format!(
                "{replica} polls on without a confirmed lease, as the database is away; {share}"
            ),
        );
    }
    // While the database is away, it is not known which replicas live.
    if leases.unheld > 0 && is_store_up {
        let unheld = leases.sources.iter().filter(|lease| !is_held(lease, live));
        let names: Vec<&str> = unheld.take(MAX_NAMED).map(|lease| &*lease.source).collect();
        return Finding::wrong(
            "leases",
            format!("no replica polls {} of {total} sources: {}", leases.unheld, names.join(", ")),
            "a replica takes them within 15 s. If it lasts, run `pumphouse-web doctor` on the replicas that should poll \
             them, which /scoreboard names as \"designated\"",
        );
    }
    if held != designated {
        let moving = held.abs_diff(*designated);
        return Finding::note(
            "leases",
            format!("{share}; {moving} sources change hands, which takes seconds"),
        );
    }
    let replicas = live.len() as u64;
    if replicas > 1 && *held == 0 && *total >= MANY * replicas {
        return Finding::note("leases", share).advise(
            "compare the configurations: a source is polled only by replicas whose [[source]] is that of most replicas",
        );
    }
    Finding::well("leases", share)
}

/// Returns true if a live replica polls the source.
fn is_held(lease: &Lease, live: &[String]) -> bool {
    lease.held || lease.holder.as_ref().is_some_and(|holder| live.contains(holder))
}

fn named_replicas(live: &[String]) -> String {
    let named = live.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
    match live {
        [] => "no replica known yet".to_owned(),
        [_] => format!("1 replica: {named}"),
        _ if live.len() > MAX_NAMED => format!("{} replicas: {named}, …", live.len()),
        _ => format!("{} replicas: {named}", live.len()),
    }
}
