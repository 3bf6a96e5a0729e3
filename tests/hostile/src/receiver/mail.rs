//! Mail servers of aiosmtpd, a package of Debian: its own parser, limits and TLS, and none of ours.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::{Value, json};

use super::Identity;
use crate::client::TEST_TIMEOUT;

const PROGRAM: &str = include_str!("mail.py");

/// Protection of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// None.
    Plain,
    /// STARTTLS, without which no mail is taken.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// Reply to mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailAnswer {
    /// They are taken.
    Takes,
    /// 451: they may be taken later.
    FailsForNow,
    /// 450: there were too many.
    TooMany,
    /// They are taken, and the connection is closed without a reply.
    LosesReply,
    /// They are taken, and the reply comes after so many seconds.
    Late(u32),
}

/// A mail that was taken.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Sender of the envelope.
    pub sender: String,
    /// Recipients of the envelope.
    pub recipients: Vec<String>,
    /// True if it came over TLS that began with STARTTLS.
    pub is_encrypted: bool,
    /// True if the client has logged in.
    pub has_login: bool,
    /// The mail itself.
    pub content: String,
}

impl Mail {
    /// Returns the value of a field, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.content.split_once("\r\n\r\n").map_or(&*self.content, |(head, _)| head);
        let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let prefix = format!("{}: ", name.to_ascii_lowercase());
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&prefix))?;
        Some(line[prefix.len()..].to_owned())
    }
}

/// A process with any number of mail servers, killed when dropped.
pub struct MailServers {
    child: Mutex<(Child, ChildStdin)>,
    log: Arc<Log>,
    folder: tempfile::TempDir,
}

#[derive(Default)]
struct Log {
    events: Mutex<Vec<Value>>,
    grown: Condvar,
}

/// One mail server.
pub struct MailServer<'a> {
    servers: &'a MailServers,
    name: String,
    address: SocketAddr,
}

impl MailServers {
    /// Starts the process.
    pub fn start() -> MailServers {
        let mut child = Command::new(python())
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It describes each client that breaks off.
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 with aiosmtpd is needed: apt-get install python3-aiosmtpd");
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let log = Arc::new(Log::default());
        let follower = Arc::clone(&log);
        // The thread ends with the process.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or_default();
                follower.events.lock().unwrap().push(event);
                follower.grown.notify_all();
            }
        });
        let folder = tempfile::tempdir().unwrap();
        MailServers { child: Mutex::new((child, stdin)), log, folder }
    }

    /// Starts a server. `has_login`: only clients that log in as `me` with the password `s3cretMail` may send.
    pub fn serve(
        &self,
        name: &str,
        security: MailSecurity,
        identity: &Identity,
        answer: MailAnswer,
        has_login: bool,
    ) -> MailServer<'_> {
        let [certificate, key] = self.files(name, identity);
        let security = match security {
            MailSecurity::Plain => "plain",
            MailSecurity::StartTls => "starttls",
            MailSecurity::Tls => "tls",
        };
        let listening = self.command(&json!({
            "do": "start", "name": name, "security": security, "certificate": certificate,
            "key": key, "answer": answer.reply(), "login": has_login,
        }));
        let port = listening["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap();
        let address = (Ipv4Addr::LOCALHOST, port).into();
        MailServer { servers: self, name: name.to_owned(), address }
    }

    /// Sends a command, and returns the response to it.
    fn command(&self, command: &Value) -> Value {
        let mut child = self.child.lock().unwrap();
        let before = self.log.events.lock().unwrap().len();
        writeln!(child.1, "{command}").expect("aiosmtpd runs: apt-get install python3-aiosmtpd");
        let find = |events: &Vec<Value>| {
            let is_response = |event: &&Value| {
                event["name"] == command["name"]
                    && (event["event"] == "done" || event["event"] == "listening")
            };
            events.iter().skip(before).find(is_response).cloned()
        };
        let events = self.log.events.lock().unwrap();
        let waited =
            self.log.grown.wait_timeout_while(events, TEST_TIMEOUT, |it| find(it).is_none());
        find(&waited.unwrap().0).expect("aiosmtpd answers: apt-get install python3-aiosmtpd")
    }

    fn files(&self, name: &str, identity: &Identity) -> [PathBuf; 2] {
        let write = |end: &str, content: &str| {
            let path = self.folder.path().join(format!("{name}-{end}.pem"));
            std::fs::write(&path, content).unwrap();
            path
        };
        [write("cert", &identity.certificate), write("key", &identity.key)]
    }
}

impl Drop for MailServers {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.0.kill();
        let _ = child.0.wait();
    }
}

impl MailAnswer {
    fn reply(self) -> Value {
        match self {
            MailAnswer::Takes => Value::Null,
            MailAnswer::FailsForNow => "451 4.3.0 the queue is full, try again later".into(),
            MailAnswer::TooMany => "450 4.7.0 too many messages, slow down".into(),
            MailAnswer::LosesReply => json!({ "lost": true }),
            MailAnswer::Late(seconds) => json!({ "late": seconds }),
        }
    }
}

impl MailServer<'_> {
    /// Returns its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replies to later mails in this way.
    pub fn answer(&self, answer: MailAnswer) {
        self.servers
            .command(&json!({ "do": "answer", "name": self.name, "answer": answer.reply() }));
    }

    /// Presents another certificate to later connections.
    pub fn present(&self, identity: &Identity) {
        let [certificate, key] = self.servers.files(&self.name, identity);
        self.servers.command(&json!({
            "do": "present", "name": self.name, "certificate": certificate, "key": key,
        }));
    }

    /// Number of mails that were not taken.
    pub fn refused(&self) -> usize {
        self.events("refused").len()
    }

    /// Returns the mails that were taken, in their order.
    pub fn mails(&self) -> Vec<Mail> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mail = |event: &Value| Mail {
            sender: text(&event["sender"]),
            recipients: event["recipients"].as_array().into_iter().flatten().map(text).collect(),
            is_encrypted: event["is_encrypted"] == true,
            has_login: event["login"] == true,
            content: text(&event["content"]),
        };
        self.events("mail").iter().map(mail).collect()
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        let events = self.servers.log.events.lock().unwrap();
        let is_own = |event: &&Value| event["event"] == kind && event["name"] == *self.name;
        events.iter().filter(is_own).cloned().collect()
    }
}

/// Returns the Python that has the packages of Debian.
fn python() -> &'static str {
    let has_package = |python: &&str| {
        let imported =
            Command::new(python).args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
        imported.is_ok_and(|status| status.success())
    };
    ["python3", "/usr/bin/python3"]
        .into_iter()
        .find(has_package)
        .expect("aiosmtpd is needed: apt-get install python3-aiosmtpd")
}
