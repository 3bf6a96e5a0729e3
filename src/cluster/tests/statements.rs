//! Statements of ticks and publications against a real database: what it refuses, whatever a replica believes.

use std::time::Duration;

use crate::cluster::database::{NewState, StateRead, publish, tick};
use crate::cluster::*;
use crate::postgres::fixture;
use crate::store::{Access, Link};

const TTL: Duration = Duration::from_secs(8);

/// A database and a connection for the statements of all replicas.
struct Replicas {
    database: fixture::Database,
    link: Link,
}

fn instance(number: u8) -> InstanceId {
    InstanceId::from_bytes([number; 16])
}

impl Replicas {
    /// Returns a database with two replicas that have no leases.
    fn new() -> Replicas {
        let database = fixture::database();
        let access = Access::new(database.target(), "test".into()).unwrap();
        access.prepare(fixture::deadline()).unwrap();
        let mut replicas = Replicas { database, link: Link::new(access) };
        for number in [1, 2] {
            let registration = Registration { digest: 0, hashes: Vec::new() };
            replicas.tick(number, Renewal::Register(registration), &[]);
        }
        replicas
    }

    fn tick(&mut self, number: u8, renewal: Renewal, sources: &[&str]) -> TickReply {
        let request = TickRequest {
            sent: Duration::ZERO,
            replica: number.to_string().into(),
            instance: instance(number),
            ttl: TTL,
            renewal,
            releases: Vec::new(),
            acquisitions: sources.iter().map(|source| (*source).into()).collect(),
            poll_requests: Vec::new(),
            known_digests: vec![0],
            read: LeaseRead::All,
        };
        tick(&mut self.link, &request, &StateRead::default(), true).unwrap().reply
    }

    /// Has a replica acquire the lease of the source `tank`. Returns false if it is refused.
    fn acquire(&mut self, number: u8) -> bool {
        !self.tick(number, Renewal::Renew, &["tank"]).acquired.is_empty()
    }

    /// Has a replica publish a state of the source `tank`, with the epoch of its lease in the database.
    fn publish(&mut self, number: u8, version: i64, content: &str) {
        let rows = self.tick(number, Renewal::Renew, &[]).leases;
        let state =
            NewState { source: "tank".into(), epoch: rows[0].epoch, content: content.into() };
        let deadline = fixture::deadline();
        publish(&mut self.link, instance(number), version, &[state], deadline).unwrap();
    }
}

#[test]
fn lease_is_acquired_only_if_its_holder_has_ended_or_given_it_up() {
    let mut replicas = Replicas::new();
    assert!(replicas.acquire(1));
    assert!(!replicas.acquire(2), "its holder is live");
    replicas
        .database
        .sql("UPDATE pumphouse.replica SET ends_at = now() - interval '1 s' WHERE name = '1'");
    assert!(replicas.acquire(2), "its holder has ended");
    replicas.database.sql("UPDATE pumphouse.lease SET holder = NULL, instance = NULL");
    assert!(replicas.acquire(1), "it has no holder");
}

#[test]
fn no_lease_is_acquired_before_those_that_a_promotion_may_have_lost_have_ended() {
    let mut replicas = Replicas::new();
    replicas.database.sql("UPDATE pumphouse.era SET timeline = '0000FFFF'");
    assert!(!replicas.acquire(1));
    replicas.database.sql("UPDATE pumphouse.era SET since = since - interval '7 s'");
    assert!(!replicas.acquire(1));
    replicas.database.sql("UPDATE pumphouse.era SET since = since - interval '1 hour'");
    assert!(replicas.acquire(1));
}

#[test]
fn state_of_an_instance_without_the_lease_is_ignored_also_with_its_epoch() {
    let mut replicas = Replicas::new();
    assert!(replicas.acquire(1));
    replicas.publish(1, 0, "first");
    let shown =
        |replicas: &Replicas| replicas.database.sql("SELECT content FROM pumphouse.current");
    assert_eq!(shown(&replicas), "first");
    // A promotion has lost the acquisition, and another replica has made it anew.
    let instance = instance(2);
    replicas
        .database
        .sql(&format!("UPDATE pumphouse.lease SET holder = '2', instance = '{instance}'"));
    replicas.publish(1, 1, "late");
    assert_eq!(shown(&replicas), "first");
    replicas.publish(2, 0, "second");
    assert_eq!(shown(&replicas), "second");
    // A request that arrives after a later one.
    replicas.publish(2, 4, "third");
    replicas.publish(2, 3, "earlier");
    assert_eq!(shown(&replicas), "third");
}
