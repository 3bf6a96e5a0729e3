//! A replica as a process of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::canary::Canary;
use crate::client::{TEST_TIMEOUT, read_response};
use crate::config::Config;

/// Longest time of each step of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest time of each step of a canary's visit.
const CANARY_TIMEOUT: Duration = Duration::from_secs(10);

/// Pages that a canary visits in turn.
const CANARY_PAGES: [&str; 3] = ["/ping", "/api/v1/status", "/"];

/// A replica, which may run or not. It is killed when dropped.
pub struct Replica {
    name: String,
    /// Address of the public listener, over plain HTTP; the same after each start.
    pub address: SocketAddr,
    /// Address of the admin listener; the same after each start.
    pub admin: SocketAddr,
    /// The command of the program, such as the binary, or a program that runs it.
    pub command: Vec<String>,
    folder: PathBuf,
    child: Option<Child>,
}

/// A response.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub code: u16,
    /// Head, as it was sent.
    pub head: String,
    /// Body.
    pub body: String,
}

impl Answer {
    /// Returns the value of a header field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// Returns the body as JSON.
    ///
    /// # Panics
    /// It is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Replica {
    /// Prepares a replica in a new folder below `root`, without starting it. Its addresses, its name and its spool
    /// are added to the configuration.
    ///
    /// # Panics
    /// The folder cannot be created.
    pub fn new(name: &str, binary: &Path, root: &Path, config: Config) -> Replica {
        let folder = root.join(name);
        fs::create_dir(&folder).unwrap();
        let [address, admin] =
            [free_port(), free_port()].map(|port| (Ipv4Addr::LOCALHOST, port).into());
        let replica = Replica {
            name: name.to_owned(),
            address,
            admin,
            command: vec![binary.to_str().unwrap().to_owned()],
            folder,
            child: None,
        };
        replica.configure(config);
        replica
    }

    /// Writes another configuration, for the next start or reload.
    ///
    /// # Panics
    /// The file cannot be written.
    pub fn configure(&self, config: Config) {
        config
            .listen(&self.address.to_string())
            .set("server.admin_listen", self.admin.to_string())
            .set("server.replica", self.name.as_str())
            .set("store.spool", "pumphouse.spool.db")
            .write(&self.folder);
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the folder with the configuration, the spool and the log.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns what the process has logged since the first start.
    ///
    /// # Panics
    /// The file cannot be read.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }

    /// Starts the process, without waiting until it serves.
    ///
    /// # Panics
    /// It runs already, or cannot be started.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let log = OpenOptions::new().create(true).append(true).open(self.folder.join("log"));
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).args(["serve", "--config", "pumphouse.toml"]);
        command.current_dir(&self.folder).env_remove("PUMPHOUSE_CONFIG").env_remove("RUST_LOG");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr::<File>(log.unwrap());
        self.child = Some(crate::program::spawn(&mut command).unwrap());
    }

    /// Starts the process, and waits until it serves.
    ///
    /// # Panics
    /// It does not serve after [`TEST_TIMEOUT`].
    pub fn start(&mut self) {
        self.spawn();
        let begun = Instant::now();
        while !self.get("/ping").is_ok_and(|answer| answer.code == 200) {
            let has_ended = !self.is_running();
            let is_late = begun.elapsed() > TEST_TIMEOUT;
            assert!(!has_ended && !is_late, "{} does not serve: {}", self.name, self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the process.
    ///
    /// # Panics
    /// It does not run.
    pub fn process(&self) -> u32 {
        self.child.as_ref().expect("a running replica").id()
    }

    /// Returns true if the process runs, or is stopped.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Kills the process (SIGKILL).
    ///
    /// # Panics
    /// It does not run.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("a running replica");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Ends the process (SIGTERM), and waits for its end.
    ///
    /// # Panics
    /// It does not run, or still runs after [`TEST_TIMEOUT`].
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let begun = Instant::now();
        while self.is_running() {
            assert!(begun.elapsed() < TEST_TIMEOUT, "{} does not end: {}", self.name, self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child = None;
    }

    /// Stops the process (SIGSTOP), with its sockets open.
    ///
    /// # Panics
    /// It does not run.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Continues the process after [`Replica::pause`].
    ///
    /// # Panics
    /// It does not run.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// The process does not run.
    pub fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("a running replica");
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    /// Sends a GET on a fresh connection.
    ///
    /// # Errors
    /// A step takes longer than 20 s, or the connection fails.
    pub fn get(&self, target: &str) -> io::Result<Answer> {
        request(self.address, "GET", target, "", REQUEST_TIMEOUT)
    }

    /// Sends a request with these additional fields on a fresh connection.
    ///
    /// # Errors
    /// As of [`Replica::get`].
    pub fn ask(&self, method: &str, target: &str, fields: &str) -> io::Result<Answer> {
        request(self.address, method, target, fields, REQUEST_TIMEOUT)
    }

    /// Sends a GET to the admin listener.
    ///
    /// # Errors
    /// As of [`Replica::get`].
    pub fn admin_get(&self, target: &str) -> io::Result<Answer> {
        request(self.admin, "GET", target, "", REQUEST_TIMEOUT)
    }

    /// Returns the status JSON.
    ///
    /// # Panics
    /// There is none.
    pub fn status(&self) -> Value {
        self.get("/api/v1/status").unwrap().json()
    }

    /// Returns the value of a sample of the metrics, which may be a second old.
    ///
    /// # Panics
    /// There is none.
    pub fn metric(&self, sample: &str) -> f64 {
        let page = self.admin_get("/metrics").unwrap().body;
        let value = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {sample} in {page}")).parse().unwrap()
    }

    /// Starts a canary that visits pages of this replica, ten times a second.
    pub fn canary(&self) -> Canary {
        let address = self.address;
        let page = std::cell::Cell::new(0);
        Canary::start_with(move || {
            page.set(page.get() + 1);
            let target = CANARY_PAGES[page.get() % CANARY_PAGES.len()];
            let answer = request(address, "GET", target, "", CANARY_TIMEOUT)?;
            match answer.code {
                200 => Ok(()),
                code => Err(io::Error::other(format!("{code} of {target}"))),
            }
        })
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn request(
    address: SocketAddr,
    method: &str,
    target: &str,
    fields: &str,
    timeout: Duration,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let head = "Host: localhost\r\nConnection: close\r\n";
    stream.write_all(format!("{method} {target} HTTP/1.1\r\n{head}{fields}\r\n").as_bytes())?;
    let response = String::from_utf8(read_response(&mut stream)?).map_err(io::Error::other)?;
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let code = code.ok_or_else(|| io::Error::other(format!("no status in {head}")))?;
    Ok(Answer { code, head: head.to_owned(), body: body.to_owned() })
}

/// Returns a free port below those that the kernel gives to clients, so that a replica which has ended finds it free.
fn free_port() -> u16 {
    /// Number of ports that are tried, from [`FIRST_PORT`] on.
    const PORTS: u16 = 10_000;
    const FIRST_PORT: u16 = 20_000;
    static TRIED: AtomicU16 = AtomicU16::new(0);
    // Test programs that run at one time begin at different ports.
    let begin = (std::process::id() % 97) as u16 * 100;
    for _ in 0..PORTS {
        let port = FIRST_PORT + (begin + TRIED.fetch_add(1, Ordering::Relaxed)) % PORTS;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port of {FIRST_PORT} to {} is free", FIRST_PORT + PORTS);
}
