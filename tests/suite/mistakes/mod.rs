//! Mistakes of operators, each with the lines that `check` prints about it: position, cause and remedy.
//!
//! `DIR` stands for the folder in which `check` runs.

mod certificates;
mod configurations;
mod history;
mod history_rights;
mod renewal;
mod special_files;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use hostile::certificates::{Issued, Years, issued};
use rcgen::KeyPair;

use crate::server::BINARY;
use certificates::{PRELUDE, certificates};
use configurations::configurations;

/// A mistake, and what `check` says.
struct Mistake {
    name: &'static str,
    /// The configuration, or the commands that make the certificate.
    file: &'static str,
    /// Lines of the error or, if `check` succeeds, its notes.
    says: &'static [&'static str],
}

/// Mistakes about which `check` says something else.
#[derive(Default)]
struct Report(Vec<String>);

impl Report {
    fn compare(&mut self, mistake: &Mistake, said: &[String]) {
        let Mistake { name, file, says } = mistake;
        if said != *says {
            self.0.push(format!("{name}\n{file}\nsays {said:#?}\nnot {says:#?}"));
        }
    }

    fn finish(self) {
        assert!(self.0.is_empty(), "{} differ:\n{}", self.0.len(), self.0.join("\n\n"));
    }
}

/// Last line about a file that is not TOML.
const NOT_TOML: &str =
    "p.toml: the rest of the file is not checked before it is TOML; correct these first";

/// Runs `check` in a folder. Returns its errors, or else its notes, in lines.
fn check(folder: &Path) -> Vec<String> {
    let output = Command::new(BINARY)
        .args(["check", "p.toml"])
        .current_dir(folder)
        .envs([("EMPTY", ""), ("HOME", "/home/anna"), ("TOKEN", "t0kenvalue"), ("TZ", "UTC")])
        .env_remove("NOT_SET")
        .output()
        .unwrap();
    let (errors, text) = (lossy(&output.stderr), lossy(&output.stdout));
    assert_eq!(output.status.success(), errors.is_empty(), "{text}{errors}");
    let dir = folder.to_str().unwrap();
    let lines = match errors.strip_prefix("pumphouse-web: ") {
        Some(errors) => errors.lines().collect::<Vec<_>>(),
        None => text.lines().filter(|line| line.starts_with("note: ")).collect(),
    };
    let lines = lines.into_iter().filter(|line| !line.contains("the dashboard is empty"));
    lines.map(|line| line.replace(dir, "DIR")).collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn write(folder: &Path, bytes: &[u8]) {
    let path = folder.join("p.toml");
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

#[test]
fn mistaken_configuration_is_reported_by_position_cause_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    std::fs::write(folder.path().join("empty"), "\n").unwrap();
    std::fs::write(folder.path().join("utf16"), "t\0o\0k\0e\0n\0").unwrap();
    let mut report = Report::default();
    for mistake in configurations() {
        let file = mistake.file;
        let auth = if file.contains("[auth") { "" } else { "[auth]\nopen = true\n" };
        write(folder.path(), format!("{file}{auth}").as_bytes());
        let mut said = check(folder.path());
        said.retain(|line| line != NOT_TOML);
        report.compare(mistake, &said);
    }
    report.finish();
    assert!(configurations().count() + certificates().count() >= 150);
}

#[test]
fn thousands_of_errors_are_counted_and_not_listed() {
    let folder = tempfile::tempdir().unwrap();
    let keys: String = (0..20_000).map(|n| format!("no_such_{n} = 1\n")).collect();
    write(folder.path(), format!("{keys}[auth]\nopen = true\n").as_bytes());
    let said = check(folder.path());
    assert_eq!(said.len(), 101);
    assert_eq!(said[100], "p.toml: 19900 more are not listed; correct these first");
}

#[test]
fn file_that_is_not_toml_is_reported_as_unchecked() {
    let folder = tempfile::tempdir().unwrap();
    let faulty = |lines: usize| -> Vec<String> {
        let lines: String = (0..lines).map(|n| format!("key_{n} = text\n")).collect();
        write(folder.path(), format!("lisen = 1\n{lines}[auth]\nopen = true\n").as_bytes());
        check(folder.path())
    };
    let said = faulty(1);
    assert!(said.len() == 2 && said[0].starts_with("p.toml:2:9: "), "{said:?}");
    assert_eq!(said[1], NOT_TOML);
    let said = faulty(112);
    assert_eq!(said.len(), 102);
    assert!(said[99].starts_with("p.toml:101:"), "{}", said[99]);
    assert_eq!(said[100], "p.toml: 12 more are not listed; correct these first");
    assert_eq!(said[101], NOT_TOML);
    let said = faulty(0);
    assert!(said.len() == 1 && said[0].contains("unknown key \"lisen\""), "{said:?}");
}

#[test]
fn file_in_another_encoding_is_reported_by_its_first_byte() {
    let folder = tempfile::tempdir().unwrap();
    let utf16 = |text: &str, order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    };
    let wide = |encoding| {
        format!(
            "p.toml:1:1: the file is {encoding}, and must be UTF-8; store it as UTF-8, or: iconv -f \
             {encoding} -t UTF-8"
        )
    };
    for (bytes, expected) in [
        (
            b"[site]\ntitle = \"Br\xfcnnen\"\n".to_vec(),
            "p.toml:2:12: the byte 0xfc is not UTF-8, probably Latin-1 or Windows-1252 (\"ü\"); store the \
             file as UTF-8, or: iconv -f WINDOWS-1252 -t UTF-8"
                .to_owned(),
        ),
        (utf16("\u{feff}[site]\n", u16::to_le_bytes), wide("UTF-16LE")),
        (utf16("\u{feff}[site]\n", u16::to_be_bytes), wide("UTF-16BE")),
        (utf16("[site]\n", u16::to_le_bytes), wide("UTF-16LE")),
        (utf16("[site]\n", u16::to_be_bytes), wide("UTF-16BE")),
        (b"\xff\xfe\0\0[\0\0\0".to_vec(), wide("UTF-32")),
        (
            "\u{feff}[site]\ntitel = \"x\"\n[auth]\nopen = true\n".as_bytes().to_vec(),
            "p.toml:2:1: unknown key \"titel\" in [site]; did you mean \"title\"?".to_owned(),
        ),
    ] {
        write(folder.path(), &bytes);
        assert_eq!(check(folder.path()), [expected]);
    }
    // The mark that editors of Windows put before UTF-8 is accepted.
    write(folder.path(), "\u{feff}[auth]\nopen = true\n".as_bytes());
    assert_eq!(check(folder.path()), [""; 0]);
}

/// A configuration with the certificate of this folder.
const WITH_TLS: &str = "[server]\nnames = [\"tank.lan\"]\n[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n\
                        [auth]\nopen = true\n";

#[test]
fn mistaken_certificate_is_reported_by_cause_and_remedy() {
    let mut report = Report::default();
    for mistake in certificates() {
        let Mistake { name, file, .. } = mistake;
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("sh")
            .args(["-ec", &format!("{PRELUDE}{file}")])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{name}: {}", lossy(&made.stderr));
        write(folder.path(), WITH_TLS.as_bytes());
        report.compare(mistake, &check(folder.path()));
    }
    report.finish();
}

#[test]
fn each_certificate_is_reported_by_the_line_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[tls]\ncert = \"a.pem\"\nkey = \"b.pem\"\n[auth]\nopen = true\n\
                [[tls.certificate]]\ncert = \"c.pem\"\nkey = \"d.pem\"\n\
                [[tls.certificate]]\nkey = \"f.pem\"\ncert = \"e.pem\"\n";
    write(folder.path(), text.as_bytes());
    std::fs::write(folder.path().join("c.pem"), "").unwrap();
    let missing = |line: usize, key: &str, file: &str, table: &str| {
        let column = key.len() + 5;
        format!(
            "p.toml:{line}:{column}: \"{key}\" in {table}: cannot read {file} in DIR: no such file; \
             `pumphouse-web cert` makes a self-signed pair"
        )
    };
    let table = "[[tls.certificate]]";
    let empty = format!(
        "p.toml:7:9: \"cert\" in {table}: c.pem in DIR: the file is empty; copy the certificate into it again"
    );
    let expected = [
        missing(2, "cert", "a.pem", "[tls]"),
        missing(3, "key", "b.pem", "[tls]"),
        empty,
        missing(8, "key", "d.pem", table),
        missing(10, "key", "f.pem", table),
        missing(11, "cert", "e.pem", table),
    ];
    assert_eq!(check(folder.path()), expected);
}

#[test]
fn errors_of_the_configuration_and_of_certificates_are_in_the_order_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let text = "titel = 1\n[tls]\ncert = \"a.pem\"\nkey = \"b.pem\"\n[site]\ntitel = \"x\"\n[auth]\nopen = true\n\
                [[tls.certificate]]\ncert = \"c.pem\"\nkey = \"d.pem\"\n[history]\nflash = \"1m\"\n";
    write(folder.path(), text.as_bytes());
    let said = check(folder.path());
    let line =
        |said: &String| said.strip_prefix("p.toml:").unwrap().split(':').next().map(str::to_owned);
    let lines: Vec<String> = said.iter().filter_map(line).collect();
    assert_eq!(lines, ["1", "3", "4", "6", "10", "11", "13"], "{said:#?}");
}

#[test]
fn certificate_that_is_not_valid_now_fails_check() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), WITH_TLS.as_bytes());
    let own = |from, to| (from, to, None);
    let of_issuer = |from, to| (2020, 2090, Some((from, to)));
    for ((begin, end, issuer), expected) in [
        (own(2020, 2021), "the certificate for tank.lan expired on 2021-01-01; renew it"),
        (
            own(2090, 2091),
            "the certificate for tank.lan is not valid before 2090-01-01T00:00:00Z, and the clock of this \
             machine says ",
        ),
        (
            of_issuer(2020, 2021),
            "the certificate of the issuer \"CN=middle\" in the chain for tank.lan expired on 2021-01-01; use \
             the full chain that the authority offers now (certbot: fullchain.pem)",
        ),
        (
            of_issuer(2080, 2090),
            "the certificate of the issuer \"CN=middle\" in the chain for tank.lan is not valid before \
             2080-01-01T00:00:00Z, and the clock of this machine says ",
        ),
    ] {
        let (cert, key) = pair((begin, end), issuer);
        std::fs::write(folder.path().join("cert.pem"), cert).unwrap();
        std::fs::write(folder.path().join("key.pem"), key).unwrap();
        let says = check(folder.path());
        let expected = format!("p.toml:4:9: \"cert\" in [tls]: {expected}");
        assert!(says.len() == 1 && says[0].starts_with(&expected), "{says:?}");
    }
}

/// Makes a self-signed certificate for the host that is valid in these years, or one with its issuer.
fn pair(years: Years, issuer: Option<Years>) -> (String, String) {
    if let Some(of_issuer) = issuer {
        let Issued { leaf, middle, key } = issued("tank.lan", years, of_issuer);
        return (leaf + &middle, key);
    }
    let key = KeyPair::generate().unwrap();
    let cert = hostile::certificates::server("tank.lan", years).self_signed(&key).unwrap();
    (cert.pem(), key.serialize_pem())
}

#[test]
fn unreadable_key_names_the_user_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mode = |name: &str, mode| {
        std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    write(
        folder.path(),
        b"[server]\nlisten = [\"127.0.0.1:6443\"]\n[tls]\ncert = \"live/cert.pem\"\nkey = \"key.pem\"\n",
    );
    std::fs::create_dir(path("live")).unwrap();
    std::fs::write(path("live/cert.pem"), "").unwrap();
    std::fs::write(path("key.pem"), "").unwrap();
    mode(".", 0o755);
    mode("live", 0o700);
    mode("key.pem", 0o600);
    // Root may read everything, so it becomes another user.
    let mut command = match rustix::process::geteuid().is_root() {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", BINARY]);
            command
        }
        false => {
            mode("live", 0o000);
            mode("key.pem", 0o000);
            Command::new(BINARY)
        }
    };
    let output = command.args(["check", "p.toml"]).current_dir(folder.path()).output().unwrap();
    let errors = lossy(&output.stderr);
    assert!(errors.contains("permission denied: the user "), "{errors}");
    assert!(errors.contains(" must not read the file ") && errors.contains("chgrp "), "{errors}");
    assert!(errors.contains("chmod g+r "), "{errors}");
    assert!(errors.contains("must not enter the folder "), "{errors}");
    assert!(errors.contains("chmod g+x "), "{errors}");
    assert!(!errors.contains("pumphouse-web cert"), "{errors}");
    mode("live", 0o700);
}
