//! The members about a replica, from the handles to its parts.

use std::collections::HashSet;

use jiff::Timestamp;

use super::report::{Lease, Leases, Store};
use super::seconds_since;
use crate::admin::replica::ReplicaReader;
use crate::cluster::{LeaseView, ReplicaName};
use crate::history::History;
use crate::kernel::pause;
use crate::timestamp::Rfc3339;

/// Returns the state of the database.
pub(super) fn store(replica: &ReplicaReader, history: &History, now: Timestamp) -> Store {
    let store = &replica.store;
    let fault = store.health().fault();
    let server = store.server();
    Store {
        up: store.is_well(),
        since: fault.as_ref().map(|fault| Rfc3339(fault.since).to_string()),
        away_seconds: fault.as_ref().map(|fault| seconds_since(fault.since, now)),
        message: fault.map(|fault| fault.message.to_string()),
        host: server.as_ref().map(|server| server.host.clone()),
        version: server.map(|server| server.version),
        spool_rows: history.spooled(),
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::admin::scoreboard::abridge::MAX_LISTED;
    use crate::admin::scoreboard::report::Report;

    /// Returns a lease of `holder` on a source that replica `a` should poll.
    fn lease(number: usize, holder: Option<&str>) -> LeaseView {
        LeaseView {
            source: format!("s{number:04}").into(),
            holder: holder.map(Into::into),
            designated: Some("a".into()),
            epoch: 4,
            is_held: holder == Some("a"),
        }
    }

    fn json_of(replica: &ReplicaReader) -> Value {
        serde_json::to_value(leases(replica)).unwrap()
    }

    #[test]
    fn leases_name_holder_and_designated_replica_and_count_sources_that_no_live_one_holds() {
        let leases =
            vec![lease(0, Some("a")), lease(1, Some("b")), lease(2, Some("gone")), lease(3, None)];
        let mut found = json_of(&ReplicaReader::fixed(leases));
        found["silent_seconds"] = json!(0.0);
        let one = |number: usize, holder: Value, held: bool| {
            json!({"source": format!("s{number:04}"), "holder": holder, "designated": "a", "epoch": 4,
                   "held": held})
        };
        let expected = json!({
            "replica": "a", "instance": null, "state": "confirmed", "silent_seconds": 0.0,
            "live": ["a", "b"], "namesake": null,
            "held": 1, "designated": 4, "unheld": 2, "total": 4,
            "sources": [one(0, json!("a"), true), one(1, json!("b"), false), one(2, json!("gone"), false),
                        one(3, Value::Null, false)],
            "sources_unlisted": 0,
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn brief_scoreboard_lists_leases_that_change_hands_first_and_counts_all() {
        let mut all: Vec<LeaseView> = (0..3000).map(|number| lease(number, Some("a"))).collect();
        all[7] = lease(7, Some("b"));
        all[2000] = lease(2000, None);
        let replica = ReplicaReader::fixed(all);
        let mut report = Report { leases: Some(leases(&replica)), ..Report::default() };
        report.abridge();
        let abridged = report.leases.unwrap();
        let names: Vec<&str> = abridged.sources.iter().map(|lease| &*lease.source).collect();
        assert_eq!((names, abridged.sources_unlisted), (vec!["s2000", "s0007"], 2998));
        assert_eq!((abridged.total, abridged.held), (3000, 2998));

        let few =
            ReplicaReader::fixed((0..MAX_LISTED).map(|number| lease(number, Some("a"))).collect());
        let mut report = Report { leases: Some(leases(&few)), ..Report::default() };
        report.abridge();
        assert_eq!(report.leases.unwrap().sources.len(), MAX_LISTED);
    }

    #[test]
    fn store_has_the_reason_of_an_outage_and_no_password() {
        let replica = ReplicaReader::fixed(Vec::new());
        let history = History::off();
        let found = store(&replica, &history, Timestamp::now());
        assert_eq!((found.up, found.message), (false, None), "no call has ended");
        replica.store.fail("db1:5432: no answer before the deadline while connecting");
        let found = store(&replica, &history, crate::wall_clock::now());
        assert!(!found.up && found.away_seconds.unwrap() < 60.0, "{found:?}");
        let json = serde_json::to_string(&found).unwrap();
        assert!(json.contains("db1:5432: no answer") && !json.contains("secret"), "{json}");
    }
}
