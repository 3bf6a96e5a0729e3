//! Faults of the database that are no outage: rows that cannot be read, statements that it refuses, and its size.

use std::time::Duration;

use hostile::postgres::Postgres;

use super::super::plans::SOURCES;
use super::Fleet;
use super::replica::{Replica, eventually};
use crate::cluster::TenureState;
use crate::cluster::database::{may_read_timeline, prune};
use crate::postgres::{Limits, Statement, Target, fixture};
use crate::store::{Access, FaultScope, Link, StoreFault};

/// Waits until the replica reports a fault with these words.
fn wait_for_fault(replica: &Replica, words: &str) {
    eventually(words, || {
        let fault = replica.access.health().fault();
        let is_it =
            |fault: StoreFault| fault.scope == FaultScope::Sharing && fault.message.contains(words);
        fault.is_some_and(is_it) && !replica.access.is_well()
    });
}

#[test]
fn rows_that_cannot_be_read_hold_up_no_lease() {
    let mut fleet = Fleet::start(2);
    fleet.poll_all(51.0);
    fleet.database.sql("UPDATE pumphouse.current SET content = 'not JSON' WHERE source = 's4'");
    fleet.database.sql(
        "UPDATE pumphouse.current SET content = replace(content, '\"next_poll_at\":', '\"next_poll_at\":\"x\"') \
         WHERE source = 's5'",
    );
    fleet.database.sql(
        "UPDATE pumphouse.lease SET instance = 'not hexadecimal' WHERE source IN ('s1', 's6')",
    );
    fleet.database.sql(
        "INSERT INTO pumphouse.replica (instance, name, ends_at, digest, sources, hashes, configured_at) \
         VALUES ('beyond', 'c', now() + interval '1 hour', 1, '{s1}', '{1}', now())",
    );
    fleet.wait_for_shares();
    // Each takes the sources of the other one, once.
    for number in [1, 2] {
        let stopped = fleet.replicas.remove(0);
        let held = stopped.held();
        {
            // A call that does not return parks the thread.
            let _parked = stopped.calls();
            let heir = &fleet.replicas[0];
            heir.sender.request_poll(held[0].clone());
            eventually("the heir has all sources", || heir.held().len() == SOURCES);
        }
        drop(stopped);
        fleet.add(number);
        fleet.wait_for_shares();
    }
    fleet.poll_all(52.0);
    fleet.database.sql("DELETE FROM pumphouse.era");
    fleet.add(3);
    fleet.wait_for_shares();
    assert_eq!(fleet.database.sql("SELECT count(*)::text FROM pumphouse.era"), "1");
}

#[test]
fn lack_of_rights_is_a_fault_of_the_replica_that_has_it() {
    let fleet = Fleet::start(1);
    let other = fixture::database();
    let url = Postgres::shared().url("trusted", &other.0.name);
    let folder = tempfile::tempdir().unwrap();
    super::write_held(folder.path(), 3600);
    // It may not create the tables.
    let replica = Replica::start("b", 2, Target::parse(&url).unwrap(), folder.path());
    wait_for_fault(&replica, "permission denied");
    assert!(replica.access.health().fault().unwrap().message.contains("prepared"));
    // A replica whose database is away polls what it held from 4 s after its start on, or 2 s later.
    std::thread::sleep(Duration::from_secs(8));
    assert!(replica.held().is_empty(), "others have its sources");
    drop(replica);
    // It may not read them.
    let url = Postgres::shared().url("trusted", &fleet.database.0.name);
    let superuser = |sql: &str| Postgres::shared().psql(&fleet.database.0.name, sql);
    superuser("GRANT USAGE ON SCHEMA pumphouse TO trusted");
    superuser("GRANT SELECT ON pumphouse.schema_version, pumphouse.replica TO trusted");
    superuser("GRANT SELECT, INSERT, UPDATE ON pumphouse.meta TO trusted");
    let replica = Replica::start("b", 2, Target::parse(&url).unwrap(), folder.path());
    wait_for_fault(&replica, "the leases cannot be renewed: permission denied");
    assert!(replica.held().is_empty(), "others have its sources");
    superuser("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pumphouse TO trusted");
    eventually("the fault has ended", || replica.access.is_well() && !replica.held().is_empty());
    // It may not publish.
    superuser("REVOKE INSERT, UPDATE ON pumphouse.current FROM trusted");
    let held = replica.held();
    replica.poll(&held[0], 51.0);
    wait_for_fault(&replica, "readings cannot be published to the other replicas: permission");
    eventually("it polls on", || replica.may_poll());
    superuser("GRANT INSERT, UPDATE ON pumphouse.current TO trusted");
    eventually("the fault has ended", || replica.access.is_well());
}

#[test]
fn locked_table_is_a_fault_while_it_lasts() {
    let fleet = Fleet::start(1);
    let replica = &fleet.replicas[0];
    assert!(replica.access.is_well());
    let mut connection = fleet.database.connect();
    let limits = Limits::all(fixture::AMPLE);
    let mut transaction = connection.begin(limits);
    let lock = "LOCK TABLE pumphouse.replica IN ACCESS EXCLUSIVE MODE";
    transaction.pipeline(&[Statement::plain(lock)], fixture::deadline()).unwrap();
    wait_for_fault(
        replica,
        "the leases cannot be renewed: canceling statement due to lock timeout",
    );
    transaction.commit_with(&[], fixture::deadline()).unwrap();
    eventually("the fault has ended", || replica.access.is_well());
    fleet.wait_for_shares();
}

#[test]
fn database_that_refuses_to_show_its_timeline_is_used_without_it() {
    let database = fixture::database();
    let mut link = Link::new(Access::new(database.target(), "test".into()).unwrap());
    assert_eq!(may_read_timeline(&mut link), Ok(true));
    let superuser = |sql: &str| Postgres::shared().psql(&database.0.name, sql);
    // As hosted services do: the function may be called, and raises.
    superuser(
        "SET allow_system_table_mods = on; \
         ALTER FUNCTION pg_catalog.pg_current_wal_lsn() RENAME TO pg_current_wal_lsn_of_the_server; \
         CREATE FUNCTION pg_catalog.pg_current_wal_lsn() RETURNS pg_lsn LANGUAGE plpgsql \
         AS $$ BEGIN RAISE EXCEPTION 'not supported' USING ERRCODE = '0A000'; END $$",
    );
    assert_eq!(may_read_timeline(&mut link), Ok(false));
    let folder = tempfile::tempdir().unwrap();
    let replica = Replica::start("a", 1, database.target(), folder.path());
    eventually("all sources are held", || replica.held().len() == SOURCES);
}

#[test]
fn states_that_exceed_the_time_of_a_tick_are_read_by_several() {
    const STATES: i64 = 1500;
    let mut fleet = Fleet::start(1);
    // More than the client accepts as the result of a call.
    fleet.database.sql(&format!(
        "INSERT INTO pumphouse.current (source, instance, version, written_at, content) \
         SELECT 'other' || n, repeat('f', 32), 1, now(), \
         '{{\"kind\":\"json\",\"configuration\":1,\"changed_at\":1}}' || repeat(' ', 50000) \
         FROM generate_series(1, {STATES}) AS n"
    ));
    fleet.add(2);
    let newcomer = &fleet.replicas[1];
    eventually("all states are read", || newcomer.reader.followed() >= STATES);
    eventually("the lease is valid", || {
        newcomer.reader.view().state == TenureState::Confirmed && newcomer.may_poll()
    });
    fleet.wait_for_shares();
    fleet.poll_all(51.0);
}

#[test]
fn states_and_leases_of_sources_that_no_replica_has_held_for_a_month_are_deleted() {
    let fleet = Fleet::start(1);
    fleet.poll_all(51.0);
    eventually("all states are published", || {
        fleet.database.sql("SELECT count(*)::text FROM pumphouse.current") == SOURCES.to_string()
    });
    fleet.database.sql("UPDATE pumphouse.current SET written_at = now() - interval '31 days'");
    fleet.database.sql("UPDATE pumphouse.lease SET changed_at = now() - interval '31 days'");
    for (source, days) in [("removed", 31), ("moving", 29)] {
        fleet.database.sql(&format!(
            "INSERT INTO pumphouse.lease (source, epoch, changed_at) \
             VALUES ('{source}', 3, now() - {days} * interval '1 day')"
        ));
        fleet.database.sql(&format!(
            "INSERT INTO pumphouse.current (source, instance, version, written_at, content) \
             VALUES ('{source}', '', 1, now() - {days} * interval '1 day', '')"
        ));
    }
    let access = Access::new(fleet.database.target(), "test".into()).unwrap();
    prune(&mut Link::new(access)).unwrap();
    for table in ["lease", "current"] {
        let left = |source: &str| {
            let condition = format!("source = '{source}' OR '{source}' = ''");
            fleet
                .database
                .sql(&format!("SELECT count(*)::text FROM pumphouse.{table} WHERE {condition}"))
        };
        assert_eq!((left("removed"), left("moving")), ("0".into(), "1".into()), "{table}");
        assert_eq!(left(""), (SOURCES + 1).to_string(), "{table}");
    }
}
