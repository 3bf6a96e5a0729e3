//! Databases that crash, end connections, are behind a pooler, lose answers, have another clock, or a later schema.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hostile::cluster::{Cluster, Replica, eventually};
use hostile::postgres::Pooler;
use jiff::Timestamp;

use super::{
    HAND_OVER_INTERVAL, INTERVAL, LONGEST_GAP, SOURCES, assert_alarms, assert_canaries,
    assert_recorded, assert_true_ages, cluster, pass, report, settle, wait_for_polls,
};
use crate::server::BINARY;

/// Time after which leases have ended, and holders poll on unconfirmed.
const UNCONFIRMED: Duration = Duration::from_secs(14);

/// Library that sets the wall clock of a process. It uses nothing else, as the allocator reads the clock, too.
const OTHER_CLOCK: &str = "
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *at) {
    int result = syscall(SYS_clock_gettime, clock, at);
    if (result == 0 && clock == CLOCK_REALTIME) at->tv_sec += OFFSET;
    return result;
}
";

/// Returns a cluster whose replicas have the URLs of the database that `url` returns for the database's own one.
fn cluster_behind(url: impl FnOnce(&Cluster) -> String) -> Cluster {
    let mut cluster = Cluster::new(Path::new(BINARY), SOURCES, INTERVAL);
    cluster.database.url = url(&cluster);
    start(&mut cluster);
    cluster
}

/// Starts three replicas, and waits until each polls its share.
fn start(cluster: &mut Cluster) {
    for name in ["a", "b", "c"] {
        cluster.add(name);
    }
    settle(cluster);
}

#[test]
#[ignore = "part of make cluster-test"]
fn database_that_crashes_and_restarts_costs_no_poll_and_no_row() {
    let cluster = cluster(INTERVAL);
    let canaries: Vec<_> = cluster.replicas.iter().map(Replica::canary).collect();
    let (killed, held) = (Instant::now(), cluster.holders());
    cluster.server.kill();
    cluster.upstream.set_low(true);
    thread::sleep(UNCONFIRMED);
    cluster.server.restart();
    wait_for_polls(&cluster, 3);
    let tally = cluster.tally(killed);
    report("the database is killed and restarted", tally);
    assert!(tally.longest_gap < LONGEST_GAP, "{tally}");
    assert!(tally.doubled <= SOURCES, "{tally}");
    assert_eq!(cluster.holders(), held, "holders renew their leases before others take them");
    assert_canaries(canaries);
    assert_alarms(&cluster, 0);
    assert_recorded(&cluster);
    assert_eq!(cluster.unlawful_readings(), 0);
}

#[test]
#[ignore = "part of make cluster-test"]
fn replica_killed_and_started_while_the_database_is_away_polls_what_it_held() {
    let mut cluster = cluster(HAND_OVER_INTERVAL);
    let held = cluster.held_by("b");
    // The file is written some seconds after the last change.
    pass(&cluster, 1);
    cluster.server.stop();
    cluster.replica("b").kill();
    let killed = Instant::now();
    cluster.upstream.set_low(true);
    cluster.replica("b").start();
    wait_for_polls(&cluster, 2);
    report("its sources", cluster.tally_of(&held, killed));
    assert!(cluster.tally_of(&held, killed).longest_gap < LONGEST_GAP);
    eventually("alarms of its sources are sent while the database is away", || {
        let alarms = cluster.alarms(false);
        held.iter().all(|source| !alarms.missing.contains(source))
    });
    // The readings in the database turn stale.
    pass(&cluster, 3);
    let answers = Timestamp::now().as_second();
    cluster.server.restart();
    cluster.wait_for_holders(&["a", "b", "c"]);
    wait_for_polls(&cluster, 2);
    let tally = cluster.tally(killed);
    report("a replica is killed while the database is away", tally);
    assert!(tally.doubled <= 2 * held.len(), "{tally}");
    // Its incidents of the outage end, as another process has its leases afterwards, and fire anew there.
    assert_alarms(&cluster, held.len());
    assert_eq!(cluster.unlawful_readings(), 0);
    assert_eq!(cluster.doubled_observations(), []);
    let stale = format!("SELECT * FROM pumphouse.event WHERE kind = 'stale' AND at >= {answers}");
    assert_eq!(cluster.sql(&stale), Vec::<Vec<String>>::new(), "readings of the outage are kept");
}

#[test]
#[ignore = "part of make cluster-test"]
fn connections_that_the_server_ends_all_the_time_cost_no_poll_and_no_row() {
    let cluster = cluster(INTERVAL);
    let canaries: Vec<_> = cluster.replicas.iter().map(Replica::canary).collect();
    let (since, is_over) = (Instant::now(), AtomicBool::new(false));
    cluster.upstream.set_low(true);
    let ended: usize = thread::scope(|scope| {
        let ending = scope.spawn(|| {
            let mut ended = 0;
            while !is_over.load(Ordering::SeqCst) {
                let rows = cluster.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pumphouse'",
                );
                ended += rows.len();
                thread::sleep(Duration::from_millis(200));
            }
            ended
        });
        pass(&cluster, 10);
        is_over.store(true, Ordering::SeqCst);
        ending.join().unwrap()
    });
    let tally = cluster.tally(since);
    report(&format!("the server ends {ended} connections"), tally);
    assert!(tally.longest_gap < LONGEST_GAP, "{tally}");
    assert!(tally.doubled <= SOURCES, "{tally}");
    assert_canaries(canaries);
    assert_alarms(&cluster, 0);
    assert_recorded(&cluster);
    assert_eq!(cluster.unlawful_readings(), 0);
}

#[test]
#[ignore = "part of make cluster-test"]
fn pooler_of_transactions_changes_nothing() {
    let mut cluster = Cluster::new(Path::new(BINARY), SOURCES, INTERVAL);
    let pooler = Pooler::start(&cluster.server);
    cluster.database.url = pooler.url(&cluster.database.name);
    start(&mut cluster);
    let since = Instant::now();
    pass(&cluster, 8);
    let tally = cluster.tally(since);
    report("behind pgbouncer in transaction mode", tally);
    assert!((tally.per_interval() - 1.0).abs() < 0.05, "{tally}");
    for replica in &cluster.replicas {
        assert_true_ages(&cluster, replica);
    }
    assert_alarms(&cluster, 0);
    assert_recorded(&cluster);
    assert_eq!(cluster.unlawful_readings(), 0);
}

#[test]
#[ignore = "part of make cluster-test"]
fn clocks_an_hour_apart_are_one_time() {
    let mut cluster = Cluster::new(Path::new(BINARY), SOURCES, INTERVAL);
    cluster.add("a");
    for (name, offset) in [("b", 3600), ("c", -3600)] {
        let replica = cluster.add(name);
        let library = replica.folder().join("clock.so");
        let source = library.with_extension("c");
        fs::write(&source, OTHER_CLOCK).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
        compiler.arg(format!("-DOFFSET={offset}"));
        hostile::program::run(&mut compiler, "").unwrap();
        let preload = format!("LD_PRELOAD={}", library.display());
        replica.command.splice(..0, ["env".to_owned(), preload]);
    }
    settle(&mut cluster);
    pass(&cluster, 4);
    let since = Instant::now();
    pass(&cluster, 8);
    let tally = cluster.tally(since);
    report("clocks of replicas are an hour apart", tally);
    assert!((tally.per_interval() - 1.0).abs() < 0.05, "{tally}");
    for replica in &cluster.replicas {
        assert_true_ages(&cluster, replica);
    }
    let off = cluster.sql(
        "SELECT count(*) FROM pumphouse.raw \
         WHERE abs(at - extract(epoch FROM now())) > 600",
    );
    report(&format!("{} rows are dated by a clock that is wrong", off[0][0]), tally);
    assert_alarms(&cluster, 0);
    assert_recorded(&cluster);
    assert_eq!(cluster.unlawful_readings(), 0);
}

#[test]
#[ignore = "part of make cluster-test"]
fn schema_of_a_later_version_is_used_while_it_is_expanded_and_refused_once_it_is_contracted() {
    let mut cluster = cluster(INTERVAL);
    cluster.sql("UPDATE pumphouse.schema_version SET version = version + 5");
    let since = Instant::now();
    pass(&cluster, 4);
    let tally = cluster.tally(since);
    report("the schema is expanded", tally);
    assert!(tally.longest_gap < LONGEST_GAP && tally.doubled == 0, "{tally}");
    cluster.replica("b").stop();
    cluster.replica("b").start();
    cluster.wait_for_holders(&["a", "b", "c"]);
    cluster.sql("UPDATE pumphouse.schema_version SET oldest = version");
    for replica in &cluster.replicas {
        eventually("the replica refuses the schema in words", || {
            let log = replica.log();
            log.contains("schema version") && log.contains("update it")
        });
        assert_eq!(replica.get("/").unwrap().code, 200, "{}", replica.name());
    }
    cluster.sql("UPDATE pumphouse.schema_version SET oldest = 1");
    let back = Instant::now();
    wait_for_polls(&cluster, 2);
    report("the schema can be used again", cluster.tally(back));
    assert_alarms(&cluster, 0);
    assert_recorded(&cluster);
    assert_eq!(cluster.unlawful_readings(), 0);
}

#[test]
#[ignore = "part of make cluster-test"]
fn promotion_that_loses_transactions_doubles_few_polls_and_no_row() {
    let mut standby = None;
    let mut cluster = cluster_behind(|cluster| {
        let server = cluster.server.standby();
        let both = format!("127.0.0.1:{},127.0.0.1:{}", cluster.server.port(), server.port());
        let one = format!("127.0.0.1:{}", cluster.server.port());
        standby = Some(server);
        format!("{}?target_session_attrs=read-write", cluster.database.url.replace(&one, &both))
    });
    let mut standby = standby.unwrap();
    let canaries: Vec<_> = cluster.replicas.iter().map(Replica::canary).collect();
    standby.detach();
    let detached = Instant::now();
    // What is lost: readings, rows, and leases, whose epochs go back.
    let held = cluster.held_by("b");
    cluster.replica("b").kill();
    cluster.wait_for_holders(&["a", "c"]);
    wait_for_polls(&cluster, 2);
    let promoted = Instant::now();
    cluster.server.kill();
    standby.promote();
    cluster.upstream.set_low(true);
    std::mem::swap(&mut cluster.server, &mut standby);
    eventually("the leases of the replica that has ended are taken again", || {
        let holders = cluster.holders();
        held.iter().all(|source| holders[source] != "b" && !holders[source].is_empty())
    });
    wait_for_polls(&cluster, 3);
    let tally = cluster.tally(promoted);
    report("a standby is promoted that has lost transactions", tally);
    assert!(tally.longest_gap < LONGEST_GAP, "{tally}");
    assert!(tally.doubled <= 2 * SOURCES, "{tally}");
    cluster.replica("b").start();
    cluster.wait_for_holders(&["a", "b", "c"]);
    wait_for_polls(&cluster, 2);
    report("the replica is back", cluster.tally(promoted));
    assert_canaries(canaries.into_iter().enumerate().filter(|(at, _)| *at != 1).map(|(_, it)| it));
    // A source of the replica that had ended may be evaluated by two for some seconds.
    assert_alarms(&cluster, held.len());
    // Rows that the standby has lost were acknowledged by the primary, and no replica has them any more.
    let now = Instant::now();
    eventually("each observation since the promotion is recorded", || {
        cluster.missing_observations(now).iter().all(|(source, number)| {
            let at = cluster.upstream.of(source)[number - 1].at;
            at < promoted + Duration::from_secs(1) && at + Duration::from_secs(5) > detached
        })
    });
    report(
        &format!(
            "{} observations were lost with the standby's lag",
            cluster.missing_observations(now).len()
        ),
        tally,
    );
    assert_eq!(cluster.doubled_observations(), []);
    assert_eq!(cluster.unlawful_readings(), 0);
}

/// A file system of limited size. Dropping it removes it.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts a file system, whose owner is the user of the server; `None` if this user may not.
    fn mount() -> Option<SmallDisk> {
        let folder = tempfile::Builder::new().prefix("pw-disk-").tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=32m,mode=0700,uid=postgres", "tmpfs"]);
        let is_mounted = mount.arg(folder.path()).status().is_ok_and(|status| status.success());
        is_mounted.then_some(SmallDisk { folder })
    }

    fn fill(&self) {
        let bytes = vec![0; 64 * 1024 * 1024];
        assert!(fs::write(self.folder.path().join("filler"), bytes).is_err(), "it is full");
    }

    fn free(&self) {
        fs::remove_file(self.folder.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}

#[test]
#[ignore = "part of make cluster-test"]
fn full_disk_of_the_database_costs_no_poll_and_no_row() {
    let Some(disk) = SmallDisk::mount() else {
        return hostile::skip::report("a full disk of the database: mounting needs root");
    };
    let mut cluster = Cluster::new(Path::new(BINARY), SOURCES, INTERVAL);
    let folder = disk.folder.path().display();
    let name = cluster.database.name.clone();
    cluster.server.psql("postgres", &format!("CREATE TABLESPACE small LOCATION '{folder}'"));
    cluster.server.psql("postgres", &format!("ALTER DATABASE {name} SET TABLESPACE small"));
    start(&mut cluster);
    let canaries: Vec<_> = cluster.replicas.iter().map(Replica::canary).collect();
    let filled = Instant::now();
    disk.fill();
    cluster.upstream.set_low(true);
    eventually("rows cannot be written", || {
        cluster.missing_observations(Instant::now() - 3 * INTERVAL).len() > SOURCES
    });
    wait_for_polls(&cluster, 3);
    let tally = cluster.tally(filled);
    report("the disk of the database is full", tally);
    assert!(tally.longest_gap < LONGEST_GAP, "{tally}");
    assert!(tally.doubled <= SOURCES, "{tally}");
    disk.free();
    assert_canaries(canaries);
    assert_alarms(&cluster, 0);
    assert_recorded(&cluster);
    assert_eq!(cluster.unlawful_readings(), 0);
}
