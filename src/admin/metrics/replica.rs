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
    let is_up = f64::from(u8::from(replica.store.is_well()));
    let up = Family::gauge("store_up", "1 if the shared database answers and can be used, else 0.");
    let rows = Family::gauge(
        "spool_rows",
        "Number of observations and events that wait in the spool for the shared database.",
    );
    [lease, up.sample(&[], is_up), rows.sample(&[], history.spooled() as f64)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::LeaseView;

    #[test]
    fn lease_is_1_for_sources_that_this_replica_polls_and_0_for_others() {
        let lease = |source: &str, holder: &str| LeaseView {
            source: source.into(),
            holder: Some(holder.into()),
            designated: Some("a".into()),
            epoch: 1,
            is_held: holder == "a",
        };
        let replica = ReplicaReader::fixed(vec![lease("pond", "b"), lease("tank", "a")]);
        let mut page = String::new();
        families(&replica, &History::off()).iter().for_each(|family| family.write(&mut page));
        let samples: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "pumphouse_lease{source=\"pond\"} 0",
            "pumphouse_lease{source=\"tank\"} 1",
            "pumphouse_store_up 0",
            "pumphouse_spool_rows 0",
        ];
        assert_eq!(samples, expected);
    }
}
