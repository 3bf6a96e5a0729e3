//! Statements that adopt notices and read rows. A row that cannot be decoded is skipped.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::write::Owned;
use crate::alert::store::shared::{Exchange, Exchanged};
use crate::alert::store::{SavedState, saved};
use crate::alert::{
    Acknowledged, Acknowledgement, Incident, IncidentId, Instance, MAX_RECENT, NoticeKey, Silence,
    SubjectKey,
};
use crate::postgres::{Outcome, Param, PostgresError, Row};

/// Condition of rows (`t`) that other instances have written after the known versions. A follower that has read nothing
/// for longer reads all rows.
macro_rules! news {
    () => {
        " WHERE t.changed_at > now() - interval '10 minutes' AND t.instance <> $1::text \
         AND NOT EXISTS (SELECT 1 FROM unnest($2::text[], $3::bigint[]) AS k (instance, version) \
         WHERE k.instance = t.instance AND t.version <= k.version)"
    };
}

macro_rules! state_rows {
    () => {
        "SELECT t.instance::text, t.version, t.alert, t.source, t.replica, t.fingerprint, t.state \
         FROM pumphouse.alert_state AS t"
    };
}

macro_rules! incident_rows {
    () => {
        "SELECT t.instance::text, t.version, t.id, t.content FROM pumphouse.incident AS t"
    };
}

macro_rules! silence_rows {
    () => {
        "SELECT t.instance::text, t.version, t.alert, t.until, t.account, t.set_at, t.setter::text \
         FROM pumphouse.silence AS t"
    };
}

macro_rules! acknowledgement_rows {
    () => {
        "SELECT t.instance::text, t.version, t.incident, t.at, t.account \
         FROM pumphouse.acknowledgement AS t"
    };
}

/// Statements for all rows, and for those that are new.
const STATES: [&str; 2] = [state_rows!(), concat!(state_rows!(), news!())];
const OPEN: [&str; 2] =
    [concat!(incident_rows!(), " WHERE t.ended_at IS NULL"), concat!(incident_rows!(), news!())];
const SILENCES: [&str; 2] = [silence_rows!(), concat!(silence_rows!(), news!())];
const ACKNOWLEDGEMENTS: [&str; 2] =
    [acknowledgement_rows!(), concat!(acknowledgement_rows!(), news!())];

const RECENT: &str = concat!(
    incident_rows!(),
    " WHERE t.ended_at IS NOT NULL",
    " ORDER BY t.ended_at DESC, t.id DESC LIMIT $1"
);

const ADOPT: &str = "UPDATE pumphouse.notice AS n SET instance = $1::text \
    FROM (SELECT o.channel, o.incident, o.kind, o.number FROM pumphouse.notice AS o \
    WHERE o.channel = ANY($2::text[]) AND NOT EXISTS (SELECT 1 FROM pumphouse.replica AS r \
    WHERE r.instance = o.instance AND r.ends_at > now()) \
    AND EXISTS (SELECT 1 FROM pumphouse.replica AS r \
    WHERE r.instance = $1::text AND r.ends_at > now()) \
    LIMIT 1000 FOR UPDATE OF o SKIP LOCKED) AS c \
    WHERE n.channel = c.channel AND n.incident = c.incident AND n.kind = c.kind \
    AND n.number = c.number RETURNING n.channel, n.incident, n.kind, n.number, n.content";

const CLAIMED: &str = "SELECT channel, incident, kind, number FROM pumphouse.notice \
    WHERE instance = $1::text FOR SHARE";

const ENDS_IN: &str = "SELECT (extract(epoch FROM ends_at - clock_timestamp()) * 1000)::bigint \
    FROM pumphouse.replica WHERE instance = $1::text AND ends_at > clock_timestamp()";

/// Past incidents of an alert: `$1`; before an incident, `$2`, if that is not NULL; at most `$3`.
pub(super) const FIND: &str = "SELECT t.instance::text, t.version, t.id, t.content \
    FROM pumphouse.incident AS t WHERE t.alert = $1 AND ($2::bigint IS NULL OR (t.fired_at, t.id) < \
    (SELECT b.fired_at, b.id FROM pumphouse.incident AS b WHERE b.id = $2)) \
    ORDER BY t.fired_at DESC, t.id DESC LIMIT $3";

/// Returns the parameters of [`FIND`].
pub(super) fn find_params(alert: &str, before: Option<IncidentId>, limit: usize) -> [Param<'_>; 3] {
    let before = Param::optional(before, |id| Param::I64(id.0.cast_signed()));
    [Param::Text(alert), before, Param::I64(i64::try_from(limit).unwrap_or(i64::MAX))]
}

/// Reads for an exchange.
pub(super) struct Reader<'a> {
    exchange: &'a Exchange<'a>,
    instance: String,
    known: Vec<(String, i64)>,
    channels: Vec<&'a str>,
}

/// Known versions, by column.
pub(super) struct Known<'a> {
    instances: Vec<&'a str>,
    versions: Vec<i64>,
}

impl<'a> Reader<'a> {
    pub(super) fn of(exchange: &'a Exchange<'a>) -> Reader<'a> {
        let known = exchange.known.into_iter().flatten();
        Reader {
            exchange,
            instance: exchange.instance.to_string(),
            known: known.map(|(instance, version)| (instance.to_string(), *version)).collect(),
            channels: exchange.channels.iter().map(|channel| &**channel).collect(),
        }
    }

    pub(super) fn known(&self) -> Known<'_> {
        Known {
            instances: self.known.iter().map(|(instance, _)| instance.as_str()).collect(),
            versions: self.known.iter().map(|(_, version)| *version).collect(),
        }
    }

    /// Returns the statements in their order.
    pub(super) fn statements<'s>(&'s self, known: &'s Known<'_>) -> Vec<Owned<'s>> {
        let me = Param::Text(&self.instance);
        let (which, head) = match self.exchange.known {
            None => (0, Vec::new()),
            Some(_) => {
                let known = [Param::Texts(&known.instances), Param::I64s(&known.versions)];
                (1, [&[me], known.as_slice()].concat())
            }
        };
        let mut all = vec![
            Owned::new(ADOPT, vec![me, Param::Texts(&self.channels)]),
            Owned::new(ENDS_IN, vec![me]),
        ];
        for of in [STATES, OPEN, SILENCES, ACKNOWLEDGEMENTS] {
            all.push(Owned::new(of[which], head.clone()));
        }
        if self.exchange.known.is_none() {
            let most = Param::I64(i64::try_from(MAX_RECENT).unwrap_or(i64::MAX));
            all.push(Owned::new(RECENT, vec![most]));
        }
        if !self.exchange.claimed.is_empty() {
            all.push(Owned::new(CLAIMED, vec![me]));
        }
        all
    }

    /// Reads the results of the statements.
    ///
    /// # Errors
    /// A result is not of the type that it has.
    pub(super) fn learn(
        &self,
        outcomes: &[Outcome],
        exchanged: &mut Exchanged,
    ) -> Result<(), PostgresError> {
        let [adopted, ends_in, states, incidents, silences, acknowledgements, rest @ ..] = outcomes
        else {
            return Ok(());
        };
        let mut rest = rest.iter();
        for row in adopted.rows() {
            let key = notice_key(&row)?;
            let notice = saved::decode_notice(key, row.text(4)?);
            exchanged.adopted.extend(readable(notice));
        }
        if let Some(row) = ends_in.first() {
            exchanged.ends_in = u64::try_from(row.i64(0)?).ok().map(Duration::from_millis);
        }
        let mut versions = BTreeMap::new();
        let followed = &mut exchanged.followed;
        followed.is_all = self.exchange.known.is_none();
        for row in states.rows() {
            note(&row, &mut versions)?;
            let (key, state) = state(&row)?;
            if state.is_some() || !followed.is_all {
                followed.states.push((key, state));
            }
        }
        let recent = followed.is_all.then(|| rest.next()).flatten();
        for outcome in [Some(incidents), recent].into_iter().flatten() {
            for row in outcome.rows() {
                note(&row, &mut versions)?;
                followed.incidents.extend(readable(incident(&row)?));
            }
        }
        for row in silences.rows() {
            note(&row, &mut versions)?;
            followed.silences.push(silence(&row)?);
        }
        for row in acknowledgements.rows() {
            note(&row, &mut versions)?;
            followed.acknowledgements.push(acknowledged(&row)?);
        }
        exchanged.versions = versions.into_iter().collect();
        if let Some(claimed) = rest.next() {
            let own: HashSet<NoticeKey> =
                claimed.rows().map(|row| notice_key(&row)).collect::<Result<_, _>>()?;
            let lost = self.exchange.claimed.iter().filter(|key| !own.contains(key));
            exchanged.taken.extend(lost.cloned());
        }
        Ok(())
    }
}

/// Returns the incidents of a result.
pub(super) fn incidents(outcome: &Outcome) -> Result<Vec<Incident>, PostgresError> {
    let mut incidents = Vec::new();
    for row in outcome.rows() {
        incidents.extend(readable(incident(&row)?));
    }
    Ok(incidents)
}

/// Returns what a row holds, and logs why it does not.
fn readable<T>(decoded: Result<T, String>) -> Option<T> {
    decoded
        .inspect_err(|reason| {
            log::error!("a row of the alerts cannot be read and is skipped: {reason}")
        })
        .ok()
}

/// Notes the version of a row.
fn note(row: &Row<'_>, versions: &mut BTreeMap<Instance, i64>) -> Result<(), PostgresError> {
    let highest = versions.entry(instance(row.text(0)?)).or_default();
    *highest = (*highest).max(row.i64(1)?);
    Ok(())
}

fn instance(uuid: &str) -> Instance {
    Instance(u128::from_str_radix(&uuid.replace('-', ""), 16).unwrap_or_default())
}

/// Returns the key of a notice, whose columns are the first ones.
pub(super) fn notice_key(row: &Row<'_>) -> Result<NoticeKey, PostgresError> {
    let kind = row.text(2)?;
    let unknown = || PostgresError::Usage(format!("{kind:?} is not a kind of notices"));
    Ok(NoticeKey {
        channel: row.text(0)?.into(),
        incident: IncidentId(row.i64(1)?.cast_unsigned()),
        kind: kind.parse().map_err(|_| unknown())?,
        number: u32::try_from(row.i64(3)?).unwrap_or(u32::MAX),
    })
}

fn state(row: &Row<'_>) -> Result<(SubjectKey, Option<SavedState>), PostgresError> {
    let part = |text: &str| Some(Arc::from(text)).filter(|_| !text.is_empty());
    let key = SubjectKey {
        alert: row.text(2)?.into(),
        source: part(row.text(3)?),
        replica: part(row.text(4)?),
    };
    let fingerprint = row.i64(5)?.cast_unsigned();
    let state = row.optional_text(6)?;
    Ok((key, state.map(|state| SavedState { fingerprint, state: state.to_owned() })))
}

fn incident(row: &Row<'_>) -> Result<Result<Incident, String>, PostgresError> {
    let id = IncidentId(row.i64(2)?.cast_unsigned());
    Ok(saved::decode_incident(id, row.text(3)?))
}

fn silence(row: &Row<'_>) -> Result<Silence, PostgresError> {
    Ok(Silence {
        alert: row.text(2)?.into(),
        until: Timestamp::from_millisecond(row.i64(3)?).unwrap_or(Timestamp::MAX),
        by: row.text(4)?.into(),
        set_at: Timestamp::from_millisecond(row.i64(5)?).unwrap_or(Timestamp::MIN),
        instance: instance(row.text(6)?),
    })
}

fn acknowledged(row: &Row<'_>) -> Result<Acknowledged, PostgresError> {
    let at = Timestamp::from_nanosecond(row.i64(3)?.into()).unwrap_or(Timestamp::MAX);
    let by = Acknowledgement { by: row.text(4)?.into(), at };
    Ok(Acknowledged { incident: IncidentId(row.i64(2)?.cast_unsigned()), by })
}
