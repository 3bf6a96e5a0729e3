//! Statements that write the changes of an exchange.

use std::collections::HashSet;
use std::sync::Arc;

use super::read::{notice_key, readable};
use crate::alert::store::saved;
use crate::alert::store::shared::{Exchange, Exchanged};
use crate::alert::{NoticeKey, SubjectKey};
use crate::postgres::{Outcome, Param, PostgresError, Statement};

/// Sources of `e`, the changes, whose lease is of this instance (`$1`) and the epoch of the changes.
macro_rules! held {
    () => {
        "(SELECT l.source FROM pumphouse.lease AS l \
         JOIN unnest($2::text[], $3::bigint[]) AS e (source, epoch) \
         ON l.source = e.source AND l.epoch = e.epoch WHERE l.instance = $1::text)"
    };
}

/// True for the server of a replica (`c.replica`) that this replica (`$5`) may write.
macro_rules! own_server {
    () => {
        "(c.source = '' AND (c.replica IN ('', $5) OR NOT EXISTS (SELECT 1 FROM pumphouse.replica AS r \
         WHERE r.name = c.replica AND r.ends_at > now())))"
    };
}

/// True for a source (`c.source`) that no live replica has in its configuration, if this one is live.
macro_rules! unlisted {
    () => {
        "(c.source <> '' AND EXISTS (SELECT 1 FROM pumphouse.replica AS r \
         WHERE r.instance = $1::text AND r.ends_at > now()) \
         AND NOT EXISTS (SELECT 1 FROM pumphouse.replica AS r \
         WHERE r.ends_at > now() AND c.source = ANY (r.sources)))"
    };
}

const LEASES: &str = "SELECT l.source FROM pumphouse.lease AS l \
    JOIN unnest($2::text[], $3::bigint[]) AS e (source, epoch) \
    ON l.source = e.source AND l.epoch = e.epoch WHERE l.instance = $1::text \
    ORDER BY l.source FOR SHARE OF l";

const NOTICES: &str = concat!(
    "INSERT INTO pumphouse.notice AS n (channel, incident, kind, number, content, instance) \
     SELECT c.channel, c.incident, c.kind, c.number, c.content, $1::text \
     FROM unnest($4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::text[], $9::text[], \
     $10::boolean[]) AS c (channel, incident, kind, number, content, source, is_reclaimed) \
     WHERE c.source = '' OR c.is_reclaimed OR c.source IN ",
    held!(),
    " OR NOT EXISTS (SELECT 1 FROM pumphouse.incident AS i WHERE i.id = c.incident) OR ",
    unlisted!(),
    " ORDER BY 1, 2, 3, 4 \
     ON CONFLICT (channel, incident, kind, number) DO UPDATE SET content = excluded.content \
     WHERE n.instance = excluded.instance RETURNING channel, incident, kind, number"
);

const DONE: &str = "DELETE FROM pumphouse.notice AS n \
    USING unnest($2::text[], $3::bigint[], $4::text[], $5::bigint[]) \
    AS c (channel, incident, kind, number) \
    WHERE n.channel = c.channel AND n.incident = c.incident AND n.kind = c.kind \
    AND n.number = c.number AND n.instance = $1::text";

const STATES: &str = concat!(
    "INSERT INTO pumphouse.alert_state AS s \
     (alert, source, replica, fingerprint, state, instance, version, changed_at) \
     SELECT c.alert, c.source, c.replica, c.fingerprint, c.state, $1::text, $4, now() \
     FROM unnest($6::text[], $7::text[], $8::text[], $9::bigint[], $10::text[]) \
     AS c (alert, source, replica, fingerprint, state) \
     WHERE c.source IN ",
    held!(),
    " OR ",
    own_server!(),
    " OR c.state IS NULL AND ",
    unlisted!(),
    " ORDER BY 1, 2, 3 \
     ON CONFLICT (alert, source, replica) DO UPDATE SET fingerprint = excluded.fingerprint, \
     state = excluded.state, instance = excluded.instance, version = excluded.version, \
     changed_at = excluded.changed_at \
     WHERE s.instance <> excluded.instance OR s.version < excluded.version"
);

const INCIDENTS: &str = concat!(
    "INSERT INTO pumphouse.incident AS i \
     (id, alert, fired_at, ended_at, content, instance, version, changed_at) \
     SELECT c.id, c.alert, c.fired_at, c.ended_at, c.content, $1::text, $4, now() \
     FROM unnest($6::bigint[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::text[]) \
     AS c (id, alert, source, replica, fired_at, ended_at, content) \
     WHERE c.source IN ",
    held!(),
    " OR ",
    own_server!(),
    " OR c.ended_at IS NOT NULL AND ",
    unlisted!(),
    " ORDER BY 1 \
     ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, content = excluded.content, \
     instance = excluded.instance, version = excluded.version, changed_at = excluded.changed_at \
     WHERE i.instance <> excluded.instance OR i.version < excluded.version"
);

/// Incidents of a partition: their ends are written although the lease is of another instance.
const ENDED: &str = "INSERT INTO pumphouse.incident \
    (id, alert, fired_at, ended_at, content, instance, version, changed_at) \
    SELECT c.id, c.alert, c.fired_at, c.ended_at, c.content, $1::text, $2, now() \
    FROM unnest($3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::text[]) \
    AS c (id, alert, fired_at, ended_at, content) WHERE c.ended_at IS NOT NULL ORDER BY 1 \
    ON CONFLICT (id) DO NOTHING";

const SILENCES: &str = "INSERT INTO pumphouse.silence AS s \
    (alert, until, account, set_at, setter, instance, version, changed_at) \
    SELECT c.alert, c.until, c.account, c.set_at, c.setter, $1::text, $2, now() \
    FROM unnest($3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::text[]) \
    AS c (alert, until, account, set_at, setter) ORDER BY 1 \
    ON CONFLICT (alert) DO UPDATE SET until = excluded.until, account = excluded.account, \
    set_at = excluded.set_at, setter = excluded.setter, instance = excluded.instance, \
    version = excluded.version, changed_at = excluded.changed_at \
    WHERE (excluded.set_at, excluded.setter) > (s.set_at, s.setter)";

const ACKNOWLEDGEMENTS: &str = "INSERT INTO pumphouse.acknowledgement AS a \
    (incident, at, account, instance, version, changed_at) \
    SELECT c.incident, c.at, c.account, $1::text, $2, now() \
    FROM unnest($3::bigint[], $4::bigint[], $5::text[]) AS c (incident, at, account) ORDER BY 1 \
    ON CONFLICT (incident) DO UPDATE SET at = excluded.at, account = excluded.account, \
    instance = excluded.instance, version = excluded.version, changed_at = excluded.changed_at \
    WHERE (excluded.at, excluded.account) < (a.at, a.account)";

/// Texts and numbers of an exchange that its columns borrow.
pub(super) struct Changes<'a> {
    exchange: &'a Exchange<'a>,
    replica: &'a str,
    instance: String,
    notices: Vec<(&'a NoticeKey, String, &'a str)>,
    incidents: Vec<String>,
    silences: Vec<(String, String)>,
    accounts: Vec<String>,
}

impl<'a> Changes<'a> {
    pub(super) fn of(exchange: &'a Exchange<'a>, replica: &'a str) -> Changes<'a> {
        let pending = exchange.pending;
        let new = pending.notices.iter().filter_map(|(key, notice)| Some((key, notice.as_ref()?)));
        Changes {
            exchange,
            replica,
            instance: exchange.instance.to_string(),
            notices: new
                .map(|(key, notice)| {
                    let source = notice.incident.subject.source.as_deref();
                    (key, saved::encode_notice(notice), source.unwrap_or_default())
                })
                .collect(),
            incidents: pending.incidents.values().map(|of| saved::encode_incident(of)).collect(),
            silences: (pending.shared.silences.values())
                .map(|silence| (plain(&silence.by), silence.instance.to_string()))
                .collect(),
            accounts: pending.shared.acknowledgements.values().map(|of| plain(&of.by)).collect(),
        }
    }

    /// Returns the parameters of all statements, each of which is left out if it has nothing to write.
    pub(super) fn columns(&self) -> Columns<'_> {
        let pending = self.exchange.pending;
        let (states, incidents) = (&pending.states, &pending.incidents);
        let done = pending.notices.iter().filter(|(_, notice)| notice.is_none());
        let silences = pending.shared.silences.values();
        let acknowledgements = &pending.shared.acknowledgements;
        Columns {
            changes: self,
            sources: pending.shared.epochs.keys().map(|source| &**source).collect(),
            epochs: pending.shared.epochs.values().copied().collect(),
            notices: Keys::of(self.notices.iter().map(|(key, _, _)| *key)),
            contents: self.notices.iter().map(|(_, content, _)| content.as_str()).collect(),
            notice_sources: self.notices.iter().map(|(_, _, source)| *source).collect(),
            are_reclaimed: self
                .notices
                .iter()
                .map(|(key, _, _)| Some(pending.shared.reclaimed.contains(*key)))
                .collect(),
            done: Keys::of(done.map(|(key, _)| key)),
            states: Subjects::of(states.keys()),
            fingerprints: states
                .values()
                .map(|state| state.as_ref().map_or(0, |state| state.fingerprint.cast_signed()))
                .collect(),
            texts: states.values().map(|state| state.as_ref().map(|s| &*s.state)).collect(),
            ids: incidents.keys().map(|id| id.0.cast_signed()).collect(),
            incidents: Subjects::of(incidents.values().map(|incident| &incident.subject)),
            fired_at: incidents.values().map(|of| of.fired_at.as_millisecond()).collect(),
            ended_at: incidents
                .values()
                .map(|of| of.ended.map(|ended| ended.at.as_millisecond()))
                .collect(),
            incident_contents: self.incidents.iter().map(String::as_str).collect(),
            silenced: pending.shared.silences.keys().map(|alert| &**alert).collect(),
            until: silences.clone().map(|of| of.until.as_millisecond()).collect(),
            set_by: self.silences.iter().map(|(by, _)| by.as_str()).collect(),
            set_at: silences.map(|of| of.set_at.as_millisecond()).collect(),
            setters: self.silences.iter().map(|(_, setter)| setter.as_str()).collect(),
            acknowledged: acknowledgements.keys().map(|id| id.0.cast_signed()).collect(),
            acknowledged_at: acknowledgements
                .values()
                .map(|of| i64::try_from(of.at.as_nanosecond()).unwrap_or(i64::MAX))
                .collect(),
            accounts: self.accounts.iter().map(String::as_str).collect(),
        }
    }
}

/// Keys of notices, by column.
pub(super) struct Keys<'a> {
    channels: Vec<&'a str>,
    incidents: Vec<i64>,
    kinds: Vec<&'a str>,
    numbers: Vec<i64>,
}

impl<'a> Keys<'a> {
    pub(super) fn of(keys: impl Iterator<Item = &'a NoticeKey>) -> Keys<'a> {
        let mut columns =
            Keys { channels: vec![], incidents: vec![], kinds: vec![], numbers: vec![] };
        for NoticeKey { channel, incident, kind, number } in keys {
            columns.channels.push(channel);
            columns.incidents.push(incident.0.cast_signed());
            columns.kinds.push(kind.as_str());
            columns.numbers.push(i64::from(*number));
        }
        columns
    }

    pub(super) fn params(&self) -> [Param<'_>; 4] {
        [
            Param::Texts(&self.channels),
            Param::I64s(&self.incidents),
            Param::Texts(&self.kinds),
            Param::I64s(&self.numbers),
        ]
    }
}

/// Subjects, by column.
struct Subjects<'a> {
    alerts: Vec<&'a str>,
    sources: Vec<&'a str>,
    replicas: Vec<&'a str>,
}

impl<'a> Subjects<'a> {
    fn of(subjects: impl Iterator<Item = &'a SubjectKey>) -> Subjects<'a> {
        let mut columns = Subjects { alerts: vec![], sources: vec![], replicas: vec![] };
        for SubjectKey { alert, source, replica } in subjects {
            columns.alerts.push(alert);
            columns.sources.push(source.as_deref().unwrap_or_default());
            columns.replicas.push(replica.as_deref().unwrap_or_default());
        }
        columns
    }

    fn params(&self) -> [Param<'_>; 3] {
        [Param::Texts(&self.alerts), Param::Texts(&self.sources), Param::Texts(&self.replicas)]
    }
}

/// Changes of an exchange, by column.
pub(super) struct Columns<'a> {
    changes: &'a Changes<'a>,
    sources: Vec<&'a str>,
    epochs: Vec<i64>,
    notices: Keys<'a>,
    contents: Vec<&'a str>,
    notice_sources: Vec<&'a str>,
    are_reclaimed: Vec<Option<bool>>,
    done: Keys<'a>,
    states: Subjects<'a>,
    fingerprints: Vec<i64>,
    texts: Vec<Option<&'a str>>,
    ids: Vec<i64>,
    incidents: Subjects<'a>,
    fired_at: Vec<i64>,
    ended_at: Vec<Option<i64>>,
    incident_contents: Vec<&'a str>,
    silenced: Vec<&'a str>,
    until: Vec<i64>,
    set_by: Vec<&'a str>,
    set_at: Vec<i64>,
    setters: Vec<&'a str>,
    acknowledged: Vec<i64>,
    acknowledged_at: Vec<i64>,
    accounts: Vec<&'a str>,
}

/// A statement with the parameters that it owns.
pub(super) struct Owned<'a> {
    sql: &'static str,
    params: Vec<Param<'a>>,
}

impl<'a> Owned<'a> {
    pub(super) fn new(sql: &'static str, params: Vec<Param<'a>>) -> Owned<'a> {
        Owned { sql, params }
    }

    pub(super) fn statement(&self) -> Statement<'_> {
        Statement::new(self.sql, &self.params)
    }
}

impl Columns<'_> {
    /// Returns the statements in their order.
    pub(super) fn statements(&self) -> Vec<Owned<'_>> {
        let me = Param::Text(&self.changes.instance);
        let version = Param::I64(self.changes.exchange.version);
        let (sources, epochs) = (Param::Texts(&self.sources), Param::I64s(&self.epochs));
        let replica = Param::Text(self.changes.replica);
        let contents = Param::Texts(&self.incident_contents);
        let (fired_at, ended_at) =
            (Param::I64s(&self.fired_at), Param::OptionalI64s(&self.ended_at));
        let mut all = Vec::new();
        add(&mut all, !self.sources.is_empty(), LEASES, &[&[me, sources, epochs]]);
        let rest = [
            Param::Texts(&self.contents),
            Param::Texts(&self.notice_sources),
            Param::Bools(&self.are_reclaimed),
        ];
        let notices = self.notices.params();
        add(
            &mut all,
            !self.contents.is_empty(),
            NOTICES,
            &[&[me, sources, epochs], &notices, &rest],
        );
        add(&mut all, !self.done.numbers.is_empty(), DONE, &[&[me], &self.done.params()]);
        let head = [me, sources, epochs, version, replica];
        let states = [Param::I64s(&self.fingerprints), Param::OptionalTexts(&self.texts)];
        add(&mut all, !self.texts.is_empty(), STATES, &[&head, &self.states.params(), &states]);
        let (ids, incidents) = (Param::I64s(&self.ids), self.incidents.params());
        let rest = [fired_at, ended_at, contents];
        add(&mut all, !self.ids.is_empty(), INCIDENTS, &[&head, &[ids], &incidents, &rest]);
        add(&mut all, !self.ids.is_empty(), ENDED, &[&[me, version, ids, incidents[0]], &rest]);
        let silences = [
            Param::Texts(&self.silenced),
            Param::I64s(&self.until),
            Param::Texts(&self.set_by),
            Param::I64s(&self.set_at),
            Param::Texts(&self.setters),
        ];
        add(&mut all, !self.until.is_empty(), SILENCES, &[&[me, version], &silences]);
        let known = [
            Param::I64s(&self.acknowledged),
            Param::I64s(&self.acknowledged_at),
            Param::Texts(&self.accounts),
        ];
        add(&mut all, !self.acknowledged.is_empty(), ACKNOWLEDGEMENTS, &[&[me, version], &known]);
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
        let mut outcomes = outcomes.iter();
        if !self.sources.is_empty()
            && let Some(outcome) = outcomes.next()
        {
            let held: Vec<&str> =
                outcome.rows().map(|row| row.text(0)).collect::<Result<_, _>>()?;
            let sources = self.sources.iter().filter(|source| !held.contains(source));
            exchanged.refused = sources.map(|&source| source.into()).collect();
        }
        if !self.contents.is_empty()
            && let Some(outcome) = outcomes.next()
        {
            let own: HashSet<NoticeKey> = outcome
                .rows()
                .filter_map(|row| notice_key(&row).map(readable).transpose())
                .collect::<Result<_, _>>()?;
            let notices = self.changes.notices.iter().map(|(key, _, _)| *key);
            exchanged.taken.extend(notices.filter(|key| !own.contains(key)).cloned());
        }
        Ok(())
    }
}

/// Adds a statement if it has something to write.
fn add<'a>(all: &mut Vec<Owned<'a>>, is_needed: bool, sql: &'static str, parts: &[&[Param<'a>]]) {
    if is_needed {
        all.push(Owned::new(sql, parts.concat()));
    }
}

/// Returns a text that a column can have.
fn plain(text: &Arc<str>) -> String {
    text.replace('\0', " ")
}
