//! Several hosts.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Instant;

use hostile::postgres::{PASSWORD, Postgres, USER};

use crate::outbound::ThreadedResolver;
use crate::outbound::blackhole::Blackhole;
use crate::postgres::fixture::{self, AMPLE, connect, deadline};
use crate::postgres::{Connection, PostgresError, PostgresTls, Statement, Target};

fn refusing_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn target(hosts: &str, database: &str, query: &str) -> Target {
    let password = PASSWORD.replace(' ', "%20");
    Target::parse(&format!("postgresql://{USER}:{password}@{hosts}/{database}?{query}")).unwrap()
}

#[test]
fn hosts_that_refuse_or_are_silent_are_followed_by_the_next() {
    let database = fixture::database();
    let port = Postgres::shared().port();
    let hole = Blackhole::new();
    let refusing = refusing_port();
    let hosts = format!("127.0.0.1:{refusing},{},127.0.0.1:{port}", hole.address);
    // The silent host has a second, however much time is left.
    let target = target(&hosts, &database.0.name, "connect_timeout=1");
    let connection = connect(&target).unwrap();
    assert_eq!(connection.host(), format!("127.0.0.1:{port}"));
    assert!(connection.version() >= 130_000);
}

#[test]
fn silent_host_takes_its_share_of_the_time_only() {
    let hole = Blackhole::new();
    let hosts = format!("{},127.0.0.1:{}", hole.address, refusing_port());
    let target = target(&hosts, "b", "");
    let tls = PostgresTls::load(&target).unwrap();
    let begun = Instant::now();
    let time = std::time::Duration::from_millis(600);
    let error =
        Connection::connect(&target, &ThreadedResolver::system(), &tls, begun + time).unwrap_err();
    assert!(begun.elapsed() >= time / 2 && begun.elapsed() < AMPLE);
    let PostgresError::Hosts(failures) = &error else { panic!("{error}") };
    assert!(matches!(failures[0].error, PostgresError::Timeout(_)), "{error}");
    // The second one was tried, within its half.
    assert!(matches!(failures[1].error, PostgresError::Connect(_)), "{error}");
    assert!(error.to_string().contains("Connection refused") && error.is_transient());
    assert!(!error.to_string().contains(PASSWORD));
}

#[test]
fn server_that_accepts_no_writes_is_used_for_any_session_only() {
    let database = fixture::database();
    let server = Postgres::shared();
    let name = &database.0.name;
    server
        .psql("postgres", &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    let hosts = format!("127.0.0.1:{}", server.port());
    let error = connect(&target(&hosts, name, "")).unwrap_err();
    assert!(error.to_string().contains("accepts no writes") && error.is_transient(), "{error}");
    connect(&target(&hosts, name, "target_session_attrs=any")).unwrap();
}

#[test]
fn write_that_a_server_refuses_as_read_only_breaks_the_connection() {
    let mut connection = fixture::database().connect();
    let read_only = Statement::plain("SELECT set_config('transaction_read_only', 'on', true)");
    let write = Statement::plain("CREATE TABLE tank ()");
    let error = connection.pipeline(&[read_only, write], deadline()).unwrap_err();
    assert!(matches!(error, PostgresError::ReadOnly(_)) && error.is_transient(), "{error}");
    assert_eq!(error.sqlstate(), Some("25006"));
    assert!(connection.is_broken());
}
