//! Replicas that share a PostgreSQL server, an upstream that counts their polls, and faults of all of them.
//!
//! ```text
//!  PollLog ◄── polls ── Replica a, b, c ──► Postgres
//!     │                                        │
//!     └── number of each poll ── compared ── observations
//!
//!  Replica a, b, c ── messages of alarms ──► AlarmReceiver
//! ```

mod alarms;
mod polls;
mod relay;
mod replica;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub use alarms::{AlarmReceiver, Alarms};
pub use polls::{Poll, PollLog};
pub use relay::Relay;
pub use replica::{Answer, Replica};
pub use tally::Tally;

use crate::client::TEST_TIMEOUT;
use crate::config::{Config, Source};
use crate::postgres::{Database, Postgres};

/// A database, an upstream and replicas. Dropping it ends all of them.
pub struct Cluster {
    /// Replicas, in the order in which they were added.
    pub replicas: Vec<Replica>,
    /// Upstream of all sources.
    pub upstream: PollLog,
    /// Receiver of the messages about alarms.
    pub receiver: AlarmReceiver,
    /// The server, which has the cluster's database only.
    pub server: Postgres,
    /// The cluster's database.
    pub database: Database,
    /// Names of the sources.
    pub sources: Vec<String>,
    /// Interval of the sources.
    pub interval: Duration,
    binary: PathBuf,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// Starts replicas of these sources, named `a`, `b` and so on, and waits until each source has a reading in all.
    ///
    /// # Panics
    /// That takes longer than [`TEST_TIMEOUT`].
    pub fn start(binary: &Path, replicas: usize, sources: usize, interval: Duration) -> Cluster {
        let mut cluster = Cluster::new(binary, sources, interval);
        for name in ('a'..='z').take(replicas) {
            cluster.add(&name.to_string());
        }
        for replica in &mut cluster.replicas {
            replica.start();
        }
        cluster.wait_for_readings();
        cluster
    }

    /// Starts a database and an upstream, without replicas.
    ///
    /// # Panics
    /// PostgreSQL does not start.
    pub fn new(binary: &Path, sources: usize, interval: Duration) -> Cluster {
        let server = Postgres::start();
        let database = server.database();
        Cluster {
            replicas: Vec::new(),
            upstream: PollLog::start(),
            receiver: AlarmReceiver::start(),
            server,
            database,
            sources: (1..=sources).map(|number| format!("s{number:04}")).collect(),
            interval,
            binary: crate::program::resolve(binary).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Returns the configuration of each replica, without its own keys.
    pub fn config(&self) -> Config {
        let seconds = format!("{}ms", self.interval.as_millis());
        let source = |name: &String| {
            Source::json(name, &self.upstream.url(name))
                .value("level", "/level", "%")
                .value("count", "/count", "")
                .set("interval", seconds.as_str())
        };
        let low = json!({ "name": "low", "field": "*.level", "below": "20 %", "clear": "30 %" });
        Config::new()
            .open()
            .set("store.url", self.database.url.as_str())
            .push("alert", low)
            .push("notify", self.receiver.channel())
            .sources(self.sources.iter().map(source))
    }

    /// Adds a replica, without starting it. Returns it, for a change of its command or its configuration.
    pub fn add(&mut self, name: &str) -> &mut Replica {
        let replica = Replica::new(name, &self.binary, self.folder.path(), self.config());
        self.replicas.push(replica);
        self.replicas.last_mut().unwrap()
    }

    /// Returns a replica.
    ///
    /// # Panics
    /// There is none of this name.
    pub fn replica(&mut self, name: &str) -> &mut Replica {
        let found = self.replicas.iter_mut().find(|replica| replica.name() == name);
        found.unwrap_or_else(|| panic!("no replica {name}"))
    }

    /// Waits until each replica shows a fresh reading of each source.
    ///
    /// # Panics
    /// That takes longer than [`TEST_TIMEOUT`].
    pub fn wait_for_readings(&self) {
        let is_fresh =
            |status: &Value, source: &String| status["sources"][source]["state"] == "fresh";
        eventually("each replica has readings of all sources", || {
            self.replicas.iter().all(|replica| {
                let status = replica.status();
                self.sources.iter().all(|source| is_fresh(&status, source))
            })
        });
    }

    /// Waits until these replicas hold all leases, and each as many as rendezvous hashing gives a share to, which is
    /// at least one.
    ///
    /// # Panics
    /// That takes longer than [`TEST_TIMEOUT`].
    pub fn wait_for_holders(&self, names: &[&str]) {
        let names: BTreeSet<&str> = names.iter().copied().collect();
        eventually(&format!("the leases are of {names:?}"), || {
            let holders = self.holders();
            let found: BTreeSet<&str> = holders.values().map(String::as_str).collect();
            holders.len() == self.sources.len() && found == names
        });
    }

    /// Returns the holder of each source by the database; `""`: none.
    ///
    /// # Panics
    /// The database does not answer.
    pub fn holders(&self) -> BTreeMap<String, String> {
        let rows = self.sql("SELECT source, coalesce(holder, '') FROM pumphouse.lease");
        rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect()
    }

    /// Returns the sources that a replica holds by the database.
    ///
    /// # Panics
    /// The database does not answer.
    pub fn held_by(&self, name: &str) -> BTreeSet<String> {
        let holders = self.holders().into_iter();
        holders.filter(|(_, holder)| holder == name).map(|(source, _)| source).collect()
    }

    /// Counts from now on the readings that a replica publishes without the lease of their source.
    ///
    /// # Panics
    /// The schema does not exist yet.
    pub fn audit_readings(&self) {
        self.sql(
            "CREATE TABLE unlawful (source text, instance text, at timestamptz);
             GRANT ALL ON unlawful TO pumphouse;
             CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF NOT EXISTS (SELECT FROM pumphouse.lease WHERE lease.source = NEW.source
                                AND lease.instance = NEW.instance) THEN
                     INSERT INTO public.unlawful VALUES (NEW.source, NEW.instance, clock_timestamp());
                 END IF;
                 RETURN NULL;
             END $$;
             CREATE TRIGGER audit AFTER INSERT OR UPDATE ON pumphouse.current
                 FOR EACH ROW EXECUTE FUNCTION audit()",
        );
    }

    /// Returns the number of readings that were published without a lease since [`Cluster::audit_readings`].
    ///
    /// # Panics
    /// There is no audit.
    pub fn unlawful_readings(&self) -> usize {
        self.sql("SELECT count(*) FROM unlawful")[0][0].parse().unwrap()
    }

    /// Runs SQL as superuser; returns the columns of each row.
    ///
    /// # Panics
    /// The statement fails.
    pub fn sql(&self, sql: &str) -> Vec<Vec<String>> {
        let rows = self.server.psql(&self.database.name, sql);
        rows.lines().map(|row| row.split('|').map(str::to_owned).collect()).collect()
    }

    /// Counts the messages so far that alarms of all sources fire, or have ended.
    pub fn alarms(&self, have_ended: bool) -> Alarms {
        self.receiver.count(&self.sources, have_ended)
    }

    /// Counts the polls of all sources since a time.
    pub fn tally(&self, since: Instant) -> Tally {
        self.tally_of(self.sources.iter(), since)
    }

    /// Counts the polls of some sources since a time.
    pub fn tally_of<'a>(
        &self,
        sources: impl IntoIterator<Item = &'a String>,
        since: Instant,
    ) -> Tally {
        let until = Instant::now();
        let all = self.upstream.all();
        sources.into_iter().fold(Tally::default(), |tally, source| {
            let times = all.get(source).into_iter().flatten().map(|poll| poll.at);
            tally.and(Tally::of(times, self.interval, since, until))
        })
    }

    /// Returns the numbers of the polls whose observations the database has, by source, in the order of their times.
    ///
    /// # Panics
    /// The database does not answer.
    pub fn observations(&self) -> BTreeMap<String, Vec<usize>> {
        let rows = self.sql(
            "SELECT series.source, raw.value FROM pumphouse.raw JOIN pumphouse.series \
             ON series.id = raw.series WHERE series.field = 'count' ORDER BY raw.at",
        );
        let mut observations: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for row in rows {
            // Counts are small integers, which PostgreSQL prints as such.
            observations.entry(row[0].clone()).or_default().push(row[1].parse().unwrap());
        }
        observations
    }

    /// Returns the sources and numbers of polls that the database has more than once.
    ///
    /// # Panics
    /// The database does not answer.
    pub fn doubled_observations(&self) -> Vec<(String, usize)> {
        let mut doubled = Vec::new();
        for (source, mut numbers) in self.observations() {
            numbers.sort_unstable();
            let pairs = numbers.windows(2).filter(|pair| pair[0] == pair[1]);
            doubled.extend(pairs.map(|pair| (source.clone(), pair[0])));
        }
        doubled
    }

    /// Returns the sources and numbers of polls that were answered before `until` and that the database does not have.
    /// Observations have whole seconds, so of two polls within one the database has the later one.
    ///
    /// # Panics
    /// The database does not answer.
    pub fn missing_observations(&self, until: Instant) -> Vec<(String, usize)> {
        let observations = self.observations();
        let mut missing = Vec::new();
        for (source, polls) in self.upstream.all() {
            let numbers = observations.get(&source).map(Vec::as_slice).unwrap_or_default();
            let found: BTreeSet<usize> = numbers.iter().copied().collect();
            for (number, poll) in (1..).zip(&polls) {
                // The next one may have the same second if it began within a second and the time of an answer.
                let next = polls.get(number);
                let is_replaced = next.is_some_and(|next| {
                    next.is_answered && next.at.duration_since(poll.at) < SAME_SECOND
                });
                let is_expected = poll.is_answered && poll.at < until && !is_replaced;
                if is_expected && !found.contains(&number) {
                    missing.push((source.clone(), number));
                }
            }
        }
        missing
    }
}

/// Time between two polls within which their observations may have the same second.
const SAME_SECOND: Duration = Duration::from_millis(1500);

/// Waits until a condition is true.
///
/// # Panics
/// That takes longer than [`TEST_TIMEOUT`].
pub fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < TEST_TIMEOUT, "not after {TEST_TIMEOUT:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
