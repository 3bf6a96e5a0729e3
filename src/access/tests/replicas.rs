//! Gates of several replicas with an exchange in memory between them.

mod database;
mod guesses;
mod sign_ins;

use std::collections::BTreeMap;

use self::database::Database;
use super::*;

/// Interval of exchanges.
const INTERVAL: Duration = Duration::from_millis(500);

/// Replicas with one clock and one configuration.
struct Cluster {
    replicas: Vec<Fixture>,
    database: Database,
}

impl Cluster {
    fn new(count: u8, accounts: impl Fn() -> Restricted) -> Cluster {
        let replicas = (0..count).map(|_| Fixture::new(accounts())).collect();
        let mut cluster = Cluster { replicas, database: Database::default() };
        cluster.exchange();
        cluster
    }

    /// Advances the clocks by the interval and exchanges once at each replica, in order.
    fn exchange(&mut self) {
        for replica in &self.replicas {
            replica.advance(INTERVAL);
        }
        self.database.advance(INTERVAL);
        for place in 0..self.replicas.len() {
            self.exchange_at(place);
        }
    }

    fn exchange_at(&mut self, place: usize) {
        let gate = &self.replicas[place].gate;
        let sent = gate.take_outgoing();
        let read = self.database.run(instance(place), &sent, self.replicas.len());
        gate.apply(&sent, &read);
    }

    /// Replaces a replica by a new process without any file.
    fn restart(&mut self, place: usize, accounts: Restricted) {
        let fixture = Fixture::new(accounts);
        fixture.millis.store(self.database.millis(), Ordering::Relaxed);
        self.replicas[place] = fixture;
    }
}

fn instance(place: usize) -> Instance {
    [u8::try_from(place).unwrap(); 16]
}
