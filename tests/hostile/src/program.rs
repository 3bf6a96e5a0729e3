//! Starting programs, with errors that name the program and its path.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Returns the absolute path of the server's binary that was built beside this example.
///
/// # Errors
/// The binary does not exist.
pub fn beside_this_example() -> io::Result<PathBuf> {
    let example = std::env::current_exe()?;
    let folder = example.parent().and_then(Path::parent);
    let folder = folder.ok_or_else(|| io::Error::other("this example has no parent folder"))?;
    resolve(&folder.join("pumphouse-web"))
}

/// Returns the absolute path of a program, so that a child can be started in another folder.
///
/// # Errors
/// The program does not exist.
pub fn resolve(program: &Path) -> io::Result<PathBuf> {
    std::fs::canonicalize(program).map_err(|error| {
        let message = format!("cannot find {}: {error}: build it first", program.display());
        io::Error::new(error.kind(), message)
    })
}

/// Spawns a command.
///
/// # Errors
/// The command cannot be spawned; the error names the program and its working folder.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    command.spawn().map_err(|error| spawn_error(command, &error))
}

/// Runs a command with this input and returns its output.
///
/// # Errors
/// The command cannot be spawned, or exits with a failure; the error holds its standard error.
pub fn run(command: &mut Command, input: &str) -> io::Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(command)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ignores its input may have closed it. The exit status decides.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(output);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{command:?} failed, {}: {}", output.status, stderr.trim_end())))
}

fn spawn_error(command: &Command, error: &io::Error) -> io::Error {
    let program = command.get_program().display();
    let folder = command.get_current_dir().unwrap_or(Path::new("."));
    let message = format!("cannot start {program} in {}: {error}", folder.display());
    io::Error::new(error.kind(), message)
}
