//! `[auth]` in files, and the errors of faulty ones.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::access::{PasswordHash, TokenHash};
use crate::config::{Config, parse, parse_to_serve};

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$LCBBDyN4mGdrzmYpAZn3ag";
const WEAK: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$LCBBDyN4mGdrzmYpAZn3ag";

fn sha256() -> String {
    TokenHash::of("abc").expose()
}

fn environment(name: &str) -> Option<String> {
    (name == "HASH").then(|| HASH.to_owned())
}

fn read(text: &str) -> Result<Config, String> {
    parse(Path::new("p.toml"), text, &environment).map_err(|errors| errors.to_string())
}

fn restricted(config: &Config) -> &Restricted {
    match &config.auth.rules.admission {
        Admission::Restricted(restricted) => restricted,
        Admission::Open => panic!("no accounts"),
    }
}

#[test]
fn every_key_is_read() {
    let config = read(&format!(
        "[server]\nnames = [\"Tank.example\", \"192.0.2.7\"]\nhsts = \"30d\"\n\
         [auth]\npublic = [\"/\", \"/ping\"]\nremember = \"1m\"\nverifications = 1\n\
         failures_per_address = 3\nfailures_per_account = 9\nfirst_delay = \"2s\"\n\
         longest_delay = \"1h\"\nmax_throttled = 100\nstrangers_per_second = 7\n\
         session = \"90d\"\ncors_origins = [\"https://home.example\"]\n\
         [[auth.user]]\nname = \"anna\"\npassword_hash = \"${{HASH}}\"\n\
         [[auth.user]]\nname = \"bert\"\npassword_hash = \"{HASH}\"\nscopes = [\"read\", \"poll\"]\n\
         [[auth.token]]\nname = \"cron\"\nsha256 = \"{}\"\nscopes = [\"admin\"]\n",
        sha256()
    ))
    .unwrap();
    let rules = &config.auth.rules;
    assert!(config.auth.is_configured);
    let names: Vec<String> = rules.names.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["tank.example", "192.0.2.7"]);
    assert_eq!(rules.hsts, Some(Duration::from_secs(30 * 86_400)));
    assert_eq!(rules.cors_origins, ["https://home.example".parse().unwrap()]);
    let Restricted { users, tokens, public, limits } = restricted(&config);
    assert_eq!(public, &["/", "/ping"]);
    let scopes: Vec<String> =
        users.iter().map(|user| format!("{}: {}", user.name, user.scopes)).collect();
    assert_eq!(scopes, ["anna: read", "bert: read, poll"]);
    let hash: PasswordHash = HASH.parse().unwrap();
    assert!(users.iter().all(|user| user.password_hash == hash));
    assert_eq!((&*tokens[0].name, tokens[0].scopes.to_string()), ("cron", "admin".to_owned()));
    assert_eq!(tokens[0].hash, TokenHash::of("abc"));
    let expected = Limits {
        remember: Duration::from_secs(60),
        verifications: 1,
        failures_per_address: 3,
        failures_per_account: 9,
        first_delay: Duration::from_secs(2),
        longest_delay: Duration::from_secs(3600),
        max_throttled: 100,
        strangers_per_second: 7,
        session: Duration::from_secs(90 * 86_400),
    };
    assert_eq!(*limits, expected);
    // The names of documents are placeholders.
    let is_expected =
        |warning: &String| warning.contains("[[source]]") || warning.contains("the example's");
    assert!(config.warnings.iter().all(is_expected), "{:?}", config.warnings);
    let shown = format!("{config:?}");
    assert!(!shown.contains("argon2") && !shown.contains(&sha256()), "{shown}");
}

#[test]
fn absent_keys_have_defaults() {
    let config =
        read(&format!("[auth]\n[[auth.token]]\nname = \"cron\"\nsha256 = \"{}\"\n", sha256()))
            .unwrap();
    let restricted = restricted(&config);
    assert_eq!(restricted.public, ["/ping", "/healthz"]);
    assert_eq!(restricted.limits, Limits::default());
    assert_eq!(restricted.tokens[0].scopes, Scopes::default());
    assert_eq!(config.auth.rules.hsts, Some(Duration::from_secs(365 * 86_400)));
    assert_eq!(read("[server]\nhsts = \"off\"\n").unwrap().auth.rules.hsts, None);
    for (text, is_configured) in [("", false), ("[auth]\n", false), ("[auth]\nopen = true\n", true)]
    {
        let config = read(text).unwrap();
        assert!(matches!(config.auth.rules.admission, Admission::Open), "{text}");
        assert_eq!(config.auth.is_configured, is_configured, "{text}");
    }
}

#[test]
fn verifications_leave_a_worker_free() {
    for (workers, verifications) in [(1, 1), (2, 1), (3, 2), (8, 2)] {
        let config = read(&format!(
            "[server]\nworkers = {workers}\n[[auth.token]]\nname = \"a\"\nsha256 = \"{}\"\n",
            sha256()
        ));
        let config = config.unwrap();
        assert_eq!(restricted(&config).limits.verifications, verifications, "{workers}");
    }
}

#[test]
fn weak_hash_and_useless_key_are_warned_of() {
    let warnings_of = |text: &str| read(text).unwrap().warnings.join("\n");
    let weak = format!("[[auth.user]]\nname = \"anna\"\npassword_hash = \"{WEAK}\"\n");
    assert!(
        warnings_of(&weak).contains("user \"anna\" is cheap to attack"),
        "{}",
        warnings_of(&weak)
    );
    let useless = "[auth]\nopen = true\npublic = [\"/\"]\n";
    assert!(
        warnings_of(useless).contains("\"public\" in [auth] has no effect"),
        "{}",
        warnings_of(useless)
    );
}

#[test]
fn tokens_beside_open_are_for_the_admin_listener() {
    for (scope, is_warned) in [("alert", false), ("admin", false), ("read", true)] {
        let file = format!(
            "[auth]\nopen = true\n[[auth.token]]\nname = \"phone\"\nsha256 = \"{}\"\nscopes = [\"{scope}\"]\n",
            sha256()
        );
        let config = read(&file).unwrap();
        let rules = &config.auth.rules;
        assert!(matches!(rules.admission, Admission::Open), "{scope}");
        assert_eq!(rules.admin_tokens.len(), 1);
        let warnings = config.warnings.join("\n");
        assert_eq!(warnings.contains("\"phone\" has no effect"), is_warned, "{warnings}");
    }
}

#[test]
fn credentials_without_tls_are_warned_of() {
    let user = format!("[[auth.user]]\nname = \"a\"\npassword_hash = \"{HASH}\"\n");
    let tls = "[tls]\ncert = \"c\"\nkey = \"k\"\n";
    let here = "[server]\nlisten = [\"127.0.0.1:0\"]\n";
    for (file, is_warned) in [
        (user.clone(), true),
        (format!("{tls}{user}"), false),
        (format!("{here}{user}"), false),
        ("[auth]\nopen = true\n".to_owned(), false),
    ] {
        let config = parse_to_serve(Path::new("p.toml"), &file, &environment, &[]).unwrap();
        assert_eq!(config.warnings.join("\n").contains("in clear"), is_warned, "{file}");
    }
}

#[test]
fn hashes_are_read_from_files() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{HASH}\n")).unwrap();
    let path = file.path().display();
    let user = |key: &str| format!("[[auth.user]]\nname = \"anna\"\n{key}\n");
    assert!(read(&user(&format!("password_hash_file = \"{path}\""))).is_ok());
    std::fs::write(file.path(), "hunter2hunter2").unwrap();
    let error = read(&user(&format!("password_hash_file = \"{path}\""))).unwrap_err();
    assert!(error.starts_with("p.toml:3:1: \"password_hash\": must be an argon2id"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

/// Faulty files, each with the beginning of its first error.
const WRONG: &[(&str, &str)] = &[
    (
        "[auth]\nopen = true\n[[auth.user]]\nname = \"a\"\npassword_hash = \"HASH\"\n",
        "p.toml:2:8: \"open = true\" lets every client read, which excludes [[auth.user]] in [auth]; remove one or the other",
    ),
    (
        "[auth]\nopen = false\n",
        "p.toml:2:8: \"open = false\" without [[auth.user]] or [[auth.token]] refuses every client in [auth]; add one",
    ),
    ("[auth]\nopne = true\n", "p.toml:2:1: unknown key \"opne\" in [auth]; did you mean \"open\"?"),
    (
        "[auth]\npublic = [\"/pnig\"]\n",
        "p.toml:2:12: \"public\": \"/pnig\" is not a route in [auth]; did you mean \"/ping\"?",
    ),
    (
        "[auth]\npublic = [\"/api/v1/sources/tank\"]\n",
        "p.toml:2:12: \"public\": \"/api/v1/sources/tank\" is not a route in [auth]; did you mean \"/api/v1/sources\"?",
    ),
    (
        "[[auth.user]]\nname = \"a\"\npassword_hash = \"hunter2\"\n",
        "p.toml:3:1: \"password_hash\": must be an argon2id hash such as \"$argon2id$v=19$m=19456,t=2,p=1$…\" in [[auth.user]] \"a\"; `pumphouse-web hash-password` makes one",
    ),
    (
        "[[auth.user]]\nname = \"a\"\n",
        "p.toml:1:1: missing key \"password_hash\" in [[auth.user]] \"a\"",
    ),
    (
        "[[auth.user]]\nname = \"a:b\"\npassword_hash = \"HASH\"\n",
        "p.toml:2:9: \"name\" must have 1 to 128 bytes, no colon and no control character in [[auth.user]] \"a:b\"",
    ),
    (
        "[[auth.user]]\nname = \"a\"\npassword_hash = \"HASH\"\n[[auth.user]]\nname = \"a\"\npassword_hash = \"HASH\"\n",
        "p.toml:5:9: the name \"a\" is taken by another user in [[auth.user]] \"a\"",
    ),
    (
        "[[auth.user]]\nname = \"a\"\npassword_hash = \"HASH\"\nscopes = [\"raed\"]\n",
        "p.toml:4:12: \"scopes\": \"raed\" is unknown in [[auth.user]] \"a\"; did you mean \"read\"?",
    ),
    (
        "[[auth.token]]\nname = \"a\"\nsha256 = \"pumphouse_x\"\n",
        "p.toml:3:11: \"sha256\": is a token, but must be the SHA-256 of one in [[auth.token]] \"a\";",
    ),
    (
        "[[auth.token]]\nname = \"a\"\nsha256 = \"abc\"\n",
        "p.toml:3:11: \"sha256\": must be the 64 hexadecimal digits",
    ),
    (
        "[auth]\ncors_origins = [\"*\"]\n",
        "p.toml:2:18: \"cors_origins\": \"*\" would let every site read",
    ),
    (
        "[auth]\nverifications = 0\n",
        "p.toml:2:17: \"verifications\" must be between 1 and 64 in [auth]",
    ),
    (
        "[server]\nnames = [\"tank.example:6443\"]\n",
        "p.toml:2:11: \"names\": \"tank.example:6443\" is not a host name such as \"tank.example\"",
    ),
    ("[server]\nhsts = \"on\"\n", "p.toml:2:9: \"hsts\" must be a duration such as"),
];

#[test]
fn faulty_key_is_reported_with_its_position_and_without_secrets() {
    for (text, expected) in WRONG {
        let filled = text.replace("HASH", HASH).replace("SHA", &sha256());
        let error = read(&filled).expect_err(text);
        let first = error.lines().next().unwrap_or_default();
        assert!(first.starts_with(expected), "{text}\nhas the error\n{error}\nnot\n{expected}");
        assert!(!error.contains("hunter2") && !error.contains("pumphouse_x"), "{error}");
    }
}

/// As access is then unknown, the file is not reported as without any.
#[test]
fn misspelt_or_faulty_key_of_access_is_reported_once() {
    for (file, expected) in [
        ("[server]\nlsten = [\"127.0.0.1:7443\"]\n", "did you mean \"listen\"?"),
        ("[servr]\nlisten = [\"127.0.0.1:7443\"]\n", "did you mean \"server\"?"),
        ("[auht]\nopen = true\n", "did you mean \"auth\"?"),
        ("[auth]\nopne = true\n", "did you mean \"open\"?"),
        ("[[auth.usr]]\nname = \"a\"\n", "did you mean \"user\"?"),
        ("[auth]\nopen = \"yes\"\n", "must be true or false"),
    ] {
        let errors = parse_to_serve(Path::new("p.toml"), file, &environment, &[]).unwrap_err();
        let errors = errors.to_string();
        assert_eq!(errors.lines().count(), 1, "{file}: {errors}");
        assert!(errors.contains(expected), "{file}: {errors}");
    }
    // Another key does not decide on access.
    for file in ["[server]\nwrkers = 4\n", "[soruce]\n", "[server]\nlisten = []\nlsten = []\n"] {
        let errors = parse_to_serve(Path::new("p.toml"), file, &environment, &[]).unwrap_err();
        assert_eq!(errors.to_string().lines().count(), 2, "{file}: {errors}");
    }
}

#[test]
fn listen_with_an_error_is_not_also_reported_as_open() {
    for listen in ["\"127.0.0.1:7443\"", "7443", "[\"6443\"]"] {
        let file = format!("[server]\nlisten = {listen}\n");
        let errors = parse_to_serve(Path::new("p.toml"), &file, &environment, &[]).unwrap_err();
        let errors = errors.to_string();
        assert_eq!(errors.lines().count(), 1, "{file}: {errors}");
        assert!(errors.contains("\"listen\"") && !errors.contains("[auth]"), "{file}: {errors}");
    }
}

#[test]
fn address_that_other_machines_reach_requires_auth() {
    let user = format!("[[auth.user]]\nname = \"a\"\npassword_hash = \"{HASH}\"\n");
    let token = format!("[[auth.token]]\nname = \"a\"\nsha256 = \"{}\"\n", sha256());
    let here = "[server]\nlisten = [\"127.0.0.1:0\", \"[::1]:0\", \"unix:/run/x\"]\n";
    let there = "[server]\nlisten = [\"127.0.0.1:0\", \"0.0.0.0:0\"]\n";
    for (file, listen, place) in [
        ("", &[][..], Some("1:1: without \"listen\" in [server], 0.0.0.0:6443 ")),
        (here, &[], None),
        (there, &[], Some("2:1: \"listen\" in [server]: 0.0.0.0:0 ")),
        ("[server]\nlisten = [\"fd:0\"]\n", &[], Some("2:1: \"listen\" in [server]: fd:0 ")),
        (there, &["127.0.0.1:0", "unix:/run/x"], None),
        ("", &["localhost:0"], None),
        (here, &["[::]:0"], Some("2:1: --listen [::]:0 ")),
        ("", &["192.0.2.7:0"], Some("1:1: --listen 192.0.2.7:0 ")),
        ("", &["fd:0"], Some("1:1: --listen fd:0 ")),
        ("[auth]\ncors_origins = []\n", &[], Some("1:1: without ")),
        ("[auth]\nopen = true\n", &["0.0.0.0:0"], None),
        (&user, &[], None),
        (&token, &["fd:0"], None),
    ] {
        let listen: Vec<ListenAddr> =
            listen.iter().map(|address| address.parse().unwrap()).collect();
        assert!(read(file).is_ok(), "reading it needs no [auth]: {file}");
        let served = parse_to_serve(Path::new("p.toml"), file, &environment, &listen);
        match (served, place) {
            (Ok(config), None) if !listen.is_empty() => assert_eq!(config.server.listen, listen),
            (Ok(_), None) => {}
            (Err(errors), Some(place)) => {
                let error = errors.to_string();
                assert!(error.starts_with(&format!("p.toml:{place}")), "{file}: {error}");
                for way in ["[[auth.user]]", "[[auth.token]]", "\"open = true\"", "127.0.0.1"] {
                    assert!(error.contains(way), "{way} is not in {error}");
                }
            }
            (outcome, place) => panic!("{file} {listen:?}: {place:?} {:?}", outcome.err()),
        }
    }
}
