//! Mail, over SMTP.
//!
//! The dialog is a state machine without sockets ([`dialog`]); this file connects it to a stream whose deadline covers
//! everything from the lookup of the name to the last reply.

mod dialog;
mod mail;
mod recipients;
mod reply;

use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use self::dialog::{Action, Dialog, Settings};
use self::mail::{Mail, bare_address, mail};
use self::recipients::{Recipients, Refusal};
use self::reply::{Replies, Reply};
use super::context::ChannelContext;
use super::delivery::{Deliver, Delivery, DeliveryError, DeliveryFault, Progress};
use crate::config::{self, Channel, SmtpSecurity};
use crate::kernel::host_name::host_name;
use crate::outbound::tls::ClientTls;
use crate::outbound::{DeadlineStream, Failure, Redactor};

/// Channel by mail. It has no `Debug`, because of the login.
pub(super) struct Mailer {
    smtp: config::Smtp,
    timeout: Duration,
    tls: ClientTls,
    /// True if the configuration names the certificate of the server or its authority.
    has_own_certificates: bool,
    recipients: Recipients,
    context: ChannelContext,
    redactor: Redactor,
}

impl Mailer {
    pub(super) fn new(smtp: &config::Smtp, config: &Channel, context: &ChannelContext) -> Mailer {
        let login = smtp.login.as_ref();
        let login = login.map(|login| (login.username.as_str(), login.password.expose()));
        let secrets = login.map(|(name, password)| {
            let encoded = BASE64.encode(format!("\0{name}\0{password}"));
            [password.to_owned(), BASE64.encode(password), encoded]
        });
        Mailer {
            smtp: smtp.clone(),
            timeout: config.timeout,
            tls: context.tls_of(config),
            has_own_certificates: config.ca_certs.is_some(),
            recipients: Recipients::new(smtp.to.iter().map(|address| bare_address(address))),
            context: context.clone(),
            redactor: Redactor::of(secrets.iter().flatten().map(String::as_str)),
        }
    }

    fn settings(
        &self,
        mail: Mail,
        to: &[String],
        machine: &str,
        stream: &DeadlineStream,
    ) -> Settings {
        let security = self.smtp.security;
        let login = self.smtp.login.as_ref();
        Settings {
            hello: hello_name(machine, stream.local_address()),
            // The certificate of a mail server on this machine is most often one that the system does not trust,
            // and protects nothing here.
            may_start_tls: security == SmtpSecurity::StartTls || self.has_own_certificates,
            must_encrypt: security != SmtpSecurity::Loopback || !stream.is_loopback(),
            is_loopback: stream.is_loopback(),
            login: login.map(|login| (login.username.clone(), login.password.expose().to_owned())),
            from: mail.from,
            to: to.to_vec(),
            mail: mail.bytes,
        }
    }

    /// Sends a mail. Returns the recipients that the server did not take.
    fn send(
        &self,
        mail: Mail,
        to: &[String],
        machine: &str,
        deadline: Instant,
    ) -> Result<Vec<Refusal>, DeliveryError> {
        let (host, port) = (self.smtp.host.as_str(), self.smtp.port);
        let failed = |error| self.failed(error);
        let mut stream = DeadlineStream::connect(host, port, &self.context.resolver, deadline)
            .map_err(failed)?;
        let settings = self.settings(mail, to, machine, &stream);
        if self.smtp.security == SmtpSecurity::ImplicitTls {
            stream = stream.encrypt(host, &self.tls).map_err(failed)?;
        }
        let mut dialog = Dialog::new(settings, stream.is_encrypted());
        let mut replies = Replies::default();
        loop {
            let reply = self.read(&mut stream, &mut replies)?;
            match dialog.reply(&reply) {
                Ok(Action::Send(bytes)) => self.write(&mut stream, &bytes)?,
                Ok(Action::Encrypt(bytes)) => {
                    // A machine in between could have added replies for the encrypted connection (RFC 3207 5).
                    if !replies.is_empty() {
                        let message = "the mail server sent more than its reply to STARTTLS, which may be an \
                                       attack: nothing was sent";
                        return Err(DeliveryError::new(DeliveryFault::Transient, message));
                    }
                    stream = stream.encrypt(host, &self.tls).map_err(failed)?;
                    self.write(&mut stream, &bytes)?;
                }
                Ok(Action::Finish) => {
                    quit(&mut stream);
                    return Ok(dialog.into_refused());
                }
                Err(error) => {
                    quit(&mut stream);
                    let message = self.redactor.redact(error.message);
                    return Err(DeliveryError::new(error.fault, message));
                }
            }
        }
    }

    fn write(&self, stream: &mut DeadlineStream, bytes: &[u8]) -> Result<(), DeliveryError> {
        let written = stream.write_all(bytes).and_then(|()| stream.flush());
        written.map_err(|error| self.failed(error.into()))
    }

    fn read(
        &self,
        stream: &mut DeadlineStream,
        replies: &mut Replies,
    ) -> Result<Reply, DeliveryError> {
        let mut buffer = [0; 4096];
        loop {
            let transient =
                |error| DeliveryError::new(DeliveryFault::Transient, format!("{error}"));
            if let Some(reply) = replies.next().map_err(transient)? {
                return Ok(reply);
            }
            match stream.read(&mut buffer) {
                Ok(0) => {
                    return Err(self.failed(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
                }
                Ok(length) => replies.push(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error.into())),
            }
        }
    }

    fn failed(&self, error: ureq::Error) -> DeliveryError {
        let failure = Failure::new(error, self.timeout);
        let message = format!("cannot send to the mail server: {}", failure.message);
        DeliveryError::new(DeliveryFault::Transient, self.redactor.redact(message))
    }

    fn redacted(&self, error: DeliveryError) -> DeliveryError {
        let message = self.redactor.redact(error.message.to_string()).into();
        DeliveryError { message, ..error }
    }
}

impl Deliver for Mailer {
    /// Sends a mail to the recipients that lack the same notices: after the first attempt, those that were deferred.
    fn deliver(&self, delivery: &Delivery, deadline: Instant) -> Result<(), DeliveryError> {
        let machine = host_name();
        let (mut refused, mut progress) = (Vec::new(), Progress::Nothing);
        for part in self.recipients.parts(delivery) {
            let mail = mail(&part.delivery, &self.smtp, &self.context, &machine)
                .map_err(|message| DeliveryError::new(DeliveryFault::Refused, message))?;
            let of_part = self
                .send(mail, &part.to, &machine, deadline)
                .map_err(|error| DeliveryError { progress, ..error })?;
            if self.recipients.record(&part, &of_part, Instant::now()) {
                progress = Progress::Part;
            }
            refused.extend(of_part);
        }
        let has_progress = progress == Progress::Part;
        let outcome = self.recipients.outcome(delivery, &refused, has_progress, Instant::now());
        outcome.map_err(|error| self.redacted(error))
    }
}

/// Ends the session. The reply is not waited for: the mail was taken, or was not.
fn quit(stream: &mut DeadlineStream) {
    let _ = stream.write_all(b"QUIT\r\n").and_then(|()| stream.flush());
}

/// Returns the name for EHLO: that of the machine if it has a domain, or else the address (RFC 5321 4.1.4).
fn hello_name(machine: &str, address: Option<IpAddr>) -> String {
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(is_plain)
    };
    if machine.contains('.') && machine.len() <= 255 && machine.split('.').all(is_label) {
        return machine.to_owned();
    }
    match address {
        Some(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
        Some(IpAddr::V4(address)) => format!("[{address}]"),
        None => "localhost".to_owned(),
    }
}

#[cfg(test)]
mod tests;
