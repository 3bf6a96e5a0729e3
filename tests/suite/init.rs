//! `pumphouse-web init`: exit codes, standard input, a real terminal, `kill -9`, and that the files work.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hostile::upstream::Upstream;

use crate::harness::eventually;
use crate::server::{BINARY, run};

const FILES: [&str; 3] = ["certs/cert.pem", "certs/key.pem", "pumphouse.toml"];

/// Options that need no answer.
const OPEN: [&str; 8] =
    ["init", "--place", "37.31,-122.2", "--tank", "none", "--units", "us", "--open"];

fn text(output: &Output) -> String {
    let bytes = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8(bytes).unwrap()
}

/// Runs `init` in a folder with this standard input.
fn init(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(BINARY)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads no input may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Returns all files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let found = Command::new("find").args([".", "!", "-type", "d"]).current_dir(folder).output();
    let mut files: Vec<String> = String::from_utf8(found.unwrap().stdout)
        .unwrap()
        .lines()
        .map(|it| it[2..].to_owned())
        .collect();
    files.sort();
    files
}

#[test]
fn init_without_a_network_writes_files_that_pass_check() {
    let folder = tempfile::tempdir().unwrap();
    let made = init(folder.path(), &OPEN, "");
    let printed = text(&made);
    assert_eq!(made.status.code(), Some(0), "{printed}");
    assert_eq!(files(folder.path()), FILES);
    for part in [
        "pumphouse.toml is valid",
        "polled weather",
        "Next:",
        " serve",
        ":6443/",
        "warning: a source",
    ] {
        assert!(printed.contains(part), "{part} is not in {printed}");
    }
    let checked = run(&["check"], folder.path());
    assert!(checked.status.success(), "{}", text(&checked));
    assert!(!text(&checked).contains("note:"), "{}", text(&checked));

    let again = init(folder.path(), &OPEN, "");
    assert_eq!(again.status.code(), Some(1));
    for file in FILES {
        assert!(text(&again).contains(file), "{}", text(&again));
    }
}

#[test]
fn init_with_an_upstream_that_answers_has_no_warning() {
    let upstream = Upstream::answering(r#"{"tank":{"level":81}}"#);
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = OPEN.to_vec();
    arguments[4] = "json";
    let url = upstream.url();
    arguments.extend([
        "--tank-url",
        &url,
        "--pointer",
        "/tank/level",
        "--title",
        "Well \"7\" \\ é",
    ]);
    let made = init(folder.path(), &arguments, "");
    assert_eq!(made.status.code(), Some(0), "{}", text(&made));
    assert!(text(&made).contains("level  81 %"), "{}", text(&made));
}

#[test]
fn init_with_wrong_options_exits_with_2_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (&["init"][..], "--place LAT,LON is needed"),
        (&["init", "--place", "122.14,37.24"], "did you mean 37.24,122.14?"),
        (&["init", "--place", "here"], "is not LAT,LON"),
        (&["init", "--place", "1,1", "--units", "imperial"], "neither us nor metric"),
        (&["init", "--place", "1,1", "--tank", "nws"], "reads the weather"),
        (&["init", "--place", "1,1", "--open", "--user", "anna"], "give one of them"),
        (&["init", "--place", "1,1", "--listen", "0.0.0.0:6443"], "--open or --user"),
        (&["init", "--place", "1,1", "--height", "58"], "--tank ptlevel"),
        (&["init", "--place", "1,1", "--name", "a b"], "is not a host name"),
        (&["init", "--place", "1,1", "--admin-listen", "0.0.0.0:1"], "must be on loopback"),
    ] {
        let failed = init(folder.path(), arguments, "");
        let printed = text(&failed);
        assert_eq!(failed.status.code(), Some(2), "{arguments:?}: {printed}");
        assert!(printed.contains(part), "{part} is not in {printed}");
        assert_eq!(files(folder.path()), [""; 0], "{arguments:?}");
    }
}

#[test]
fn init_reads_secrets_from_standard_input_only() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "init",
        "--place",
        "47.37,8.54",
        "--user",
        "anna",
        "--tank",
        "ptlevel",
        "--height",
        "147cm",
        "--capacity",
        "5300L",
        "--dir",
        "new/a tank",
    ];
    let ended = init(folder.path(), &arguments, "");
    assert_eq!(ended.status.code(), Some(1), "{}", text(&ended));
    assert!(text(&ended).contains("the input ended"), "{}", text(&ended));
    assert_eq!(files(folder.path()), [""; 0]);

    let made = init(folder.path(), &arguments, "correct horse\nhttps://127.0.0.1:1/s/4711abcdef\n");
    let printed = text(&made);
    assert_eq!(made.status.code(), Some(0), "{printed}");
    assert!(!printed.contains("4711abcdef") && !printed.contains("correct horse"), "{printed}");
    let folder = folder.path().join("new/a tank");
    for secret in ["certs/key.pem", "password-hash", "tank-link"] {
        let mode = fs::metadata(folder.join(secret)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{secret}");
    }
    // From another folder, as a script of the operator does.
    let configuration = folder.join("pumphouse.toml");
    let checked = run(&["check", configuration.to_str().unwrap()], Path::new("/"));
    assert!(checked.status.success(), "{}", text(&checked));
    assert!(text(&checked).contains("user anna, scopes: read, poll"), "{}", text(&checked));
}

/// A folder that this user cannot write is reported before the password is read, which would be lost.
#[test]
fn init_in_a_folder_of_another_user_fails_before_any_question() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    // In the namespace root has no rights beyond those of other users.
    let failed = Command::new("unshare")
        .args(["--user", "--map-user=12345", "--map-group=12345", "--", BINARY])
        .args(["init", "--place", "1,1", "--user", "anna", "--dir"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = text(&failed);
    assert_eq!(failed.status.code(), Some(1), "{printed}");
    assert!(
        printed.contains("cannot use the folder /") && !printed.contains("answer"),
        "{printed}"
    );
}

/// The questions on a pseudo-terminal, with the answers typed in advance.
#[test]
fn init_on_a_terminal_asks_and_hides_the_password() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let terminal = other.path().join("terminal");
    let command = format!("tty >{}; exec {BINARY} init", terminal.display());
    let mut child = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script is needed: apt-get install bsdutils");
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut shown = String::new();
    let mut answer = |question: &str, answer: &str| {
        while !shown.contains(question) {
            let mut buffer = [0; 4096];
            let length = output.read(&mut buffer).unwrap();
            assert!(length > 0, "no {question:?} in {shown}");
            shown += &String::from_utf8_lossy(&buffer[..length]);
        }
        if question.contains("assword") {
            // The question appears before the terminal stops to show what is typed.
            eventually("the terminal hides what is typed", || {
                let name = fs::read_to_string(&terminal).unwrap();
                let shown = Command::new("stty").args(["-a", "-F", name.trim()]).output().unwrap();
                text(&shown).contains("-echo ")
            });
        }
        writeln!(input, "{answer}").unwrap();
        std::mem::take(&mut shown)
    };
    let mut all = String::new();
    for (question, reply) in [
        ("LATITUDE,LONGITUDE: ", "-122.14,37.24"),
        ("LATITUDE,LONGITUDE: ", "37.24,-122.14"),
        ("Units, us or metric [us]: ", ""),
        ("Time zone [", "America/Los_Angeles"),
        ("Tank: none, ptlevel", "none"),
        ("Who may read", "user"),
        ("Name of the user: ", "anna"),
        ("Password of anna: ", "correct horse"),
        ("Repeat the password: ", "correct horse"),
        ("Supervisor", "none"),
    ] {
        all += &answer(question, reply);
    }
    drop(input);
    output.read_to_string(&mut all).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{all}");
    assert!(all.contains("did you mean 37.24,-122.14?") && all.contains("user anna"), "{all}");
    assert!(!all.contains("correct horse"), "{all}");
    assert!(all.contains("Next:"), "{all}");
}

/// The options of a script, which may run on a terminal.
#[test]
fn init_with_all_options_asks_nothing_on_a_terminal() {
    for more in ["--open", "--open --supervisord", "--systemd"] {
        let folder = tempfile::tempdir().unwrap();
        let command =
            format!("exec {BINARY} init --place 47.37,8.54 --tank none --units METRIC {more}");
        let ran = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("script is needed: apt-get install bsdutils");
        let shown = text(&ran);
        assert_eq!(ran.status.code(), Some(0), "{shown}");
        assert!(shown.starts_with("Written:"), "{shown}");
        assert!(files(folder.path()).contains(&"pumphouse.toml".to_owned()), "{shown}");
    }
}

/// The example of `--help`, with files whose last line has no line feed.
#[test]
fn init_example_of_help_passes_the_password_and_the_link() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("password"), "correct horse").unwrap();
    fs::write(folder.path().join("link"), "https://127.0.0.1:1/s/4711abcdef").unwrap();
    let help = text(&run(&["init", "--help"], folder.path()));
    let command = help.lines().find_map(|line| line.trim().strip_prefix("$ printf"));
    let command = command.unwrap_or_else(|| panic!("no example in {help}"));
    let path = format!(
        "{}:{}",
        Path::new(BINARY).parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let made = Command::new("sh")
        .args(["-c", &format!("printf{command}")])
        .current_dir(folder.path())
        .env("PATH", path)
        .output()
        .unwrap();
    assert_eq!(made.status.code(), Some(0), "{command}: {}", text(&made));
    assert!(text(&made).contains("user anna"), "{}", text(&made));
    let link = fs::read_to_string(folder.path().join("tank-link")).unwrap();
    assert_eq!(link, "https://127.0.0.1:1/s/4711abcdef\n");
}

#[test]
fn init_repeats_no_url_with_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["htps://h/x?token=geheim", "https://anna:geheim@h/x", "https://h/${geheim}"] {
        let arguments = ["init", "--place", "1,1", "--tank", "json", "--tank-url", url];
        let failed = init(folder.path(), &arguments, "");
        assert_eq!(failed.status.code(), Some(2), "{}", text(&failed));
        assert!(text(&failed).contains("--tank-url"), "{}", text(&failed));
        assert!(!text(&failed).contains("geheim"), "{}", text(&failed));
    }
}

#[test]
fn init_reports_a_full_standard_output_once_and_keeps_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(BINARY);
    command.args(OPEN).current_dir(folder.path()).stdin(Stdio::null()).stdout(full);
    let ran = command.output().unwrap();
    assert_eq!(ran.status.code(), Some(1), "{}", text(&ran));
    assert_eq!(text(&ran).matches("cannot write to standard output").count(), 1, "{}", text(&ran));
    assert_eq!(files(folder.path()), FILES);
}

/// strace keeps `check` from reading the configuration that was written.
#[test]
fn init_whose_check_fails_says_that_the_files_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let ran = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-P", "pumphouse.toml", "-e", "trace=openat"])
        .args(["-e", "inject=openat:error=EIO", BINARY])
        .args(OPEN)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("strace is needed: apt-get install strace");
    let shown = text(&ran);
    assert_eq!(ran.status.code(), Some(1), "{shown}");
    assert!(shown.contains("the files are written, but"), "{shown}");
    assert!(!shown.contains("nothing was written"), "{shown}");
    assert_eq!(files(folder.path()), FILES);
}

/// File systems of a few pages, of which none has room for all files.
#[test]
fn init_on_a_full_disk_writes_nothing() {
    let namespaces = Command::new("unshare").args(["-rm", "true"]).status();
    if !namespaces.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "the system allows no namespaces");
        return;
    }
    for pages in [1, 2, 3] {
        let folder = tempfile::tempdir().unwrap();
        let script = "mount -t tmpfs -o size=\"$1\" tmpfs . && cd \"$PWD\" && shift && \"$@\"; code=$?; \
                      find . -mindepth 1; exit $code";
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", script, "sh", &format!("{}k", 4 * pages), BINARY]);
        let ran = command.args(OPEN).current_dir(folder.path()).stdin(Stdio::null()).output();
        let ran = ran.unwrap();
        let shown = text(&ran);
        assert_eq!(ran.status.code(), Some(1), "{shown}");
        assert!(shown.contains("No space left on device"), "{shown}");
        assert!(shown.contains("nothing was written"), "{shown}");
        assert!(ran.stdout.is_empty(), "{shown}");
    }
}

#[test]
fn init_names_the_configuration_if_another_one_is_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(BINARY);
    command.args(OPEN).current_dir(folder.path()).env("PUMPHOUSE_CONFIG", "/srv/other.toml");
    let made = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(made.status.code(), Some(0), "{}", text(&made));
    assert!(text(&made).contains(" serve --config pumphouse.toml\n"), "{}", text(&made));
}

/// strace kills the process at each of its renames, as `kill -9` or a power cut would.
#[test]
fn init_killed_at_any_file_leaves_whole_files_and_the_next_run_says_how_to_go_on() {
    for file in 1..=FILES.len() {
        let folder = tempfile::tempdir().unwrap();
        let killed = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2,rename,linkat"])
            .args(["-e", &format!("inject=renameat2:signal=KILL:when={file}"), BINARY])
            .args(OPEN)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("strace is needed: apt-get install strace");
        assert!(!killed.status.success(), "{}", text(&killed));
        let again = init(folder.path(), &OPEN, "");
        let printed = text(&again);
        assert_eq!(again.status.code(), Some(1), "{printed}");
        assert!(printed.contains("an earlier `init` was interrupted"), "{printed}");
        for path in FILES.map(|name| folder.path().join(name)).iter().filter(|path| path.exists()) {
            assert!(printed.contains(path.to_str().unwrap()), "{printed}");
            assert!(fs::metadata(path).unwrap().len() > 100, "{}", path.display());
        }
        let (_, command) = printed.trim_end().split_once("To begin again: ").unwrap();
        assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
        assert_eq!(files(folder.path()), [""; 0]);
        assert_eq!(init(folder.path(), &OPEN, "").status.code(), Some(0));
    }
}

/// The files for supervisors in a folder with a space and a percent sign, read by their own parsers.
#[test]
fn files_for_supervisors_are_read_by_their_parsers() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("50% of a tank");
    fs::create_dir(&folder).unwrap();
    let mut arguments = OPEN.to_vec();
    arguments.extend(["--supervisord", "--systemd"]);
    let made = init(&folder, &arguments, "");
    assert_eq!(made.status.code(), Some(0), "{}", text(&made));
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(folder.join("pumphouse-web.service"))
        .output()
        .expect("systemd-analyze is needed: apt-get install systemd");
    assert!(verified.status.success(), "{}", text(&verified));
    assert!(!text(&verified).contains("pumphouse-web.service:"), "{}", text(&verified));
    // supervisord's own parser prints what it understood.
    let program = "import sys; from supervisor.options import ServerOptions\n\
                   options = ServerOptions(); options.realize(['-c', sys.argv[1], '-n'])\n\
                   for group in options.process_group_configs:\n \
                   for it in group.process_configs: print(it.command, it.directory, sep='|')";
    let main = folder.join("supervisord.conf");
    let conf = fs::read_to_string(folder.join("pumphouse-web.conf")).unwrap();
    // The log's folder exists on every machine, but only root may write there.
    let conf = conf.replace("/var/log/", "/tmp/");
    fs::write(&main, format!("[supervisord]\nnodaemon=true\n{conf}")).unwrap();
    let parsed =
        Command::new("/usr/bin/python3").args(["-c", program]).arg(&main).output().unwrap();
    let printed = text(&parsed);
    assert!(printed.contains(&format!("{BINARY} serve|{}", folder.display())), "{printed}");
    assert!(printed.contains("watch --program pumphouse-web"), "{printed}");
}

/// A supervisord that another user than root runs, with the change that the file asks for.
#[test]
fn file_for_supervisord_works_under_one_of_a_user() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut user = Command::new("id").arg("-u").output().map(|id| text(&id)).unwrap();
    let mut as_user = vec![];
    if user.trim() == "0" {
        user = "65534".to_owned();
        as_user = vec!["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    }
    // Where that user can run it.
    let binary = path.join("pumphouse-web");
    fs::copy(BINARY, &binary).unwrap();
    let run_as_user = |arguments: &[&str]| {
        let words = [&as_user, arguments].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(path).env("HOME", path).stdin(Stdio::null());
        command.output().unwrap()
    };
    let [port, admin] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [port, admin] = [&port, &admin].map(|it| it.local_addr().unwrap().to_string());
    let made = run_as_user(&[
        binary.to_str().unwrap(),
        "init",
        "--place",
        "47.37,8.54",
        "--supervisord",
        "--listen",
        &port,
        "--admin-listen",
        &admin,
    ]);
    let shown = text(&made);
    assert_eq!(made.status.code(), Some(0), "{shown}");
    assert!(shown.contains("under a supervisord that you run yourself"), "{shown}");

    let file = path.join("pumphouse-web.conf");
    let conf = fs::read_to_string(&file).unwrap();
    assert!(conf.contains("For one of your\n; own change both lines stderr_logfile="), "{conf}");
    assert_eq!(conf.matches("\nstderr_logfile=/var/log/").count(), 2, "{conf}");
    let conf = conf
        .replace("\nstderr_logfile=/var/log/", &format!("\nstderr_logfile={}/", path.display()));
    fs::write(&file, conf).unwrap();
    let main = path.join("supervisord.conf");
    let socket = path.join("socket");
    let text_of_main = format!(
        "[supervisord]\nlogfile={path}/supervisord.log\npidfile={path}/pid\nchildlogdir={path}\n\
         [unix_http_server]\nfile={socket}\n\
         [rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
         [supervisorctl]\nserverurl=unix://{socket}\n[include]\nfiles = {file}\n",
        path = path.display(),
        socket = socket.display(),
        file = file.display()
    );
    fs::write(&main, text_of_main).unwrap();
    let main = main.to_str().unwrap();
    let started = run_as_user(&["supervisord", "-c", main]);
    assert!(started.status.success(), "{}", text(&started));
    struct Stop(String);
    impl Drop for Stop {
        fn drop(&mut self) {
            let _ = Command::new("supervisorctl").args(["-c", &self.0, "shutdown"]).output();
        }
    }
    let _stop = Stop(main.to_owned());
    eventually("both programs run", || {
        let status = text(&run_as_user(&["supervisorctl", "-c", main, "status"]));
        assert!(!status.contains("FATAL"), "{status}");
        status.matches("RUNNING").count() == 2
    });
    let process = text(&run_as_user(&["supervisorctl", "-c", main, "pid", "pumphouse-web"]));
    let owner = Command::new("stat").args(["-c", "%u", &format!("/proc/{}", process.trim())]);
    let owner = { owner }.output().unwrap();
    assert_eq!(text(&owner).trim(), user.trim(), "{process}");
}
