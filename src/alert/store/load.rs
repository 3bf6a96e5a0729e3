//! Reads the rows of the file. A row that cannot be read is skipped.

use jiff::Timestamp;
use rusqlite::{Connection, Params, Row};

use super::changes::{Loaded, SavedState};
use super::saved;
use crate::alert::{Incident, IncidentId, MAX_RECENT, Notice, NoticeKey, SubjectKey};
use crate::history::StoreError;

/// Reason why a row cannot be read.
struct RowError(String);

impl From<rusqlite::Error> for RowError {
    fn from(error: rusqlite::Error) -> RowError {
        RowError(error.to_string())
    }
}

impl From<String> for RowError {
    fn from(reason: String) -> RowError {
        RowError(reason)
    }
}

/// Returns the content of the file.
pub(super) fn load(connection: &Connection) -> Result<Loaded, StoreError> {
    let open = "SELECT id, content FROM incident WHERE ended_at IS NULL ORDER BY fired_at, id";
    let recent = format!(
        "SELECT id, content FROM incident WHERE ended_at IS NOT NULL \
         ORDER BY ended_at DESC, id DESC LIMIT {MAX_RECENT}"
    );
    let states = "SELECT alert, source, fingerprint, state FROM state";
    let silences = "SELECT alert, until FROM silence";
    let notices = "SELECT channel, incident, kind, number, content FROM notice";
    Ok(Loaded {
        states: rows(connection, "state", states, [], state)?,
        open: rows(connection, "incident", open, [], incident)?,
        recent: rows(connection, "incident", &recent, [], incident)?,
        silences: rows(connection, "silence", silences, [], |row| {
            let until: String = row.get(1)?;
            let until: Timestamp = until.parse().map_err(|_| format!("{until:?} is not a time"))?;
            Ok((row.get::<_, String>(0)?.into(), until))
        })?,
        notices: rows(connection, "notice", notices, [], notice)?,
    })
}

/// Returns incidents of an alert, the latest fire first: those before `before`, or the latest ones.
pub(super) fn incidents(
    connection: &Connection,
    alert: &str,
    before: Option<IncidentId>,
    limit: usize,
) -> Result<Vec<Incident>, StoreError> {
    let select = "SELECT id, content FROM incident WHERE alert = ?1 AND (?2 IS NULL \
                  OR (fired_at, id) < (SELECT fired_at, id FROM incident WHERE id = ?2)) \
                  ORDER BY fired_at DESC, id DESC LIMIT ?3";
    let before = before.map(|id| id.0.cast_signed());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    rows(connection, "incident", select, (alert, before, limit), incident)
}

fn state(row: &Row<'_>) -> Result<(SubjectKey, SavedState), RowError> {
    let source: String = row.get(1)?;
    let source = Some(source).filter(|source| !source.is_empty()).map(Into::into);
    let subject = SubjectKey { alert: row.get::<_, String>(0)?.into(), source, replica: None };
    let fingerprint = row.get::<_, i64>(2)?.cast_unsigned();
    Ok((subject, SavedState { fingerprint, state: row.get(3)? }))
}

fn incident(row: &Row<'_>) -> Result<Incident, RowError> {
    let id = IncidentId(row.get::<_, i64>(0)?.cast_unsigned());
    let content: String = row.get(1)?;
    Ok(saved::decode_incident(id, &content)?)
}

fn notice(row: &Row<'_>) -> Result<Notice, RowError> {
    let kind: String = row.get(2)?;
    let key = NoticeKey {
        channel: row.get::<_, String>(0)?.into(),
        incident: IncidentId(row.get::<_, i64>(1)?.cast_unsigned()),
        kind: kind.parse().map_err(|_| format!("{kind:?} is not a kind of notices"))?,
        number: row.get(3)?,
    };
    let content: String = row.get(4)?;
    Ok(saved::decode_notice(key, &content)?)
}

/// Returns the rows that `decode` can read. Logs how many it cannot.
fn rows<T>(
    connection: &Connection,
    table: &str,
    select: &str,
    params: impl Params,
    decode: impl Fn(&Row<'_>) -> Result<T, RowError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare(select)?;
    let mut found = statement.query(params)?;
    let (mut decoded, mut skipped, mut reason) = (Vec::new(), 0_u64, None);
    while let Some(row) = found.next()? {
        match decode(row) {
            Ok(value) => decoded.push(value),
            Err(RowError(error)) => {
                skipped += 1;
                reason.get_or_insert(error);
            }
        }
    }
    if let Some(reason) = reason {
        log::error!(
            "{skipped} rows of the table {table} of the alerts cannot be read and are skipped: {reason}"
        );
    }
    Ok(decoded)
}
