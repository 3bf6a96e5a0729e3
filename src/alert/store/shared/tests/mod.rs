//! Tests of what an exchange does, each against the database in memory and against PostgreSQL.

mod notices;
mod pruning;
mod rows;
mod thread;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::memory::{Memory, Rows};
use super::*;
use crate::alert::store::postgres::{PostgresStore, find};
use crate::alert::store::{Changes, SavedState, SharedChanges};
use crate::alert::test_notices::{at, incident, notice};
use crate::alert::{
    Acknowledged, Acknowledgement, Incident, IncidentId, NoticeKind, Silence, SubjectKey,
};
use crate::postgres::fixture::{self, deadline};
use crate::postgres::{Connection, Limits, Param, Statement};
use crate::store::{Access, Link};

const X: Instance = Instance(0x1);
const Y: Instance = Instance(u128::MAX - 1);

/// A database.
enum World {
    Memory(Arc<Mutex<Rows>>),
    Postgres(fixture::Database, Box<Mutex<Connection>>),
}

/// Runs a test with each database.
fn with_each(test: impl Fn(&World)) {
    test(&World::Memory(Arc::default()));
    with_postgres(test);
}

/// Runs a test with PostgreSQL.
fn with_postgres(test: impl FnOnce(&World)) {
    let database = fixture::database();
    let access = Access::new(database.target(), "test".into()).unwrap();
    access.prepare(deadline()).unwrap();
    let connection = database.connect();
    test(&World::Postgres(database, Box::new(Mutex::new(connection))));
}

impl World {
    /// Returns the store of a replica, which runs.
    fn store(&self, name: &str, instance: Instance) -> Replica {
        self.run(
            "INSERT INTO pumphouse.replica VALUES ($1, $2, now() + interval '1 hour', 0, \
             '{a, b, tank}', '{0, 0, 0}', now())",
            [Param::Text(&instance.to_string()), Param::Text(name)],
        );
        let store: Box<dyn SharedStore> = match self {
            World::Memory(rows) => {
                rows.lock().unwrap().live.insert(name.into(), instance);
                Box::new(Memory { rows: rows.clone(), name: name.into(), instance })
            }
            World::Postgres(database, _) => {
                let access = Access::new(database.target(), "test".into()).unwrap();
                access.prepare(deadline()).unwrap();
                Box::new(PostgresStore::new(name.into(), Link::new(access)))
            }
        };
        Replica { store, instance, version: 0, known: None, claims: None }
    }

    fn end(&self, name: &str) {
        if let World::Memory(rows) = self {
            rows.lock().unwrap().live.remove(name);
        }
        self.run(
            "UPDATE pumphouse.replica SET ends_at = now() - interval '1 s' WHERE name = $1",
            [Param::Text(name)],
        );
    }

    fn lease(&self, source: &str, instance: Instance, epoch: i64) {
        if let World::Memory(rows) = self {
            rows.lock().unwrap().leases.insert(source.into(), (instance, epoch));
        }
        let upsert = "INSERT INTO pumphouse.lease (source, holder, instance, epoch, changed_at) VALUES ($1, '', $2, $3, now()) ON CONFLICT (source) \
                      DO UPDATE SET instance = excluded.instance, epoch = excluded.epoch";
        self.run(
            upsert,
            [Param::Text(source), Param::Text(&instance.to_string()), Param::I64(epoch)],
        );
    }

    /// Counts rows of a database that is PostgreSQL.
    fn count(&self, rows: &str) -> i64 {
        let World::Postgres(_, connection) = self else { return 0 };
        let sql = format!("SELECT count(*) FROM pumphouse.{rows}");
        let limits = Limits::all(fixture::AMPLE);
        let mut connection = connection.lock().unwrap();
        let outcomes = connection.run(limits, &[Statement::plain(&sql)], deadline()).unwrap();
        outcomes[0].only().unwrap().i64(0).unwrap()
    }

    fn run<const N: usize>(&self, sql: &str, params: [Param<'_>; N]) {
        if let World::Postgres(_, connection) = self {
            let statement = Statement::new(sql, &params);
            let limits = Limits::all(fixture::AMPLE);
            connection.lock().unwrap().run(limits, &[statement], deadline()).unwrap();
        }
    }
}

/// A replica.
struct Replica {
    store: Box<dyn SharedStore>,
    instance: Instance,
    version: i64,
    known: Option<BTreeMap<Instance, i64>>,
    /// Claims of the next exchange, if it is in doubt.
    claims: Option<Claims>,
}

impl Replica {
    /// Exchanges changes for the rows of others.
    fn exchange(&mut self, changes: Changes) -> Exchanged {
        self.version += 1;
        self.exchange_as(self.version, changes)
    }

    fn exchange_as(&mut self, version: i64, changes: Changes) -> Exchanged {
        let mut pending = Pending::default();
        pending.add(changes);
        self.exchange_pending(version, &pending)
    }

    fn exchange_pending(&mut self, version: i64, pending: &Pending) -> Exchanged {
        let claims = self.claims.take();
        let exchange = Exchange {
            pending,
            instance: self.instance,
            version,
            known: self.known.as_ref(),
            channels: &["phone".into()],
            claims: claims.as_ref(),
        };
        let exchanged = self.store.exchange(&exchange).unwrap();
        self.known.get_or_insert_default().extend(exchanged.versions.iter().copied());
        exchanged
    }

    fn read(&mut self) -> FollowedChanges {
        self.exchange(Changes::default()).followed
    }

    fn read_all(&mut self) -> FollowedChanges {
        self.known = None;
        let followed = self.read();
        assert!(followed.is_all);
        followed
    }
}

fn key(source: &str) -> SubjectKey {
    SubjectKey { alert: "tank_low".into(), source: Some(source.into()), replica: None }
}

fn server(replica: &str) -> SubjectKey {
    SubjectKey { alert: "disk_full".into(), source: None, replica: Some(replica.into()) }
}

fn saved(text: &str) -> Option<SavedState> {
    Some(SavedState { fingerprint: u64::MAX, state: text.into() })
}

fn epochs(epochs: &[(&str, i64)]) -> SharedChanges {
    let epochs = epochs.iter().map(|&(source, epoch)| (source.into(), epoch)).collect();
    SharedChanges { epochs, ..SharedChanges::default() }
}

/// Returns a change of the state of a source, by a lease.
fn state(source: &str, epoch: i64, text: Option<&str>) -> Changes {
    let states = vec![(key(source), text.and_then(saved))];
    Changes { states, shared: epochs(&[(source, epoch)]), ..Changes::default() }
}

fn texts(followed: &FollowedChanges) -> Vec<(String, Option<String>)> {
    let states = followed.states.iter();
    let mut texts: Vec<_> = states
        .map(|(key, state)| {
            let of = key.source.as_ref().or(key.replica.as_ref()).unwrap().to_string();
            (of, state.as_ref().map(|state| state.state.clone()))
        })
        .collect();
    texts.sort();
    texts
}

fn text(of: &str, state: &str) -> (String, Option<String>) {
    (of.to_owned(), Some(state.to_owned()))
}
