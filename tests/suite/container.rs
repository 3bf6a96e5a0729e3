//! The image of the Containerfile, without an image: its command, environment and health check are read from
//! the file, and run in a read-only root that has the program and its libraries only, as a user that
//! exists nowhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::eventually;
use crate::namespaces::{is_inside, run_inside};
use crate::process::Process;
use crate::server::{BINARY, text};

const CONTAINERFILE: &str = include_str!("../../Containerfile");
const IGNORED: &str = include_str!("../../.containerignore");

/// A user without a name, and without any right on the image's files.
const USER: &str = "12345";

/// Returns the values of an instruction in the last stage, with continued lines joined.
fn instructions(name: &str) -> Vec<String> {
    let joined = CONTAINERFILE.replace("\\\n", " ");
    let stage = joined.rsplit("\nFROM ").next().unwrap();
    let prefix = format!("{name} ");
    let values = stage.lines().filter_map(|line| line.strip_prefix(&*prefix));
    values.map(|value| value.trim().to_owned()).collect()
}

fn instruction(name: &str) -> String {
    let values = instructions(name);
    assert_eq!(values.len(), 1, "{name}: {values:?}");
    values[0].clone()
}

/// Returns the words of a command in its form without a shell.
fn words(command: &str) -> Vec<String> {
    serde_json::from_str(command).unwrap_or_else(|_| panic!("needs a shell: {command}"))
}

fn succeed(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", text(&output));
    text(&output)
}

/// A root with the program, its libraries, and what every container runtime adds.
struct Image {
    root: PathBuf,
    _folder: tempfile::TempDir,
}

impl Image {
    fn new() -> Image {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        let path = root.to_str().unwrap().to_owned();
        fs::create_dir(&root).unwrap();
        succeed("mount", &["-t", "tmpfs", "tmpfs", &path]);
        let image = Image { root, _folder: folder };
        image.add(BINARY, &words(&instruction("ENTRYPOINT"))[0]);
        for library in succeed("ldd", &[BINARY]).split_whitespace() {
            if library.starts_with('/') {
                image.add(library, library);
            }
        }
        for shared in ["proc", "dev"] {
            let inside = image.root.join(shared);
            fs::create_dir(&inside).unwrap();
            succeed("mount", &["--rbind", &format!("/{shared}"), inside.to_str().unwrap()]);
        }
        let volume = image.volume();
        fs::create_dir(&volume).unwrap();
        succeed("mount", &["-t", "tmpfs", "-o", "mode=1777", "tmpfs", volume.to_str().unwrap()]);
        succeed("mount", &["-o", "remount,ro", &path]);
        image
    }

    fn add(&self, from: &str, to: &str) {
        let to = self.root.join(&to[1..]);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        // Not by this process: a child of another test would inherit the descriptor that writes the program.
        succeed("cp", &[from, to.to_str().unwrap()]);
    }

    fn volume(&self) -> PathBuf {
        self.root.join(&instruction("VOLUME")[1..])
    }

    /// Returns a command inside, with the image's environment only.
    fn command(&self, words: &[String]) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--user", &format!("--map-user={USER}"), &format!("--map-group={USER}")])
            .arg(format!("--root={}", self.root.display()))
            .args([&format!("--wd={}", instruction("WORKDIR")), "--"])
            .args(words)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null());
        for pair in instructions("ENV") {
            let (name, value) = pair.split_once('=').unwrap();
            command.env(name, value);
        }
        command
    }

    /// Returns the container's command with these arguments, by default those of `CMD`.
    fn container(&self, arguments: &[&str]) -> Command {
        let mut all = words(&instruction("ENTRYPOINT"));
        match arguments {
            [] => all.extend(words(&instruction("CMD"))),
            _ => all.extend(arguments.iter().map(|it| (*it).to_owned())),
        }
        self.command(&all)
    }

    fn is_healthy(&self) -> bool {
        let check = instruction("HEALTHCHECK");
        let (_, command) = check.split_once("CMD ").unwrap();
        self.command(&words(command)).output().unwrap().status.success()
    }
}

#[test]
fn container_with_a_read_only_root_and_any_user_is_configured_serves_and_is_healthy() {
    run_inside("container::inside", &[]);
}

#[test]
#[ignore = "runs in the namespaces that the test above creates"]
fn inside() {
    if !is_inside() {
        return;
    }
    let image = Image::new();
    assert!(fs::write(image.root.join("file"), "").is_err(), "the root can be written");
    assert!(!image.is_healthy(), "nothing runs yet");
    let unconfigured = image.container(&[]).output().unwrap();
    assert!(text(&unconfigured).contains("pumphouse-web init"), "{}", text(&unconfigured));

    let options = ["init", "--name", "tank.example", "--place", "37.24,-122.14", "--open"];
    let made = image.container(&options).output().unwrap();
    assert!(made.status.success(), "{}", text(&made));
    assert!(image.volume().join("pumphouse.toml").is_file(), "{}", text(&made));

    let mut server = Process::start_logged(&mut image.container(&[]));
    server.log().wait_for("listening on https://0.0.0.0:");
    eventually("the container is healthy", || image.is_healthy());
    let map = fs::read_to_string(format!("/proc/{}/uid_map", server.id())).unwrap();
    assert_eq!(map.split_whitespace().next(), Some(USER));
    let certificate = image.volume().join("certs/cert.pem");
    let url = format!("https://localhost:{}/ping", instruction("EXPOSE"));
    succeed("curl", &["-sf", "--cacert", certificate.to_str().unwrap(), &url]);

    server.signal(instruction("STOPSIGNAL").trim_start_matches("SIG"));
    assert_eq!(server.wait().code(), Some(0), "{:#?}", server.log().lines());
    assert!(!image.is_healthy(), "the server has ended");
}

/// Returns true if a pattern of the ignored files matches a path: `*` is a part of a name, `**` any folders.
fn matches(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        (["**", rest @ ..], _) => {
            matches(rest, path)
                || path.split_first().is_some_and(|(_, below)| matches(pattern, below))
        }
        ([name, rest @ ..], [first, below @ ..]) => {
            name_matches(name, first) && matches(rest, below)
        }
        _ => false,
    }
}

fn name_matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((begin, rest)) => name.strip_prefix(begin).is_some_and(|name| {
            (0..=name.len()).any(|at| name.is_char_boundary(at) && name_matches(rest, &name[at..]))
        }),
    }
}

/// Returns true if the image's build gets a file, by its path relative to the sources. The last pattern
/// decides that matches it or a folder above it.
fn is_sent(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let patterns = IGNORED.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    patterns.fold(true, |is_sent, pattern| {
        let (pattern, sends) = match pattern.strip_prefix('!') {
            Some(pattern) => (pattern, true),
            None => (pattern, false),
        };
        let pattern: Vec<&str> = pattern.split('/').collect();
        let is_matched = (1..=parts.len()).any(|length| matches(&pattern, &parts[..length]));
        if is_matched { sends } else { is_sent }
    })
}

/// Files of a dashboard that its owner alone may read.
const SECRETS: [&str; 9] = [
    "certs/key.pem",
    "pumphouse.toml",
    "pumphouse.db",
    "pumphouse.db-wal",
    "pumphouse.db-shm",
    "pumphouse.db.lock",
    "pumphouse.last.json",
    "pumphouse.sessions.json",
    "pumphouse.sessions.json.damaged",
];

#[test]
fn dashboard_in_the_sources_is_neither_sent_to_a_build_nor_added_by_git() {
    let clone = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        Command::new("git").args(arguments).current_dir(clone.path()).output().unwrap()
    };
    assert!(git(&["init", "--quiet"]).status.success());
    fs::write(clone.path().join(".gitignore"), include_str!("../../.gitignore")).unwrap();
    for folder in ["", "dashboard/", "a/b/", "examples/dashboard/", "src/dashboard/"] {
        for name in SECRETS {
            let path = format!("{folder}{name}");
            assert!(!is_sent(&path), "{path} is sent");
            let ignored = git(&["check-ignore", "--quiet", &path]).status.success();
            assert!(ignored, "{path} is not ignored by git");
        }
        assert!(folder.starts_with("src") || !is_sent(&format!("{folder}password.txt")));
    }
    assert!(!git(&["check-ignore", "--quiet", "examples/pumphouse.toml"]).status.success());
}

#[test]
fn ignored_files_are_the_same_for_podman_and_docker() {
    assert_eq!(IGNORED, include_str!("../../.dockerignore"));
}

#[test]
fn build_of_the_image_gets_every_file_that_it_includes() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![sources.join("src")];
    let mut included = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let code = fs::read_to_string(&path).unwrap_or_default();
            // Those of tests are not built.
            if path.to_str().unwrap().contains("tests") || code.contains("cfg(test)\n#![") {
                continue;
            }
            for macro_name in ["include_str!(\"", "include_bytes!(\""] {
                let before_tests = code.split("#[cfg(test)]\nmod").next().unwrap();
                for rest in before_tests.split(macro_name).skip(1) {
                    let name = rest.split('"').next().unwrap();
                    let file = path.parent().unwrap().join(name).canonicalize().unwrap();
                    let file =
                        file.strip_prefix(sources.canonicalize().unwrap()).unwrap().to_owned();
                    assert!(is_sent(file.to_str().unwrap()), "{} is ignored", file.display());
                    included += 1;
                }
            }
        }
    }
    assert!(included > 3, "{included}");
    for needed in
        [".cargo/config.toml", "Cargo.toml", "Cargo.lock", "src/lib.rs", "tests/hostile/Cargo.toml"]
    {
        assert!(is_sent(needed), "{needed}");
    }
    for other in ["target/release/pumphouse-web", ".git/config", "tests/suite/main.rs"] {
        assert!(!is_sent(other), "{other}");
    }
}
