//! A real server that is stopped, killed and started again.

use std::time::{Duration, Instant};

use hostile::postgres::Postgres;

use crate::outbound::ThreadedResolver;
use crate::postgres::fixture::{AMPLE, connect, deadline};
use crate::postgres::{Connection, Phase, PostgresError, PostgresTls, Statement, Target};

const SHORT: Duration = Duration::from_millis(300);

const SELECT: Statement<'static> = Statement { sql: "SELECT 1", params: &[] };

#[test]
fn stopped_killed_and_restarted_server_ends_calls_in_time_and_serves_again() {
    let server = Postgres::start();
    let database = server.database();
    let target = Target::parse(&database.url).unwrap();
    let tls = PostgresTls::load(&target).unwrap();
    let resolver = ThreadedResolver::system();

    let mut connection = connect(&target).unwrap();
    server.pause();
    let begun = Instant::now();
    let error = connection.pipeline(&[SELECT], begun + SHORT).unwrap_err();
    assert_eq!(error, PostgresError::Timeout(Phase::Receive));
    assert!(error.is_transient() && connection.is_broken());
    // The kernel accepts the connection.
    let error = Connection::connect(&target, &resolver, &tls, Instant::now() + SHORT).unwrap_err();
    assert!(error.to_string().contains("while encrypting the connection"), "{error}");
    let socket = Target::parse(&database.socket_url).unwrap();
    let error = Connection::connect(&socket, &resolver, &tls, Instant::now() + SHORT).unwrap_err();
    assert!(error.to_string().contains("while authenticating"), "{error}");
    assert!(begun.elapsed() >= 3 * SHORT && begun.elapsed() < AMPLE);
    server.resume();
    let mut connection = connect(&target).unwrap();
    connection.pipeline(&[SELECT], deadline()).unwrap();

    for end in [Postgres::stop, Postgres::kill] {
        end(&server);
        let error = connection.pipeline(&[SELECT], deadline()).unwrap_err();
        assert!(error.is_transient() && connection.is_broken(), "{error}");
        let error = connect(&target).unwrap_err();
        assert!(error.to_string().contains("Connection refused"), "{error}");
        server.restart();
        connection = connect(&target).unwrap();
        connection.pipeline(&[SELECT], deadline()).unwrap();
    }
}
