//! Results and calls of unusual sizes and kinds.

use crate::postgres::fixture::{self, connect, deadline};
use crate::postgres::{Param, PostgresError, Statement, Target};

#[test]
fn ten_megabytes_pass_both_ways_at_once() {
    let database = fixture::database();
    let text = "Zisterne".repeat(12_500);
    let params = [Param::Text(&text)];
    let statements = [Statement::new("SELECT $1, $1", &params); 100];
    let tcp = &database.0.url;
    for url in [
        &format!("{tcp}?sslmode=disable"),
        &format!("{tcp}?sslmode=require"),
        &database.0.socket_url,
    ] {
        let mut connection = connect(&Target::parse(url).unwrap()).unwrap();
        let outcomes = connection.pipeline(&statements, deadline()).unwrap();
        assert_eq!(outcomes.len(), 100);
        for outcome in outcomes {
            let row = outcome.only().unwrap();
            assert!(row.text(0).unwrap() == text && row.text(1).unwrap() == text);
        }
    }
}

#[test]
fn statements_without_rows_and_empty_ones_have_outcomes() {
    let mut connection = fixture::database().connect();
    let statements = ["", "CREATE SCHEMA pumphouse", "SELECT", "SELECT 1 WHERE false"];
    let statements = statements.map(Statement::plain);
    let outcomes = connection.pipeline(&statements, deadline()).unwrap();
    let counts: Vec<_> =
        outcomes.iter().map(|outcome| (outcome.rows().len(), outcome.affected())).collect();
    assert_eq!(counts, [(0, 0), (0, 0), (1, 1), (0, 0)]);
    assert!(
        outcomes[3].rows().len() == 0
            && outcomes[3].first().is_none()
            && outcomes[3].only().is_err()
    );
    assert!(connection.pipeline(&[], deadline()).unwrap().is_empty());
}

#[test]
fn statement_that_cannot_be_sent_leaves_the_connection_usable() {
    let mut connection = fixture::database().connect();
    let many = vec![Param::I64(1); 65_536];
    for statement in [Statement::plain("SELECT '\0'"), Statement::new("SELECT 1", &many)] {
        let error = connection.pipeline(&[statement], deadline()).unwrap_err();
        assert!(matches!(error, PostgresError::Usage(_)), "{error}");
    }
    for (statement, state) in [
        (Statement::plain("SELEC 1"), "42601"),
        (Statement::plain("SELECT 1; SELECT 2"), "42601"),
        (Statement::plain("SELECT $1::bigint"), "08P01"),
        (Statement::new("SELECT $1", &[Param::Text("\0")]), "22021"),
        (Statement::new("SELECT $1::integer", &[Param::I64(i64::MAX)]), "22003"),
    ] {
        let error = connection.pipeline(&[statement], deadline()).unwrap_err();
        assert_eq!(error.sqlstate(), Some(state), "{error}");
    }
    connection.pipeline(&[Statement::plain("SELECT 1")], deadline()).unwrap();
    let copy = connection.pipeline(&[Statement::plain("COPY (SELECT 1) TO STDOUT")], deadline());
    assert!(matches!(copy, Err(PostgresError::Protocol(_))));
    assert!(connection.is_broken());
}
