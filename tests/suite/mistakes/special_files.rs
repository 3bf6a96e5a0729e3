//! Paths of a configuration that lead to no regular file: devices, pipes, and files without end.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hostile::config::{Config, Source};

use crate::mistakes::{check, lossy, write};
use crate::process::Process;
use crate::server::{BINARY, Server};

/// Runs a command of sh in a folder, with the program as `$0`.
fn sh(folder: &Path, script: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", script, BINARY]).current_dir(folder).stdin(Stdio::null());
    command.output().unwrap()
}

/// Configurations with a device, and the begin of the line about it.
const DEVICES: [(&str, &str); 6] = [
    ("[tls]\ncert = \"/dev/zero\"\nkey = \"key.pem\"\n", "2:9: \"cert\" in [tls]: "),
    ("[tls]\ncert = \"cert.pem\"\nkey = \"/dev/zero\"\n", "3:8: \"key\" in [tls]: "),
    (
        "[[auth.user]]\nname = \"a\"\npassword_hash_file = \"/dev/zero\"\n",
        "3:23: \"password_hash_file\" in [[auth.user]] \"a\": ",
    ),
    (
        "[[source]]\nname = \"a\"\nkind = \"ptdevices\"\ntoken_file = \"/dev/zero\"\n",
        "4:15: \"token_file\" in [[source]] \"a\": ",
    ),
    (
        "[[source]]\nname = \"a\"\nkind = \"ptlevel\"\nurl_file = \"/dev/zero\"\n",
        "4:13: \"url_file\" in [[source]] \"a\": ",
    ),
    (
        "[[source]]\nname = \"a\"\nkind = \"ptlevel\"\nurl = \"https://h/\"\nca_file = \"/dev/zero\"\n",
        "5:12: \"ca_file\" in [[source]] \"a\": ",
    ),
];

#[test]
fn device_in_place_of_any_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = "cannot read /dev/zero: is a device, not a file";
    for (text, begin) in DEVICES {
        write(folder.path(), format!("{text}[server]\nlisten = [\"127.0.0.1:0\"]\n").as_bytes());
        let expected = format!("p.toml:{begin}{refused}");
        for command in ["check", "serve"] {
            let ran = sh(folder.path(), &format!("\"$0\" {command} p.toml"));
            let errors = lossy(&ran.stderr);
            assert_eq!(ran.status.code(), Some(1), "{text}: {errors}");
            assert!(errors.contains(&expected), "{expected} is not in {errors}");
        }
    }
    for command in ["check", "serve", "doctor"] {
        let ran = sh(folder.path(), &format!("\"$0\" {command} --config /dev/zero"));
        let errors = lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(1), "{errors}");
        let refused = "cannot read the configuration /dev/zero: is a device, not a file";
        assert!(errors.contains(refused), "{command}: {errors}");
    }
}

#[test]
fn file_or_pipe_without_end_is_read_up_to_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let limit = 16 << 20;
    for (script, size) in [
        ("truncate -s 1T p.toml && \"$0\" check p.toml", 1_u64 << 40),
        ("yes '#' | \"$0\" check /dev/stdin", limit + 1),
    ] {
        let ran = sh(folder.path(), script);
        let errors = lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(1), "{script}: {errors}");
        let expected = format!("has at least {size} bytes, at most {limit} are read");
        assert!(errors.contains(&expected), "{script}: {errors}");
    }
}

/// As `check <(…)` of bash passes one.
#[test]
fn configuration_and_certificate_may_come_through_pipes() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), b"[tls]\ncert = \"/dev/fd/3\"\nkey = \"key.pem\"\n[auth]\nopen = true\n");
    let script = "\"$0\" cert --dir . --name localhost >/dev/null && \
                  cat p.toml | { cat cert.pem | \"$0\" check /dev/fd/4 3<&0; } 4<&0";
    let ran = sh(folder.path(), script);
    let shown = lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{shown}{}", lossy(&ran.stderr));
    assert!(shown.contains("/dev/fd/4 is valid."), "{shown}");
    assert!(shown.contains("for localhost"), "{shown}");
}

#[test]
fn named_pipe_without_a_writer_ends_check_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    hostile::folder::make_pipe(&folder.path().join("p.toml"));
    let expected = "p.toml: cannot read the configuration p.toml in DIR: is a named pipe that no process \
                    has opened for writing within 10 s";
    assert_eq!(check(folder.path()), [expected]);
}

/// The pipe is empty then. That is no configuration without sources and accounts.
#[test]
fn reload_of_a_configuration_from_a_pipe_changes_nothing() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let source = Source::json("well", "http://127.0.0.1:1/").value("level", "/l", "mm");
    let config = Config::new().open().set("history.enabled", false).source(source).to_string();
    writer.write_all(config.as_bytes()).unwrap();
    drop(writer);
    let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let mut command = Command::new(BINARY);
    command.args(["serve", "/dev/stdin"]).args(listen).env_remove("RUST_LOG").stdin(reader);
    let server = Process::start_logged(&mut command);
    server.log().wait_for("admin listener on");
    server.signal("HUP");
    server.log().wait_for("HUP: nothing changes: /dev/stdin: cannot read the configuration");
    let lines = server.log().lines();
    assert!(lines.iter().any(|line| line.contains("is a pipe that holds nothing")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("removed")), "{lines:?}");
}

/// The server writes these files itself, so it waits for no writer of a pipe there.
#[test]
fn pipe_in_place_of_the_server_s_own_files_is_reported_and_the_server_starts() {
    let config = Config::https();
    let mut server = Server::start(&config);
    for (name, report) in [
        ("pumphouse.last.json", "cannot read the last values from "),
        ("pumphouse.sessions.json", "cannot read sessions from "),
    ] {
        server.signal("KILL");
        let pipe = server.folder().join(name);
        let _ = std::fs::remove_file(&pipe);
        hostile::folder::make_pipe(&pipe);
        server = server.start_again(&config);
        server.wait_for_log(report);
        let log = server.log();
        assert!(log.iter().any(|line| line.contains(": is a pipe, not a file; ")), "{log:?}");
    }
}

#[test]
fn dash_names_standard_input_in_the_advice() {
    let folder = tempfile::tempdir().unwrap();
    let ran = sh(folder.path(), "\"$0\" check -");
    let errors = lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{errors}");
    assert!(errors.ends_with(": no such file; standard input is /dev/stdin\n"), "{errors}");
}
