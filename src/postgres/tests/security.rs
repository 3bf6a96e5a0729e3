//! Encryption and authentication with a real server.

use hostile::postgres::Postgres;

use crate::postgres::fixture::{self, connect, deadline};
use crate::postgres::{Connection, PostgresError, Statement, Target};

fn is_encrypted(connection: &mut Connection) -> bool {
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let outcomes = connection.pipeline(&[Statement::plain(sql)], deadline()).unwrap();
    outcomes[0].only().unwrap().bool(0).unwrap()
}

#[test]
fn encryption_is_that_of_the_mode_and_of_what_the_server_demands() {
    let server = Postgres::shared();
    let database = fixture::database().0.name;
    let certificate = server.certificate();
    let copy = tempfile::tempdir().unwrap();
    let other = copy.path().join("other.crt");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&other, made.cert.pem()).unwrap();
    let mine = format!("&sslrootcert={}", certificate.display());
    let others = format!("&sslrootcert={}", other.display());
    let missing = "&sslrootcert=/nowhere/ca.pem";
    for (user, mode, roots, expected) in [
        ("pumphouse", "disable", "", Ok(false)),
        ("pumphouse", "allow", "", Ok(false)),
        ("pumphouse", "prefer", "", Ok(true)),
        ("pumphouse", "require", "", Ok(true)),
        ("pumphouse", "require", &mine, Ok(true)),
        ("pumphouse", "require", &others, Err("sslrootcert")),
        ("pumphouse", "verify-ca", &mine, Ok(true)),
        ("pumphouse", "verify-ca", &others, Err("sslrootcert")),
        ("pumphouse", "verify-full", &mine, Ok(true)),
        ("pumphouse", "verify-full", &others, Err("sslrootcert")),
        ("pumphouse", "verify-full", "&sslrootcert=system", Err("sslrootcert")),
        ("pumphouse", "verify-full", missing, Err("sslrootcert /nowhere/ca.pem")),
        ("only_tls", "disable", "", Err("28000")),
        ("only_tls", "allow", "", Ok(true)),
        ("only_tls", "prefer", "", Ok(true)),
        ("only_plain", "prefer", "", Ok(false)),
        ("only_plain", "require", "", Err("28000")),
    ] {
        let url = server.url(user, &database);
        let target = Target::parse(&format!("{url}?sslmode={mode}{roots}")).unwrap();
        let case = format!("{user} {mode} {roots}");
        match (connect(&target), expected) {
            (Ok(mut connection), Ok(expected)) => {
                assert_eq!(is_encrypted(&mut connection), expected, "{case}");
            }
            (Err(error), Err(part)) => {
                let text = error.to_string();
                assert!(text.contains(part) && !text.contains("tank level"), "{case}: {text}");
            }
            (other, _) => panic!("{case}: {other:?}"),
        }
    }
}

#[test]
fn methods_of_authentication_succeed_with_the_password_only() {
    let server = Postgres::shared();
    let database = fixture::database().0.name;
    for user in ["pumphouse", "by_md5", "in_clear"] {
        for mode in ["disable", "require"] {
            let url = format!("{}?sslmode={mode}", server.url(user, &database));
            let mut target = Target::parse(&url).unwrap();
            connect(&target).unwrap();
            target.set_password("wr0ng".to_owned());
            let error = connect(&target).unwrap_err();
            assert_eq!(error.sqlstate(), Some("28P01"), "{user} {mode}: {error}");
            assert!(!error.to_string().contains("wr0ng") && !error.is_transient());
        }
        let port = server.port();
        let target = Target::parse(&format!("postgresql://{user}@127.0.0.1:{port}/b")).unwrap();
        let PostgresError::Hosts(failures) = connect(&target).unwrap_err() else { panic!() };
        assert!(matches!(failures[0].error, PostgresError::Auth(_)), "{}", failures[0]);
    }
    let mut trusted = Target::parse(&server.url("trusted", "postgres")).unwrap();
    trusted.set_password("any".to_owned());
    connect(&trusted).unwrap();
}

#[test]
fn unix_socket_needs_neither_encryption_nor_password() {
    let database = fixture::database();
    let target = Target::parse(&database.0.socket_url).unwrap();
    assert!(!is_encrypted(&mut connect(&target).unwrap()));
    let absent = Target::parse("postgresql://a@/b?host=/nowhere").unwrap();
    let error = connect(&absent).unwrap_err().to_string();
    assert!(error.contains("/nowhere/.s.PGSQL.5432: No such file"), "{error}");
}
