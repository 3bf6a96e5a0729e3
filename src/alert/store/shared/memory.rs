//! A database in memory, for tests: the rules of [`SharedStore`] in their plainest form.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Claims, Exchange, Exchanged, SharedStore, SharedStoreError};
use crate::alert::store::SavedState;
use crate::alert::{
    Acknowledged, Acknowledgement, Incident, IncidentId, Instance, Notice, NoticeKey, Silence,
    SubjectKey,
};

/// Writer of a row, and its version.
type Written = (Instance, i64);

/// The rows.
#[derive(Debug, Default, Clone)]
pub(in crate::alert) struct Rows {
    /// Leases by source.
    pub(in crate::alert) leases: BTreeMap<Arc<str>, (Instance, i64)>,
    /// Instances that run, by name of their replica.
    pub(in crate::alert) live: BTreeMap<Arc<str>, Instance>,
    pub(in crate::alert) states: BTreeMap<SubjectKey, (Option<SavedState>, Written)>,
    pub(in crate::alert) incidents: BTreeMap<IncidentId, (Arc<Incident>, Written)>,
    pub(in crate::alert) notices: BTreeMap<NoticeKey, (Arc<Notice>, Instance)>,
    silences: BTreeMap<Arc<str>, (Silence, Written)>,
    acknowledgements: BTreeMap<IncidentId, (Acknowledgement, Written)>,
    /// Replicas that cannot reach the database.
    pub(in crate::alert) away: BTreeSet<Instance>,
    /// Sources that no replica has in its configuration.
    pub(in crate::alert) unlisted: BTreeSet<Arc<str>>,
    /// Start of the server.
    pub(in crate::alert) server: i64,
    /// True if exchanges are sent twice.
    pub(in crate::alert) is_repeating: bool,
}

/// The database, as an instance sees it.
#[derive(Debug, Clone)]
pub(in crate::alert) struct Memory {
    pub(in crate::alert) rows: Arc<Mutex<Rows>>,
    pub(in crate::alert) name: Arc<str>,
    pub(in crate::alert) instance: Instance,
}

impl Memory {
    fn may_write(&self, rows: &Rows, key: &SubjectKey, epochs: &BTreeMap<Arc<str>, i64>) -> bool {
        match (&key.source, &key.replica) {
            (Some(source), _) => {
                let lease = rows.leases.get(source).copied();
                epochs.get(source).is_some_and(|&epoch| lease == Some((self.instance, epoch)))
            }
            (None, Some(name)) => *name == self.name || !rows.live.contains_key(name),
            (None, None) => true,
        }
    }

    /// Returns true if this instance may end what concerns a subject.
    fn may_end(&self, rows: &Rows, key: &SubjectKey, epochs: &BTreeMap<Arc<str>, i64>) -> bool {
        let is_unlisted = key.source.as_ref().is_some_and(|of| rows.unlisted.contains(of));
        is_unlisted || self.may_write(rows, key, epochs)
    }

    fn write(&self, rows: &mut Rows, exchange: &Exchange<'_>, exchanged: &mut Exchanged) {
        let (pending, written) = (exchange.pending, (self.instance, exchange.version));
        let epochs = &pending.shared.epochs;
        let is_refused = |(source, epoch): &(&Arc<str>, &i64)| {
            rows.leases.get(*source) != Some(&(self.instance, **epoch))
        };
        exchanged.refused = epochs.iter().filter(is_refused).map(|(of, _)| of.clone()).collect();
        // Before the incidents: a notice is of the new holder if its incident was there.
        for (key, notice) in &pending.notices {
            let claimer = rows.notices.get(key).map(|(_, claimer)| *claimer);
            let is_of_other = notice.as_ref().is_some_and(|notice| {
                let subject = &notice.incident.subject;
                rows.incidents.contains_key(&key.incident)
                    && !pending.shared.reclaimed.contains(key)
                    && !self.may_end(rows, subject, epochs)
            });
            match (notice, claimer) {
                (Some(_), None) if is_of_other => exchanged.taken.push(key.clone()),
                (Some(notice), None) => {
                    rows.notices.insert(key.clone(), (notice.clone(), self.instance));
                }
                (Some(_), Some(claimer)) if claimer != self.instance => {
                    exchanged.taken.push(key.clone());
                }
                (None, Some(claimer)) if claimer == self.instance => {
                    rows.notices.remove(key);
                }
                _ => {}
            }
        }
        for (key, state) in &pending.states {
            let is_old = rows.states.get(key).is_some_and(|(_, known)| is_older(written, *known));
            let may_write = match state {
                Some(_) => self.may_write(rows, key, epochs),
                None => self.may_end(rows, key, epochs),
            };
            if may_write && !is_old {
                rows.states.insert(key.clone(), (state.clone(), written));
            }
        }
        for (id, incident) in &pending.incidents {
            let is_new = !rows.incidents.contains_key(id) && incident.ended.is_some();
            let is_old = rows.incidents.get(id).is_some_and(|(_, known)| is_older(written, *known));
            let may_write = match incident.ended {
                None => self.may_write(rows, &incident.subject, epochs),
                Some(_) => self.may_end(rows, &incident.subject, epochs),
            };
            if (may_write && !is_old) || is_new {
                rows.incidents.insert(*id, (incident.clone(), written));
            }
        }
        for silence in pending.shared.silences.values() {
            let known = rows.silences.get(&silence.alert);
            if known.is_none_or(|(known, _)| silence.replaces(known)) {
                rows.silences.insert(silence.alert.clone(), (silence.clone(), written));
            }
        }
        for (id, by) in &pending.shared.acknowledgements {
            let known = rows.acknowledgements.get(id);
            if known.is_none_or(|(known, _)| (by.at, &by.by) < (known.at, &known.by)) {
                rows.acknowledgements.insert(*id, (by.clone(), written));
            }
        }
    }

    fn compare(
        &self,
        rows: &Rows,
        claims: &Claims,
        exchange: &Exchange<'_>,
        exchanged: &mut Exchanged,
    ) {
        for key in claims.saved.iter().map(|notice| &notice.key) {
            match rows.notices.get(key) {
                Some((_, claimer)) if *claimer == self.instance => {}
                Some(_) => exchanged.taken.push(key.clone()),
                None => exchanged.missing.push(key.clone()),
            }
        }
        for (key, (notice, claimer)) in &rows.notices {
            let is_known = claims.saved.iter().any(|of| of.key == *key)
                || claims.done.contains(key)
                || exchange.pending.notices.contains_key(key)
                || exchanged.adopted.iter().any(|of| of.key == *key);
            if *claimer == self.instance && !is_known {
                exchanged.adopted.push(Notice::clone(notice));
            }
        }
    }

    fn read(&self, rows: &Rows, exchange: &Exchange<'_>, exchanged: &mut Exchanged) {
        let mut versions: BTreeMap<Instance, i64> = BTreeMap::new();
        let mut is_news = |(instance, version): &Written| {
            let is_news = match exchange.known {
                None => true,
                Some(known) => {
                    *instance != self.instance && known.get(instance).is_none_or(|of| version > of)
                }
            };
            if is_news {
                let highest = versions.entry(*instance).or_default();
                *highest = (*highest).max(*version);
            }
            is_news
        };
        let followed = &mut exchanged.followed;
        followed.is_all = exchange.known.is_none();
        for (key, (state, written)) in &rows.states {
            if is_news(written) && (state.is_some() || !followed.is_all) {
                followed.states.push((key.clone(), state.clone()));
            }
        }
        for (incident, written) in rows.incidents.values() {
            if is_news(written) {
                followed.incidents.push(Incident::clone(incident));
            }
        }
        for (silence, written) in rows.silences.values() {
            if is_news(written) {
                followed.silences.push(silence.clone());
            }
        }
        for (id, (by, written)) in &rows.acknowledgements {
            if is_news(written) {
                followed.acknowledgements.push(Acknowledged { incident: *id, by: by.clone() });
            }
        }
        if followed.is_all {
            let with_state = rows.states.iter().filter(|(_, (state, _))| state.is_some());
            let sources = with_state.filter_map(|(key, _)| key.source.as_ref());
            let unlisted = sources.filter(|source| rows.unlisted.contains(*source));
            followed.unlisted = unlisted.cloned().collect();
        }
        exchanged.versions = versions.into_iter().collect();
    }
}

/// Returns true for a write that the same instance has given up, and written again.
fn is_older(written: Written, known: Written) -> bool {
    written.0 == known.0 && written.1 <= known.1
}

impl SharedStore for Memory {
    fn exchange(&mut self, exchange: &Exchange<'_>) -> Result<Exchanged, SharedStoreError> {
        let rows = &mut *self.rows.lock().unwrap();
        if rows.away.contains(&self.instance) {
            return Err(SharedStoreError("it does not answer".into()));
        }
        let mut exchanged = Exchanged::default();
        self.write(rows, exchange, &mut exchanged);
        let live: BTreeSet<Instance> = rows.live.values().copied().collect();
        for (key, (notice, claimer)) in &mut rows.notices {
            if !live.contains(claimer) && exchange.channels.contains(&key.channel) {
                *claimer = self.instance;
                exchanged.adopted.push(Notice::clone(notice));
            }
        }
        exchange
            .claims
            .into_iter()
            .for_each(|claims| self.compare(rows, claims, exchange, &mut exchanged));
        self.read(rows, exchange, &mut exchanged);
        let is_live = rows.live.get(&self.name) == Some(&self.instance);
        exchanged.ends_in = is_live.then_some(Duration::from_secs(8));
        (exchanged.server, exchanged.is_repeated) = (rows.server, rows.is_repeating);
        Ok(exchanged)
    }
}
