//! The thread against a real database: what is shared out, handed over, lost and followed.

mod faults;
mod replica;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hostile::postgres::Postgres;
use jiff::Timestamp;

use self::replica::{Replica, TERMS, eventually, seconds_ago, until};
use super::plans::SOURCES;
use crate::cluster::TenureState;
use crate::postgres::{Target, fixture};

/// Replicas of one database.
struct Fleet {
    database: fixture::Database,
    folder: tempfile::TempDir,
    replicas: Vec<Replica>,
}

impl Fleet {
    /// Starts this many replicas, and waits until they have shared out the sources.
    fn start(replicas: u8) -> Fleet {
        let (database, folder) = (fixture::database(), tempfile::tempdir().unwrap());
        let mut fleet = Fleet { database, folder, replicas: Vec::new() };
        for number in 1..=replicas {
            fleet.add(number);
        }
        fleet.wait_for_shares();
        fleet
    }

    fn add(&mut self, number: u8) {
        let name = char::from(b'a' + number - 1).to_string();
        let folder = self.folder.path().join(number.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        self.replicas.push(Replica::start(&name, number, self.database.target(), &folder));
    }

    /// Waits until each replica polls a part of the sources, and each source is polled by one.
    fn wait_for_shares(&self) {
        eventually("each source is polled by one replica, and each polls some", || {
            let held: Vec<Vec<Arc<str>>> = self.replicas.iter().map(Replica::held).collect();
            let all: BTreeSet<&Arc<str>> = held.iter().flatten().collect();
            held.iter().all(|held| !held.is_empty())
                && all.len() == SOURCES
                && held.iter().map(Vec::len).sum::<usize>() == SOURCES
        });
    }

    /// Polls every source once at its holder, and waits until all replicas show it.
    fn poll_all(&self, level: f64) {
        for replica in &self.replicas {
            replica.held().iter().for_each(|source| replica.poll(source, level));
        }
        let number = crate::board::Finite::new(level).unwrap();
        let shown = format!("{:?}", crate::board::Datum::Number(number));
        eventually("all replicas show the reading of each source", || {
            self.replicas.iter().all(|replica| {
                (0..SOURCES).all(|n| replica.level(&format!("s{n}")).as_ref() == Some(&shown))
            })
        });
    }
}

#[test]
fn sources_are_shared_out_followed_requested_and_handed_over() {
    let mut fleet = Fleet::start(3);
    fleet.poll_all(51.0);
    let views = |replica: &Replica| {
        let snapshot = replica.board.load();
        let views = snapshot.sources.iter();
        let millis = |at: Timestamp| at.as_millisecond();
        let shared = views
            .map(|view| format!("{} {:?} {}", view.name, view.reading, millis(view.changed_at)));
        shared.collect::<Vec<String>>()
    };
    let [a, b, c] = [0, 1, 2].map(|at| views(&fleet.replicas[at]));
    assert_eq!(a, b);
    assert_eq!(b, c);
    // Requests for polls have the same pause everywhere, and reach the holder.
    let source = fleet.replicas[2].held()[0].clone();
    let (age, wait) = fleet.replicas[0].calls().elsewhere[&source];
    assert!(age < fixture::AMPLE && wait.is_zero(), "{age:?} {wait:?}");
    fleet.replicas[0].sender.request_poll(source.clone());
    eventually("the holder is asked for a poll", || {
        fleet.replicas[2].calls().requested.contains(&source)
    });
    assert!(fleet.replicas[1].calls().requested.is_empty());
    // One leaves: the others go on by its schedule.
    let left = fleet.replicas.remove(2).held();
    fleet.wait_for_shares();
    let moved: Vec<Option<Duration>> = fleet
        .replicas
        .iter()
        .flat_map(|replica| {
            let calls = replica.calls();
            left.iter().filter_map(|source| calls.held.get(source).copied()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(moved.len(), left.len());
    for next in moved {
        let wait = until(next.expect("the time of the next poll"));
        assert!(wait > Duration::from_secs(120) && wait <= Duration::from_secs(300), "{wait:?}");
    }
    fleet.poll_all(52.0);
}

#[test]
fn replica_that_is_stopped_is_replaced_and_its_writes_are_refused() {
    let mut fleet = Fleet::start(2);
    fleet.poll_all(51.0);
    let stopped = fleet.replicas.remove(0);
    let held = stopped.held();
    {
        // A call that does not return parks the thread.
        let _parked = stopped.calls();
        fleet.replicas[0].sender.request_poll(held[0].clone());
        stopped.poll(&held[0], 12.345678);
        fleet.wait_for_shares();
        assert!(!stopped.may_poll(), "its lease has ended by its own clock");
        fleet.poll_all(52.0);
    }
    eventually("it takes its share again, by the schedule", || {
        stopped.held().iter().collect::<BTreeSet<_>>() == held.iter().collect()
    });
    eventually("it shows what the other one has published", || {
        stopped.level(&held[0]) == fleet.replicas[0].level(&held[0])
    });
    let published = fleet
        .database
        .sql("SELECT count(*)::text FROM pumphouse.current WHERE content LIKE '%12.345678%'");
    assert_eq!(published, "0", "the reading of the lost lease");
}

#[test]
fn replica_whose_row_is_lost_goes_on_as_another_instance() {
    let fleet = Fleet::start(2);
    fleet.poll_all(51.0);
    let before = fleet.replicas[0].reader.view().instance;
    fleet.database.sql("TRUNCATE pumphouse.replica");
    eventually("it has another instance", || {
        let now = fleet.replicas[0].reader.view().instance;
        now.is_some() && now != before
    });
    fleet.wait_for_shares();
    fleet.poll_all(52.0);
}

#[test]
fn nobody_acquires_leases_for_a_while_after_a_promotion() {
    let mut fleet = Fleet::start(1);
    fleet.poll_all(51.0);
    fleet.database.sql("UPDATE pumphouse.era SET timeline = '0000ffff'");
    fleet.add(2);
    fleet.wait_for_shares();
    fleet.poll_all(52.0);
    let early = fleet.database.sql(&format!(
        "SELECT count(*)::text FROM pumphouse.lease, pumphouse.era \
         WHERE holder = 'b' AND changed_at < since + {} * interval '1 second'",
        TERMS.ttl.as_secs()
    ));
    assert_eq!(early, "0");
}

#[test]
fn lease_and_polls_by_a_clock_that_was_set_back_end_as_those_of_the_present() {
    let mut fleet = Fleet::start(2);
    fleet.poll_all(51.0);
    let stopped = fleet.replicas.remove(0);
    let held = stopped.held();
    {
        // A call that does not return parks the thread.
        let _parked = stopped.calls();
        fleet.replicas[0].sender.request_poll(held[0].clone());
        eventually("it ticks no more", || stopped.reader.heartbeat_age() > Duration::from_secs(2));
        for set_back in [
            "UPDATE pumphouse.replica SET ends_at = ends_at + interval '1 hour' WHERE name = 'a'",
            "UPDATE pumphouse.era SET since = now() + interval '1 hour'",
            "UPDATE pumphouse.current SET written_at = written_at + interval '1 hour', \
             content = jsonb_set(content::jsonb, '{next_poll_at}', \
             to_jsonb((content::jsonb ->> 'next_poll_at')::bigint + 3600000))::text",
        ] {
            fleet.database.sql(set_back);
        }
        fleet.wait_for_shares();
    }
    let calls = fleet.replicas[0].calls();
    for source in held {
        let wait = until(calls.held[&source].expect("the time of the next poll"));
        assert!(wait > Duration::from_secs(120) && wait <= Duration::from_secs(300), "{wait:?}");
    }
}

#[test]
fn replica_that_starts_while_the_database_is_away_polls_what_it_held() {
    let server = Postgres::start();
    let database = server.database();
    let target = || Target::parse(&database.url).unwrap();
    server.stop();
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_held(folder.path(), 3600);
    write_held(other.path(), 90_000);
    let replica = Replica::start("a", 1, target(), folder.path());
    let outdated = Replica::start("b", 2, target(), other.path());
    eventually("it polls what the file has", || replica.held().len() == 2 && replica.may_poll());
    assert_eq!(replica.reader.view().state, TenureState::Unconfirmed);
    server.restart();
    eventually("both poll their shares, confirmed", || {
        let (one, two) = (replica.held(), outdated.held());
        one.len() + two.len() == SOURCES
            && !two.is_empty()
            && replica.reader.view().state == TenureState::Confirmed
    });
    drop(replica);
    let text = std::fs::read_to_string(folder.path().join("held.json")).unwrap();
    assert!(text.contains("\"sources\":{}"), "it has released its sources: {text}");
}

/// Writes a file of two sources, one of which is of a group, as it was saved this long ago.
fn write_held(folder: &Path, seconds: i64) {
    let saved_at = seconds_ago(seconds);
    let text = format!("{{\"saved_at\":{saved_at},\"sources\":{{\"s1\":4,\"s9\":2,\"gone\":1}}}}");
    std::fs::write(folder.join("held.json"), text).unwrap();
}

#[test]
fn promotion_after_which_no_call_has_failed_counts_as_an_outage() {
    let server = Postgres::start();
    let database = fixture::Database(server.database());
    // Without this right, replicas know the timeline from the table alone, where the test sets it.
    let revoked = "REVOKE EXECUTE ON FUNCTION pg_current_wal_lsn() FROM PUBLIC";
    server.psql(&database.0.name, revoked);
    let folder = tempfile::tempdir().unwrap();
    let replica = Replica::start("a", 1, database.target(), folder.path());
    eventually("it polls all sources", || replica.held().len() == SOURCES);
    assert_eq!(replica.access.health().outages(), 0);
    server.psql(&database.0.name, "UPDATE pumphouse.era SET timeline = '000000FF'");
    eventually("it is noticed", || replica.access.health().outages() == 1);
    assert!(replica.access.health().is_up());
}

#[test]
fn replica_of_another_time_zone_that_started_at_the_same_moment_stops_to_use_the_database() {
    let fleet = Fleet::start(2);
    fleet
        .database
        .sql("UPDATE pumphouse.meta SET value = 'Europe/Rome' WHERE key = 'replicas_timezone'");
    for replica in &fleet.replicas {
        eventually("it is refused", || {
            let fault = replica.access.health().fault();
            fault.is_some_and(|fault| fault.message.contains("have the time zone Europe/Rome"))
        });
    }
    // No replica is left that has that zone.
    eventually("they use the database again", || {
        fleet.replicas.iter().all(|replica| replica.access.is_well() && replica.may_poll())
    });
    fleet.wait_for_shares();
}
