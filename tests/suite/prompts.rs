//! Signals at a password prompt, on a pseudo-terminal.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::harness::eventually;
use crate::server::{BINARY, text};

/// Commands that ask for a password, with the prompt.
const PROMPTS: [(&str, &str); 2] = [
    ("hash-password", "Password: "),
    (
        "init --place 47.37,8.54 --tank none --units metric --user anna --dir dashboard",
        "Password of anna: ",
    ),
];

/// Starts a command in a shell on a terminal, sends it a signal at its prompt, and returns the exit code
/// that the shell sees and the terminal's modes afterwards. `None` types Ctrl-C.
fn interrupted(command: &str, prompt: &str, signal: Option<&str>) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("run.sh"),
        format!(
            "trap : INT\n\
             tty >terminal\n\
             sh -c 'echo $$ >process; exec {BINARY} {command}'\n\
             echo $? >code.new\n\
             stty -a >modes\n\
             mv code.new code\n"
        ),
    )
    .unwrap();
    let mut child = Command::new("timeout")
        .args(["--foreground", "60", "script", "-qec", "sh run.sh", "/dev/null"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script is needed: apt-get install bsdutils");
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut shown = String::new();
    while !shown.contains(prompt) {
        let mut buffer = [0; 4096];
        let length = output.read(&mut buffer).unwrap();
        assert!(length > 0, "no {prompt:?} in {shown}");
        shown += &String::from_utf8_lossy(&buffer[..length]);
    }
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    // The prompt appears before the terminal stops to show what is typed.
    eventually("the terminal hides what is typed", || {
        let modes = Command::new("stty").args(["-a", "-F", read("terminal").trim()]).output();
        text(&modes.unwrap()).contains("-echo ")
    });
    match signal {
        Some(name) => {
            let kill = format!("kill -{name} {}", read("process").trim());
            assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        }
        None => input.write_all(b"\x03").unwrap(),
    }
    eventually("the command ends", || folder.path().join("code").exists());
    drop(input);
    child.wait().unwrap();
    (read("code").trim().to_owned(), read("modes"))
}

#[test]
fn signal_at_a_password_prompt_restores_the_terminal() {
    for (command, prompt) in PROMPTS {
        for (signal, expected) in [(Some("TERM"), "143"), (Some("HUP"), "129"), (None, "130")] {
            let (code, modes) = interrupted(command, prompt, signal);
            assert_eq!(code, expected, "{command}, {signal:?}");
            for mode in [" echo ", " icanon ", "isig "] {
                assert!(modes.contains(mode), "{command}, {signal:?}: no {mode} in {modes}");
            }
        }
    }
}
