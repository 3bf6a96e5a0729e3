//! The client's side of SMTP (RFC 5321), without sockets: a reply of the server leads to the next command.
//!
//! ```text
//! Greeting ─► Hello ─┬──────────────► Authentication ─► Sender ─► Recipients ─► Data ─► Content ─► QUIT
//!                    └► StartTls ─► (handshake) ─► Hello
//! ```
//!
//! A login is sent over TLS only, or to this machine. Without STARTTLS, where the configuration requires it, nothing
//! is sent: a machine in between may have removed the offer (RFC 3207 6).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::reply::Reply;
use crate::notify::delivery::DeliveryFault;

/// Input of a dialog. It has no `Debug`, because of the login.
pub(super) struct Settings {
    /// Name of this machine.
    pub(super) hello: String,
    /// True to send STARTTLS if the server offers it.
    pub(super) may_start_tls: bool,
    /// True to send nothing without TLS.
    pub(super) must_encrypt: bool,
    /// True if the other end is this machine, so that a login needs no TLS.
    pub(super) is_loopback: bool,
    /// Name and password.
    pub(super) login: Option<(String, String)>,
    /// Sender's address.
    pub(super) from: String,
    /// Recipients' addresses.
    pub(super) to: Vec<String>,
    /// The mail.
    pub(super) mail: Vec<u8>,
}

/// Next action of the client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Send this, and wait for a reply.
    Send(Vec<u8>),
    /// Encrypt the connection, and then send this and wait for a reply.
    Encrypt(Vec<u8>),
    /// The server has taken the mail for the recipients that it has not refused, if there are any. Send QUIT.
    Finish,
}

/// The server does not take the mail.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DialogError {
    pub(super) fault: DeliveryFault,
    pub(super) message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    Hello,
    StartTls,
    /// AUTH PLAIN with its response.
    Plain,
    /// AUTH LOGIN, which is answered by a request for the name.
    Login,
    LoginName,
    LoginPassword,
    Sender,
    /// The recipient of that number.
    Recipient(usize),
    Data,
    Content,
}

/// A dialog. Its commands end with CRLF, and no text in them can begin another one: addresses were parsed, and names
/// and passwords are encoded.
pub(super) struct Dialog {
    settings: Settings,
    state: State,
    is_encrypted: bool,
    /// Recipients that the server does not take, with its replies.
    refused: Vec<(String, Reply)>,
}

impl Dialog {
    /// Returns the dialog of a connection, which begins with the server's greeting.
    pub(super) fn new(settings: Settings, is_encrypted: bool) -> Dialog {
        Dialog { settings, state: State::Greeting, is_encrypted, refused: Vec::new() }
    }

    /// Returns the recipients that the server has not taken, with its replies.
    pub(super) fn into_refused(self) -> Vec<(String, Reply)> {
        self.refused
    }

    /// Returns what to do after a reply.
    pub(super) fn reply(&mut self, reply: &Reply) -> Result<Action, DialogError> {
        match (self.state, reply.code) {
            // The server shuts down, in reply to any command.
            (_, 421) => Err(self.failed(reply)),
            (State::Greeting, 220) => Ok(self.hello()),
            (State::Hello, 250) => self.after_hello(reply),
            (State::StartTls, 220) => {
                self.is_encrypted = true;
                match self.hello() {
                    Action::Send(hello) => Ok(Action::Encrypt(hello)),
                    other => Ok(other),
                }
            }
            (State::Login, 334) => Ok(self.login(State::LoginName)),
            (State::LoginName, 334) => Ok(self.login(State::LoginPassword)),
            (State::Plain | State::LoginPassword, 235) => Ok(self.sender()),
            (State::Sender, 250) => Ok(self.recipient(0)),
            (State::Recipient(number), 250 | 251) => Ok(self.after_recipient(number)),
            (State::Recipient(number), 400..=599) => {
                self.refused.push((self.settings.to[number].clone(), reply.clone()));
                Ok(self.after_recipient(number))
            }
            (State::Data, 354) => {
                self.state = State::Content;
                Ok(Action::Send(stuffed(&self.settings.mail)))
            }
            (State::Content, 250) => Ok(Action::Finish),
            _ => Err(self.failed(reply)),
        }
    }

    fn send(&mut self, state: State, command: &str) -> Action {
        self.state = state;
        Action::Send(format!("{command}\r\n").into_bytes())
    }

    fn hello(&mut self) -> Action {
        let hello = format!("EHLO {}", self.settings.hello);
        self.send(State::Hello, &hello)
    }

    fn after_hello(&mut self, reply: &Reply) -> Result<Action, DialogError> {
        // The first line has the server's name.
        let words = |line: &String| line.to_ascii_uppercase();
        let offers: Vec<String> = reply.lines.iter().skip(1).map(words).collect();
        if !self.is_encrypted {
            let offers_tls = offers.iter().any(|offer| offer.trim() == "STARTTLS");
            if offers_tls && self.settings.may_start_tls {
                return Ok(self.send(State::StartTls, "STARTTLS"));
            }
            if self.settings.must_encrypt {
                return Err(refused(
                    "the mail server does not offer STARTTLS, without which nothing is sent; use smtps:// if \
                     it has a port for TLS",
                ));
            }
        }
        let Some((name, password)) = &self.settings.login else { return Ok(self.sender()) };
        if !self.is_encrypted && !self.settings.is_loopback {
            return Err(refused(
                "the connection to the mail server is not encrypted, so the name and password are not sent",
            ));
        }
        let offers_mechanism = |mechanism: &str| {
            offers.iter().any(|offer| {
                // AUTH=LOGIN is an old form that some servers send for old clients.
                let mut words = offer.split([' ', '=']);
                words.next() == Some("AUTH") && words.any(|word| word == mechanism)
            })
        };
        if offers_mechanism("PLAIN") {
            let response = BASE64.encode(format!("\0{name}\0{password}"));
            return Ok(self.send(State::Plain, &format!("AUTH PLAIN {response}")));
        }
        if offers_mechanism("LOGIN") {
            return Ok(self.send(State::Login, "AUTH LOGIN"));
        }
        Err(refused("the mail server takes no name and password by the methods PLAIN and LOGIN"))
    }

    fn login(&mut self, state: State) -> Action {
        let (name, password) = self.settings.login.clone().unwrap_or_default();
        let text = if state == State::LoginName { name } else { password };
        self.send(state, &BASE64.encode(text))
    }

    fn sender(&mut self) -> Action {
        let command = format!("MAIL FROM:<{}>", self.settings.from);
        self.send(State::Sender, &command)
    }

    fn recipient(&mut self, number: usize) -> Action {
        let command = format!("RCPT TO:<{}>", self.settings.to[number]);
        self.send(State::Recipient(number), &command)
    }

    /// The mail is sent if the server takes one recipient.
    fn after_recipient(&mut self, number: usize) -> Action {
        let count = self.settings.to.len();
        match number + 1 < count {
            true => self.recipient(number + 1),
            false if self.refused.len() < count => self.send(State::Data, "DATA"),
            false => Action::Finish,
        }
    }

    /// Returns the error of a reply that ends the dialog.
    fn failed(&self, reply: &Reply) -> DialogError {
        let (command, permanent) = match self.state {
            State::Greeting => ("the connection", DeliveryFault::Refused),
            State::Hello => ("EHLO", DeliveryFault::Refused),
            State::StartTls => ("STARTTLS", DeliveryFault::Refused),
            State::Plain | State::Login | State::LoginName | State::LoginPassword => {
                ("the name and password", DeliveryFault::Refused)
            }
            State::Sender => ("the sender", DeliveryFault::Refused),
            State::Recipient(_) => ("a recipient", DeliveryFault::Refused),
            State::Data => ("DATA", DeliveryFault::Refused),
            State::Content if reply.is_about_content() => {
                ("the mail", DeliveryFault::Undeliverable)
            }
            State::Content => ("the mail", DeliveryFault::Refused),
        };
        let fault = match reply.code {
            500.. => permanent,
            // Also a reply that does not belong to the command.
            _ => DeliveryFault::Transient,
        };
        DialogError { fault, message: format!("the mail server answered {command} with {reply}") }
    }
}

fn refused(message: &str) -> DialogError {
    DialogError { fault: DeliveryFault::Refused, message: message.to_owned() }
}

/// Returns a mail as DATA sends it: each line ends with CRLF, a dot at the begin of a line is doubled (RFC 5321 4.5.2),
/// and a line with a dot alone ends it.
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut sent = Vec::with_capacity(mail.len() + mail.len() / 64 + 8);
    let mail = mail.strip_suffix(b"\n").unwrap_or(mail);
    for line in mail.split(|byte| *byte == b'\n') {
        if line.first() == Some(&b'.') {
            sent.push(b'.');
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // A CR alone could begin a line for some servers.
        sent.extend(line.iter().map(|byte| if *byte == b'\r' { b' ' } else { *byte }));
        sent.extend_from_slice(b"\r\n");
    }
    sent.extend_from_slice(b".\r\n");
    sent
}

#[cfg(test)]
mod tests;
