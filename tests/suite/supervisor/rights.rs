//! The examples as they stand, with their users: after the steps at the head of `supervisord.conf`, and
//! without the step about supervisord's socket.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use hostile::config::Config;

use super::{EXAMPLE, FCGI_EXAMPLE, free_port, read};
use crate::harness::eventually;
use crate::server::{BINARY, run};
use crate::users::{GROUP, USER, may_change_users};

/// A supervisord that runs as root and has the server and `watch` run as [`USER`].
struct Installed {
    child: Child,
    folder: tempfile::TempDir,
}

impl Installed {
    /// Starts supervisord with an example, in which the folders, the user and the port are replaced.
    /// `socket` has the further lines of `[unix_http_server]`.
    fn start(example: &str, socket: &str) -> Installed {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let port = free_port();
        let text = format!(
            "[supervisord]\nnodaemon=true\nuser=root\nlogfile={0}/supervisord.log\n\
             pidfile={0}/supervisord.pid\n[unix_http_server]\nfile={0}/control.sock\n{socket}\
             [supervisorctl]\nserverurl=unix://{0}/control.sock\n[rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
             {1}",
            path.display(),
            example
                .replace("/usr/local/bin/pumphouse-web", BINARY)
                .replace("/srv/pumphouse", &format!("{}/srv", path.display()))
                .replace("/var/log/", &format!("{}/", path.display()))
                .replace("user=pumphouse", &format!("user={USER}"))
                .replace("0.0.0.0:6443", &format!("127.0.0.1:{port}"))
                .replace("--failures 3 --max-restarts 4", "--failures 1 --grace 1s")
                .replace("stopwaitsecs=10", "stopwaitsecs=1")
        );
        std::fs::write(path.join("supervisord.conf"), text).unwrap();
        let service = path.join("srv");
        std::fs::create_dir(&service).unwrap();
        assert!(run(&["cert", "--name", "pumphouse.example"], &service).status.success());
        Config::new()
            .listen(&format!("127.0.0.1:{port}"))
            .open()
            .set("server.admin_listen", "unix:admin.sock")
            .set("tls.cert", "certs/cert.pem")
            .set("tls.key", "certs/key.pem")
            .write(&service);
        let owned = Command::new("chown")
            .args(["-R", &format!("{USER}:{GROUP}")])
            .arg(&service)
            .status()
            .unwrap();
        assert!(owned.success());
        let readable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path, readable).unwrap();
        let child = Command::new("supervisord")
            .args(["-n", "-c"])
            .arg(path.join("supervisord.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("supervisord is needed: apt-get install supervisor");
        Installed { child, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn control(&self, arguments: &[&str]) -> String {
        let configuration = self.path("supervisord.conf");
        let mut command = Command::new("supervisorctl");
        let output = command.arg("-c").arg(configuration).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn wait_for(&self, text: &str) -> String {
        let path = self.path("pumphouse-watch.log");
        eventually(&format!("watch logs {text:?}"), || read(&path).contains(text));
        read(&path)
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["supervisord.log", "pumphouse-watch.log", "pumphouse-web.log"] {
                eprintln!("{name}:\n{}", read(&self.path(name)));
            }
        }
        self.control(&["shutdown"]);
        let _ = self.child.wait();
    }
}

#[test]
fn examples_restart_a_silent_server_after_the_steps_at_their_head() {
    if !may_change_users() {
        return;
    }
    let socket = format!("chmod=0770\nchown=root:{GROUP}\n");
    for (example, program) in
        [(EXAMPLE, "pumphouse-web"), (FCGI_EXAMPLE, "pumphouse-web:pumphouse-web-0")]
    {
        let installed = Installed::start(example, &socket);
        installed.wait_for(&format!("supervisord reports {program} as "));
        eventually("the server runs", || {
            installed.control(&["status", program]).contains("RUNNING")
        });
        let pid = installed.control(&["pid", program]).trim().to_owned();
        // The grace period of `watch` ends with a healthy probe or by itself.
        crate::process::send_signal(pid.parse().unwrap(), "STOP");
        let printed = installed.wait_for(&format!("restarted {program}: process"));
        assert!(!printed.contains("ALARM"), "{printed}");
    }
}

#[test]
fn socket_of_supervisord_without_rights_raises_an_alarm_with_the_lines_to_add() {
    if !may_change_users() {
        return;
    }
    let installed = Installed::start(EXAMPLE, "");
    let printed = installed.wait_for("ALARM: pumphouse-web could not be restarted: ");
    for text in [
        "Permission denied",
        "[unix_http_server]",
        "chmod=0770",
        // The group of this test is one of many programs, which must not get the socket.
        "chown=root:GROUP",
        "systemctl restart supervisor",
    ] {
        assert!(printed.contains(text), "{text:?} is not in {printed}");
    }
}
