//! `[store]`, and the names of replicas.

use std::time::Duration;

use super::*;
use crate::postgres::{RootCertificates, SslMode, Target};

const REPLICA: &str = "[server]\nreplica = \"a\"\n";
const URL: &str = "[store]\nurl = \"postgresql://pumphouse@db/pumphouse\"\n";

fn store(keys: &str) -> Result<Config, String> {
    read(&format!("{REPLICA}{URL}{keys}"))
}

#[test]
fn store_has_defaults_and_its_spool_replaces_the_file_of_the_history() {
    let config = store("").unwrap();
    assert_eq!(config.replica.as_str(), "a");
    let (store, history) = (config.store.unwrap(), config.history.unwrap());
    assert_eq!(store.target.to_string(), "postgresql://pumphouse@db:5432/pumphouse");
    assert_eq!((store.target.has_password(), store.spool_max), (false, 1 << 30));
    assert_eq!(store.target.ssl_mode(), SslMode::VerifyFull);
    assert_eq!(&*store.spool, Path::new("pumphouse.spool.db"));
    assert_eq!((&history.path, history.flush), (&store.spool, Duration::from_secs(1)));
    assert_eq!(history.keep_raw, History::default().keep_raw);
    assert_eq!(history.last_values(), Path::new("pumphouse.spool.last.json"));
    assert_eq!(history.sessions(), Path::new("pumphouse.spool.sessions.json"));
    assert_eq!(config.alert_file, Path::new("pumphouse.spool.alerts.db"));
    assert_eq!(read("").unwrap().history, Some(History::default()), "without a store");
}

#[test]
fn every_key_of_the_store_is_read() {
    let config = store(
        "password = \"${TOKEN}\"\nsslmode = \"verify-ca\"\nspool = \"/var/s.db\"\nspool_max = \"2MiB\"\n\
         [history]\nflush = \"3s\"\nkeep_raw = \"5d\"\nenabled = true\n",
    )
    .unwrap();
    let (store, history) = (config.store.unwrap(), config.history.unwrap());
    let url = "postgresql://pumphouse:s3cret@db/pumphouse?sslmode=verify-ca";
    assert_eq!(store.target, Target::parse(url).unwrap());
    assert_eq!((&*store.spool, store.spool_max), (Path::new("/var/s.db"), 2 << 20));
    assert_eq!((&*history.path, history.flush), (Path::new("/var/s.db"), Duration::from_secs(3)));
    assert_eq!(history.keep_raw, Some(Duration::from_secs(5 * 86_400)));
    assert_eq!(history.sessions(), Path::new("/var/s.sessions.json"));
}

#[test]
fn password_is_read_from_its_key_a_file_or_the_url_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "s3cret\n").unwrap();
    let file = file.display();
    for text in [
        format!("{URL}password = \"s3cret\"\n"),
        format!("{URL}password_file = \"{file}\"\n"),
        "[store]\nurl = \"postgresql://pumphouse:${TOKEN}@db/pumphouse\"\n".to_owned(),
        "[store]\nurl = \"postgresql://pumphouse@db/pumphouse?password=s3cret\"\n".to_owned(),
    ] {
        let config = read(&format!("{REPLICA}{text}")).unwrap();
        let expected = Target::parse("postgresql://pumphouse:s3cret@db/pumphouse").unwrap();
        assert_eq!(config.store.as_ref().unwrap().target, expected);
        assert!(!format!("{config:?}").contains("s3cret"), "{text}");
    }
}

#[test]
fn authorities_are_those_of_ca_file_or_of_the_system() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
        .unwrap();
    let with = |keys: &str| store(keys).unwrap();
    let of = |config: &Config| config.store.clone().unwrap();
    let system = of(&with(""));
    assert_eq!(system.target.root_certificates(), Some(RootCertificates::System));
    assert!(system.ca_certs.is_none());
    let keys = format!("ca_file = \"{}\"\n", file.display());
    let own = with(&keys);
    assert_eq!(of(&own).target.root_certificates(), Some(RootCertificates::File(file.clone())));
    assert_eq!(of(&own).ca_certs.unwrap().len(), 1);
    let warned = |config: &Config| config.warnings.iter().any(|text| text.contains("ca_file"));
    assert!(!warned(&own));
    assert!(warned(&with(&format!("sslmode = \"prefer\"\n{keys}"))), "nothing verifies by it");
    let twice = format!("[store]\nurl = \"postgresql://p@db/x?sslrootcert=system\"\n{keys}");
    let errors = read(&format!("{REPLICA}{twice}")).unwrap_err();
    assert!(errors.starts_with("p.toml:5:12: \"ca_file\" and sslrootcert of the url"), "{errors}");
}

#[test]
fn faults_of_the_store_are_reported_with_their_remedy() {
    for (text, expected) in [
        ("[store]\n".to_owned(), "p.toml:3:1: missing key \"url\" in [store]"),
        (
            "[store]\nurl = \"mysql://s3cret@db/x\"\n".to_owned(),
            "p.toml:4:1: \"url\" in [store]: not a URL such as postgresql://pumphouse@db/pumphouse",
        ),
        (
            "[store]\nurl = \"postgresql://p:12?s3cret=1@db/x\"\n".to_owned(),
            "p.toml:4:1: \"url\" has an \"@\" behind a \"?\" in [store]; write %40 and %3F",
        ),
        (
            "[store]\nurl = \"postgresql://p:s3cret/1@db/x\"\n".to_owned(),
            "p.toml:4:1: \"url\" in [store]: the URL names no user: write it before the host",
        ),
        (
            format!("{URL}sslmode = \"verify_full\"\n"),
            "p.toml:5:12: \"sslmode\": \"verify_full\" is unknown in [store]; did you mean \"verify-full\"?",
        ),
        (
            "[store]\nurl = \"postgresql://p@db/x?sslmode=disable\"\nsslmode = \"require\"\n"
                .to_owned(),
            "p.toml:5:12: \"sslmode\" is \"require\", but the url says sslmode=disable in [store]; remove one of them",
        ),
        (
            "[store]\nurl = \"postgresql://p:s3cret@db/x\"\npassword = \"x\"\n".to_owned(),
            "p.toml:5:1: \"password\" and the password in the url exclude each other in [store]; remove that of the url",
        ),
        (
            format!("{URL}password = \"x\"\npassword_file = \"/nowhere\"\n"),
            "p.toml:6:18: \"password\" and \"password_file\" exclude each other in [store]",
        ),
        (
            format!("{URL}password_file = \"/nowhere\"\n"),
            "p.toml:5:18: \"password_file\" in [store]: cannot read /nowhere",
        ),
        (
            format!("{URL}spool_max = \"1KiB\"\n"),
            "p.toml:5:14: \"spool_max\" must be between 1.0 MiB and 1.0 TiB in [store]; it is 1KiB",
        ),
        (
            format!("{URL}spol = \"x\"\n"),
            "p.toml:5:1: unknown key \"spol\" in [store]; did you mean \"spool\"?",
        ),
        (
            format!("{URL}[history]\npath = \"x.db\"\n"),
            "p.toml:6:1: \"path\" and [store] in line 3 exclude each other in [history]; the database is in place of the file: remove \"path\", or [store] to record in the file",
        ),
        (
            format!("{URL}[history]\nenabled = false\n"),
            "p.toml:6:11: \"enabled\" = false and [store] in line 3 exclude each other in [history]; remove \"enabled\", or [store] to record nothing",
        ),
        (
            format!("{URL}ca_file = \"${{NONE}}/ca.pem\"\n"),
            "p.toml:5:12: the environment variable NONE is not set",
        ),
        (
            "[stor]\nurl = \"postgresql://db/x\"\n".to_owned(),
            "p.toml:3:2: unknown key \"stor\" in the file; did you mean \"store\"?",
        ),
    ] {
        let errors = read(&format!("{REPLICA}{text}")).unwrap_err();
        assert!(errors.starts_with(expected), "{text}: {errors}");
        assert!(!errors.contains("s3cret"), "{errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
}

#[test]
fn replica_has_a_short_plain_name_and_needs_a_store() {
    for (name, advice) in
        [("pump a", "pump-a"), ("+", "a"), ("a/b", "a-b"), (&*"x".repeat(64), &*"x".repeat(63))]
    {
        let errors = read(&format!("[server]\nreplica = \"{name}\"\n{URL}")).unwrap_err();
        let expected = format!(
            "p.toml:2:12: \"replica\" must have 1 to 63 letters, digits, dots, underscores and dashes in [server]; write replica = \"{advice}\""
        );
        assert!(errors.starts_with(&expected), "{name}: {errors}");
    }
    let alone = read(REPLICA).unwrap();
    assert!(alone.warnings.iter().any(|warning| warning.contains("[store]")), "{alone:?}");
    assert!(read("").unwrap().warnings.iter().all(|warning| !warning.contains("[store]")));
    assert!(!Replica::of_host().as_str().is_empty());
}

#[test]
fn socket_on_the_path_of_the_spool_is_reported() {
    let text = format!("[server]\nreplica = \"a\"\nlisten = [\"unix:pumphouse.spool.db\"]\n{URL}");
    let errors = read(&text).unwrap_err();
    assert!(errors.contains("has the path of a file of [history]"), "{errors}");
}
