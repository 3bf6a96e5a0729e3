//! A database in memory that does what the statements of the store do.

use super::*;

/// Rows, each with the time of its latest change in microseconds.
#[derive(Default)]
pub(super) struct Database {
    micros: i64,
    pub(super) secrets: BTreeMap<String, [u8; 32]>,
    pub(super) keys: BTreeMap<(String, [u8; 16]), (KeyRow, i64)>,
    pub(super) ended: BTreeMap<[u8; 16], (EndedRow, i64)>,
    pub(super) counts: BTreeMap<(i16, [u8; 32], Instance), (CountRow, i64)>,
}

const START: i64 = 1_800_000_000_000_000;

impl Database {
    pub(super) fn advance(&mut self, time: Duration) {
        self.micros += i64::try_from(time.as_micros()).unwrap();
    }

    pub(super) fn millis(&self) -> u64 {
        u64::try_from(self.micros / 1000).unwrap()
    }

    pub(super) fn write(&mut self, own: Instance, sent: &Outgoing) {
        let now = self.micros;
        for row in &sent.secrets {
            self.secrets.entry(row.name.clone()).or_insert(row.value);
        }
        for row in &sent.keys {
            let place = (row.account.clone(), row.password);
            let is_newer = |(old, _): &(KeyRow, i64)| {
                row.generation > old.generation
                    || row.generation == old.generation && row.is_retired && !old.is_retired
            };
            if self.keys.get(&place).is_none_or(is_newer) {
                self.keys.insert(place, (row.clone(), now));
            }
        }
        for row in &sent.ended {
            self.ended.entry(row.id).or_insert((*row, now));
        }
        for row in &sent.counts {
            let place = (row.kind, row.key, own);
            if self.counts.get(&place).is_none_or(|(old, _)| row.version > old.version) {
                self.counts.insert(place, (*row, now));
            }
        }
    }

    pub(super) fn read(&self, own: Instance, sent: &Outgoing, replicas: usize) -> Incoming {
        let is_read = |changed: i64| sent.since.is_none_or(|since| START + changed >= since);
        let secret =
            |(name, value): (&String, &[u8; 32])| SecretRow { name: name.clone(), value: *value };
        let keys = self.keys.iter().filter(|((account, _), (_, changed))| {
            is_read(*changed) || sent.keys.iter().any(|row| row.account == *account)
        });
        let counts = self
            .counts
            .iter()
            .filter(|((.., instance), (_, changed))| *instance != own && is_read(*changed));
        let aged = |(row, changed): &(CountRow, i64)| {
            let age = (self.micros - changed) / 1000;
            CountRow { since_age: row.since_age + age, latest_age: row.latest_age + age, ..*row }
        };
        Incoming {
            now: START + self.micros,
            replicas,
            secrets: self.secrets.iter().map(secret).collect(),
            keys: keys.map(|(_, (row, _))| row.clone()).collect(),
            ended: self
                .ended
                .values()
                .filter(|(_, at)| is_read(*at))
                .map(|(row, _)| *row)
                .collect(),
            counts: counts.map(|((.., instance), row)| (*instance, aged(row))).collect(),
        }
    }

    pub(super) fn run(&mut self, own: Instance, sent: &Outgoing, replicas: usize) -> Incoming {
        self.write(own, sent);
        self.read(own, sent, replicas)
    }
}
