//! The files of `init` for supervisors, under the supervisors.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::{OPEN, init, text};
use crate::harness::eventually;
use crate::server::BINARY;

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
    // By a process of its own: a child that another test starts meanwhile would inherit the descriptor that writes
    // it, and a program that is open for writing cannot be run (ETXTBSY).
    assert!(Command::new("cp").arg(BINARY).arg(&binary).status().unwrap().success());
    let run_as_user = |arguments: &[&str]| {
        let words = [&as_user, arguments].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(path).env("HOME", path).stdin(Stdio::null());
        command.output().unwrap()
    };
    let [port, admin] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [port, admin] = [port, admin].map(|it| it.local_addr().unwrap().to_string());
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
    let folder_of_process = format!("/proc/{}", process.trim());
    let owner = Command::new("stat").args(["-c", "%u", &folder_of_process]).output().unwrap();
    assert_eq!(text(&owner).trim(), user.trim(), "{process}");
}
