//! The commands `hash-password` and `token new`.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{run_with, text};
use crate::harness::eventually;
use crate::server::{BINARY, run};

#[test]
fn hash_password_refuses_empty_and_malformed_input() {
    let long = "x".repeat(1025);
    for (input, expected) in [
        ("correct horse\n", ""),
        ("correct horse\r\n", ""),
        ("", "the password is empty"),
        ("\n", "the password is empty"),
        (&*long, "longer than 1024 bytes"),
        ("two\nlines\n", "control character"),
    ] {
        let made = run_with(&["hash-password"], input.as_bytes());
        assert_eq!(made.status.success(), expected.is_empty(), "{input:?}");
        assert!(text(&made.stderr).contains(expected), "{}", text(&made.stderr));
        let printed = text(&made.stdout);
        let is_hash =
            printed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && printed.ends_with('\n');
        assert!(if expected.is_empty() { is_hash } else { printed.is_empty() }, "{printed}");
    }
    let invalid = run_with(&["hash-password"], b"\xff\n");
    assert!(text(&invalid.stderr).contains("not UTF-8"));
    let name = run(&["token", "new", "--name", "a:b"], Path::new("."));
    assert!(text(&name.stderr).contains("no colon"), "{}", text(&name.stderr));
    let scope = run(&["token", "new", "--scope", "raed"], Path::new("."));
    assert!(text(&scope.stderr).contains("expected read, poll, alert, admin"));
}

/// Types each text once its prompt is shown and the terminal does not echo. Returns true if the
/// command succeeded, and all that the terminal showed.
fn on_a_terminal(typed: &[(&str, &str)]) -> (bool, String) {
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command"])
        .arg(format!("{BINARY} hash-password"))
        .arg("/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script is needed: apt-get install bsdutils");
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    for (prompt, text) in typed {
        while !String::from_utf8_lossy(&shown).contains(prompt) {
            let mut byte = [0];
            assert_eq!(screen.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&shown));
            shown.push(byte[0]);
        }
        let terminal = terminal_below(child.id());
        eventually("the terminal does not echo", || {
            let modes = Command::new("stty").arg("--file").arg(&terminal).arg("--all").output();
            String::from_utf8(modes.unwrap().stdout).unwrap().contains(" -echo ")
        });
        writeln!(keys, "{text}").unwrap();
    }
    screen.read_to_end(&mut shown).unwrap();
    drop(keys);
    (child.wait().unwrap().success(), String::from_utf8(shown).unwrap())
}

/// Returns the terminal of a process's child.
fn terminal_below(process: u32) -> PathBuf {
    let children = format!("/proc/{process}/task/{process}/children");
    let children = std::fs::read_to_string(children).unwrap();
    let child = children.split_whitespace().next().unwrap();
    std::fs::read_link(format!("/proc/{child}/fd/0")).unwrap()
}

#[test]
fn hash_password_on_a_terminal_prompts_twice_without_echo() {
    let (made, shown) =
        on_a_terminal(&[("Password: ", "hunter2"), ("Repeat the password: ", "hunter2")]);
    assert!(made && shown.contains("$argon2id$"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let (made, shown) =
        on_a_terminal(&[("Password: ", "hunter2"), ("Repeat the password: ", "hunter3")]);
    assert!(
        !made && shown.contains("the passwords differ") && !shown.contains("$argon2id$"),
        "{shown}"
    );
    let (made, shown) = on_a_terminal(&[("Password: ", "")]);
    assert!(!made && shown.contains("empty") && !shown.contains("Repeat"), "{shown}");
}
