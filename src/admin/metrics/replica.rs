//! The leases of a replica, its database and its spool.

use super::family::Family;
use crate::admin::replica::ReplicaReader;
use crate::history::History;

/// Returns which sources this replica polls, whether the database can be used, and how much waits for it.
pub(super) fn families(replica: &ReplicaReader, history: &History) -> [Family; 3] {
    let mut lease = Family::gauge(
        "lease",
        "1 if this replica polls the source, else 0. The sum over all replicas is 1.",
    );
    for one in &replica.leases.view().leases {
        lease = lease.sample(&[("source", &one.source)], f64::from(u8::from(one.is_held)));
    }
    let is_up = f64::from(u8::from(replica.store.is_usable()));
    let up = Family::gauge("store_up", "1 if the shared database answers and can be used, else 0.");
    let rows = Family::gauge(
        "spool_rows",
        "Number of observations and events that wait in the spool for the shared database.",
    );
    [lease, up.sample(&[], is_up), rows.sample(&[], history.spooled() as f64)]
}
