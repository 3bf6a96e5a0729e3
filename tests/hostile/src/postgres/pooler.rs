//! pgbouncer in transaction mode before a server of tests.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Postgres, USER, as_database_user};

/// Runs a command until standard input ends, which is when the tests end.
const LEASH: &str = r#""$@" </dev/null >/dev/null 2>&1 & cat >/dev/null; kill "$!"; wait"#;

/// A running pgbouncer, which gives each transaction one of two sessions.
pub struct Pooler {
    port: u16,
    leash: Child,
    _folder: tempfile::TempDir,
}

impl Pooler {
    /// Starts a pooler before a server.
    ///
    /// # Panics
    /// pgbouncer is missing, or does not start.
    pub fn start(server: &Postgres) -> Pooler {
        let folder = tempfile::Builder::new().prefix("pw-pool-").tempdir().unwrap();
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let settings = folder.path().join("pgbouncer.ini");
        let users = folder.path().join("users.txt");
        fs::write(&users, format!("\"{USER}\" \"\"\n")).unwrap();
        let content = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\n\
             pool_mode = transaction\ndefault_pool_size = 2\n",
            server.folder().display(),
            server.port(),
            users.display()
        );
        fs::write(&settings, content).unwrap();
        for path in [folder.path(), &settings, &users] {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(path, mode).unwrap();
        }
        let mut command = Command::new("sh");
        command.args(["-c", LEASH, "sh"]).args(as_database_user());
        // Debian has it where the path of users does not lead.
        command.args(["env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "pgbouncer"]).arg(&settings);
        command.stdin(Stdio::piped()).process_group(0);
        let leash = command.spawn().unwrap();
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let is_early = begun.elapsed() < Duration::from_secs(30);
            assert!(is_early, "pgbouncer is not ready after 30 s: apt-get install pgbouncer");
            thread::sleep(Duration::from_millis(20));
        }
        Pooler { port, leash, _folder: folder }
    }

    /// Returns the URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://{USER}@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.leash.stdin.take());
        let _ = self.leash.wait();
    }
}
