//! Signals at a password prompt, on a pseudo-terminal.

use std::fs;
use std::process::Command;

use crate::harness::eventually;
use crate::server::BINARY;
use crate::terminal::{Terminal, wait_until_hidden};

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
    let mut terminal = Terminal::start("sh run.sh", folder.path());
    terminal.wait_for(prompt);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    wait_until_hidden(&folder.path().join("terminal"));
    match signal {
        Some(name) => {
            let kill = format!("kill -{name} {}", read("process").trim());
            assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        }
        None => terminal.send("\x03"),
    }
    eventually("the command ends", || folder.path().join("code").exists());
    terminal.finish();
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
