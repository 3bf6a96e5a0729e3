use std::time::Duration;

use super::*;

/// Returns the parts of a URL in one line.
fn shown(url: &str) -> String {
    match Target::parse(url) {
        Ok(target) => {
            let mode: &str = target.ssl_mode.into();
            let session: &str = target.session.into();
            let password = target.password.as_ref().map_or("-", |password| password.expose());
            format!("{target} {password} {mode} {session}")
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn urls_have_the_parts_of_libpq() {
    for (url, parts) in [
        ("postgresql://a@db", "postgresql://a@db:5432/a - verify-full read-write"),
        ("postgres://a@db/", "postgresql://a@db:5432/a - verify-full read-write"),
        ("postgresql://a:p%40%3a@db:1/b", "postgresql://a@db:1/b p@: verify-full read-write"),
        (
            "postgresql://a@h1:5432,h2:5433,[::1]:5434/b",
            "postgresql://a@h1:5432,h2:5433,[::1]:5434/b - verify-full read-write",
        ),
        ("postgresql://a@[::1]/b", "postgresql://a@[::1]:5432/b - prefer read-write"),
        (
            "postgresql://a@localhost,127.8.9.1/b",
            "postgresql://a@localhost:5432,127.8.9.1:5432/b - prefer read-write",
        ),
        (
            "postgresql://a@localhost,db/b",
            "postgresql://a@localhost:5432,db:5432/b - verify-full read-write",
        ),
        (
            "postgresql:///b?host=/run/postgresql&user=a",
            "postgresql://a@/run/postgresql/.s.PGSQL.5432/b - prefer read-write",
        ),
        (
            "postgresql://a@%2Frun%2Fpostgresql:5433/b",
            "postgresql://a@/run/postgresql/.s.PGSQL.5433/b - prefer read-write",
        ),
        (
            "postgresql://x@y/z?host=h1,h2&port=1,2&dbname=b&user=a&password=%26&sslmode=require\
             &target_session_attrs=any",
            "postgresql://a@h1:1,h2:2/b & require any",
        ),
        ("postgresql://a@h1,h2/b?port=7", "postgresql://a@h1:7,h2:7/b - verify-full read-write"),
        (
            "postgresql://a%20b@db/c%2Fd?sslmode=verify-ca&target_session_attrs=primary",
            "postgresql://a b@db:5432/c/d - verify-ca primary",
        ),
        (
            "postgresql://a@db/%C3%BC?sslmode=disable",
            "postgresql://a@db:5432/ü - disable read-write",
        ),
    ] {
        assert_eq!(shown(url), parts, "{url}");
    }
    let target = Target::parse("postgresql://a@db/b?application_name=w&connect_timeout=3").unwrap();
    assert_eq!(target.application_name, "w");
    assert_eq!(target.connect_timeout, Some(Duration::from_secs(3)));
}

#[test]
fn wrong_urls_are_refused_without_their_secrets() {
    for (url, part) in [
        ("mysql://a:s3cret@db/b", "not a URL such as postgresql://"),
        ("postgresql:/a:s3cret@db/b", "not a URL such as postgresql://"),
        ("postgresql://db/b", "names no user"),
        ("postgresql://:s3cret@db/b", "names no user"),
        ("postgresql://a:s3cret@/b", "names no host"),
        ("postgresql://a:s3cret@h1,,h2/b", "host 2 of the URL"),
        ("postgresql://a:s3cret@[::1/b", "host 1 of the URL"),
        ("postgresql://a:s3cret@[::1]x/b", "host 1 of the URL"),
        ("postgresql://a:s3cret@h:x/b", "the port of host 1"),
        ("postgresql://a:s3cret@h1,h2:65536/b", "the port of host 2"),
        ("postgresql://a:s3cret@h:0/b", "the port of host 1"),
        ("postgresql://a:s3cret/x@h/b", "names no user"),
        ("postgresql://a:x?s3cret=y@h/b", "names no user"),
        ("postgresql://a:x?s3cret@h/b", "has no value"),
        ("postgresql://a:s3cret%@h/b", "the password of the URL has a wrong escape"),
        ("postgresql://a:s3cret%ff@h/b", "the password of the URL has a wrong escape"),
        ("postgresql://a:s3cret%00@h/b", "the password of the URL contains the character NUL"),
        ("postgresql://a:s3cret@h/b?ssl_mode=x", "did you mean \"sslmode\"?"),
        ("postgresql://a:s3cret@h/b?options=x", "unknown parameter \"options\": known are"),
        ("postgresql://a:s3cret@h/b?sslmode=verify_full", "did you mean \"verify-full\"?"),
        (
            "postgresql://a:s3cret@h/b?target_session_attrs=readwrite",
            "did you mean \"read-write\"?",
        ),
        ("postgresql://a:s3cret@h/b?connect_timeout=-1", "a number of seconds"),
        ("postgresql://a:s3cret@h/b?sslmode", "has no value"),
        ("postgresql://a:s3cret@h1,h2/b?port=1,2,3", "has 3 ports for 2 hosts"),
    ] {
        let error = Target::parse(url).unwrap_err().to_string();
        assert!(error.contains(part), "{url}: {error}");
        assert!(!error.contains("s3cret"), "{url}: {error}");
    }
}

#[test]
fn target_shows_its_password_nowhere() {
    let mut target = Target::parse("postgresql://a:s3cret@db/b").unwrap();
    assert!(!format!("{target} {target:?}").contains("s3cret"));
    target.set_password("0ther".to_owned());
    assert!(target.has_password());
    assert!(!format!("{target} {target:?}").contains("0ther"));
}

#[test]
fn relative_path_of_certificates_starts_at_the_folder() {
    let mut target = Target::parse("postgresql://a@db/b?sslrootcert=ca.pem").unwrap();
    target.resolve_paths(Path::new("/etc/pumphouse"));
    let expected = Some(RootCertificates::File("/etc/pumphouse/ca.pem".into()));
    assert_eq!(target.root_certificates(), expected);
    target.resolve_paths(Path::new("/other"));
    assert_eq!(target.root_certificates(), expected);
}

#[test]
fn servers_are_verified_by_the_mode_and_the_certificates() {
    let file = || Some(RootCertificates::File("/ca.pem".into()));
    for (query, roots) in [
        ("", Some(RootCertificates::System)),
        ("?sslmode=require", None),
        ("?sslmode=prefer&sslrootcert=/ca.pem", None),
        ("?sslmode=require&sslrootcert=/ca.pem", file()),
        ("?sslmode=verify-ca&sslrootcert=/ca.pem", file()),
        ("?sslrootcert=system", Some(RootCertificates::System)),
        ("?sslmode=verify-full&host=/run/postgresql", None),
    ] {
        let target = Target::parse(&format!("postgresql://a@db/b{query}")).unwrap();
        assert_eq!(target.root_certificates(), roots, "{query}");
    }
}
