//! Tables of the alerts in the database. The migrations create them.
//!
//! `instance` and `version` are those of the latest write of a row, by which others follow it. `changed_at` bounds what a
//! follower has to look at. Empty texts stand for no source and no replica, since they are parts of a key.

/// Statements that create the tables, in the schema `pumphouse`.
pub const ALERT_TABLES: &[&str] = &[
    "CREATE TABLE pumphouse.alert_state (\
        alert text NOT NULL, source text NOT NULL, replica text NOT NULL, \
        fingerprint bigint NOT NULL, state text, \
        instance text NOT NULL, version bigint NOT NULL, changed_at timestamptz NOT NULL, \
        PRIMARY KEY (alert, source, replica))",
    "CREATE INDEX alert_state_changed ON pumphouse.alert_state (changed_at)",
    // Times are in milliseconds since 1970; the rest of an incident is JSON.
    "CREATE TABLE pumphouse.incident (\
        id bigint PRIMARY KEY, alert text NOT NULL, fired_at bigint NOT NULL, ended_at bigint, \
        content text NOT NULL, \
        instance text NOT NULL, version bigint NOT NULL, changed_at timestamptz NOT NULL)",
    "CREATE INDEX incident_changed ON pumphouse.incident (changed_at)",
    "CREATE INDEX incident_of_alert ON pumphouse.incident (alert, fired_at, id)",
    "CREATE INDEX incident_ended ON pumphouse.incident (ended_at, id)",
    // In nanoseconds since 1970. The order of accounts is that of their bytes, as in the program.
    "CREATE TABLE pumphouse.acknowledgement (\
        incident bigint PRIMARY KEY, at bigint NOT NULL, account text COLLATE \"C\" NOT NULL, \
        instance text NOT NULL, version bigint NOT NULL, changed_at timestamptz NOT NULL)",
    // In milliseconds since 1970. `setter` is the instance that took the command.
    "CREATE TABLE pumphouse.silence (\
        alert text PRIMARY KEY, until bigint NOT NULL, account text NOT NULL, \
        set_at bigint NOT NULL, setter text NOT NULL, \
        instance text NOT NULL, version bigint NOT NULL, changed_at timestamptz NOT NULL)",
    // `instance` is the claimer.
    "CREATE TABLE pumphouse.notice (\
        channel text NOT NULL, incident bigint NOT NULL, kind text NOT NULL, number bigint NOT NULL, \
        content text NOT NULL, instance text NOT NULL, made_at timestamptz NOT NULL DEFAULT now(), \
        PRIMARY KEY (channel, incident, kind, number))",
];
