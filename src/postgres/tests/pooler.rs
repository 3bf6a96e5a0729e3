//! A pooler that gives each transaction another session.

use std::time::Duration;

use hostile::postgres::{Pooler, Postgres};

use crate::postgres::fixture::{self, connect, deadline};
use crate::postgres::{Connection, Limits, Param, Statement, Target};

const LIMITS: Limits = Limits::all(Duration::from_secs(50));

fn add(connection: &mut Connection, name: &str) {
    let params = [Param::Text(name)];
    let insert = Statement::new("INSERT INTO pumphouse.tank VALUES ($1)", &params);
    let count = Statement::plain("SELECT count(*) FROM pumphouse.tank");
    let outcomes = connection.run(LIMITS, &[insert, count], deadline()).unwrap();
    assert!(outcomes[1].only().unwrap().i64(0).unwrap() > 0);
}

#[test]
fn calls_work_in_sessions_that_change_and_leave_no_state_in_them() {
    let pooler = Pooler::start(Postgres::shared());
    let database = fixture::database().0.name;
    let target = Target::parse(&pooler.url(&database)).unwrap();
    let mut connections: Vec<Connection> = (0..5).map(|_| connect(&target).unwrap()).collect();
    let create = ["CREATE SCHEMA pumphouse", "CREATE TABLE pumphouse.tank (name text)"];
    connections[0].run(LIMITS, &create.map(Statement::plain), deadline()).unwrap();
    // Two sessions, of which one transaction occupies one.
    let (first, others) = connections.split_first_mut().unwrap();
    let mut transaction = first.begin(LIMITS);
    let id = Statement::plain("SELECT pg_backend_pid()");
    let session =
        |outcomes: Vec<crate::postgres::Outcome>| outcomes[0].only().unwrap().i64(0).unwrap();
    let own = session(transaction.pipeline(&[id], deadline()).unwrap());
    for (number, connection) in others.iter_mut().enumerate() {
        add(connection, &number.to_string());
        assert_ne!(session(connection.pipeline(&[id], deadline()).unwrap()), own);
        let shown = Statement::plain("SELECT current_setting('statement_timeout')");
        let outcomes = connection.pipeline(&[shown], deadline()).unwrap();
        assert_eq!(outcomes[0].only().unwrap().text(0).unwrap(), "0");
        let error = connection.run(LIMITS, &[Statement::plain("SELECT 1 / 0")], deadline());
        assert_eq!(error.unwrap_err().sqlstate(), Some("22012"));
    }
    drop(transaction);
    add(first, "last");
    let outcomes = first
        .pipeline(&[Statement::plain("SELECT count(*) FROM pumphouse.tank")], deadline())
        .unwrap();
    assert_eq!(session(outcomes), 5);
}
