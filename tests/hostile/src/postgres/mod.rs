//! PostgreSQL servers of tests: Debian's programs, with data in a temporary folder.
//!
//! A server ends with the process that started it, however that ends: see `server.sh`. It does not sync to the disk.

mod pooler;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

pub use pooler::Pooler;

use crate::proc::cpu_time;

/// User whose databases the tests have, and who proves the password by SCRAM.
pub const USER: &str = "pumphouse";

/// Password of every user.
pub const PASSWORD: &str = "tank level";

/// Users that differ in how `pg_hba.conf` treats them, beside [`USER`].
pub const OTHER_USERS: [&str; 5] = ["by_md5", "in_clear", "trusted", "only_tls", "only_plain"];

const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
max_connections = 100
shared_buffers = '16MB'
fsync = off
full_page_writes = off
autovacuum = off
jit = off
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_line_prefix = '%m [%p] %u@%d '
ssl = on
";

const HBA: &str = "
local   all all        trust
local   replication postgres trust
host    all by_md5     127.0.0.1/32 md5
host    all in_clear   127.0.0.1/32 password
host    all trusted    127.0.0.1/32 trust
hostssl all only_tls   127.0.0.1/32 scram-sha-256
host    all only_tls   127.0.0.1/32 reject
hostnossl all only_plain 127.0.0.1/32 scram-sha-256
host    all only_plain 127.0.0.1/32 reject
host    all all        127.0.0.1/32 scram-sha-256
";

/// A running server.
pub struct Postgres {
    folder: PathBuf,
    port: u16,
    programs: PathBuf,
    databases: AtomicUsize,
    script: Mutex<Script>,
}

struct Script {
    child: Child,
    /// `None` while the server ends.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// A database of one test.
#[derive(Debug, Clone)]
pub struct Database {
    /// Name.
    pub name: String,
    /// URL over TCP, with user and password.
    pub url: String,
    /// URL over the unix socket, without a password.
    pub socket_url: String,
}

impl Postgres {
    /// Returns the server that all tests of this process share. It is started by the first call.
    ///
    /// # Panics
    /// PostgreSQL is not installed, or does not start.
    pub fn shared() -> &'static Postgres {
        static SHARED: LazyLock<Postgres> = LazyLock::new(Postgres::start);
        &SHARED
    }

    /// Starts a server for a test that stops or kills it. Dropping it ends it.
    ///
    /// # Panics
    /// PostgreSQL is not installed, or does not start.
    pub fn start() -> Postgres {
        Postgres::launch(None)
    }

    /// Starts a standby of this server, which follows it asynchronously.
    ///
    /// # Panics
    /// It does not start.
    pub fn standby(&self) -> Postgres {
        Postgres::launch(Some(self))
    }

    /// Ends the replication of a standby, which stays behind from then on.
    ///
    /// # Panics
    /// The server does not answer.
    pub fn detach(&self) {
        self.psql("postgres", "ALTER SYSTEM SET primary_conninfo = ''");
        self.psql("postgres", "SELECT pg_reload_conf()");
        while self.psql("postgres", "SELECT count(*) FROM pg_stat_wal_receiver") != "0" {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Promotes a standby, and waits until it accepts writes.
    ///
    /// # Panics
    /// The server does not answer.
    pub fn promote(&self) {
        assert_eq!(self.psql("postgres", "SELECT pg_promote(true, 60)"), "t");
    }

    fn launch(primary: Option<&Postgres>) -> Postgres {
        let programs = programs();
        // Short, since the path of a unix socket may have 107 bytes.
        let folder = tempfile::Builder::new().prefix("pw-pg-").tempdir().unwrap().keep();
        // A port that was free a moment ago. If another process takes it meanwhile, the start fails with a message.
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        write_files(&folder, port);
        let mut command = Command::new("sh");
        command.args(["-c", include_str!("server.sh"), "server.sh"]);
        command.arg(&programs).arg(&folder).arg(port.to_string()).arg(as_database_user().join(" "));
        if let Some(primary) = primary {
            command.arg(primary.folder()).arg(primary.port().to_string());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // A Ctrl-C in the terminal must not end it before the tests.
        command.process_group(0);
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        if line != "ready\n" {
            output.read_to_string(&mut line).unwrap();
            panic!("PostgreSQL in {} did not start: {line}", programs.display());
        }
        let script = Mutex::new(Script { child, input, output });
        Postgres { folder, port, programs, databases: AtomicUsize::new(0), script }
    }

    /// Creates a database, whose owner is [`USER`].
    ///
    /// # Panics
    /// The server does not answer.
    pub fn database(&self) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.psql("postgres", &format!("CREATE DATABASE {name} OWNER {USER}"));
        Database { url: self.url(USER, &name), socket_url: self.socket_url(&name), name }
    }

    /// Returns the URL of a database over TCP.
    pub fn url(&self, user: &str, database: &str) -> String {
        let password = PASSWORD.replace(' ', "%20");
        format!("postgresql://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    fn socket_url(&self, database: &str) -> String {
        let folder = self.folder.display();
        format!("postgresql://{USER}@/{database}?host={folder}&port={}", self.port)
    }

    /// Returns the port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the folder of the unix socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the file of the server's certificate, which is for `localhost` and signed by itself.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("server.crt")
    }

    /// Runs SQL as superuser, and returns the values of the rows, by line and `|`.
    ///
    /// # Panics
    /// A statement fails.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres"]);
        command.arg("-h").arg(&self.folder).arg("-p").arg(self.port.to_string());
        command.args(["-d", database, "-c", sql]);
        let output = crate::program::run(&mut command, "").unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Returns what the server has logged.
    ///
    /// # Panics
    /// The log cannot be read.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }

    /// Stops every process of the server (SIGSTOP), with its sockets open.
    ///
    /// # Panics
    /// The server has ended.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Continues the server after [`Postgres::pause`].
    ///
    /// # Panics
    /// The server has ended.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends the server as its restart does: sessions end with a message.
    ///
    /// # Panics
    /// The script that holds the server has ended.
    pub fn stop(&self) {
        self.command("fast");
    }

    /// Kills every process of the server (SIGKILL).
    ///
    /// # Panics
    /// The script that holds the server has ended.
    pub fn kill(&self) {
        self.command("kill");
    }

    /// Starts the server again, on the same port.
    ///
    /// # Panics
    /// The server does not start.
    pub fn restart(&self) {
        self.command("start");
    }

    /// Returns the processor time of all processes so far, with those that have ended.
    ///
    /// # Panics
    /// The server has ended.
    pub fn cpu_time(&self) -> Duration {
        let server = self.process();
        let running = self.children(server).into_iter().map(|child| cpu_time(child.unsigned_abs()));
        let children: Duration = running.sum();
        let stat = procfs::process::Process::new(server).and_then(|it| it.stat()).unwrap();
        let ticks = stat.utime + stat.stime + (stat.cutime + stat.cstime).unsigned_abs();
        children + Duration::from_secs(ticks) / u32::try_from(procfs::ticks_per_second()).unwrap()
    }

    /// Returns the process of the server itself.
    fn process(&self) -> i32 {
        let pid = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        pid.lines().next().unwrap().parse().unwrap()
    }

    /// Returns the other processes.
    fn children(&self, server: i32) -> Vec<i32> {
        let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children"));
        children.unwrap().split_whitespace().map(|child| child.parse().unwrap()).collect()
    }

    fn signal(&self, signal: Signal) {
        let server = self.process();
        // The server first, so that it starts no session meanwhile.
        let signal_to = |pid| kill_process(Pid::from_raw(pid).unwrap(), signal);
        signal_to(server).unwrap();
        for child in self.children(server) {
            // A session may have ended meanwhile.
            let _ = signal_to(child);
        }
    }

    fn command(&self, command: &str) {
        let mut script = self.script.lock().unwrap();
        writeln!(script.input.as_mut().unwrap(), "{command}").unwrap();
        let mut line = String::new();
        script.output.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n", "{command}");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let script = self.script.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        script.input = None;
        let _ = script.child.wait();
    }
}

/// Returns the words before a command that root must not run, as the programs of PostgreSQL refuse to.
fn as_database_user() -> &'static [&'static str] {
    const CHANGED: &[&str] =
        &["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"];
    if rustix::process::geteuid().is_root() { CHANGED } else { &[] }
}

fn write_files(folder: &Path, port: u16) {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let shown = folder.display();
    let settings = format!(
        "{SETTINGS}port = {port}\nunix_socket_directories = '{shown}'\n\
         ssl_cert_file = '{shown}/server.crt'\nssl_key_file = '{shown}/server.key'\n"
    );
    let role = |name: &str| format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}';\n");
    let others: String =
        OTHER_USERS.iter().filter(|name| **name != "by_md5").map(|name| role(name)).collect();
    let roles =
        format!("{}{others}SET password_encryption = 'md5';\n{}", role(USER), role("by_md5"));
    for (name, content) in [
        ("postgresql.conf", settings.as_str()),
        ("pg_hba.conf", HBA),
        ("roles.sql", &roles),
        ("server.crt", &certificate.cert.pem()),
        ("server.key", &certificate.signing_key.serialize_pem()),
    ] {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&path, mode).unwrap();
    }
}

/// Returns the folder of the newest server's programs, which Debian does not put on the path.
fn programs() -> PathBuf {
    let version = |folder: &PathBuf| {
        let name = folder.parent()?.file_name()?.to_str()?;
        name.parse::<u32>().ok()
    };
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = installed.map(|entry| entry.path().join("bin"));
    let newest = folders.filter(|folder| folder.join("postgres").is_file()).max_by_key(version);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = newest
        .or_else(|| std::env::split_paths(&path).find(|folder| folder.join("postgres").is_file()));
    found.unwrap_or_else(|| {
        panic!(
            "PostgreSQL is missing: there is no /usr/lib/postgresql/*/bin/postgres, and none on the path: \
             apt-get install postgresql"
        )
    })
}
