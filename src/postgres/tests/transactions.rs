//! Transactions, and the limits of time that the server holds to.

use std::thread;
use std::time::Duration;

use crate::postgres::fixture::{self, Database, deadline};
use crate::postgres::{Connection, Limits, PostgresError, Statement};

/// Limits that no working server reaches.
const LONG: Limits = Limits::all(Duration::from_secs(60));

const SHORT: Duration = Duration::from_millis(50);

const INSERT: Statement<'static> = Statement { sql: "INSERT INTO tank VALUES (1)", params: &[] };

fn with_table() -> (Database, Connection) {
    let database = fixture::database();
    let mut connection = database.connect();
    // A duplicate is found at the commit only.
    let sql = "CREATE TABLE tank (level bigint UNIQUE DEFERRABLE INITIALLY DEFERRED)";
    connection.run(LONG, &[Statement::plain(sql)], deadline()).unwrap();
    (database, connection)
}

fn count(connection: &mut Connection) -> i64 {
    let sql = Statement::plain("SELECT count(*) FROM tank");
    connection.run(LONG, &[sql], deadline()).unwrap()[0].only().unwrap().i64(0).unwrap()
}

#[test]
fn transaction_commits_or_is_rolled_back_and_the_connection_stays_usable() {
    let (database, mut connection) = with_table();
    let mut transaction = connection.begin(LONG);
    let outcomes = transaction.pipeline(&[INSERT], deadline()).unwrap();
    assert_eq!((outcomes.len(), outcomes[0].affected()), (1, 1));
    assert_eq!(count(&mut database.connect()), 0);
    drop(transaction);
    assert_eq!(count(&mut connection), 0);

    let mut transaction = connection.begin(LONG);
    transaction.pipeline(&[INSERT], deadline()).unwrap();
    transaction.commit_with(&[], deadline()).unwrap();
    assert_eq!(count(&mut database.connect()), 1);

    let two = Statement::plain("INSERT INTO tank VALUES (2)");
    let outcomes = connection.begin(LONG).commit_with(&[two], deadline()).unwrap();
    assert_eq!((outcomes.len(), outcomes[0].affected()), (1, 1));
    assert_eq!(count(&mut database.connect()), 2);

    connection.begin(LONG).commit_with(&[], deadline()).unwrap();
    drop(connection.begin(LONG));
    assert_eq!(count(&mut connection), 2);
}

#[test]
fn transaction_with_an_error_commits_nothing() {
    let (_database, mut connection) = with_table();
    let wrong = Statement::plain("SELECT 1 / 0");
    let mut transaction = connection.begin(LONG);
    let error = transaction.pipeline(&[INSERT, wrong], deadline()).unwrap_err();
    assert_eq!(error.sqlstate(), Some("22012"));
    // A server answers the COMMIT of a failed transaction with success.
    let error = transaction.commit_with(&[], deadline()).unwrap_err();
    assert!(error.to_string().contains("failed already"), "{error}");
    assert_eq!(count(&mut connection), 0);
    let error = connection.begin(LONG).commit_with(&[INSERT, wrong], deadline()).unwrap_err();
    assert_eq!(error.sqlstate(), Some("22012"));
    assert_eq!(count(&mut connection), 0);
}

#[test]
fn error_at_the_commit_is_an_error_of_the_call() {
    let (_database, mut connection) = with_table();
    let error = connection.run(LONG, &[INSERT, INSERT], deadline()).unwrap_err();
    assert_eq!(error.sqlstate(), Some("23505"));
    let error = connection.begin(LONG).commit_with(&[INSERT, INSERT], deadline()).unwrap_err();
    assert_eq!(error.sqlstate(), Some("23505"));
    assert_eq!(count(&mut connection), 0);
}

#[test]
fn server_ends_what_exceeds_a_limit() {
    let (database, mut connection) = with_table();
    let sleep = Statement::plain("SELECT pg_sleep(60)");
    let limits = Limits { statement: SHORT, ..LONG };
    let error = connection.run(limits, &[sleep], deadline()).unwrap_err();
    assert_eq!(error.sqlstate(), Some("57014"));
    assert!(error.is_transient() && !connection.is_broken());

    let mut other = database.connect();
    let mut holder = other.begin(LONG);
    let lock = Statement::plain("LOCK TABLE tank");
    holder.pipeline(&[lock], deadline()).unwrap();
    let limits = Limits { lock: SHORT, ..LONG };
    let error = connection.run(limits, &[INSERT], deadline()).unwrap_err();
    assert_eq!(error.sqlstate(), Some("55P03"));
    assert!(error.is_transient() && !connection.is_broken());
    drop(holder);
    // The limits ended with their transactions.
    let shown = Statement::plain("SELECT current_setting('lock_timeout')");
    let outcomes = connection.pipeline(&[shown], deadline()).unwrap();
    assert_eq!(outcomes[0].only().unwrap().text(0).unwrap(), "0");
}

#[test]
fn server_ends_the_session_of_an_idle_transaction() {
    let (database, mut connection) = with_table();
    let mut transaction = connection.begin(Limits { idle: SHORT, ..LONG });
    let id = Statement::plain("SELECT pg_backend_pid()");
    let process =
        transaction.pipeline(&[id, INSERT], deadline()).unwrap()[0].only().unwrap().i64(0).unwrap();
    let mut other = database.connect();
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {process}");
    let left = |other: &mut Connection| {
        let outcomes = other.pipeline(&[Statement::plain(&sql)], deadline()).unwrap();
        outcomes[0].only().unwrap().i64(0).unwrap()
    };
    while left(&mut other) > 0 {
        thread::sleep(Duration::from_millis(20));
    }
    let error = transaction.commit_with(&[], deadline()).unwrap_err();
    let is_end = error == PostgresError::Closed || error.sqlstate() == Some("25P03");
    assert!(is_end, "{error}");
    assert!(connection.is_broken());
    assert_eq!(count(&mut other), 0);
}
