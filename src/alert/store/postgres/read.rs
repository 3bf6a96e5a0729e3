//! Statements that adopt notices and read rows. A row that cannot be decoded is skipped.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::write::{Keys, Owned};
use crate::alert::store::shared::{Claims, Exchange, Exchanged};
use crate::alert::store::{SavedState, saved};
use crate::alert::{
    Acknowledged, Acknowledgement, Incident, IncidentId, Instance, MAX_RECENT, Notice, NoticeKey,
    Silence, SubjectKey,
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
    WHERE o.channel = ANY($2::text[]) AND o.kind = ANY($3::text[]) AND NOT EXISTS (SELECT 1 FROM pumphouse.replica AS r \
    WHERE r.instance = o.instance AND r.ends_at > now()) \
    AND EXISTS (SELECT 1 FROM pumphouse.replica AS r \
    WHERE r.instance = $1::text AND r.ends_at > now()) \
    LIMIT 1000 FOR UPDATE OF o SKIP LOCKED) AS c \
    WHERE n.channel = c.channel AND n.incident = c.incident AND n.kind = c.kind \
    AND n.number = c.number RETURNING n.channel, n.incident, n.kind, n.number, n.content";

/// Rows of the claims, and those of this instance that are not among them, which alone come with their content.
const CLAIMED: &str = "SELECT n.channel, n.incident, n.kind, n.number, n.instance = $1::text, \
    CASE WHEN c.channel IS NULL THEN n.content END FROM pumphouse.notice AS n \
    LEFT JOIN unnest($3::text[], $4::bigint[], $5::text[], $6::bigint[]) \
    AS c (channel, incident, kind, number) ON n.channel = c.channel AND n.incident = c.incident \
    AND n.kind = c.kind AND n.number = c.number WHERE c.channel IS NOT NULL \
    OR (n.instance = $1::text AND n.channel = ANY($2::text[]) AND n.kind = ANY($7::text[])) \
    FOR SHARE OF n";

/// Start of the server, and the time that is left to this instance.
const SERVER: &str = "SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint, \
    (SELECT (extract(epoch FROM ends_at - clock_timestamp()) * 1000)::bigint \
    FROM pumphouse.replica WHERE instance = $1::text AND ends_at > clock_timestamp())";

/// Sources with a state that no live replica has in its configuration; none unless this one is live.
const UNLISTED: &str = "SELECT s.source FROM pumphouse.alert_state AS s \
    WHERE s.source <> '' AND s.state IS NOT NULL AND EXISTS (SELECT 1 FROM pumphouse.replica AS r \
    WHERE r.instance = $1::text AND r.ends_at > now()) \
    EXCEPT SELECT unnest(r.sources) FROM pumphouse.replica AS r WHERE r.ends_at > now()";

/// Kinds of notices that this program can read. Those of a later version are left to its replicas.
const KINDS: [&str; 3] = ["fired", "reminder", "ended"];

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
    claims: Option<Keys<'a>>,
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
            claims: exchange.claims.map(|claims| Keys::of(claims.saved.iter().map(|of| &of.key))),
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
        let (channels, kinds) = (Param::Texts(&self.channels), Param::Texts(&KINDS));
        let mut all =
            vec![Owned::new(ADOPT, vec![me, channels, kinds]), Owned::new(SERVER, vec![me])];
        for of in [STATES, OPEN, SILENCES, ACKNOWLEDGEMENTS] {
            all.push(Owned::new(of[which], head.clone()));
        }
        if self.exchange.known.is_none() {
            let most = Param::I64(i64::try_from(MAX_RECENT).unwrap_or(i64::MAX));
            all.push(Owned::new(RECENT, vec![most]));
            all.push(Owned::new(UNLISTED, vec![me]));
        }
        if let Some(claims) = &self.claims {
            let params = [&[me, channels], claims.params().as_slice(), &[kinds]].concat();
            all.push(Owned::new(CLAIMED, params));
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
        let [adopted, server, states, incidents, silences, acknowledgements, rest @ ..] = outcomes
        else {
            return Ok(());
        };
        let mut rest = rest.iter();
        for row in adopted.rows() {
            exchanged.adopted.extend(notice(&row, row.text(4)?)?);
        }
        let server = server.only()?;
        exchanged.server = server.i64(0)?;
        let ends_in = server.optional_i64(1)?.and_then(|left| u64::try_from(left).ok());
        exchanged.ends_in = ends_in.map(Duration::from_millis);
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
        if let Some(unlisted) = followed.is_all.then(|| rest.next()).flatten() {
            let sources = unlisted.rows().map(|row| row.text(0).map(Arc::from));
            followed.unlisted = sources.collect::<Result<_, _>>()?;
        }
        if let (Some(claims), Some(rows)) = (self.exchange.claims, rest.next()) {
            self.compare(claims, rows, exchanged)?;
        }
        Ok(())
    }

    /// Compares the notices that channels have with the rows.
    fn compare(
        &self,
        claims: &Claims,
        rows: &Outcome,
        exchanged: &mut Exchanged,
    ) -> Result<(), PostgresError> {
        let mut present: HashSet<NoticeKey> = HashSet::new();
        let adopted = exchanged.adopted.iter().map(|notice| &notice.key);
        let known: HashSet<NoticeKey> = adopted.chain(&claims.done).cloned().collect();
        for row in rows.rows() {
            let (key, is_own) = (notice_key(&row)?, row.bool(4)?);
            let Some(key) = readable(key) else { continue };
            match row.optional_text(5)? {
                // What waits is newer than its row.
                Some(_) if known.contains(&key) => {}
                Some(_) if self.exchange.pending.notices.contains_key(&key) => {}
                Some(content) => exchanged.adopted.extend(notice(&row, content)?),
                None if is_own => drop(present.insert(key)),
                None => {
                    exchanged.taken.push(key.clone());
                    present.insert(key);
                }
            }
        }
        let saved = claims.saved.iter().map(|notice| &notice.key);
        exchanged.missing = saved.filter(|key| !present.contains(key)).cloned().collect();
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

/// Returns what a row holds, or logs why it cannot be read.
pub(super) fn readable<T>(decoded: Result<T, String>) -> Option<T> {
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
pub(super) fn notice_key(row: &Row<'_>) -> Result<Result<NoticeKey, String>, PostgresError> {
    let (channel, incident) = (row.text(0)?.into(), IncidentId(row.i64(1)?.cast_unsigned()));
    let (kind, number) = (row.text(2)?, u32::try_from(row.i64(3)?).unwrap_or(u32::MAX));
    let key = kind.parse().map(|kind| NoticeKey { channel, incident, kind, number });
    Ok(key.map_err(|_| format!("{kind:?} is not a kind of notices")))
}

/// Returns the notice of a row with this content; `None` if it cannot be read.
fn notice(row: &Row<'_>, content: &str) -> Result<Option<Notice>, PostgresError> {
    let key = notice_key(row)?;
    Ok(readable(key.and_then(|key| saved::decode_notice(key, content))))
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
